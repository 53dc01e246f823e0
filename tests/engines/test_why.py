"""What keeps an object alive: the chains, the statements that end them, the bounds of the search."""

from __future__ import annotations

import collections  # noqa: F401 - it has names
import colorsys
import contextvars
import ctypes
import functools
import gc
import json  # noqa: F401
import sys
import typing  # noqa: F401
import weakref
from collections import OrderedDict, deque

import numpy as np
import pytest

from jupyter_profkit.engines import why
from jupyter_profkit.engines.heap_scan import read_referrers
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.why import _FIRST, find_holders


class Big:
    pass


class Slotted:
    __slots__ = ("child",)


class Frozen:
    def __delattr__(self, name):
        raise AssertionError("the search calls nothing")


def closure(value):
    return lambda: value


def generator(value):
    yield value


def started(value):
    running = generator(value)
    next(running)
    del value
    return running


def holding(cls, **attributes):
    made = cls()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def look(space, name="b"):
    """The chains of an object; the list with it is not told."""
    return find_holders([space[name]], Holders(None, space), name, 60.0)


def array(values, is_writable=True):
    made = np.array(values, dtype=object)
    made.flags.writeable = is_writable
    return made


def made_class(**names):
    return type("Made", (), {"__module__": "__main__", **names})


def computed(value):
    """A descriptor that gives something else than itself."""
    return holding(made_class(__get__=lambda *_: 1), child=value)


def holding_function(**attributes):
    def function():
        pass

    vars(function).update(attributes)
    return function


def annotated(value):
    def function(value: value):
        pass

    function.__annotations__ = {"value": value}
    return function


def cached(value):
    made = made_class(m=classmethod(functools.lru_cache(lambda cls: [value.pop()])))
    value = [value]
    made.m()
    return made


def in_context(value):
    context = contextvars.Context()
    context.run(contextvars.ContextVar("var").set, value)
    return context


