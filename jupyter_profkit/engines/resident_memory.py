"""Resident memory of this process: how much now, and how much at most since the last look.

    meter = resident_memory_meter()
    meter.open()
    rss, high = meter.read()        bytes; `high` covers all that happened since the last read
    meter.close()

On Linux a look costs about 1 µs and `high` is exact, temporaries inside one C
call included:

* ``/proc/self/statm`` on a kept descriptor has the resident pages;
* the high-water mark (``VmHWM``) is reset by writing ``5`` to ``/proc/self/clear_refs``
  (Linux 4.0, proc(5)), after each look that found a change;
* ``getrusage`` tells cheaply whether there may be one: ``ru_maxrss`` is the same mark,
  but it never shows less than what the parent process had at exec. While memory is
  below that floor, the page faults of all threads tell: without one it cannot have risen.

Elsewhere psutil says what is resident now, and `high` is only what was seen.
"""

from __future__ import annotations

import os
import sys
from typing import Protocol

__all__ = ["LinuxMeter", "MemoryMeter", "PsutilMeter", "resident_memory_meter"]


class MemoryMeter(Protocol):
    """A source of resident memory; tests put in one of their own."""

    exact_peak: bool
    """Whether `read` sees what came and went between two looks."""

    description: str
    """How it measures, for the report."""

    def open(self) -> None:
        """Get ready; the first `read` covers what happens from here."""

    def read(self) -> tuple[int, int]:
        """Bytes resident now, and the most since the last read."""

    def is_unchanged(self) -> bool:
        """Whether nothing came or went since the last read, so that there is no need for another; quick."""

    def faults(self, thread_id: int) -> int:
        """Pages that a thread (its native id) has made resident so far; 0 if unknown."""

    def all_faults(self) -> int:
        """Pages that all threads have made resident so far; 0 if unknown."""

    def close(self) -> None:
        """Let go of descriptors."""


def resident_memory_meter() -> MemoryMeter:
    """The best meter of this system."""
    if sys.platform == "linux" and LinuxMeter.works():
        return LinuxMeter()
    return PsutilMeter()


if sys.platform == "linux":
    import resource

    _getrusage, _pread = resource.getrusage, os.pread
    _SELF, _THREAD = (
        resource.RUSAGE_SELF,
        resource.RUSAGE_THREAD,
    )  # the latter is cheaper, most of all with many threads

    class LinuxMeter:
        """Exact, from ``/proc``."""

        exact_peak = True
        description = "resident memory from /proc/self/statm, peaks from the kernel's high-water mark (exact)"

        def __init__(self) -> None:
            self._page = os.sysconf("SC_PAGE_SIZE")
            self._statm = self._status = self._clear_refs = -1
            self._who = _SELF
            self._mark = self._faults = -1
            self._floor = 0
            self._bytes = b""
            self._rss = 0

        @staticmethod
        def works() -> bool:
            """Whether this system lets the process reset its own high-water mark."""
            meter = LinuxMeter()
            try:
                meter.open()
                meter.read()
            except (OSError, ValueError):
                return False
            finally:
                meter.close()
            return True

        def open(self) -> None:
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            self._status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
            self._clear_refs = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
            self._mark = self._faults = -1
            os.write(self._clear_refs, b"5")
            self._floor = _getrusage(_SELF)[2] * 1024  # or what is resident, where that is more

        def is_unchanged(self) -> bool:
            usage = _getrusage(self._who)
            return (
                usage[2] == self._mark  # ru_maxrss
                and usage[6] == self._faults  # ru_minflt
                and _pread(self._statm, 96, 0) == self._bytes
            )

        def read(self) -> tuple[int, int]:
            usage = _getrusage(self._who)
            statm = _pread(self._statm, 96, 0)
            may_have_risen = usage[2] != self._mark or usage[6] != self._faults
            if not may_have_risen and statm == self._bytes:
                return self._rss, self._rss
            rss = int(statm.split(None, 2)[1]) * self._page
            high = max(rss, self._high_water() if may_have_risen else self._rss)
            os.write(self._clear_refs, b"5")  # also when memory fell: the mark must fall with it
            self._bytes, self._rss = statm, rss
            self._who = _SELF if rss < self._floor else _THREAD
            usage = _getrusage(self._who)
            self._mark, self._faults = usage[2], usage[6]
            return rss, high

        def _high_water(self) -> int:
            status = _pread(self._status, 4096, 0)
            at = status.index(b"VmHWM:") + 6
            return int(status[at : status.index(b"kB", at)]) * 1024

        def faults(self, thread_id: int) -> int:
            try:
                with open(f"/proc/self/task/{thread_id}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - on a hot path
                    fields = file.read(1024).rpartition(b")")[2].split()
            except OSError:  # the thread is gone
                return 0
            return int(fields[7]) + int(fields[9])  # minflt and majflt, proc_pid_stat(5)

        def all_faults(self) -> int:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            return usage[6] + usage[7]

        def close(self) -> None:
            for descriptor in (self._statm, self._status, self._clear_refs):
                if descriptor >= 0:
                    os.close(descriptor)
            self._statm = self._status = self._clear_refs = -1


class PsutilMeter:
    """What psutil sees at each look; nothing in between."""

    exact_peak = False
    description = "resident memory from psutil; peaks between two lines are not seen on this system"

    def __init__(self) -> None:
        self._rss = 0

    def open(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._rss = self._process.memory_info().rss

    def read(self) -> tuple[int, int]:
        before, self._rss = self._rss, self._process.memory_info().rss
        return self._rss, max(before, self._rss)

    def is_unchanged(self) -> bool:
        return False  # to find out is to read

    def faults(self, thread_id: int) -> int:
        return 0

    def all_faults(self) -> int:
        return 0

    def close(self) -> None:
        self._rss = 0
