"""Resident memory of this process and of its children, as one figure.

    meter = FamilyMeter(resident_memory_meter())

Children are searched every few milliseconds, and read at each look. What they had
between two looks is not seen; the peak of this process is as exact as its own meter
is. Pages that a child shares with its parent count for each, as in memory_profiler.
Helper processes of ours are no part of the family.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Final

from jupyter_profkit.engines import sampler
from jupyter_profkit.engines.resident_memory import MemoryMeter

__all__ = ["FamilyMeter"]

_HELPER: Final = b" -I -S sampler.py "
_SEARCH_EVERY: Final = 0.005
"""Seconds; a search reads the list of all processes."""


_open_process: Final[Callable[[int], sampler.Process]] = (
    sampler.ProcProcess if sys.platform == "linux" else sampler.PsutilProcess
)


class FamilyMeter:
    """A `MemoryMeter` that adds the children of this process to what another one says."""

    def __init__(self, own: MemoryMeter) -> None:
        self._own = own
        self.exact_peak = own.exact_peak
        self.description = f"{own.description}; children added as they are whenever a line is looked at"
        self._process: sampler.Process | None = None
        self._children: dict[int, sampler.Process] = {}
        self._strangers: set[int] = set()
        self._next_search = 0.0
        self._before = 0

    def open(self) -> None:
        self._process = _open_process(os.getpid())
        self._own.open()

    def read(self) -> tuple[int, int]:
        rss, high = self._own.read()
        before, self._before = self._before, self._of_children()
        return rss + self._before, max(high + min(before, self._before), rss + self._before)

    def is_unchanged(self) -> bool:
        return not self._children and time.perf_counter() < self._next_search and self._own.is_unchanged()

    def _of_children(self) -> int:
        now = time.perf_counter()
        if now >= self._next_search:
            self._search()
            self._next_search = time.perf_counter() + _SEARCH_EVERY
        total = 0
        for pid, child in list(self._children.items()):
            try:
                total += child.rss()
            except (OSError, ValueError):  # it has ended
                self._children.pop(pid).close()
        return total

    def _search(self) -> None:
        assert self._process is not None
        for pid in self._process.descendants():
            if pid in self._children or pid in self._strangers:
                continue
            try:
                child = _open_process(pid)
                is_ours = _HELPER in child.command()
            except (OSError, ValueError):
                continue
            if is_ours:
                self._strangers.add(pid)
                child.close()
            else:
                self._children[pid] = child

    def faults(self, thread_id: int) -> int:
        return self._own.faults(thread_id)

    def all_faults(self) -> int:
        return self._own.all_faults()

    def close(self) -> None:
        self._own.close()
        for child in self._children.values():
            child.close()
        self._children.clear()
        if self._process is not None:
            self._process.close()
            self._process = None
