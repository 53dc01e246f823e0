"""Memory over time as a plot, made by matplotlib.

    render_png(view)                  bytes
    draw(view, ax)                    the same in Axes of somebody else

* matplotlib is imported here and nowhere else, by the first plot, since it takes
  40 MiB. It is used through `Figure`, so no global figure and no backend is touched.
* The picture is transparent, and its colours are of middle lightness: text and
  lines can be read on white and on black.
* From the bottom to the top the plot has the curves, the label of the peak, and a
  lane for each mark that would overlap another. Room is set aside for each before
  anything is drawn, in points, so that nothing collides or is cut off.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_profkit.render.escaping import shown
from jupyter_profkit.render.plot_text import FONT_SIZE, fitted, text_width
from jupyter_profkit.render.strip import CURVES, PEAK
from jupyter_profkit.render.timeline_marks import LANE, extent, lanes_of
from jupyter_profkit.units import MIB, format_change
from jupyter_profkit.views.report import Curve, TimelineView
from jupyter_profkit.views.words import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "render_figure", "render_png"]

_TEXT = "#7b7b7b"
_GRID = (0.5, 0.5, 0.5, 0.22)
_SPANS = ("#1f9a78", "#a968b8", "#b98a12", "#3f97a8", "#cf5f7d", "#5f8a2f")

_LONGEST_NAME = 200
_LEGEND_HANDLE = 32.0
_MAX_LEGEND_ROWS = 7
_ROW = 14.4
"""The height of a row of the heading, points."""
_AXIS_LABEL = 22.0
"""What the name of the vertical axis and its ticks take beside their labels, points."""
_BLANK = 3.0
"""What stays free at the right, points."""
_WIDTH, _HEIGHT, _DPI = 9.0, 3.2, 200
_LEFT, _RIGHT = 0.62, 0.12
"""Margins, inches, unless the axes' labels need more."""


def render_png(view: TimelineView) -> bytes:
    """The plot as a transparent PNG, 900 pixels wide at twice the density."""
    return render_figure(view, "png")


@functools.lru_cache(maxsize=4)
def render_figure(view: TimelineView, file_format: str) -> bytes:
    """The plot as a file of any format that matplotlib writes without a display: png, svg, pdf.

    The latest ones are kept: a report shows the same picture in two of its forms.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    view = _drawable(view)
    # The user's own style sheet may ask for what does not fit here, LaTeX for instance.
    with mpl.rc_context({**_base_style(mpl), "svg.hashsalt": "profkit"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font lacks is drawn as boxes
        figure = Figure(dpi=_DPI)
        FigureCanvasAgg(figure)
        left, right = _margins(_draw_figure(view, figure, _LEFT, _RIGHT))
        if (left, right) != (_LEFT, _RIGHT):
            figure.clear()
            _draw_figure(view, figure, left, right)
        if file_format == "png":
            return _to_png(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=file_format, transparent=True, metadata={"svg": {"Date": None}}.get(file_format))
    return buffer.getvalue()


def _to_png(figure: Any) -> bytes:
    """The figure as PNG with a palette, a third of the size: it stays in the notebook, twice."""
    from PIL import Image

    figure.patch.set_visible(False)
    figure.canvas.draw()
    pixels = figure.canvas.buffer_rgba()
    image = Image.frombuffer("RGBA", (pixels.shape[1], pixels.shape[0]), pixels, "raw", "RGBA", 0, 1)
    buffer = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _base_style(mpl: Any) -> dict[str, Any]:
    """The defaults of matplotlib itself for all that is drawn here."""
    families = (
        "axes.",
        "font.",
        "grid.",
        "legend.",
        "lines.",
        "patch.",
        "path.",
        "savefig.",
        "text.",
        "xtick.",
        "ytick.",
    )
    return {key: value for key, value in mpl.rcParamsDefault.items() if key.startswith(families)}


def _draw_figure(view: TimelineView, figure: Any, left: float, right: float) -> Axes:
    """Draw into a figure whose height is what the plot needs; the margins are in inches."""
    width = (_WIDTH - left - right) * 72
    heading = _Heading.of(view, width)
    bottom, top = 0.48, 0.10 + heading.height / 72
    height = _HEIGHT + (LANE * len(lanes_of(view, width)) + max(heading.height - 2 * _ROW, 0)) / 72
    figure.set_size_inches(_WIDTH, height)
    box = (left / _WIDTH, bottom / height, 1 - (left + right) / _WIDTH, 1 - (bottom + top) / height)
    return draw(view, figure.add_axes(box))


def _margins(ax: Axes) -> tuple[float, float]:
    """Inches that the labels of the two axes take, at least the usual ones."""
    widest = max((text_width(label.get_text()) for label in ax.get_yticklabels()), default=0.0)
    low, high = ax.get_xlim()
    scale = ax.get_window_extent().width * 72 / ax.figure.dpi / (high - low)
    beyond = [
        text_width(label.get_text()) / 2 - (high - tick) * scale
        for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        if low <= tick <= high
    ]
    return max(_LEFT, (widest + _AXIS_LABEL) / 72), max(_RIGHT, (max(beyond, default=0.0) + _BLANK) / 72)


def draw(view: TimelineView, ax: Axes | None = None) -> Axes:
    """Draw `view` into matplotlib Axes, and return them.

    Parameters
    ----------
    view : what to draw.
    ax : where; a new figure by default.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained").add_subplot()
    view = _drawable(view)
    frame = _Frame.of(view, ax)
    _draw_axes(ax, frame)
    for number, curve in enumerate(view.curves):
        style = "-" if number < len(CURVES) else "--"
        _draw_curve(ax, curve, CURVES[number % len(CURVES)], frame, style, filled=len(view.curves) == 1)
    if view.slope is not None:
        _draw_slope(ax, view.slope, frame)
    if view.peak is not None:
        _draw_peak(ax, view, view.peak, frame)
    _draw_spans(ax, view, frame)
    _draw_heading(ax, view, frame)
    return ax


