"""Who called whom, as a graph: the heaviest functions of a time profile.

    graph = profile.graph(limit=20)
    graph.nodes, graph.edges, graph.to_svg()

An edge is what cProfile knows of a pair of caller and callee. Paths through several
edges need not have happened: for those there is the flame graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_profkit.model.result import GraphResult
from jupyter_profkit.model.session import Method, Session

if TYPE_CHECKING:
    from jupyter_profkit.views.report import GraphView

__all__ = ["CallEdge", "CallGraph", "CallNode"]


@dataclass(frozen=True, slots=True)
class CallNode:
    """A function of the graph."""

    id: int
    """A number in this graph."""
    function: str
    place: str
    """File and line as a reader knows them; empty for a builtin."""
    ncalls: int
    pcalls: int
    tottime: float
    """Seconds in the function itself."""
    cumtime: float
    """Seconds in it and all it called."""
    is_user: bool = False


@dataclass(frozen=True, slots=True)
class CallEdge:
    """`source` called `target`."""

    source: int
    target: int
    ncalls: int
    cumtime: float
    """Seconds in the callee and all it called, when called from there."""


@dataclass(frozen=True, slots=True)
class CallGraph(GraphResult):
    """The heaviest functions of a run, and who of them called whom."""

    kind: ClassVar[str] = "call_graph"
    columns: ClassVar[tuple[str, ...]] = ("id", "function", "place", "ncalls", "pcalls", "tottime", "cumtime")

    session: Session
    method: Method
    nodes: tuple[CallNode, ...]
    """The one with most cumulative time first."""
    edges: tuple[CallEdge, ...]
    tottime: float = 0.0
    """Seconds in all functions of the run, those left out included."""
    n_left_out: int = 0
    """Functions of the run that are not drawn."""

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for one in self.nodes:
            yield one.id, one.function, one.place, one.ncalls, one.pcalls, one.tottime, one.cumtime

    def graph_view(self) -> GraphView:
        """What is drawn of it."""
        from jupyter_profkit.views.call_graph import graph_view

        return graph_view(self)
