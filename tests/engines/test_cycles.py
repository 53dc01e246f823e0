"""Reference cycles, named edge by edge and counted."""

from __future__ import annotations

import random
import sys
import weakref

import pytest

from jupyter_profkit.engines.cycles import find_cycles
from jupyter_profkit.engines.paths import PathNamer


class Parent:
    pass


class Child:
    __slots__ = ("data", "parent")


class Ending:
    def __del__(self):
        pass


def family():
    parent, child = Parent(), Child()
    parent.child, child.parent = child, parent
    return [parent, child]


def own_list():
    made: list[object] = []
    made.append(made)
    return [made]


def own_dict():
    made: dict[str, object] = {}
    made["self"] = [made]
    return [made, made["self"]]


def own_tuple():
    made: list[object] = []
    made.append((made,))
    return [made, made[0]]


def closure():
    def outer():
        def inner():
            return inner

        return inner

    made = outer()
    return [made, made.__closure__, made.__closure__[0]]


def generator():
    def gen():
        mine = yield
        yield mine

    made = gen()
    next(made)
    made.send(made)
    return [made]


WAYS = {
    "two instances": (
        family,
        {(("Parent", ".child"), ("Child", ".parent")), (("Child", ".parent"), ("Parent", ".child"))},
    ),
    "a list": (own_list, {(("list", "[0]"),)}),
    "a dictionary": (own_dict, {(("list", "[0]"), ("dict", "['self']"))}),
    "a tuple": (own_tuple, {(("list", "[0]"), ("tuple", "[0]"))}),
    "a closure": (closure, {(("function", "closure inner"),)}),
    "a generator": (generator, {(("generator", "local mine"),)}),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_cycle_is_named_edge_by_edge(case):
    make, expected = WAYS[case]
    objects = make()
    (cycle,) = find_cycles(objects, PathNamer())
    assert cycle.edges in expected
    assert (cycle.n_cycles, cycle.n_objects) == (1, len(objects))
    assert cycle.size == sum(map(sys.getsizeof, objects)) or case == "two instances"


def test_cycles_of_one_kind_are_counted_together():
    objects = [one for _ in range(50) for one in family()] + own_list()
    cycles = find_cycles(objects, PathNamer())
    assert [(cycle.n_cycles, cycle.n_objects) for cycle in cycles] == [(50, 100), (1, 1)]


def test_what_hangs_on_a_cycle_is_counted_with_it():
    objects = own_list()
    hangers = [[1], [2]]
    objects[0] += hangers
    (cycle,) = find_cycles([*objects, *hangers], PathNamer())
    assert (cycle.edges, cycle.n_objects) == ((("list", "[0]"),), 3)


def test_finalizers_are_counted():
    one = Ending()
    one.itself = one
    (cycle,) = find_cycles([one], PathNamer())
    assert cycle.n_finalizers == 1


def test_the_shortest_way_round_is_told():
    long = [[] for _ in range(8)]
    for this, that in zip(long, [*long[1:], long[0]], strict=True):
        this.append(that)
    short = {"k": long[5]}
    long[5].append(short)
    (cycle,) = find_cycles([*long, short], PathNamer())
    assert set(cycle.edges) == {("list", "[1]"), ("dict", "['k']")}


def test_without_a_cycle_there_is_none():
    chain: list[object] = []
    for _ in range(1_000):
        chain = [chain]
    assert find_cycles([chain, chain[0]], PathNamer()) == []
    assert find_cycles([], PathNamer()) == []


def test_a_ring_of_a_hundred_thousand_takes_no_recursion():
    ring = [[] for _ in range(100_000)]
    for this, that in zip(ring, [*ring[1:], ring[0]], strict=True):
        this.append(that)
    (cycle,) = find_cycles(ring, PathNamer())
    assert (cycle.n_cycles, cycle.n_objects) == (1, 100_000)
    assert len(cycle.edges) == 12


@pytest.mark.parametrize("seed", range(20))
def test_the_knots_are_those_of_mutual_reach(seed):
    chance = random.Random(seed)
    lists: list[list[object]] = [[] for _ in range(12)]
    for _ in range(14):
        chance.choice(lists).append(chance.choice(lists))
    number = {id(one): n for n, one in enumerate(lists)}
    reach = {n: {number[id(held)] for held in one} for n, one in enumerate(lists)}
    for _ in lists:
        reach = {n: to.union(*(reach[m] for m in to)) for n, to in reach.items()}
    in_cycle = {n for n in reach if n in reach[n]}
    knots = {frozenset(m for m in reach[n] if n in reach[m]) for n in in_cycle}
    cycles = find_cycles(lists, PathNamer())
    assert sum(cycle.n_cycles for cycle in cycles) == len(knots)


def test_nothing_is_held_afterwards():
    objects = family()
    alive = weakref.ref(objects[0])
    find_cycles(objects, PathNamer())
    objects[0].__dict__.clear()
    objects.clear()
    assert alive() is None
