"""Who refers to whom: found, named, bounded, and left as it was."""

from __future__ import annotations

import asyncio
import collections
import functools
import gc
import sys
import types
import weakref
from types import SimpleNamespace
from typing import ClassVar
from unittest.mock import Mock

import pytest

from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.references import Walk, WalkOptions, walk_references


def walk(*objects, namespace=None, shell=None, names=(), **options) -> Walk:
    return walk_references(
        objects, Holders(shell, namespace if namespace is not None else {}), WalkOptions(**options), names
    )


def arrows(found: Walk) -> set[tuple[str, str, str]]:
    """Every reference as (label of the source, name, label of the target)."""
    label = {node.id: called(node) for node in found.nodes}
    return {(label[edge.source], edge.label, label[edge.target]) for edge in found.edges}


def called(node) -> str:
    return " · ".join(filter(None, (node.name, node.label))) or node.type


def names_to(found: Walk, text: str) -> set[str]:
    """The names of the references to nodes with `text` in their label or type."""
    ids = {node.id for node in found.nodes if text in f"{node.type} {node.label}"}
    return {edge.label for edge in found.edges if edge.target in ids}


class Plain:
    def __init__(self, **attributes) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class Slotted:
    __slots__ = ("left", "right")


# Names


def test_items_of_containers_are_named_by_index_and_key():
    x = []
    y = [x, (x,), {"k": x, 3: x}, collections.deque([None, x])]
    found = walk(y, max_depth=2)
    assert names_to(found, "list 0 items") == {"[0]", "['k'], [3]", "[1]"}


def test_two_keys_of_one_value_are_both_told_and_many_are_counted():
    value = Plain()
    assert names_to(walk({"a": value, "b": value}), "Plain") == {"['a'], ['b']"}
    assert names_to(walk([value] * 1000), "Plain") == {"[0], [1], [2], +997"}


def test_attributes_are_named_wherever_they_were_set():
    obj = Plain(first=[1])
    obj.second = {2}
    setattr(obj, "thi" + "rd", (3,))
    found = walk(obj, max_depth=1)
    assert {edge.label for edge in found.edges} == {".first", ".second", ".third"}


def test_attributes_that_the_code_tells_are_named_without_touching_the_object():
    class Told:
        def __init__(self) -> None:
            self.inner = [1]
            self.outer = {}

    obj = Told()
    before, size = [type(held) for held in gc.get_referents(obj)], sys.getsizeof(obj)
    found = walk(obj, max_depth=1)
    assert {edge.label for edge in found.edges} == {".inner", ".outer"}
    assert ([type(held) for held in gc.get_referents(obj)], sys.getsizeof(obj)) == (before, size)
    assert not any("__dict__" in note for note in found.notes)


def test_an_attribute_that_shadows_a_default_of_the_class_is_named():
    class Shadow:
        items = None

    obj = Shadow()
    obj.items = [1]
    assert names_to(walk(obj, max_depth=1), "list") == {".items"}


@pytest.mark.parametrize("read_before", [False, True])
def test_slots_and_dictionaries_read_before_are_named_too(read_before):
    slotted = Slotted()
    slotted.left, slotted.right = [], Plain(name=())
    if read_before:
        slotted.right.__dict__
    found = walk(slotted, max_depth=2)
    assert names_to(found, "list") == {".left"}
    assert names_to(found, "Plain") == {".right"}
    assert names_to(found, "tuple") == {".name"}


def test_functions_tell_closures_and_defaults_not_their_globals():
    captured, default = [1], [1, 2]

    def function(a, b=default, *, c=captured):
        return captured

    found = walk(function, max_depth=1)
    assert {edge.label for edge in found.edges} == {"closure captured, default c", "default b"}


def test_partials_methods_and_generators_are_named():
    target = Plain()
    partial = functools.partial(print, target, end=target)
    assert names_to(walk(partial), "Plain") == {".args[0], .keywords['end']"}
    assert names_to(walk(types.MethodType(print, target)), "Plain") == {".__self__"}

    def generator():
        local = target
        yield local

    running = generator()
    next(running)
    assert names_to(walk(running), "Plain") == {"closure target, local local"} or names_to(walk(running), "Plain") == {
        "local local, local target"
    }


