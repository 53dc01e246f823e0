"""What ``--compare`` names: a result in a variable, or in a file; found and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_profkit.errors import OptionError, RecordingError, TargetError
from jupyter_profkit.model.result import Result, result_of

__all__ = ["find_earlier"]


_KINDS: Final = {
    "line_memory": "memory by line",
    "line_memory_comparison": "a comparison of two runs",
    "functions_comparison": "a comparison of two runs",
    "functions": "a time profile",
    "timeline": "memory over time",
}
"""What results are called."""

_SOURCES: Final = {
    "line_memory": "an earlier %%memprofile: the name after its -v, or a file that its -D run.json wrote",
    "functions": "an earlier %%cprofile: the name after its -v, or a file, .prof or what its -D run.json wrote",
}
"""Where what can be compared comes from."""


def find_earlier(item: object, namespace: Mapping[str, Any], kind: str) -> Result | None:
    """The earlier run that `item` stands for; None if nothing is to be compared.

    Parameters
    ----------
    item : a variable's name, a file's, a result, or the object of a ``with`` block, which stands for its result.
    namespace : where variables are looked up.
    kind : the kind of result it must be.

    Raises
    ------
    OptionError
        If there is no such variable or file, or it is damaged or holds anything else; with what may be given.
    """
    if item is None:
        return None
    name = item if isinstance(item, str) else type(item).__name__
    try:
        found = result_of(_named(item, namespace) if isinstance(item, str) else item)
    except RecordingError as error:
        raise _refusal(str(error), kind) from None
    except TargetError as error:
        raise _refusal(f"{name}: {error}", kind) from None
    if not isinstance(found, Result) or found.kind != kind:
        raise _refusal(f"{name}: that is {_described(found)}", kind)
    return found


def _refusal(what: str, kind: str) -> OptionError:
    return OptionError(f"--compare {what}; it takes {_SOURCES.get(kind, _KINDS.get(kind, kind))}")


def _described(found: object) -> str:
    return _KINDS.get(found.kind, found.kind) if isinstance(found, Result) else f"of the type {type(found).__name__}"


def _named(name: str, namespace: Mapping[str, Any]) -> object:
    from pathlib import Path

    from jupyter_profkit.export import load

    if name in namespace:
        return namespace[name]
    if name.isidentifier() and not Path(name).exists():
        raise RecordingError(f"{name}: there is no variable and no file of that name")
    return load(name)