WAYS = {
    "dict": (lambda b: {"k": b}, "['k']", "del x['k']"),
    "two keys": (lambda b: {"k": b, 3: b}, "['k']", "del x['k'], x[3]"),
    "list": (lambda b: [0, b], "[1]", "x[1] = None"),
    "deque": (lambda b: deque([0, b]), "[1]", "x[1] = None"),
    "ordered": (lambda b: OrderedDict(k=b), "['k']", "del x['k']"),
    "tuple": (lambda b: (0, b), "[1]", "del x"),
    "tuple in a list": (lambda b: [(0, b)], "[0][1]", "x[0] = None"),
    "deep": (lambda b: {"a": [holding(Big, child=b)]}, "['a'][0].child", "del x['a'][0].child"),
    "array": (lambda b: array([None, b]), "[1]", "x[1] = None"),
    "array of rows": (lambda b: array([[1, 2], [b, 3]]), "[1, 0]", "x[1, 0] = None"),
    "array in an attribute": (lambda b: holding(Big, a=array([b])), ".a[0]", "x.a[0] = None"),
    "view": (lambda b: array([1, b])[1:], ".base[1]", "x.base[1] = None"),
    "array in an array": (lambda b: array([array([b]), 1]), "[0][0]", "x[0][0] = None"),
    "read-only array": (lambda b: array([b], is_writable=False), "[0]", "del x"),
    "array of records": (lambda b: np.array([(1, b)], [("n", int), ("o", object)]), "['o'][0]", "del x"),
    "set": (lambda b: {b}, "", "del x"),
    "odd key": (lambda b: {(1, 2): b}, "[2 items]", "del x"),
    "attribute": (lambda b: holding(Big, child=b), ".child", "del x.child"),
    "slot": (lambda b: holding(Slotted, child=b), ".child", "del x.child"),
    "own __delattr__": (lambda b: holding(Frozen, child=b), ".child", "del x"),
    "class": (lambda b: type("Made", (), {"__module__": "__main__", "child": b}), ".child", "del x.child"),
    "class of an instance": (lambda b: made_class(child=b)(), ".__class__.child", "del x.__class__.child"),
    "class in a list": (lambda b: [made_class(child=b)], "[0].child", "del x[0].child"),
    "attribute behind a descriptor": (lambda b: made_class(d=computed(b)), ".d.child", "del x.d"),
    "attribute of a function": (lambda b: holding_function(cache={"k": b}), ".cache['k']", "del x"),
    "annotation": (annotated, "annotation value", "del x"),
    "closure over a tuple": (lambda b: closure((b,)), "closure value[0]", "del x"),
    "cached class method": (cached, ".m.__func__cached result[0]", "x.m.cache_clear()"),
    "context": (in_context, "context variable var", "del x"),
    "masked array": (lambda b: np.ma.array([1, b], dtype=object), ".base[1]", "del x"),
    "closure": (closure, "closure value", "del x"),
    "generator": (started, "local value", "del x"),
    "partial": (lambda b: functools.partial(print, b), ".args[0]", "del x"),
    "bound method": (lambda b: functools.partial(b.__class__.__repr__, b).args, "[0]", "del x"),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_chain_is_told_and_its_statement_ends_it(case):
    hold, path, statement = WAYS[case]
    space = {"b": Big()}
    space["x"] = hold(space["b"])
    found = look(space)
    assert [chain.name for chain in found.chains] == ["b", "x"]
    assert ("".join(step.label for step in found.chains[1].steps), found.chains[1].free) == (path, statement)
    assert found.n_unseen == 0
    alive = weakref.ref(space["b"])
    for chain in found.chains:
        assert alive() is not None
        exec(chain.free, space)
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("maxsize", [2, None])
def test_a_cache_is_cleared(maxsize):
    space = {"b": Big(), "f": functools.lru_cache(maxsize)(lambda value: [value])}
    space["f"](space["b"])
    found = look(space)
    assert [chain.free for chain in found.chains] == ["del b", "f.cache_clear()"]


def test_every_name_of_a_tuple_must_go():
    space = {"b": Big()}
    space["x"] = space["y"] = (space["b"],)
    assert [chain.free for chain in look(space).chains] == ["del b", "del x", "del y"]


def test_one_cut_is_enough_for_a_list_with_two_names():
    space = {"b": Big()}
    space["x"] = space["y"] = [space["b"]]
    assert [chain.free for chain in look(space).chains] == ["del b", "x[0] = None"]


def test_ways_over_a_common_list_are_all_cut():
    space = {"b": Big()}
    space["x"] = [[space["b"]], {"k": space["b"]}]
    assert sorted(chain.free for chain in look(space).chains) == ["del b", "del x[1]['k']", "x[0][0] = None"]


def test_many_ways_from_one_name_are_one_chain():
    space = {"b": Big()}
    space["x"] = [[space["b"]] for _ in range(50)]
    found = look(space)
    assert [(chain.free, chain.n_ways) for chain in found.chains] == [("del b", 1), ("del x", 4)]


def test_entries_of_a_librarys_list_go_from_its_end_so_that_none_takes_the_place_of_another():
    space = {"b": Big()}
    alive = weakref.ref(space["b"])
    n_before = len(gc.callbacks)
    gc.callbacks += [lambda *_, kept=space["b"]: None, lambda *_, kept=space["b"]: None]
    found = look(space)
    statements = [chain.free for chain in found.chains if chain.kind == "module"]
    assert statements == [f"import gc; del gc.callbacks[{n_before + 1}]", f"import gc; del gc.callbacks[{n_before}]"]
    for chain in found.chains:
        exec(chain.free, space)
    assert (len(gc.callbacks), alive()) == (n_before, None)


@pytest.mark.parametrize("name", ["json.decoder .scanner", "typing .Any", "collections .OrderedDict", "sys .modules"])
def test_no_statement_takes_away_what_a_library_needs(name):
    module, attribute = name.split(" .")
    held = getattr(sys.modules[module], attribute)
    found = find_holders([held], Holders(None, {}), "held")
    assert any(chain.name == name for chain in found.chains)
    assert not [chain.free for chain in found.chains if chain.name == name and chain.free]


@pytest.mark.parametrize("held", [Big(), [1], lambda: None], ids=["an instance", "a list", "a function"])
def test_a_name_that_was_put_into_a_librarys_module_goes(held, monkeypatch):
    monkeypatch.setattr(colorsys, "put_there", held, raising=False)
    found = find_holders([held], Holders(None, {}), "held")
    assert "import colorsys; del colorsys.put_there" in [chain.free for chain in found.chains]


def test_a_class_is_held_by_its_instances():
    space = {"b": made_class()}
    space["x"] = space["b"]()
    assert [chain.free for chain in look(space).chains] == ["del b", "del x"]
    freed_by(space, look(space))


def test_a_class_that_has_a_name_is_not_told_by_its_instances():
    space = {"b": Big(), "Made": made_class()}
    space["Made"].child = space["b"]
    space["x"] = [space["Made"]() for _ in range(3)]
    assert [chain.free for chain in look(space).chains] == ["del b", "del Made.child"]


def test_an_object_in_a_cycle_needs_the_collector():
    space = {"b": Big()}
    space["b"].me = [space["b"]]
    found = look(space)
    assert [chain.free for chain in found.chains] == ["del b"]
    assert found.in_cycle
    assert not look({"b": Big()}).in_cycle


def test_what_is_held_by_nothing_but_its_cycle_has_no_name():
    space = {"b": Big()}
    space["b"].me = space["b"]
    starts = [space.pop("b")]
    found = find_holders(starts, Holders(None, space), "w()")
    assert (found.chains, found.in_cycle, found.n_unseen) == ([], True, 0)


def test_a_reference_from_c_code_is_counted():
    space = {"b": Big()}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(space["b"]))
    try:
        assert look(space).n_unseen == 1
    finally:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(space["b"]))
    assert look(space).n_unseen == 0


