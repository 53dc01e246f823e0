"""Memory over time as a small picture in the report of another magic: SVG of a few kB, made without any import.

render_svg(view)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_profkit.render.escaping import escape_xml
from jupyter_profkit.render.sparkline import LEVEL
from jupyter_profkit.views.report import Curve, TimelineView

__all__ = ["CURVES", "PEAK", "render_svg"]

PEAK = "#d9622b"
CURVES = ("#2f7fc1", "#1f9a78", "#a968b8", "#b98a12", "#cf5f7d", "#5f8a2f", "#3f97a8", "#9a7350")
"""Of middle lightness, as all colours of plots are: to be seen on white and on black."""

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
    for number, curve in enumerate(view.curves[: len(CURVES)]):
        parts += _strip_curve(strip, curve, CURVES[number], filled=number == 0)
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
    yield f'<circle cx="{x}" cy="{y}" r="3.2" fill="{PEAK}"/>'
    share = float(x) / width
    anchor = "start" if share < 0.25 else "end" if share > 0.75 else "middle"
    yield f'<text x="{x}" y="12" text-anchor="{anchor}">{escape_xml(view.peak_label)}</text>'
