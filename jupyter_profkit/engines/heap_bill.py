"""Who owes how much of the heap: memray's records, billed to the lines of the user's own code.

    bill = read_bill(path, scope)
    bill.lines[filename, 3]         HeapFigures(at_peak=64_000_000, kept=0)
    bill.stacks                     who called whom for what was live at the peak

* A stack is billed to its innermost frame that is followed, on the line where that
  frame's statement begins, so that the figures meet those of the line engine.
* What this package allocates while it measures is left out. What no followed frame
  asked for is in the totals, and on no line.
* Objects of 512 bytes and less come from Python's own arenas: the line that needed
  a new arena has its whole 1 MiB.
* Large pieces of address space that are mapped directly, as files are and as some
  libraries reserve for their own allocators, are no heap; resident memory shows them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from jupyter_profkit.engines.heap_mappings import mapped_bytes, mixed_mappings
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.engines.source_files import Shifts, SourceFile
from jupyter_profkit.engines.stacks import fold, package_of
from jupyter_profkit.model.call_tree import CallTree, Frame, merged
from jupyter_profkit.source import label_of

__all__ = ["HeapBill", "HeapFigures", "read_bill"]

_PACKAGE = str(Path(__file__).parent.parent) + os.sep

_NOBODYS = "(code that no line of yours called)"
_LEAST_SHARE = 0.001
"""Of the peak: lighter call paths count on their callers."""

_LONGEST_SOURCE = 80


@dataclass(slots=True)
class HeapFigures:
    """Bytes."""

    at_peak: int = 0
    kept: int = 0
    blocks: int = 0
    """Of what was kept, that which is no arena: an arena stays for a single object in it, whose ever that is."""
    n_blocks: int = 0
    """In so many pieces."""


@dataclass(slots=True)
class HeapBill:
    """Who owes how much of the heap, by file name and first line of the statement."""

    lines: dict[tuple[str, int], HeapFigures] = field(default_factory=dict)
    peak: int = 0
    """Bytes allocated during the run that were live when they were most."""
    kept: int = 0
    """Bytes allocated during the run and held at its end."""
    mapped: int = 0
    """Bytes of the largest piece of address space that was mapped directly, which is no heap."""
    stacks: CallTree = field(default_factory=CallTree)
    """Who called whom for what was live at the peak."""


def read_bill(path: Path, scope: Scope, in_use_rise: int | None = None) -> HeapBill:
    """What the records in memray's file add up to.

    Parameters
    ----------
    path : a file of aggregated allocations.
    scope : whose lines are billed.
    in_use_rise : bytes that the C library has in use more than when the run began; None if it does not say.

    Raises
    ------
    OSError, RuntimeError
        If it cannot be read.
    """
    from memray import AllocatorType, FileReader

    bill, places = HeapBill(), _Places(scope)
    roots: list[Frame] = []
    with FileReader(path) as reader:
        mixed = mixed_mappings(path, reader, in_use_rise)
        for record in reader.get_high_watermark_allocation_records(merge_threads=True):
            size = _heap_of(bill, record, mixed)
            figures = _figures_of(bill, places, record) if size else None
            if figures is not None:
                figures.at_peak += size
                bill.peak += size
                roots.append(places.branch(record.stack_trace(), size))
        for record in reader.get_leaked_allocation_records(merge_threads=True):
            size = _heap_of(bill, record, mixed)
            figures = _figures_of(bill, places, record) if size else None
            if figures is not None:
                figures.kept += size
                if record.allocator != AllocatorType.MMAP:
                    figures.blocks += size
                    figures.n_blocks += record.n_allocations
                bill.kept += size
    bill.stacks = CallTree(merged(roots), unit="bytes").prune(_LEAST_SHARE)
    return bill


def _heap_of(bill: HeapBill, record: Any, mixed: Mapping[int, int]) -> int:
    """Bytes of a record that are heap; what was mapped besides is noted in the bill."""
    mapped = mapped_bytes(record, mixed)
    bill.mapped = max(bill.mapped, mapped)
    return int(record.size - mapped)


def _figures_of(bill: HeapBill, places: _Places, record: Any) -> HeapFigures | None:
    """Where an allocation is added; None if it is ours."""
    for function, filename, lineno in record.stack_trace():
        if filename.startswith(_PACKAGE):
            return None
        place = places.find(function, filename, lineno)
        if place is not None:
            return bill.lines.setdefault(place, HeapFigures())
    return HeapFigures()


class _Places:
    """Which frames are billed, each decided once, and how they are shown."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._files: dict[str, SourceFile] = {}
        self._shifts: dict[str, Shifts] = {}
        self._found: dict[tuple[str, str, int], tuple[str, int] | None] = {}
        self._modules = _module_names() if scope.modules or scope.exclude else {}

    def find(self, function: str, filename: str, lineno: int) -> tuple[str, int] | None:
        """File name and first line of the statement that a frame was in; None if it is not followed."""
        key = (function, filename, lineno)
        if key not in self._found:
            self._found[key] = self._decide(function, filename, lineno)
        return self._found[key]

    def _decide(self, function: str, filename: str, lineno: int) -> tuple[str, int] | None:
        if lineno < 1:  # a frame that is not at its first line yet
            return None
        module = self._modules.get(filename, "__main__")
        if not self._scope.wants_frame(filename, function, function, module):
            return None
        source = self._files.get(filename)
        if source is None:
            source = self._files[filename] = SourceFile(filename)
            self._shifts[filename] = Shifts(source, filename)
        lineno = self._shifts[filename].line(function, lineno)
        if self._scope.exclude and not self._scope.wants_frame(
            filename, function, source.function(lineno).qualname, module
        ):
            return None
        return filename, source.statement(lineno)

    def branch(self, stack: Sequence[tuple[str, str, int]], size: int) -> Frame:
        """The path of an allocation, from the measured block, or else the user's outermost line, inward.

        Parameters
        ----------
        stack : function, file name and line of each frame, innermost first.
        size : bytes.
        """
        path: list[Frame] = []
        frames = stack[::-1]
        begin = next((n for n, (_, filename, _) in enumerate(frames) if filename == self._scope.block), 0)
        for function, filename, lineno in frames[begin:]:
            place = self.find(function, filename, lineno)
            if place is not None:
                path.append(self._own_frame(function, *place))
            elif path:
                package = package_of(filename)
                if package and (path[-1].is_user or path[-1].label != package):
                    path.append(Frame(function, filename, 0, package))
            fold(path)
        *callers, leaf = path or [Frame(_NOBODYS, "", 0)]
        branch = replace(leaf, weight=float(size))
        for frame in reversed(callers):
            branch = replace(frame, children=(branch,))
        return branch

    def _own_frame(self, function: str, filename: str, lineno: int) -> Frame:
        """A line of the user's: a function by its name, other code by its source."""
        source = self._files[filename]
        name = source.function(lineno).qualname.replace("<locals>.", "")
        if name == "<module>":
            name = source.lines[lineno - 1].strip()[:_LONGEST_SOURCE] if lineno <= len(source.lines) else function
        return Frame(name, filename, lineno, label_of(filename), is_user=True)


def _module_names() -> dict[str, str]:
    """Names of modules by the file of their source."""
    modules = [(name, module) for name, module in list(sys.modules.items()) if isinstance(module, ModuleType)]
    files = ((vars(module).get("__file__"), name) for name, module in modules)  # a lazy module is not woken
    return {file: name for file, name in files if isinstance(file, str)}
