"""Whose memory it is: known structures, known sizes, and nothing of the user's called."""

from __future__ import annotations

import gc
import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.engines import holdings
from jupyter_profkit.engines.holdings import HoldingCounts, Owner, count_holdings
from jupyter_profkit.engines.object_sizes import ObjectKinds

MB = 1_000_000


def count(*roots: object, blocked: tuple = ()) -> HoldingCounts:
    return count_holdings([Owner(str(number), [root]) for number, root in enumerate(roots)], blocked)


def total(counts: HoldingCounts) -> int:
    return sum(counts.exclusive) + counts.shared_total


def test_a_structure_is_counted_with_all_that_it_holds() -> None:
    data, items = bytes(5 * MB), [bytes(MB), bytes(MB)]
    counts = count({"a": data, "b": items})
    assert counts.exclusive[0] == pytest.approx(7 * MB, abs=1000)
    assert (counts.shared, counts.shared_total) == ([0], 0)


def test_what_two_reach_is_shared_with_all_that_is_behind_it() -> None:
    inner = [bytes(MB), [bytes(MB)]]
    counts = count([inner, bytes(3 * MB)], [inner], [1.5])
    assert counts.exclusive == pytest.approx([3 * MB, 0, 0], abs=1000)
    assert counts.shared == pytest.approx([2 * MB, 2 * MB, 0], abs=1000)
    assert counts.shared_total == pytest.approx(2 * MB, abs=1000)


def test_what_three_share_counts_once_and_each_is_told_its_own_share() -> None:
    one, two = [bytes(MB)], [bytes(2 * MB)]
    counts = count([one, two], [one], [two])
    assert counts.exclusive == pytest.approx([0, 0, 0], abs=1000)
    assert counts.shared == pytest.approx([3 * MB, MB, 2 * MB], abs=1000)
    assert counts.shared_total == pytest.approx(3 * MB, abs=1000)


def test_the_later_owner_meets_an_object_that_holds_itself() -> None:
    ring: list = [bytes(MB)]
    ring.append(ring)
    counts = count(ring, [ring])
    assert counts.shared == pytest.approx([MB, MB], abs=1000)
    assert counts.shared_total == pytest.approx(MB, abs=1000)


def test_where_sharing_is_too_much_to_count_the_total_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "_SHARED_VISITS", 1)
    one, two = [bytes(MB)], [bytes(2 * MB)]
    counts = count([one, two], [one], [two])
    assert counts.shared == [pytest.approx(3 * MB, abs=1000), None, None]
    assert counts.shared_total == pytest.approx(3 * MB, abs=1000)


def test_the_order_of_owners_changes_no_figure() -> None:
    inner = {"k": [bytes(MB)]}
    roots = [[inner, bytes(MB)], {"i": inner}, (bytes(2 * MB),)]
    there, back = count(*roots), count(*reversed(roots))
    assert there.exclusive == back.exclusive[::-1]
    assert there.shared == back.shared[::-1]
    assert total(there) == total(back)


