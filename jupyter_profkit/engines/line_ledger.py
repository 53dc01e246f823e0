"""The arithmetic of memory by line: every change is credited to exactly one line.

    ledger.enter(lines)         a function of the user's begins on this thread
    ledger.line(code, 3)        … and is about to run line 3
    ledger.leave(code)          … returned, yielded or was thrown out
    ledger.resume(lines, 3)     … goes on inside line 3

* Each thread has a stack of activations; each activation has one open statement.
* Resident memory belongs to the whole process, so there is one running figure:
  what changed since the last event, on whatever thread, is credited to the open
  statement of the thread that the event comes from. Thus self increments add up
  to the change of the run, but for what happened while no statement was open.
* Where several threads run, a rise is shared out by the page faults that each has
  taken since: a thread may lose the lock between an allocation and its next event.
* A statement's increment is its own credit and that of the activations that ran
  inside it. In a recursion only the outermost counts it, as pstats does with
  cumulative time.
* A statement is known by file and line, since several code objects may be written
  in one: a lambda, a class' body, a function on one line. What a lambda takes is
  its statement's; a run of it inside that statement is none of its own.
* The high-water mark is reset at each look, so a statement collects the highest
  of all looks while it was open, and an activation hands its highest to the
  statement that called it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import CO_OPTIMIZED
from threading import RLock, get_ident, get_native_id
from types import CodeType
from typing import Any, TypeVar

from jupyter_profkit.engines.longest_calls import Call, LongestCalls
from jupyter_profkit.engines.resident_memory import MemoryMeter
from jupyter_profkit.engines.source_files import SourceFile

__all__ = ["CodeLines", "LineLedger", "LineStats"]


T = TypeVar("T")

_UNSETTLED = -1

_NEAR = 64
"""Activations: between a lambda and the statement that it runs in there are fewer. A deep recursion has more."""

_NOTEWORTHY = 256 * 1024
"""Bytes: a rise that is smaller, and no hundredth of the whole, does not move the peak away from its line."""


class LineStats:
    """The figures of one statement, bytes."""

    __slots__ = (
        "increment", "is_sampled", "is_shared", "mem_usage", "occurrences", "peak", "self_increment", "statement",
    )  # fmt: skip

    def __init__(self, statement: int) -> None:
        self.statement = statement
        self.occurrences = 0
        self.mem_usage = 0
        self.increment = 0
        self.self_increment = 0
        self.peak = 0
        self.is_sampled = False
        self.is_shared = False  # by several code objects


@dataclass(slots=True)
class CodeLines:
    """A code object, its statements, and their figures."""

    code: CodeType
    source: SourceFile
    shift: int = 0
    """Lines by which it stands further down in the source than it says."""
    stats: dict[int, LineStats] = field(default_factory=dict)
    """By first line of the statement."""
    by_line: dict[int, LineStats] = field(default_factory=dict)
    """By any line of it that an event came from."""
    n_calls: int = 0
    n_entries: int = 0
    """Calls, and resumptions of generators and coroutines."""
    n_active: int = 0
    counts: bool = False
    """Whether runs of it were runs of a line; those of a lambda inside its own statement are not."""
    is_hot: bool = False
    """Whether it was entered so often that only some of its calls are told from now on."""
    is_muted: bool = False
    """Whether some of its lines are only looked at now and then."""
    muted_in: int = -1
    """The nap (see `line_tracers`) for whose rest none is told."""

    def statement(self, lineno: int) -> int:
        """The first line of the statement that runs at what the code calls `lineno`."""
        return self.source.statement(lineno + self.shift)


class _Activation:
    __slots__ = (
        "began", "by_line", "callees", "code", "high", "highest", "lines", "own", "rss", "settled", "start", "stats",
        "total",
    )  # fmt: skip

    def __init__(self, lines: CodeLines) -> None:
        self.lines = lines
        self.code = lines.code
        self.by_line = lines.by_line
        self.stats: LineStats | None = None  # of the open statement
        self.own = 0  # credit of the open statement
        self.callees = 0  # credit of what it called
        self.start = 0  # resident as it was opened
        self.high = 0  # highest since
        self.settled = _UNSETTLED  # resident as it was opened, while nothing was credited and nothing rose since
        self.total = 0  # credit of the statements that are closed
        self.highest = 0  # highest of them
        self.began = 0.0
        self.rss = 0  # resident as it began


class _Thread:
    """A thread's activations, and the page faults of its that are accounted for."""

    __slots__ = ("faults", "left", "native_id", "stack", "top")

    def __init__(self) -> None:
        self.stack: list[_Activation] = []
        self.top: _Activation | None = None
        self.left: tuple[CodeType | None, LineStats | None] = None, None  # last, in what statement
        self.native_id = get_native_id()
        self.faults = 0


