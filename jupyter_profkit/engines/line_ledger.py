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
* The high-water mark is reset at each look, so a statement collects the highest
  of all looks while it was open, and an activation hands its highest to the
  statement that called it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, get_ident, get_native_id
from types import CodeType
from typing import Any, TypeVar

from jupyter_profkit.engines.resident_memory import MemoryMeter
from jupyter_profkit.source import Statements

__all__ = ["CodeLines", "LineLedger", "LineStats"]


T = TypeVar("T")

_NOTEWORTHY = 256 * 1024
"""Bytes: a rise outside every statement that is smaller does not move the peak away from its line."""


class LineStats:
    """The figures of one statement, bytes."""

    __slots__ = ("increment", "is_sampled", "mem_usage", "occurrences", "peak", "self_increment")

    def __init__(self) -> None:
        self.occurrences = 0
        self.mem_usage = 0
        self.increment = 0
        self.self_increment = 0
        self.peak = 0
        self.is_sampled = False


@dataclass(slots=True)
class CodeLines:
    """A code object, its statements, and their figures by first line."""

    code: CodeType
    statements: Statements
    stats: dict[int, LineStats] = field(default_factory=dict)
    n_calls: int = 0
    n_active: int = 0


class _Activation:
    __slots__ = (
        "all_stats",
        "callees",
        "code",
        "high",
        "highest",
        "lines",
        "own",
        "start",
        "starts",
        "statement",
        "stats",
        "total",
    )

    def __init__(self, lines: CodeLines) -> None:
        self.lines = lines
        self.code = lines.code
        self.starts = lines.statements.starts
        self.all_stats = lines.stats
        self.statement = 0
        self.stats: LineStats | None = None
        self.own = 0  # credit of the open statement
        self.callees = 0  # credit of what it called
        self.start = 0  # resident as it was opened
        self.high = 0  # highest since
        self.total = 0  # credit of the statements that are closed
        self.highest = 0  # highest of them


class _Thread:
    """A thread's activations, and the page faults of its that are accounted for."""

    __slots__ = ("faults", "native_id", "stack")

    def __init__(self) -> None:
        self.stack: list[_Activation] = []
        self.native_id = get_native_id()
        self.faults = 0


