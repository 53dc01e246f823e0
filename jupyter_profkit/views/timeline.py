"""Memory over time, as a reader sees it: the plot, its marks in a table, several recordings in one.

    report(timeline, window=(0.5, 2), slope=True)     Report
    small_view(timeline)                              the strip in another report
    overlay_report([before, after], ["before", "after"])

A curve has at most two points for each column of the picture, the lowest and the
highest, so that no peak is lost and a long recording stays small.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.timeline import Mark, MemorySample, MemoryTimeline, thin
from jupyter_profkit.options.mprof import MPROF_PLOT
from jupyter_profkit.units import format_change, format_mib, format_seconds, format_size
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import (
    Cell,
    Column,
    Curve,
    Report,
    Row,
    Span,
    TableView,
    TimelineView,
    Unit,
    View,
    warning_of,
)
from jupyter_profkit.views.words import clip

__all__ = ["live_report", "overlay_report", "overlay_view", "plot_view", "report", "rss_within", "small_view"]

_COLUMNS = 900
_SMALL_COLUMNS = 140
_LIVE_HEIGHT = 150
_MAX_ROWS = 100
_MAX_CURVES = 12
_MAX_SPANS = 60
_SHORT, _LONGEST = 24, 90
"""Letters of a child's command: in the plot, and in the table."""
_NARROW = 0.004
"""Marks shorter than this share of the picture are drawn as one with their neighbours of the same name."""


def report(timeline: MemoryTimeline, **display: Any) -> Report:
    """The report of a recording.

    Parameters
    ----------
    timeline : what was recorded.
    **display
        ``title`` above the plot, ``no_functions`` to leave marks out, ``window``
        as ``(from, to)`` or ``"from,to"`` in seconds, ``flame`` for boxes by
        level, ``slope`` for a fitted line.

    Raises
    ------
    OptionError
        If the window is none.
    """
    shown = _Display.of(display)
    title = f"%mprof_plot  {timeline.session.title}"
    notes = (*timeline.method.notes, *_notes_on_window([timeline], shown.window))
    if not timeline.main:
        return Report(title, "No memory was recorded", notes=notes, warning=warning_of(timeline.session))
    return Report(
        title=title,
        headline=_headline(timeline, shown),
        parts=(_plot_view(timeline, shown), *_tables(timeline, shown)),
        notes=notes,
        method=tuple(_method(timeline)),
        warning=warning_of(timeline.session),
    )


def plot_view(timeline: MemoryTimeline, **display: Any) -> TimelineView:
    """The plot alone; the options are those of `report`.

    Raises
    ------
    ValueError
        If the recording holds no sample.
    OptionError
        If the window is none.
    """
    return _plot_view(timeline, _Display.of(display))


def small_view(timeline: MemoryTimeline, caption: str = "Memory over time") -> TimelineView:
    """The strip in the report of another magic."""
    return TimelineView(
        caption=caption,
        alt=_words(timeline),
        curves=(_curve(timeline.main, "memory", _SMALL_COLUMNS),),
        peak=_point(timeline.peak),
        peak_label=_peak_label(timeline),
        small=True,
    )


def live_report(title: str, times: Sequence[float], values: Sequence[int], peak: tuple[float, int] | None) -> Report:
    """The report of a recording that goes on: a strip, which is small and needs no import.

    Parameters
    ----------
    title : what is recorded.
    times, values : the curve so far, seconds and bytes.
    peak : its highest point.
    """
    if not times or peak is None:
        return Report(f"%mprof_plot --live  {title}", "Recording …")
    highest = f"{format_size(peak[1])} at {format_seconds(max(peak[0], 0.0))}"
    now = f"{format_size(values[-1])} now, after {format_seconds(times[-1])}; the peak so far is {highest}"
    curve = Curve("memory", tuple(times), tuple(values))
    strip = TimelineView("", now, (curve,), peak=peak, peak_label=highest, small=True, height=_LIVE_HEIGHT)
    return Report(f"%mprof_plot --live  {title}", now, (strip,))


def overlay_report(timelines: Sequence[MemoryTimeline], names: Sequence[str], **display: Any) -> Report:
    """Several recordings in one plot, each from its own beginning; the options are those of `report`.

    Raises
    ------
    OptionError
        If the window is none, or a recording holds no sample.
    """
    view = overlay_view(timelines, names, **display)
    recordings = list(zip(names, timelines, strict=True))
    name, highest = _highest(recordings)
    return Report(
        title=f"%mprof_plot  {len(recordings)} recordings",
        headline=f"The highest peak is {format_size(highest.peak.rss)}, of {name}",
        parts=(view, _recordings_table(recordings)),
        notes=(
            *(f"{label}: {note}" for label, timeline in recordings for note in timeline.method.notes),
            *_notes_on_window(timelines, view.window),
        ),
    )


