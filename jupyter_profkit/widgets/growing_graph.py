"""A graph that is shown in part, and grows where the reader asks for more.

    growing = GrowingGraph(graph)
    growing.shown(max_depth=2, too_many=5)      the ReferenceGraph to draw
    growing.node(3)                             which node of all is drawn as the third
    growing.expand(7); growing.add(7, walk)     what is behind a node

Only descriptions are in it; the objects may be gone.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Any

from jupyter_profkit.model.references import ReferenceEdge, ReferenceGraph, ReferenceNode

__all__ = ["GrowingGraph"]

_MOST_NODES = 150
"""More in one picture cannot be read."""


class GrowingGraph:
    """All nodes that are known, and which of them are shown.

    Parameters
    ----------
    graph : what was recorded.
    anchors : of each node, by what its object is found again; nothing if it cannot be.
    """

    def __init__(self, graph: ReferenceGraph, anchors: Sequence[Any] = ()) -> None:
        self._graph = graph
        self._nodes: list[ReferenceNode] = []
        self._anchors: list[Any] = []
        self._edges: dict[tuple[int, int], ReferenceEdge] = {}
        self._replaced: set[int] = set()  # nodes "41 more" that what they stood for has taken the place of
        self._expanded: set[int] = set()
        self._drawn: list[int | None] = []
        self._add(graph.nodes, graph.edges, anchors, {})

    def node(self, drawn: int) -> int | None:
        """The node that is drawn as number `drawn`; None for one that only counts others."""
        return self._drawn[drawn] if 0 <= drawn < len(self._drawn) else None

    def drawn_as(self, node: int) -> int:
        """The number under which `node` is drawn; -1 if it is not."""
        return self._drawn.index(node) if node in self._drawn else -1

    def describe(self, node: int) -> ReferenceNode:
        return self._nodes[node]

    def anchor(self, node: int) -> Any:
        return self._anchors[node]

    def sources(self, node: int) -> list[Any]:
        """Anchors of what refers to `node`."""
        anchors = [self._anchors[source] for source, target in self._edges if target == node]
        return [anchor for anchor in anchors if anchor is not None]

    def is_expanded(self, node: int) -> bool:
        return node in self._expanded

    def n_neighbours(self, node: int) -> int:
        """How many are known behind `node`."""
        return sum(self._nodes[other].role != "more" for other in self._next(node))

    def expand(self, node: int) -> None:
        self._expanded.add(node)

    def collapse(self, node: int) -> None:
        self._expanded.discard(node)

    def add(self, node: int, walk: Any) -> int:
        """Take in a walk from `node`; the number of objects that were not known."""
        self._replaced |= {other for other in self._next(node) if self._nodes[other].role == "more"}
        known = {_identity(self._nodes[n], self._anchors[n]): n for n in range(len(self._nodes))}
        same = {
            number: known[identity]
            for number, (one, anchor) in enumerate(zip(walk.nodes, walk.anchors, strict=True))
            if one.role != "more" and (identity := _identity(one, anchor)) in known
        }
        same[0] = node
        before = len(self._nodes)
        self._add(walk.nodes, walk.edges, walk.anchors, same, self._nodes[node].depth)
        return sum(one.role != "more" for one in self._nodes[before:])

    def shown(self, max_depth: int, too_many: int) -> ReferenceGraph:
        """What is within `max_depth` of where it starts, and behind what was expanded; `too_many` neighbours each."""
        drawn: list[int] = [n for n, node in enumerate(self._nodes) if node.role == "start"]
        left: dict[int, int] = {}
        waiting = deque((n, 0) for n in drawn)
        while waiting:
            node, depth = waiting.popleft()
            if depth >= max_depth and node not in self._expanded:
                continue
            for other in self._neighbours(node, too_many, left):
                if other not in drawn and len(drawn) < _MOST_NODES:
                    drawn.append(other)
                    waiting.append((other, depth + 1))
        return self._redrawn(drawn, left)

    def _neighbours(self, node: int, too_many: int, left: dict[int, int]) -> list[int]:
        """The first neighbours of a node; the others are counted in `left`."""
        others = self._next(node)
        if node in self._expanded:
            too_many = max(too_many, len(others))
        named = [other for other in others if self._nodes[other].role != "more"]
        counted = [other for other in others if self._nodes[other].role == "more"]
        if len(named) <= too_many:
            return [*named, *counted]
        left[node] = len(named) - too_many + sum(_number(self._nodes[other].label) for other in counted)
        return named[:too_many]

    def _redrawn(self, drawn: list[int], left: dict[int, int]) -> ReferenceGraph:
        """A graph of those nodes, numbered anew, and a node for those that are only counted."""
        numbers = {node: number for number, node in enumerate(drawn)}
        nodes = [dataclasses.replace(self._nodes[node], id=number) for node, number in numbers.items()]
        edges = [
            dataclasses.replace(edge, source=numbers[edge.source], target=numbers[edge.target])
            for edge in self._edges.values()
            if edge.source in numbers and edge.target in numbers
        ]
        self._drawn = [*drawn]
        for node, count in left.items():
            number, depth = len(nodes), self._nodes[node].depth + 1
            nodes.append(ReferenceNode(number, "", f"{count:,} more", "more", depth))
            ends = (number, numbers[node]) if self._graph.back else (numbers[node], number)
            edges.append(ReferenceEdge(*ends, dashed=True))
            self._drawn.append(None)
        return dataclasses.replace(self._graph, nodes=tuple(nodes), edges=tuple(edges))

    def _next(self, node: int) -> list[int]:
        """What is one step further on from `node`."""
        if self._graph.back:
            found = [source for source, target in self._edges if target == node]
        else:
            found = [target for source, target in self._edges if source == node]
        return [other for other in found if other not in self._replaced]

    def _add(
        self,
        nodes: Sequence[ReferenceNode],
        edges: Sequence[ReferenceEdge],
        anchors: Sequence[Any],
        same: dict[int, int],
        depth: int = 0,
    ) -> None:
        numbers = dict(same)
        for node in nodes:
            if node.id not in numbers:
                numbers[node.id] = len(self._nodes)
                role = "object" if node.role == "start" and self._nodes and depth else node.role
                new = dataclasses.replace(node, id=len(self._nodes), depth=node.depth + depth, role=role)
                self._nodes.append(new)
                self._anchors.append(anchors[node.id] if node.id < len(anchors) else None)
        for edge in edges:
            ends = numbers[edge.source], numbers[edge.target]
            self._edges[ends] = dataclasses.replace(edge, source=ends[0], target=ends[1])


def _identity(node: ReferenceNode, anchor: Any) -> object:
    """What two nodes have in common that are the same object, or the same name."""
    return (anchor.address, anchor.type) if anchor is not None else (node.role, node.type, node.label)


def _number(label: str) -> int:
    digits = label.partition(" ")[0].replace(",", "")
    return int(digits) if digits.isdecimal() else 0
