"""Points at which a signal may be handled: where functions end (Python 3.12+).

    points = ReturnPoints()
    points.open()
    ...
    points.refill()             at each sample
    ...
    points.close()

The interpreter handles signals, and gives itself to other threads, when a function
begins, after calls of C functions and at the end of a loop's turn. An operator that takes
long (``return a @ b`` of arrays) is followed by none of them in the function it stands in,
and a sample that came due meanwhile would be taken in the caller, always. Here a function
in Python, which does nothing, is called when another one returns or yields, and signals
are handled as it begins.

That costs a tenth of a microsecond. So there are so many between two samples, and a place
that returns when these are used up is not listened to any longer: a function that ends
that often is too short to hide much.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Final

from jupyter_profkit.engines.tool_slots import MONITORING, claim_tool, release_tool, tool_holders
from jupyter_profkit.errors import EngineBusyError

__all__ = ["ReturnPoints", "are_told_after", "is_return_point"]

_NAME: Final = "jupyter_profkit return points"
_MOST: Final = 200
"""Returns between two samples that are listened to: at 1 ms no more than 2 % of the time."""


class ReturnPoints:
    """Such points in all code, from `open` to `close`.

    Before Python 3.12, and while every tool id is taken, there are none.
    """

    def __init__(self) -> None:
        self._tool: int | None = None
        self.refill: Callable[[], None] = _nothing
        """Begin to count anew."""

    def open(self) -> None:
        if MONITORING is None:
            return
        try:
            self._tool = tool = claim_tool(_NAME)
        except EngineBusyError:
            return
        events = MONITORING.events
        self.refill, on_return = _callbacks()
        for event in (events.PY_RETURN, events.PY_YIELD):
            MONITORING.register_callback(tool, event, on_return)
        MONITORING.set_events(tool, events.PY_RETURN | events.PY_YIELD)

    def close(self) -> None:
        """A second call does nothing."""
        if self._tool is not None:
            release_tool(self._tool)
            self._tool, self.refill = None, _nothing


def is_return_point(code: CodeType) -> bool:
    """Whether `code` is what is called at such a point."""
    return code is _RETURN_POINT


def are_told_after(tool: int) -> bool:
    """Whether `tool` hears of a return first: what is raised at such a point, tools with a lower id do not hear of."""
    return all(point < tool for point, name in tool_holders().items() if name == _NAME)


def _callbacks() -> tuple[Callable[[], None], Callable[..., object]]:
    n_heard = 0
    disable = MONITORING.DISABLE

    def refill() -> None:
        nonlocal n_heard
        n_heard = 0

    # What hides it in tracebacks is a parameter, since an interrupt comes before the first statement.
    def on_return(
        _code: CodeType,
        _offset: int,
        _value: object,
        __tracebackhide__: bool = True,  # noqa: ARG001
    ) -> object:
        nonlocal n_heard
        n_heard += 1
        return disable if n_heard > _MOST else None

    return refill, on_return


def _nothing() -> None:
    pass


_RETURN_POINT: Final = _callbacks()[1].__code__ if MONITORING is not None else _nothing.__code__
