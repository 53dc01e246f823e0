"""How long a thread stood still by its own doing, as the system counts it.

    meter = IdleMeter.of_this_thread()
    ...
    meter.read(0.001)           of the last millisecond, the seconds in which it slept or waited

A thread that has no processor because others have it is not idle. Linux tells the
two apart by voluntary context switches; from another thread, and on other systems,
all time without a processor counts.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

__all__ = ["IdleMeter"]

_RUSAGE_THREAD = 1
_LEAST = 20e-6
"""Seconds below which the difference of two clocks says nothing."""

Reading = tuple[float, int]
"""Seconds of processor time, and how often the thread gave the processor up."""


class IdleMeter:
    """What is idle of the time between two readings.

    Parameters
    ----------
    reading : gives the figures of the thread that is measured.
    """

    def __init__(self, reading: Callable[[], Reading]) -> None:
        self._reading = reading
        self._cpu, self._n_switches = reading()

    @classmethod
    def of_this_thread(cls) -> IdleMeter | None:
        """A meter of the calling thread, whoever reads it; None where the system does not tell."""
        try:
            clock = time.pthread_getcpuclockid(threading.get_ident())
        except (AttributeError, OSError):
            return None
        ident = threading.get_ident()
        n_readings = 0

        def reading() -> Reading:
            nonlocal n_readings
            if _getrusage is not None and threading.get_ident() == ident:
                usage = _getrusage(_RUSAGE_THREAD)
                return time.clock_gettime(clock), usage.ru_nvcsw
            n_readings += 1
            return time.clock_gettime(clock), -n_readings

        return cls(reading)

    def read(self, passed: float) -> float:
        """The idle part of the `passed` seconds since the last reading."""
        cpu, n_switches = self._reading()
        idle = passed - (cpu - self._cpu)
        gave_up = n_switches != self._n_switches
        self._cpu, self._n_switches = cpu, n_switches
        return idle if gave_up and idle > _LEAST else 0.0


_getrusage = None
if sys.platform == "linux":
    import resource

    _getrusage = resource.getrusage