@dataclass(frozen=True, slots=True)
class _Frame:
    """The room that each part of the plot has: seconds, MiB and points."""

    start: float
    end: float
    low: float
    high: float
    """The highest value of all, MiB; the label of the peak stands above it."""
    top: float
    """The upper end of the axis, MiB; the lanes end there."""
    width: float
    height: float

    @classmethod
    def of(cls, view: TimelineView, ax: Axes) -> _Frame:
        box = ax.get_window_extent()
        points = 72 / ax.figure.dpi
        width, height = box.width * points, box.height * points
        start, end = extent(view)
        values = [value / MIB for curve in view.curves for value in _within(curve, start, end)]
        if view.peak is not None and start <= view.peak[0] <= end:
            values.append(view.peak[1] / MIB)
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        low = min(low, max(high - 0.5, 0.0))  # a level curve is not made of noise
        high = max(high, low + 0.1)
        low = 0.0 if low < 0.35 * high else low - 0.06 * (high - low)
        taken = LANE * (len(lanes_of(view, width)) + 1) + 8
        room = max(height - taken, 0.3 * height)
        return cls(start, end, low, high, low + (high - low) * height / room, width, height)

    def x(self, time: float) -> float:
        """Points from the left edge."""
        return (time - self.start) / (self.end - self.start) * self.width


def _within(curve: Curve, start: float, end: float) -> Iterator[int]:
    return (value for time, value in zip(curve.times, curve.values, strict=True) if start <= time <= end)


def _draw_axes(ax: Axes, frame: _Frame) -> None:
    from matplotlib.ticker import ScalarFormatter

    ax.set_xlim(frame.start, frame.end)
    ax.set_ylim(frame.low, frame.top)
    highest = frame.high + 0.01 * (frame.high - frame.low)
    ax.set_yticks([tick for tick in ax.get_yticks() if frame.low <= tick <= highest])
    ax.set_xlabel("time, s", color=_TEXT, fontsize=FONT_SIZE)
    ax.set_ylabel("MiB", color=_TEXT, fontsize=FONT_SIZE)
    ax.tick_params(colors=_TEXT, labelsize=FONT_SIZE, length=3)
    for axis in (ax.xaxis, ax.yaxis):  # without "1e6" and "+2e1", which stand where something else does
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_scientific(False)
        axis.set_major_formatter(formatter)
    ax.grid(visible=True, axis="y", color=_GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_TEXT)


def _draw_curve(ax: Axes, curve: Curve, color: str, frame: _Frame, style: str, *, filled: bool) -> None:
    values = [value / MIB for value in curve.values]
    if filled:
        ax.fill_between(curve.times, values, frame.low, color=color, alpha=0.16, linewidth=0)
    marker = "." if len(values) == 1 else None
    ax.plot(
        curve.times, values, color=color, linewidth=1.4, linestyle=style, solid_joinstyle="round", marker=marker,
        label=curve.label,
    )  # fmt: skip


def _draw_slope(ax: Axes, slope: tuple[float, float], frame: _Frame) -> None:
    rate, base = slope
    ends = (
        sorted((value * MIB - base) / rate for value in (frame.low, frame.high)) if rate else [frame.start, frame.end]
    )
    times = (max(ends[0], frame.start), min(ends[1], frame.end))  # where it is no higher than the curve
    values = [(base + rate * time) / MIB for time in times]
    ax.plot(times, values, color=PEAK, linewidth=1.1, linestyle=(0, (5, 3)), label=_slope_label(rate))


def _draw_peak(ax: Axes, view: TimelineView, peak: tuple[float, int], frame: _Frame) -> None:
    """The dot, a dotted line down to the curve where no sample was that high, and the label above all curves."""
    time, value = peak[0], peak[1] / MIB
    if not frame.start <= time <= frame.end:
        return
    foot = max((_value_at(curve, time) for curve in view.curves if curve.times), default=peak[1]) / MIB
    if foot < value:
        ax.plot((time, time), (foot, value), color=PEAK, linewidth=1.0, linestyle=":")
    text = fitted(view.peak_label, frame.width)
    width = text_width(text)
    left = min(max(frame.x(time) - width / 2, 0), max(frame.width - width, 0))
    leader = (frame.high - value) / (frame.top - frame.low) * frame.height
    if leader > 6:
        ax.plot((time, time), (value, frame.high), color=PEAK, linewidth=0.8, linestyle=":")
    ax.plot((time,), (value,), "o", color=PEAK, markersize=5, clip_on=False, zorder=5)
    offset = (left - frame.x(time), 6)
    ax.annotate(
        text, (time, frame.high), offset, textcoords="offset points", ha="left", va="bottom",
        color=PEAK, fontsize=FONT_SIZE, fontweight="bold", parse_math=False, zorder=6,
    )  # fmt: skip


