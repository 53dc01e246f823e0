"""What of the heap's records is address space that was mapped directly, by a library for later, or for a file.

    mixed = mixed_mappings(path, reader, in_use_rise)       {size of a record: bytes mapped}
    mapped_bytes(record, mixed)

memray writes to its file what each allocator gave a stack. Its reader adds that up and
names the first of them, with too few allocations: pyarrow, which reserves 1 GiB where it
asks for a few bytes besides, looks like a GiB of heap, and a list of small objects, in
arenas that Python maps, like no heap. Where that may be so, the file is written out as
text, by another process, since memray writes to file descriptor 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_profkit.units import MIB

__all__ = ["mapped_bytes", "mixed_mappings"]

_ARENA: Final = MIB
"""Bytes that Python maps at once for small objects, at most; these are heap."""

_LEAST_MAPPED: Final = 4 * MIB
_LEAST_HIDDEN: Final = 32 * MIB
"""Bytes: less is not worth asking, where a record says that it was mapped; and where it says that it was not."""

_DUMP: Final = "import sys; sys.path[:] = {paths!r}; import memray; memray.dump_all_records({path!r})"

_RECORD: Final = re.compile(
    r"^AGGREGATED_ALLOCATION .*?allocator=(?P<allocator>\w+) .*?python_frame_id=(?P<frame>\d+) .*?"
    r"n_allocations_in_high_water_mark=(?P<n_peak>\d+) n_allocations_leaked=(?P<n_kept>\d+) "
    r"bytes_in_high_water_mark=(?P<peak>\d+) bytes_leaked=(?P<kept>\d+)",
    re.MULTILINE,
)


def mapped_bytes(record: Any, mixed: Mapping[int, int]) -> int:
    """Bytes of one of memray's records that are no heap."""
    if record.size in mixed:
        return mixed[record.size]
    return int(record.size) if _looks_mapped(record) else 0


def mixed_mappings(path: Path, reader: Any, in_use_rise: int | None) -> dict[int, int]:
    """Of records that are of several allocators, if some may be: by their bytes, those that are no heap.

    Parameters
    ----------
    path : the file that is read.
    reader : memray's reader of it.
    in_use_rise : bytes that the C library has in use more than when the run began; None if it does not say.
    """
    records = list(reader.get_leaked_allocation_records(merge_threads=True))
    several = [record for record in records if record.n_allocations > 1]
    may_be_heap = any(record.size > _LEAST_MAPPED and _looks_mapped(record) for record in several)
    # What the library has not in use was mapped, or came in place of what was there before the run.
    of_library = sum(record.size for record in records if not _is_of_mmap(record))
    hides = in_use_rise is not None and of_library > in_use_rise + _LEAST_HIDDEN
    may_be_mapped = hides and any(record.size > _LEAST_HIDDEN for record in several if not _is_of_mmap(record))
    return _mapped_in(_written_out(path)) if may_be_heap or may_be_mapped else {}


def _looks_mapped(record: Any) -> bool:
    return _is_of_mmap(record) and _is_more_than_arenas(record.size, record.n_allocations)


def _is_of_mmap(record: Any) -> bool:
    from memray import AllocatorType

    return bool(record.allocator == AllocatorType.MMAP)


def _is_more_than_arenas(size: int, n_mappings: int) -> bool:
    return size > _ARENA * max(n_mappings, 1)


def _written_out(path: Path) -> str:
    """The file as text; empty if it cannot be had."""
    command = [sys.executable, "-I", "-c", _DUMP.format(paths=sys.path, path=str(path))]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, errors="replace", timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _mapped_in(text: str) -> dict[int, int]:
    sizes: Counter[tuple[str, str]] = Counter()
    mapped: Counter[tuple[str, str]] = Counter()
    n_mapped: Counter[tuple[str, str]] = Counter()
    for found in _RECORD.finditer(text):
        for when in ("peak", "kept"):
            key = found["frame"], when
            sizes[key] += int(found[when])
            if found["allocator"] == "mmap":
                mapped[key] += int(found[when])
                n_mapped[key] += int(found[f"n_{when}"])
    return {sizes[key]: size if _is_more_than_arenas(size, n_mapped[key]) else 0 for key, size in mapped.items()}
