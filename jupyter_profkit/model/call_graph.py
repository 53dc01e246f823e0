"""Who called whom, as a graph: the heaviest functions of a time profile.

    graph = profile.graph(limit=20)
    graph.nodes, graph.edges, graph.to_svg()

An edge is what cProfile knows of a pair of caller and callee. Paths through several
edges need not have happened: for those there is the flame graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session

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
class CallGraph(Result):
    """The heaviest functions of a run, and who of them called whom."""

    kind: ClassVar[str] = "call_graph"

    session: Session
    method: Method
    nodes: tuple[CallNode, ...]
    """The one with most cumulative time first."""
    edges: tuple[CallEdge, ...]
    tottime: float = 0.0
    """Seconds in all functions of the run, those left out included."""
    n_left_out: int = 0
    """Functions of the run that are not drawn."""

    def to_dot(self) -> str:
        """The graph in Graphviz' DOT language."""
        from jupyter_profkit.layout.dot_language import to_dot
        from jupyter_profkit.views.call_graph import graph_view

        return to_dot(graph_view(self))

    def to_svg(self) -> str:
        """The graph as a standalone SVG document.

        Raises
        ------
        DrawingError
            If no function was called, or no layout engine could draw the graph.
        """
        from jupyter_profkit.render.graph import render_svg
        from jupyter_profkit.views.call_graph import graph_view

        return render_svg(graph_view(self))

    def to_png(self) -> bytes:
        """The graph as PNG.

        Raises
        ------
        DrawingError
            If no function was called, or no layout engine could draw the graph.
        """
        from jupyter_profkit.render.graph import render_png
        from jupyter_profkit.views.call_graph import graph_view

        return render_png(graph_view(self))
