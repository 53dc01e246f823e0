"""Which calls of a run are kept to be marked on its curve.

calls = LongestCalls()
calls.add(Call(code, start, end, rss_start, rss_end, depth))
calls.found, calls.n_calls
"""

from __future__ import annotations

import heapq
from types import CodeType
from typing import NamedTuple

__all__ = ["Call", "LongestCalls"]


class Call(NamedTuple):
    """One activation, from enter to leave; a generator or coroutine has one for each time that it went on."""

    code: CodeType
    start: float
    """The clock's."""
    end: float
    rss_start: int
    rss_end: int
    depth: int
    """How many activations of followed code were below it."""


class LongestCalls:
    """Activations of a run; of very many the longest."""

    def __init__(self, n_most: int = 1000) -> None:
        self._n_most = n_most
        self._least = -1.0
        self.n_calls = 0
        self.found: list[Call] = []

    def add(self, call: Call) -> None:
        self.n_calls += 1
        if call.end - call.start > self._least:
            self.found.append(call)
            if len(self.found) > 2 * self._n_most:
                self.found = heapq.nlargest(self._n_most, self.found, key=lambda call: call.end - call.start)
                self._least = self.found[-1].end - self.found[-1].start
