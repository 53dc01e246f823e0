"""Who holds what something left behind."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading

import pytest

from jupyter_profkit.engines.leaks import sort_out
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.reference_holders import Holders


class Node:
    pass


@contextlib.contextmanager
def watched(space):
    """What is found about the block."""
    new = NewObjects()
    found: list[tuple[str, str, str, int, str]] = []
    new.start()
    try:
        yield found
    finally:
        new.stop()
        out = sort_out(new, Holders(None, space))
        found += [
            (one.root.kind, one.root.name, one.cls.__name__, one.count, "".join(one.path))
            for one in out.groups
            if one.root.kind != "unseen"
        ]
        out = None
        new.release()


def test_objects_are_told_under_the_variable_that_holds_them():
    space = {}
    with watched(space) as found:
        space["x"] = [[n] for n in range(100)]
        space["y"] = Node()
    assert found == [("variable", "x", "list", 101, ""), ("variable", "y", "Node", 1, "")]


def test_objects_in_an_old_container_are_told_under_its_name():
    space = {"cache": {"deep": [[]]}}
    with watched(space) as found:
        space["cache"]["deep"][0].append([1])
    assert found == [("variable", "cache", "list", 1, "['deep'][0][0]")]


CLASSES = {
    "methods and properties": """
        class Made:
            __slots__ = ("a", "b")
            limit = 3
            def __init__(self, a: int, *, b=0): self.a = a
            @property
            def x(self): return self.a
            @classmethod
            def make(cls): return super().__new__(cls)
        """,
    "fields": """
        import dataclasses
        @dataclasses.dataclass
        class Made:
            a: int
            b: str = "x"
        """,
    "a base": """
        class Made(Known):
            def method(self): return __class__
        """,
}


@pytest.mark.parametrize("case", CLASSES)
def test_a_class_is_told_as_one_with_what_python_makes_for_it(case):
    space = {"Known": Node, "__name__": "__main__"}
    with watched(space) as found:
        exec(textwrap.dedent(CLASSES[case]), space)
    assert found == [("variable", "Made", "type", 1, "")]


def test_what_a_class_keeps_for_its_user_is_told_by_itself():
    space = {"__name__": "__main__"}
    with watched(space) as found:
        exec("class Made:\n    known = []\n    def add(self): self.known.append([1])\nMade().add()", space)
    assert found == [("variable", "Made", "type", 1, ""), ("variable", "Made", "list", 2, ".known")]


def test_a_table_is_told_as_one_and_what_is_in_it_by_itself():
    pandas = pytest.importorskip("pandas")
    space = {"first": pandas.DataFrame({"a": [1.0], "t": ["x"]})}  # what a first one imports is nobody's
    space["first"].copy().to_dict()
    values = list(range(10_000))
    with watched(space) as found:
        space["x"] = pandas.DataFrame({"a": values, "t": ["x"] * len(values)}, index=list(values))
    assert found == [("variable", "x", "DataFrame", 1, "")]
    with watched(space) as found:
        space["y"] = pandas.DataFrame({"o": [[1], [2]]})
        space["y"].attrs["noted"] = [Node()]
    told = [("DataFrame", 1), ("Node", 1), ("dict", 1), ("list", 3)]
    assert sorted((cls, count) for _, name, cls, count, _ in found if name == "y") == told


def test_the_nearest_name_counts():
    space = {"far": [[[]]]}
    with watched(space) as found:
        made = [1]
        space["far"][0][0].append(made)
        space["near"] = made
        del made
    assert found == [("variable", "near", "list", 1, "")]


def test_a_module_that_keeps_something_is_named():
    import colorsys

    try:
        with watched({}) as found:
            colorsys.kept = [Node()]
        assert found == [("module", "colorsys .kept", "list", 1, ""), ("module", "colorsys .kept", "Node", 1, "[0]")]
    finally:
        del colorsys.kept


def test_what_an_import_brings_is_one_group():
    import importlib

    sys.modules.pop("this_is_new", None)
    space = {}
    with watched(space) as found:
        module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec("this_is_new", None))
        exec("class A:\n  def f(self): pass\nx = [[], {}]", vars(module))
        sys.modules["this_is_new"] = space["m"] = module
        del module
    del sys.modules["this_is_new"]
    assert {(kind, name) for kind, name, *_ in found} == {("import", "this_is_new")}
    assert len(found) == 1


def test_arrays_and_views_are_told_with_what_they_keep():
    numpy = pytest.importorskip("numpy")
    space = {"kept": []}
    with watched(space) as found:
        space["kept"].append(numpy.zeros(100_000)[5:7])
    assert found == [("variable", "kept", "ndarray", 2, "[0]")]


def test_thousands_of_old_holders_are_told_under_their_name():
    space = {"nodes": [[[], []] for _ in range(5_000)]}
    with watched(space) as found:
        for node in space["nodes"]:
            node[0].append([1])
    assert [(name, cls, count) for _, name, cls, count, _ in found] == [("nodes", "list", 5_000)]


def test_a_running_thread_is_named():
    go_on = threading.Event()
    started = threading.Event()

    def work(value):
        started.set()
        go_on.wait()

    with watched({}) as found:
        thread = threading.Thread(target=work, args=([Node()],), name="worker")
        thread.start()
        started.wait()
    go_on.set()
    thread.join()
    assert [(kind, cls) for kind, name, cls, *_ in found if "worker" in name and cls == "Node"] == [("thread", "Node")]


def test_the_time_limit_is_said():
    ticks = iter(range(10_000))
    new = NewObjects()
    new.start()
    space = {"x": []}
    new.stop()
    out = sort_out(new, Holders(None, space), time_limit=2.0, clock=lambda: float(next(ticks)))
    new.release()
    assert any("time limit" in note for note in out.notes)


def test_a_dictionary_from_before_is_not_new_with_its_first_container():
    import colorsys

    colorsys.cache = {}
    try:
        with watched({}) as found:
            colorsys.cache["k"] = [1]
        assert found == [("module", "colorsys .cache", "list", 1, "['k']")]
        with watched({}) as found:
            colorsys.cache = {"k": [1]}
        assert [(cls, count) for _, _, cls, count, _ in found] == [("dict", 1), ("list", 1)]
    finally:
        del colorsys.cache
