"""The objects made while something ran: each of them and no other; the collector is as before."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import textwrap
import weakref
from collections import Counter

import pytest

from jupyter_profkit.engines import new_objects
from jupyter_profkit.engines.new_objects import NewObjects
from tests.kernels import ROOT


class Node:
    pass


@pytest.fixture
def new():
    made = NewObjects()
    yield made
    made.stop()
    made.release()


def counts(objects) -> dict[str, int]:
    return dict(Counter(type(one).__name__ for one in objects))


def state():
    return (
        gc.isenabled(),
        gc.get_debug(),
        gc.get_freeze_count(),
        list(gc.callbacks),
        list(gc.garbage),
        gc.get_threshold(),
    )


def test_a_thousand_dropped_and_a_thousand_made_are_a_thousand_new(new):
    old = [[n] for n in range(1_000)]
    new.start()
    old.clear()  # their addresses are free, and the next lists take them
    kept = [[n] for n in range(1_000)]
    new.stop()
    assert counts(new.alive) == {"list": 1_001}
    assert len(kept) == 1_000


def test_nothing_made_is_nothing_new(new):
    new.start()
    new.stop()
    assert (new.alive, new.garbage, new.atoms) == ([], [], [])


@pytest.mark.parametrize("full", [0, 20_000])
def test_every_object_is_told_however_often_the_collector_shuffles_them(new, full):
    pool: list[object] = [[] for _ in range(5_000)]
    chance = random.Random(7)
    new.start()
    for number in range(60_000):
        made = Node()
        made.child = [made] if number % 7 == 0 else None
        pool[chance.randrange(len(pool))] = made
        if full and number % full == 0:
            gc.collect()
    del made
    new.stop()
    found = counts(new.alive)
    assert found["Node"] == sum(type(one) is Node for one in pool)
    assert found["list"] == sum(type(one) is Node and one.child is not None for one in pool)
    assert new.n_collected + len(new.garbage) > 0


def test_an_interrupted_look_is_said_and_leaves_the_collector_as_it_was(new, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    before = gc.get_debug(), len(gc.callbacks), len(gc.garbage)
    new.start()
    kept = [[1]]
    monkeypatch.setattr(new_objects, "_split", interrupted)
    with pytest.raises(KeyboardInterrupt):
        new.stop()
    assert (new.is_known, new.is_interrupted, new.alive) == (False, True, [])
    assert (gc.get_debug(), len(gc.callbacks), len(gc.garbage)) == before
    assert kept


def test_a_look_in_between_tells_what_there_is_until_then(new):
    kept = []
    seen = []
    new.start()
    for _ in range(4):
        kept.append([])
        new.look()
        seen.append(counts(new.alive))
    kept.clear()
    new.stop()
    assert seen == [{"list": n} for n in (1, 2, 3, 4)]
    assert new.alive == []


def test_cycles_are_kept_apart_and_freed_in_the_end(new):
    new.start()
    for _ in range(5):
        node = Node()
        node.itself = node
    alive = weakref.ref(node)
    del node
    new.stop()
    assert counts(new.garbage) == {"Node": 5}
    new.release()
    assert gc.collect() == 0
    assert alive() is None


def test_finalizers_run_once(new):
    calls = []

    class Ending:
        def __del__(self):
            calls.append(1)

    new.start()
    one = Ending()
    one.itself = one
    del one
    new.stop()
    new.release()
    gc.collect()
    assert calls == [1]


def test_nothing_is_kept_alive_while_it_runs_and_after(new):
    old, young = Node(), None
    new.start()
    dead = weakref.ref(old)
    del old
    assert dead() is None
    young = Node()
    new.stop()
    new.release()
    dead = weakref.ref(young)
    del young
    assert dead() is None


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("flags", [0, gc.DEBUG_SAVEALL])
def test_the_collector_is_as_before(enabled, flags):
    gc.collect()
    before_all = state()
    (gc.enable if enabled else gc.disable)()
    gc.set_debug(flags)
    try:
        before = state()
        new = NewObjects()
        new.start()
        new.look()
        new.stop()
        new.release()
        assert state() == before
    finally:
        gc.enable()
        gc.set_debug(0)
        gc.garbage.clear()
    assert state() == before_all


def test_an_interrupt_in_the_last_collection_leaves_the_collector_as_before(monkeypatch):
    before = state()
    new = NewObjects()
    new.start()

    def interrupt(*_):
        if gc.get_debug() & gc.DEBUG_SAVEALL:
            raise KeyboardInterrupt

    monkeypatch.setattr(new_objects.gc, "collect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        new.stop()
    monkeypatch.undo()
    new.stop()
    new.release()
    assert state() == before


def test_objects_of_the_users_garbage_stay_there_where_the_user_wants_them():
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        new = NewObjects()
        new.start()
        node = Node()
        node.itself = node
        del node
        new.stop()
        new.release()
        assert any(type(one) is Node for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.collect()


@pytest.mark.process
def test_what_the_user_froze_before_stays_frozen():
    """In a process of its own: Python 3.12 begins with frozen objects, which no test could put back."""
    told = in_a_process("""
        gc.freeze()
        frozen = gc.get_freeze_count()
        new.start()
        kept = [[] for _ in range(10)]
        new.stop()
        print(new.is_known, sum(type(one) is list for one in new.alive), frozen - gc.get_freeze_count() < 100)
    """)
    assert told == "True 11 True"


@pytest.mark.process
@pytest.mark.parametrize("call", ["gc.freeze()", "gc.freeze(); gc.unfreeze()", "gc.collect(); gc.freeze()"])
def test_code_that_freezes_makes_it_unknown_and_its_freeze_stands(call):
    told = in_a_process(f"""
        gc.freeze()
        new.start()
        {call}
        frozen = gc.get_freeze_count()
        new.stop()
        print(new.is_known, gc.get_freeze_count() <= frozen, new.alive)
    """)
    assert told == "False True []"


def in_a_process(code: str) -> str:
    head = "import gc\nfrom jupyter_profkit.engines.new_objects import NewObjects\nnew = NewObjects()\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT
    )
    assert not done.stderr
    return done.stdout.strip()


def test_large_data_that_is_not_tracked_is_told(new):
    numpy = pytest.importorskip("numpy")
    old, kept = [bytearray(5_000), "x" * 5_000], []
    same = [numpy.zeros(1_000)]
    new.start()
    old[0] = bytearray(5_001)  # another one
    kept += ["y" * 3_000, dict.fromkeys(range(100)), numpy.zeros(1_000)[3:5], same[0], old[1]]
    new.stop()
    assert counts(new.atoms) == {"bytearray": 1, "str": 1, "dict": 1, "ndarray": 2}


def test_arrays_at_the_address_of_old_ones_are_new(new):
    numpy = pytest.importorskip("numpy")
    arrays = [numpy.zeros(200) for _ in range(500)]
    new.start()
    arrays.clear()
    arrays += [numpy.zeros(200) for _ in range(500)]
    new.stop()
    assert counts(new.atoms) == {"ndarray": 500}


def test_without_the_collectors_order_it_says_that_it_is_not_exact(monkeypatch):
    monkeypatch.setattr(new_objects, "_KEEPS_ORDER", False)
    new = NewObjects()
    new.start()
    kept = [[] for _ in range(50)]
    new.stop()
    assert not new.is_exact
    assert counts(new.alive)["list"] >= 51
    assert len(kept) == 50
    new.release()
