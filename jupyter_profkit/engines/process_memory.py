"""Where the resident memory of this process is, as the system and the allocators tell it.

    memory = read_process_memory()
    memory.rss, memory.files, memory.free_python, memory.free_c         bytes
    bytes_in_use()                                                      asked for and not given back
    bytes_free_to_reuse()                                               given back, and kept by the C library
    give_back()                                                         bytes less resident

* Files that are mapped (programs, libraries) come from ``/proc/self/status``.
* Python's own allocator has memory in which no object lives at the moment; only
  `sys._debugmallocstats` tells how much, and only to the C library's standard error,
  which is turned away for that moment.
* The C library (glibc) tells what is free in it with ``mallinfo2``. Some of that may
  be with the system already: what its heap has that is not resident is taken off.
* What a system does not tell is None.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "ProcessMemory",
    "bytes_free_to_reuse",
    "bytes_in_use",
    "bytes_in_use_by_c",
    "can_give_back",
    "give_back",
    "read_process_memory",
    "resident_bytes",
]

_USED_BLOCKS: Final = re.compile(r"# bytes in allocated blocks\s*=\s*([\d,]+)")
_FREE_BLOCKS: Final = re.compile(r"# bytes in available blocks\s*=\s*([\d,]+)")
_FREE_POOLS: Final = re.compile(r"unused pools \* \d+ bytes\s*=\s*([\d,]+)")
_STDERR: Final = 2
_turned_away = threading.Lock()


@dataclass(frozen=True)
class ProcessMemory:
    """Bytes; None for what this system does not tell."""

    rss: int
    files: int | None
    """Resident pages of mapped files."""
    free_python: int | None
    """Free in Python's allocator for small objects."""
    free_c: int | None
    """Free in the C library's heap, and resident."""


def read_process_memory() -> ProcessMemory:
    """How the memory of this process is used now."""
    return ProcessMemory(resident_bytes(), _status("RssFile"), _free_in_python(), _free_in_c())


def bytes_in_use() -> int | None:
    """Bytes that are allocated now, from Python's allocator and the C library; None where these do not tell.

    What was freed and kept for later is not in it, so it shows what resident memory
    hides: an allocation that was made from memory that the process had already.
    """
    in_c, used = bytes_in_use_by_c(), _USED_BLOCKS.search(_allocator_statistics())
    return None if in_c is None or used is None else int(used[1].replace(",", "")) + in_c


def bytes_in_use_by_c() -> int | None:
    """Bytes that were asked of the C library and not given back; None if it does not say."""
    library = _glibc()
    if library is None:
        return None
    info = library.mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


def bytes_free_to_reuse() -> int | None:
    """Bytes that the C library holds free, resident or not, for the next allocations; None if it does not say."""
    library = _glibc()
    return None if library is None else int(library.mallinfo2().fordblks)


def resident_bytes() -> int:
    """Bytes of this process that are in memory now; no high-water mark is touched."""
    rss = _status("VmRSS")
    if rss is not None:
        return rss
    import psutil

    return int(psutil.Process().memory_info().rss)


def can_give_back() -> bool:
    """Whether the C library can be asked to return what is free in it."""
    return _glibc() is not None


def give_back() -> int:
    """Return what is free in the C library to the system; bytes less resident than before."""
    library = _glibc()
    if library is None:
        return 0
    before = resident_bytes()
    library.malloc_trim(0)
    return before - resident_bytes()


class _MallInfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for names in (
            ("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
        for name in names
    )


@functools.cache
def _glibc() -> Any:
    """The C library, if it is one of GNU that can tell what is free in it (2.33)."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2") or not hasattr(library, "malloc_trim"):
        return None
    library.mallinfo2.restype = _MallInfo
    library.malloc_trim.argtypes = [ctypes.c_size_t]
    return library


def _free_in_c() -> int | None:
    library = _glibc()
    if library is None:
        return None
    return max(0, int(library.mallinfo2().fordblks) - _heap_not_resident())


def _heap_not_resident() -> int:
    """Bytes of the C library's main heap that the system has back already, or never gave."""
    size = resident = 0
    inside = False
    for line in _proc("smaps").splitlines():
        if "-" in line.partition(" ")[0]:
            inside = line.endswith("[heap]")
        elif inside and line.startswith(("Size:", "Rss:")):
            kib = int(line.split()[1])
            size, resident = (size + kib, resident) if line.startswith("Size:") else (size, resident + kib)
    return 1024 * max(0, size - resident)


def _status(name: str) -> int | None:
    found = re.search(rf"^{name}:\s*(\d+) kB$", _proc("status"), re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _proc(name: str) -> str:
    try:
        return Path(f"/proc/self/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _free_in_python() -> int | None:
    text = _allocator_statistics()
    blocks, pools = _FREE_BLOCKS.search(text), _FREE_POOLS.search(text)
    if blocks is None or pools is None:  # another allocator: PYTHONMALLOC, or Python without the lock
        return None
    return sum(int(found[1].replace(",", "")) for found in (blocks, pools))


def _allocator_statistics() -> str:
    """What `sys._debugmallocstats` writes to file descriptor 2.

    No Python code of another thread runs meanwhile, since the call keeps the lock.
    """
    try:
        with _turned_away, tempfile.TemporaryFile() as file:
            before = os.dup(_STDERR)
            try:
                os.dup2(file.fileno(), _STDERR)
                sys._debugmallocstats()
            finally:
                os.dup2(before, _STDERR)
                os.close(before)
            file.seek(0)
            return file.read().decode("ascii", "replace")
    except (OSError, AttributeError):  # no standard error, or another Python
        return ""
