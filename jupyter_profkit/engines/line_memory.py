"""Memory by line, measured: line events of the interpreter, and resident memory at each.

    engine = LineMemoryEngine(Scope(block=filename))
    engine.start()
    ...
    engine.stop()
    engine.functions()      FunctionLines, the measured block first

Tracing is `line_tracers`, arithmetic is `line_ledger`, reading memory is `resident_memory`,
what comes of it by function `line_functions`.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final
from weakref import WeakSet

from jupyter_profkit.engines.laps import Laps
from jupyter_profkit.engines.line_functions import function_name, functions_of
from jupyter_profkit.engines.line_ledger import LineLedger
from jupyter_profkit.engines.line_tracers import FollowedCode, line_tracer
from jupyter_profkit.engines.longest_calls import Call
from jupyter_profkit.engines.relief import Lend
from jupyter_profkit.engines.resident_memory import MemoryMeter, resident_memory_meter
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.model.line_memory import FunctionLines
from jupyter_profkit.model.session import Location
from jupyter_profkit.source import label_of, source_lines

__all__ = ["HOT_LINE_BUDGET", "LineMemoryEngine"]

_CALIBRATION_LOOKS = 100
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
        for filename, lineno in list(self.ledger.statements):
            text = source_lines(filename)
            if lineno <= len(text):
                yield text[lineno - 1]

    @property
    def n_events(self) -> int:
        """Events of the interpreter that were heard: lines, calls, returns."""
        n_lines = sum(stats.occurrences for stats in self.ledger.statements.values())
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
        statements = list(self.ledger.statements.items())  # other threads may add some
        self.laps.add(self.ledger.change, {place: stats.self_increment for place, stats in statements})

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
            if call.code.co_flags & inspect.CO_OPTIMIZED:
                yield call

    def peak_at(self) -> Location | None:
        """The line that was running when memory was highest."""
        if self.ledger.peak_at is None:
            return None
        lines, stats = self.ledger.peak_at
        filename = lines.code.co_filename
        return Location(filename, stats.statement, function_name(lines.code), label_of(filename))

    def functions(self) -> tuple[FunctionLines, ...]:
        """The figures of every line, the measured block first, then in order of first call."""
        return functions_of(self._followed.all(), self._scope.block)


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
