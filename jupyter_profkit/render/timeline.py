"""Memory over time as a picture: PNG by matplotlib, a small SVG strip by hand, a line of blocks in text.

    render_png(view)                  bytes: the plot itself
    render_svg(view)                  a strip of a few kB, no import
    sparkline((1, 5, 9, 3), 4)        '▁▄█▃'

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
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from jupyter_profkit.render.escaping import escape_xml, shown
from jupyter_profkit.units import MIB, format_change
from jupyter_profkit.views.report import Curve, Span, TimelineView
from jupyter_profkit.views.words import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LEVEL", "aligned_sparklines", "draw", "render_figure", "render_png", "render_svg", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"

LEVEL = MIB // 4
"""A range of bytes that is nothing to look at."""

_TEXT = "#7b7b7b"
_GRID = (0.5, 0.5, 0.5, 0.22)
_PEAK = "#d9622b"
_CURVES = ("#2f7fc1", "#1f9a78", "#a968b8", "#b98a12", "#cf5f7d", "#5f8a2f", "#3f97a8", "#9a7350")
_SPANS = ("#1f9a78", "#a968b8", "#b98a12", "#3f97a8", "#cf5f7d", "#5f8a2f")

_FONT_SIZE = 9.0
_LANE = 13.0
_LONGEST_NAME = 200
_MAX_LANES = 8
_LEGEND_HANDLE = 32.0
_READABLE, _BARELY_READABLE = 10, 4
"""Letters by which a cut name can be known; the second where there is its colour to help."""
_WIDTH, _HEIGHT, _DPI = 9.0, 3.2, 200


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


# The strip

_STRIP_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#595959}path{fill:none;stroke-width:1.4}.a{stroke:none;opacity:.16}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}"
)


def render_svg(view: TimelineView, width: int = 640) -> str:
    """The curves and the peak as a strip, a standalone SVG document.

    The label of the peak stands above the curve.
    """
    height = view.height
    strip = _Strip.of(view, width, height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape_xml(view.alt)}</title>",
        f"<style>{_STRIP_STYLE}</style>",
    ]
    for number, curve in enumerate(view.curves[: len(_CURVES)]):
        parts += _strip_curve(strip, curve, _CURVES[number], filled=number == 0)
    parts += _strip_peak(strip, view, width)
    return "".join((*parts, "</svg>"))


@dataclass(frozen=True, slots=True)
class _Strip:
    """From seconds and bytes to the strip's pixels."""

    x0: float
    x_scale: float
    y0: float
    y_scale: float
    bottom: float

    @classmethod
    def of(cls, view: TimelineView, width: int, height: int) -> _Strip:
        times = [time for curve in view.curves for time in curve.times] or [0.0]
        values = [value for curve in view.curves for value in curve.values] or [0]
        if view.peak is not None:
            values.append(view.peak[1])
        low, high = float(min(values)), float(max(values))
        if high - low < LEVEL:  # a level curve is in the middle, and not made of noise
            low, high = (low + high - LEVEL) / 2, (low + high + LEVEL) / 2
        x_scale = (width - 8) / ((max(times) - min(times)) or 1.0)
        return cls(min(times), x_scale, low, (height - 24) / ((high - low) or 1), height - 4)

    def point(self, time: float, value: float) -> str:
        return f"{4 + (time - self.x0) * self.x_scale:.1f} {self.bottom - (value - self.y0) * self.y_scale:.1f}"


def _strip_curve(strip: _Strip, curve: Curve, color: str, *, filled: bool) -> Iterator[str]:
    points = "L".join(strip.point(time, value) for time, value in zip(curve.times, curve.values, strict=True))
    if not points:
        return
    if filled:
        first, last = (strip.point(time, strip.y0) for time in (curve.times[0], curve.times[-1]))
        yield f'<path class="a" style="fill:{color}" d="M{first}L{points}L{last}Z"/>'
    yield f'<path stroke="{color}" d="M{points}"/>'


