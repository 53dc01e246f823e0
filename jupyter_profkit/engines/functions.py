"""Time by function: cProfile's figures, of the measured thread and of what its block reached.

    engine = FunctionEngine("/tmp/ipykernel_7/123.py")
    engine.start()
    ...
    engine.stop()
    engine.functions(), engine.statements()

IPython compiles each top-level statement of a cell by itself, as a ``<module>`` of its
own, and cProfile keeps code objects apart: time by statement costs nothing more.
"""

from __future__ import annotations

import contextlib
import cProfile
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType
from typing import Any, Final, Protocol

from jupyter_profkit.engines.await_tracer import AwaitTracer
from jupyter_profkit.engines.awaits import AwaitLedger
from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.call_entries import CallEntries, Totals
from jupyter_profkit.engines.ended_calls import EndedCalls
from jupyter_profkit.engines.pauses import CollectionWatch
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler
from jupyter_profkit.engines.stacks import Meanwhile
from jupyter_profkit.engines.statements import sampled_figures, statement_records
from jupyter_profkit.engines.thread_profilers import CheckedThreads, HookedThreads
from jupyter_profkit.engines.tool_slots import MONITORING, profile_holder, trace_holder
from jupyter_profkit.errors import EngineBusyError
from jupyter_profkit.model.functions import CoroutineRecord, FunctionRecord, StatementRecord

__all__ = ["FunctionEngine", "PlainProfiler"]


_MOST_LAPS: Final = 100
"""Runs of which each function's figures are kept apart."""


class Profiler(Protocol):
    """What an engine needs of a profiler."""

    began: float
    duration: float

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def getstats(self) -> list[Any]: ...


class PlainProfiler:
    """cProfile as it is: right on Python 3.11, where it hears one thread only.

    Parameters
    ----------
    builtins : whether functions written in C are recorded.
    tracer : tells what cProfile does not know of coroutines.
    """

    def __init__(self, *, builtins: bool = True, tracer: AwaitTracer | None = None) -> None:
        self._tracer = tracer
        self._profile = cProfile.Profile(builtins=builtins)
        self._is_on = False
        self.began = 0.0
        self.duration = 0.0
        """Seconds from start to stop."""
        self.was_replaced = False
        """Whether another profiler took the place before the end."""

    def start(self) -> None:
        """Begin to record.

        Raises
        ------
        EngineBusyError
            If another profiler is on.
        """
        holder = profile_holder()
        if holder is not None:
            raise EngineBusyError(f"{holder} is profiling already; end it, then run the cell again")
        self._is_on = True
        if self._tracer is not None:
            self._tracer.start()
        self.began = time.perf_counter()
        self._profile.enable()

    def stop(self) -> None:
        """End recording; a second call does nothing."""
        if self._is_on:
            holder = sys.getprofile() if MONITORING is None else MONITORING.get_tool(MONITORING.PROFILER_ID)
            self._profile.disable()
            self.duration = time.perf_counter() - self.began
            self._is_on = False
            if self._tracer is not None:
                self._tracer.stop()
            self.was_replaced = holder is not self._profile and holder != "cProfile"
            if self.was_replaced and MONITORING is None:
                _give_back(holder)

    def getstats(self) -> list[Any]:
        """The figures, as `cProfile.Profile.getstats` gives them."""
        return list(self._profile.getstats())

    def is_checked(self, code: object) -> bool:
        """Whether recording a call of `code` cost a call of Python code besides."""
        return isinstance(code, CodeType) and self._tracer is not None and self._tracer.is_on

    @property
    def awaits(self) -> AwaitLedger | None:
        """What the user's coroutines did; None if that is not known."""
        return self._tracer.awaits if self._tracer is not None else None

    @property
    def why_no_awaits(self) -> str:
        """Why that is not known."""
        return self._tracer.missing if self._tracer is not None else "this Python's cProfile does not tell"


def _give_back(holder: Any) -> None:
    """Let a profiler that the code has set go on: on Python 3.11 the end of cProfile takes out whoever sits there."""
    if isinstance(holder, cProfile.Profile):
        holder.enable()
    elif holder is not None:
        sys.setprofile(holder)


