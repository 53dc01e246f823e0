"""A recording of memory over time in words: its peak, its course, how it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jupyter_profkit.model.timeline import MemorySample, MemoryTimeline
from jupyter_profkit.units import format_change, format_seconds, format_size
from jupyter_profkit.views.timeline_curves import (
    MAX_CURVES,
    SHORT,
    Display,
    child_label,
    fit,
    heaviest_children,
    peak_of,
    samples_within,
)

__all__ = ["headline", "method", "notes_on_window", "peak_label", "words"]


def peak_label(timeline: MemoryTimeline) -> str:
    where = timeline.peak_at
    line = f", {where.label or where.filename} line {where.lineno}" if where is not None else ""
    return f"{_moment(timeline.peak)}{line}"


def words(timeline: MemoryTimeline) -> str:
    main = timeline.main
    took = format_seconds(timeline.duration)
    alone = (
        f"Memory over {took}: starts at {format_size(main[0].rss)}, peaks at {peak_label(timeline)}, "
        f"ends at {format_size(main[-1].rss)}."
    )
    return " ".join([alone, *_words_of_children(timeline)])


def _words_of_children(timeline: MemoryTimeline) -> Iterator[str]:
    if not timeline.children:
        return
    yield f"{_together(timeline)}."
    shown, n_more = list(heaviest_children(timeline)), len(timeline.children) - MAX_CURVES + 1
    peaks = [f"{child_label(timeline, pid, SHORT)} peaks at {_moment(peak_of(samples))}" for pid, samples in shown]
    yield "; ".join([*peaks, *([f"{n_more} more"] if n_more > 0 else [])]) + "."


def _together(timeline: MemoryTimeline) -> str:
    n_processes = len(timeline.children) + 1
    return f"{n_processes} processes together peak at {_moment(timeline.peak_together)}"


def _moment(sample: MemorySample) -> str:
    when = format_seconds(sample.time) if sample.time > 0 else "the start"
    return f"{format_size(sample.rss)} at {when}"


def headline(timeline: MemoryTimeline, shown: Display) -> str:
    main = timeline.main
    rise, change = timeline.peak.rss - main[0].rss, main[-1].rss - main[0].rss
    if rise > 0:
        peak = f"Peak {peak_label(timeline)}, {format_size(rise)} above the start"
    else:
        peak = f"Memory did not rise above the {format_size(main[0].rss)} of the start"
    if timeline.children:
        peak = f"{_together(timeline)}. The process itself: {peak[0].lower()}{peak[1:]}"
    slope = fit(main, shown.window) if shown.slope else None
    trend = f"; slope {format_change(round(slope[0]))}/s" if slope is not None else ""
    return f"{peak}; {_end_in_words(change)}{trend}"


def _end_in_words(change: int) -> str:
    return f"{format_change(change)} at the end" if change else "ends where it began"


def method(timeline: MemoryTimeline) -> Iterator[str]:
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


def notes_on_window(timelines: Sequence[MemoryTimeline], window: tuple[float, float] | None) -> Iterator[str]:
    """A window beside all of the recordings shows nothing."""
    if window is None or any(samples_within(timeline.main, window) for timeline in timelines):
        return
    last = max((timeline.main[-1].time for timeline in timelines if timeline.main), default=0.0)
    yield f"nothing was recorded from {window[0]:g} to {window[1]:g} s; the last sample is at {format_seconds(last)}"
