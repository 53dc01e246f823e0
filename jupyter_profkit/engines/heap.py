"""The heap by line: what memray saw allocated, billed to the lines of the user's own code.

    engine = HeapEngine(Scope(block=filename))
    engine.prepare()                imports memray, before anything is measured
    engine.start()
    ...
    engine.stop()
    engine.bill.lines[filename, 3]  HeapFigures(at_peak=64_000_000, kept=0)

* memray follows malloc, mmap and their kin, those of C libraries too, on every
  thread. It keeps sums by stack and writes them to a file when it stops.
* A stack is billed to its innermost frame that is followed, on the line where that
  frame's statement begins, so that the figures meet those of the line engine.
* What this package allocates while it measures is left out. What no followed frame
  asked for is in the totals, and on no line.
* Objects of 512 bytes and less come from Python's own arenas: the line that needed
  a new arena has its whole 1 MiB.
* Large pieces of address space that are mapped directly, as files are and as some
  libraries reserve for their own allocators, are no heap; resident memory shows them.
* A process has one `memray.Tracker`; where there is one already, or where memray is
  known to be dangerous, an error says so before anything has begun.
"""

from __future__ import annotations

import ast
import ctypes
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.engines.stacks import fold, package_of
from jupyter_profkit.engines.tool_slots import profile_holder
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError
from jupyter_profkit.model.call_tree import CallTree, Frame, merged
from jupyter_profkit.model.line_memory import FunctionLines, LineRecord
from jupyter_profkit.source import Statements, label_of, parse_lines, source_lines

__all__ = ["HeapBill", "HeapEngine", "HeapFigures", "bytes_free_to_reuse", "with_heap"]

_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_SNAPSHOT_INTERVAL = 60_000
"""Milliseconds; snapshots are not needed, the peak is exact without them."""

_ARENA = 1024 * 1024
"""Bytes that Python maps at once for small objects, at most."""

_USES_MEMRAY = re.compile(r"^\s*(?:import|from)\s+memray\b|\bmemray\.Tracker\b|^%%memray_")

_NOBODYS = "(code that no line of yours called)"
_LEAST_SHARE = 0.001
"""Of the peak: lighter call paths count on their callers."""

_LONGEST_SOURCE = 80
_WORTH_A_TABLE = 64 * 1024
"""Bytes: a function that only the heap engine knows of is added from here on; less is on no line."""


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


class HeapEngine:
    """One measurement of the heap.

    Parameters
    ----------
    scope : whose lines are billed.
    insist : measure even where memray is known to be dangerous.
    """

    description = "heap from memray (exact; objects up to 512 bytes count as arenas of 1 MiB)"

    def __init__(self, scope: Scope, *, insist: bool = False) -> None:
        self._scope = scope
        self._insist = insist
        self._tracker: Any = None
        self._folder: Path | None = None
        self._pid = os.getpid()
        self._running = False
        self.bill = HeapBill()
        self.failure = ""
        """Why there are no figures, if there are none."""
        self.free_start: int | None = None
        self.free_end: int | None = None

    @property
    def block(self) -> str | None:
        """File name of the measured block."""
        return self._scope.block

    def prepare(self) -> None:
        """Do what takes time and memory: import memray, and open its file.

        Raises
        ------
        MissingDependencyError
            If memray is not installed, or not to be trusted here.
        EngineBusyError
            If another profiler holds the hook that memray needs.
        """
        memray = _import_memray()
        if not self._insist:
            _refuse_danger(memray.__version__)
        holder = profile_holder() if sys.getprofile() is not None else None
        if holder is not None:
            raise EngineBusyError(f"sys.setprofile is held by {holder}")
        if self._scope.block is not None and any(map(_USES_MEMRAY.search, source_lines(self._scope.block))):
            raise EngineBusyError("the code uses memray itself, and a process can have only one tracker")
        self._folder = Path(tempfile.mkdtemp(prefix="jupyter_profkit_heap_"))
        destination = memray.FileDestination(self._file, compress_on_exit=False)
        self._tracker = memray.Tracker(
            destination=destination,
            file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS,
            memory_interval_ms=_SNAPSHOT_INTERVAL,
        )

    def start(self) -> None:
        """Follow allocations from now on.

        Raises
        ------
        EngineBusyError
            If a tracker is active already.
        """
        self.free_start = bytes_free_to_reuse()
        failure = _enter_on_a_thread(self._tracker)
        if failure is not None:
            self.discard()
            raise EngineBusyError(f"a memray Tracker could not start: {failure}")
        self._running = True

    def stop(self) -> None:
        """Stop, and read what was recorded; a second call does nothing."""
        if not self._running:
            return
        self._running = False
        hook, thread_hook = sys.getprofile(), threading.getprofile()
        self._tracker.__exit__(None, None, None)
        _put_back(hook, thread_hook)
        self._tracker = None
        try:
            if os.getpid() == self._pid:
                self.free_end = bytes_free_to_reuse()
                self.bill = _read_bill(self._file, self._scope)
        except (OSError, RuntimeError) as error:  # the disk may be full; the other half of the figures is good
            self.failure = f"memray's record could not be read ({error})"
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was prepared; in a forked child the files are its parent's, and stay."""
        self._tracker = None
        if self._folder is not None and os.getpid() == self._pid:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    @property
    def _file(self) -> Path:
        return (self._folder or Path()) / "heap.bin"


