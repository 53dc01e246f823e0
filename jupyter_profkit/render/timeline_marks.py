"""Where the marks of a plot go: each in a lane, with its name in it or beside it.

for lane in lanes_of(view, width):
    for bar in lane: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_profkit.render.plot_text import FONT_SIZE, longest_cut, text_width
from jupyter_profkit.views.report import Span, TimelineView

__all__ = ["LANE", "Bar", "extent", "lanes_of"]

LANE = 13.0
"""The height of a lane, points."""
_MAX_LANES = 8
_READABLE, _BARELY_READABLE = 10, 4
"""Letters by which a cut name can be known; the second where there is its colour to help."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A mark as it is drawn: its lane's number, and where its text begins, points."""

    span: Span
    lane: int
    text: str
    text_left: float


def extent(view: TimelineView) -> tuple[float, float]:
    """The ends of the time axis, with a little room beyond the curves."""
    times = [time for curve in view.curves for time in (curve.times[:1] + curve.times[-1:])]
    start, end = view.window or ((min(times), max(times)) if times else (0.0, 1.0))
    margin = 0.006 * max(end - start, 1e-3)
    return start - margin, end + margin


def lanes_of(view: TimelineView, width: float) -> list[list[Bar]]:
    """The marks of `view`, so that in no lane a bar or its text touches another; what has no lane is left out."""
    start, end = extent(view)
    scale = width / (end - start)
    lanes: list[list[Bar]] = []
    ends: list[float] = []
    in_order = sorted(view.spans, key=lambda span: (span.start, span.level, -span.end))
    starts_after = _starts_of_the_next(in_order)
    for span in in_order:
        if span.end < start or span.start > end:
            continue
        left, right = (max(span.start, start) - start) * scale, (min(span.end, end) - start) * scale
        free = min((starts_after.get(span, end) - start) * scale, width)
        text, text_left = _place_text(span, left, right, free, width, inside=view.flame)
        text_right = text_left + text_width(text, FONT_SIZE - 1) + 4
        taken_left, taken_right = min(left, text_left), text_right if text_right > right + 4 else right
        if view.flame:
            lane = span.level
        else:
            lane = next((n for n, taken in enumerate(ends) if taken <= taken_left + 1), len(ends))
        if lane >= _MAX_LANES:
            continue
        while lane >= len(lanes):
            lanes.append([])
            ends.append(0.0)
        lanes[lane].append(Bar(span, lane, text, text_left))
        ends[lane] = taken_right
    return lanes


def _starts_of_the_next(spans: Sequence[Span]) -> dict[Span, float]:
    """For each span the start of the one of its name that follows it."""
    following: dict[Span, float] = {}
    last: dict[tuple[str, int], Span] = {}
    for span in spans:
        before = last.get((span.group, span.level))
        if before is not None and span.start >= before.end:
            following[before] = span.start
        last[span.group, span.level] = span
    return following


def _place_text(span: Span, left: float, right: float, free: float, width: float, *, inside: bool) -> tuple[str, float]:
    """The text of a bar from `left` to `right`, and where it begins: in it, after it up to `free`, or before it."""
    size = FONT_SIZE - 1
    needed = text_width(span.label, size) + 6
    room = right - left - 6
    if needed <= right - left:
        return span.label, left + 3
    short = _name_cut(span, room, size)
    if short:
        return short, left + 3
    if not inside and right + needed <= free:
        return span.label, right + 3
    short = _without_time(span, room, size)
    if inside or short or free < width or needed > left:  # `free` is less before one of the same name
        return short, left + 3
    return span.label, left - needed + 3


def _name_cut(span: Span, room: float, size: float) -> str:
    """The label with enough of its name to know it by, and its time; nothing if there is no room for these."""
    return longest_cut(span.label.removesuffix(span.took).rstrip(), room, size, _READABLE, f" {span.took}")


def _without_time(span: Span, room: float, size: float) -> str:
    name = span.label.removesuffix(span.took).rstrip()
    return name if text_width(name, size) <= room else longest_cut(name, room, size, _BARELY_READABLE)
