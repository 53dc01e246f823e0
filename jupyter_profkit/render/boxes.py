"""Boxes with slots as pictures: SVG for the page, and PNG.

    render_svg(view)                one document, panels side by side
    render_panels(view)             a document for each panel, to stand side by side where there is room
    render_png(view)                the same, painted with matplotlib

The colours are those of graphs (`layout.style`), and change as theirs do on a page
that says it is dark.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from jupyter_profkit.layout.boxes import (
    HEAD_SIZE,
    INDEX_SIZE,
    NAME_SIZE,
    VALUE_SIZE,
    Arrow,
    Dot,
    Rect,
    Shape,
    Sketch,
    Text,
    sketch,
)
from jupyter_profkit.layout.drawing import Point
from jupyter_profkit.layout.style import EDGE_COLOUR, LABEL_COLOUR, STYLES, BoxStyle
from jupyter_profkit.render.canvas import blank, to_png
from jupyter_profkit.render.escaping import escape_xml, shown
from jupyter_profkit.views.report import BoxesView

__all__ = ["render_panels", "render_png", "render_svg"]

_MONO = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_SANS = "system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu Sans',sans-serif"
_HEAD = (7.0, 3.0)
_BETWEEN = 24.0
_CAPTION = 20.0
_SOFT = frozenset({"head", "name", "tag", "foot"})


def render_panels(view: BoxesView) -> list[tuple[str, str, float]]:
    """For each panel its caption, its picture as a well-formed SVG document, and the width of that in points."""
    return [
        (one.caption, _document(one.width, one.height, view.alt, _body(one.shapes)), one.width) for one in sketch(view)
    ]


def render_svg(view: BoxesView) -> str:
    """All panels in one SVG document."""
    panels = sketch(view)
    width, height, tops = _together(panels)
    parts, x = [], 0.0
    for one in panels:
        if one.caption:
            parts.append(f'<text class="s l" x="{x + 10:.1f}" y="14">{escape_xml(one.caption)}</text>')
        parts.append(f'<g transform="translate({x:.1f},{tops:.1f})">{_body(one.shapes)}</g>')
        x += one.width + _BETWEEN
    return _document(width, height, view.alt, "".join(parts))


def _together(panels: tuple[Sketch, ...]) -> tuple[float, float, float]:
    """Width and height of all panels side by side, and where they begin below their captions."""
    top = _CAPTION if any(one.caption for one in panels) else 0.0
    width = sum(one.width for one in panels) + _BETWEEN * (len(panels) - 1)
    return width, max(one.height for one in panels) + top, top


def _document(width: float, height: float, alt: str, body: str) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(shown(alt))}>\n'
        f"<title>{escape_xml(alt)}</title>\n<style>{_css()}</style>\n{body}\n</svg>\n"
    )


_SHORT: Final = {"card": "c", "cell": "d", "mark": "m", "head": "s", "name": "n", "tag": "t", "foot": "f", "value": "v"}
"""The class of a shape, beside that of its role."""


_USED: Final = {name: STYLES[name] for name in ("object", "start", "highlight", "more")}


@functools.cache
def _css() -> str:
    """How everything looks, and how it does on a page that says it is dark: in classes, since there are many shapes."""
    rules = [
        f"text{{font-family:{_MONO};white-space:pre}}.s,.t,.f{{font-family:{_SANS}}}.s,.t{{font-weight:600}}",
        f".s{{font-size:{HEAD_SIZE}px}}.n{{font-size:{NAME_SIZE}px}}.v{{font-size:{VALUE_SIZE}px}}",
        f".t,.f,.i{{font-size:{INDEX_SIZE}px}}.r{{text-anchor:end}}.k{{text-anchor:middle}}",
        ".x{text-decoration:line-through}.z{stroke-dasharray:4 3}.d{stroke-width:.7px;fill:none}.c{stroke-width:1px}",
        f".e{{fill:none;stroke:{EDGE_COLOUR};stroke-width:1.4px}}.h{{fill:{EDGE_COLOUR}}}.l{{fill:{LABEL_COLOUR}}}",
        *(
            f".{name} .c{{stroke-width:{style.line_width:g}px}}"
            + _colours(name, style.fill, style.stroke, style.ink)
            + _soft(name, style.soft_ink)
            for name, style in _USED.items()
        ),
    ]
    dark = [
        _colours(name, style.dark_fill, style.dark_stroke, style.dark_ink) + _soft(name, style.dark_soft_ink)
        for name, style in _USED.items()
    ]
    dark.append(".e{stroke:#9aa3af}.h{fill:#9aa3af}.l{fill:#b4bcc8}")
    return f"{''.join(rules)}@media (prefers-color-scheme:dark){{{''.join(dark)}}}"


def _colours(role: str, fill: str, stroke: str, ink: str) -> str:
    return f".{role} .c,.{role} .m{{fill:{fill}}}.{role} .c,.{role} .d{{stroke:{stroke}}}.{role} .v{{fill:{ink}}}"


def _soft(role: str, ink: str) -> str:
    return "".join(f".{role} .{kind}," for kind in "snt") + f".{role} .f{{fill:{ink}}}"


def _parts(role: str) -> tuple[str, str, BoxStyle]:
    kind, box = role.split(" ")
    return kind, box, STYLES[box]


def _body(shapes: Iterable[Shape]) -> str:
    """The shapes in their order; those of one role that stand together are a group, and their lines one path."""
    groups = itertools.groupby(shapes, lambda shape: shape.role.split(" ")[1] if isinstance(shape, Rect | Text) else "")
    return "".join(_group(role, list(group)) for role, group in groups)


def _group(role: str, shapes: list[Shape]) -> str:
    if not role:
        return "".join(map(_element, shapes))
    lines = [shape for shape in shapes if isinstance(shape, Rect) and not (shape.width and shape.height)]
    others = "".join(_element(shape) for shape in shapes if shape not in lines)
    path = "".join(
        f"M{_number(line.x)},{_number(line.y)}l{_number(line.width)},{_number(line.height)}" for line in lines
    )
    return f'<g class="{role}">{others}{f"""<path class="d" d="{path}"/>""" if path else ""}</g>'


def _element(shape: Shape) -> str:
    match shape:
        case Rect():
            return _rect(shape)
        case Text():
            return _text(shape)
        case Dot():
            return f'<circle class="h" cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="3"/>'
        case Arrow():
            return _arrow(shape)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _rect(shape: Rect) -> str:
    kind = shape.role.split(" ")[0]
    corner = f' rx="{shape.radius:g}"' if shape.radius else ""
    x, y, width, height = map(_number, (shape.x, shape.y, shape.width, shape.height))
    classes = _SHORT[kind] + " z" * shape.dashed
    return f'<rect class="{classes}" x="{x}" y="{y}" width="{width}" height="{height}"{corner}/>'


def _line_width(kind: str, style: BoxStyle) -> float:
    return {"card": style.line_width, "mark": 0.0}.get(kind, 0.7)


def _text(shape: Text) -> str:
    kind = shape.role.split(" ")[0]
    classes = f"{_SHORT[kind]}{' i' * (kind == 'name' and shape.size == INDEX_SIZE)}"
    classes += {"end": " r", "middle": " k"}.get(shape.anchor, "") + " x" * shape.struck
    return f'<text class="{classes}" x="{_number(shape.x)}" y="{_number(shape.y)}">{escape_xml(shape.text)}</text>'


def _arrow(shape: Arrow) -> str:
    body, head = _cut(shape)
    first, *rest = body
    path = f"M{_pair(first)}C{' '.join(map(_pair, rest))}"
    return (
        f'<path class="e{" z" * shape.dashed}" d="{path}"/><polygon class="h" points="{" ".join(map(_pair, head))}"/>'
    )


def _cut(shape: Arrow) -> tuple[tuple[Point, ...], tuple[Point, Point, Point]]:
    """The line up to the foot of the arrow's head, and the head."""
    x, y = shape.points[-1]
    back, half = _HEAD
    side = -1.0 if shape.points[-2][0] > x else 1.0
    foot = x - side * back
    return (*shape.points[:-1], (foot, y)), ((x, y), (foot, y - half), (foot, y + half))


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


