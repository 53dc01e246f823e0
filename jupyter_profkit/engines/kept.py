"""Recordings of processes that died: the helper process writes them, whoever comes later finds them.

    keep(folder(), title="In [7]", pid=4711, descriptor=1)      in the helper process
    paths()                                                     those that are there, the oldest first

* They are text as `mprof` has it, so that `mprof` opens them too. ``DIED`` is ours,
  as ``PEAK`` is: the process, and when its end was seen.
* They lie in a folder of the user's own among the temporary files; the newest
  `MAX_KEPT` stay. Without a death there is neither file nor folder.

The helper process runs without this package: the standard library has to do here.
"""

from __future__ import annotations

import getpass
import os
import stat
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAX_KEPT", "folder", "keep", "paths"]

MAX_KEPT = 5

_RECORD = struct.Struct("=dqq")
_MAIN, _HIGH_WATER = 0, -1
_CHUNK = 4096 * _RECORD.size
_MIB = 1024 * 1024


def folder() -> Path:
    """Where they are kept; it need not exist."""
    return Path(tempfile.gettempdir()) / f"jupyter_profkit-{_user()}"


def _user() -> str:
    if hasattr(os, "getuid"):
        return str(os.getuid())
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "user"


def paths() -> list[Path]:
    """The recordings that were kept, the oldest first; none from a folder that is not the user's own."""
    where = folder()
    return sorted(where.glob("died_*.dat")) if _is_ours(where) else []


def _is_ours(where: Path) -> bool:
    """Among temporary files anybody may have made a folder of this name."""
    try:
        found = where.lstat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def keep(where: Path, *, title: str, pid: int, descriptor: int) -> Path | None:
    """Write the records in a file that is open as `descriptor` into a new file of the folder `where`.

    Returns its path, or None if there are no samples or the folder is somebody else's.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    died = time.time()
    lines = _lines(descriptor, died - time.monotonic())
    first = next(lines, None)
    if first is None:
        return None
    where.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(where):
        return None
    path = where / f"died_{time.strftime('%Y%m%d%H%M%S', time.localtime(died))}_{pid}.dat"
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(f"CMDLINE {title}\nDIED {pid} {died:.4f}\n{first}\n")
        file.writelines(f"{line}\n" for line in lines)
    unfinished.replace(path)
    for old in [*sorted(where.glob("died_*.dat"))[:-MAX_KEPT], *where.glob("*.part")]:
        old.unlink(missing_ok=True)
    return path


def _lines(descriptor: int, offset: float) -> Iterator[str]:
    """The records as text; `offset` makes Unix time of their times."""
    first = highest = n_marks = 0
    peak = (0, 0.0)
    for moment, value, code in _records(descriptor):
        unix = moment + offset
        if code == _MAIN:
            first, highest = first or value, max(highest, value)
            yield f"MEM {value / _MIB:.6f} {unix:.4f}"
        elif code == _HIGH_WATER:
            n_marks += 1
            # The first reading may be of what was before the recording began.
            if value > highest and (n_marks > 1 or value <= first + _MIB):
                highest, peak = value, (value, unix)
                yield f"MEM {value / _MIB:.6f} {unix:.4f}"
        elif code > _MAIN and value:
            yield f"CHLD {code} {value / _MIB:.6f} {unix:.4f}"
    if peak[0]:
        yield f"PEAK {peak[0] / _MIB:.6f} {peak[1]:.4f}"


def _records(descriptor: int) -> Iterator[tuple[float, int, int]]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    while chunk := os.read(descriptor, _CHUNK):
        yield from _RECORD.iter_unpack(chunk[: len(chunk) - len(chunk) % _RECORD.size])
