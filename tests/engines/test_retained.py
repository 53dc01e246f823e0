"""What would be freed if an object went, held against what is freed when it goes."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter

import pytest

from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.references import WalkOptions, walk_references
from jupyter_profkit.engines.retained import RetainedSizes


class Node:
    def __init__(self, *held: object) -> None:
        self.held = held
        self.ring: object = None


def retained(obj: object, n_known: int = 0) -> int | None:
    return RetainedSizes(frozenset(), Counter({id(obj): n_known})).of(obj)


def freed_by_going(make) -> tuple[int, int]:
    """What `make` made is said to retain, and what was freed when it went."""
    tracemalloc.start()
    try:
        kept: list[object] = []
        obj = make(kept)
        gc.collect()
        told = retained(obj)
        before = tracemalloc.get_traced_memory()[0]
        del obj
        gc.collect()
        freed = before - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert told is not None
    return told, freed


def test_a_tree_retains_all_of_it():
    told, freed = freed_by_going(lambda _: [bytearray(100_000) for _ in range(10)])
    assert told == pytest.approx(freed, rel=0.01)
    assert told > 1_000_000


def test_what_somebody_else_holds_is_not_counted_nor_what_is_behind_it():
    def make(kept):
        inner = [bytearray(500_000)]
        kept.append(inner)
        return [inner, bytearray(300_000)]

    told, freed = freed_by_going(make)
    assert told == pytest.approx(freed, rel=0.01)
    assert 300_000 < told < 302_000


def test_a_ring_goes_as_a_whole_and_not_if_it_is_held_anywhere():
    def ring(_):
        a, b = Node(bytearray(200_000)), Node(bytearray(200_000))
        a.ring, b.ring = b, a
        return a

    told, freed = freed_by_going(ring)
    assert told == pytest.approx(freed, rel=0.02)

    def held_ring(kept):
        kept.append(ring(kept))
        return Node(kept[0])

    told, _ = freed_by_going(held_ring)
    assert told < 1000


def test_many_small_objects_are_told_within_some_percent():
    told, freed = freed_by_going(lambda _: {f"key {n}": [str(n) * 5, (n + 0.5,)] for n in range(20_000)})
    assert told == pytest.approx(freed, rel=0.06)


def test_the_base_of_a_view_goes_with_the_last_view():
    numpy = pytest.importorskip("numpy")
    view = numpy.zeros(1_000_000)[10:20]
    assert retained(view) > 8_000_000
    base = view.base
    assert retained(view) < 1000
    assert base.nbytes == 8_000_000


def test_functions_and_instances_do_not_retain_their_module_or_class():
    captured = bytearray(100_000)

    def make(held):
        return lambda: held

    function = make(bytearray(50_000))
    blocked = frozenset({id(globals())})
    told = RetainedSizes(blocked, {}).of(function)
    assert 50_000 < told < 60_000
    assert retained(Node(), 0) < 1000
    assert captured


def test_what_is_too_much_to_look_at_is_not_told():
    ticks = iter(range(100))
    assert RetainedSizes(frozenset(), {}, time_limit=3, clock=lambda: next(ticks)).of([[[[[[]]]]]]) is None


def test_a_graph_tells_it_for_each_object_and_its_own_references_do_not_count():
    space: dict[str, object] = {"shared": [bytearray(40_000)]}
    space["x"] = [space["shared"], [bytearray(70_000)]]
    found = walk_references([space["x"]], Holders(None, space), WalkOptions(retained=True), ["x"])
    by_name = {node.name or f"{node.type} {node.depth} {node.id}": node.retained for node in found.nodes}
    assert 70_000 < by_name["x"] < 71_000
    assert 40_000 < by_name["shared"] < 41_000
    assert not found.notes


_HOLDERS: list[dict] = []


def test_data_that_arrow_shares_goes_with_the_last_that_has_it():
    arrow, numpy = pytest.importorskip("pyarrow"), pytest.importorskip("numpy")
    table = arrow.table({"a": numpy.arange(100_000), "b": numpy.arange(100_000.0)})
    size = table.nbytes
    assert retained(table) == pytest.approx(size, abs=1000)
    held = {"part": table.slice(10, 5)}  # which the collector does not track
    _HOLDERS.extend([held, {"table": table}])
    assert retained(table) < 1000
    assert retained(held["part"]) < 1000
    both = [table, held.pop("part")]
    assert retained(both) < 1000  # the other dictionary has the table, too
    both.pop()
    held["column"] = table["a"]
    assert retained(table) == pytest.approx(size / 2, abs=1000)
    del held["column"]
    assert retained(table) == pytest.approx(size, abs=1000)
    _HOLDERS.clear()


def test_an_array_and_the_arrow_array_made_of_it_keep_the_same_data():
    arrow, numpy = pytest.importorskip("pyarrow"), pytest.importorskip("numpy")
    array = numpy.arange(1_000_000)
    held = {"array": array, "arrow": arrow.array(array)}
    held["table"] = arrow.table({"a": held["arrow"]})
    _HOLDERS.append(held)
    assert array.nbytes == 8_000_000
    assert [retained(one) < 1000 for one in held.values()] == [True] * 3, "the two others have the data, too"
    assert retained(numpy.arange(1_000_000)) == pytest.approx(8_000_000, abs=1000)
    del held["table"], held["array"], array
    assert retained(held["arrow"]) == pytest.approx(8_000_000, abs=1000), "the array lives by nothing else"
    _HOLDERS.clear()