class LineLedger:
    """The running account of one measurement.

    Parameters
    ----------
    meter : where resident memory is read.
    budget : after so many runs a statement is only looked at now and then; None for always.
    clock : seconds, as a recording of memory over time counts them.
    """

    def __init__(
        self, meter: MemoryMeter, budget: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = meter
        self._clock = clock
        self.calls = LongestCalls()
        self._budget = sys.maxsize if budget is None else budget
        self._threads: dict[int, _Thread] = {}
        self.statements: dict[tuple[str, int], LineStats] = {}
        """By file name and first line."""
        self._all_faults = 0
        # Reading the meter lets other threads run. No event comes from inside an event,
        # but between repetitions a collection may run finalizers of the user's.
        self._lock = RLock()
        self._is_open = False
        self.failure = ""
        """Why the account ended before the run did."""
        self.tries_again = False
        """Whether an event that found no memory comes again, with some."""
        self.n_looks = 0
        """Events for which the account was brought up to date."""
        self.n_switches = 0
        """Those of them that were line events."""
        self.rss_start = self.rss_end = self.peak_rss = self._last = 0
        self.peak_at: tuple[CodeLines, LineStats] | None = None
        self._named_peak = 0

    def open(self) -> None:
        """The run begins."""
        self.rss_start, _ = self._meter.read()
        self.rss_end = self.peak_rss = self._named_peak = self._last = self.rss_start
        self._all_faults = self._meter.all_faults()
        self._is_open = True

    def close(self) -> None:
        """The run is over: credit what is still open, outermost activations last."""
        with self._lock:
            here = self._threads.get(get_ident())
            last = here.stack[-1] if here is not None and here.stack else None
        self._do(self._account, last)
        with self._lock:
            self._is_open = False
            for thread in list(self._threads.values()):
                while thread.stack:
                    self._pop(thread, self._last)
            self.rss_end = self._last

    def enter(self, lines: CodeLines) -> None:
        self._do(self._enter, lines)

    def resume(self, lines: CodeLines, lineno: int) -> None:
        self._do(self._resume, lines, lines.statement(lineno))

    def line_callback(self, spent: object) -> Callable[[CodeType, int], object]:
        """What takes line events: called with the code and the line that is about to run.

        It returns `spent` when the statement's budget is used up. This runs for each
        line, so it is a closure, and has a short cut for what most lines do: nothing
        to memory. The short cut takes no lock. Other threads may run while the meter
        is asked, but if one of them changes the account, the meter says so.
        """
        thread_of, budget = self._threads.get, self._budget
        is_unchanged, switch, catch_up = self._meter.is_unchanged, self._switch, self._catch_up

        def line(code: CodeType, lineno: int) -> object:
            thread = thread_of(get_ident())
            if thread is None:
                return None
            top = thread.top
            if top is None or top.code is not code:
                return catch_up(thread, code, lineno)
            stats = top.by_line.get(lineno)
            before = top.stats
            if stats is None or before is None:
                return switch(thread, top, lineno)
            if stats is before:
                if top.lines.is_muted:  # lines in between may have run unseen, and have counted on this one
                    stats.is_sampled = True
                return None
            try:
                if not is_unchanged() or top.settled != self._last:
                    return switch(thread, top, lineno)
            except Exception as error:
                self._fail(error)
                return None
            before.mem_usage = top.settled
            top.stats = stats
            stats.occurrences += 1
            if stats.occurrences > budget:
                stats.is_sampled = True
                return spent
            return None

        return line

    def leave(self, code: CodeType) -> None:
        thread = self._threads.get(get_ident())
        if thread is not None and self._is_on_top(thread, code):
            self._do(self._leave, thread)

    def without_credit(self, work: Callable[[], T]) -> T:
        """Do work of ours in the middle of an event: what it takes is no line's.

        What changed before it is credited first, to the statement that is open here.
        """
        thread = self._threads.get(get_ident())
        self._do(self._account, thread.stack[-1] if thread is not None and thread.stack else None)
        result = work()
        self._do(self._skip)
        return result

    @property
    def change(self) -> int:
        """Bytes, net, since the run began, as of the last event."""
        return self._last - self.rss_start

    def between(self) -> None:
        """What changed since the last event on this thread is nobody's, unless a statement is open here."""
        thread = self._threads.get(get_ident())
        if thread is not None:
            thread.left = None, None
        if thread is None or thread.top is None:
            self._do(self._skip)

    def _skip(self) -> None:
        """Take what changed for memory that was there before the run."""
        rss, _ = self._meter.read()
        self.rss_start += rss - self._last
        self._last = rss

    def _do(self, step: Callable[..., object], *args: Any) -> None:
        """One event, alone and while the account is open.

        A fault here would be raised into the user's code, so it ends the account
        instead, and the report tells.
        """
        with self._lock:
            if self._is_open:
                try:
                    step(*args)
                except Exception as error:
                    self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.tries_again and isinstance(error, MemoryError):
            raise error
        self._is_open = False
        self.failure = f"{type(error).__name__}: {error}"
        self._threads.clear()

    def _enter(self, lines: CodeLines) -> None:
        thread = self._thread()
        if not thread.stack:
            self._account(None)
        lines.n_calls += 1
        self._push(thread, lines)

    def _is_on_top(self, thread: _Thread, code: CodeType) -> bool:
        """Whether `code` is the innermost activation, once hot functions are gone that returned untold."""
        for n_above, activation in enumerate(reversed(thread.stack)):
            if activation.code is code:
                for _ in range(n_above):
                    self._do(self._pop, thread, self._last)
                return True
            if not activation.lines.is_hot:
                break
        return False  # a frame that ran before the measurement did, or an untold call

    def _catch_up(self, thread: _Thread, code: CodeType, lineno: int) -> None:
        if self._is_on_top(thread, code):
            self._switch(thread, thread.stack[-1], lineno)

    def _resume(self, lines: CodeLines, statement: int) -> None:
        thread = self._thread()
        rss = self._account(thread.top)
        self._open(self._push(thread, lines), self._stats_of(lines, statement), rss)

    def _leave(self, thread: _Thread) -> None:
        self._pop(thread, self._account(thread.top))

    def _switch(self, thread: _Thread, top: _Activation, lineno: int) -> None:
        """Close the open statement of `top`, and open that of `lineno` if it is another."""
        lines = top.lines
        stats = lines.by_line.get(lineno)
        if stats is None:
            stats = lines.by_line[lineno] = self._stats_of(lines, lines.statement(lineno))
        if stats is not top.stats:
            self._do(self._close_and_open, thread, top, stats)

    def _close_and_open(self, thread: _Thread, top: _Activation, stats: LineStats) -> None:
        stack = thread.stack
        goes_on = stats.is_shared and _goes_on(stats, top, thread)
        if top.stats is not None:
            rss = self._account(top)
            self._close(top, rss, stack)
        else:  # what led to the call is still the caller's
            top.rss = rss = self._account(stack[-2] if len(stack) > 1 else None)
        self._open(top, stats, rss)
        if not goes_on:
            self.n_switches += 1
            stats.occurrences += 1
            top.lines.counts = True

    def _thread(self) -> _Thread:
        ident = get_ident()
        thread = self._threads.get(ident)
        if thread is None or (not thread.stack and thread.native_id != get_native_id()):
            thread = self._threads[ident] = _Thread()
            if len(self._threads) == 1:
                thread.faults = self._meter.faults(thread.native_id)
        return thread

    def _push(self, thread: _Thread, lines: CodeLines) -> _Activation:
        lines.n_active += 1
        lines.n_entries += 1
        lines.is_hot = lines.n_entries > self._budget
        activation = thread.top = _Activation(lines)
        activation.began, activation.rss = self._clock(), self._last
        thread.stack.append(activation)
        return activation

    def _account(self, credited: _Activation | None) -> int:
        """Look at the meter, and credit the change; returns the bytes resident now."""
        self.n_looks += 1
        rss, high = self._meter.read()
        change = rss - self._last
        self._last = rss
        if len(self._threads) > 1:
            change -= self._share_out(change)
            self._raise_others(credited, high)
        if credited is not None:
            _credit(credited, change, high)
        if high > self.peak_rss:
            self.peak_rss = high
            self._note_peak(credited, high)
        return rss

    def _note_peak(self, credited: _Activation | None, high: int) -> None:
        """Name the statement of a new peak; a page more on top of another's is not worth it."""
        rise = high - self._named_peak
        if credited is None or credited.stats is None:
            if rise > _NOTEWORTHY:
                self.peak_at, self._named_peak = None, high
        elif rise > min(_NOTEWORTHY, (high - self.rss_start) // 100):
            self.peak_at, self._named_peak = (credited.lines, credited.stats), high

    def _share_out(self, change: int) -> int:
        """Credit other threads with what they made resident of a rise; returns how much that is."""
        everybody = self._meter.all_faults()
        n_faults, self._all_faults = everybody - self._all_faults, everybody
        if not n_faults:
            return 0
        shared_out, here = 0, get_ident()
        for ident, thread in list(self._threads.items()):
            faults = self._meter.faults(thread.native_id)
            new, thread.faults = max(0, faults - thread.faults), max(faults, thread.faults)
            if change > 0 and ident != here and thread.stack:
                part = change * min(new, n_faults) // n_faults
                _credit(thread.stack[-1], part, 0)
                shared_out += part
        return min(shared_out, change) if change > 0 else 0

    def _raise_others(self, credited: _Activation | None, high: int) -> None:
        """The mark was reset for everybody: open statements of other threads saw it too."""
        for thread in list(self._threads.values()):
            if thread.top is not None and thread.top is not credited:
                _credit(thread.top, 0, high)

    @staticmethod
    def _open(activation: _Activation, stats: LineStats, rss: int) -> None:
        activation.stats = stats
        activation.own = activation.callees = 0
        activation.start = activation.high = activation.settled = rss

    @staticmethod
    def _close(activation: _Activation, rss: int, stack: list[_Activation]) -> None:
        stats = activation.stats
        if stats is None:
            return
        net = activation.own + activation.callees
        stats.self_increment += activation.own
        stats.mem_usage = rss
        stats.peak = max(stats.peak, activation.high - activation.start)
        activation.stats = None
        is_inside = (activation.lines.n_active > 1 and _runs_in(stats, stack)) or (
            stats.is_shared and _runs_in(stats, stack[-_NEAR:])
        )
        if not is_inside:
            stats.increment += net
        activation.total += net
        activation.highest = max(activation.highest, activation.high)

    def _stats_of(self, lines: CodeLines, statement: int) -> LineStats:
        stats = lines.stats.get(statement)
        if stats is None:
            new = LineStats(statement)
            stats = lines.stats[statement] = self.statements.setdefault((lines.code.co_filename, statement), new)
            stats.is_shared = stats.is_shared or stats is not new
        return stats

    def _pop(self, thread: _Thread, rss: int) -> None:
        activation = thread.stack[-1]
        thread.left = activation.code, activation.stats
        self._close(activation, rss, thread.stack)
        thread.stack.pop()
        activation.lines.n_active -= 1
        self.calls.add(Call(activation.code, activation.began, self._clock(), activation.rss, rss, len(thread.stack)))
        caller = thread.top = thread.stack[-1] if thread.stack else None
        if caller is not None:
            caller.callees += activation.total
            _credit(caller, 0, activation.highest, unsettle=activation.total != 0)


def _runs_in(stats: LineStats, stack: Iterable[_Activation]) -> bool:
    return any(activation.stats is stats for activation in stack)


def _goes_on(stats: LineStats, top: _Activation, thread: _Thread) -> bool:
    """Whether a run of the line that is under way goes on in `top`.

    It does in a lambda that runs inside the statement that it is written in, and in
    ``b = 2`` after ``a = 1; b = 2``, whose statements a shell compiles one by one.
    """
    is_body = not top.code.co_flags & CO_OPTIMIZED
    if is_body and top.stats is None and thread.left[1] is stats and thread.left[0] is not top.code:
        return True
    is_part = is_body or top.code.co_name == "<lambda>"
    return is_part and _runs_in(stats, (other for other in thread.stack[-_NEAR:] if other.code is not top.code))


def _credit(activation: _Activation, change: int, high: int, *, unsettle: bool = False) -> None:
    """Credit the open statement with a change, and let it see how high memory stood."""
    if change or unsettle or high > activation.high:
        activation.own += change
        activation.high = max(activation.high, high)
        activation.settled = _UNSETTLED
