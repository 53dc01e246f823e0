"""A graph that is clicked: more is drawn as long as the objects live, and what was recorded in any case."""

from __future__ import annotations

import gc
import weakref
import xml.etree.ElementTree as ET

from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.model.references import ReferenceGraph
from jupyter_profkit.widgets import _explorer
from jupyter_profkit.widgets.references import ReferenceExplorer


class Node:
    def __init__(self, name, n_children=0):
        self.name = name
        self.children = [Node(f"{name}.{n}") for n in range(n_children)]


def explorer_of(obj: object, **options) -> ReferenceExplorer:
    made = _explorer(draw_references([obj], names=["root"], namespace={}, **options), None, {})
    assert isinstance(made, ReferenceExplorer)
    return made


def drawn(explorer: ReferenceExplorer) -> ReferenceGraph:
    return explorer._growing.shown(explorer.depth.value, explorer.neighbours.value)


def number_of(explorer: ReferenceExplorer, kind: str, nth: int = 0) -> int:
    return [node.id for node in drawn(explorer).nodes if node.type == kind][nth]


def words(explorer: ReferenceExplorer) -> str:
    return next(explorer._graphs()).words


def test_less_depth_shows_less_of_what_was_recorded():
    root = Node("root", 3)
    explorer = explorer_of(root, max_depth=3)
    assert {node.depth for node in drawn(explorer).nodes} == {0, 1, 2, 3}
    explorer.depth.value = 1
    assert {node.depth for node in drawn(explorer).nodes} == {0, 1}


def test_more_depth_walks_further():
    root = Node("root", 3)
    explorer = explorer_of(root, max_depth=1)
    explorer.depth.value = 3
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 4


def test_fewer_neighbours_are_shown_and_the_others_counted():
    root = Node("root", 9)
    explorer = explorer_of(root, max_depth=2)
    explorer.neighbours.value = 4
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 1 + 4
    assert [node.label for node in drawn(explorer).nodes if node.role == "more"] == ["5 more"]


def test_what_the_recording_only_counted_is_counted_in():
    root = Node("root", 30)
    explorer = explorer_of(root, max_depth=2, too_many=10)
    explorer.neighbours.value = 4
    assert [node.label for node in drawn(explorer).nodes if node.role == "more"] == ["26 more"]


def test_more_neighbours_walk_again():
    root = Node("root", 30)
    explorer = explorer_of(root, max_depth=2, too_many=10)
    explorer.neighbours.value = 40
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 31


def test_a_click_shows_what_is_behind_an_object_and_a_second_one_hides_it_again():
    root = Node("root", 2)
    explorer = explorer_of(root, max_depth=2)
    before = len(drawn(explorer).nodes)
    node = number_of(explorer, "Node", 1)
    explorer.choose(node)
    assert len(drawn(explorer).nodes) == before + 2  # its name and its list
    assert words(explorer) == "Node: 2 more shown"
    explorer.choose(node)
    assert len(drawn(explorer).nodes) == before
    assert words(explorer) == "Node: collapsed"


def test_a_click_shows_more_neighbours_in_the_place_of_their_count():
    root = Node("root", 14)
    explorer = explorer_of(root, max_depth=2, too_many=10)
    explorer.choose(number_of(explorer, "list"))
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 15
    assert not [node for node in drawn(explorer).nodes if node.role == "more"]


def test_an_object_that_is_reached_twice_is_one_node():
    parent, child = Node("parent"), Node("child")
    parent.children.append(child)
    child.children.append(parent)
    explorer = explorer_of(parent, max_depth=2)
    explorer.choose(number_of(explorer, "Node", 1))
    explorer.choose(number_of(explorer, "list", 1))
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 2
    assert len(drawn(explorer).edges) == 6


def test_nothing_behind_a_string_is_said():
    root = Node("root")
    explorer = explorer_of(root, max_depth=1)
    explorer.choose(number_of(explorer, "str"))
    assert words(explorer) == "str 'root': nothing is behind it"


def test_an_object_that_is_gone_is_said_to_be_gone_and_the_picture_stays():
    root = Node("root", 2)
    reference = weakref.ref(root)
    explorer = explorer_of(root, max_depth=2)
    before = next(explorer._graphs()).svg
    del root
    gc.collect()
    assert reference() is None, "the widget keeps the object alive"
    explorer.choose(number_of(explorer, "Node", 1))
    assert "is gone" in words(explorer)
    assert next(explorer._graphs()).svg == before
    explorer.depth.value = 5
    assert "is gone" in explorer.status.value


def test_a_graph_from_a_file_shows_what_was_recorded_and_says_where_it_ends():
    graph = draw_references([Node("root", 2)], names=["root"], namespace={}, max_depth=2)
    explorer = ReferenceExplorer(ReferenceGraph.from_json(graph.to_json()))
    assert explorer.depth.max == 2
    explorer.depth.value = 1
    explorer.choose(number_of(explorer, "list"))
    assert sum(node.type == "Node" for node in drawn(explorer).nodes) == 3
    explorer.choose(number_of(explorer, "Node", 1))
    assert "not recorded" in words(explorer)


def test_what_refers_to_an_object_is_followed_backward():
    leaf = Node("leaf")
    holder = {"leaf": leaf}
    outer = [holder]
    explorer = explorer_of(leaf, back=True, max_depth=1)
    explorer.choose(number_of(explorer, "dict"))
    assert "list" in {node.type for node in drawn(explorer).nodes}
    assert outer[0] is holder


def test_a_message_that_is_none_changes_nothing():
    root = Node("root", 2)
    explorer = explorer_of(root, max_depth=2)
    before = next(explorer._graphs()).svg
    for content in ({}, {"choose": "x"}, {"choose": -5}, {"choose": 10**9}, None):
        next(explorer._graphs())._handle_custom_msg(content, [])
    assert next(explorer._graphs()).svg == before


def test_every_node_of_the_picture_has_its_number():
    root = Node("root", 2)
    explorer = explorer_of(root, max_depth=2)
    picture = ET.fromstring(next(explorer._graphs()).svg)
    numbers = {int(group.get("data-node")) for group in picture.iter() if group.get("data-node")}
    assert numbers == {node.id for node in drawn(explorer).nodes}


def test_what_is_only_counted_is_not_told_as_shown():
    root = Node("root", 15)
    explorer = explorer_of(root, max_depth=1)
    explorer.choose(number_of(explorer, "list"))
    assert words(explorer) == "list 15 items: 10 more shown"
    assert [node.label for node in drawn(explorer).nodes if node.role == "more"] == ["5 more"]


def test_a_click_on_what_is_all_shown_says_so():
    root = Node("root", 1)
    explorer = explorer_of(root, max_depth=2)
    explorer.choose(number_of(explorer, "list"))
    assert words(explorer) == "list 1 item: all that is behind it is shown"


def test_no_note_says_what_the_controls_have_overtaken():
    root = Node("root", 3)
    explorer = explorer_of(root, max_depth=1)
    assert any("Not followed beyond depth 1" in note for note in explorer._graph.method.notes)
    assert not any("depth" in note for note in explorer._report().notes)
    explorer.depth.value = 2
    assert not any("depth" in note for note in explorer._report().notes)
    assert any("Not followed beyond depth 2" in note for note in explorer._graph.method.notes)