def _strip_peak(strip: _Strip, view: TimelineView, width: int) -> Iterator[str]:
    if view.peak is None:
        return
    x, y = strip.point(*view.peak).split()
    yield f'<circle cx="{x}" cy="{y}" r="3.2" fill="{_PEAK}"/>'
    share = float(x) / width
    anchor = "start" if share < 0.25 else "end" if share > 0.75 else "middle"
    yield f'<text x="{x}" y="12" text-anchor="{anchor}">{escape_xml(view.peak_label)}</text>'


# The plot


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
    height = _HEIGHT + (_LANE * len(_lanes(view, _axes_width()))) / 72
    # The user's own style sheet may ask for what does not fit here, LaTeX for instance.
    with mpl.rc_context({**_base_style(mpl), "svg.hashsalt": "profkit"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font lacks is drawn as boxes
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI)
        FigureCanvasAgg(figure)
        rows = _legend_shape(view, _axes_width())[0] if _needs_legend(view) else int(bool(view.caption))
        left, right, bottom, top = 0.62, 0.12, 0.48, 0.10 + 0.20 * rows
        box = (left / _WIDTH, bottom / height, 1 - (left + right) / _WIDTH, 1 - (bottom + top) / height)
        draw(view, figure.add_axes(box))
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


def _axes_width() -> float:
    """The width of the plot's axes, points; `render_figure` has the margins."""
    return (_WIDTH - 0.74) * 72


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
        _draw_curve(ax, curve, _CURVES[number % len(_CURVES)], frame, filled=len(view.curves) == 1)
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
        start, end = _extent(view)
        values = [value / MIB for curve in view.curves for value in _within(curve, start, end)]
        if view.peak is not None and start <= view.peak[0] <= end:
            values.append(view.peak[1] / MIB)
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        low = min(low, max(high - 0.5, 0.0))  # a level curve is not made of noise
        high = max(high, low + 0.1)
        low = 0.0 if low < 0.35 * high else low - 0.06 * (high - low)
        taken = _LANE * (len(_lanes(view, width)) + 1) + 8
        room = max(height - taken, 0.3 * height)
        return cls(start, end, low, high, low + (high - low) * height / room, width, height)

    def x(self, time: float) -> float:
        """Points from the left edge."""
        return (time - self.start) / (self.end - self.start) * self.width


def _extent(view: TimelineView) -> tuple[float, float]:
    """The ends of the time axis, with a little room beyond the curves."""
    times = [time for curve in view.curves for time in (curve.times[:1] + curve.times[-1:])]
    start, end = view.window or ((min(times), max(times)) if times else (0.0, 1.0))
    margin = 0.006 * max(end - start, 1e-3)
    return start - margin, end + margin


def _within(curve: Curve, start: float, end: float) -> Iterator[int]:
    return (value for time, value in zip(curve.times, curve.values, strict=True) if start <= time <= end)


def _draw_axes(ax: Axes, frame: _Frame) -> None:
    ax.set_xlim(frame.start, frame.end)
    ax.set_ylim(frame.low, frame.top)
    highest = frame.high + 0.01 * (frame.high - frame.low)
    ax.set_yticks([tick for tick in ax.get_yticks() if frame.low <= tick <= highest])
    ax.set_xlabel("time, s", color=_TEXT, fontsize=_FONT_SIZE)
    ax.set_ylabel("MiB", color=_TEXT, fontsize=_FONT_SIZE)
    ax.tick_params(colors=_TEXT, labelsize=_FONT_SIZE, length=3)
    ax.grid(visible=True, axis="y", color=_GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_TEXT)


def _draw_curve(ax: Axes, curve: Curve, color: str, frame: _Frame, *, filled: bool) -> None:
    values = [value / MIB for value in curve.values]
    if filled:
        ax.fill_between(curve.times, values, frame.low, color=color, alpha=0.16, linewidth=0)
    marker = "." if len(values) == 1 else None
    ax.plot(curve.times, values, color=color, linewidth=1.4, solid_joinstyle="round", marker=marker, label=curve.label)


def _draw_slope(ax: Axes, slope: tuple[float, float], frame: _Frame) -> None:
    rate, base = slope
    ends = (
        sorted((value * MIB - base) / rate for value in (frame.low, frame.high)) if rate else [frame.start, frame.end]
    )
    times = (max(ends[0], frame.start), min(ends[1], frame.end))  # where it is no higher than the curve
    values = [(base + rate * time) / MIB for time in times]
    ax.plot(times, values, color=_PEAK, linewidth=1.1, linestyle=(0, (5, 3)), label=_slope_label(rate))


def _draw_peak(ax: Axes, view: TimelineView, peak: tuple[float, int], frame: _Frame) -> None:
    """The dot, a dotted line down to the curve where no sample was that high, and the label above all curves."""
    time, value = peak[0], peak[1] / MIB
    if not frame.start <= time <= frame.end:
        return
    foot = max((_value_at(curve, time) for curve in view.curves if curve.times), default=peak[1]) / MIB
    if foot < value:
        ax.plot((time, time), (foot, value), color=_PEAK, linewidth=1.0, linestyle=":")
    text = _fitted(view.peak_label, frame.width)
    width = _text_width(text)
    left = min(max(frame.x(time) - width / 2, 0), max(frame.width - width, 0))
    leader = (frame.high - value) / (frame.top - frame.low) * frame.height
    if leader > 6:
        ax.plot((time, time), (value, frame.high), color=_PEAK, linewidth=0.8, linestyle=":")
    ax.plot((time,), (value,), "o", color=_PEAK, markersize=5, clip_on=False, zorder=5)
    offset = (left - frame.x(time), 6)
    ax.annotate(
        text, (time, frame.high), offset, textcoords="offset points", ha="left", va="bottom",
        color=_PEAK, fontsize=_FONT_SIZE, fontweight="bold", parse_math=False, zorder=6,
    )  # fmt: skip


def _value_at(curve: Curve, time: float) -> int:
    """The value of the point that is nearest in time."""
    index = min(range(len(curve.times)), key=lambda index: abs(curve.times[index] - time))
    return curve.values[index]


def _needs_legend(view: TimelineView) -> bool:
    return len(view.curves) > 1 or view.slope is not None


def _legend_shape(view: TimelineView, width: float) -> tuple[int, int]:
    """Rows and columns that the names of the curves take above a plot of that width; two rows at most."""
    names = [curve.label for curve in view.curves]
    names += [_slope_label(view.slope[0])] if view.slope is not None else []
    n_columns = max(1, min(int(width / (max(map(_text_width, names)) + _LEGEND_HANDLE)), len(names)))
    return (1 if len(names) <= n_columns else 2), n_columns


def _slope_label(rate: float) -> str:
    return f"slope {format_change(round(rate))}/s"


def _draw_heading(ax: Axes, view: TimelineView, frame: _Frame) -> None:
    """The title at the right and the legend at the left, above the axes."""
    if view.caption:
        title = ax.set_title(view.caption, loc="right", fontsize=_FONT_SIZE + 1, color=_TEXT, fontweight="bold", pad=6)
        title.set_parse_math(False)
    if _needs_legend(view):
        handles, labels = ax.get_legend_handles_labels()
        n_rows, n_columns = _legend_shape(view, frame.width)
        n_shown = n_rows * n_columns
        legend = ax.legend(
            handles[:n_shown], labels[:n_shown], ncols=n_columns, loc="lower left", bbox_to_anchor=(0, 1.0),
            frameon=False, fontsize=_FONT_SIZE, labelcolor=_TEXT, borderaxespad=0.1, handlelength=1.4,
            columnspacing=1.4,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)


# Marks, each in a lane


@dataclass(frozen=True, slots=True)
class _Bar:
    """A mark as it is drawn: its lane's number, and where its text begins, points."""

    span: Span
    lane: int
    text: str
    text_left: float


def _draw_spans(ax: Axes, view: TimelineView, frame: _Frame) -> None:
    lanes = _lanes(view, frame.width)
    groups = dict.fromkeys(span.group for span in sorted(view.spans, key=lambda span: span.start))
    colors = {group: _SPANS[number % len(_SPANS)] for number, group in enumerate(groups)}
    transform = ax.get_xaxis_transform()
    for bar in (bar for lane in lanes for bar in lane):
        span = bar.span
        start, end = max(span.start, frame.start), min(span.end, frame.end)
        bottom = 1 - (bar.lane + 1) * _LANE / frame.height
        height = (_LANE - 2) / frame.height
        color = colors[span.group]
        ax.fill_between(
            (start, end), bottom, bottom + height, transform=transform, color=color, alpha=0.18, linewidth=0
        )
        for edge in {start, end}:
            ax.plot((edge, edge), (bottom, bottom + height), transform=transform, color=color, linewidth=1.1)
        ax.text(
            bar.text_left / frame.width, bottom + height / 2, bar.text, transform=ax.transAxes, va="center_baseline",
            color=_TEXT, fontsize=_FONT_SIZE - 1, parse_math=False, clip_on=True,
        )  # fmt: skip


def _lanes(view: TimelineView, width: float) -> list[list[_Bar]]:
    """The marks of `view`, so that in no lane a bar or its text touches another; what has no lane is left out."""
    start, end = _extent(view)
    scale = width / (end - start)
    lanes: list[list[_Bar]] = []
    ends: list[float] = []
    in_order = sorted(view.spans, key=lambda span: (span.start, span.level, -span.end))
    starts_after = _starts_of_the_next(in_order)
    for span in in_order:
        if span.end < start or span.start > end:
            continue
        left, right = (max(span.start, start) - start) * scale, (min(span.end, end) - start) * scale
        free = min((starts_after.get(span, end) - start) * scale, width)
        text, text_left = _place_text(span, left, right, free, width, inside=view.flame)
        text_right = text_left + _text_width(text, _FONT_SIZE - 1) + 4
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
        lanes[lane].append(_Bar(span, lane, text, text_left))
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
    size = _FONT_SIZE - 1
    needed = _text_width(span.label, size) + 6
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
    return _longest_cut(span.label.removesuffix(span.took).rstrip(), room, size, _READABLE, f" {span.took}")


def _without_time(span: Span, room: float, size: float) -> str:
    name = span.label.removesuffix(span.took).rstrip()
    return name if _text_width(name, size) <= room else _longest_cut(name, room, size, _BARELY_READABLE)


# Text


@functools.lru_cache(maxsize=512)
def _text_width(text: str, size: float = _FONT_SIZE) -> float:
    """Points; a bold label is a little wider, which the factor covers."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks
        path = TextPath((0, 0), text.replace("$", "S"), size=size, usetex=False)
    return float(path.get_extents().width) * 1.12


def _fitted(text: str, width: float, size: float = _FONT_SIZE) -> str:
    """`text`, cut to at most `width` points; nothing when not even two letters fit."""
    if _text_width(text, size) <= width:
        return text
    return _longest_cut(text, width, size, 2)


def _longest_cut(text: str, width: float, size: float, least: int, tail: str = "") -> str:
    """As much of `text` as fits with `tail` into `width` points, at least `least` letters; or nothing."""
    lengths = range(least, len(text))
    n_fitting = bisect_right(lengths, width, key=lambda length: _text_width(f"{text[:length]}…{tail}", size))
    return f"{text[: lengths[n_fitting - 1]]}…{tail}" if n_fitting else ""


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
