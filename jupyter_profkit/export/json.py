"""Results as JSON text, checked against their dataclasses when they are read.

    {"jupyter_profkit": 1, "kind": "line_memory", "result": {...}}

cattrs does the converting. It would turn ``"7"`` into 7 and 1 into ``True``, so
the hooks here insist on the type that is declared: a file from elsewhere either is
a recording or is refused.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Final, TypeVar

from jupyter_profkit.errors import RecordingError
from jupyter_profkit.model.call_graph import CallGraph
from jupyter_profkit.model.functions import StatementProfile, TimeProfile
from jupyter_profkit.model.leaks import ObjectLeaks
from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.memory_comparison import LineMemoryComparison
from jupyter_profkit.model.object_boxes import ObjectBoxes
from jupyter_profkit.model.objects import NamespaceMemory, ObjectHolders
from jupyter_profkit.model.references import ReferenceGraph, TypeCounts, TypeGrowth
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.time_comparison import TimeComparison
from jupyter_profkit.model.timeline import MemoryTimeline

__all__ = ["from_json", "read_json", "to_json", "write_json"]

_FORMAT: Final = 1
_KINDS: Final[dict[str, type[Result]]] = {
    result.kind: result
    for result in (
        LineMemoryProfile,
        LineMemoryComparison,
        MemoryTimeline,
        TimeProfile,
        TimeComparison,
        StatementProfile,
        CallGraph,
        ReferenceGraph,
        ObjectBoxes,
        TypeCounts,
        TypeGrowth,
        ObjectHolders,
        NamespaceMemory,
        ObjectLeaks,
    )
}

R = TypeVar("R", bound=Result)


@functools.cache
def _converter() -> Any:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _insist)
    converter.register_structure_hook(float, lambda value, _: _insist(value, (int, float)) * 1.0)
    return converter


def _insist(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r:.40} is not {kind}")
    return value


def to_json(result: Result) -> str:
    """`result` as one line of JSON."""
    content = _converter().unstructure(result, unstructure_as=type(result))
    envelope = {"jupyter_profkit": _FORMAT, "kind": result.kind, "result": content}
    return json.dumps(envelope, separators=(",", ":"))


def from_json(text: str, expected: type[R]) -> R:
    """The result in `text`, which must be of the class `expected`.

    Raises
    ------
    RecordingError
        If it is no recording, a damaged one, or of another kind.
    """
    result = _read(text, "this text")
    if not isinstance(result, expected):
        raise RecordingError(f"this is a recording of {type(result).__name__}, not of {expected.__name__}")
    return result


def read_json(path: Path) -> Result:
    """The result in a file that `write_json` wrote.

    Raises
    ------
    RecordingError
        If it is no recording, or a damaged one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecordingError(f"{path}: not a recording of jupyter_profkit (not UTF-8 text)") from None
    return _read(text, str(path))


def write_json(result: Result, path: Path) -> None:
    """Write `result` to a file, whole or not at all."""
    path.write_text(to_json(result) + "\n", encoding="utf-8")


def _read(text: str, origin: str) -> Result:
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordingError(f"{origin}: not a recording of jupyter_profkit (not JSON, or cut short)") from None
    if isinstance(envelope, dict) and "speedscope" in str(envelope.get("$schema")):
        raise RecordingError(f"{origin}: stacks for speedscope.app; runs are read back from .json and .prof")
    if not isinstance(envelope, dict) or "jupyter_profkit" not in envelope:
        raise RecordingError(f"{origin}: JSON, but not a recording of jupyter_profkit")
    if envelope["jupyter_profkit"] != _FORMAT:
        raise RecordingError(f"{origin}: written by another version (format {envelope['jupyter_profkit']!r:.20})")
    kind = envelope.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RecordingError(f"{origin}: holds an unknown kind of result, {kind!r:.40}")
    try:
        result: Result = _converter().structure(envelope.get("result"), _KINDS[kind])
    except Exception as error:  # cattrs raises whatever a value's own conversion raises
        raise RecordingError(f"{origin}: a damaged recording ({type(error).__name__}: {error!s:.80})") from None
    return result
