"""How long a thread stood still by its own doing, as the system counts it.

    meter = IdleMeter.of_this_thread()
    ...
    meter.read(0.001)           of the last millisecond, the seconds in which it slept or waited
    meter.close()

A thread that has no processor because others have it is not idle. Linux tells the
two apart: it counts the time in which a thread was ready and had to queue, and how
often it gave the processor up of its own accord. The latter only the thread itself
can ask for; on other systems, all time without a processor counts.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["IdleMeter", "Reading"]

_RUSAGE_THREAD = 1
_LEAST = 20e-6
"""Seconds below which the difference of two clocks says nothing."""

_LITTLE = 0.25
"""Processor time, as a part of the time that a thread stood still, that it takes to be looked at."""


Reading = tuple[float, float, int | None]
"""Of a thread: seconds of processor time, seconds in which it was ready but others had the processor, and how often
it gave the processor up, if that is known. No named tuple: making one is a call that the profiler would count."""


class IdleMeter:
    """What is idle of the time between two readings.

    Parameters
    ----------
    reading : gives the figures of the thread that is measured.
    close : lets go of what that needs.
    """

    def __init__(self, reading: Callable[[], Reading], close: Callable[[], None] | None = None) -> None:
        self._reading = reading
        self._close = close
        self._last = reading()

    @classmethod
    def of_this_thread(cls) -> IdleMeter | None:
        """A meter of the calling thread, whoever reads it; None where the system does not tell."""
        ident = threading.get_ident()
        try:
            clock = time.pthread_getcpuclockid(ident)
        except (AttributeError, OSError):
            return None
        queue = _Queue(threading.get_native_id())

        def reading() -> Reading:
            n_switches = None
            if _getrusage is not None and threading.get_ident() == ident:
                n_switches = _getrusage(_RUSAGE_THREAD).ru_nvcsw
            return time.clock_gettime(clock), queue.seconds(), n_switches

        return cls(reading, queue.close)

    def read(self, passed: float) -> float:
        """The idle part of the `passed` seconds since the last reading."""
        cpu_before, queued_before, n_before = self._last
        cpu_now, queued_now, n_now = self._last = self._reading()
        if n_now is not None and n_now == n_before:
            return 0.0
        cpu, queued = cpu_now - cpu_before, queued_now - queued_before
        idle = passed - cpu - queued
        if cpu < _LITTLE * idle:  # it queued to be told of a reading, and went on standing still
            idle += queued
        return idle if idle > _LEAST else 0.0

    def close(self) -> None:
        """Let go of the thread; a second call does nothing."""
        if self._close is not None:
            self._close()
            self._close = None

    __del__ = close


class _Queue:
    """How long a thread has queued for a processor; nothing where the system does not count that."""

    def __init__(self, native_id: int) -> None:
        self._file: int | None = None
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # a kernel that does not count it
                self._file = os.open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY)

    def seconds(self) -> float:
        if self._file is None:
            return 0.0
        try:
            _, nanoseconds, _ = os.pread(self._file, 100, 0).split()
        except (OSError, ValueError):
            return 0.0
        return int(nanoseconds) * 1e-9

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


_getrusage = None
if sys.platform == "linux":
    import resource

    _getrusage = resource.getrusage
