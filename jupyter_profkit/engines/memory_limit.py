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
  of ours that finds none: `lend`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from jupyter_profkit.engines.helper import Helper
from jupyter_profkit.engines.timeline import read_rss
from jupyter_profkit.errors import MemoryLimitError, OptionError
from jupyter_profkit.source import is_cell_file, is_user_file
from jupyter_profkit.units import MIB, format_size

__all__ = ["MemoryLimit", "Watcher", "data_limit_works", "lend", "limits_hold", "suspended"]

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
            self._own = _soft_limit.hold(self, _data_of_process() + room, min(_RESERVE, room // 8))
        self._holds = True

    def lift(self) -> None:
        """Let go of the limit, at once and without asking for memory; a second call does nothing."""
        _soft_limit.release(self)
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
        yield from _other_limits(self)

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


# The limit of the operating system

if sys.platform == "linux":
    import resource

    _INFINITE = 1 << 63

    class _SoftLimit:
        """The soft ``RLIMIT_DATA`` while limits hold: the lowest of them, never above what it was before.

        What `lend` and `release` need is made ready by `hold`: then there may be no memory for it.
        """

        def __init__(self) -> None:
            self._lock = threading.RLock()
            self._held: dict[int, tuple[int, int]] = {}
            self._before = _INFINITE
            self._back: tuple[int, int] | None = None
            self._tight: tuple[int, int] | None = None
            self._loose: tuple[int, int] | None = None

        def hold(self, owner: object, n_bytes: int, reserve: int) -> int | None:
            """Add a limit, `reserve` of it kept back; returns the user's own if that is the lower one."""
            with self._lock:
                now = resource.getrlimit(resource.RLIMIT_DATA)
                if now != self._tight:  # the user's own, of before or set by the code meanwhile
                    self._back = now
                    self._before = _INFINITE if now[0] == resource.RLIM_INFINITY else now[0]
                self._held[id(owner)] = (n_bytes, reserve)
                self._apply(now[1])
                return self._before if self._before < n_bytes else None

        def _apply(self, hard: int) -> None:
            sizes = self._held.values()
            self._loose = (min(self._before, *(n_bytes for n_bytes, _ in sizes)), hard)
            self._tight = (min(self._before, *(n_bytes - reserve for n_bytes, reserve in sizes)), hard)
            resource.setrlimit(resource.RLIMIT_DATA, self._tight)

        def release(self, owner: object) -> None:
            with self._lock:
                if self._held.pop(id(owner), None) is None or self._tight is None or self._back is None:
                    return
                if not self._is(self._tight):  # the code has set one of its own, which is to stay
                    self._tight = None
                    return
                resource.setrlimit(resource.RLIMIT_DATA, self._back)
                self._tight = None
                if self._held:
                    self._apply(self._back[1])

        def lend(self, more: bool) -> None:
            with self._lock:
                if self._tight is not None and self._loose is not None:
                    if more and self._is(self._tight):
                        resource.setrlimit(resource.RLIMIT_DATA, self._loose)
                    elif not more and self._is(self._loose):
                        resource.setrlimit(resource.RLIMIT_DATA, self._tight)

        def _is(self, limits: tuple[int, int]) -> bool:
            try:
                return resource.getrlimit(resource.RLIMIT_DATA) == limits
            except MemoryError:
                return True

    def _data_of_process() -> int:
        """Bytes that ``RLIMIT_DATA`` counts: private and writable, touched or not."""
        return _status_field(b"VmData:")

    def _status_field(name: bytes) -> int:
        with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123 - memory may be short
            status = file.read(8192)
        start = status.index(name) + len(name)
        return int(status[start : status.index(b"kB", start)]) * 1024

    @functools.cache
    def data_limit_works() -> bool:
        """Whether the system refuses memory by ``RLIMIT_DATA``: Linux 4.7 and later, not every sandbox; it is tried."""
        probe = _SoftLimit()
        try:
            probe.hold(probe, _data_of_process() + 4 * _LEAST, 0)
            try:
                mmap.mmap(-1, 8 * _LEAST, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
            finally:
                probe.release(probe)
        except OSError:
            return True
        except ValueError:  # no such line in /proc
            return False
        return False

    def _other_limits(limit: MemoryLimit) -> Iterator[str]:
        """Limits of others that are reached first."""
        if limit._own is not None:
            yield f"RLIMIT_DATA of this process was {format_size(limit._own)} before, which is reached first and stays"
        address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
        if address_space != resource.RLIM_INFINITY and address_space - _status_field(b"VmSize:") < limit.left:
            yield (
                f"RLIMIT_AS (ulimit -v) allows this process {format_size(address_space)} of address space, "
                "which is reached before the limit"
            )

else:

    class _SoftLimit:
        """No such limit: macOS does not enforce it, and Windows has none."""

        def hold(self, owner: object, n_bytes: int, reserve: int) -> int | None:
            return None

        def release(self, owner: object) -> None: ...

        def lend(self, more: bool) -> None: ...

    def _data_of_process() -> int:
        return 0

    def data_limit_works() -> bool:
        """Whether the system refuses memory by ``RLIMIT_DATA``."""
        return False

    def _other_limits(_: MemoryLimit) -> Iterator[str]:
        yield from ()


_soft_limit = _SoftLimit()


def lend(more: bool) -> None:
    """Give out what the limits that hold keep back for measuring, or take it back; asks for no memory."""
    _soft_limit.lend(more)


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
