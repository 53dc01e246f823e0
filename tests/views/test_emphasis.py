"""Which rows stand out: one rule, and every table keeps to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import TableView
from tests.specimens import SPECIMENS


def weights_of(*weights: float, **rule: float) -> list[float]:
    return heaviest(weights, float, **rule)


def test_three_of_many_stand_out_the_heaviest_first() -> None:
    assert weights_of(20, 50, 30, 40) == [50, 40, 30]


def test_of_equal_ones_the_first_stand_out() -> None:
    assert heaviest([("a", 1), ("b", 1), ("c", 1), ("d", 1)], lambda pair: pair[1]) == [("a", 1), ("b", 1), ("c", 1)]


def test_what_is_less_than_a_twentieth_of_the_whole_does_not_stand_out() -> None:
    assert weights_of(96, 4) == [96]
    assert weights_of(95, 5) == [95, 5]
    assert weights_of(1.0, 0.9, whole=100) == []


def test_noise_does_not_stand_out() -> None:
    assert weights_of(8, 4, noise=4) == [8]
    assert weights_of(0, 0) == []


def test_what_became_less_does_not_stand_out_and_makes_the_whole_no_smaller() -> None:
    assert weights_of(-100, 100, 4) == [100]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)), st.floats(0, 1e6), st.floats(0, 1e6))
def test_nothing_that_does_not_stand_out_is_heavier_than_what_does(weights, whole, noise) -> None:
    found = weights_of(*weights, whole=whole, noise=noise)
    assert len(found) <= 3
    assert found == sorted(weights, reverse=True)[: len(found)]


@pytest.mark.parametrize("name", SPECIMENS)
def test_in_no_table_more_than_three_rows_stand_out_but_for_the_line_that_raised(name: str) -> None:
    report = SPECIMENS[name].report()
    for part in report.parts:
        if isinstance(part, TableView):
            assert sum(row.strong for row in part.rows) <= 3 + bool(report.warning)


def test_every_kind_of_table_with_bars_has_a_row_that_stands_out() -> None:
    tables = [part for each in SPECIMENS.values() for part in each.report().parts if isinstance(part, TableView)]
    barred = [table for table in tables if any(cell.bar for row in table.rows for cell in row.cells)]
    assert len(barred) > 20
    assert {table.caption for table in barred if not any(row.strong for row in table.rows)} == {"Recordings"}
