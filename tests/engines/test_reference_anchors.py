"""Drawn objects are found again as long as they live, and nothing here keeps them alive."""

from __future__ import annotations

import gc
import weakref

import pytest

from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.engines import reference_anchors
from jupyter_profkit.engines.reference_anchors import anchor_of, find_again, live_references
from jupyter_profkit.errors import TargetError


class Box:
    def __init__(self, *items):
        self.items = list(items)


def test_an_object_is_found_again_by_a_weak_reference():
    box = Box()
    assert find_again(anchor_of(box), {})[0] is box


def test_a_list_is_found_again_by_its_address_among_what_the_collector_tracks():
    items = [1, 2, 3]
    assert find_again(anchor_of(items), {})[0] is items


def test_what_the_collector_does_not_track_is_found_among_the_variables_or_through_its_neighbour():
    word = str(b"a word", "ascii")
    box = {"word": word, "list": []}
    assert find_again(anchor_of(word), {"w": word})[0] is word
    assert find_again(anchor_of(word), {}, [anchor_of(box)])[0] is word


def test_an_object_that_is_gone_is_not_found():
    box, items = Box(), [object()]
    anchors = anchor_of(box), anchor_of(items)
    del box, items
    gc.collect()
    assert find_again(anchors[0], {}) == []
    assert all(type(found) is not Box for found in find_again(anchors[1], {}))


def test_anchors_keep_nothing_alive():
    box = Box(Box())
    graph = draw_references([box], names=["box"], namespace={})
    references = [weakref.ref(box), weakref.ref(box.items[0])]
    live = live_references(graph)
    assert live is not None
    assert live.again(5, 10).nodes
    del box
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    with pytest.raises(TargetError, match="Box is gone"):
        live.again(5, 10)


def test_a_walk_goes_on_from_any_object_of_the_graph():
    inner = Box("deep")
    outer = Box(inner)
    graph = draw_references([outer], names=["outer"], max_depth=2, namespace={})
    live = live_references(graph)
    number = next(node.id for node in graph.nodes if node.type == "Box" and node.role != "start")
    walk = live.further(live.anchors[number], 10)
    assert [(node.type, node.label) for node in walk.nodes[1:]] == [("list", "1 item")]


def test_a_walk_backward_goes_on_backward():
    inner = Box()
    outer = Box(inner)
    graph = draw_references([inner], names=["inner"], back=True, max_depth=1, namespace={})
    live = live_references(graph)
    number = next(node.id for node in graph.nodes if node.type == "list")
    assert "Box" in {node.type for node in live.further(live.anchors[number], 10).nodes}
    assert outer.items == [inner]


def test_a_graph_of_another_process_has_no_objects():
    graph = draw_references([Box()], namespace={})
    assert live_references(type(graph).from_json(graph.to_json())) is None


def test_a_graph_that_is_let_go_takes_its_anchors_along():
    graph = draw_references([Box()], namespace={})
    before = len(reference_anchors._live)
    assert live_references(graph) is not None
    del graph
    gc.collect()
    assert len(reference_anchors._live) == before - 1


@pytest.mark.parametrize("read_before", [False, True])
def test_an_attribute_is_found_where_the_drawing_left_out_the_dictionary(read_before):
    box = Box([1], [2])
    if read_before:
        assert vars(box)
    assert find_again(anchor_of(box.items), {}, [anchor_of(box)])[0] is box.items


def test_a_column_is_found_in_its_table():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(100)})
    graph = draw_references([frame], names=["frame"], namespace={})
    live = live_references(graph)
    column = next(edge.target for edge in graph.edges if edge.label == "['a']")
    assert find_again(live.anchors[column], {}, [live.anchors[0]])


def test_another_object_at_the_address_is_not_taken_for_one_that_has_left_its_place():
    box, other = Box([1]), [[2]]
    anchor = anchor_of(other)  # as if the list of `box` had been there, and this one came after it
    assert find_again(anchor, {}, [anchor_of(box)]) == []
    live = live_references(draw_references([box], names=["box"], namespace={}))
    with pytest.raises(TargetError, match="this list is gone: it is not where it was any more"):
        live.further(anchor, 10, [anchor_of(box)])
