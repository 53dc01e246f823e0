"""What a learner is told of objects: the same, a copy, shared, changed."""

from __future__ import annotations

import copy

import pytest

from jupyter_profkit.engines.object_boxes import BoxLimits, BoxReader
from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.object_boxes import ObjectBoxes
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.views.object_boxes import boxes_view, report
from jupyter_profkit.views.object_sharing import changes, sharing

SESSION, METHOD = Session("%objrefs --teach", 0.0, 0.001), Method("a test")


def told(**variables: object) -> list[str]:
    return list(sharing(BoxReader(BoxLimits()).read(variables)))


def both(change, **variables: object) -> ObjectBoxes:
    """`variables` before and after `change` was called with them as a dictionary."""
    reader = BoxReader(BoxLimits())
    before = reader.read(variables)
    change(variables)
    return ObjectBoxes(SESSION, METHOD, reader.read(variables), before)


def changed(change, **variables: object) -> list[str]:
    result = both(change, **variables)
    return list(changes(result.before, result.after))


def test_names_of_one_object_are_told_first_and_what_follows_from_it():
    a = [1]
    assert told(a=a, b=a) == ["`a` and `b` are the same list: a change through one name is seen through the other."]
    assert told(a=a, b=a, c=a)[0].endswith("is seen through the others.")
    t = (1, 2)
    assert told(a=t, b=t) == ["`a` and `b` are the same tuple."]


def test_a_copy_with_shared_items_is_told_from_one_that_shares_nothing():
    a = [[1], 2]
    assert told(a=a, c=list(a)) == [
        "`c` is a copy of `a` whose items are shared (`a[0]` and `c[0]` are the same list)."
    ]
    assert told(a=a, d=copy.deepcopy(a)) == [
        "`d` looks like `a`, but is an object of its own and shares nothing with it."
    ]


def test_what_is_shared_inside_is_told_by_expressions_that_can_be_typed():
    x = [1]
    y = [x, {"k": x}]
    assert told(x=x, y=y) == ["`x`, `y[0]` and `y[1]['k']` are the same list."]
    ring: list = []
    ring.append(ring)
    assert told(ring=ring) == ["`ring` and `ring[0]` are the same list."]


def test_what_shares_nothing_says_so():
    assert told(a=[1], b={2}) == ["Nothing is shared: `a` and `b` refer to objects of their own."]
    assert told(a=[1, 2]) == ["`a` is a list; nothing in it is shared."]
    assert told(n=3, s="x") == ["`n` is 3, `s` is 'x': values that cannot change."]


def test_what_a_cell_changed_is_told():
    a = [1, [2]]

    def change(variables):
        variables["b"].append(4)
        variables["a"][1].append(3)
        variables["c"] = list(variables["a"])
        variables["n"] = 6
        del variables["gone"]

    assert changed(change, a=a, b=a, n=5, gone=[]) == [
        "`n` was 5 and is now 6.",
        "`gone` is gone.",
        "`c` is new: a list of its own.",
        "The list that `a` and `b` refer to changed: `[2]` is new, 4.",
        "The list that `a[1]` and `c[1]` refer to changed: `[1]` is new, 3.",
        "Now `c` is a copy of `a` whose items are shared (`a[1]` and `c[1]` are the same list).",
    ]
    assert changed(lambda _: None, a=a) == ["Nothing that the picture shows has changed."]


def test_a_name_that_moved_is_told_by_what_it_moved_to():
    a, b = [1], [2]
    assert changed(lambda names: names.update(b=a), a=a, b=b) == [
        "`b` was a list and is now the list that `a` was.",
        "Now `a` and `b` are the same list: a change through one name is seen through the other.",
    ]


def test_an_item_that_is_another_object_is_told_by_what_it_is_now():
    def told_of(change):
        a, b = [[1], [2]], [3]
        return changed(change, a=a, b=b)[0]

    def swap(names):
        names["a"].reverse()

    assert told_of(lambda names: names["a"].__setitem__(0, [1])) == (
        "The list `a` changed: `[0]` was a list and is a new list."
    )
    assert told_of(lambda names: names["a"].__setitem__(0, names["b"])) == (
        "The list `a` changed: `[0]` was a list and is the list that `b` was."
    )
    assert told_of(swap) == (
        "The list `a` changed: `[0]` was a list and is the list that `a[1]` was; "
        "`[1]` was a list and is the list that `a[0]` was."
    )


