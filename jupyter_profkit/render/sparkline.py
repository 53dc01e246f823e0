"""A curve in one line of text.

sparkline((1, 5, 9, 3), 4)                '▁▄█▃'
aligned_sparklines(view, 72)              one for each curve, all over the same time
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jupyter_profkit.units import MIB
from jupyter_profkit.views.report import Curve, TimelineView

__all__ = ["LEVEL", "aligned_sparklines", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"

LEVEL = MIB // 4
"""A range of bytes that is nothing to look at."""


def sparkline(values: Sequence[int], width: int, noise: int = 0) -> str:
    """`values` as blocks from the lowest to the highest, at most `width` of them, each the highest of its share.

    A range of less than `noise` is level.
    """
    if not values:
        return ""
    n_columns = max(1, min(width, len(values)))
    ends = [round(column * len(values) / n_columns) for column in range(n_columns + 1)]
    columns = [max(values[start:end]) for start, end in pairwise(ends)]
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high - low > noise else 0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in columns)


def aligned_sparklines(view: TimelineView, width: int) -> list[str]:
    """A line for each curve, all over the same time: nothing where a curve is not."""
    times = [time for curve in view.curves for time in (curve.times[:1] + curve.times[-1:])]
    start, end = view.window or ((min(times), max(times)) if times else (0.0, 1.0))
    scale = (width - 1) / ((end - start) or 1.0)
    return [_sparkline_from(curve, start, scale) for curve in view.curves]


def _sparkline_from(curve: Curve, start: float, scale: float) -> str:
    """Each column has the highest value in it, or what the one before it has."""
    highest: dict[int, int] = {}
    for time, value in zip(curve.times, curve.values, strict=True):
        column = int((time - start) * scale)
        highest[column] = max(value, highest.get(column, value))
    if not highest:
        return ""
    first, last = min(highest), max(highest)
    values = [highest[first]]
    for column in range(first + 1, last + 1):
        values.append(highest.get(column, values[-1]))
    return " " * first + sparkline(values, len(values), LEVEL)
