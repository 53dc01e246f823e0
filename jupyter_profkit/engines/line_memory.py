"""Memory by line, measured: line events of the interpreter, and resident memory at each.

    engine = LineMemoryEngine(Scope(block=filename))
    engine.start()
    ...
    engine.stop()
    engine.functions()      FunctionLines, the measured block first

Tracing is `line_tracers`, arithmetic is `line_ledger`, reading memory is `resident_memory`.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import time
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Final
from weakref import WeakSet

from jupyter_profkit.engines.laps import Laps, LineKey
from jupyter_profkit.engines.line_ledger import Call, CodeLines, LineLedger, LineStats
from jupyter_profkit.engines.line_tracers import FollowedCode, line_tracer
from jupyter_profkit.engines.relief import Lend
from jupyter_profkit.engines.resident_memory import MemoryMeter, resident_memory_meter
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.model.line_memory import FunctionLines, LineRecord
from jupyter_profkit.model.session import Location
from jupyter_profkit.source import as_typed, label_of, source_lines

__all__ = ["HOT_LINE_BUDGET", "LineMemoryEngine"]

_CALIBRATION_LOOKS = 100
_PARTS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
"""Code that belongs to the function around it."""

_STARTS_TRACEMALLOC: Final = re.compile(r"\btracemalloc\.start\(").search
"""It may have been stopped again when the run is over."""

HOT_LINE_BUDGET: Final = 100_000 if sys.version_info >= (3, 12) else 50_000
"""Runs of a statement that are all looked at, where cost matters more than the last one; tracing in 3.11 costs more."""


class LineMemoryEngine:
    """One measurement of memory by line.

    Parameters
    ----------
    scope : the code to follow.
    meter : where resident memory is read; this system's best by default.
    budget : runs of a statement that are all looked at; after that only some are. None for no end.
    lend : makes room for measuring where the process may have no more memory.
    repeats : whether `lap` will be called.
    """

    def __init__(
        self,
        scope: Scope,
        meter: MemoryMeter | None = None,
        budget: int | None = None,
        lend: Lend | None = None,
        *,
        repeats: bool = False,
    ) -> None:
        self._scope = scope
        self._meter = meter or resident_memory_meter()
        self.ledger = LineLedger(self._meter, budget)
        self.ledger.tries_again = lend is not None
        self._followed = FollowedCode(scope, self.ledger.without_credit)
        self._tracer = line_tracer(self.ledger, self._followed, lend)
        self._running = False
        self._repeats = repeats
        self._counts_tracemalloc = False
        self.laps = Laps()
        self.noise = 0
        self.seconds_per_event = 0.0
        self.beginning = 0.0, 0
        """When lines began to be followed (`time.monotonic`), and the bytes resident then."""

    @property
    def exact_peak(self) -> bool:
        """Whether peaks between two looks are seen."""
        return self._meter.exact_peak

    @property
    def description(self) -> str:
        """How it measures, for the report."""
        return f"{self._tracer.description}; {self._meter.description}"

    def notes(self) -> Iterator[str]:
        """What a reader must know to trust the figures."""
        failure = self.ledger.failure
        if failure:
            yield f"measuring ended early, by a fault of the tool ({failure}); later lines are missing"
        if self._tracer.was_replaced:
            yield (
                "the code set or removed a trace function (sys.settrace, a debugger), which ends line tracing on "
                "this Python: later lines are missing, and what they took is on the last line that was seen"
            )
        if self._counts_tracemalloc or _tracemalloc_is_on() or any(map(_STARTS_TRACEMALLOC, self._lines_that_ran())):
            yield "tracemalloc was on: the memory of its own records counts on the lines that it recorded"

    def _lines_that_ran(self) -> Iterator[str]:
        """The source of each followed line that ran, in no particular order."""
        for lines in self._followed.all():
            text = source_lines(lines.code.co_filename)
            yield from (text[lineno - 1] for lineno in lines.stats if lineno <= len(text))

    @property
    def n_events(self) -> int:
        """Events of the interpreter that were heard: lines, calls, returns."""
        n_lines = sum(stats.occurrences for lines in self._followed.all() for stats in lines.stats.values())
        return self.ledger.n_looks - self.ledger.n_switches + n_lines

    def start(self, frame: FrameType | None = None) -> None:
        """Follow lines from now on.

        Parameters
        ----------
        frame : a frame that runs already and is followed from its current line.

        Raises
        ------
        EngineBusyError
            If the interpreter's tracing is somebody else's.
        """
        if self._repeats:
            self.laps.start()
        self._counts_tracemalloc = _tracemalloc_is_on()
        self._meter.open()
        try:
            self._calibrate()
            self.ledger.open()
            self.beginning = time.monotonic(), self.ledger.rss_start
            self._running = True
            _running.add(self)
            self._tracer.start(frame)
            self.laps.begin()
        except BaseException:
            self._running = False
            _running.discard(self)
            self._meter.close()
            raise

    def lap(self) -> None:
        """A repetition is over, and the next begins: garbage is collected, and the account noted."""
        self.laps.end()
        self.ledger.between()
        self.laps.collect()
        self.ledger.without_credit(self._note_lap)
        self.laps.begin()

    def _note_lap(self) -> None:
        self.laps.add(self.ledger.change, self._self_increments())

    def _self_increments(self) -> dict[LineKey, int]:
        sums: dict[LineKey, int] = {}
        for lines in self._followed.all():
            for statement, stats in list(lines.stats.items()):  # other threads may add some
                key = (lines.code.co_filename, _function_name(lines.code), statement)
                sums[key] = sums.get(key, 0) + stats.self_increment
        return sums

    def stop(self) -> None:
        """Stop following; a second call does nothing."""
        if not self._running:
            return
        self._running = False
        _running.discard(self)
        self.laps.end()
        self._tracer.stop()
        if self.laps.records:
            self.laps.collect()
        self.ledger.close()
        self._meter.close()
        if self.laps.records:
            self._note_lap()

    def abandon(self) -> None:
        """Stop in a forked child: the account, and perhaps its lock, are the parent's."""
        self._running = False
        self._tracer.stop()
        self._meter.close()

    def _calibrate(self) -> None:
        """What a look costs, and how much memory seems to change while nothing runs."""
        start = time.perf_counter()
        looks = [self._meter.read()[0] for _ in range(_CALIBRATION_LOOKS)]
        self.seconds_per_event = (time.perf_counter() - start) / _CALIBRATION_LOOKS
        self.noise = max(looks) - min(looks)

    def calls(self) -> Iterator[Call]:
        """Each time that a function of the followed code ran; of very many the longest."""
        for call in self.ledger.calls.found:
            if call.code.co_flags & inspect.CO_OPTIMIZED and call.code.co_name not in _PARTS:
                yield call

    def peak_at(self) -> Location | None:
        """The line that was running when memory was highest."""
        if self.ledger.peak_at is None:
            return None
        lines, stats = self.ledger.peak_at
        filename = lines.code.co_filename
        return Location(filename, stats.statement, _function_name(lines.code), label_of(filename))

    def functions(self) -> tuple[FunctionLines, ...]:
        """The figures of every line, the measured block first, then in order of first call."""
        groups: dict[tuple[str, str, int], list[CodeLines]] = {}
        for lines in self._followed.all():
            if lines.stats:
                groups.setdefault(_group_key(lines.code), []).append(lines)
        blocks = [_function_lines(key, members) for key, members in groups.items()]
        return tuple(sorted(blocks, key=lambda block: not (block.is_cell and block.filename == self._scope.block)))


