r"""A graph in Graphviz' DOT language, safe whatever its labels hold.

    digraph "objects" {
      "n0" [label="list\nx · 0 items" class="start" width=1.25 height=0.5 …]
      "n1" -> "n0" [id="e0" label="[0]"]
    }

Text from outside goes into ``label`` only, clipped and quoted; ids are numbers of
ours; there is one edge in a statement, since long statements exhaust the parser;
and no attribute that makes Graphviz look at a file or an address is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_profkit.layout.drawing import EDGE_SIZE, TEXT_SIZE, box_size, clip
from jupyter_profkit.layout.style import EDGE_COLOUR, LABEL_COLOUR, role_of, style_of
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView

__all__ = ["quoted", "to_dot"]

_FACE: Final = "Courier"
"""A face whose widths every build of Graphviz knows, so that labels get the room they need."""

_POINTS: Final = 72.0


def to_dot(view: GraphView) -> str:
    """The graph as DOT text."""
    return "\n".join(['digraph "objects" {', *(f"  {line}" for line in _statements(view)), "}", ""])


def quoted(text: str) -> str:
    """`text` as a DOT string that Graphviz shows as it stands: no escape, no entity, no line break in it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{plain}"'


def _statements(view: GraphView) -> Iterator[str]:
    direction = {"right": "LR", "down": "TB"}[view.direction]
    yield f'graph [rankdir="{direction}" bgcolor="transparent" nodesep="0.2" ranksep="0.45" pad="0.1"]'
    yield f'node [shape="box" fontname="{_FACE}" fontsize="{TEXT_SIZE:g}" fixedsize="true"]'
    colours = f'color="{EDGE_COLOUR}" fontcolor="{LABEL_COLOUR}"'
    yield f'edge [fontname="{_FACE}" fontsize="{EDGE_SIZE:g}" {colours} arrowsize="0.6"]'
    for node in view.nodes:
        yield f'"n{node.id}" [{_node_attributes(node)}]'
    for number, edge in enumerate(view.edges):
        yield f'"n{edge.source}" -> "n{edge.target}" [id="e{number}"{_edge_attributes(edge)}]'


def _node_attributes(node: GraphNode) -> str:
    style = style_of(node.role)
    width, height = box_size(node)
    lines = [clip(node.title, "title"), clip(node.text, "text")]
    # a line break is the only escape; each line is quoted by itself
    label = "\\n".join(quoted(line)[1:-1] for line in lines if line)
    outline = "rounded,filled,dashed" if style.dashed else "rounded,filled"
    return (
        f'label="{label}" class="{role_of(node.role)}" style="{outline}" width="{width / _POINTS:.3f}" '
        f'height="{height / _POINTS:.3f}" fillcolor="{style.fill}" color="{style.stroke}" '
        f'fontcolor="{style.ink}" penwidth="{style.line_width:g}"{" peripheries=2" * style.doubled}'
    )


def _edge_attributes(edge: GraphEdge) -> str:
    text = quoted(f" {clip(edge.label, 'edge')} ")
    return (f" label={text}" if edge.label else "") + (' style="dashed"' if edge.dashed else "")
