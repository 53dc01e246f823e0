"""Arrays that hold objects are found, though the garbage collector does not know of them."""

from __future__ import annotations

import gc
import weakref

import pytest

from jupyter_profkit.cells.objects import explain_holders
from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.engines.array_holders import ArrayHolders, contents

numpy = pytest.importorskip("numpy")


class Mortal:
    pass


NOTEBOOK = {"Out": []}
"""What makes a dictionary one that the collector tracks: it does not if all in it are arrays."""


def words(space: dict[str, object], obj: object, **options: object) -> list[str]:
    (view,) = draw_references([obj], back=True, namespace=space, **options).report().parts
    return [line.lstrip("│├└─ ") for line in view.words]


def test_what_an_array_holds_is_told_and_not_what_another_array_holds():
    held = Mortal()
    kept = [numpy.array([[held, None]], dtype=object)]
    holders = ArrayHolders()
    assert [id(one) for one in holders.holding([held])] == [id(kept[0])]
    assert holders.holding([Mortal()]) == []
    assert any(one is held for one in contents(kept[0]))
    assert contents([held]) == gc.get_referents([held])
    holders.release()
    assert holders.arrays == []


def test_an_item_names_its_array_and_a_base_its_view():
    space = {**NOTEBOOK, "table": numpy.array([[None, Mortal()]], dtype=object), "view": numpy.zeros(100_000)[5:9]}
    assert words(space, space["table"][0, 1])[1:] == ["[0, 1] of ndarray table · 1 × 2 object", "variable table"]
    assert words(space, space["view"].base)[1:] == [".base of ndarray view · 4 float64", "variable view"]


def test_a_value_in_a_table_is_followed_to_the_table():
    pandas = pytest.importorskip("pandas")
    space = {"frame": pandas.DataFrame({"x": [Mortal()]})}
    told = words(space, space["frame"]["x"].iloc[0], max_depth=6)
    assert told[-1] == "variable frame"
    assert any(line.startswith(".values of NumpyBlock") for line in told)
    assert any(line.startswith(".blocks of BlockManager") for line in told)


def test_the_advice_frees_what_an_array_holds():
    space = {**NOTEBOOK, "array": numpy.array([Mortal()], dtype=object)}
    alive = weakref.ref(space["array"][0])
    (chain,) = explain_holders([alive()], namespace=space).chains
    assert (chain.kind, chain.name, chain.free) == ("variable", "array", "array[0] = None")
    exec(chain.free, space)
    gc.collect()
    assert alive() is None


def test_a_search_holds_no_array_afterwards():
    space = {**NOTEBOOK, "array": numpy.array([Mortal()], dtype=object)}
    array = weakref.ref(space["array"])
    words(space, space["array"][0])
    explain_holders([space["array"][0]], namespace=space)
    del space["array"]
    gc.collect()
    assert array() is None