class LineLedger:
    """The running account of one measurement.

    Parameters
    ----------
    meter : where resident memory is read.
    budget : after so many runs a statement is only looked at now and then; None for always.
    """

    def __init__(self, meter: MemoryMeter, budget: int | None = None) -> None:
        self._meter = meter
        self._budget = sys.maxsize if budget is None else budget
        self._look: tuple[int, int] | None = None
        self._threads: dict[int, _Thread] = {}
        self._all_faults = 0
        # Reading the meter lets other threads run. No event can come from inside an
        # event, so the lock is never wanted twice by one thread.
        self._lock = Lock()
        self._is_open = False
        self.failure = ""
        """Why the account ended before the run did."""
        self.n_events = 0
        self.rss_start = self.rss_end = self.peak_rss = self._last = 0
        self.peak_at: tuple[CodeLines, int] | None = None

    def open(self) -> None:
        """The run begins."""
        self._look = self._meter.read()
        self.rss_start = self._look[0]
        self.rss_end = self.peak_rss = self._last = self.rss_start
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
                    self._pop(thread.stack, self._last)
            self.rss_end = self._last

    def enter(self, lines: CodeLines) -> None:
        self._do(self._enter, lines)

    def resume(self, lines: CodeLines, lineno: int) -> None:
        self._do(self._resume, lines, lines.statements.start(lineno))

    def line_callback(self, spent: object) -> Callable[[CodeType, int], object]:
        """What takes line events: called with the code and the line that is about to run.

        It returns `spent` when the statement's budget is used up. This runs for each
        line, so it is a closure, and has a short cut for what most lines do: nothing
        to memory.
        """
        thread_of, read, switch, lock = self._threads.get, self._meter.read, self._switch, self._lock
        budget = self._budget

        def line(code: CodeType, lineno: int) -> object:
            thread = thread_of(get_ident())
            if thread is None or not thread.stack:
                return None
            top = thread.stack[-1]
            if top.code is not code:  # a frame that ran before the measurement did
                return None
            statement = top.starts.get(lineno, lineno)
            if statement == top.statement:
                return None
            stats = top.all_stats.get(statement)
            with lock:
                if not self._is_open:
                    return None
                try:
                    look = read()
                    if (
                        look is not self._look or stats is None or top.stats is None
                        or look[0] != top.start or top.high != top.start or top.callees or top.own
                    ):  # fmt: skip
                        switch(thread.stack, top, statement, look)
                        return None
                except Exception as error:
                    self._fail(error)
                    return None
                self.n_events += 1
                top.stats.mem_usage = top.start
                top.stats, top.statement = stats, statement
                stats.occurrences += 1
            if stats.occurrences > budget:
                stats.is_sampled = True
                return spent
            return None

        return line

    def leave(self, code: CodeType) -> None:
        thread = self._threads.get(get_ident())
        if thread is not None and thread.stack and thread.stack[-1].code is code:
            self._do(self._leave, thread.stack)

    def without_credit(self, work: Callable[[], T]) -> T:
        """Do work of ours in the middle of an event: what it takes is no line's.

        What changed before it is credited first, to the statement that is open here.
        """
        thread = self._threads.get(get_ident())
        self._do(self._account, thread.stack[-1] if thread is not None and thread.stack else None)
        result = work()
        self._do(self._skip)
        return result

    def _skip(self) -> None:
        """Take what changed for memory that was there before the run."""
        self._look = self._meter.read()
        self.rss_start += self._look[0] - self._last
        self._last = self._look[0]

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
        self._is_open = False
        self.failure = f"{type(error).__name__}: {error}"

    def _enter(self, lines: CodeLines) -> None:
        stack = self._stack()
        if not stack:
            self._account(None)
        lines.n_calls += 1
        self._push(stack, lines)

    def _resume(self, lines: CodeLines, statement: int) -> None:
        stack = self._stack()
        rss = self._account(stack[-1] if stack else None)
        self._open(self._push(stack, lines), statement, rss)

    def _leave(self, stack: list[_Activation]) -> None:
        self._pop(stack, self._account(stack[-1]))

    def _switch(self, stack: list[_Activation], top: _Activation, statement: int, look: tuple[int, int]) -> None:
        """Close the open statement of `top`, and open the next."""
        if top.stats is not None:
            rss = self._account(top, look)
            self._close(top, rss, stack)
        else:  # what led to the call is still the caller's
            rss = self._account(stack[-2] if len(stack) > 1 else None, look)
        self._open(top, statement, rss)
        top.stats.occurrences += 1  # type: ignore[union-attr]

    def _stack(self) -> list[_Activation]:
        ident = get_ident()
        thread = self._threads.get(ident)
        if thread is None or (not thread.stack and thread.native_id != get_native_id()):
            thread = self._threads[ident] = _Thread()
            if len(self._threads) == 1:
                thread.faults = self._meter.faults(thread.native_id)
        return thread.stack

    @staticmethod
    def _push(stack: list[_Activation], lines: CodeLines) -> _Activation:
        lines.n_active += 1
        activation = _Activation(lines)
        stack.append(activation)
        return activation

    def _account(self, credited: _Activation | None, look: tuple[int, int] | None = None) -> int:
        """Look at the meter, unless that was done, and credit the change; returns the bytes resident now."""
        self.n_events += 1
        self._look = look = look or self._meter.read()
        rss, high = look
        change = rss - self._last
        self._last = rss
        if len(self._threads) > 1:
            change -= self._share_out(change)
            self._raise_others(credited, high)
        if credited is not None:
            credited.own += change
            credited.high = max(credited.high, high)
        if high > self.peak_rss:
            if credited is not None:
                self.peak_at = (credited.lines, credited.statement)
            elif high - self.peak_rss > _NOTEWORTHY:
                self.peak_at = None
            self.peak_rss = high
        return rss

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
                thread.stack[-1].own += part
                shared_out += part
        return min(shared_out, change) if change > 0 else 0

    def _raise_others(self, credited: _Activation | None, high: int) -> None:
        """The mark was reset for everybody: open statements of other threads saw it too."""
        for thread in list(self._threads.values()):
            if thread.stack and thread.stack[-1] is not credited and high > thread.stack[-1].high:
                thread.stack[-1].high = high

    @staticmethod
    def _open(activation: _Activation, statement: int, rss: int) -> None:
        activation.statement = statement
        stats = activation.lines.stats.get(statement)
        if stats is None:
            stats = activation.lines.stats[statement] = LineStats()
        activation.stats = stats
        activation.own = activation.callees = 0
        activation.start = activation.high = rss

    @staticmethod
    def _close(activation: _Activation, rss: int, stack: list[_Activation]) -> None:
        stats = activation.stats
        if stats is None:
            return
        net = activation.own + activation.callees
        stats.self_increment += activation.own
        stats.mem_usage = rss
        stats.peak = max(stats.peak, activation.high - activation.start)
        is_outermost = activation.lines.n_active == 1 or all(
            other.stats is not stats for other in stack if other is not activation
        )
        if is_outermost:
            stats.increment += net
        activation.total += net
        activation.highest = max(activation.highest, activation.high)
        activation.stats = None

    def _pop(self, stack: list[_Activation], rss: int) -> None:
        activation = stack[-1]
        self._close(activation, rss, stack)
        stack.pop()
        activation.lines.n_active -= 1
        if stack:
            caller = stack[-1]
            caller.callees += activation.total
            caller.high = max(caller.high, activation.highest)
