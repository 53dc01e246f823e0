"""A graph with places: what every layout engine returns and every renderer draws.

    drawing.nodes[3].x, drawing.nodes[3].width      points; y grows downward
    drawing.edges[0].points                         a cubic Bézier chain, tail to head

Boxes are measured here, in a fixed-width face whose characters are 0.6 em wide
wherever it is drawn, so that all engines place boxes of the same size and the
text fits them on every machine.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Final

from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView

__all__ = [
    "EDGE_SIZE",
    "TEXT_SIZE",
    "TITLE_SIZE",
    "Drawing",
    "PlacedEdge",
    "PlacedNode",
    "Point",
    "box_size",
    "boxes",
    "clip",
    "label_width",
]

Point = tuple[float, float]

TITLE_SIZE: Final = 10.0
TEXT_SIZE: Final = 11.0
EDGE_SIZE: Final = 9.5
_EM: Final = 0.602
_PADDING: Final = 10.0
_MAX_DOTS: Final = 900_000
_WIDEST: Final = {"title": 36, "text": 52, "edge": 44}


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A box; `x` and `y` are its centre, points."""

    node: GraphNode
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An arrow along `points`: a start, then three points for each cubic piece; `tip` is its end."""

    edge: GraphEdge
    points: tuple[Point, ...]
    tip: Point
    label_at: Point | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and arrows in a frame of `width` times `height` points."""

    width: float
    height: float
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    engine: str
    """What laid it out, in words for the reader."""

    @property
    def dpi(self) -> float:
        """Dots to an inch for a picture of it: sharp, unless that takes more than `_MAX_DOTS`."""
        area = max(self.width * self.height, 1.0) / 72**2
        return max(40.0, min(120.0, math.sqrt(_MAX_DOTS / area)))


def clip(text: str, part: str) -> str:
    """`text` as long as a ``title``, ``text`` or ``edge`` may be, printable, on one line."""
    widest = _WIDEST[part]
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= widest else shown[: widest - 1] + "…"


def label_width(text: str, size: float) -> float:
    """Points that `text` takes in a fixed-width face of `size` points."""
    cells = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return cells * size * _EM


def box_size(node: GraphNode) -> tuple[float, float]:
    """Width and height of a node, points."""
    title, text = clip(node.title, "title"), clip(node.text, "text")
    width = max(label_width(title, TITLE_SIZE), label_width(text, TEXT_SIZE), 24.0) + 2 * _PADDING
    return width, 36.0 if title and text else 24.0


def boxes(view: GraphView) -> dict[int, tuple[float, float]]:
    """The size of every node, by its id."""
    return {node.id: box_size(node) for node in view.nodes}
