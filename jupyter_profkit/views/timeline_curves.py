"""What a plot of memory over time has: curves, marks, a fitted line, within a window or all of it.

    shown = Display.of({"window": "0.5,2"})
    curve_of(timeline.main, "memory", COLUMNS, shown.window)
    spans_of(timeline, shown)

A curve has at most two points for each column of the picture, the lowest and the
highest, so that no peak is lost and a long recording stays small.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.timeline import Mark, MemorySample, MemoryTimeline, thin
from jupyter_profkit.options.mprof import MPROF_PLOT
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.report import Curve, Span
from jupyter_profkit.views.words import clip

__all__ = [
    "COLUMNS",
    "MAX_CURVES",
    "SHORT",
    "Display",
    "child_curves",
    "child_label",
    "curve_of",
    "fit",
    "groups_of",
    "heaviest_children",
    "in_short",
    "part_within",
    "peak_of",
    "samples_within",
    "spans_of",
    "time_of",
]

COLUMNS = 900
"""Of the picture."""
MAX_CURVES = 12
_MAX_SPANS = 60
SHORT, _LONGEST = 24, 90
"""Letters of a child's command: in the plot, and in the table."""
_NARROW = 0.004
"""Marks shorter than this share of the picture are drawn as one with their neighbours of the same name."""


@dataclass(frozen=True, slots=True)
class Display:
    title: str
    no_functions: bool
    window: tuple[float, float] | None
    flame: bool
    slope: bool

    @classmethod
    def of(cls, display: dict[str, Any]) -> Display:
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


def samples_within(samples: Sequence[MemorySample], window: tuple[float, float] | None) -> Sequence[MemorySample]:
    if window is None:
        return samples
    return samples[bisect_left(samples, window[0], key=time_of) : bisect_right(samples, window[1], key=time_of)]


def part_within(timeline: MemoryTimeline, window: tuple[float, float] | None) -> MemoryTimeline:
    """What was recorded in the window, if there is one; it may hold no sample of the process itself."""
    if window is None:
        return timeline
    exact = timeline.exact_peak
    part = replace(
        timeline,
        samples=tuple(samples_within(timeline.samples, window)),
        exact_peak=exact if exact is not None and window[0] <= exact.time <= window[1] else None,
    )
    has_the_peak = bool(part.main) and part.peak == timeline.peak
    return part if has_the_peak else replace(part, peak_at=None)


def curve_of(samples: Sequence[MemorySample], label: str, n_columns: int) -> Curve:
    times = [sample.time for sample in samples]
    values = [sample.rss for sample in samples]
    kept = thin(times, values, n_columns) if times else []
    return Curve(label, tuple(times[index] for index in kept), tuple(values[index] for index in kept))


def child_curves(timeline: MemoryTimeline) -> Iterator[Curve]:
    """A curve for each child, the heaviest first."""
    for pid, samples in heaviest_children(timeline):
        yield curve_of(samples, child_label(timeline, pid, SHORT), COLUMNS // 3)


def heaviest_children(timeline: MemoryTimeline) -> list[tuple[int, tuple[MemorySample, ...]]]:
    """As many as have a curve."""
    return sorted(timeline.children.items(), key=lambda item: -peak_of(item[1]).rss)[: MAX_CURVES - 1]


def child_label(timeline: MemoryTimeline, pid: int, length: int = _LONGEST) -> str:
    command = next((process.command for process in timeline.processes if process.pid == pid), "")
    return f"{pid} {in_short(command, length)}" if command else f"child {pid}"


def spans_of(timeline: MemoryTimeline, shown: Display) -> Iterator[Span]:
    """The marks to draw: the longest, those too narrow to see joined with their neighbours."""
    start, end = shown.window or (timeline.main[0].time, timeline.main[-1].time)
    narrow = _NARROW * (end - start)
    inside = [mark for mark in timeline.marks if mark.end >= start and mark.start <= end]
    spans = [span for group in groups_of(inside) for span in _joined(group, narrow)]
    return iter(sorted(spans, key=lambda span: span.start - span.end)[:_MAX_SPANS])


def groups_of(marks: Iterable[Mark]) -> list[list[Mark]]:
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


def in_short(command: str, length: int) -> str:
    """A command without control characters, cut in the middle: what it ends in tells one worker from another."""
    text = " ".join(command.split())
    tail = length // 3
    return text if len(text) <= length else f"{text[: length - tail - 1]}…{text[-tail:]}"


def fit(samples: Sequence[MemorySample]) -> tuple[float, float] | None:
    """The line of least squares: bytes per second, and bytes at time 0."""
    if len(samples) < 2:
        return None
    mean_time = sum(sample.time for sample in samples) / len(samples)
    mean_rss = sum(sample.rss for sample in samples) / len(samples)
    spread = sum((sample.time - mean_time) ** 2 for sample in samples)
    if not spread:
        return None
    rate = sum((sample.time - mean_time) * (sample.rss - mean_rss) for sample in samples) / spread
    return rate, mean_rss - rate * mean_time


def time_of(sample: MemorySample) -> float:
    return sample.time


def peak_of(samples: Sequence[MemorySample]) -> MemorySample:
    return max(samples, key=attrgetter("rss"))
