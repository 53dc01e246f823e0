"""The layout of last resort: never fails, never overlaps."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import pytest

from jupyter_profkit.layout.builtin import lay_out
from jupyter_profkit.layout.drawing import box_size
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView


def graph(n_nodes: int, *arcs: tuple[int, int]) -> GraphView:
    nodes = tuple(GraphNode(number, f"type {number}", "text" * (number % 5)) for number in range(n_nodes))
    return GraphView("", "", nodes, tuple(GraphEdge(*arc, label="[0]") for arc in arcs))


def cyclic(n_nodes: int, n_arcs: int, seed: int = 0) -> GraphView:
    chance = random.Random(seed)
    return graph(n_nodes, *((chance.randrange(n_nodes), chance.randrange(n_nodes)) for _ in range(n_arcs)))


def overlaps(a, b) -> bool:
    return abs(a.x - b.x) < (a.width + b.width) / 2 and abs(a.y - b.y) < (a.height + b.height) / 2


@pytest.mark.parametrize(
    "view",
    [
        graph(1),
        graph(3),
        graph(1, (0, 0)),
        graph(2, (0, 1), (1, 0)),
        cyclic(60, 120),
        cyclic(40, 30, 1),
        cyclic(9, 60, 2),
        replace(cyclic(60, 120), direction="down"),
        replace(graph(1, (0, 0)), direction="down"),
    ],
)
def test_boxes_never_overlap_and_everything_is_in_the_frame(view):
    drawing = lay_out(view)
    assert not any(overlaps(a, b) for a, b in itertools.combinations(drawing.nodes, 2))
    for node in drawing.nodes:
        assert node.width / 2 <= node.x <= drawing.width - node.width / 2
        assert node.height / 2 <= node.y <= drawing.height - node.height / 2
    for edge in drawing.edges:
        assert all(math.isfinite(x) and 0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in edge.points)


def test_arrows_run_downward_where_that_is_asked_for():
    view = replace(graph(5, (0, 1), (1, 2), (0, 2), (3, 2), (2, 4), (4, 4)), direction="down")
    drawing = lay_out(view)
    placed = {node.node.id: node for node in drawing.nodes}
    assert placed[0].y < placed[1].y < placed[2].y < placed[4].y
    assert all((node.width, node.height) == box_size(node.node) for node in drawing.nodes)
    for edge in drawing.edges[:5]:
        source, target = placed[edge.edge.source], placed[edge.edge.target]
        assert edge.points[0] == pytest.approx((source.x, source.y + source.height / 2))
        assert edge.tip == pytest.approx((target.x, target.y - target.height / 2))


def test_arrows_run_from_left_to_right_where_there_is_no_cycle():
    drawing = lay_out(graph(5, (0, 1), (1, 2), (0, 2), (3, 2), (2, 4)))
    x = {node.node.id: node.x for node in drawing.nodes}
    assert x[0] < x[1] < x[2] < x[4]
    assert x[3] == x[1]


def test_arrows_begin_and_end_at_their_boxes():
    drawing = lay_out(graph(4, (0, 1), (1, 2), (2, 0), (0, 3), (3, 3)))
    boxes = {node.node.id: node for node in drawing.nodes}
    for edge in drawing.edges:
        source, target = boxes[edge.edge.source], boxes[edge.edge.target]
        assert abs(edge.points[0][0] - source.x) == pytest.approx(source.width / 2)
        assert abs(edge.tip[0] - target.x) == pytest.approx(target.width / 2)


@pytest.mark.timeout(60)
def test_sixty_nodes_with_many_cycles_are_laid_out():
    assert len(lay_out(cyclic(60, 200)).nodes) == 60
