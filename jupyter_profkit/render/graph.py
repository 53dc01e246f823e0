"""Graphs as pictures: SVG written here from a layout, and PNG.

    render_svg(view)        a document that stands alone: no script, no link, no font, no page's CSS
    render_png(view)        on a transparent ground
    drawn_by(view)          'dot', 'graphviz-pure', 'the built-in layout'

A notebook shows the SVG in an ``<img>``, where a page's styles do not reach it. The
colours that stand in the elements can be read on light and dark pages; a media
query inside the document makes them better where the page says that it is dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from jupyter_profkit.layout.drawing import (
    EDGE_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    Drawing,
    PlacedEdge,
    PlacedNode,
    Point,
    clip,
)
from jupyter_profkit.layout.ladder import draw, paint_png
from jupyter_profkit.layout.style import EDGE_COLOUR, LABEL_COLOUR, STYLES, role_of, style_of
from jupyter_profkit.render.canvas import blank, to_png
from jupyter_profkit.render.escaping import escape_xml, shown
from jupyter_profkit.views.report import GraphView

__all__ = ["Tip", "drawn_by", "render_png", "render_svg", "tips_of", "width_of"]

_MONO = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_SANS = "system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu Sans',sans-serif"
_ARROW = (6.5, 2.6)
"""Length of an arrow's head, and half its width, points."""
_LONGEST_TIP = 400


def render_svg(view: GraphView) -> str:
    """The graph as an SVG document, well-formed whatever its labels hold.

    Raises
    ------
    DrawingError
        If no layout engine could draw it.
    """
    drawing = draw(view)
    width, height = f"{drawing.width:.1f}", f"{drawing.height:.1f}"
    body = "\n".join([*map(_edge, drawing.edges), *map(_node, drawing.nodes)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label={quoteattr(shown(view.alt))} font-family="{_MONO}" text-anchor="middle">\n'
        f"<title>{escape_xml(view.alt)}</title>\n<style>{_css()}</style>\n{body}\n</svg>\n"
    )


def render_png(view: GraphView) -> bytes:
    """The graph as PNG, from the engine that laid it out, or else from matplotlib.

    Raises
    ------
    DrawingError
        If no layout engine could draw it.
    """
    return paint_png(view) or _paint(draw(view))


def drawn_by(view: GraphView) -> str:
    """What lays the graph out here.

    Raises
    ------
    DrawingError
        If nothing does.
    """
    return draw(view).engine


def width_of(view: GraphView) -> float:
    """How wide the SVG document is, pixels.

    Raises
    ------
    DrawingError
        If no layout engine could draw it.
    """
    return draw(view).width


class Tip(NamedTuple):
    """What a node says when it is pointed at, and where it is: per cent of the picture."""

    left: float
    top: float
    width: float
    height: float
    text: str


def tips_of(view: GraphView) -> Iterator[Tip]:
    """A tip for each node; a picture in a page has none by itself."""
    drawing = draw(view)
    across, down = 100 / drawing.width, 100 / drawing.height
    for placed in drawing.nodes:
        left, top = (placed.x - placed.width / 2) * across, (placed.y - placed.height / 2) * down
        yield Tip(left, top, placed.width * across, placed.height * down, _tip(placed))


def _tip(placed: PlacedNode) -> str:
    return " ".join(filter(None, (placed.node.title, placed.node.text)))[:_LONGEST_TIP]


def _css() -> str:
    """What changes on a page that says it is dark."""
    rules = [
        f".{role} .box{{fill:{style.dark_fill};stroke:{style.dark_stroke}}}.{role} .t{{fill:{style.dark_soft_ink}}}"
        f".{role} .v{{fill:{style.dark_ink}}}"
        for role, style in STYLES.items()
    ]
    rules.append(".e{stroke:#9aa3af}.h{fill:#9aa3af}.l{fill:#b4bcc8}")
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


def _node(placed: PlacedNode) -> str:
    parts = [f"<title>{escape_xml(_tip(placed))}</title>", *_boxes(placed), *_lines(placed)]
    role = role_of(placed.node.role)
    return f'<g class="{role}" data-node="{placed.node.id}">{"".join(parts)}</g>'  # js/graph.js asks for it


def _boxes(placed: PlacedNode) -> Iterator[str]:
    style = style_of(placed.node.role)
    dash = ' stroke-dasharray="4 3"' if style.dashed else ""
    for grow in (3.0, 0.0) if style.doubled else (0.0,):
        x, y = placed.x - placed.width / 2 - grow, placed.y - placed.height / 2 - grow
        width, height = placed.width + 2 * grow, placed.height + 2 * grow
        radius = min(style.radius + grow, height / 2)
        yield (
            f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}" '
            f'fill="{style.fill}" stroke="{style.stroke}" stroke-width="{style.line_width:g}"{dash}/>'
        )


def _lines(placed: PlacedNode) -> Iterator[str]:
    """The type in bold, and the value under it."""
    style = style_of(placed.node.role)
    title, text = clip(placed.node.title, "title"), clip(placed.node.text, "text")
    both = bool(title and text)
    if title:
        y = placed.y + (-4.0 if both else 3.5)
        yield (
            f'<text class="t" x="{placed.x:.1f}" y="{y:.1f}" font-family="{_SANS}" font-size="{TITLE_SIZE:g}" '
            f'font-weight="600" fill="{style.soft_ink}">{escape_xml(title)}</text>'
        )
    if text:
        y = placed.y + (10.5 if both else 3.8)
        yield (
            f'<text class="v" x="{placed.x:.1f}" y="{y:.1f}" font-size="{TEXT_SIZE:g}" fill="{style.ink}" '
            f'xml:space="preserve">{escape_xml(text)}</text>'
        )