def test_exceptions_and_classes_tell_what_they_hold():
    error = ValueError("why")
    error.__cause__ = KeyError("k")
    assert names_to(walk(error, max_depth=1), "KeyError") == {".__cause__"}

    class Owner:
        table: ClassVar = {"a": 1}

    assert names_to(walk(Owner, max_depth=1), "dict") == {".table"}


def test_a_view_of_an_array_names_its_base_and_an_object_array_its_items():
    numpy = pytest.importorskip("numpy")
    base = numpy.zeros(10**6)
    found = walk(base[10:20], max_depth=1)
    assert (names_to(found, "1,000,000 float64"), len(found.nodes)) == ({".base"}, 2)
    holder = numpy.array([None, Plain()], dtype=object)
    assert names_to(walk(holder), "Plain") == {"[1]"}


# Backward


def test_what_refers_to_an_object_is_found_and_named():
    x = []
    y = [x, [x], {"x": x}]
    found = walk(x, back=True, namespace={"x": x, "y": y})
    assert arrows(found) == {
        ("x", "", "x · 0 items"),
        ("y · 3 items", "[0]", "x · 0 items"),
        ("1 item", "[0]", "x · 0 items"),
        ("1 item", "['x']", "x · 0 items"),
        ("y · 3 items", "[1]", "1 item"),
        ("y · 3 items", "[2]", "1 item"),
        ("y", "", "y · 3 items"),
    }


@pytest.mark.parametrize("read_before", [False, True])
def test_the_dictionary_of_an_instance_is_folded(read_before):
    target = [1]
    owner = Plain(deeply=target)
    if read_before:
        owner.__dict__
    found = walk(target, back=True, max_depth=1)
    assert ("Plain", ".deeply", "1 item") in arrows(found)
    assert not any(node.type == "dict" for node in found.nodes)


def make_closure(captured):
    return lambda: captured


def test_cells_defaults_and_arguments_are_folded():
    target = Slotted()
    function = make_closure(target)
    partial = functools.partial(print, target)

    def with_default(a=target):
        return a

    found = walk(target, back=True, max_depth=1)
    named = {(source, label) for source, label, _ in arrows(found)}
    assert ("make_closure.<locals>.<lambda>()", "closure captured") in named
    assert ("of print()", ".args[0]") in named
    assert (f"{with_default.__qualname__}()"[:20], "default a") in {(source[:20], label) for source, label in named}
    assert {node.type for node in found.nodes} <= {"Slotted", "function", "partial", "cell"}
    assert function
    assert partial


def test_the_result_of_a_task_is_held_by_the_task():
    async def work():
        return Plain()

    async def main():
        task = asyncio.create_task(work())
        await task
        return walk(task.result(), namespace={"task": task}, back=True, max_depth=2)

    assert names_to(asyncio.run(main()), "Plain") == {"._result"}


def test_the_walk_itself_holds_nothing_that_it_finds():
    target = Slotted()
    holder = [target]
    for _ in range(2):
        found = walk(target, back=True, max_depth=4, namespace={"holder": holder})
        assert arrows(found) == {("1 item", "[0]", "Slotted"), ("holder", "", "holder · 1 item")} or arrows(found) == {
            ("holder · 1 item", "[0]", "Slotted"),
            ("holder", "", "holder · 1 item"),
        }


def test_modules_are_named_and_end_the_walk():
    found = walk(collections.abc.Mapping, back=True, max_depth=1, too_many=3)
    assert "module" in {node.type for node in found.nodes if node.role == "holder"}
    assert not any(node.type == "dict" and "items" in node.label and len(node.label) > 12 for node in found.nodes)


def notebook(obj, **names) -> SimpleNamespace:
    """A shell that has shown `obj` as Out[5]."""
    out = {5: obj}
    return SimpleNamespace(
        user_ns={"_oh": out, "Out": out, "_": obj, "_5": obj, **names},
        user_ns_hidden={"_5": obj},
        displayhook=SimpleNamespace(_=obj),
        last_execution_result=SimpleNamespace(result=obj),
        InteractiveTB=SimpleNamespace(tb=None),
    )