def _import_memray() -> Any:
    try:
        import memray
    except ImportError as error:
        where = " (it does not run on Windows)" if sys.platform == "win32" else f" ({error})"
        raise MissingDependencyError(f"memray is not to be had here{where}") from None
    return memray


def _refuse_danger(version: str) -> None:
    """Do not risk the kernel where memray is known to end it.

    Raises
    ------
    MissingDependencyError
        With what to do about it.
    """
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    # https://github.com/bloomberg/memray/issues/999, mended after 1.20.0
    if sys.version_info[:2] == (3, 12) and numbers <= (1, 20, 0):
        raise MissingDependencyError(
            f"memray {version} can crash Python 3.12 as it stops; a later one does not, and --heap takes the risk"
        )
    # It warns on the user's screen, and ends the process if it cannot follow a switch.
    if "greenlet" in sys.modules:
        raise MissingDependencyError("memray follows greenlets, which are imported here, only as an experiment; "
                                     "--heap takes the risk")  # fmt: skip


def _enter_on_a_thread(tracker: Any) -> Exception | None:
    """Start a tracker; returns what kept it from starting.

    memray hides as many outer frames of the thread that starts it as there are
    then. A cell's frames are fewer than those of its prologue, so they would be
    hidden too; a thread of its own has nothing to hide. All threads are tracked.
    """
    failures: list[Exception] = []

    def enter() -> None:
        try:
            tracker.__enter__()
        except Exception as failure:  # told to the thread that waits
            failures.append(failure)

    thread = threading.Thread(target=enter, name="jupyter_profkit heap", daemon=True)
    thread.start()
    thread.join()
    return failures[0] if failures else None


def _put_back(hook: Any, thread_hook: Any) -> None:
    """Restore profile functions that the measured code set: memray puts back those from before its start."""
    if callable(hook):
        sys.setprofile(hook)
    elif hook is not None and hasattr(hook, "enable"):  # cProfile, which on 3.11 has no other place
        hook.enable()
    if getattr(thread_hook, "__name__", "") != "start_thread_trace":
        threading.setprofile(thread_hook)


def _read_bill(path: Path, scope: Scope) -> HeapBill:
    from memray import AllocatorType, FileReader

    bill, places = HeapBill(), _Places(scope)
    roots: list[Frame] = []
    with FileReader(path) as reader:
        for record in reader.get_high_watermark_allocation_records(merge_threads=True):
            figures = _figures_of(bill, places, record)
            if figures is not None:
                figures.at_peak += record.size
                bill.peak += record.size
                roots.append(places.branch(record.stack_trace(), record.size))
        for record in reader.get_leaked_allocation_records(merge_threads=True):
            figures = _figures_of(bill, places, record)
            if figures is not None:
                figures.kept += record.size
                if record.allocator != AllocatorType.MMAP:
                    figures.blocks += record.size
                    figures.n_blocks += record.n_allocations
                bill.kept += record.size
    bill.stacks = CallTree(merged(roots), unit="bytes").prune(_LEAST_SHARE)
    return bill


def _figures_of(bill: HeapBill, places: _Places, record: Any) -> HeapFigures | None:
    """Where an allocation is added; None if it is ours, or no heap."""
    place = None
    for function, filename, lineno in record.stack_trace():
        if filename.startswith(_PACKAGE):
            return None
        place = places.find(function, filename, lineno)
        if place is not None:
            break
    if _is_mapping(record):
        bill.mapped = max(bill.mapped, record.size)
        return None
    return HeapFigures() if place is None else bill.lines.setdefault(place, HeapFigures())


def _is_mapping(record: Any) -> bool:
    """Whether address space was mapped at large: by a library that reserves for later, or for a file.

    Python's arenas are mapped too, and are heap. pyarrow reserves 1 GiB at once.
    """
    from memray import AllocatorType

    return bool(record.allocator == AllocatorType.MMAP and record.size > _ARENA * max(record.n_allocations, 1))