def overlay_view(timelines: Sequence[MemoryTimeline], names: Sequence[str], **display: Any) -> TimelineView:
    """The plot of `overlay_report` alone."""
    shown = _Display.of(display)
    recordings = list(zip(names, timelines, strict=True))
    for name, timeline in recordings:
        if not timeline.main:
            raise OptionError(f"{name} holds no memory samples")
    name, highest = _highest(recordings)
    curves = [_curve(timeline.main, label, _COLUMNS // 2, shown.window) for label, timeline in recordings[:_MAX_CURVES]]
    return TimelineView(
        caption=shown.title,
        alt=" ".join(f"{label}: {_words(timeline)}" for label, timeline in recordings),
        curves=tuple(curves),
        peak=_point(highest.peak),
        peak_label=f"{name}: {_peak_label(highest)}",
        slope=_fit(highest.main, shown.window) if shown.slope else None,
        window=shown.window,
    )


def _highest(recordings: Sequence[tuple[str, MemoryTimeline]]) -> tuple[str, MemoryTimeline]:
    return max(recordings, key=lambda recording: recording[1].peak.rss)


@dataclass(frozen=True, slots=True)
class _Display:
    title: str
    no_functions: bool
    window: tuple[float, float] | None
    flame: bool
    slope: bool

    @classmethod
    def of(cls, display: dict[str, Any]) -> _Display:
        values = MPROF_PLOT.from_keywords(display)
        window = None if values.window is None else _window(values.window)
        return cls(values.title, values.no_functions, window, values.flame, values.slope)


def _window(value: object) -> tuple[float, float]:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        start, end = (float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise OptionError(f"--window takes two numbers of seconds, FROM,TO, not {value!r}") from None
    if not start < end:
        raise OptionError(f"--window takes FROM,TO with FROM before TO, not {value!r}")
    return start, end


def _notes_on_window(timelines: Sequence[MemoryTimeline], window: tuple[float, float] | None) -> Iterator[str]:
    """A window beside all of the recordings shows nothing."""
    if window is None or any(_samples_within(timeline.main, window) for timeline in timelines):
        return
    last = max((timeline.main[-1].time for timeline in timelines if timeline.main), default=0.0)
    yield f"nothing was recorded from {window[0]:g} to {window[1]:g} s; the last sample is at {format_seconds(last)}"


def _samples_within(samples: Sequence[MemorySample], window: tuple[float, float] | None) -> Sequence[MemorySample]:
    if window is None:
        return samples
    return samples[bisect_left(samples, window[0], key=_time) : bisect_right(samples, window[1], key=_time)]


# The plot


def _plot_view(timeline: MemoryTimeline, shown: _Display) -> TimelineView:
    name = _in_short(timeline.session.title, _SHORT) if timeline.children else "memory"
    curves = [_curve(timeline.main, name, _COLUMNS, shown.window), *_child_curves(timeline, shown)]
    spans = () if shown.no_functions else tuple(_spans(timeline, shown))
    return TimelineView(
        caption=shown.title,
        alt=_words(timeline),
        curves=tuple(curves),
        spans=spans,
        peak=_point(timeline.peak),
        peak_label=_peak_label(timeline),
        slope=_fit(timeline.main, shown.window) if shown.slope else None,
        window=shown.window,
        flame=shown.flame,
    )


def _curve(
    samples: Sequence[MemorySample], label: str, n_columns: int, window: tuple[float, float] | None = None
) -> Curve:
    inside = _samples_within(samples, window)
    times = [sample.time for sample in inside]
    values = [sample.rss for sample in inside]
    kept = thin(times, values, n_columns) if times else []
    return Curve(label, tuple(times[index] for index in kept), tuple(values[index] for index in kept))


def _child_curves(timeline: MemoryTimeline, shown: _Display) -> Iterator[Curve]:
    """A curve for each child, the heaviest first."""
    for pid, samples in _heaviest_children(timeline):
        yield _curve(samples, _child_label(timeline, pid, _SHORT), _COLUMNS // 3, shown.window)


def _heaviest_children(timeline: MemoryTimeline) -> list[tuple[int, tuple[MemorySample, ...]]]:
    """As many as have a curve."""
    return sorted(timeline.children.items(), key=lambda item: -_peak_of(item[1]).rss)[: _MAX_CURVES - 1]


def _child_label(timeline: MemoryTimeline, pid: int, length: int = _LONGEST) -> str:
    command = next((process.command for process in timeline.processes if process.pid == pid), "")
    return f"{pid} {_in_short(command, length)}" if command else f"child {pid}"


def _spans(timeline: MemoryTimeline, shown: _Display) -> Iterator[Span]:
    """The marks to draw: the longest, those too narrow to see joined with their neighbours."""
    start, end = shown.window or (timeline.main[0].time, timeline.main[-1].time)
    narrow = _NARROW * (end - start)
    inside = [mark for mark in timeline.marks if mark.end >= start and mark.start <= end]
    spans = [span for group in _groups(inside) for span in _joined(group, narrow)]
    return iter(sorted(spans, key=lambda span: span.start - span.end)[:_MAX_SPANS])


def _groups(marks: Iterable[Mark]) -> list[list[Mark]]:
    """The marks of each level and name, in the order of time."""
    in_order = sorted(marks, key=lambda mark: (mark.level, mark.label, mark.start))
    return [list(group) for _, group in groupby(in_order, key=lambda mark: (mark.level, mark.label))]


def _joined(marks: Sequence[Mark], narrow: float) -> Iterator[Span]:
    """Spans of marks with one name; neighbours closer than `narrow`, and narrow themselves, are one."""
    group: list[Mark] = []
    for mark in marks:
        apart = group and (mark.start - group[-1].end > narrow or max(mark.duration, group[-1].duration) > 4 * narrow)
        if apart:
            yield _span(group)
            group = []
        group.append(mark)
    if group:
        yield _span(group)


def _span(marks: Sequence[Mark]) -> Span:
    first = marks[0]
    times = f" ×{len(marks)}" if len(marks) > 1 else ""
    took = format_seconds(sum(mark.duration for mark in marks))
    end = max(mark.end for mark in marks)
    label = f"{_short_name(first.label)}{times}"
    return Span(f"{label} {took}", first.start, end, first.level, first.kind, first.label, took)


def _short_name(label: str) -> str:
    """A function without its module, as mprof's plot has it."""
    return clip(label.rpartition(".")[2] or label, 40)


def _in_short(command: str, length: int) -> str:
    """A command without control characters, cut in the middle: what it ends in tells one worker from another."""
    text = " ".join(command.split())
    tail = length // 3
    return text if len(text) <= length else f"{text[: length - tail - 1]}…{text[-tail:]}"


def _fit(samples: Sequence[MemorySample], window: tuple[float, float] | None) -> tuple[float, float] | None:
    """The line of least squares: bytes per second, and bytes at time 0."""
    inside = _samples_within(samples, window)
    if len(inside) < 2:
        return None
    mean_time = sum(sample.time for sample in inside) / len(inside)
    mean_rss = sum(sample.rss for sample in inside) / len(inside)
    spread = sum((sample.time - mean_time) ** 2 for sample in inside)
    if not spread:
        return None
    rate = sum((sample.time - mean_time) * (sample.rss - mean_rss) for sample in inside) / spread
    return rate, mean_rss - rate * mean_time


# Words


def _point(sample: MemorySample) -> tuple[float, int]:
    return sample.time, sample.rss


def _peak_label(timeline: MemoryTimeline) -> str:
    where = timeline.peak_at
    line = f", {where.label or where.filename} line {where.lineno}" if where is not None else ""
    return f"{_moment(timeline.peak)}{line}"


def _words(timeline: MemoryTimeline) -> str:
    main = timeline.main
    took = format_seconds(timeline.duration)
    alone = (
        f"Memory over {took}: starts at {format_size(main[0].rss)}, peaks at {_peak_label(timeline)}, "
        f"ends at {format_size(main[-1].rss)}."
    )
    return " ".join([alone, *_words_of_children(timeline)])


def _words_of_children(timeline: MemoryTimeline) -> Iterator[str]:
    if not timeline.children:
        return
    yield f"{_together(timeline)}."
    shown, n_more = list(_heaviest_children(timeline)), len(timeline.children) - _MAX_CURVES + 1
    peaks = [f"{_child_label(timeline, pid, _SHORT)} peaks at {_moment(_peak_of(samples))}" for pid, samples in shown]
    yield "; ".join([*peaks, *([f"{n_more} more"] if n_more > 0 else [])]) + "."


def _together(timeline: MemoryTimeline) -> str:
    n_processes = len(timeline.children) + 1
    return f"All {n_processes} processes together peak at {_moment(timeline.peak_together)}"


def _moment(sample: MemorySample) -> str:
    when = format_seconds(sample.time) if sample.time > 0 else "the start"
    return f"{format_size(sample.rss)} at {when}"


def _peak_of(samples: Sequence[MemorySample]) -> MemorySample:
    return max(samples, key=attrgetter("rss"))


def _headline(timeline: MemoryTimeline, shown: _Display) -> str:
    main = timeline.main
    rise, change = timeline.peak.rss - main[0].rss, main[-1].rss - main[0].rss
    if rise > 0:
        peak = f"Peak {_peak_label(timeline)}, {format_size(rise)} above the start"
    else:
        peak = f"Memory did not rise above the {format_size(main[0].rss)} of the start"
    if timeline.children:
        peak = f"{_together(timeline)}. The process itself: {peak[0].lower()}{peak[1:]}"
    slope = _fit(main, shown.window) if shown.slope else None
    trend = f"; slope {format_change(round(slope[0]))}/s" if slope is not None else ""
    return f"{peak}; {_end_in_words(change)}{trend}"


def _end_in_words(change: int) -> str:
    return f"{format_change(change)} at the end" if change else "ends where it began"


def _method(timeline: MemoryTimeline) -> Iterator[str]:
    yield timeline.method.engine
    yield f"{timeline.method.n_events} samples" + (
        f", one every {format_seconds(timeline.interval)} as asked" if timeline.interval else ""
    )
    if timeline.exact_peak is not None:
        yield "The peak is the operating system's own high-water mark, also between two samples"
    else:
        yield "The peak is that of the samples; what came and went between two of them is not in it"
    if timeline.children:
        yield "All processes together: the sum of the samples, pages that they share counted for each (-c: once)"


# Tables


def _tables(timeline: MemoryTimeline, shown: _Display) -> Iterator[View]:
    if timeline.marks and not shown.no_functions:
        yield _marks_table(timeline)
    if timeline.children:
        yield _children_table(timeline)


def _marks_table(timeline: MemoryTimeline) -> TableView:
    columns = (
        Column("Mark", Unit.NAME),
        Column("Calls"),
        Column("First at", tip="seconds from the start"),
        Column("Time", tip="from enter to leave, all calls"),
        Column("MiB at enter", tip="of the first call"),
        Column("Change", tip="MiB from enter to leave, all calls"),
        Column("Highest", tip="MiB, the highest sample in any of the calls"),
    )
    groups = sorted(_groups(timeline.marks), key=lambda group: (group[0].start, group[0].level))
    strong = heaviest(groups, lambda group: abs(_change(group)))
    rows = [_marks_row(group, timeline.main, strong=group in strong) for group in groups[:_MAX_ROWS]]
    left_out = len(groups) - len(rows)
    footer = f"{left_out} more marks" if left_out else ""
    return TableView("Marks, in the order in which they began", columns, tuple(rows), footer)


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
        f"{first.start:.3f}",
        format_seconds(sum(mark.duration for mark in marks)),
        format_mib(first.rss_start) if first.rss_start is not None else "",
        f"{_change(marks) / 2**20:+.1f}" if any(map(_has_change, marks)) else "",
        format_mib(highest) if highest is not None else "",
    )
    return Row(tuple(Cell(text) for text in texts), strong)


def rss_within(mark: Mark, main: Sequence[MemorySample]) -> Iterator[int]:
    """What is known of memory during a mark: at its ends, and the samples between."""
    yield from (rss for rss in (mark.rss_start, mark.rss_end) if rss is not None)
    first, last = bisect_left(main, mark.start, key=_time), bisect_right(main, mark.end, key=_time)
    yield from (sample.rss for sample in main[first:last])


def _time(sample: MemorySample) -> float:
    return sample.time


def _children_table(timeline: MemoryTimeline) -> TableView:
    columns = (Column("Process", Unit.NAME), Column("From"), Column("To"), Column("Peak MiB"), Column("At"))
    children = sorted(timeline.children.items(), key=lambda item: item[1][0].time)
    rows = [_child_row(timeline, pid, samples) for pid, samples in children[:_MAX_ROWS]]
    left_out = len(children) - len(rows)
    return TableView("Child processes", columns, tuple(rows), f"{left_out} more processes" if left_out else "")


def _child_row(timeline: MemoryTimeline, pid: int, samples: Sequence[MemorySample]) -> Row:
    peak = _peak_of(samples)
    texts = (
        _child_label(timeline, pid),
        f"{samples[0].time:.2f}",
        f"{samples[-1].time:.2f}",
        format_mib(peak.rss),
        f"{peak.time:.2f}",
    )
    return Row(tuple(Cell(text) for text in texts))


def _recordings_table(recordings: Sequence[tuple[str, MemoryTimeline]]) -> TableView:
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
            Cell(f"{peak.time:.2f} s"),
            Cell(format_mib(main[-1].rss)),
        )
    )