class FunctionEngine:
    """Counts and times functions, from `start` to `stop`.

    Parameters
    ----------
    filename : file name of the measured cell; None for everything that this thread
        does in between.
    builtins : whether functions written in C are rows; if not, they count on their caller.
    scoped : whether to use the scoped engine; by default wherever it works.
    block : the block that is measured, if its statements are to be told apart.
    threads : whether the threads that the block starts are measured too, each by itself.
    """

    def __init__(
        self,
        filename: str | None = None,
        *,
        builtins: bool = True,
        scoped: bool | None = None,
        block: WithBlock | None = None,
        threads: bool = False,
    ) -> None:
        self._filename = filename
        self._block = block
        self.is_scoped = ScopedProfiler.is_available() if scoped is None else scoped
        self._profiler: Any
        self._threads: CheckedThreads | HookedThreads | None = None
        if self.is_scoped:
            self._threads = found = CheckedThreads(builtins=builtins) if threads else None
            self._profiler = ScopedProfiler(filename, builtins=builtins, block=block, threads=found)
        else:
            if threads and self.hears_one_thread:
                self._threads = HookedThreads(builtins=builtins)
            tracer = AwaitTracer(filename) if MONITORING is None else None
            self._profiler = PlainProfiler(builtins=builtins, tracer=tracer)
        self._wants_threads = threads
        self._watch = CollectionWatch(filename, block)
        self._entries: CallEntries | None = None
        self._laps: list[Totals] = []
        self._run_began = 0.0
        self._runs: list[float] = []

    def start(self) -> None:
        """Begin to measure; switching on is the last thing it does.

        Raises
        ------
        EngineBusyError
            If another tool holds what is needed.
        """
        self._watch.start()
        if isinstance(self._threads, HookedThreads):
            self._threads.start()
        try:
            self._profiler.start()
        except BaseException:
            self._stop_watching()
            raise

    def lap(self) -> None:
        """A run is over, and another one begins."""
        self._runs.append(time.perf_counter() - (self._run_began or self._profiler.began))
        if len(self._laps) < _MOST_LAPS:
            self._laps.append(self._recorded().totals())
        self._run_began = time.perf_counter()

    def stop(self) -> None:
        """Stop measuring, first of all; a second call does nothing."""
        self._profiler.stop()
        self._stop_watching()

    @property
    def runs(self) -> tuple[float, ...]:
        """Seconds of each run, if there were several."""
        if not self._runs:
            return ()
        return (*self._runs, self._profiler.began + self.duration - self._run_began)

    def _stop_watching(self) -> None:
        self._watch.stop()
        if isinstance(self._threads, HookedThreads):
            self._threads.stop()

    @property
    def duration(self) -> float:
        """Seconds that it measured."""
        return float(self._profiler.duration)

    @property
    def entries(self) -> CallEntries:
        """What was recorded, less what the measured block did not reach."""
        if self._entries is None:
            self._entries = self._recorded(self._laps)
        return self._entries

    def _recorded(self, laps: Sequence[Totals] = ()) -> CallEntries:
        return CallEntries(
            self._profiler.getstats(),
            self._filename,
            self._block,
            laps,
            n_runs=len(self._runs) + 1,
            is_scoped=self.is_scoped,
        )

    def ended_calls(self) -> EndedCalls | None:
        """What tells a sampler which calls have ended, where it cannot be called as they do."""
        return EndedCalls(self._profiler.getstats) if MONITORING is None else None

    def functions(self) -> tuple[FunctionRecord, ...]:
        """Every function that ran, in no particular order."""
        return tuple(self.entries.functions())

    def statements(
        self, meanwhile: Mapping[CodeType, Meanwhile] | None = None, sampled: Mapping[CodeType, float] | None = None
    ) -> tuple[StatementRecord, ...]:
        """The top-level statements that ran, by line.

        Parameters
        ----------
        meanwhile : what a sampler saw go on in them.
        sampled : seconds of each statement by a sampler, for a block whose engine cannot tell its statements apart.
        """
        figures = self.entries.statements()
        if self._block is not None and not self.is_scoped:
            figures = sampled_figures(self._block, sampled or {}, meanwhile or {})
        return statement_records(figures, meanwhile or {}, self._watch.by_statement, self.duration)

    def threads(self) -> Iterator[tuple[str, tuple[FunctionRecord, ...]]]:
        """The name and the functions of each thread that the block started, if that was asked for."""
        for name, entries in self._threads.named_stats() if self._threads is not None else ():
            yield name, tuple(CallEntries(entries, None).functions())

    def coroutines(self) -> tuple[CoroutineRecord, ...]:
        """The user's coroutine functions that ran, if they are known."""
        return tuple(self._profiler.awaits.records()) if self._profiler.awaits is not None else ()

    @property
    def description(self) -> str:
        """How it measures, in words."""
        if self.is_scoped:
            return "cProfile's C engine on sys.monitoring, kept to this thread and to what the block ran"
        if not self.hears_one_thread:
            return "cProfile, which on this Python hears every thread at once"
        n_divided = self.entries.n_divided if self.duration else 0
        if not n_divided:
            return "cProfile"
        return f"cProfile; what {n_divided} functions called that others called, too, is divided as their own calls are"

    @property
    def hears_one_thread(self) -> bool:
        """Whether other threads stay out of the figures."""
        return self.is_scoped or MONITORING is None

    @property
    def n_events(self) -> int:
        """Calls and returns that were recorded."""
        return 2 * self.entries.ncalls

    @property
    def n_threads_left_out(self) -> int:
        """Threads that the block started, whose calls are not in the figures."""
        if self._threads is not None or not self.hears_one_thread:
            return 0
        return self.entries.n_calls(threading.Thread.start.__code__)

    def notes(self) -> Iterator[str]:
        """What a reader must know to read the figures right."""
        if not self.hears_one_thread:
            yield "calls of other threads are mixed in: this Python's cProfile cannot be kept to one thread"
        if self.n_threads_left_out:
            threads = "thread" if self.n_threads_left_out == 1 else "threads"
            yield (
                f"{self.n_threads_left_out} {threads} started here left out: the figures are of the cell's own thread; "
                "--threads measures them too"
            )
        if self._wants_threads:
            yield from self._notes_on_threads()
        if self._block is not None and not self.is_scoped and self._block.codes:
            yield "time by statement of a with block is sampled where cProfile is the engine, and calls are not known"
        if self._profiler.awaits is None and self.entries.has_coroutines():
            yield (
                f"calls and awaiting time of coroutines are missing: {self._profiler.why_no_awaits}; "
                "ncalls counts each time one went on"
            )
        if getattr(self._profiler, "lost_track", False):
            yield (
                "functions around a call of a built-in method (as pybind11 makes them) are missing, "
                "since cProfile lost track there; run it again, and each call is checked"
            )
        if getattr(self._profiler, "was_replaced", False):
            yield "another profiler ran inside and ended the recording early; what came after it is missing"

    def _notes_on_threads(self) -> Iterator[str]:
        if self._threads is None:
            yield "--threads: this Python's cProfile cannot tell threads apart"
        elif isinstance(self._threads, HookedThreads):
            if self._threads.holder:
                yield f"--threads: {self._threads.holder} profiles new threads already; end it, then run again"
            if self._threads.n_running:
                yield (
                    f"{self._threads.n_running} of the threads still run; on this Python their profiler "
                    "stays with them, and costs a little, until they end"
                )

    def overhead(self) -> float | None:
        """Seconds that recording has added, estimated from the cost of a call here and now."""
        is_checked = self._profiler.is_checked
        try:
            return sum(n_calls * _seconds_per_call(checked=is_checked(code)) for code, n_calls in self.entries.counts())
        except EngineBusyError:  # somebody profiles by now; an estimate is not worth an error
            return None


