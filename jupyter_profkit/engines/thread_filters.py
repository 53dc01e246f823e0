"""cProfile's callbacks, each behind a line of Python that keeps other threads out.

filters = ThreadFilters(threading.get_ident(), {"PY_RETURN": profile._pyreturn_callback, ...})
filters.callbacks               likewise by event, to be registered in their place
filters.is_over(traceback)      whether a call that an interrupt ended in one of them needs no end any more
"""

from __future__ import annotations

import dis
import functools
import threading
from collections.abc import Callable, Mapping
from types import CodeType, TracebackType

__all__ = ["ThreadFilters"]

Callback = Callable[..., None]


class ThreadFilters:
    """What passes events of one thread on, as quickly as Python can.

    Parameters
    ----------
    thread : the thread's identifier.
    callbacks : by the name of the event of `sys.monitoring` that they are for.
    """

    def __init__(self, thread: int, callbacks: Mapping[str, Callback]) -> None:
        self.callbacks = {event: _filter(thread, event, callback) for event, callback in callbacks.items()}
        self._events = {filter_.__code__: event for event, filter_ in self.callbacks.items()}

    def is_over(self, traceback: TracebackType) -> bool | None:
        """Whether the call that an interrupt ends was not begun yet, or ended already; None if it came in no filter.

        Parameters
        ----------
        traceback : what the interrupt unwinds, innermost frame.
        """
        event = self._events.get(traceback.tb_frame.f_code, "")
        if not event.startswith("PY_"):
            return None
        is_told = traceback.tb_lasti == _last_call(traceback.tb_frame.f_code)
        return is_told is event.endswith(("RETURN", "YIELD"))


def _filter(thread: int, event: str, callback: Callback) -> Callback:
    get_ident = threading.get_ident

    def begin(code: CodeType, offset: int) -> None:
        if get_ident() == thread:
            callback(code, offset)

    def end(code: CodeType, offset: int, value: object) -> None:
        if get_ident() == thread:
            callback(code, offset, value)

    def call(code: CodeType, offset: int, called: object, argument: object) -> None:
        if get_ident() == thread:
            callback(code, offset, called, argument)

    by_event: dict[str, Callback] = dict.fromkeys(("PY_START", "PY_RESUME"), begin)
    by_event |= dict.fromkeys(("PY_RETURN", "PY_YIELD"), end)
    return by_event.get(event, call)


@functools.cache
def _last_call(code: CodeType) -> int:
    """Where in a filter it is that the callback is called."""
    return max(each.offset for each in dis.get_instructions(code) if each.opname == "CALL")