def test_the_search_keeps_nothing_alive_and_is_the_same_again():
    space = {"b": Big()}
    space["x"] = [closure(space["b"])]
    first, second = look(space), look(space)
    assert first.chains == second.chains
    alive = weakref.ref(space["b"])
    space.clear()
    assert alive() is None


def test_nothing_of_the_users_is_called():
    class Hostile:
        def _fail(self, *_):
            raise AssertionError("called")

        __repr__ = __hash__ = __eq__ = __getattribute__ = __bool__ = __len__ = __iter__ = _fail
        __class__ = property(_fail)

    space = {"b": Hostile()}
    space["x"] = {1: space["b"], "o": holding(Big, child=space["b"])}
    assert [chain.name for chain in look(space).chains] == ["b", "x", "x"]


@pytest.mark.parametrize("names", [("a b",), ("<script>", "lambda")])
def test_odd_names_of_variables_are_freed_too(names):
    space = {"b": Big()}
    for name in names:
        space[name] = space["b"]
    found = look(space)
    assert len(found.chains) == 1 + len(names)
    for chain in found.chains:
        exec(chain.free, space)
    assert not set(names) & set(space)


MANY = {
    "lists": lambda b: [b],
    "lists in lists": lambda b: [[b]],
    "tuples": lambda b: (b,),
    "dictionaries": lambda b: {"k": b},
    "instances": lambda b: holding(Big, child=b),
    "slots": lambda b: holding(Slotted, child=b),
    "closures": closure,
    "generators": started,
    "partials": lambda b: functools.partial(print, b),
}


@pytest.fixture
def reads(monkeypatch):
    """The numbers of objects whose referrers were asked for, read by read."""
    asked = []

    def read(targets, *args, **options):
        asked.append(len(targets))
        return read_referrers(targets, *args, **options)

    monkeypatch.setattr(why, "read_referrers", read)
    return asked


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", MANY)
def test_of_thousands_of_holders_that_are_alike_the_first_are_followed(kind, reads):
    space = {"b": Big(), "heap": [[n] for n in range(10_000)]}
    space["owners"] = [MANY[kind](space["b"]) for _ in range(5_000)]
    found = find_holders([space["b"]], Holders(None, space), "b", 60.0)
    assert [(chain.name, chain.free) for chain in found.chains] == [("b", "del b"), ("owners", "del owners")]
    assert (found.notes, found.n_unseen) == ([], 0)
    assert max(reads) <= 2 * _FIRST, "not the thousands"
    assert sum(map(bool, reads)) <= 8, "a read of the heap for each level, and no more"


OTHERS = {
    "a few before": lambda many, few: (few(10), many(5_000)),
    "a few after": lambda many, few: (many(5_000), few(10)),
    "one before": lambda many, few: (few(1), many(5_000)),
    "one after": lambda many, few: (many(5_000), few(1)),
    "two lots": lambda many, few: (many(2_000), many(3_000)),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["lists", "closures", "instances"])
@pytest.mark.parametrize("order", OTHERS)
def test_who_holds_a_few_is_found_behind_who_holds_thousands(kind, order):
    space = {"b": Big()}
    make = lambda n: [MANY[kind](space["b"]) for _ in range(n)]
    space["x"], space["y"] = OTHERS[order](make, make)
    freed_by(space, look(space))


def freed_by(space, found):
    """The statements that were told are what it takes."""
    alive = weakref.ref(space["b"])
    for chain in found.chains:
        assert alive() is not None
        exec(chain.free, space)
    gc.collect()
    assert alive() is None


@pytest.mark.timeout(120)
def test_thousands_that_two_lists_have_are_let_go_by_both():
    space = {"b": Big()}
    space["x"] = [[space["b"]] for _ in range(2_000)]
    space["y"] = list(space["x"])
    space["z"] = {"more": space["x"][:50]}
    found = look(space)
    assert {chain.name for chain in found.chains} >= {"b", "x", "y"}
    freed_by(space, found)


def test_the_time_limit_ends_the_search_and_is_said():
    ticks = iter(range(1000))
    space = {"b": Big(), "x": []}
    found = find_holders([space["b"]], Holders(None, space), "b", 2.0, clock=lambda: float(next(ticks)))
    assert any("time limit" in note for note in found.notes)