# PNG


def render_png(view: BoxesView) -> bytes:
    """All panels as one PNG, on a transparent ground."""
    panels = sketch(view)
    width, height, top = _together(panels)
    dpi = max(40.0, min(120.0, math.sqrt(900_000 * 72**2 / max(width * height, 1.0))))
    axes = blank(width, height, dpi)
    x = 0.0
    for one in panels:
        if one.caption:
            axes.text(
                x + 10,
                14,
                shown(one.caption),
                fontsize=12,
                color=LABEL_COLOUR,
                fontweight="bold",
                parse_math=False,
            )
        for shape in one.shapes:
            for artist in _artists(shape, x, top):
                axes.add_artist(artist)
        x += one.width + _BETWEEN
    return to_png(axes)


def _artists(shape: Shape, dx: float, dy: float) -> Iterator[Any]:
    from matplotlib import patches
    from matplotlib.path import Path
    from matplotlib.text import Text as Words

    match shape:
        case Rect():
            kind, _, style = _parts(shape.role)
            yield patches.Rectangle(
                (shape.x + dx, shape.y + dy),
                shape.width,
                shape.height,
                facecolor="none" if kind == "cell" else style.fill,
                edgecolor=style.stroke,
                linewidth=_line_width(kind, style),
                linestyle="--" if shape.dashed else "-",
            )
        case Text():
            kind, _, style = _parts(shape.role)
            yield Words(
                shape.x + dx,
                shape.y + dy,
                shown(shape.text),
                fontsize=shape.size,
                color=style.soft_ink if kind in _SOFT else style.ink,
                fontweight="bold" if shape.bold else "normal",
                ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                va="baseline",
                fontfamily="DejaVu Sans Mono",
                parse_math=False,
            )
        case Dot():
            yield patches.Circle((shape.x + dx, shape.y + dy), 3, color=EDGE_COLOUR)
        case Arrow():
            body, head = _cut(shape)
            codes = [Path.MOVETO, *[Path.CURVE4] * (len(body) - 1)]
            moved = [(x + dx, y + dy) for x, y in body]
            line = "--" if shape.dashed else "-"
            yield patches.PathPatch(
                Path(moved, codes), fill=False, edgecolor=EDGE_COLOUR, linewidth=1.4, linestyle=line
            )
            yield patches.Polygon([(x + dx, y + dy) for x, y in head], color=EDGE_COLOUR, linewidth=0)
