"""A small layered layout in plain Python, for where no Graphviz can be run.

1. Arrows that close a cycle are turned around.
2. Each node gets the layer of its longest path; a long arrow gets a waypoint in
   every layer that it crosses.
3. Sweeps over the layers order each by the mean place of its neighbours, which
   keeps crossings few, and then place nodes near those neighbours, without overlap.

It never fails, and takes some milliseconds for the sixty nodes of a reference graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_profkit.layout.drawing import EDGE_SIZE, Drawing, PlacedEdge, PlacedNode, Point, boxes, clip, label_width
from jupyter_profkit.views.report import GraphEdge, GraphView

__all__ = ["Places", "lay_out", "place"]

_GAP: Final = 14.0
"""Between the boxes of a layer, points."""
_STEP: Final = 42.0
"""Between layers, besides the widest label of the arrows between them."""
_MARGIN: Final = 10.0
_SWEEPS: Final = 8
_LOOP: Final = 22.0

Arc = tuple[int, int]


@dataclass(frozen=True)
class Places:
    """Where boxes and the waypoints of long arrows go; `at` are middles, points."""

    at: dict[int, Point]
    sizes: dict[int, tuple[float, float]]
    halves: dict[float, float]
    """By the middle of a layer, half of its width."""
    chains: dict[Arc, list[int]]
    """For each arc, from the lower layer to the higher, the nodes and waypoints that it passes."""
    turned: frozenset[Arc]
    """The arcs that close a cycle, and lead against the layers."""


def place(
    ids: Sequence[int],
    edges: Sequence[GraphEdge],
    sizes: Mapping[int, tuple[float, float]],
    gap: float = _GAP,
    drops: Mapping[Arc, float] | None = None,
    *,
    label_room: float | None = None,
) -> Places:
    """Places for boxes of any size, in layers from left to right.

    Parameters
    ----------
    ids : the boxes, none of them below -1.
    edges : the arrows between them; of parallel ones the first is enough.
    sizes : width and height of each box, points.
    gap : between the boxes of a layer, points.
    drops : how far below the middle of its source the middle of a target is wanted, points.
    label_room : what the label of an arrow takes between two layers, points; by default its width.
    """
    turned = _closing_arcs(ids, edges)
    arcs = sorted({_direction(edge, turned) for edge in edges if edge.source != edge.target})
    rank = _ranks(ids, arcs)
    sizes = dict(sizes)
    chains = _add_waypoints(arcs, rank, sizes)
    layers = _layers(rank)
    near = _neighbours(chains, drops or {})
    _order(layers, near)
    ys = _heights(layers, near, sizes, gap)
    room = _label_room(edges, rank, turned, len(layers)) if label_room is None else [label_room] * len(layers)
    xs = _columns(layers, sizes, room)
    halves = {x: max(sizes[node][0] for node in layer) / 2 for x, layer in zip(xs, layers, strict=True) if layer}
    return Places({node: (xs[rank[node]], ys[node]) for node in rank}, sizes, halves, chains, turned)


def lay_out(view: GraphView) -> Drawing:
    """Where everything goes."""
    ids, sizes = [node.id for node in view.nodes], boxes(view)
    if view.direction == "down":  # the same with both axes exchanged
        flat = {node: (height, width) for node, (width, height) in sizes.items()}
        places = place(ids, view.edges, flat, label_room=EDGE_SIZE)
    else:
        places = place(ids, view.edges, sizes)
    nodes = tuple(PlacedNode(node, *places.at[node.id], *places.sizes[node.id]) for node in view.nodes)
    edges = tuple(_arrow(edge, places.turned, places.chains, places.at, places.sizes) for edge in view.edges)
    if view.direction == "down":
        nodes, edges = tuple(map(_turned_node, nodes)), tuple(map(_turned_edge, edges))
    return _framed(nodes, edges)


def _turned_node(placed: PlacedNode) -> PlacedNode:
    return PlacedNode(placed.node, placed.y, placed.x, placed.height, placed.width)


def _turned_edge(placed: PlacedEdge) -> PlacedEdge:
    label_at = _exchanged(placed.label_at) if placed.label_at is not None else None
    if label_at is not None and placed.edge.source == placed.edge.target:  # beside the loop, not behind it
        half = label_width(clip(placed.edge.label, "edge"), EDGE_SIZE) / 2
        label_at = label_at[0] + _LOOP + half, label_at[1] - half - _LOOP / 2
    return PlacedEdge(placed.edge, tuple(map(_exchanged, placed.points)), _exchanged(placed.tip), label_at)


def _exchanged(point: Point) -> Point:
    return point[1], point[0]


def _closing_arcs(ids: Sequence[int], edges: Iterable[GraphEdge]) -> frozenset[Arc]:
    """The arcs that a depth-first search finds to lead back to where it came from."""
    targets: dict[int, list[int]] = {node: [] for node in ids}
    for edge in edges:
        targets[edge.source].append(edge.target)
    closing: set[Arc] = set()
    done: set[int] = set()
    for root in _roots_first(ids, edges):
        if root in done:
            continue
        path, on_path = [(root, iter(targets[root]))], {root}
        while path:
            node, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif target in on_path:
                closing.add((node, target))
            elif target not in done:
                path.append((target, iter(targets[target])))
                on_path.add(target)
    return frozenset(closing)


def _roots_first(ids: Sequence[int], edges: Iterable[GraphEdge]) -> list[int]:
    reached = {edge.target for edge in edges if edge.target != edge.source}
    return sorted(ids, key=lambda node: node in reached)


def _direction(edge: GraphEdge, turned: frozenset[Arc]) -> Arc:
    """The arc of an edge, from the lower layer to the higher."""
    arc = (edge.source, edge.target)
    return (edge.target, edge.source) if arc in turned else arc


def _ranks(ids: Sequence[int], arcs: Sequence[Arc]) -> dict[int, int]:
    """The longest path to each node; then nodes without sources move next to their first target."""
    sources: dict[int, list[int]] = {node: [] for node in ids}
    targets: dict[int, list[int]] = {node: [] for node in ids}
    for source, target in arcs:
        sources[target].append(source)
        targets[source].append(target)
    rank = dict.fromkeys(ids, 0)
    waiting = {node: len(sources[node]) for node in ids}
    ready = [node for node in ids if not waiting[node]]
    for node in ready:
        for target in targets[node]:
            rank[target] = max(rank[target], rank[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in ids:
        if not sources[node] and targets[node]:
            rank[node] = min(rank[target] for target in targets[node]) - 1
    return rank


def _add_waypoints(
    arcs: Iterable[Arc], rank: dict[int, int], sizes: dict[int, tuple[float, float]]
) -> dict[Arc, list[int]]:
    """For each arc the nodes it passes, new ones in the layers between its ends."""
    free = itertools.count(max(rank, default=0) + 1)
    chains: dict[Arc, list[int]] = {}
    for source, target in arcs:
        between = []
        for layer in range(rank[source] + 1, rank[target]):
            waypoint = next(free)
            rank[waypoint], sizes[waypoint] = layer, (0.0, 4.0)
            between.append(waypoint)
        chains[source, target] = [source, *between, target]
    return chains


def _layers(rank: Mapping[int, int]) -> list[list[int]]:
    layers: list[list[int]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for node, layer in rank.items():
        layers[layer].append(node)
    return layers


Near = tuple[dict[int, list[tuple[int, float]]], dict[int, list[tuple[int, float]]]]
"""The neighbours of each node in the layer before it and in the layer after, with the drop from them."""

_LITTLE: Final = 1e-4
"""What a drop counts beside a place in the order."""


def _neighbours(chains: Mapping[Arc, list[int]], drops: Mapping[Arc, float]) -> Near:
    before: dict[int, list[tuple[int, float]]] = {}
    after: dict[int, list[tuple[int, float]]] = {}
    for arc, chain in chains.items():
        drop = drops.get(arc, 0.0)
        for source, target in itertools.pairwise(chain):
            before.setdefault(target, []).append((source, drop))
            after.setdefault(source, []).append((target, -drop))
            drop = 0.0  # a waypoint is at its arrow's height already
    return before, after


def _order(layers: list[list[int]], near: Near) -> None:
    """Sort each layer by the mean place of its neighbours, back and forth."""
    place = {node: float(number) for layer in layers for number, node in enumerate(layer)}
    for sweep in range(_SWEEPS):
        others = near[sweep % 2]
        for layer in reversed(layers) if sweep % 2 else layers:
            wanted = {
                node: _mean([place[one] + drop * _LITTLE for one, drop in others.get(node, ())], place[node])
                for node in layer
            }
            layer.sort(key=wanted.__getitem__)
            place.update((node, float(number)) for number, node in enumerate(layer))


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _heights(
    layers: Sequence[Sequence[int]], near: Near, sizes: Mapping[int, tuple[float, float]], gap: float
) -> dict[int, float]:
    """The y of every node: near its neighbours, in the order of its layer."""
    ys: dict[int, float] = {}
    for layer in layers:
        ys.update(_spread(layer, dict.fromkeys(layer, 0.0), sizes, gap))
    for sweep in range(_SWEEPS):
        others = near[1 - sweep % 2]
        for layer in layers if sweep % 2 else reversed(layers):
            wanted = {node: _mean([ys[one] + drop for one, drop in others.get(node, ())], ys[node]) for node in layer}
            ys.update(_spread(layer, wanted, sizes, gap))
    return ys


def _spread(
    layer: Sequence[int], wanted: Mapping[int, float], sizes: Mapping[int, tuple[float, float]], gap: float
) -> dict[int, float]:
    """Places near the wanted ones, in order and without overlap.

    Blocks of boxes that would touch are moved together to the mean of what they
    want, as in isotonic regression.
    """
    offsets: dict[int, float] = {}
    blocks: list[tuple[float, list[int]]] = []
    edge = 0.0
    for node in layer:
        height = sizes[node][1]
        offsets[node] = edge + height / 2
        edge += height + gap
        block = (wanted[node] - offsets[node], [node])
        while blocks and blocks[-1][0] >= block[0]:
            start, nodes = blocks.pop()
            size = len(nodes) + len(block[1])
            block = ((start * len(nodes) + block[0] * len(block[1])) / size, nodes + block[1])
        blocks.append(block)
    return {node: start + offsets[node] for start, nodes in blocks for node in nodes}


def _label_room(
    edges: Sequence[GraphEdge], rank: Mapping[int, int], turned: frozenset[Arc], n_layers: int
) -> list[float]:
    """For the gap after each layer, the widest label of the arrows that begin there."""
    room = [0.0] * n_layers
    for edge in edges:
        layer = rank[_direction(edge, turned)[0]]
        width = _LOOP if edge.source == edge.target else 0.0
        room[layer] = max(room[layer], width + label_width(clip(edge.label, "edge"), EDGE_SIZE))
    return room


def _columns(
    layers: Sequence[Sequence[int]], sizes: Mapping[int, tuple[float, float]], room: Sequence[float]
) -> list[float]:
    """The x of the middle of each layer."""
    xs: list[float] = []
    edge = 0.0
    for layer, label in zip(layers, room, strict=True):
        width = max((sizes[node][0] for node in layer), default=0.0)
        xs.append(edge + width / 2)
        edge += width + _STEP + label
    return xs


def _arrow(
    edge: GraphEdge,
    turned: frozenset[Arc],
    chains: Mapping[Arc, list[int]],
    at: Mapping[int, Point],
    sizes: Mapping[int, tuple[float, float]],
) -> PlacedEdge:
    if edge.source == edge.target:
        return _loop(edge, at[edge.source], sizes[edge.source])
    arc = _direction(edge, turned)
    stops = chains[arc]
    first, last = stops[0], stops[-1]
    path = [
        (at[first][0] + sizes[first][0] / 2, at[first][1]),
        *(at[stop] for stop in stops[1:-1]),
        (at[last][0] - sizes[last][0] / 2, at[last][1]),
    ]
    label_at = _middle(path[0], path[1])
    if arc != (edge.source, edge.target):
        path.reverse()
    points = _curve(path)
    tip = path[-1]
    return PlacedEdge(edge, points, tip, label_at if edge.label else None)


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _curve(path: Sequence[Point]) -> tuple[Point, ...]:
    """A smooth line through `path` that leaves and arrives level; it stops short of the arrow's head."""
    direction = 1.0 if path[-1][0] >= path[-2][0] else -1.0
    stops = [*path[:-1], (path[-1][0] - 6.0 * direction, path[-1][1])]
    points = [stops[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(stops):
        bend = (x1 - x0) * 0.45
        points += [(x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
    return tuple(points)


def _loop(edge: GraphEdge, at: Point, size: tuple[float, float]) -> PlacedEdge:
    x, y = at[0] + size[0] / 2, at[1]
    out = x + _LOOP
    points = ((x, y - 5.0), (out, y - 14.0), (out, y + 14.0), (x + 6.0, y + 7.0))
    half = label_width(clip(edge.label, "edge"), EDGE_SIZE) / 2
    return PlacedEdge(edge, points, (x, y + 5.0), (out + half, y) if edge.label else None)


def _framed(nodes: Sequence[PlacedNode], edges: Sequence[PlacedEdge]) -> Drawing:
    """The drawing, moved so that it begins at the margin."""
    lefts = [one.x - one.width / 2 for one in nodes]
    rights = [one.x + one.width / 2 for one in nodes]
    tops = [one.y - one.height / 2 for one in nodes]
    bottoms = [one.y + one.height / 2 for one in nodes]
    for arrow in edges:
        half = label_width(clip(arrow.edge.label, "edge"), EDGE_SIZE) / 2
        for x, y in (*arrow.points, *([arrow.label_at] if arrow.label_at else [])):
            reach = half if (x, y) == arrow.label_at else 0.0
            lefts.append(x - reach)
            rights.append(x + reach)
            tops.append(y - 8.0)
            bottoms.append(y + 8.0)
    dx, dy = _MARGIN - min(lefts, default=0.0), _MARGIN - min(tops, default=0.0)

    def moved(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    return Drawing(
        max(rights, default=0.0) + dx + _MARGIN,
        max(bottoms, default=0.0) + dy + _MARGIN,
        tuple(PlacedNode(one.node, *moved((one.x, one.y)), one.width, one.height) for one in nodes),
        tuple(
            PlacedEdge(
                one.edge, tuple(map(moved, one.points)), moved(one.tip), moved(one.label_at) if one.label_at else None
            )
            for one in edges
        ),
        "the built-in layout",
    )
