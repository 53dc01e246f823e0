"""Recordings that lie in files: those in the current folder, and those of processes that died.

    listed()                        every one, the oldest first
    chosen(["-1", "run.dat"])       by their number in that list, or by name
    last_of_the_dead()              the newest one whose process died
    new_path()                      where a shell command records when nobody says where

In the current folder they have the names that `mprof` gives them, so that each
tool lists the other's.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable
from pathlib import Path

from jupyter_profkit.engines import kept
from jupyter_profkit.errors import RecordingError, TargetError
from jupyter_profkit.export.mprof import read_mprof
from jupyter_profkit.model.timeline import MemoryTimeline

__all__ = ["chosen", "last_of_the_dead", "listed", "new_path"]

_STAMP = re.compile(r"(?:mprofile|died)_(\d{14})(?:_\d+)?\.dat")


def listed() -> list[Path]:
    """Every recording that a number can stand for, the oldest first."""
    here = [path for path in Path().glob("mprofile_*.dat") if _STAMP.fullmatch(path.name)]
    return sorted([*here, *kept.paths()], key=lambda path: (_stamp(path), path.name))


def _stamp(path: Path) -> str:
    match = _STAMP.fullmatch(path.name)
    return match[1] if match is not None else ""


def chosen(names: Iterable[str]) -> list[Path]:
    """The recordings that `names` stand for: paths, or numbers in `listed`, -1 for the newest.

    Raises
    ------
    TargetError
        If there is no such number.
    """
    return [_numbered(name) if re.fullmatch(r"-?\d{1,9}", name) else Path(name).expanduser() for name in names]


def _numbered(number: str) -> Path:
    found = listed()
    try:
        return found[int(number)]
    except IndexError:
        n_recordings = "is 1 recording" if len(found) == 1 else f"are {len(found)} recordings"
        raise TargetError(f"there is no recording {number}; in the list there {n_recordings}") from None


def last_of_the_dead() -> tuple[Path, MemoryTimeline] | None:
    """The newest recording whose process died, if there is one that can be read."""
    for path in reversed(kept.paths()):
        try:
            return path, read_mprof(path)
        except RecordingError:
            continue
    return None


def new_path() -> Path:
    """A name as `mprof` makes them, in the current folder, that is not taken."""
    moments = itertools.count(time.time())
    paths = (Path(f"mprofile_{time.strftime('%Y%m%d%H%M%S', time.localtime(moment))}.dat") for moment in moments)
    return next(path for path in paths if not path.exists())
