"""The call graph as a reader sees it: the heaviest functions, arrows from caller to callee.

call_graph(profile, limit=30)   CallGraph, what `TimeProfile.graph` returns
graph_view(graph)               GraphView, drawn as object graphs are
report(graph)                   Report
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.call_graph import CallEdge, CallGraph, CallNode
from jupyter_profkit.model.functions import FunctionRecord, TimeProfile
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.display_hook import with_display_folded
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView, Report, warning_of

__all__ = ["call_graph", "graph_view", "report"]

_MOST_NODES: Final = 200
_MOST_EDGES: Final = 3
"""Edges for each node, on average: the lighter ones of a thicket are left out."""

Near = Mapping[int, Sequence[tuple[CallNode, CallEdge]]]
"""The callees of each node."""


def call_graph(profile: TimeProfile, limit: int) -> CallGraph:
    """The `limit` functions with most cumulative time, and their calls of each other.

    Raises
    ------
    OptionError
        If the limit is not a number of functions that can be drawn.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST_NODES:
        raise OptionError(f"limit: a graph has from 1 to {_MOST_NODES} functions, not {limit!r:.40}")
    records = sorted(
        with_display_folded(profile).records, key=lambda record: (-record.cumtime, -record.tottime, record.key)
    )
    kept = records[:limit]
    ids = {record.key: number for number, record in enumerate(kept)}
    edges = [
        CallEdge(ids[caller.caller], ids[record.key], caller.ncalls, caller.cumtime)
        for record in kept
        for caller in record.callers
        if caller.caller in ids
    ]
    edges.sort(key=lambda edge: (-edge.cumtime, edge.source, edge.target))
    return CallGraph(
        profile.session,
        profile.method,
        tuple(_node(number, record) for number, record in enumerate(kept)),
        tuple(edges[: _MOST_EDGES * len(kept)]),
        profile.tottime,
        len(profile.functions) - len(kept),
    )


def _node(number: int, record: FunctionRecord) -> CallNode:
    is_builtin = record.filename == "~"
    named = record.qualname or record.function
    name = _builtin_name(record.function) if is_builtin else named.replace("<locals>.", "")
    place = "" if is_builtin else f"{record.label or record.filename}:{record.lineno}"
    return CallNode(
        number, name, place, record.ncalls, record.pcalls, record.tottime, record.cumtime, is_user=record.is_user
    )


def _builtin_name(function: str) -> str:
    """``time.sleep`` for ``<built-in method time.sleep>``, ``str.join`` for ``<method 'join' of 'str' objects>``."""
    method = re.fullmatch(r"<method '(.+)' of '(.+)' objects>", function)
    if method is not None:
        return f"{method[2]}.{method[1]}"
    return function.strip("<>").removeprefix("built-in method ").removeprefix("builtins.")


def report(graph: CallGraph, **display: Any) -> Report:
    """The report of a call graph.

    Raises
    ------
    OptionError
        For any display option: it has none.
    """
    if display:
        raise OptionError(f"a report of a call graph has no option {next(iter(display))!r}")
    view = graph_view(graph)
    return Report(
        title=f"Call graph  {graph.session.title}",
        headline=view.alt,
        parts=(view,) if graph.nodes else (),
        notes=tuple(_notes(graph)),
        method=(graph.method.engine, "an arrow is a pair of caller and callee; for whole paths see the flame graph"),
        warning=warning_of(graph.session),
    )


def graph_view(graph: CallGraph) -> GraphView:
    """The graph to draw, with the finding and the whole graph in words."""
    hottest = max(graph.nodes, key=lambda node: node.tottime, default=None)
    nodes = tuple(
        GraphNode(node.id, node.function, _figures(graph, node), _role(node, hottest)) for node in graph.nodes
    )
    edges = tuple(GraphEdge(edge.source, edge.target, _edge_label(edge)) for edge in _edges(graph))
    return GraphView("", _finding(graph), nodes, edges, tuple(_words(graph)), direction="down")


def _role(node: CallNode, hottest: CallNode | None) -> str:
    if node is hottest and node.tottime > 0:
        return "highlight"
    return "start" if node.is_user else "object"


def _figures(graph: CallGraph, node: CallNode) -> str:
    """``80.0 ms (40 %) · own 20.0 ms · In [3]:4``."""
    share = f" ({node.cumtime / graph.tottime * 100:.0f} %)" if graph.tottime else ""
    figures = f"{format_seconds(node.cumtime)}{share} · own {format_seconds(node.tottime)}"
    return f"{figures} · {node.place}" if node.place else figures


def _edge_label(edge: CallEdge) -> str:
    return f"{edge.ncalls:,}× {format_seconds(edge.cumtime)}"


def _notes(graph: CallGraph) -> Iterator[str]:
    if graph.n_left_out:
        own = graph.tottime - sum(node.tottime for node in graph.nodes)
        noun = "function" if graph.n_left_out == 1 else "functions"
        yield f"{graph.n_left_out:,} lighter {noun} not drawn: {format_seconds(max(own, 0.0))} of their own"


def _finding(graph: CallGraph) -> str:
    """The heaviest way through the graph, in words."""
    if not graph.nodes:
        return "no function was called"
    path = _heaviest_path(graph)
    share = f"{path[-1].cumtime / graph.tottime * 100:.0f} % of the time in " if graph.tottime else ""
    return f"{share}{' → '.join(node.function for node in path[-4:])}"


def _heaviest_path(graph: CallGraph) -> list[CallNode]:
    """From the heaviest function along the heaviest calls, while they take half of it."""
    near, path = _callees(graph), [graph.nodes[0]]
    while True:
        ways = [(node, edge) for node, edge in near[path[-1].id] if node not in path]
        if not ways or ways[0][1].cumtime < path[-1].cumtime / 2:
            return path
        path.append(ways[0][0])


def _callees(graph: CallGraph) -> Near:
    """The callees of each function, the heaviest call first."""
    nodes = {node.id: node for node in graph.nodes}
    found: dict[int, list[tuple[CallNode, CallEdge]]] = defaultdict(list)
    for edge in _edges(graph):
        found[edge.source].append((nodes[edge.target], edge))
    return found


def _edges(graph: CallGraph) -> list[CallEdge]:
    """The edges between nodes that there are: a file from elsewhere may hold others."""
    ids = {node.id for node in graph.nodes}
    return [edge for edge in graph.edges if edge.source in ids and edge.target in ids]


def _words(graph: CallGraph) -> Iterator[str]:
    """The graph as an indented tree; what stands above already is not told twice."""
    near, told = _callees(graph), set[int]()
    called = {edge.target for edge in _edges(graph) if edge.source != edge.target}
    roots = [node for node in graph.nodes if node.id not in called]
    for node in (*roots, *graph.nodes):  # in a ring of functions that call each other none is a root
        if node.id not in told:
            told.add(node.id)
            yield f"{node.function}  {_figures(graph, node)}"
            yield from _branch(graph, near, node.id, "", told)


def _branch(graph: CallGraph, near: Near, node_id: int, indent: str, told: set[int]) -> Iterator[str]:
    ways = near.get(node_id, ())
    for number, (node, edge) in enumerate(ways, 1):
        last = number == len(ways)
        seen = node.id in told
        told.add(node.id)
        figures = "(see above)" if seen else _figures(graph, node)
        yield f"{indent}{'└─' if last else '├─'} {_edge_label(edge)} → {node.function}  {figures}"
        if not seen:
            yield from _branch(graph, near, node.id, indent + ("   " if last else "│  "), told)
