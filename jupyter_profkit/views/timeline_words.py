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
from jupyter_profkit.views.words import counted

__all__ = ["headline", "method", "moment_of", "notes_on_window", "peak_label", "words"]


def peak_label(timeline: MemoryTimeline) -> str:
    where = timeline.peak_at
    line = f", {where.label or where.filename} line {where.lineno}" if where is not None else ""
    return f"{moment_of(timeline.peak)}{line}"


def words(timeline: MemoryTimeline, window: tuple[float, float] | None = None) -> str:
    """The course of memory; `window` is the part of a recording that `timeline` is, if it is only a part."""
    main = timeline.main
    if not main:
        return "No sample of it is here."
    whose = f" of {_n_processes(timeline)} processes" if timeline.children and timeline.summed else ""
    when = f"over {format_seconds(timeline.duration)}" if window is None else f"from {_in_words(window)}"
    alone = (
        f"Memory{whose} {when}: starts at {format_size(main[0].rss)}, peaks at {peak_label(timeline)}, "
        f"ends at {format_size(main[-1].rss)}."
    )
    return " ".join([alone, *_words_of_children(timeline)])


def _words_of_children(timeline: MemoryTimeline) -> Iterator[str]:
    if not timeline.children:
        return
    if not timeline.summed:
        yield f"{_together(timeline)}."
    shown, n_more = list(heaviest_children(timeline)), len(timeline.children) - MAX_CURVES + 1
    peaks = [f"{child_label(timeline, pid, SHORT)} peaks at {moment_of(peak_of(samples))}" for pid, samples in shown]
    yield "; ".join([*peaks, *([f"{n_more} more"] if n_more > 0 else [])]) + "."


def _together(timeline: MemoryTimeline) -> str:
    return f"{_n_processes(timeline)} processes together peak at {moment_of(timeline.peak_together)}"


def _n_processes(timeline: MemoryTimeline) -> int:
    return len(timeline.children) + 1


def _in_words(window: tuple[float, float]) -> str:
    return f"{window[0]:g} to {window[1]:g} s"


def moment_of(sample: MemorySample) -> str:
    when = format_seconds(sample.time) if sample.time > 0 else "the start"
    return f"{format_size(sample.rss)} at {when}"


def headline(timeline: MemoryTimeline, shown: Display) -> str:
    main = timeline.main
    rise, change = timeline.peak.rss - main[0].rss, main[-1].rss - main[0].rss
    if rise > 0:
        peak = f"Peak {peak_label(timeline)}, {format_size(rise)} above the start"
    else:
        peak = f"Memory did not rise above the {format_size(main[0].rss)} of the start"
    if timeline.children and timeline.summed:
        peak = f"{_n_processes(timeline)} processes together: {peak[0].lower()}{peak[1:]}"
    elif timeline.children:
        peak = f"{_together(timeline)}. The process itself: {peak[0].lower()}{peak[1:]}"
    slope = fit(samples_within(main, shown.window)) if shown.slope else None
    where = f" from {_in_words(shown.window)}" if shown.window is not None else ""
    trend = f"; slope{where} {format_change(round(slope[0]))}/s" if slope is not None else ""
    return f"{peak}; {_end_in_words(change)}{trend}"


def _end_in_words(change: int) -> str:
    return f"{format_change(change)} at the end" if change else "ends where it began"


def method(timeline: MemoryTimeline) -> Iterator[str]:
    yield timeline.method.engine
    yield counted(timeline.method.n_events, "sample") + (
        f", one every {format_seconds(timeline.interval)} as asked" if timeline.interval else ""
    )
    if timeline.exact_peak is not None:
        yield "The peak is the operating system's own high-water mark, also between two samples"
    else:
        yield "The peak is that of the samples; what came and went between two of them is not in it"
    if timeline.children and not timeline.summed:
        yield "All processes together: the sum of the samples, pages that they share counted for each (-c: once)"


def notes_on_window(timelines: Sequence[MemoryTimeline], window: tuple[float, float] | None) -> Iterator[str]:
    """A window beside all of the recordings shows nothing."""
    if window is None or any(samples_within(timeline.main, window) for timeline in timelines):
        return
    last = max((timeline.main[-1].time for timeline in timelines if timeline.main), default=0.0)
    yield f"nothing was recorded from {_in_words(window)}; the last sample is at {format_seconds(last)}"