def _value_at(curve: Curve, time: float) -> int:
    """The value of the point that is nearest in time."""
    index = min(range(len(curve.times)), key=lambda index: abs(curve.times[index] - time))
    return curve.values[index]


@dataclass(frozen=True, slots=True)
class _Heading:
    """What stands above the axes: the names of the curves, and the title beside or above them."""

    n_rows: int
    """Of the legend; 0 if there is none."""
    n_columns: int
    beside: bool
    """Whether the title has room in the legend's row."""
    has_title: bool

    @classmethod
    def of(cls, view: TimelineView, width: float) -> _Heading:
        """The heading of a plot that is `width` points wide."""
        names = [curve.label for curve in view.curves] if len(view.curves) > 1 or view.slope is not None else []
        names += [_slope_label(view.slope[0])] if view.slope is not None else []
        if not names:
            return cls(0, 0, beside=False, has_title=bool(view.caption))
        column = max(map(text_width, names)) + _LEGEND_HANDLE
        n_columns = max(1, min(int(width / column), len(names)))
        n_rows = min(-(-len(names) // n_columns), _MAX_LEGEND_ROWS)
        n_columns = min(n_columns, -(-len(names) // n_rows))
        title = text_width(view.caption, FONT_SIZE + 1)
        return cls(n_rows, n_columns, n_rows == 1 and n_columns * column + title <= width, bool(view.caption))

    @property
    def height(self) -> float:
        """Points."""
        return _ROW * (self.n_rows + (self.has_title and not self.beside))


def _slope_label(rate: float) -> str:
    return f"slope {format_change(round(rate))}/s"


def _draw_heading(ax: Axes, view: TimelineView, frame: _Frame) -> None:
    """The title at the right, the legend at the left."""
    heading = _Heading.of(view, frame.width)
    if view.caption:
        pad = 6 if heading.beside or not heading.n_rows else 9 + _ROW * heading.n_rows
        title = ax.set_title(view.caption, loc="right", fontsize=FONT_SIZE + 1, color=_TEXT, fontweight="bold", pad=pad)
        title.set_parse_math(False)
    if heading.n_rows:
        handles, labels = ax.get_legend_handles_labels()
        n_shown = heading.n_rows * heading.n_columns
        legend = ax.legend(
            handles[:n_shown], labels[:n_shown], ncols=heading.n_columns, loc="lower left", bbox_to_anchor=(0, 1.0),
            frameon=False, fontsize=FONT_SIZE, labelcolor=_TEXT, borderaxespad=0.1, handlelength=1.4,
            columnspacing=1.4,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_spans(ax: Axes, view: TimelineView, frame: _Frame) -> None:
    lanes = lanes_of(view, frame.width)
    groups = dict.fromkeys(span.group for span in sorted(view.spans, key=lambda span: span.start))
    colors = {group: _SPANS[number % len(_SPANS)] for number, group in enumerate(groups)}
    transform = ax.get_xaxis_transform()
    for bar in (bar for lane in lanes for bar in lane):
        span = bar.span
        start, end = max(span.start, frame.start), min(span.end, frame.end)
        bottom = 1 - (bar.lane + 1) * LANE / frame.height
        height = (LANE - 2) / frame.height
        color = colors[span.group]
        ax.fill_between(
            (start, end), bottom, bottom + height, transform=transform, color=color, alpha=0.18, linewidth=0
        )
        for edge in {start, end}:
            ax.plot((edge, edge), (bottom, bottom + height), transform=transform, color=color, linewidth=1.1)
        ax.text(
            bar.text_left / frame.width, bottom + height / 2, bar.text, transform=ax.transAxes, va="center_baseline",
            color=_TEXT, fontsize=FONT_SIZE - 1, parse_math=False, clip_on=True,
        )  # fmt: skip


def _drawable(view: TimelineView) -> TimelineView:
    """`view` with names that matplotlib can draw: it stops at a lone surrogate, and keeps what begins with ``_``."""
    return replace(
        view,
        caption=clip(shown(view.caption), 80),
        peak_label=clip(shown(view.peak_label), _LONGEST_NAME),
        curves=tuple(replace(curve, label=_curve_label(curve.label)) for curve in view.curves),
        spans=tuple(replace(span, label=clip(shown(span.label), _LONGEST_NAME)) for span in view.spans),
    )


def _curve_label(label: str) -> str:
    return f"{' ' * label.startswith('_')}{clip(shown(label), 32)}"
