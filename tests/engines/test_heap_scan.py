"""Which containers refer to some objects, in one read of the heap."""

from __future__ import annotations

import gc
import types

import pytest

from jupyter_profkit.engines.heap_scan import hanging_on, read_referrers, referring


class Node:
    pass


@pytest.mark.parametrize("n", [1, 16, 17, 5_000])
def test_the_referrers_are_those_that_hold_it(n):
    targets = [Node() for _ in range(n)]
    holders = [[target] for target in targets]
    found = read_referrers(targets)
    assert {id(one) for one in holders} <= {id(one) for one in found}
    assert all(one is not targets for one in found)
    own = {id(one) for one in holders}
    assert not own & {id(one) for one in read_referrers(targets, own)}


def test_many_targets_find_what_the_collector_finds():
    targets = [Node() for _ in range(40)]
    places = {"a": targets[3], "b": (targets[7], [targets[39]])}
    module = types.ModuleType("holding")
    module.kept = targets[5]
    is_call = lambda one: type(one) is tuple and len(one) == len(targets)  # of get_referrers itself, since 3.13
    expected = {id(one) for one in gc.get_referrers(*targets) if one is not targets and not is_call(one)}
    found = {id(one) for one in read_referrers(targets)}
    assert expected <= found
    assert {id(places), id(places["b"]), id(places["b"][1]), id(vars(module))} <= found


def test_the_read_ends_when_it_is_told_to():
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 3

    targets = [Node() for _ in range(20)]
    read_referrers(targets, stop=stop)
    assert len(asked) == 4


def test_only_the_objects_given_are_read():
    target, other = Node(), [1]
    holder = [target]
    assert list(referring([other, holder], {id(target)})) == [holder]


def test_what_hangs_on_a_container_is_what_goes_with_it():
    kept = Node()
    node, elsewhere = Node(), [1]
    node.child = [2.5]
    container = [node, elsewhere, [[kept]], (Node(), Node())]
    expected = [container[2], container[2][0], node.child, container[3], *container[3]]
    noted = frozenset({id(node)})
    ids = [id(one) for one in expected]
    objects = [node]
    del node, expected
    told = [one for part in hanging_on(container, noted) for one in part]
    assert set(ids) | noted <= set(told)
    assert not {id(kept), id(elsewhere), id(container)} & set(told)
    assert objects
