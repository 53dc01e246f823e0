"""Variables and boxes, read: what stands inside, what is an arrow, and what is the same object."""

from __future__ import annotations

import datetime as dt
import decimal
import gc
import math
import sys
import weakref

import pytest

from jupyter_profkit.engines.object_boxes import BoxLimits, BoxReader
from jupyter_profkit.model.object_boxes import BoxPicture, ObjectBox
from tests.engines.test_references import hostile_objects


def read(**variables: object) -> BoxPicture:
    reader = BoxReader(BoxLimits())
    try:
        return reader.read(variables)
    finally:
        reader.release()


def box_of(picture: BoxPicture, name: str) -> ObjectBox:
    (slot,) = [slot for slot in picture.variables if slot.label == name]
    return next(box for box in picture.boxes if box.id == slot.target)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.next = None

    @property
    def computed(self) -> None:
        raise SystemExit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("a\n\x00", r"'a\n\x00'"),
        (None, "None"),
        (range(3), "range(0, 3)"),
        (len, "function len()"),
        (Node, "class Node"),
        (math, "module math"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
        (dt.date(2026, 1, 2), "date(2026, 1, 2)"),
        (10**100, "333 bits"),
    ],
)
def test_values_that_cannot_change_stand_in_their_slot(value, text):
    picture = read(a=value)
    assert [(slot.text, slot.target) for slot in picture.variables] == [(text, None)]
    assert picture.boxes == ()


def test_one_object_has_one_box_however_it_is_reached():
    a = [1]
    picture = read(a=a, b=a, c={"k": a, "own": [1]})
    assert picture.variables[0].target == picture.variables[1].target
    assert [(box.type, box.shape) for box in picture.boxes] == [
        ("list", "sequence"), ("dict", "mapping"), ("list", "sequence"),
    ]  # fmt: skip
    inner = box_of(picture, "c").slots
    assert [slot.label for slot in inner] == ["['k']", "['own']"]
    assert inner[0].target == picture.variables[0].target != inner[1].target


def test_attributes_are_slots_and_properties_are_not_asked():
    a, b = Node("a"), Node("b")
    a.next, b.next = b, a
    picture = read(a=a)
    assert [(slot.label, slot.text) for slot in box_of(picture, "a").slots] == [(".name", "'a'"), (".next", "")]
    assert len(picture.boxes) == 2


def test_tuples_are_boxes_that_cannot_change():
    picture = read(t=(1, "two"), f=frozenset({3}))
    assert [(box.type, box.is_fixed) for box in picture.boxes] == [("tuple", True), ("frozenset", True)]
    assert not box_of(read(x=[]), "x").is_fixed


def test_keys_are_told_by_value_tuples_of_values_too():
    slots = box_of(read(d={(1, "a"): 1, (2,): 2, None: 3}), "d").slots
    assert [slot.label for slot in slots] == ["[(1, 'a')]", "[(2,)]", "[None]"]


def test_a_view_of_an_array_points_at_its_base_and_shows_its_numbers():
    numpy = pytest.importorskip("numpy")
    base = numpy.arange(4)
    picture = read(base=base, view=base[1:3])
    view = box_of(picture, "view")
    assert [(slot.label, slot.text) for slot in view.slots] == [(".base", ""), ("[0]", "1"), ("[1]", "2")]
    assert view.slots[0].target == box_of(picture, "base").id
    assert (view.text, view.shape) == ("2 int64", "sequence")


# Bounds


def test_a_million_items_are_counted_not_read():
    picture = read(big=list(range(1_000_000)), table={n: n for n in range(1_000_000)})
    for name in ("big", "table"):
        box = box_of(picture, name)
        assert (len(box.slots), box.n_more, box.text) == (10, 999_990, "1,000,000 items")


def test_depth_and_boxes_are_bounded_and_that_is_said():
    deep: list = []
    for _ in range(30):
        deep = [deep]
    reader = BoxReader(BoxLimits())
    assert len(reader.read({"deep": deep}).boxes) == 8
    assert [note[:46] for note in reader.notes()] == ["1 object lies deeper than 8 references and … s"]
    assert len(reader.read({"wide": [[[n] for n in range(9)] for _ in range(9)]}).boxes) == 24
    assert any("at most 24 boxes" in note for note in reader.notes())
    reader.release()


# Twice


def test_an_object_keeps_its_number_and_a_new_one_at_its_address_does_not_get_it():
    reader = BoxReader(BoxLimits())
    a = [1]
    before = reader.read({"a": a})
    address = id(a)
    a = [2]
    others = [[n] for n in range(100)]
    after = reader.read({"a": a, "all": others})
    assert before.boxes[0].id not in {box.id for box in after.boxes}
    assert not any(id(one) == address for one in others)
    reader.release()


def test_nothing_is_held_afterwards_and_no_count_has_changed():
    a = Node("a")
    alive, count = weakref.ref(a), sys.getrefcount(a)
    read(a=a, all=[a])
    assert sys.getrefcount(a) == count
    del a
    gc.collect()
    assert alive() is None


def test_no_code_of_a_hostile_object_runs():
    picture = read(**{f"v{number}": obj for number, obj in enumerate(hostile_objects())})
    assert len(picture.variables) == len(hostile_objects())
    for box in picture.boxes:
        for slot in box.slots:
            assert f"{box.type}{box.text}{slot.label}{slot.text}".isprintable()
