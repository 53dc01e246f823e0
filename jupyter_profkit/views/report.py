"""What the reader sees, before any medium: a report is a heading, parts, notes and a method.

    Report(
        title="%%memprofile  In [7]",
        headline="Peak 812.0 MiB above the start, at line 7; 120.0 MiB kept.",
        parts=(TableView("Memory by line", columns, rows),),
    )

There are five kinds of part (table, timeline, graph, tree, boxes), and text. Builders in
this folder make them from results; renderers know nothing else. Everything in them
is plain text: each renderer escapes for its own medium.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_profkit.model.session import Session

__all__ = [
    "Box",
    "BoxPanel",
    "BoxRow",
    "BoxesView",
    "Cell",
    "Column",
    "Curve",
    "FrameKind",
    "GraphEdge",
    "GraphNode",
    "GraphView",
    "Mark",
    "Report",
    "Row",
    "Span",
    "TableView",
    "TextView",
    "TimelineView",
    "TreeBox",
    "TreeView",
    "Unit",
    "View",
    "warning_of",
]


class Unit(enum.Enum):
    """What a column holds; it decides alignment, type face and colour."""

    NUMBER = "number"
    TEXT = "text"
    NAME = "name"
    """Names, types, ways from object to object: the face of code, without its colours."""
    CODE = "code"
    """Python source."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    unit: Unit = Unit.NUMBER
    tip: str = ""
    """What the column means, in a line."""
    whole: bool = False
    """Whether nothing of it is ever cut: as the last column it goes on in the next line."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str = ""
    bar: float | None = None
    """A bar behind the text, from 0 to 1."""
    muted: bool = False
    """Below what the tool can tell from noise."""


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Cell, ...]
    strong: bool = False
    """One of the rows that the reader came for."""
    folds: tuple[TextView, ...] = ()
    """More about this row, folded away where the medium can."""
    library: str = ""
    """The package that the row's code belongs to; empty for the reader's own code."""
    line: int | None = None
    """Which line of the table's `source` its code is, from 0; None for a remark among the lines."""


@dataclass(frozen=True, slots=True)
class TextView:
    """Words, line by line, in a fixed-width face."""

    caption: str
    lines: tuple[str, ...]
    folded: bool = False
    prose: bool = False
    """Whether the lines are sentences: they have the page's face, and break where it ends."""
    alarm: bool = False
    """Whether the first line is a sentence that nobody may overlook, and the others say more of it."""


@dataclass(frozen=True, slots=True)
class TableView:
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footer: str = ""
    """What the rows leave out: ``41 more lines, 1.2 MiB``."""
    folded: bool = False
    """Whether it stands behind its caption until the reader opens it."""
    in_text: bool = True
    """Whether ``text/plain`` repeats it; a second order of the same rows does not."""
    source: tuple[str, ...] = ()
    """The whole code that the rows are lines of: whether a line is part of a text is seen only there."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the time axis with a name."""

    label: str
    start: float
    end: float
    level: int = 0
    kind: str = "function"
    group: str = ""
    """Spans of one group have one colour."""
    took: str = ""
    """The end of the label that can be left out where there is no room."""


@dataclass(frozen=True, slots=True)
class Curve:
    label: str
    times: tuple[float, ...]
    """Seconds."""
    values: tuple[int, ...]
    """Bytes."""


@dataclass(frozen=True, slots=True)
class TimelineView:
    caption: str
    alt: str
    """The finding in words, for those who do not see the picture."""
    curves: tuple[Curve, ...]
    spans: tuple[Span, ...] = ()
    peak: tuple[float, int] | None = None
    """Seconds, bytes."""
    peak_label: str = ""
    small: bool = False
    """A strip beside a table, not the plot itself."""
    height: int = 72
    """Of a strip, pixels."""
    slope: tuple[float, float] | None = None
    """A fitted line: bytes per second, and bytes at time 0."""
    window: tuple[float, float] | None = None
    """The part of the time axis to show, seconds."""
    flame: bool = False
    """Whether spans are boxes by level instead of brackets."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    id: int
    title: str
    """First line, the type."""
    text: str = ""
    """Second line, the value or name."""
    role: str = "object"
    """``start``, ``holder``, ``more``, ``highlight`` or ``object``."""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    source: int
    target: int
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class GraphView:
    caption: str
    alt: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    words: tuple[str, ...] = ()
    """The same graph as indented text."""
    direction: Literal["right", "down"] = "right"
    """Where most arrows lead: chains of many boxes are easier to read downward."""


Mark = Literal["", "new", "gone", "changed"]
"""What became of something, where two panels are compared."""


@dataclass(frozen=True, slots=True)
class BoxRow:
    """A slot: a name, and a value or the start of an arrow."""

    label: str
    text: str = ""
    target: int | None = None
    """The id of the box that the arrow leads to."""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Box:
    id: int
    title: str
    rows: tuple[BoxRow, ...] = ()
    footer: str = ""
    """What the rows leave out."""
    role: Literal["variables", "object"] = "object"
    """The box of names, or one of the others."""
    mark: Mark = ""
    across: bool = False
    """Whether its slots stand side by side."""


@dataclass(frozen=True, slots=True)
class BoxPanel:
    caption: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class BoxesView:
    """Boxes with values inside and arrows between them; a box with one id stands at one place in every panel."""

    caption: str
    alt: str
    panels: tuple[BoxPanel, ...]
    words: tuple[str, ...] = ()
    """The same as aligned text."""


FrameKind = Literal["own", "library", "whole", "outside"]


@dataclass(frozen=True, slots=True)
class TreeBox:
    """A frame of a flame graph."""

    label: str
    place: str
    """Where it is defined, for boxes with room for it."""
    figure: str
    """Its share or time, likewise."""
    start: float
    """The left edge, from 0 to 1."""
    width: float
    level: int
    """0 for the whole, which is drawn on top."""
    kind: FrameKind = "library"
    """``own`` for the user's code, ``outside`` for time that is nobody's."""


@dataclass(frozen=True, slots=True)
class TreeView:
    caption: str
    alt: str
    boxes: tuple[TreeBox, ...]
    words: tuple[str, ...] = ()
    """The same tree as indented text."""
    footer: str = ""
    """What the boxes leave out."""


def warning_of(session: Session) -> str:
    """What stands over the report of a run that did not reach its end; nothing for one that did."""
    if not session.partial:
        return ""
    # A script's outcome is a phrase (``exit code 3``), a cell's the name of an exception.
    how = session.outcome if " " in session.outcome else f"stopped by {session.outcome}"
    how += f" at {session.error_at}" if session.error_at is not None else ""
    return f"{how}; the report is partial"


View = TableView | TextView | TimelineView | GraphView | TreeView | BoxesView


@dataclass(frozen=True, slots=True)
class Report:
    """One display: complete as text, as HTML, and as a picture where it has one."""

    title: str
    headline: str
    """The answer, in a sentence."""
    parts: tuple[View, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader must know to read the figures right."""
    method: tuple[str, ...] = ()
    """How it was measured, and what that cost."""
    warning: str = ""
    """Why it is not the whole run: ``stopped by ZeroDivisionError``."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from jupyter_profkit.render.mimebundle import mimebundle

        return mimebundle(self)

    def __str__(self) -> str:
        from jupyter_profkit.render.text import render_report

        return render_report(self)