def test_what_a_notebook_holds_is_named_as_its_reader_knows_it():
    obj = Slotted()
    shell = notebook(obj, b=obj)
    found = walk(obj, back=True, shell=shell, namespace=shell.user_ns)
    holders = {(node.type, node.label) for node in found.nodes if node.role == "holder"}
    assert ("variable", "b") in holders
    (ipython,) = [label for kind, label in holders if kind == "IPython"]
    assert set(ipython.split(", ")) == {"Out[5]", "_", "_5", "hidden names", "display hook", "last result"}
    assert not any(node.type in {"dict", "SimpleNamespace"} for node in found.nodes)


def test_the_last_traceback_is_named():
    obj = Slotted()

    def fails():
        held = obj
        raise ZeroDivisionError(held)

    try:
        fails()
    except ZeroDivisionError as error:
        sys.last_value, sys.last_traceback = error, error.__traceback__
    try:
        found = walk(obj, back=True, max_depth=2)
    finally:
        del sys.last_value, sys.last_traceback
    frame = next(node for node in found.nodes if node.type == "frame")
    error = next(node for node in found.nodes if (node.type, node.label) == ("Python", "the last error"))
    assert (error.id, frame.id) in {(edge.source, edge.target) for edge in found.edges}
    assert not any(node.type == "traceback" for node in found.nodes)


# Bounds


def test_the_rest_of_a_long_list_is_counted():
    found = walk(list(range(1000, 1_001_000)), too_many=5)
    assert [node.label for node in found.nodes if node.role == "more"] == ["999,995 more"]
    assert [edge.label for edge in found.edges if not edge.dashed] == ["[0]", "[1]", "[2]", "[3]", "[4]"]


def nested(depth: int) -> list:
    outer: list = []
    for _ in range(depth):
        outer = [outer]
    return outer


def flatten(outer: list) -> None:
    """Take a deep nesting apart, which its own deallocation may not survive."""
    while outer:
        outer = outer.pop()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("back", [False, True])
def test_a_million_of_anything_is_cut_short(back):
    deep = nested(1_000_000)
    for obj in ([[i] for i in range(1_000_000)], {i: [i] for i in range(1_000_000)}, deep):
        found = walk(obj, back=back, max_depth=1000)
        assert len(found.nodes) < 130
        del obj
    flatten(deep)


@pytest.mark.timeout(60)
def test_a_hundred_thousand_holders_are_counted():
    target, holders = Slotted(), []
    for _ in range(100_000):  # a comprehension would hold it too, in a cell
        holders.append([target])
    found = walk(target, back=True)
    assert "99,990 more" in [node.label for node in found.nodes if node.role == "more"]
    assert len(holders) == 100_000


def test_a_walk_that_takes_too_long_says_so():
    ticks = iter(range(1000))
    found = walk_references([nested(50)], Holders(None, {}), WalkOptions(max_depth=40), clock=lambda: next(ticks))
    assert any(note.startswith("Stopped after 5 s") for note in found.notes)
    assert 1 < len(found.nodes) < 40


def test_what_lies_beyond_the_depth_is_said():
    assert any("depth 2" in note for note in walk(nested(5), max_depth=2).notes)
    assert not walk(nested(1), max_depth=2).notes


def test_cycles_end():
    ring: list = []
    ring.append(ring)
    assert arrows(walk(ring)) == {("1 item", "[0]", "1 item")}
    assert ("1 item", "[0]", "1 item") in arrows(walk(ring, back=True))


# Filters and figures


def test_a_filter_leaves_out_and_a_highlight_marks():
    found = walk([[], {}, (), 5], keep=lambda obj: type(obj) is not tuple, highlight=lambda obj: obj == {})
    assert [(node.type, node.highlight) for node in found.nodes] == [
        ("list", False), ("list", False), ("dict", True), ("int", False),
    ]  # fmt: skip


def test_a_filter_that_fails_is_told_and_passes_nothing():
    found = walk([1, "a"], keep=lambda obj: obj + 1)
    assert [node.type for node in found.nodes] == ["list", "int"]
    assert found.notes == ("A filter or highlight raised TypeError on 1 object; these did not pass.",)


