"""What the user typed, to objects, graphs and counts."""

from __future__ import annotations

import re
import weakref

import pytest

from jupyter_profkit.cells.expressions import evaluate, predicate_of
from jupyter_profkit.cells.growth import GrowthMeasurement, measure_growth
from jupyter_profkit.cells.references import (
    count_types,
    draw_references,
)
from jupyter_profkit.engines.type_counts import TypeCounter
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.session import Session

SPACE = {"x": 1, "y": [1, 2], "f": lambda *values: values}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x", ["x"]),
        ("x y", ["x", "y"]),
        ("[x, y]", ["[x, y]"]),
        ("f(x, y) y[0]", ["f(x, y)", "y[0]"]),
        ("x   {'a b': x}", ["x", "{'a b': x}"]),
        ("x y + [3] x", ["x", "y + [3]", "x"]),
        ("lambda a: a", ["lambda a: a"]),
    ],
)
def test_expressions_are_told_apart(text, names):
    found, objects = evaluate(text, {**SPACE})
    assert found == names
    assert objects[0] == eval(names[0], {**SPACE}) or callable(objects[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give the objects to draw"),
        ("nope", "nope: NameError: name 'nope' is not defined"),
        ("1/0", "1/0: ZeroDivisionError: division by zero"),
        ("x = 3", "x = 3 is a statement; give variables or expressions"),
        ("del x", "del x is a statement"),
        ("x y = 3", "= 3 is not an expression"),
        ("y[", r"y\[ is not an expression|\[ is not an expression"),
        ("f(\x00)", "is not an expression"),
    ],
)
def test_what_cannot_be_evaluated_is_one_clear_line(text, message):
    with pytest.raises(TargetError, match=message) as raised:
        evaluate(text, {**SPACE})
    assert "\n" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_exception_that_cannot_be_told_is_named():
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    def fails():
        raise Odd

    with pytest.raises(TargetError, match=r"fails\(\): Odd$"):
        evaluate("fails()", {"fails": fails})


@pytest.mark.parametrize(
    ("value", "passes", "fails"),
    [
        ("list", [1], {1: 1}),
        ("(list, dict)", {1: 1}, 3),
        ("len(obj) > x", [1, 2], [1]),
        ("any(item == len(obj) for item in obj)", [1], [2]),
        ("f", 1, None),
        (dict, {}, []),
        ((int, str), "a", 1.0),
        (callable, len, 1),
    ],
)
def test_a_filter_is_an_expression_a_class_or_a_function(value, passes, fails):
    test = predicate_of(value, {**SPACE, "f": lambda obj: obj == 1})
    assert test(passes)
    assert not test(fails)


@pytest.mark.parametrize("value", ["3", 3, "x +", "nope"])
def test_a_filter_that_is_none_of_them_is_refused(value):
    with pytest.raises(TargetError):
        predicate_of(value, {**SPACE})


def test_a_list_is_drawn_itself():
    graph = draw_references([[1, 2, 3]], namespace={})
    assert [(node.type, node.role) for node in graph.nodes][:2] == [("list", "start"), ("int", "object")]
    assert len(graph.nodes) == 4


def test_no_object_is_an_error():
    with pytest.raises(TargetError):
        draw_references([])


def test_ignored_objects_may_be_given_as_ids_as_objgraph_takes_them():
    left_out = []
    for given in (left_out, id(left_out)):
        assert len(draw_references([[left_out]], extra_ignore=[given], namespace={}).nodes) == 1


class Kept:
    pass


def test_a_result_holds_no_object_and_draws_itself():
    obj = Kept()
    alive = weakref.ref(obj)
    graph = draw_references([obj, [obj]], names=["obj"], back=True, refcounts=True, namespace={"obj": obj})
    del obj
    assert alive() is None
    bundle = graph._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert "obj is referred to by variable obj" in bundle["text/plain"]
    assert sum(map(len, bundle.values())) < 200_000
    assert graph.to_svg().rstrip().endswith("</svg>")
    assert graph.to_dot().startswith("digraph")
    assert graph.to_png().startswith(b"\x89PNG")


def test_the_largest_graph_stays_within_a_report():
    crowd = [[Kept() for _ in range(20)] for _ in range(20)]
    graph = draw_references([crowd], too_many=20, sizes=True, refcounts=True, namespace={})
    bundle = graph._repr_mimebundle_()
    assert sum(map(len, bundle.values())) < 200_000
    assert any("at most 60 objects" in note for note in graph.method.notes)
    assert (
        sum(int(node.label.split()[0]) for node in graph.nodes if node.role == "more")
        + len([node for node in graph.nodes if node.type == "Kept"])
        == 20 * 20
    )


def test_types_are_counted_and_cut():
    kept = [Kept() for _ in range(50)]
    counts = count_types(3)
    assert len(counts.records) == 3
    assert counts.n_objects > 10_000
    assert count_types(filter="type(obj).__name__ == 'Kept'").records[0].count == 50
    assert len(kept) == 50


def test_growth_is_since_the_last_call():
    counter = TypeCounter()
    assert measure_growth(counter=counter).since == ""
    kept = [Kept() for _ in range(40)]
    growth = measure_growth(counter=counter)
    assert growth.since == "the last %objgrowth"
    assert [record.growth for record in growth.records if record.type == "Kept"] == [40]
    assert len(kept) == 40


def test_the_growth_of_a_stretch_of_code_is_measured():
    measurement = GrowthMeasurement(None)
    measurement.start()
    kept = [Kept() for _ in range(1000)]
    measurement.stop()
    measurement.stop()
    growth = measurement.result(Session("In [7]", 0, 0))
    record = growth.records[0]
    assert (record.type, record.growth, record.new) == ("Kept", 1000, 1000)
    assert len(kept) == 1000
    assert growth.since == "the start of In [7]"


def test_classes_modules_and_globals_are_left_out_and_counted():
    space = {"__name__": "crowded", **{f"name_{number}": [number] for number in range(200)}}
    exec("class Thing:\n    def method(self): pass\nthing = Thing()\nthing.own = [thing.method]", space)
    graph = draw_references([space["thing"]], names=["thing"], namespace={}, max_depth=4)
    assert [node.type for node in graph.nodes] == ["Thing", "list", "method", "function"]
    assert re.search(r"not drawn: \d to classes and to the globals and code of functions", graph.method.engine)
    assert graph.method.engine in graph.report().method
