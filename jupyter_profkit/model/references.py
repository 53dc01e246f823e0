"""Objects and who refers to whom: descriptions only, no live object is held.

    graph = ReferenceGraph(session, method, nodes=(…), edges=(…), back=True)
    growth = TypeGrowth(session, method, records=(TypeRecord("dict", 1204, 12),))

Nodes are numbered, so a graph can be saved and outlives its objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_profkit.model.result import GraphResult, Result
from jupyter_profkit.model.session import Method, Session

if TYPE_CHECKING:
    from jupyter_profkit.views.report import GraphView

__all__ = ["ReferenceEdge", "ReferenceGraph", "ReferenceNode", "TypeCounts", "TypeGrowth", "TypeRecord"]


@dataclass(frozen=True, slots=True)
class ReferenceNode:
    """One object, described."""

    id: int
    """A number in this graph, not an address."""
    type: str
    label: str
    """What it is, short and safe to show: ``3 items``, ``'abc'``, ``Out[5]``."""
    role: str = "object"
    """``start`` (what was asked about), ``holder`` (a name of the notebook or a module), ``more`` (what
    was left out) or ``object``."""
    depth: int = 0
    size: int | None = None
    """Bytes, the object alone."""
    refcount: int | None = None
    highlight: bool = False
    name: str = ""
    """A variable that names it, or the expression that was asked about."""
    retained: int | None = None
    """Bytes that would be freed if it went: it, and what nothing else keeps alive."""


@dataclass(frozen=True, slots=True)
class ReferenceEdge:
    """`source` refers to `target` through `label`: an attribute, key or index."""

    source: int
    target: int
    label: str = ""
    dashed: bool = False
    """Whether it stands for more references than are drawn."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ReferenceGraph(GraphResult):
    """What an object refers to, or (`back`) what refers to it.

    Its rows are the nodes; with `edges`, whose ends are their ids, they are the whole graph.
    """

    kind: ClassVar[str] = "references"
    columns: ClassVar[tuple[str, ...]] = (
        "id",
        "type",
        "label",
        "name",
        "role",
        "depth",
        "size",
        "refcount",
        "retained",
    )

    session: Session
    method: Method
    nodes: tuple[ReferenceNode, ...]
    edges: tuple[ReferenceEdge, ...]
    back: bool = False
    max_depth: int = 3

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for one in self.nodes:
            yield one.id, one.type, one.label, one.name, one.role, one.depth, one.size, one.refcount, one.retained

    def graph_view(self) -> GraphView:
        """What is drawn of it."""
        from jupyter_profkit.views.references import graph_view

        return graph_view(self)


@dataclass(frozen=True, slots=True)
class TypeRecord:
    """How many objects of one type there are."""

    type: str
    count: int
    growth: int = 0
    """How many more than at the last count."""
    new: int | None = None
    """Those that a cell made and that are still there, if one was watched; more than `growth`, if others went."""
    is_floor: bool = False
    """Whether `growth` is no more than a shell makes for itself."""


@dataclass(frozen=True, slots=True)
class TypeCounts(Result):
    """The most common types of objects that the collector tracks."""

    kind: ClassVar[str] = "type_counts"
    columns: ClassVar[tuple[str, ...]] = ("type", "count")

    session: Session
    method: Method
    records: tuple[TypeRecord, ...]
    n_objects: int = 0

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for one in self.records:
            yield one.type, one.count


@dataclass(frozen=True, slots=True)
class TypeGrowth(Result):
    """The types of which there are more than before."""

    kind: ClassVar[str] = "type_growth"
    columns: ClassVar[tuple[str, ...]] = ("type", "count", "growth", "new", "is_floor")

    session: Session
    method: Method
    records: tuple[TypeRecord, ...]
    since: str = ""
    """What it is compared with: ``the last %objgrowth``, ``the start of In [7]``."""

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for one in self.records:
            yield one.type, one.count, one.growth, one.new, one.is_floor
