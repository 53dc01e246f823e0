"""Coroutines: how often each was called, how long it ran, and how long it waited.

    ledger = AwaitLedger()
    ledger.begin(code, frame)       it starts, or goes on
    ledger.pause(frame)             it awaits something that is not there yet
    ledger.end(frame)               it is over
    ledger.records()

cProfile counts each time that a coroutine goes on as a call, and does not know the
time in between. Here the frame tells which call it is that goes on. A call that was
suspended when the ledger was made is one, too, and has waited since then.
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from opcode import opmap
from types import CodeType, FrameType
from typing import Any, Final

from jupyter_profkit.engines.shell_threads import frames_of
from jupyter_profkit.model.functions import CoroutineRecord
from jupyter_profkit.source import label_of

__all__ = ["AwaitLedger", "current_task", "is_loop_running"]

_MOST_NAMES: Final = 1000


def is_loop_running() -> bool:
    """Whether asyncio's event loop runs this thread."""
    asyncio = sys.modules.get("asyncio")
    get_running_loop = getattr(asyncio, "_get_running_loop", None)  # absent while asyncio itself is being imported
    return get_running_loop is not None and get_running_loop() is not None


def current_task() -> Any:
    """The task that runs on this thread; None if there is none."""
    return sys.modules["asyncio"].current_task() if is_loop_running() else None


@functools.lru_cache(maxsize=1024)
def _first_instruction(code: CodeType) -> int:
    """Where a coroutine's own instructions begin; before that, it is only made."""
    return code.co_code[::2].find(opmap["RESUME"]) * 2


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
        self._began = clock()
        # The measured block may be part of a coroutine; that call, and those that await it, are not of the block.
        self._around = {
            id(frame) for frame in frames_of(sys._getframe(1)) if frame.f_code.co_flags & inspect.CO_COROUTINE
        }
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
        if id(frame) in self._around:
            return
        now = self._clock()
        figures = self._figures.setdefault(code, _Figures())
        figures.calls += 1
        if frame.f_lasti > _first_instruction(code):  # it was suspended when we began
            figures.awaiting += now - self._began
        task = current_task()
        if task is not None and task is not self._own_task and len(figures.tasks) < _MOST_NAMES:
            figures.tasks[task.get_name()] = None
        self._open[id(frame)] = _Call(figures, now)

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