_running: WeakSet[LineMemoryEngine] = WeakSet()


def _abandon_all() -> None:
    for engine in list(_running):
        engine.abandon()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


def _tracemalloc_is_on() -> bool:
    tracemalloc = sys.modules.get("tracemalloc")
    return tracemalloc is not None and bool(tracemalloc.is_tracing())


def _is_module_level(code: CodeType) -> bool:
    """Whether `code` is a module's, a cell's or a class' body: its lines belong to the file's own."""
    return not code.co_flags & inspect.CO_OPTIMIZED


def _is_class_statement(code: CodeType, lineno: int) -> bool:
    return _is_module_level(code) and code.co_name != "<module>" and lineno == code.co_firstlineno


def _function_name(code: CodeType) -> str:
    return "<module>" if _is_module_level(code) else code.co_qualname


def _group_key(code: CodeType) -> tuple[str, str, int]:
    """Code objects with the same key are shown as one: a cell's statements are compiled one by one."""
    if _is_module_level(code):
        return (code.co_filename, "<module>", 0)
    return (code.co_filename, code.co_qualname, code.co_firstlineno)


def _function_lines(key: tuple[str, str, int], members: list[CodeLines]) -> FunctionLines:
    filename, function, first = key
    stats: dict[int, LineStats] = {}
    for lines in members:
        for lineno, figures in lines.stats.items():
            if _is_class_statement(lines.code, lineno):
                figures.occurrences = 0  # counted where the statement itself ran
            figures.is_sampled = figures.is_sampled or lines.is_hot
            stats[lineno] = _merged(stats[lineno], figures) if lineno in stats else figures
    text = source_lines(filename)
    linenos = range(1, len(text) + 1) if function == "<module>" else _block_of(text, first, stats)
    records = tuple(
        _record(lineno, as_typed(text[lineno - 1]) if lineno <= len(text) else "", stats.get(lineno))
        for lineno in sorted({*linenos, *stats})
    )
    return FunctionLines(function, filename, label_of(filename), records, sum(lines.n_calls for lines in members))


def _block_of(text: list[str], first: int, stats: dict[int, LineStats]) -> range:
    """The line numbers of the function whose code begins at `first`."""
    try:
        n_lines = len(inspect.getblock([line + "\n" for line in text[first - 1 :]])) if text else 0
    except (SyntaxError, IndentationError):
        n_lines = 0
    return range(first, max([first + n_lines - 1, *stats]) + 1)


def _merged(one: LineStats, other: LineStats) -> LineStats:
    both = LineStats(one.statement)
    both.occurrences = one.occurrences + other.occurrences
    both.mem_usage = other.mem_usage
    both.increment = one.increment + other.increment
    both.self_increment = one.self_increment + other.self_increment
    both.peak = max(one.peak, other.peak)
    both.is_sampled = one.is_sampled or other.is_sampled
    return both


def _record(lineno: int, source: str, stats: LineStats | None) -> LineRecord:
    if stats is None:
        return LineRecord(lineno, source)
    return LineRecord(
        lineno,
        source,
        occurrences=stats.occurrences,
        mem_usage=stats.mem_usage,
        increment=stats.increment,
        self_increment=stats.self_increment,
        peak=stats.peak,
        sampled=stats.is_sampled,
    )
