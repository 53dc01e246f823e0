"""The measurement behind ``%%memprofile``: resident memory and the heap by line, and memory over time beside it.

    measurement = LineMemoryMeasurement(MEMPROFILE.from_keywords({"no_heap": True}), filename)

Each half, lines and heap, may be left out by an option. Where the heap cannot be
had, the lines stand alone and a note says why.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

from jupyter_profkit.cells.memory_limit import limit_of, with_limit
from jupyter_profkit.cells.timeline import record_alongside
from jupyter_profkit.engines.data_limit import data_limit_works, lend
from jupyter_profkit.engines.family_memory import FamilyMeter
from jupyter_profkit.engines.heap import HeapEngine
from jupyter_profkit.engines.heap_lines import with_heap
from jupyter_profkit.engines.laps import Laps
from jupyter_profkit.engines.line_memory import HOT_LINE_BUDGET, LineMemoryEngine
from jupyter_profkit.engines.memory_limit import limits_hold
from jupyter_profkit.engines.resident_memory import MemoryMeter, resident_memory_meter
from jupyter_profkit.engines.scope import Scope, code_of
from jupyter_profkit.engines.source_files import SourceFile
from jupyter_profkit.engines.timeline import TimelineEngine
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError, OptionError
from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.repetitions import GrowingLine, Repetitions
from jupyter_profkit.model.session import Location, Method, Session
from jupyter_profkit.options import Values
from jupyter_profkit.source import label_of, source_line, source_lines

__all__ = ["LineMemoryMeasurement"]


class LineMemoryMeasurement:
    """One run of a line engine.

    Parameters
    ----------
    values : the options of ``%%memprofile``.
    filename : the file name of the measured cell, statement or block.
    namespace : where names given to ``-f`` are looked up.
    frame : a running frame whose remaining lines are measured (the body of a ``with``).

    Raises
    ------
    OptionError
        If ``-f`` names something that does not exist or has no code, or the options leave nothing to measure.
    """

    def __init__(
        self,
        values: Values,
        filename: str | None,
        *,
        namespace: Mapping[str, Any] | None = None,
        frame: FrameType | None = None,
        timeline: bool = True,
    ) -> None:
        functions = [_code_of(item, namespace or {}) for item in values.functions]
        if values.no_heap and values.no_lines:
            raise OptionError("--no-heap and --no-lines together leave nothing to measure; use one of them")
        scope = Scope(filename, functions, values.modules, values.exclude)
        self._limit = limit_of(values.limit)
        lends = lend if self._limit is not None or limits_hold() else None
        self._repeat = values.repeat
        own = resident_memory_meter()
        meter: MemoryMeter = FamilyMeter(own) if values.children else own
        self._lines = (
            _Resident(meter, repeats=values.repeat > 1)
            if values.no_lines
            else _Lines(
                LineMemoryEngine(
                    scope,
                    meter,
                    budget=None if values.exact else HOT_LINE_BUDGET,
                    lend=lends,
                    repeats=values.repeat > 1,
                ),
                scope,
                frame,
            )
        )
        self._heap = None if values.no_heap else HeapEngine(scope, insist=values.heap)
        self._heap_is_all = values.no_lines
        self._no_heap_because = ""
        if not values.heap:
            self._spare_the_process(limited=self._limit is not None)
        title = label_of(filename) if filename else ""
        self._timeline = record_alongside(values.interval, title, children=values.children) if timeline else None

    def _spare_the_process(self, *, limited: bool) -> None:
        """No heap where memory may be refused: memray then ends the process, in the middle of a small allocation.

        Raises
        ------
        OptionError
            If that leaves nothing to measure.
        """
        if self._heap is None or not data_limit_works() or not (limited or limits_hold()):
            return
        if self._heap_is_all:
            raise OptionError("--no-lines measures the heap alone, which cannot be done under a limit: "
                              "memray ends the process when memory runs out; --heap takes the risk")  # fmt: skip
        self._heap = None
        self._no_heap_because = "memray would end the process when the limit is reached; --heap takes the risk"

    def start(self) -> None:
        self._start_heap(HeapEngine.prepare)
        try:
            if self._timeline is not None:
                self._timeline.start()
            self._start_heap(HeapEngine.start)
            if self._limit is not None:
                self._limit.start()
            self._lines.start()
            if self._timeline is not None:
                self._timeline.begin(*self._lines.beginning)
        except BaseException:
            self.stop()
            raise

    def _start_heap(self, step: Callable[[HeapEngine], None]) -> None:
        """Prepare or start the heap engine; without it the lines stand alone, if there are to be lines."""
        if self._heap is None:
            return
        try:
            step(self._heap)
        except (MissingDependencyError, EngineBusyError) as error:
            if self._heap_is_all:
                raise
            self._heap, self._no_heap_because = None, str(error)

    def lap(self) -> None:
        self._lines.lap()

    def stop(self) -> None:
        if self._limit is not None:
            self._limit.lift()
        self._lines.stop()
        if self._timeline is not None:
            self._timeline.end()
        if self._heap is not None:
            self._heap.stop()
            self._heap.discard()
        if self._timeline is not None:
            self._timeline.stop()
        if self._limit is not None:
            self._limit.stop()

    def result(self, session: Session) -> LineMemoryProfile:
        profile = self._lines.profile(session)
        if self._lines.laps.records:
            profile = replace(profile, session=replace(session, duration=self._lines.laps.duration))
        if self._timeline is not None:
            self._lines.mark_calls(self._timeline)
            timeline = self._timeline.timeline(session, peak_rss=profile.peak_rss, peak_at=profile.peak_at)
            profile = replace(profile, timeline=timeline)
        if self._limit is not None:
            profile = replace(profile, method=with_limit(profile.method, self._limit, session))
        if self._repeat > 1:
            profile = replace(profile, repetitions=self._repetitions(is_over=not session.partial))
        if self._heap is not None and _asked_for_the_tracker(session):
            note = "a process has one memray.Tracker, and the heap columns have it here; --no-heap leaves it to you"
            profile = replace(profile, method=replace(profile.method, notes=(*profile.method.notes, note)))
        because = self._no_heap_because or (self._heap.failure if self._heap is not None else "")
        if because:
            note = f"the heap columns are left out: {because} (--no-heap hides this note)"
            return replace(profile, method=replace(profile.method, notes=(*profile.method.notes, note)))
        return profile if self._heap is None else _with_heap(profile, self._heap, add=self._heap_is_all)

    def _repetitions(self, *, is_over: bool) -> Repetitions:
        """What the repetitions left behind, and on which lines: those that hold it, or whose resident memory grew."""
        laps = self._lines.laps
        done = tuple(laps.records if is_over else laps.records[:-1])
        found = Repetitions(self._repeat, done)
        if not found.leaks:
            return found
        least = found.growth * len(found.after_first) / 10
        grew = laps.growing()
        bill = self._heap.bill.lines if self._heap is not None else {}
        held = {place: figures.blocks for place, figures in bill.items() if figures.n_blocks >= len(found.after_first)}
        lines = [_growing_line(*place, n_bytes) for place, n_bytes in (held or grew).items() if n_bytes >= least]
        return replace(found, growing=tuple(sorted(lines, key=lambda line: -line.n_bytes)))


def _asked_for_the_tracker(session: Session) -> bool:
    """Whether the run ended where it made a tracker of memray itself, out of sight of the source of its block."""
    at = session.error_at
    text = source_lines(at.filename) if at is not None and session.outcome == "RuntimeError" else []
    return at is not None and at.lineno <= len(text) and "Tracker" in text[at.lineno - 1]


def _growing_line(filename: str, lineno: int, n_bytes: int) -> GrowingLine:
    return GrowingLine(Location(filename, lineno, "", label_of(filename)), n_bytes, source_line(filename, lineno))


class _Lines:
    """Resident memory by line."""

    def __init__(self, engine: LineMemoryEngine, scope: Scope, frame: FrameType | None) -> None:
        self._engine = engine
        self._block = scope.block
        self._frame = frame

    def start(self) -> None:
        if self._block is not None:
            # The tracer parses the source in the run; it then finds the memory for that free.
            SourceFile(self._block)
        self._engine.start(self._frame)

    @property
    def beginning(self) -> tuple[float, int]:
        return self._engine.beginning

    @property
    def laps(self) -> Laps:
        return self._engine.laps

    def lap(self) -> None:
        self._engine.lap()

    def stop(self) -> None:
        self._engine.stop()

    def mark_calls(self, timeline: TimelineEngine) -> None:
        """Let the recording know when which function ran."""
        calls = sorted(self._engine.calls(), key=lambda call: (call.start, call.depth))
        open_until: list[float] = []
        for call in calls:
            open_until = [end for end in open_until if end > call.start]
            name = call.code.co_qualname.replace("<locals>.", "")
            timeline.mark(
                name, call.start, call.end, rss_start=call.rss_start, rss_end=call.rss_end, level=len(open_until)
            )
            open_until.append(call.end)
        longest = self._engine.ledger.calls
        if len(longest.found) < longest.n_calls:
            timeline.note(f"of {longest.n_calls:,} calls the {len(longest.found):,} longest are marked")

    def profile(self, session: Session) -> LineMemoryProfile:
        engine, ledger = self._engine, self._engine.ledger
        return LineMemoryProfile(
            session=session,
            method=_method(engine),
            functions=engine.functions(),
            rss_start=ledger.rss_start,
            rss_end=ledger.rss_end,
            peak_rss=ledger.peak_rss,
            peak_at=engine.peak_at(),
            noise=engine.noise,
            exact_peak=engine.exact_peak,
        )


class _Resident:
    """Resident memory of the whole run, where lines are not followed."""

    def __init__(self, meter: MemoryMeter, *, repeats: bool = False) -> None:
        self._meter = meter
        self._running = False
        self._start = self._end = self._peak = 0
        self.beginning = 0.0, 0
        self._repeats = repeats
        self.laps = Laps()

    def start(self) -> None:
        if self._repeats:
            self.laps.start()
        self._meter.open()
        self._running = True
        self._start, _ = self._meter.read()
        self.beginning = time.monotonic(), self._start
        self.laps.begin()

    def lap(self) -> None:
        self.laps.end()
        self.laps.collect()
        self._look()
        self.laps.add(self._end - self._start)
        self.laps.begin()

    def _look(self) -> None:
        self._end, high = self._meter.read()
        self._peak = max(self._peak, high)

    def stop(self) -> None:
        if self._running:
            self._running = False
            if self.laps.records:
                self.lap()
            self._look()
            self._meter.close()

    def mark_calls(self, timeline: TimelineEngine) -> None:
        """Nothing is known of calls."""

    def profile(self, session: Session) -> LineMemoryProfile:
        meter = self._meter
        method = Method(meter.description, meter.exact_peak, n_events=2)
        return LineMemoryProfile(session, method, (), self._start, self._end, self._peak, exact_peak=meter.exact_peak)


def _with_heap(profile: LineMemoryProfile, heap: HeapEngine, *, add: bool) -> LineMemoryProfile:
    return replace(
        profile,
        method=replace(profile.method, engine=f"{profile.method.engine}; {heap.description}"),
        functions=with_heap(profile.functions, heap.bill, heap.block, add=add),
        heap_peak=heap.bill.peak,
        heap_kept=heap.bill.kept,
        mapped=heap.bill.mapped,
        heap_stacks=heap.bill.stacks,
        free_start=heap.free_start,
        free_end=heap.free_end,
    )


def _method(engine: LineMemoryEngine) -> Method:
    overhead = engine.n_events * engine.seconds_per_event
    return Method(engine.description, engine.exact_peak, engine.n_events, overhead, tuple(engine.notes()))


def _code_of(item: object, namespace: Mapping[str, Any]) -> CodeType:
    """The code of a function, or of the function that a dotted name stands for."""
    return code_of(_look_up(item, namespace), item) if isinstance(item, str) else code_of(item)


def _look_up(name: str, namespace: Mapping[str, Any]) -> object:
    first, *attributes = name.split(".")
    if first not in namespace and not hasattr(builtins, first):
        raise OptionError(f"-f {name}: there is no {first!r} here; define or import it before the cell runs")
    found: object = namespace.get(first, getattr(builtins, first, None))
    for attribute in attributes:
        # A property is wanted as such, not what it returns.
        found = vars(found).get(attribute, None) if isinstance(found, type) else getattr(found, attribute, None)
        if found is None:
            raise OptionError(f"-f {name}: {first!r} has no {attribute!r}")
    return found
