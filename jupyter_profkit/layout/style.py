"""The colours and outlines of a graph, the same for every engine and medium.

Boxes carry their own background, so that their text can be read on any page;
arrows and their labels have a middle tone that stands out from white and from
black. Roles differ in outline as well as in colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["EDGE_COLOUR", "LABEL_COLOUR", "STYLES", "BoxStyle", "role_of", "style_of"]

EDGE_COLOUR: Final = "#858b95"
LABEL_COLOUR: Final = "#7a7f8a"


@dataclass(frozen=True, slots=True)
class BoxStyle:
    """How the boxes of one role look; the ``dark`` colours are for where a page says it is dark."""

    fill: str
    stroke: str
    ink: str
    soft_ink: str
    dark_fill: str
    dark_stroke: str
    dark_ink: str
    dark_soft_ink: str
    line_width: float = 1.0
    radius: float = 6.0
    dashed: bool = False
    """A dashed outline."""
    doubled: bool = False
    """A second outline around the first."""


STYLES: Final = {
    "object": BoxStyle("#f5f6f8", "#98a1ae", "#1f2630", "#59636f", "#272c34", "#6f7987", "#e9edf2", "#a9b3c0"),
    "start": BoxStyle(
        "#e4eefc", "#2f6fc4", "#12294a", "#2b5591", "#1c3352", "#6aa5f0", "#eaf2fd", "#a9c9f3", line_width=2.2
    ),
    "holder": BoxStyle(
        "#fdf0de",
        "#bf7423",
        "#43290a",
        "#8a5212",
        "#3b2b17",
        "#dd9f55",
        "#fcefdc",
        "#e5bd8a",
        line_width=1.4,
        radius=18.0,
    ),
    "highlight": BoxStyle(
        "#fff3b8",
        "#a17f08",
        "#3d3000",
        "#6f5800",
        "#453a0e",
        "#e3c64c",
        "#fdf6d8",
        "#e6d384",
        line_width=1.6,
        doubled=True,
    ),
    "more": BoxStyle(
        "#f5f6f8", "#98a1ae", "#4b5560", "#4b5560", "#272c34", "#6f7987", "#b6bfca", "#b6bfca", radius=12.0, dashed=True
    ),
}


def role_of(role: str) -> str:
    """`role` if it is one of ours; a recording from elsewhere may say anything."""
    return role if role in STYLES else "object"


def style_of(role: str) -> BoxStyle:
    return STYLES[role_of(role)]
