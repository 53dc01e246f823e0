"""A blank picture of matplotlib's, in points from the left upper corner, and what was painted on it as PNG.

    axes = blank(width, height, dpi)
    axes.text(...)
    to_png(axes)

matplotlib is imported only here and in what calls it, since it is heavy.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

__all__ = ["blank", "to_png"]


def blank(width: float, height: float, dpi: float) -> Any:
    """Axes that fill a figure of `width` times `height` points on a transparent ground; y grows downward."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=dpi)
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def to_png(axes: Any) -> bytes:
    """The figure of `axes` as PNG; a character that its font lacks is an empty box, and no warning."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        axes.figure.savefig(buffer, format="png", transparent=True)
    return buffer.getvalue()
