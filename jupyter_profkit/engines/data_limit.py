"""The operating system's own limit: Linux refuses what goes over the soft ``RLIMIT_DATA``.

    soft_limit.hold(owner, data_of_process() + 200 * MIB, reserve=8 * MIB)
    lend(True)          what is kept back may be used now, for measuring
    lend(False)
    soft_limit.release(owner)

macOS does not enforce such a limit, and Windows has none: there nothing happens.
"""

from __future__ import annotations

import functools
import mmap
import sys
import threading

from jupyter_profkit.units import MIB

__all__ = ["address_space_left", "data_limit_works", "data_of_process", "lend", "soft_limit", "status_field"]

if sys.platform == "linux":
    import resource

    _INFINITE = 1 << 63
    _PROBE = 64 * MIB

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

    def data_of_process() -> int:
        """Bytes that ``RLIMIT_DATA`` counts: private and writable, touched or not."""
        return status_field(b"VmData:")

    def status_field(name: bytes) -> int:
        with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123 - memory may be short
            status = file.read(8192)
        start = status.index(name) + len(name)
        return int(status[start : status.index(b"kB", start)]) * 1024

    @functools.cache
    def data_limit_works() -> bool:
        """Whether the system refuses memory by ``RLIMIT_DATA``: Linux 4.7 and later, not every sandbox; it is tried."""
        probe = _SoftLimit()
        try:
            probe.hold(probe, data_of_process() + _PROBE, 0)
            try:
                mmap.mmap(-1, 2 * _PROBE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
            finally:
                probe.release(probe)
        except OSError:
            return True
        except ValueError:  # no such line in /proc
            return False
        return False

    def address_space_left() -> tuple[int, int] | None:
        """``RLIMIT_AS`` (``ulimit -v``), and bytes that are left of it; None if there is no such limit."""
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        return None if limit == resource.RLIM_INFINITY else (limit, limit - status_field(b"VmSize:"))

else:

    class _SoftLimit:
        def hold(self, owner: object, n_bytes: int, reserve: int) -> int | None:
            return None

        def release(self, owner: object) -> None: ...

        def lend(self, more: bool) -> None: ...

    def data_of_process() -> int:
        return 0

    def data_limit_works() -> bool:
        """Whether the system refuses memory by ``RLIMIT_DATA``."""
        return False

    def address_space_left() -> tuple[int, int] | None:
        return None


soft_limit = _SoftLimit()


def lend(more: bool) -> None:
    """Give out what the limits that hold keep back for measuring, or take it back; asks for no memory."""
    soft_limit.lend(more)
