"""How much memory this process may well take: what ``--limit auto`` and ``%memlimit auto`` go by.

    budget = memory_budget()
    budget.size        3_435_973_836, bytes for the whole process
    budget.reason      '9/10 of what the cgroup limit of 4.00 GiB leaves'

The first of these that is set: ``MEM_LIMIT``, which a hub sets for its servers; the
limit of the cgroup, version 2 or 1, that the process is in; the memory that is
free. What others use of it is left to them, and a part stays as a margin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_profkit.engines.timeline import read_rss
from jupyter_profkit.errors import OptionError
from jupyter_profkit.units import format_size, parse_size

__all__ = ["MemoryBudget", "cgroup_limit", "memory_budget"]

_UNLIMITED = 1 << 60
"""Version 1 writes no limit as a number of about this size."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """A size for a limit, and where it comes from."""

    size: int
    """Bytes, of the whole process."""
    reason: str


@dataclass(frozen=True, slots=True)
class CgroupLimit:
    """What a cgroup may take and what it has, bytes; files that it has read and can let go do not count."""

    limit: int
    used: int


def memory_budget(
    environment: Mapping[str, str] = os.environ, root: Path = Path("/"), rss: int | None = None
) -> MemoryBudget:
    """The size to suggest.

    Parameters
    ----------
    environment : where ``MEM_LIMIT`` is looked up.
    root : where ``proc`` and ``sys`` are.
    rss : bytes resident in this process; measured if not given.
    """
    rss = read_rss(os.getpid()) if rss is None else rss
    cgroup = cgroup_limit(root)
    limit = _mem_limit(environment)
    if limit is not None or cgroup is not None:
        of_others = max(cgroup.used - rss, 0) if cgroup is not None else 0
        name = "MEM_LIMIT" if limit is not None else "the cgroup's limit"
        whole = limit if limit is not None else (cgroup.limit if cgroup is not None else 0)
        size = max(whole - of_others, rss) * 9 // 10
        others = f", less {format_size(of_others)} of other processes" if of_others else ""
        return MemoryBudget(size, f"9/10 of {name}, {format_size(whole)}{others}")
    free = _free_memory(root)
    reason = f"what the process holds, and 8/10 of the {format_size(free)} that are free"
    return MemoryBudget(rss + free * 8 // 10, reason)


def _mem_limit(environment: Mapping[str, str]) -> int | None:
    try:
        return parse_size(environment.get("MEM_LIMIT", "")) or None
    except OptionError:  # not set, or not for us
        return None


def cgroup_limit(root: Path = Path("/")) -> CgroupLimit | None:
    """The tightest memory limit of the cgroups that this process is in; None if there is none."""
    found = [limit for folder, names in _cgroups(root) if (limit := _limit_in(folder, names)) is not None]
    return min(found, key=lambda cgroup: cgroup.limit - cgroup.used, default=None)


_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _cgroups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Each cgroup of this process, inner ones first, and the names of its files.

    In a container the path may be one that only the host can see; its own limit is
    then at the top, which comes last.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        top, names = root / "sys/fs/cgroup", _V2
        if controllers:
            if "memory" not in controllers.split(","):
                continue
            top, names = top / "memory", _V1
        folder = top / path.strip("/")
        yield folder, names
        while folder != top and top in folder.parents:
            folder = folder.parent
            yield folder, names


def _limit_in(folder: Path, names: tuple[str, str, str]) -> CgroupLimit | None:
    limit_name, usage_name, cache_name = names
    try:
        limit = int((folder / limit_name).read_text())
    except (OSError, ValueError):  # "max", or no such file
        return None
    if limit >= _UNLIMITED:
        return None
    try:
        used = int((folder / usage_name).read_text())
        fields = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return CgroupLimit(limit, max(used - int(fields.get(cache_name, 0)), 0))
    except (OSError, ValueError):
        return CgroupLimit(limit, 0)


def _free_memory(root: Path) -> int:
    if sys.platform == "linux":
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    import psutil

    return int(psutil.virtual_memory().available)