def reached(root: object) -> dict[int, int]:
    """The sizes of all that a root reaches, by id, in the plainest way."""
    found, waiting = {}, [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in found and type(one) is not type:
            found[id(one)] = sys.getsizeof(one)
            waiting += gc.get_referents(one)
    return found


@given(st.lists(st.lists(st.integers(-6, 30), max_size=4), min_size=2, max_size=12), st.integers(1, 4))
def test_each_owner_has_what_no_other_reaches_whatever_refers_to_what(items: list[list[int]], n_owners: int) -> None:
    made: list[list] = [[] for _ in items]
    known = [float(number) for number in range(6)]
    for one, held in zip(made, items, strict=True):  # a fresh number, one that others may have too, or a list
        one += [float("7")] * held.count(-1) + [number + 0.5 for number in held if number >= len(made)]
        one += [known[-number - 1] for number in held if number < -1]
        one += [made[number] for number in held if 0 <= number < len(made)]
    del known
    roots = made[:n_owners]
    reach = [reached(root) for root in roots]
    counts = count_holdings([Owner(str(number), [root]) for number, root in enumerate(roots)])
    for number, mine in enumerate(reach):
        others = set().union(*(other for place, other in enumerate(reach) if place != number))
        exclusive = [size for key, size in mine.items() if key not in others]
        assert (counts.exclusive[number], counts.n_objects[number]) == (sum(exclusive), len(exclusive))
        assert counts.shared[number] == sum(size for key, size in mine.items() if key in others)
    assert total(counts) == sum({key: size for one in reach for key, size in one.items()}.values())


def test_the_texts_that_are_keys_count() -> None:
    one = {"k" * MB + str(number): number for number in range(3)}
    assert count(one).exclusive == pytest.approx([3 * MB], abs=1000)
    counts = count([one], dict.fromkeys(one), [1.5])
    assert counts.exclusive == pytest.approx([0, 0, 0], abs=1000)
    assert counts.shared == pytest.approx([3 * MB, 3 * MB, 0], abs=1000)
    counts = count([one], (one,))
    assert counts.shared_total == pytest.approx(3 * MB, abs=1000)


def test_texts_in_an_array_and_in_a_view_of_it_count_once() -> None:
    array = np.array(["x" * MB + str(number) for number in range(3)], dtype=object)
    assert count([array, array[:2]]).exclusive == [pytest.approx(3 * MB, abs=1500)]
    counts = count([array], [array[:2]])
    assert counts.shared_total == pytest.approx(3 * MB, abs=1500)


def test_a_number_that_one_reference_holds_is_counted_without_a_label() -> None:
    numbers = [[number + 0.5 for number in range(1_000)], {str(number): number / 3 for number in range(1_000)}]
    walk = holdings._Walk([Owner("x", [numbers])], ())
    walk.claim(0)
    assert walk.counts.n_objects == [3_003]
    assert len(walk._label) == 3


def test_what_the_system_reaches_first_is_not_shared_with_the_system() -> None:
    held = [bytes(MB)]
    owners = [Owner("x", [[1.5]]), Owner("shell", [held], is_system=True), Owner("modules", [held], is_system=True)]
    counts = count_holdings(owners)
    assert counts.exclusive == pytest.approx([0, MB, 0], abs=1000)
    assert counts.shared_total == 0


def test_the_left_over_begin_where_nobody_was() -> None:
    held, alone = [bytes(MB)], [bytes(2 * MB)]
    owners = [Owner("x", [held]), Owner("other", [held, alone], is_system=True, takes_left=True)]
    assert count_holdings(owners).exclusive == pytest.approx([MB, 2 * MB], abs=1000)


def test_blocked_containers_classes_and_modules_end_a_walk() -> None:
    class Registry:
        everything = (bytes(MB),)

    namespace = {"big": bytes(MB)}
    counts = count([namespace, Registry, Registry(), sys], blocked=(namespace,))
    assert counts.exclusive[0] < 1000


def test_a_chain_of_many_links_is_followed_to_its_end() -> None:
    chain: list = []
    for _ in range(50_000):
        chain = [chain]
    assert count(chain).n_objects == [50_001]


def test_many_objects_are_counted_as_few_are() -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = [x]

    points = [Point(number) for number in range(10_000)]
    one = count([points[0]])
    many = count(points)
    each = many.exclusive[0] / 10_000
    assert each == pytest.approx(one.exclusive[0] - sys.getsizeof([None]) + 8, abs=40)


def test_an_instance_counts_the_array_of_its_attributes() -> None:
    class Wide:
        def __init__(self) -> None:
            for number in range(20):
                setattr(self, f"name{number}", None)

    class Empty:
        pass

    kinds = ObjectKinds()
    assert kinds.size_of(Wide()) - kinds.size_of(Empty()) >= 160


def test_a_buffer_counts_its_bytes_once() -> None:
    assert count(io.BytesIO(bytes(3 * MB))).exclusive[0] == pytest.approx(3 * MB, abs=1000)


# Libraries


def test_a_view_counts_what_it_keeps_and_the_base_counts_once() -> None:
    base = np.ones(MB)
    counts = count(base[10:20])
    assert counts.exclusive[0] == pytest.approx(8 * MB, abs=1000)
    counts = count(base, base[:5], base[::2])
    assert counts.shared_total == pytest.approx(8 * MB, abs=1000)
    assert counts.shared == pytest.approx([8 * MB] * 3, abs=1000)


def test_objects_in_an_array_are_counted() -> None:
    array = np.array([bytes(MB), None, bytes(MB)], dtype=object)
    assert count(array).exclusive[0] == pytest.approx(2 * MB, abs=1000)
    assert count(array.reshape(3, 1)[::2]).exclusive[0] == pytest.approx(2 * MB, abs=1000)


def test_an_array_of_a_users_class_runs_none_of_its_code() -> None:
    class Users(np.ndarray):
        def __array_finalize__(self, obj: object) -> None:
            if forbidden:
                raise AssertionError("the class is asked")

    forbidden: list[bool] = []
    array = np.array([bytes(MB), None], dtype=object).view(Users)
    forbidden.append(True)
    assert count(array).exclusive[0] == pytest.approx(MB, abs=1000)


def test_a_frame_counts_its_columns_and_shares_a_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": np.arange(MB, dtype=float), "y": np.arange(MB, dtype=float)})
    assert count(frame).exclusive[0] == pytest.approx(16 * MB, abs=20_000)
    counts = count(frame, frame["x"].to_numpy())
    assert counts.shared[1] == pytest.approx(counts.shared_total, abs=20_000)
    assert counts.shared_total >= 8 * MB


# Hostile objects


def test_nothing_of_the_users_is_called() -> None:
    class Meta(type):
        def __hash__(cls) -> int:
            raise AssertionError("the metaclass is asked")

        def __eq__(cls, other: object) -> bool:
            raise AssertionError("the metaclass is asked")

    class Hostile(metaclass=Meta):
        __slots__ = ("data",)

        def __sizeof__(self) -> int:
            raise AssertionError("its own size is asked")

        def __getattribute__(self, name: str) -> object:
            raise AssertionError("an attribute is asked")

        def __hash__(self) -> int:
            raise AssertionError("its hash is asked")

        __eq__ = __bool__ = __len__ = __iter__ = __hash__
        __class__ = property(__hash__)

    one = Hostile()
    Hostile.data.__set__(one, bytes(MB))
    assert count([one] * 3, one).shared == pytest.approx([MB, MB], abs=1000)