def test_ignored_objects_are_left_out():
    left_out = [1]
    assert len(walk([left_out, [2, 3]], ignore={id(left_out)}, max_depth=1).nodes) == 2


def test_reference_counts_do_not_count_the_walk():
    x = Slotted()
    holders = [x, [x], {"x": x}]
    found = walk(x, holders, refcounts=True, max_depth=1)
    counts = {node.label or node.type: node.refcount for node in found.nodes}
    assert counts["Slotted"] == 4  # this function's variable, and three containers
    assert counts["3 items"] == 1
    assert walk([None], refcounts=True).nodes[1].refcount is None or sys.version_info < (3, 12)


def test_references_that_the_collector_cannot_see_are_said():
    x = Slotted()  # held by a running function only
    assert any("1 more reference" in note for note in walk(x, back=True, max_depth=1).notes)
    namespace = {"x": Slotted()}
    found = walk_references(list(namespace.values()), Holders(None, namespace), WalkOptions(back=True))
    assert not found.notes


def test_sizes_are_those_of_getsizeof_and_call_no_python():
    class Lying:
        def __sizeof__(self):
            raise AssertionError

    found = walk(["a" * 1000, Lying()], sizes=True, max_depth=1)
    assert found.nodes[1].size == sys.getsizeof("a" * 1000)
    assert found.nodes[2].size == object.__sizeof__(found) or found.nodes[2].size > 0


# Hostile objects


class Meta(type):
    def __hash__(cls):
        raise ZeroDivisionError

    def __eq__(cls, other):
        raise ZeroDivisionError

    @property
    def __name__(cls):
        raise ZeroDivisionError


class Hostile(metaclass=Meta):
    def __getattribute__(self, name):
        raise SystemExit(name)

    def _fail(self, *args):
        raise KeyboardInterrupt

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __sizeof__ = __format__ = __dir__ = _fail
    __class__ = property(_fail)


class HostileList(list):
    __iter__ = __len__ = __getitem__ = __repr__ = __bool__ = Hostile._fail


class HostileDict(dict):
    __iter__ = __len__ = __getitem__ = keys = items = values = __repr__ = Hostile._fail


class HostileText(str):
    __slots__ = ()
    __repr__ = __str__ = __format__ = __len__ = __getitem__ = __hash__ = Hostile._fail
    __hash__ = str.__hash__


def hostile_objects() -> list:
    dead = weakref.proxy(Plain())
    return [
        Hostile(),
        HostileList([1]),
        HostileDict(a=1),
        {HostileText("k"): HostileText("v")},
        dead,
        Mock(),
        Mock(spec=dict),
        types.ModuleType(HostileText("m")),
        "\x00\x01\x1b[31m\ud800</svg><script>" * 10,
        10**5000,
        b"\xff" * 10**6,
        float("nan"),
    ]


@pytest.mark.parametrize("back", [False, True])
def test_no_code_of_a_hostile_object_runs(back):
    objects = hostile_objects()
    found = walk(objects, *(objects if back else ()), back=back, sizes=True, refcounts=True, max_depth=4)
    assert len(found.nodes) > 12
    for text in [f"{node.type}{node.label}" for node in found.nodes] + [edge.label for edge in found.edges]:
        assert text.isprintable()
        assert len(text) < 200


def test_a_drawing_keeps_no_object_alive_and_changes_no_count():
    obj = Plain(items=[Plain()])
    alive, inner = weakref.ref(obj), obj.items[0]
    before = sys.getrefcount(obj), sys.getrefcount(inner)
    walk(obj, refcounts=True, sizes=True)
    found = walk(inner, back=True, refcounts=True)
    assert (sys.getrefcount(obj), sys.getrefcount(inner)) == before
    del obj
    assert alive() is None
    assert found.nodes
    assert found.edges


def test_a_walk_that_fails_lets_go_too():
    obj = Plain()
    alive = weakref.ref(obj)

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        walk([obj], keep=interrupted)
    raised.value.__traceback__ = None
    del obj, raised
    assert alive() is None
