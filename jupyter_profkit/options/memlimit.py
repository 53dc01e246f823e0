"""What ``%memlimit`` takes."""

from __future__ import annotations

from jupyter_profkit.options.declare import OptionSet

__all__ = ["MEMLIMIT"]

MEMLIMIT = OptionSet(
    "memlimit",
    "Limit the memory of every cell from now on: the line that asks for too much gets MemoryError, and the kernel\n"
    "lives on. SIZE is what the whole process may hold, like 4GiB; auto goes by MEM_LIMIT, the cgroup or free memory;\n"
    "off ends it. Without any, the limit and what is left of it are shown. --limit may be lower for a single cell.",
    (),
    rest="[SIZE|auto|off]",
)
