"""How many objects of each type, and what grew."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from jupyter_profkit.engines.type_counts import TypeCounter, count_types, records_of
from jupyter_profkit.model.references import TypeRecord
from tests.kernels import ROOT


class Counted:
    pass


def test_objects_are_counted_by_type():
    kept = [Counted() for _ in range(123)]
    name = f"{__name__}.Counted"
    assert count_types()[name] == 123
    assert count_types(lambda obj: type(obj) is Counted) == {name: 123}
    assert len(kept) == 123


COUNT_TWICE = """
import gc, json, objgraph
from jupyter_profkit.engines.type_counts import count_types, records_of
gc.collect()
ours = {record.type: record.count for record in records_of(count_types())}
theirs = objgraph.typestats()
print(json.dumps({name: [ours[name], theirs[name]] for name in ("function", "dict", "tuple", "module")}))
"""


@pytest.mark.process
def test_the_counts_are_those_of_objgraph():
    """In a process without syntax trees: the dictionaries in them are left out here, and counted there."""
    run = subprocess.run([sys.executable, "-c", COUNT_TWICE], cwd=ROOT, capture_output=True, text=True, check=True)
    for ours, theirs in json.loads(run.stdout).values():
        assert abs(ours - theirs) <= 5


def test_growth_is_since_the_last_count_and_needs_no_peak():
    counter = TypeCounter()
    counter.mark()
    kept = [Counted() for _ in range(100)]
    assert grown(counter) == TypeRecord("Counted", 100, 100)
    kept.clear()
    assert grown(counter) is None
    kept += [Counted() for _ in range(100)]
    assert grown(counter) == TypeRecord("Counted", 100, 100)


def grown(counter: TypeCounter) -> TypeRecord | None:
    return next((record for record in counter.grown() if record.type == "Counted"), None)


def test_what_only_waits_to_be_collected_is_not_growth():
    counter = TypeCounter()
    counter.mark()
    for _ in range(50):
        cycle = Counted()
        cycle.itself = cycle
    del cycle
    assert grown(counter) is None


def test_types_of_one_short_name_are_counted_together():
    assert records_of({"a.T": 1, "b.T": 2}) == [TypeRecord("T", 3, 3)]
    assert [record.type for record in records_of({"a.T": 1, "b.T": 2}, shortnames=False)] == ["b.T", "a.T"]


def test_a_metaclass_that_fails_costs_nothing():
    class Meta(type):
        @property
        def __name__(cls):
            raise ZeroDivisionError

    class Odd(metaclass=Meta):
        pass

    kept = [Odd() for _ in range(7)]
    assert any(name.endswith("Odd") and count == 7 for name, count in count_types().items())
    assert len(kept) == 7


def test_the_collector_is_left_as_it_was():
    gc.disable()
    try:
        TypeCounter().mark()
        assert not gc.isenabled()
    finally:
        gc.enable()
