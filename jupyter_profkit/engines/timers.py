"""Something that calls back every so often on the thread that is measured, or beside it.

    pacer = SignalPacer(tick)       or ThreadPacer(tick)
    pacer.start(0.001)
    pacer.stop()

``tick(frame)`` gets the innermost frame of the measured thread and returns the
seconds until it wants to be called again.

* `SignalPacer` has a timer of its own (POSIX ``timer_create``) with a real-time signal
  that nobody uses, aimed at the main thread. The one timer behind ``signal.alarm`` and
  ``signal.setitimer`` stays the user's, and so does ``SIGALRM``.
* `ThreadPacer` works everywhere: a thread that looks at `sys._current_frames`.

Each tick is asked for singly, so that ticks never pile up behind a slow one.
"""

from __future__ import annotations

import ctypes
import functools
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

__all__ = ["Pacer", "SignalPacer", "ThreadPacer", "Tick", "pacer_for"]

Tick = Callable[[FrameType | None], float]

_CLOCK_MONOTONIC: Final = 1
_SIGEV_THREAD_ID: Final = 4
_SWITCH_INTERVAL: Final = 0.0005


class Pacer(Protocol):
    """What calls `Tick`."""

    description: str

    def start(self, interval: float) -> None: ...

    def stop(self) -> None: ...


def pacer_for(tick: Tick) -> Pacer:
    """The best pacer for the calling thread."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and SignalPacer.is_available():
        return SignalPacer(tick)
    return ThreadPacer(tick)


class _SignalEvent(ctypes.Structure):
    """``struct sigevent`` of Linux."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("tid", ctypes.c_int),
        ("padding", ctypes.c_byte * 64),
    )


class _TimerSpec(ctypes.Structure):
    """``struct itimerspec``: the interval, which is not used, and the time to the next tick."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


class SignalPacer:
    """Ticks in a signal handler of the main thread; only to be started and used there."""

    description = "a timer signal"

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self._timer = ctypes.c_void_p()
        self._signal = 0

    @staticmethod
    @functools.cache
    def is_available() -> bool:
        """Whether this system has such timers."""
        if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
            return False
        return hasattr(_libc(), "timer_create")  # older C libraries keep it in librt

    def start(self, interval: float) -> None:
        """Begin to tick.

        Raises
        ------
        OSError
            If every real-time signal has a handler already, or there is no timer to be had.
        """
        self._signal = _free_signal()
        signal.signal(self._signal, self._on_signal)
        signal.siginterrupt(self._signal, False)  # system calls of C libraries are restarted
        event = _SignalEvent(signo=self._signal, notify=_SIGEV_THREAD_ID, tid=threading.get_native_id())
        if _libc().timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)) != 0:
            self._give_back_signal()
            raise OSError(ctypes.get_errno(), "no timer to be had")
        self._arm(interval)

    def stop(self) -> None:
        """Tick no more; a second call does nothing."""
        if self._signal:
            _libc().timer_delete(self._timer)
            self._give_back_signal()

    def _give_back_signal(self) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python does not let us
            # What is still on its way would end the process by default; to ignore it first discards it.
            signal.signal(self._signal, signal.SIG_IGN)
            signal.signal(self._signal, signal.SIG_DFL)
        self._signal = 0

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if not self._signal:
            return
        # What fails here (near the recursion limit, out of memory) would be raised into the
        # measured code; sampling ends instead. No context manager: its calls would be counted.
        try:  # noqa: SIM105
            self._arm(self._tick(frame))
        except Exception:  # noqa: S110
            pass

    def _arm(self, seconds: float) -> None:
        whole, rest = divmod(seconds, 1.0)
        spec = _TimerSpec(0, 0, int(whole), max(int(rest * 1e9), 1))
        _libc().timer_settime(self._timer, 0, ctypes.byref(spec), None)


def _free_signal() -> int:
    """A real-time signal without a handler, the last first: those that are used by others begin at the front."""
    for number in range(signal.SIGRTMAX, signal.SIGRTMIN, -1):
        if signal.getsignal(number) is signal.SIG_DFL:
            return number
    raise OSError("every real-time signal is taken")


class ThreadPacer:
    """Ticks in a thread of its own, which looks at the thread that made the pacer."""

    description = "a thread"

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self._measured = threading.get_ident()
        self._over = threading.Lock()
        self._thread: threading.Thread | None = None
        self._switch_interval = 0.0

    def start(self, interval: float) -> None:
        """Begin to tick.

        Raises
        ------
        RuntimeError
            If this system has no threads to give.
        """
        self._over.acquire()
        thread = threading.Thread(target=self._run, args=(interval,), name="profkit stack sampler", daemon=True)
        thread.start()
        self._thread = thread
        # A thread that wants the interpreter waits this long for it; 5 ms would be too coarse.
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(self._switch_interval, _SWITCH_INTERVAL))

    def stop(self) -> None:
        """Tick no more, and wait for the thread's end; a second call does nothing."""
        if self._thread is not None:
            self._over.release()
            self._thread.join()
            self._thread = None
            sys.setswitchinterval(self._switch_interval)

    def _run(self, delay: float) -> None:
        # Only C functions but ours: what else this thread ran in Python, an exact profiler would hear.
        while not self._over.acquire(timeout=delay):
            delay = self._tick(sys._current_frames().get(self._measured))
