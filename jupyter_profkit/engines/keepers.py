"""Objects that the interpreter or a library keeps by itself: where a search that goes backward ends.

    keepers = Keepers(holders)
    keepers.root_of(task)               Root("task", ("Task-7 of work()",))
    keepers.counts(owner, task)         False for a queue of the event loop

A pending task is in a queue of its event loop, the handler of a signal in an array of
C, every logger behind each module that logs: the ways to these are long, many or
hidden, and nobody would cut them there.
"""

from __future__ import annotations

import contextvars
import logging
import signal
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any, Final

from jupyter_profkit.engines.machinery import OwnObjects
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.roots import Root, pending_tasks
from jupyter_profkit.engines.safe_repr import exact_name, printable, type_name

__all__ = ["Keepers", "running_loop"]

_PLAIN: Final = frozenset(id(kind) for kind in (list, tuple, dict, set, types.CellType))
_LOOPS_OWN: Final = frozenset(
    {"Handle", "TimerHandle", "Future", "TaskStepMethWrapper", "TaskWakeupMethWrapper", "builtin_function_or_method"}
)
"""What an event loop holds a task with."""


class Keepers:
    """What keeps objects here; only ids of them are held.

    Parameters
    ----------
    holders : who has names here.
    """

    def __init__(self, holders: Holders) -> None:
        self._holders = holders
        self._own = OwnObjects()
        self._tasks = pending_tasks()
        self._roots = {**self._tasks, **dict(_loggers()), **dict(_signal_handlers()), **dict(_hooks())}
        self._handle = getattr(sys.modules.get("asyncio.events"), "TimerHandle", None)
        self._loop = running_loop()

    def root_of(self, obj: Any, *, is_held: bool) -> Root | None:
        """The name of `obj`, if it is kept without one.

        Parameters
        ----------
        is_held : whether anything that the collector sees holds it.
        """
        kind = type(obj)
        if id(kind) in _PLAIN:  # most are; this is asked of every object that a search meets
            return None
        if self._holders.is_shell(obj):
            return Root("shell", ("IPython itself",))
        if obj is self._loop and obj is not None:
            return Root("event loop", ("the event loop",))
        if kind is self._handle:
            what = "a cancelled call" if obj.cancelled() else "a call that waits"
            return Root("event loop", (f"{what} in the event loop",))
        if kind is contextvars.Context and (not is_held or obj is self._holders.context or _is_entered(obj)):
            return Root("context", ("a context",))
        return self._roots.get(id(obj))

    def counts(self, owner: Any, obj: Any) -> bool:
        """Whether `owner` is more to `obj` than the way in which an event loop has its tasks and their contexts."""
        kind = type(obj)
        if kind is not contextvars.Context and id(obj) not in self._tasks:
            return True
        name = type_name(type(owner))
        if kind is contextvars.Context and name == "Task":
            return id(owner) in self._tasks
        if kind is contextvars.Context and name in {"Handle", "TimerHandle"}:
            return owner.cancelled() or self._own.has(owner._callback)
        return name not in _LOOPS_OWN


def running_loop() -> Any:
    """The event loop in which this cell runs, or None."""
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events is not None else None


def _is_entered(context: contextvars.Context) -> bool:
    """Whether something runs in a context, so that a frame of C holds it."""
    try:
        context.run(int)
    except RuntimeError:
        return True
    return False


def _loggers() -> Iterator[tuple[int, Root]]:
    yield id(logging.root), Root("logger", ("the root logger",))
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield id(logger), Root("logger", (f"the logger {printable(exact_name(name), 60)}",))


def _signal_handlers() -> Iterator[tuple[int, Root]]:
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler) and isinstance(number, signal.Signals):
                yield id(handler), Root("signal", (f"{number.name} has this handler",))


def _hooks() -> Iterator[tuple[int, Root]]:
    """What this thread's calls are told to."""
    for name in ("profile", "trace"):
        function = getattr(sys, f"get{name}")()
        if function is not None:
            yield id(function), Root("hook", (f"sys.set{name} has this function",))