_CALIBRATION_CALLS: Final = 1000
_CALIBRATION: Final = f"""
def nothing():
    pass

def run():
    for _ in range({_CALIBRATION_CALLS}):
        nothing()
"""


@functools.cache
def _seconds_per_call(*, checked: bool) -> float:
    """What recording one call costs."""
    namespace: dict[str, Any] = {}
    exec(compile(_CALIBRATION, "<calibration>", "exec"), namespace)  # noqa: S102 - the text above
    run: Callable[[], None] = namespace["run"]
    bare, recorded = _seconds(run), float("inf")
    for _ in range(7):  # the least of several: the machine may have other work
        bare = min(bare, _seconds(run))
        with _recording(checked=checked):
            recorded = min(recorded, _seconds(run))
    return max(recorded - bare, 0.0) / _CALIBRATION_CALLS


@contextlib.contextmanager
def _recording(*, checked: bool) -> Iterator[None]:
    profiler: Profiler = PlainProfiler()
    tracer = AwaitTracer() if checked and MONITORING is None and trace_holder() is None else None
    if ScopedProfiler.is_available():
        profiler = ScopedProfiler()
        profiler.checks_all = checked
    if tracer is not None:
        tracer.begin()
    profiler.start()
    try:
        yield
    finally:
        profiler.stop()
        if tracer is not None:
            tracer.stop()


def _seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
