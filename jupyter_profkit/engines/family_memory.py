"""Resident memory of this process and of its children, as one figure.

    meter = FamilyMeter(resident_memory_meter())

* Children are looked at with each look of ours, and every 10 ms in between, by a
  thread: what a child has at most is seen also while one line waits for it.
* Pages that a child shares with others, its parent before all, are not the child's:
  a fork has nothing at first. Which these are takes long to count, so that between
  two counts only resident sizes are looked at.
* Helper processes of ours are no part of the family.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from jupyter_profkit.engines import sampler
from jupyter_profkit.engines.resident_memory import MemoryMeter

__all__ = ["FamilyMeter"]

_HELPER: Final = b" -I -S sampler.py "
_LOOK_EVERY: Final = 0.01
_SEARCH_EVERY: Final = 0.005
"""Seconds; a search reads the list of all processes."""
_COUNT_EVERY: Final = 0.03
_SHARE_OF_COUNTS: Final = 0.03
"""Of the time, at most, for counting shared pages."""


_open_process: Final[Callable[[int], sampler.Process]] = (
    sampler.ProcProcess if sys.platform == "linux" else sampler.PsutilProcess
)


class _Child:
    """A child process, and what it has for itself."""

    def __init__(self, process: sampler.Process) -> None:
        self._process = process
        self._then, self._shared = 1, 0
        self._next_count = 0.0

    def own(self, parent: sampler.Process) -> int:
        """Bytes; OSError or ValueError when it has ended."""
        rss, now = self._process.rss(), time.perf_counter()
        if now >= self._next_count:
            self._then, self._shared = sampler.shared_part(self._process, parent)
            took = time.perf_counter() - now
            self._next_count = now + max(_COUNT_EVERY, took / _SHARE_OF_COUNTS)
        return max(0, sampler.own_part(rss, self._then, self._shared))

    def close(self) -> None:
        self._process.close()


class FamilyMeter:
    """A `MemoryMeter` that adds the children of this process to what another one says."""

    def __init__(self, own: MemoryMeter) -> None:
        self._own = own
        self.exact_peak = own.exact_peak
        self.description = f"{own.description}; children added, without shared pages, as they are every 10 ms"
        self._pid = os.getpid()
        self._process: sampler.Process | None = None
        self._children: dict[int, _Child] = {}
        self._strangers: set[int] = set()
        self._next_search = 0.0
        self._before = self._high = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def open(self) -> None:
        self._pid = os.getpid()
        self._process = _open_process(self._pid)
        self._own.open()
        self._watcher = threading.Thread(target=self._watch, name="jupyter_profkit children", daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY):
            # A process may be gone, and memory may be short under a limit: the next look has more luck.
            with contextlib.suppress(OSError, ValueError, MemoryError), self._lock:
                self._high = max(self._high, self._of_children())

    def read(self) -> tuple[int, int]:
        rss, high = self._own.read()
        with self._lock:
            before, self._before = self._before, self._of_children()
            highest, self._high = max(self._high, self._before), 0
        return rss + self._before, max(high + min(before, self._before), rss + highest)

    def is_unchanged(self) -> bool:
        is_alone = not self._children and not self._high and not self._before
        return is_alone and time.perf_counter() < self._next_search and self._own.is_unchanged()

    def _of_children(self) -> int:
        now = time.perf_counter()
        if now >= self._next_search:
            self._search()
            self._next_search = time.perf_counter() + _SEARCH_EVERY
        assert self._process is not None
        total = 0
        for pid, child in list(self._children.items()):
            try:
                total += child.own(self._process)
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
                self._children[pid] = _Child(child)

    def faults(self, thread_id: int) -> int:
        return self._own.faults(thread_id)

    def all_faults(self) -> int:
        return self._own.all_faults()

    def close(self) -> None:
        if self._watcher is not None and os.getpid() == self._pid:  # a forked child has no such thread
            self._stopped.set()
            self._watcher.join()
        self._own.close()
        for child in self._children.values():
            child.close()
        self._children.clear()
        if self._process is not None:
            self._process.close()
            self._process = None
