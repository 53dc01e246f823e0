"""The tables of a recording of memory over time: its marks, its child processes; several recordings in one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from jupyter_profkit.model.timeline import Mark, MemorySample, MemoryTimeline
from jupyter_profkit.units import format_mib, format_seconds
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Row, TableView, Unit
from jupyter_profkit.views.timeline_curves import child_label, groups_of, peak_of, time_of

__all__ = ["children_table", "marks_table", "recordings_table", "rss_within"]

_MAX_ROWS = 100


def marks_table(timeline: MemoryTimeline) -> TableView:
    columns = (
        Column("Mark", Unit.NAME),
        Column("Calls"),
        Column("First at", tip="from the start"),
        Column("Time", tip="from enter to leave, all calls"),
        Column("At enter", tip="MiB, of the first call"),
        Column("Change", tip="MiB from enter to leave, all calls"),
        Column("Highest", tip="MiB, the highest sample in any of the calls"),
    )
    groups = sorted(groups_of(timeline.marks), key=lambda group: (group[0].start, group[0].level))
    strong = heaviest(groups, lambda group: abs(_change(group)))
    rows = [_marks_row(group, timeline.main, strong=group in strong) for group in groups[:_MAX_ROWS]]
    left_out = len(groups) - len(rows)
    footer = f"{left_out} more marks" if left_out else ""
    return TableView("Marks, in the order in which they began, MiB", columns, tuple(rows), footer)


def _change(marks: Iterable[Mark]) -> int:
    """Bytes from enter to leave, all marks; those whose memory is not known have none."""
    return sum((mark.rss_end or 0) - (mark.rss_start or 0) for mark in marks if _has_change(mark))


def _has_change(mark: Mark) -> bool:
    return mark.rss_start is not None and mark.rss_end is not None


def _marks_row(marks: Sequence[Mark], main: Sequence[MemorySample], *, strong: bool) -> Row:
    first = marks[0]
    highest = max((rss for mark in marks for rss in rss_within(mark, main)), default=None)
    texts = (
        f"{'  ' * first.level}{first.label}",
        str(len(marks)),
        format_seconds(first.start),
        format_seconds(sum(mark.duration for mark in marks)),
        format_mib(first.rss_start) if first.rss_start is not None else "",
        f"{_change(marks) / 2**20:+.1f}" if any(map(_has_change, marks)) else "",
        format_mib(highest) if highest is not None else "",
    )
    return Row(tuple(Cell(text) for text in texts), strong)


def rss_within(mark: Mark, main: Sequence[MemorySample]) -> Iterator[int]:
    """What is known of memory during a mark: at its ends, and the samples between."""
    yield from (rss for rss in (mark.rss_start, mark.rss_end) if rss is not None)
    first, last = bisect_left(main, mark.start, key=time_of), bisect_right(main, mark.end, key=time_of)
    yield from (sample.rss for sample in main[first:last])


def children_table(timeline: MemoryTimeline) -> TableView:
    columns = (Column("Process", Unit.NAME), Column("From"), Column("To"), Column("Peak MiB"), Column("At"))
    children = sorted(timeline.children.items(), key=lambda item: item[1][0].time)
    rows = [_child_row(timeline, pid, samples) for pid, samples in children[:_MAX_ROWS]]
    left_out = len(children) - len(rows)
    return TableView("Child processes", columns, tuple(rows), f"{left_out} more processes" if left_out else "")


def _child_row(timeline: MemoryTimeline, pid: int, samples: Sequence[MemorySample]) -> Row:
    peak = peak_of(samples)
    texts = (
        child_label(timeline, pid),
        format_seconds(samples[0].time),
        format_seconds(samples[-1].time),
        format_mib(peak.rss),
        format_seconds(peak.time),
    )
    return Row(tuple(Cell(text) for text in texts))


def recordings_table(recordings: Sequence[tuple[str, MemoryTimeline]]) -> TableView:
    columns = (
        Column("Recording", Unit.NAME),
        Column("Duration"),
        Column("Start MiB"),
        Column("Peak MiB"),
        Column("At"),
        Column("End MiB"),
    )
    highest = max(timeline.peak.rss for _, timeline in recordings)
    rows = [_recording_row(name, timeline, highest) for name, timeline in recordings]
    return TableView("Recordings", columns, tuple(rows))


def _recording_row(name: str, timeline: MemoryTimeline, highest: int) -> Row:
    main, peak = timeline.main, timeline.peak
    return Row(
        (
            Cell(name),
            Cell(format_seconds(timeline.duration)),
            Cell(format_mib(main[0].rss)),
            Cell(format_mib(peak.rss), bar=peak.rss / highest if highest else None),
            Cell(format_seconds(peak.time)),
            Cell(format_mib(main[-1].rss)),
        )
    )
