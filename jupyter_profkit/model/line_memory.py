"""Memory by line: for each line of a cell or function, what it took and how high it climbed.

    record = LineRecord(3, "x = [0] * n", occurrences=1, increment=80_000_000, kept=80_000_000, ...)
    profile.functions[0].records                   the cell's own lines first
    profile.peak, profile.increment, profile.kept  bytes

Resident memory comes from line events and the operating system, the heap from an
allocation tracker; each half may be missing. Figures that were not measured are
None, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_profkit.model.call_tree import CallTree
from jupyter_profkit.model.repetitions import Repetitions
from jupyter_profkit.model.result import Measuring, Result
from jupyter_profkit.model.session import Location, Method, Session
from jupyter_profkit.model.timeline import MemoryTimeline

if TYPE_CHECKING:
    from jupyter_profkit.model.memory_comparison import LineMemoryComparison

__all__ = ["FunctionLines", "LineMemoryProfile", "LineRecord"]


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One line of source; what was not measured is None, never zero."""

    lineno: int
    source: str
    occurrences: int = 0
    """How often the statement that begins on this line ran; at least, where it was sampled."""
    mem_usage: int | None = None
    """Bytes resident after the line last ran."""
    increment: int | None = None
    """Bytes, net over all its runs, profiled callees included."""
    self_increment: int | None = None
    """Bytes, net over all its runs, profiled callees left out."""
    peak: int | None = None
    """Bytes above the line's start, at most, while it ran."""
    at_peak: int | None = None
    """Bytes of the heap allocated under this line that were live when the heap was largest."""
    kept: int | None = None
    """Bytes of the heap allocated under this line and held when the run ended."""
    sampled: bool = False
    """Whether it ran so often that only its first runs, and some of the others, were looked at."""

    @property
    def seen(self) -> bool:
        """Whether it ran, or has something on the heap."""
        return bool(self.occurrences or self.at_peak or self.kept)


@dataclass(frozen=True, slots=True)
class FunctionLines:
    """The lines of one cell or function."""

    function: str
    """Its qualified name; ``<module>`` for a cell's own lines."""
    filename: str
    label: str
    """How a reader knows the file: ``In [7]``, or a short path."""
    records: tuple[LineRecord, ...]
    n_calls: int = 1

    @property
    def is_cell(self) -> bool:
        return self.function == "<module>"

    @property
    def self_increment(self) -> int:
        """Bytes, net, of the function's own lines."""
        return sum(record.self_increment or 0 for record in self.records)


@dataclass(frozen=True, slots=True)
class LineMemoryProfile(Result):
    """The memory of one run, by line."""

    kind: ClassVar[str] = "line_memory"
    columns: ClassVar[tuple[str, ...]] = (
        "function",
        "filename",
        "lineno",
        "occurrences",
        "mem_usage",
        "increment",
        "self_increment",
        "peak",
        "at_peak",
        "kept",
        "source",
    )

    session: Session
    method: Method
    functions: tuple[FunctionLines, ...]
    """The measured block first, then the functions it reached."""
    rss_start: int
    """Bytes resident when the run began."""
    rss_end: int
    peak_rss: int
    """The highest the process stood, bytes."""
    peak_at: Location | None = None
    """The line that was running then."""
    noise: int = 0
    """Bytes: changes smaller than this were measured on lines that do nothing."""
    exact_peak: bool = True
    timeline: MemoryTimeline | None = None
    heap_peak: int | None = None
    """Bytes allocated during the run that were live when they were most; None if the heap was not measured."""
    heap_kept: int | None = None
    """Bytes allocated during the run and held at its end."""
    mapped: int = 0
    """Bytes of the largest piece of address space that was mapped directly; it is not in the heap's figures."""
    heap_stacks: CallTree | None = None
    """Who called whom for what was live at the heap's peak, in bytes; None if the heap was not measured."""
    free_start: int | None = None
    """Bytes that the C allocator held free, for use again, when the run began; None where it does not say."""
    free_end: int | None = None
    repetitions: Repetitions | None = None
    """What each repetition left behind; None if the code ran once. All other figures are of all of them."""

    @property
    def kept(self) -> int | None:
        """Bytes of the heap allocated during the run and held at its end; None if the heap was not measured."""
        return self.heap_kept

    @property
    def has_heap(self) -> bool:
        return self.heap_peak is not None

    @property
    def has_lines(self) -> bool:
        """Whether resident memory was measured line by line."""
        return not self.has_heap or any(record.increment is not None for _, record in self.lines())

    @property
    def increment(self) -> int:
        """Net change over the run, bytes."""
        return self.rss_end - self.rss_start

    @property
    def peak(self) -> int:
        """How far memory rose above the start, bytes."""
        return self.peak_rss - self.rss_start

    @property
    def residue(self) -> int:
        """Bytes of the change that no line accounts for: other threads, code that was not traced."""
        return self.increment - sum(function.self_increment for function in self.functions)

    @property
    def heap_residue(self) -> tuple[int, int]:
        """Bytes at the heap's peak, and bytes kept, that no line accounts for."""
        lines = list(self.lines())
        at_peak = sum(record.at_peak or 0 for _, record in lines)
        kept = sum(record.kept or 0 for _, record in lines)
        return (self.heap_peak or 0) - at_peak, (self.heap_kept or 0) - kept

    def diff(self, other: LineMemoryProfile | Measuring) -> LineMemoryComparison:
        """What changed from this run to `other`, line by line; lines are matched by their text.

        Raises
        ------
        OptionError
            If `other` is no memory profile.
        """
        from jupyter_profkit.model.memory_comparison import compare_lines

        return compare_lines(self, self.same_kind(other))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every line that ran or has something on the heap, in the order of `columns`."""
        for function, record in self.lines():
            yield (
                function.function,
                function.label,
                record.lineno,
                record.occurrences,
                record.mem_usage,
                record.increment,
                record.self_increment,
                record.peak,
                record.at_peak,
                record.kept,
                record.source,
            )

    def lines(self) -> Iterator[tuple[FunctionLines, LineRecord]]:
        """Every line that ran or has something on the heap, with the function it belongs to."""
        for function in self.functions:
            for record in function.records:
                if record.seen:
                    yield function, record
