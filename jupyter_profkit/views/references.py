"""Reference graphs and type counts as views: the finding in a sentence, a graph, the same in words.

    report(graph)           a Report with a GraphView
    graph_view(graph)       the GraphView alone
    report(counts, limit=5) a Report with a table

Words come first: the alternative text of a picture is its finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.references import (
    ReferenceEdge,
    ReferenceGraph,
    ReferenceNode,
    TypeCounts,
    TypeGrowth,
    TypeRecord,
)
from jupyter_profkit.model.result import Result
from jupyter_profkit.units import format_seconds, format_size
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import (
    Cell,
    Column,
    GraphEdge,
    GraphNode,
    GraphView,
    Report,
    Row,
    TableView,
    Unit,
    warning_of,
)
from jupyter_profkit.views.words import counted, headed, listed, plural, with_article

__all__ = ["graph_view", "report"]

_MENTIONED = 3
"""Neighbours named in the sentence; the others are counted."""

_HIGHLIGHTED = "A box with two borders, and * in the text: what --highlight asked for."
_DEEPEST = 12
"""Levels that the text indents; deeper ones have their number instead."""
_WIDEST = 52
"""Characters in a node; figures that were asked for are never what is cut."""


def report(result: Result, **display: Any) -> Report:
    """The report of a reference graph, of type counts or of growth.

    Raises
    ------
    OptionError
        For a display option that the result does not have; tables have ``limit``.
    """
    limit = display.pop("limit", None)
    if display or (limit is not None and isinstance(result, ReferenceGraph)):
        raise OptionError(f"a report of {result.kind} has no option {next(iter(display), 'limit')!r}")
    match result:
        case ReferenceGraph():
            return _graph_report(result)
        case TypeCounts():
            return _counts_report(result, limit)
        case TypeGrowth():
            return _growth_report(result, limit)
    raise OptionError(f"{type(result).__name__} is no result of objects")


# Graphs


def graph_view(graph: ReferenceGraph) -> GraphView:
    """The graph to draw, with the finding and the whole graph in words."""
    nodes = tuple(GraphNode(node.id, node.type, _text(node), _role(node)) for node in graph.nodes)
    edges = tuple(GraphEdge(edge.source, edge.target, edge.label, edge.dashed) for edge in graph.edges)
    return GraphView("", _finding(graph), nodes, edges, tuple(_words(graph)))


def _graph_report(graph: ReferenceGraph) -> Report:
    n_objects = sum(node.role in {"start", "object"} for node in graph.nodes)
    counts = f"{counted(n_objects, 'object')}, {counted(len(graph.edges), 'arrow')}"
    highlighted = any(node.highlight for node in graph.nodes)
    return Report(
        title=graph.session.title,
        headline=_finding(graph),
        parts=(graph_view(graph),),
        notes=(*[_HIGHLIGHTED] * highlighted, *graph.method.notes),
        method=(graph.method.engine, f"{counts}, {format_seconds(graph.session.duration)}"),
    )


def _role(node: ReferenceNode) -> str:
    return "highlight" if node.highlight and node.role == "object" else node.role


def _text(node: ReferenceNode) -> str:
    """The second line of a node: what it is, and the figures asked for."""
    figures = " · ".join(_figures(node))
    called = _called(node)
    room = _WIDEST - len(figures) - len(" · ")
    if figures and len(called) > room:
        called = f"{called[: max(room, 8) - 1]}…"
    return " · ".join(filter(None, (called, figures)))


def _figures(node: ReferenceNode) -> list[str]:
    parts = []
    if node.size is not None:
        parts.append(format_size(node.size))
    if node.retained is not None:
        parts.append(f"retains {format_size(node.retained)}")
    if node.refcount is not None:
        parts.append(counted(node.refcount, "ref"))
    return parts


def _called(node: ReferenceNode) -> str:
    """Its name and what it is, each if there is one."""
    return " · ".join(dict.fromkeys(filter(None, (node.name, node.label))))


def _finding(graph: ReferenceGraph) -> str:
    """Who refers to whom, in a sentence."""
    return " ".join(_sentence(graph, node) + _freed(node) for node in graph.nodes if node.role == "start")


def _freed(start: ReferenceNode) -> str:
    if start.retained is None:
        return ""
    return f" If {start.name or 'it'} went, {format_size(start.retained)} would be freed."


def _sentence(graph: ReferenceGraph, start: ReferenceNode) -> str:
    near = _neighbours(graph, start.id)
    who = start.name or with_article(start.type)
    verb = "is referred to by" if graph.back else "refers to"
    if not near:
        return f"{who} {verb} nothing{' that is shown' if graph.method.notes else ''}."
    drawn = [node for node, _ in near if node.role != "more"]
    more = next((node.label for node, _ in near if node.role == "more"), "")
    mentioned = [_mention(node) for node in drawn[:_MENTIONED]]
    left = len(drawn) - len(mentioned)
    if left:
        mentioned.append(counted(left, "other") if more else f"{left} more")
    if more:
        mentioned.append(more)
    return f"{who} {verb} {listed(mentioned)}."


def _mention(node: ReferenceNode) -> str:
    if node.role == "holder":
        return f"{node.type} ({node.label})" if "," in node.label or " " in node.label else f"{node.type} {node.label}"
    return f"{with_article(node.type)} ({_called(node)})" if _called(node) else with_article(node.type)


def _neighbours(graph: ReferenceGraph, node_id: int) -> list[tuple[ReferenceNode, ReferenceEdge]]:
    """The nodes one step further along the walk, in the order they were found."""
    if graph.back:
        return [(graph.nodes[edge.source], edge) for edge in graph.edges if edge.target == node_id]
    return [(graph.nodes[edge.target], edge) for edge in graph.edges if edge.source == node_id]


def _words(graph: ReferenceGraph) -> Iterator[str]:
    """The graph as an indented tree; what stands above already is not told twice."""
    told: set[int] = set()
    for node in graph.nodes:
        if node.role == "start":
            yield _line(node)
            told.add(node.id)
            yield from _branch(graph, node.id, "", told)


def _branch(graph: ReferenceGraph, node_id: int, indent: str, told: set[int]) -> Iterator[str]:
    near = _neighbours(graph, node_id)
    level = len(indent) // 3
    before = indent if level <= _DEEPEST else f"{'⋯':>{3 * _DEEPEST}} {level + 1:<3}"
    for number, (node, edge) in enumerate(near, 1):
        last = number == len(near)
        seen = node.id in told
        told.add(node.id)
        yield f"{before}{'└─' if last else '├─'} {_step(graph, node, edge)}{' (see above)' if seen else ''}"
        if not seen:
            yield from _branch(graph, node.id, indent + ("   " if last else "│  "), told)


def _step(graph: ReferenceGraph, node: ReferenceNode, edge: ReferenceEdge) -> str:
    if not edge.label:
        return _line(node)
    return f"{edge.label} of {_line(node)}" if graph.back else f"{edge.label} → {_line(node)}"


def _line(node: ReferenceNode) -> str:
    mark = " *" if node.highlight else ""
    return f"{f'{node.type} {_text(node)}'.strip()}{mark}"


# Counts


def _counts_report(counts: TypeCounts, limit: int | None) -> Report:
    records = counts.records[: limit or None]
    headline = f"{counts.n_objects:,} objects"
    if records:
        headline += f"; most of them {' and '.join(f'{record.type} objects' for record in records[:2])}."
    return Report(
        title=counts.session.title,
        headline=headline,
        parts=(_counts_table(records, counts.n_objects),),
        notes=counts.method.notes,
        method=(counts.method.engine, format_seconds(counts.session.duration)),
    )


def _counts_table(records: Sequence[TypeRecord], n_objects: int | None) -> TableView:
    most = max((record.count for record in records), default=1)
    strong = heaviest(records, lambda record: record.count, n_objects)
    rows = tuple(
        Row((Cell(record.type), Cell(f"{record.count:,}", bar=record.count / most)), record in strong)
        for record in records
    )
    return TableView("The most common types", _columns("Objects"), rows)


def _growth_report(growth: TypeGrowth, limit: int | None) -> Report:
    if not growth.since:
        return _first_report(growth, limit)
    records = growth.records[: limit or None]
    most = max((record.growth for record in records), default=1) or 1
    has_new = any(record.new for record in records)
    strong = heaviest([record for record in growth.records if not record.is_floor], lambda record: record.growth)
    rows = []
    for record in records:
        bar = max(0, record.growth) / most
        cells = [Cell(record.type), Cell(f"{record.count:,}"), Cell(f"{record.growth:+,}", bar, muted=record.is_floor)]
        rows.append(Row((*cells, *([Cell(f"{record.new or 0:,}")] if has_new else [])), record in strong))
    title = growth.session.title
    columns = _columns("Objects", "Growth", *["New"] * has_new)
    table = TableView("Types that grew" if not has_new else "Types that the cell made objects of", columns, tuple(rows))
    return Report(
        title=headed("%%objgrowth", title),
        headline=_growth_headline(growth),
        parts=(table,) if rows else (),
        notes=growth.method.notes,
        method=(growth.method.engine, f"{title} took {format_seconds(growth.session.duration)}"),
        warning=warning_of(growth.session),
    )


def _first_report(growth: TypeGrowth, limit: int | None) -> Report:
    """Of a first count: what there is, since it all would be growth."""
    records = growth.records[: limit or None]
    return Report(
        title=growth.session.title,
        headline="The first count, nothing to compare with yet: the next %objgrowth shows what grew.",
        parts=(_counts_table(records, growth.method.n_events),) if records else (),
        notes=growth.method.notes,
        method=(growth.method.engine, format_seconds(growth.session.duration)),
    )


def _growth_headline(growth: TypeGrowth) -> str:
    records = [record for record in growth.records if not record.is_floor and (record.growth > 0 or record.new)]
    if not records:
        return f"Nothing grew since {growth.since}."
    first = records[0]
    others = len(records) - 1
    more = f"; {counted(others, 'other type')} grew too" if others else ""
    if first.growth <= 0:
        new = f"{counted(first.new or 0, f'{first.type} object')} {'is' if first.new == 1 else 'are'} new"
        return f"Since {growth.since}: as many objects went as came; {new}."
    return f"Since {growth.since}: {first.growth:,} more {plural(f'{first.type} object', first.growth)}{more}."


def _columns(*counts: str) -> tuple[Column, ...]:
    return (Column("Type", Unit.NAME), *(Column(title) for title in counts))
