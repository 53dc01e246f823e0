"""Memory over time, as a reader sees it: the plot, its marks in a table, several recordings in one.

report(timeline, window=(0.5, 2), slope=True)     Report
small_view(timeline)                              the strip in another report
overlay_report([before, after], ["before", "after"])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.timeline import MemorySample, MemoryTimeline
from jupyter_profkit.units import format_seconds, format_size
from jupyter_profkit.views.report import Curve, Report, TimelineView, View, warning_of
from jupyter_profkit.views.timeline_curves import (
    COLUMNS,
    MAX_CURVES,
    SHORT,
    Display,
    child_curves,
    child_label,
    curve_of,
    fit,
    heaviest_children,
    in_short,
    part_within,
    peak_of,
    spans_of,
)
from jupyter_profkit.views.timeline_tables import children_table, marks_table, recordings_table
from jupyter_profkit.views.timeline_words import headline, method, moment_of, notes_on_window, peak_label, words
from jupyter_profkit.views.words import headed

__all__ = ["live_report", "overlay_report", "overlay_view", "plot_view", "report", "small_view"]

_SMALL_COLUMNS = 140
_LIVE_HEIGHT = 150


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
    shown = Display.of(display)
    title = headed("%mprof_plot", timeline.session.title)
    notes = (*timeline.method.notes, *notes_on_window([timeline], shown.window))
    if not timeline.main:
        return Report(title, "No memory was recorded", notes=notes, warning=warning_of(timeline.session))
    return Report(
        title=title,
        headline=headline(timeline, shown),
        parts=(_plot_view(timeline, shown), *_tables(timeline, shown)),
        notes=notes,
        method=tuple(method(timeline)),
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
    return _plot_view(timeline, Display.of(display))


def small_view(timeline: MemoryTimeline, caption: str = "Memory over time") -> TimelineView:
    """The strip in the report of another magic."""
    return TimelineView(
        caption=caption,
        alt=words(timeline),
        curves=(curve_of(timeline.main, "memory", _SMALL_COLUMNS),),
        peak=_point(timeline.peak),
        peak_label=peak_label(timeline),
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
        parts=(view, recordings_table(recordings)),
        notes=(
            *(f"{label}: {note}" for label, timeline in recordings for note in timeline.method.notes),
            *notes_on_window(timelines, view.window),
            *([f"the plot has the first {MAX_CURVES} of them"] if len(recordings) > MAX_CURVES else []),
        ),
    )


def overlay_view(timelines: Sequence[MemoryTimeline], names: Sequence[str], **display: Any) -> TimelineView:
    """The plot of `overlay_report` alone."""
    shown = Display.of(display)
    recordings = list(zip(names, timelines, strict=True))
    for name, timeline in recordings:
        if not timeline.main:
            raise OptionError(f"{name} holds no memory samples")
    parts = [(label, part_within(timeline, shown.window)) for label, timeline in recordings]
    seen = [(label, part) for label, part in parts[:MAX_CURVES] if part.main]
    name, highest = _highest(seen or recordings)
    return TimelineView(
        caption=shown.title,
        alt=" ".join(f"{label}: {words(part, shown.window)}" for label, part in parts),
        curves=tuple(curve_of(part.main, label, COLUMNS // 2) for label, part in parts[:MAX_CURVES]),
        peak=_point(highest.peak),
        peak_label=f"{name}: {peak_label(highest)}",
        slope=fit(highest.main) if shown.slope else None,
        window=shown.window,
    )


def _highest(recordings: Sequence[tuple[str, MemoryTimeline]]) -> tuple[str, MemoryTimeline]:
    return max(recordings, key=lambda recording: recording[1].peak.rss)


def _plot_view(timeline: MemoryTimeline, shown: Display) -> TimelineView:
    part = part_within(timeline, shown.window)
    curves = [curve_of(part.main, _name_of_main(part), COLUMNS), *child_curves(part)]
    spans = () if shown.no_functions else tuple(spans_of(timeline, shown))
    peak, label = _labelled_peak(part, timeline)
    return TimelineView(
        caption=shown.title,
        alt=words(part, shown.window),
        curves=tuple(curves),
        spans=spans,
        peak=peak,
        peak_label=label,
        slope=fit(part.main) if shown.slope else None,
        window=shown.window,
        flame=shown.flame,
    )


def _name_of_main(timeline: MemoryTimeline) -> str:
    """In the legend."""
    if not timeline.children:
        return "memory"
    return "all together" if timeline.summed else in_short(timeline.session.title, SHORT)


def _labelled_peak(part: MemoryTimeline, whole: MemoryTimeline) -> tuple[tuple[float, int] | None, str]:
    """The highest point of the plot, and its words: whose it is, and that more is outside, if these are questions."""
    if not part.main:
        return None, ""
    highest, label = part.peak, peak_label(part)
    if part.children:
        label = label if part.peak_at is not None else f"{_name_of_main(part)}: {label}"
        for pid, samples in heaviest_children(part)[:1]:
            if peak_of(samples).rss > highest.rss:
                highest = peak_of(samples)
                label = f"{child_label(part, pid, SHORT)}: {moment_of(highest)}"
    outside = max(whole.peak.rss, *(peak_of(samples).rss for _, samples in heaviest_children(whole)[:1]), 0)
    return _point(highest), f"{label}, the highest here" if highest.rss < outside else label


def _tables(timeline: MemoryTimeline, shown: Display) -> Iterator[View]:
    if timeline.marks and not shown.no_functions:
        yield marks_table(timeline)
    if timeline.children:
        yield children_table(timeline)


def _point(sample: MemorySample) -> tuple[float, int]:
    return sample.time, sample.rss