@dataclass(frozen=True)
class _Function:
    """The lines from a function's first decorator to its end."""

    qualname: str
    first: int
    last: int


_NO_FUNCTION = _Function("<module>", 1, 0)


class _SourceFile:
    """The statements of a file or cell, and the functions that they are part of."""

    def __init__(self, filename: str) -> None:
        self.lines = source_lines(filename)
        self._statements = Statements.of(self.lines)
        tree = parse_lines(self.lines)
        self._functions = list(_functions(tree, "")) if tree is not None else []

    def statement(self, lineno: int) -> int:
        return self._statements.start(lineno)

    def function(self, lineno: int) -> _Function:
        """The innermost function whose body holds the line."""
        inside = [function for header, function in self._functions if header < lineno <= function.last]
        return inside[-1] if inside else _NO_FUNCTION

    def block(self, function: _Function) -> range:
        if function is _NO_FUNCTION:
            return range(1, len(self.lines) + 1)
        return range(function.first, function.last + 1)


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[int, _Function]]:
    """The last line of each function's header, and the function; outer ones first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            header = min(node.lineno, node.body[0].lineno - 1)
            yield header, _Function(prefix + node.name, first, node.end_lineno or node.lineno)
            yield from _functions(node, f"{prefix}{node.name}.<locals>.")
        else:
            inner = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
            yield from _functions(node, inner)


class _Places:
    """Which frames are billed, each decided once, and how they are shown."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._files: dict[str, _SourceFile] = {}
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
            source = self._files[filename] = _SourceFile(filename)
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


def with_heap(
    functions: Iterable[FunctionLines], bill: HeapBill, block: str | None = None, *, add: bool = False
) -> tuple[FunctionLines, ...]:
    """`functions` with the heap's figures on their lines.

    Parameters
    ----------
    functions : what the line engine found, if it ran.
    bill : what the heap engine found.
    block : file name of the measured block, which comes first.
    add : whether functions that only the heap engine knows of are added. Beside
        the line engine these ran before the measurement did: the callers of a
        measured function, other threads.
    """
    files: dict[str, _SourceFile] = {}
    figures: dict[int, dict[int, HeapFigures]] = {}
    found = list(functions)
    for (filename, lineno), owed in bill.lines.items():
        if filename not in files:
            files[filename] = _SourceFile(filename)
        source = files[filename]
        function = source.function(lineno)
        index = _index_of(found, filename, function.qualname, lineno)
        if index is None:
            if not add or max(owed.at_peak, owed.kept) < _WORTH_A_TABLE:
                continue
            index = len(found)
            found.append(_without_figures(source, filename, function, lineno))
        figures.setdefault(index, {})[lineno] = owed
    filled = [
        replace(lines, records=_filled(lines.records, figures.get(index, {}))) for index, lines in enumerate(found)
    ]
    return tuple(sorted(filled, key=lambda lines: not (lines.is_cell and lines.filename == block)))


def _index_of(functions: list[FunctionLines], filename: str, qualname: str, lineno: int) -> int | None:
    for index, lines in enumerate(functions):
        if (lines.filename, lines.function) == (filename, qualname) and any(r.lineno == lineno for r in lines.records):
            return index
    return None


def _without_figures(source: _SourceFile, filename: str, function: _Function, lineno: int) -> FunctionLines:
    text = source.lines
    records = tuple(
        LineRecord(number, text[number - 1] if number <= len(text) else "")
        for number in sorted({*source.block(function), lineno})
    )
    return FunctionLines(function.qualname, filename, label_of(filename), records, n_calls=0)


def _filled(records: tuple[LineRecord, ...], figures: dict[int, HeapFigures]) -> tuple[LineRecord, ...]:
    """The records with their figures; a line that ran and owes nothing has zeros."""
    nothing = HeapFigures()
    return tuple(
        replace(record, at_peak=owed.at_peak, kept=owed.kept)
        if (owed := figures.get(record.lineno, nothing if record.occurrences else None)) is not None
        else record
        for record in records
    )


class _MallocInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``, https://man7.org/linux/man-pages/man3/mallinfo.3.html."""

    _fields_ = (
        ("before", ctypes.c_size_t * 8),  # arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def bytes_free_to_reuse() -> int | None:
    """Bytes that the C allocator holds free; the next allocations may come from there. None if it does not say."""
    if sys.platform != "linux":
        return None
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)  # glibc 2.33 and later
    if mallinfo is None:
        return None
    mallinfo.restype = _MallocInfo
    return int(mallinfo().fordblks)