def _edge(placed: PlacedEdge) -> str:
    first, *rest = placed.points
    path = f"M{_pair(first)}C{' '.join(map(_pair, rest))}"
    dash = ' stroke-dasharray="4 3"' if placed.edge.dashed else ""
    parts = [
        f'<path class="e" d="{path}" fill="none" stroke="{EDGE_COLOUR}" stroke-width="1.1"{dash}/>',
        f'<polygon class="h" points="{" ".join(map(_pair, _head(placed)))}" fill="{EDGE_COLOUR}"/>',
    ]
    if placed.edge.label and placed.label_at is not None:
        x, y = placed.label_at[0], _baseline(placed)
        parts.append(
            f'<text class="l" x="{x:.1f}" y="{y:.1f}" font-size="{EDGE_SIZE:g}" '
            f'fill="{LABEL_COLOUR}">{escape_xml(clip(placed.edge.label, "edge"))}</text>'
        )
    return f"<g>{''.join(parts)}</g>"


def _baseline(placed: PlacedEdge) -> float:
    """The y of an edge's label: where the engine put it, or above the arrow if that runs through it."""
    x, y = placed.label_at or (0.0, 0.0)
    is_free = min(math.hypot(px - x, py - y) for px, py in _samples(placed)) > EDGE_SIZE / 2
    return y + (3.0 if is_free else -3.5)


def _samples(placed: PlacedEdge) -> Iterator[Point]:
    """Points along the arrow."""
    points = placed.points
    for first in range(0, len(points) - 1, 3):
        a, b, c, d = points[first : first + 4]
        for step in range(21):
            t = step / 20
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield (
                sum(weight * point[0] for weight, point in zip(weights, (a, b, c, d), strict=True)),
                sum(weight * point[1] for weight, point in zip(weights, (a, b, c, d), strict=True)),
            )


def _head(placed: PlacedEdge) -> tuple[Point, Point, Point]:
    """The arrow's head: a triangle that ends at the tip."""
    x, y = placed.tip
    from_x, from_y = next(
        (point for point in reversed(placed.points) if math.dist(point, placed.tip) > 1e-6), (x - 1, y)
    )
    length = math.hypot(x - from_x, y - from_y)
    dx, dy = (x - from_x) / length, (y - from_y) / length
    back, half = _ARROW
    foot = (x - back * dx, y - back * dy)
    return (x, y), (foot[0] - half * dy, foot[1] + half * dx), (foot[0] + half * dy, foot[1] - half * dx)


def _pair(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


# PNG where there is no Graphviz


def _paint(drawing: Drawing) -> bytes:
    axes = blank(drawing.width, drawing.height, drawing.dpi)
    for edge in drawing.edges:
        _paint_edge(axes, edge)
    for node in drawing.nodes:
        _paint_node(axes, node)
    return to_png(axes)


def _paint_edge(axes: Any, placed: PlacedEdge) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    codes = [Path.MOVETO, *[Path.CURVE4] * (len(placed.points) - 1)]
    line = "--" if placed.edge.dashed else "-"
    axes.add_patch(
        PathPatch(Path(placed.points, codes), fill=False, edgecolor=EDGE_COLOUR, linewidth=1.1, linestyle=line)
    )
    axes.add_patch(Polygon(_head(placed), color=EDGE_COLOUR, linewidth=0))
    if placed.edge.label and placed.label_at is not None:
        at = (placed.label_at[0], _baseline(placed))
        _write(axes, at, clip(placed.edge.label, "edge"), size=EDGE_SIZE, colour=LABEL_COLOUR)


def _paint_node(axes: Any, placed: PlacedNode) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = style_of(placed.node.role)
    for grow in (3.0, 0.0) if style.doubled else (0.0,):
        width, height = placed.width + 2 * grow, placed.height + 2 * grow
        radius = min(style.radius, height / 2 - 0.1)
        axes.add_patch(
            FancyBboxPatch(
                (placed.x - width / 2, placed.y - height / 2),
                width,
                height,
                boxstyle=f"round,pad=0,rounding_size={radius}",
                facecolor=style.fill,
                edgecolor=style.stroke,
                linewidth=style.line_width,
                linestyle="--" if style.dashed else "-",
            )
        )
    title, text = clip(placed.node.title, "title"), clip(placed.node.text, "text")
    both = bool(title and text)
    if title:
        at = (placed.x, placed.y + (-4.0 if both else 3.5))
        _write(axes, at, title, size=TITLE_SIZE, colour=style.soft_ink, weight="bold")
    if text:
        at = (placed.x, placed.y + (10.5 if both else 3.8))
        _write(axes, at, text, size=TEXT_SIZE, colour=style.ink)


def _write(axes: Any, at: Point, text: str, *, size: float, colour: str, weight: str = "normal") -> None:
    axes.text(
        *at,
        text,
        fontsize=size,
        color=colour,
        fontweight=weight,
        ha="center",
        va="baseline",
        fontfamily="DejaVu Sans Mono",  # comes with matplotlib
        parse_math=False,
    )
