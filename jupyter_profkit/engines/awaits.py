"""Coroutines: how often each was called, how long it ran, and how long it waited.

    ledger = AwaitLedger()
    ledger.begin(code, frame)       it starts, or goes on
    ledger.pause(frame)             it awaits something that is not there yet
    ledger.end(frame)               it is over
    ledger.records()

cProfile counts each time that a coroutine goes on as a call, and does not know the
time in between. Here the frame tells which call it is that goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, Final

from jupyter_profkit.model.functions import CoroutineRecord
from jupyter_profkit.source import label_of

__all__ = ["AwaitLedger", "current_task"]

_MOST_NAMES: Final = 1000


def current_task() -> Any:
    """The task that runs on this thread; None if there is none."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or getattr(asyncio, "_get_running_loop", lambda: None)() is None:
        return None  # also while asyncio itself is being imported
    return asyncio.current_task()


class _Figures:
    """What is known of one coroutine function."""

    __slots__ = ("awaiting", "calls", "on_cpu", "tasks")

    def __init__(self) -> None:
        self.calls = 0
        self.on_cpu = 0.0
        self.awaiting = 0.0
        self.tasks: dict[str, None] = {}


class _Call:
    """A call that is not over: since when it runs, or waits."""

    __slots__ = ("figures", "is_running", "since")

    def __init__(self, figures: _Figures, now: float) -> None:
        self.figures = figures
        self.since = now
        self.is_running = True

    def turn(self, now: float, *, is_running: bool) -> None:
        """Charge the time that has passed; from now on it runs, or waits."""
        passed, self.since = now - self.since, now
        if self.is_running:
            self.figures.on_cpu += passed
        else:
            self.figures.awaiting += passed
        self.is_running = is_running


class AwaitLedger:
    """The figures of coroutines, told event by event.

    Parameters
    ----------
    clock : seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._own_task: Any = current_task()
        self._figures: dict[CodeType, _Figures] = {}
        # A suspended coroutine keeps its frame, so the id is its own until it ends.
        self._open: dict[int, _Call] = {}

    def begin(self, code: CodeType, frame: FrameType) -> None:
        """A call begins, or goes on."""
        call = self._open.get(id(frame))
        if call is not None:
            call.turn(self._clock(), is_running=True)
            return
        figures = self._figures.setdefault(code, _Figures())
        figures.calls += 1
        task = current_task()
        if task is not None and task is not self._own_task and len(figures.tasks) < _MOST_NAMES:
            figures.tasks[task.get_name()] = None
        self._open[id(frame)] = _Call(figures, self._clock())

    def pause(self, frame: FrameType) -> None:
        """A call awaits something."""
        call = self._open.get(id(frame))
        if call is not None:
            call.turn(self._clock(), is_running=False)

    def end(self, frame: FrameType) -> None:
        """A call is over."""
        call = self._open.pop(id(frame), None)
        if call is not None:
            call.turn(self._clock(), is_running=False)

    def close(self) -> None:
        """Charge what has not ended, up to now, and let go of the tasks."""
        now = self._clock()
        for call in self._open.values():
            call.turn(now, is_running=False)
        self._open.clear()
        self._own_task = None

    def records(self) -> Iterator[CoroutineRecord]:
        """A record for each coroutine function, in the order in which they were first called."""
        for code, figures in self._figures.items():
            yield CoroutineRecord(
                code.co_qualname.replace("<locals>.", ""),
                code.co_filename,
                code.co_firstlineno,
                calls=figures.calls,
                on_cpu=figures.on_cpu,
                awaiting=figures.awaiting,
                tasks=tuple(figures.tasks),
                label=label_of(code.co_filename),
            )
