"""Whose code a function is: the reader's own, or a library's, all of whose functions are one row.

library_of(record)          'pandas'; '' for the reader's own code
packages(records)           the libraries, each with its functions and their sums
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_profkit.model.functions import FunctionRecord, Key

__all__ = ["Package", "library_of", "packages"]

_NO_FILE: Final = "code without a file"
_METHOD: Final = re.compile(r"method '.*' of '(.*)' objects")
_BUILT_IN: Final = re.compile(r"(?:built-in (?:method|function) )?([\w.]+)")


def library_of(record: FunctionRecord) -> str:
    """The package or module that a function belongs to; empty for the reader's own code.

    Functions written in C belong to the package that has them: ``numpy`` has
    ``<method 'sum' of 'numpy.ndarray' objects>``, ``builtins`` has ``len``.
    """
    if record.is_user:
        return ""
    if record.filename == "~":
        return _library_of_builtin(record.function)
    place = (record.label or record.filename).replace("\\", "/")
    if place.startswith("<frozen "):
        return place[len("<frozen ") :].rstrip(">").partition(".")[0]
    if place.startswith("<"):
        return _NO_FILE
    first, *rest = place.lstrip("~/").split("/")
    module = first if not place.startswith(("/", "~")) else (rest or [first])[-1]
    return module.removesuffix(".py")


def _library_of_builtin(name: str) -> str:
    words = name.strip("<>")
    method = _METHOD.match(words)
    qualified = method[1] if method is not None else (_BUILT_IN.match(words) or ["", ""])[1]
    module, dot, _ = qualified.partition(".")
    return (module.lstrip("_") if dot else "") or "builtins"


@dataclass(frozen=True)
class Package:
    """The functions of one library, and what they come to."""

    name: str
    records: Sequence[FunctionRecord]
    cumtime: float
    """Seconds in calls from outside of the package, all that they called included."""

    @property
    def ncalls(self) -> int:
        """Calls of all its functions."""
        return sum(record.ncalls for record in self.records)

    @property
    def tottime(self) -> float:
        """Seconds in the functions themselves."""
        return sum(record.tottime for record in self.records)


def packages(records: Iterable[FunctionRecord]) -> list[Package]:
    """The libraries that `records` are of, the one with most time of its own first."""
    groups: dict[str, list[FunctionRecord]] = defaultdict(list)
    library: dict[Key, str] = {}
    for record in records:
        name = library[record.key] = library_of(record)
        if name:
            groups[name].append(record)
    found = [Package(name, group, _from_outside(group, name, library)) for name, group in groups.items()]
    return sorted(found, key=lambda package: (-package.tottime, package.name))


def _from_outside(records: Iterable[FunctionRecord], name: str, library: Mapping[Key, str]) -> float:
    """Cumulative time of the calls that came from outside; the package's calls of itself are in them."""
    seconds = 0.0
    for record in records:
        inside = sum(caller.cumtime for caller in record.callers if library.get(caller.caller, "") == name)
        outside = sum(caller.cumtime for caller in record.callers) - inside
        # Calls from the measured block have no caller; with recursion the shares of the callers overlap.
        seconds += max(outside, record.cumtime - inside)
    return seconds