def test_an_item_of_a_set_is_told_by_its_value():
    assert changed(lambda names: names["s"].add(2), s={1}) == ["The set `s` changed: the item 2 is new."]


def test_the_words_are_aligned_and_complete():
    a = [1, [2]]
    view = boxes_view(ObjectBoxes(SESSION, METHOD, BoxReader(BoxLimits()).read({"a": a, "b": a, "n": 5})))
    assert view.words == (
        "a      → #1 list",
        "b      → #1 list",
        "n      5",
        "#1 list",
        "  [0]  1",
        "  [1]  → #2 list",
        "#2 list",
        "  [0]  2",
    )


def test_before_and_after_stand_in_one_table_with_what_changed_at_its_end():
    result = both(lambda names: names["a"].append({}), a=[1])
    assert [line.split() for line in boxes_view(result).words] == [
        ["before", "after"],
        ["a", "→", "#1", "list", "→", "#1", "list"],
        ["#1", "list"],
        ["[0]", "1", "1"],
        ["[1]", "-", "→", "#2", "dict", "new"],
        ["#2", "dict", "empty", "new"],
    ]


def test_marks_stand_where_something_is_new_gone_or_changed():
    def change(names):
        names["a"][0] = 2
        names["a"].pop()
        names["b"] = []

    before, after = boxes_view(both(change, a=[1, 1])).panels
    assert [(row.label, row.mark) for row in before.boxes[1].rows] == [("0", "changed"), ("1", "gone")]
    assert [(row.label, row.mark) for row in after.boxes[1].rows] == [("0", "changed")]
    assert [(row.label, row.mark) for row in after.boxes[0].rows] == [("a", ""), ("b", "new")]
    assert (before.caption, after.caption, after.boxes[2].mark) == ("Before", "After", "new")


def test_a_box_stands_alike_in_both_panels():
    panels = boxes_view(both(lambda names: names["a"].append([]), a=[1, 2])).panels
    assert [box.across for panel in panels for box in panel.boxes if box.title == "list" and box.rows] == [False, False]


def test_the_report_says_the_finding_first_and_as_alternative_text():
    a: list = []
    shown = report(ObjectBoxes(SESSION, METHOD, BoxReader(BoxLimits()).read({"a": a, "b": a, "c": [a]})))
    assert shown.headline.startswith("`a` and `b` are the same list")
    assert shown.notes == ("`c[0]` is that list, too: the one of `a`.",)
    assert shown.parts[0].alt == " ".join((shown.headline, *shown.notes))
    with pytest.raises(OptionError, match="limit"):
        report(ObjectBoxes(SESSION, METHOD, BoxReader(BoxLimits()).read({})), limit=3)


def test_nothing_to_draw_is_said_without_a_picture():
    shown = report(ObjectBoxes(SESSION, METHOD, BoxReader(BoxLimits()).read({})))
    assert (shown.headline, shown.parts) == ("Nothing to draw.", ())


def test_boxes_survive_json():
    for result in (
        both(lambda names: names["a"].append(1), a=[[]]),
        ObjectBoxes(SESSION, METHOD, BoxReader(BoxLimits()).read({"a": {1}})),
    ):
        assert ObjectBoxes.from_json(result.to_json()) == result


def test_a_view_of_an_array_is_told_as_what_it_is():
    numpy = pytest.importorskip("numpy")
    base = numpy.arange(4)
    assert told(base=base, view=base[1:3], odd=base[1::2]) == [
        "`view` is a view of `base`: a change in one is seen in the other.",
        "`odd` is a view of `base`: a change in one is seen in the other.",
    ]
    assert told(view=base[1:3]) == ["`view` is an ndarray; nothing in it is shared."]
    assert told(view=base[1:3], odd=base[1::2]) == ["`view.base` and `odd.base` are the same ndarray."]
