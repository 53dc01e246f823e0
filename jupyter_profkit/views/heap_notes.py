"""Why resident memory and the heap disagree, in words, decided from the figures.

    list(heap_notes(profile, precision=1))
    ['15.3 MiB of the heap were not resident at the end: pages count when they are first touched']

The heap is what was asked for and not given back; resident memory is what the
system had to supply. They part in two directions:

* more heap than resident memory: the allocator had free memory to hand out again,
  which costs nothing new; or nobody has touched the pages yet; or memory from before
  the run was given back in it, as when a variable is bound anew.
* more resident memory than heap: the allocator keeps freed memory for the next
  allocation; or the memory is no heap (libraries, files, stacks), or was allocated
  before the run and touched in it.

What the C allocator held free at the start and at the end tells which it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jupyter_profkit.model.line_memory import LineMemoryProfile, LineRecord
from jupyter_profkit.units import MIB, format_size

__all__ = ["heap_notes"]

_SETS_HOOK = re.compile(r"\bsetprofile\(|\bProfile\(")
_LEAST = 4 * MIB
"""Less is not worth a note: arenas, stacks and the tracker's own table are that large."""


def heap_notes(profile: LineMemoryProfile, precision: int = 1) -> Iterator[str]:
    """The notes of a profile whose heap was measured; none where both halves agree.

    Parameters
    ----------
    profile : what was measured.
    precision : digits of the sizes.
    """
    if profile.heap_peak is None or profile.heap_kept is None:
        return
    if profile.timeline is not None and profile.timeline.processes:
        yield "resident memory is that of child processes, too; the heap columns are of this process alone"
        yield from _mapped(profile, precision)
        return
    least = max(_LEAST, profile.noise, profile.heap_peak // 20)
    missing = max(profile.heap_peak - max(profile.peak, 0), profile.heap_kept - max(profile.increment, 0))
    given_back = _given_back(profile, least)
    if given_back > least:
        missing = 0 if _all_was_resident(profile, least) else profile.heap_peak - max(profile.peak, 0)
        yield (
            f"at least {format_size(given_back, precision)} that were allocated before the run were given back "
            "in it; the heap columns are of what the run itself allocated"
        )
    surplus = profile.increment - profile.heap_kept
    if missing > least:
        yield _why_less(profile, missing, precision)
    elif surplus > least:
        yield _why_more(profile, surplus, precision)
    yield from _lines_that_disagree(profile, least, precision)
    yield from _mapped(profile, precision)
    if max(profile.heap_residue) > _LEAST and any(_SETS_HOOK.search(record.source) for _, record in profile.lines()):
        yield (
            "the code sets a profile function (sys.setprofile, or cProfile on Python 3.11); memray does not see "
            "who allocates while that is there, and such heap is on no line"
        )


def _given_back(profile: LineMemoryProfile, least: int) -> int:
    """Bytes from before the run that it gave back, at least."""
    if not _all_was_resident(profile, least):
        return -profile.increment
    at_peak, kept = profile.heap_peak or 0, profile.heap_kept or 0
    return max(at_peak - profile.peak, kept - profile.increment, -profile.increment)


def _all_was_resident(profile: LineMemoryProfile, least: int) -> bool:
    """Whether each line had new memory for all of its heap, so that less in all was not for lack of pages."""
    return profile.has_lines and not any(
        record.sampled or _unpaid(record, max(record.kept or 0, record.at_peak or 0)) > least
        for _, record in profile.lines()
    )


def _why_less(profile: LineMemoryProfile, missing: int, precision: int) -> str:
    size = format_size(missing, precision)
    if (profile.free_start or 0) > missing // 2:
        return f"{size} of the heap needed no new memory: it reused memory that was freed before and still resident"
    return f"{size} of the heap never became resident: its pages have not been touched yet"


def _why_more(profile: LineMemoryProfile, surplus: int, precision: int) -> str:
    size = format_size(surplus, precision)
    freed = (profile.heap_peak or 0) - (profile.heap_kept or 0)
    kept_free = freed if profile.free_end is None else profile.free_end - (profile.free_start or 0)
    if min(freed, kept_free) > surplus // 2:
        return f"{size} stayed resident though it was freed: the allocator keeps it for the next allocations"
    return (
        f"{size} became resident without being on the run's heap: libraries and files that were loaded, "
        "or memory that was allocated before and touched now"
    )


def _mapped(profile: LineMemoryProfile, precision: int) -> Iterator[str]:
    if profile.mapped > _LEAST:
        yield (
            f"{format_size(profile.mapped, precision)} of address space were mapped directly, as libraries do for "
            "allocators of their own; what is used of it is resident memory, but not in the heap columns"
        )


def _lines_that_disagree(profile: LineMemoryProfile, least: int, precision: int) -> Iterator[str]:
    """The line with most heap that cost nothing, if a line of the same function paid about as much."""
    if not profile.has_lines:
        return
    lines = [(record, function) for function, record in profile.lines()]
    record, function = max(lines, key=lambda line: _unpaid(line[0], line[0].kept or 0), default=(None, None))
    if record is None or function is None:
        return
    unpaid = _unpaid(record, record.kept or 0)
    if unpaid <= least:
        return
    payers = [other for other in function.records if unpaid // 2 <= _overpaid(other) <= unpaid * 2]
    if not payers:
        return
    payer = min(payers, key=lambda other: abs(_overpaid(other) - unpaid))
    size = f"line {record.lineno}: {format_size(unpaid, precision)} of its heap"
    if min(record.occurrences, payer.occurrences) > 1:  # in a loop either may come first
        yield f"{size} cost nothing new; line {payer.lineno} had freed it, or was the first to touch its pages"
    elif payer.lineno > record.lineno:
        yield f"{size} were not resident yet; pages count on the line that first touches them, as line {payer.lineno}"
    else:
        yield f"{size} cost nothing new; it reused memory that line {payer.lineno} had freed"


def _unpaid(record: LineRecord, heap: int) -> int:
    """Bytes of a line's heap that did not make the process grow while it ran."""
    if record.sampled or not record.occurrences:  # of a sampled line nobody knows what it cost
        return 0
    return heap - max(record.self_increment or 0, record.peak or 0, 0)


def _overpaid(record: LineRecord) -> int:
    """Bytes by which a line made the process grow, without keeping them on the heap."""
    return 0 if record.sampled else (record.self_increment or 0) - (record.kept or 0)
