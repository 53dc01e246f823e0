"""The calls that ended while a sample was due (Python 3.11, where `return_points` cannot be had).

    ended = EndedCalls(profile.getstats)
    ended.within(0.3, stack, is_outermost)      [f, g], 0.29: g called f, which took 0.29 of the last 0.3 seconds

An operator that takes long in C is followed by no point at which a signal is handled
until the functions around it have ended, perhaps. The sample is then taken in whoever
called them. But cProfile has noted by then what they took, and no function can have
begun since: what has grown by most of the time that passed is where it passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable
from types import CodeType
from typing import Any, Final

__all__ = ["EndedCalls"]

_LEAST_SHARE: Final = 0.5
"""How much of the time must have passed in the function, and how much of the reading's since the last sample."""
_MOST_OF_THE_TIME: Final = 0.005


class EndedCalls:
    """Reads a profile's figures again and again, which takes a two-hundredth of the time at most.

    Parameters
    ----------
    getstats : that of a `cProfile.Profile` that is on.
    """

    def __init__(self, getstats: Callable[[], Iterable[Any]]) -> None:
        self._getstats = getstats
        self._own: dict[int, float] = {}
        self._calls: dict[tuple[int, int], float] = {}
        self._codes: dict[int, CodeType] = {}
        self._cost = 0.0
        self._read_at = time.perf_counter()

    def within(
        self, passed: float, stack: Container[CodeType], is_outermost: Callable[[CodeType], bool]
    ) -> tuple[list[CodeType], float]:
        """Functions that ended one inside the other, innermost first, and seconds that the first one took itself.

        Parameters
        ----------
        passed : the seconds since the last sample; the ones that are told are of these.
        stack : what is running.
        is_outermost : whether what called a function is of no interest.

        Returns
        -------
        list of CodeType, float
            Nothing and 0 if the time passed elsewhere, or it cannot be told without guessing.
        """
        since = time.perf_counter() - self._read_at
        if since * _MOST_OF_THE_TIME < self._cost:
            return [], 0.0
        own, calls = self._grown()
        took, innermost = max(((seconds, key) for key, seconds in own.items()), default=(0.0, 0))
        if took < _LEAST_SHARE * passed or passed < _LEAST_SHARE * since:
            return [], 0.0
        found, least = [innermost], _LEAST_SHARE * took
        while not is_outermost(self._codes[found[-1]]):
            callers = [caller for (caller, called), spent in calls.items() if called == found[-1] and spent >= least]
            if len(callers) != 1 or callers[0] in found or self._codes[callers[0]] in stack:
                break
            found += callers
        return [self._codes[key] for key in found], min(took, passed)

    def _grown(self) -> tuple[dict[int, float], dict[tuple[int, int], float]]:
        """Seconds that functions took themselves, and calls of each by each, since the figures were last read."""
        began = time.thread_time()  # the machine's other work is not its cost
        own, calls = self._own, self._calls
        self._own, self._calls = {}, {}
        for entry in self._getstats():
            if isinstance(entry.code, CodeType):
                key = id(entry.code)  # code is compared by what is in it, which takes long
                self._codes[key] = entry.code
                self._own[key] = entry.inlinetime
                self._calls |= {(key, id(called.code)): called.totaltime for called in entry.calls or ()}
        self._read_at = time.perf_counter()
        self._cost = time.thread_time() - began
        return (
            {key: seconds - own.get(key, 0.0) for key, seconds in self._own.items()},
            {edge: seconds - calls.get(edge, 0.0) for edge, seconds in self._calls.items()},
        )
