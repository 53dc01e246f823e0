"""A limit on the memory of this process: whoever asks for too much gets `MemoryError`, at that line.

    limit = MemoryLimit(4 * 1024**3)
    limit.start()
    ...
    limit.lift()       first of all when the code is over: what follows is not limited
    limit.stop()       and the watcher ends
    limit.notes()      what the reader of a report must know

The size is what the process may have resident, what it held before included.

* On Linux the soft ``RLIMIT_DATA`` is lowered to what is reserved now and the rest
  up to the size. The kernel then refuses the allocation that goes too far, touched
  or not, and Python raises `MemoryError` where it was asked for. The hard limit is
  left alone, a lower limit of the user's own stays, and the old one comes back.
* Memory that was reserved before and is touched now, and mapped files, pass that
  by; other systems have no such limit. So a watcher looks at resident memory every
  10 ms: a helper process, which sends ``SIGURG`` (no one's business otherwise, and
  harmless where nobody waits for it). Its handler looks again, and raises
  `MemoryLimitError` in the user's code. Where there are no signals (Windows, a
  thread that is not the main one) a thread looks, and raises it in the thread.
* A step that is nobody's (an event loop that waits) must not fail: there the
  handler does what Ctrl-C does, and the front end ends the cell its own way.
* Measuring takes memory too. A part of the limit is kept back, and lent to an event
  of ours that finds none: `data_limit.lend`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from jupyter_profkit.engines.data_limit import address_space_left, data_limit_works, data_of_process, soft_limit
from jupyter_profkit.engines.helper import Helper
from jupyter_profkit.engines.timeline import read_rss
from jupyter_profkit.errors import MemoryLimitError, OptionError
from jupyter_profkit.source import is_cell_file, is_user_file
from jupyter_profkit.units import MIB, format_size

__all__ = ["MemoryLimit", "Watcher", "limits_hold", "suspended"]

_LEAST = 16 * MIB
"""Bytes that code may take whatever the limit, so that what is too much can be put away again."""
_RESERVE = 8 * MIB
"""Bytes of the limit that are kept back for measuring."""
_INTERVAL = 0.01
_GRACE = 1.0
"""Seconds that code has to come down after it was interrupted, before it is interrupted again."""
_SIGNAL = getattr(signal, "SIGURG", None)
_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_EVENT_LOOP = ("asyncio", "base_events.py")


class MemoryLimit:
    """A limit that holds between `start` and `lift`.

    Parameters
    ----------
    size : bytes that the process may have resident.
    reason : where the size comes from, for the report.
    insist : hold also where the process has more than that already; it may then take a little all the same.

    Raises
    ------
    OptionError
        If the process has more than that already, unless `insist`.
    """

    def __init__(self, size: int, *, reason: str = "", insist: bool = False) -> None:
        self.size = size
        self.reason = reason
        if not insist:
            self._refuse_what_is_used_already()
        self._watcher: Watcher | None = None
        self._thread: _WatchingThread | None = None
        self._pid = os.getpid()
        self._quiet_until = 0.0
        self._holds = False
        self._threshold = size
        self._own: int | None = None
        self.left = 0
        """Bytes that were left up to the limit when it began."""
        self.was_full = False
        """Whether the process had more than that by then; it may take a little all the same."""
        self.interrupted = False
        """Whether the watcher had to step in."""
        self.is_undercut = False
        """Whether a lower limit began while this one held: it is reached first."""
        self._failure = ""

    def _refuse_what_is_used_already(self) -> None:
        used = read_rss(os.getpid())
        if self.size <= used:
            raise OptionError(
                f"a limit of {format_size(self.size)} is below the {format_size(used)} that the process holds already"
            )

    def start(self) -> None:
        """Let the limit hold; first of all the watcher, whose start takes some memory."""
        self._pid = os.getpid()
        is_main = threading.current_thread() is threading.main_thread()
        if _SIGNAL is None or not is_main:
            self._thread = _WatchingThread(self)
            self._thread.start()
        else:
            try:
                self._watcher = Watcher(self.size)
            except (OSError, ImportError) as error:
                self._failure = f"nothing watches memory that was reserved before ({error})"
        self.left = max(self.size - read_rss(os.getpid()), 0)
        self.was_full = self.left < _LEAST
        self._begin()
        for other in _holding:
            other.is_undercut = other.is_undercut or self.size <= other.size
        _holding.append(self)
        _install_handler()

    def _begin(self) -> None:
        """Count from what is used now."""
        used = read_rss(os.getpid())
        room = max(self.size - used, _LEAST)
        self._threshold = used + room
        if data_limit_works():
            self._own = soft_limit.hold(self, data_of_process() + room, min(_RESERVE, room // 8))
        self._holds = True

    def lift(self) -> None:
        """Let go of the limit, at once and without asking for memory; a second call does nothing."""
        soft_limit.release(self)
        self._holds = False

    def stop(self) -> None:
        """`lift`, and end what watched; a second call does nothing."""
        self.lift()
        with contextlib.suppress(ValueError):
            _holding.remove(self)
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        if self._watcher is not None and os.getpid() == self._pid:
            self._watcher.stop()
            self._watcher = None
        _restore_handler()

    @property
    def description(self) -> str:
        """How it is held, for the report."""
        means = ["RLIMIT_DATA"] if data_limit_works() else []
        means += ["a watcher"] if not self._failure else []
        reason = f" ({self.reason})" if self.reason else ""
        return f"limit of {format_size(self.size)} for the process{reason}, by {' and '.join(means) or 'nothing'}"

    def notes(self) -> Iterator[str]:
        """What else the reader must know: other limits, and what does not work here."""
        if self.was_full:
            yield (
                f"the process held more than {format_size(self.size - _LEAST)} of its limit of "
                f"{format_size(self.size)} before this began; {format_size(_LEAST)} were let through"
            )
        if self._failure:
            yield self._failure
        if self._own is not None:
            yield f"RLIMIT_DATA of this process was {format_size(self._own)} before, which is reached first and stays"
        address_space = address_space_left()
        if address_space is not None and address_space[1] < self.left:
            yield (
                f"RLIMIT_AS (ulimit -v) allows this process {format_size(address_space[0])} of address space, "
                "which is reached before the limit"
            )

    # called by the watcher

    def check(self, frame: FrameType | None) -> None:
        """Interrupt the code that runs in `frame` if the process has too much; tried again until it can be done.

        Raises
        ------
        MemoryLimitError
            In the user's code.
        KeyboardInterrupt
            While no code of the user's runs.
        """
        who = self._who_must_stop(frame)
        if who == "user":
            raise MemoryLimitError(self._words())
        if who == "nobody":
            _wake_event_loop()  # or it would hear of the interrupt with its next event
            signal.raise_signal(signal.SIGINT)

    def check_thread(self, ident: int) -> None:
        """The same for code in another thread, where blocking calls cannot be interrupted."""
        if self._who_must_stop(sys._current_frames().get(ident)) == "user":
            error = ctypes.py_object(MemoryLimitError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), error)

    def _who_must_stop(self, frame: FrameType | None) -> str:
        now = time.monotonic()
        if not self._holds or now < self._quiet_until or read_rss(os.getpid()) <= self._threshold:
            return ""
        who = _who_runs(frame)
        if who != "us":  # then the next look will do
            self._quiet_until = now + _GRACE
            self.interrupted = True
        return who

    def _words(self) -> str:
        held = format_size(read_rss(os.getpid()))
        return f"the process came to hold {held}; its limit is {format_size(self.size)}"


def _who_runs(frame: FrameType | None) -> str:
    """Whose step a thread is in: ``user``, ``us``, or ``nobody`` while an event loop waits or serves others.

    An exception in a step of the front end's own would end it, and the kernel with it.
    """
    while frame is not None:
        filename = frame.f_code.co_filename
        if filename.startswith(_PACKAGE):
            return "us"
        if is_user_file(filename) or is_cell_file(filename) or filename.startswith("<%"):
            return "user"
        if filename.endswith(os.path.join(*_EVENT_LOOP)):  # noqa: PTH118 - a name, not a file to open
            return "nobody"
        frame = frame.f_back
    return "nobody"


def _wake_event_loop() -> None:
    import asyncio

    with contextlib.suppress(RuntimeError):  # there is none
        asyncio.get_running_loop().call_soon_threadsafe(int)


# The watcher


class Watcher:
    """A helper process that sends a signal while resident memory is above `size`."""

    def __init__(self, size: int) -> None:
        assert _SIGNAL is not None
        self._helper = Helper(os.getpid(), _INTERVAL, limit=(size, int(_SIGNAL)))

    @property
    def is_alive(self) -> bool:
        return self._helper.is_alive

    def stop(self) -> None:
        self._helper.stop()


class _WatchingThread:
    """The watcher where there are no signals, for the code of the thread that makes it."""

    def __init__(self, limit: MemoryLimit) -> None:
        self._limit = limit
        self._ident = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jupyter_profkit limit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            with contextlib.suppress(MemoryError):  # of its own: the next look may have more luck
                self._limit.check_thread(self._ident)


_holding: list[MemoryLimit] = []
_handler_before: list[Any] = []


def _on_signal(_number: int, frame: FrameType | None) -> None:
    for limit in _holding:
        limit.check(frame)


def _install_handler() -> None:
    if _SIGNAL is None or _handler_before or threading.current_thread() is not threading.main_thread():
        return
    _handler_before.append(signal.signal(_SIGNAL, _on_signal))


def _restore_handler() -> None:
    """Put the handler back, unless a limit holds, or the code has set one of its own."""
    if _SIGNAL is None or _holding or not _handler_before:
        return
    if threading.current_thread() is not threading.main_thread():
        return  # it stays, and does nothing, until the next limit ends on the main thread
    before = _handler_before.pop()
    if signal.getsignal(_SIGNAL) is _on_signal:
        signal.signal(_SIGNAL, signal.SIG_DFL if before is None else before)


def limits_hold() -> bool:
    """Whether a limit holds in this process now."""
    return any(limit._holds for limit in _holding)


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Work of ours while the code's limits hold: without them, and counted anew afterwards."""
    limits = [limit for limit in _holding if limit._holds]
    for limit in limits:
        limit.lift()
    try:
        yield
    finally:
        for limit in limits:
            if limit in _holding:
                limit._begin()
