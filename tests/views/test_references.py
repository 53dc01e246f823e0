"""Reference graphs and counts, as their reader sees them."""

from __future__ import annotations

import pytest

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.references import (
    ReferenceEdge,
    ReferenceGraph,
    ReferenceNode,
    TypeCounts,
    TypeGrowth,
    TypeRecord,
)
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.views.references import graph_view, report


def graph(*nodes, edges=(), back=False, notes=()) -> ReferenceGraph:
    described = tuple(ReferenceNode(number, *node) for number, node in enumerate(nodes))
    arrows = tuple(ReferenceEdge(*edge) for edge in edges)
    session = Session("%objrefs x", 0.0, 0.001)
    return ReferenceGraph(session, Method("a test", notes=notes), described, arrows, back)


START = ("list", "2 items", "start", 0, None, None, False, "x")


def test_the_finding_is_told_in_a_sentence():
    found = graph(
        START, ("variable", "x", "holder", 1), ("dict", "1 item", "object", 1), ("int", "3", "object", 2),
        edges=[(1, 0), (2, 0, "['k']"), (3, 2)], back=True,
    )  # fmt: skip
    assert graph_view(found).alt == "x is referred to by variable x and a dict (1 item)."
    assert report(found).headline == graph_view(found).alt


def test_what_is_not_mentioned_is_counted():
    nodes = [("int", str(n), "object", 1) for n in range(5)] + [("", "90 more", "more", 1)]
    found = graph(START, *nodes, edges=[(0, n) for n in range(1, 7)])
    assert graph_view(found).alt == "x refers to an int (0), an int (1), an int (2), 2 others and 90 more."


def test_an_object_without_references_says_so():
    assert graph_view(graph(("list", "0 items", "start", 0))).alt == "a list refers to nothing."
    assert graph_view(graph(START, notes=("Stopped.",))).alt == "x refers to nothing that is shown."


def test_the_words_are_the_whole_graph_each_object_once():
    found = graph(
        START, ("list", "1 item", "object", 1), ("set", "0 items", "object", 2),
        edges=[(0, 1, "[0]"), (0, 2, "[1]"), (1, 2, "[0]"), (2, 0)],
    )  # fmt: skip
    assert graph_view(found).words == (
        "list x · 2 items",
        "├─ [0] → list 1 item",
        "│  └─ [0] → set 0 items",
        "│     └─ list x · 2 items (see above)",
        "└─ [1] → set 0 items (see above)",
    )


def test_figures_that_were_asked_for_stand_in_the_node():
    node = ReferenceNode(0, "list", "", "start", 0, 2048, 3, highlight=True, name="x")
    found = ReferenceGraph(Session("", 0, 0), Method(""), (node,), ())
    assert graph_view(found).nodes[0].text == "x · 2.0 KiB · 3 refs"


def test_figures_are_not_what_is_cut_of_a_long_description():
    node = ReferenceNode(0, "bytes", "b" * 44, "start", 0, 3 * 2**19, name="blob", retained=3 * 2**19)
    (shown,) = graph_view(ReferenceGraph(Session("", 0, 0), Method(""), (node,), ())).nodes
    assert shown.text.endswith("… · 1.5 MiB · retains 1.5 MiB")
    assert len(shown.text) <= 52


def test_what_would_be_freed_is_in_the_sentence():
    node = ReferenceNode(0, "list", "1 item", "start", name="x", retained=2**21)
    found = ReferenceGraph(Session("", 0, 0), Method(""), (node,), ())
    assert graph_view(found).alt == "x refers to nothing. If x went, 2.0 MiB would be freed."


def test_highlighted_objects_have_a_role_of_their_own():
    node = ReferenceNode(0, "list", "x", "object", 0, highlight=True)
    view = graph_view(ReferenceGraph(Session("", 0, 0), Method(""), (node,), ()))
    assert view.nodes[0].role == "highlight"


def counts(*records) -> TypeCounts:
    return TypeCounts(Session("%objtypes", 0, 0), Method(""), tuple(TypeRecord(*one) for one in records), 1234)


def test_counts_are_a_table_that_can_be_cut():
    shown = report(counts(("dict", 1000), ("list", 200), ("set", 34)), limit=2)
    (table,) = shown.parts
    assert [[cell.text for cell in row.cells] for row in table.rows] == [["dict", "1,000"], ["list", "200"]]
    assert "1,234 objects" in shown.headline


def growth(*records, since="the last %objgrowth", title="%objgrowth") -> TypeGrowth:
    return TypeGrowth(Session(title, 0, 0), Method(""), tuple(TypeRecord(*one) for one in records), since)


def test_growth_says_since_when():
    assert report(growth(("list", 10, 7), ("set", 2, 1))).headline == (
        "Since the last %objgrowth: 7 more list objects; 1 other type grew too."
    )
    assert report(growth(("list", 10, 1))).headline == "Since the last %objgrowth: 1 more list object."
    assert report(growth()).headline == "Nothing grew since the last %objgrowth."
    assert "first count" in report(growth(("list", 10, 10), since="")).headline
    assert report(growth(title="In [7]", since="the start of In [7]")).title == "%%objgrowth  In [7]"


def test_an_option_that_it_does_not_have_is_refused():
    with pytest.raises(OptionError, match="sort"):
        report(counts(), sort="x")
    with pytest.raises(OptionError, match="limit"):
        report(graph(START), limit=3)


def test_every_result_survives_json():
    for result in (graph(START, START, edges=[(0, 1, "[0]")]), counts(("a", 1)), growth(("a", 1, 1))):
        assert type(result).from_json(result.to_json()) == result


def test_a_long_chain_is_told_with_the_numbers_of_its_levels_past_some_indentation():
    n_nodes = 60
    found = graph(
        START, *[("list", f"{n} items", "object", n) for n in range(1, n_nodes)],
        edges=[(n, n + 1, "[0]") for n in range(n_nodes - 1)],
    )  # fmt: skip
    words = graph_view(found).words
    assert len(words) == n_nodes
    assert max(map(len, words)) <= 72
    assert words[13] == f"{' ' * 36}└─ [0] → list 13 items"
    assert words[14] == f"{'⋯':>36} 14 └─ [0] → list 14 items"
    assert words[-1].strip() == "⋯ 59 └─ [0] → list 59 items"


def test_what_stands_out_is_explained():
    marked = graph(START, ("dict", "1 item", "object", 1, None, None, True), edges=[(0, 1)])
    assert report(marked).notes == ("A box with two borders, and * in the text: what --highlight asked for.",)
    assert report(graph(START)).notes == ()
