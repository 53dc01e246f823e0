"""The verdict on repetitions, in words."""

from __future__ import annotations

import dataclasses

import pytest

from jupyter_profkit.model.repetitions import GrowingLine, Repetition, Repetitions
from jupyter_profkit.model.session import Location
from jupyter_profkit.views.repetitions import table, verdict
from tests.builders import cell_lines, line_profile

MIB = 1024**2
LINE = GrowingLine(Location("cell", 2, "", "In [7]"), 6 * MIB, "cache.append(load())")


def repetitions(*left: int, asked: int | None = None) -> Repetitions:
    return Repetitions(asked or len(left), tuple(Repetition(0.25, 0, n_bytes) for n_bytes in left))


def words(found: Repetitions) -> list[str]:
    return list(verdict(found))


def test_a_leak_says_how_much_and_from_which_line() -> None:
    found = dataclasses.replace(repetitions(9 * MIB, 2 * MIB, 2 * MIB, 2 * MIB), growing=(LINE,))
    assert words(found) == [
        "Leak: each of the 3 repetitions after the first left memory behind, about 2.0 MiB each time",
        "  6.0 MiB from In [7], line 2: cache.append(load())",
    ]


def test_a_leak_without_a_line_says_what_to_do() -> None:
    assert "%%objgrowth" in words(repetitions(0, MIB, MIB))[1]


def test_no_leak_says_what_there_was() -> None:
    (line,) = words(repetitions(9 * MIB, MIB, -MIB, 2 * MIB))
    assert line.startswith("No leak: of the 3 repetitions after the first, not every one")
    assert "(-1.0 MiB to +2.0 MiB)" in line


def test_repetitions_that_did_not_come_to_their_end_are_told() -> None:
    assert words(repetitions(0, 0, asked=5)) == [
        "whether memory leaks can be told from three repetitions on: the first warms up",
        "2 of 5 repetitions came to their end",
    ]


@pytest.mark.parametrize(("n", "n_rows"), [(3, 3), (20, 20), (200, 20)])
def test_the_table_is_bounded(n: int, n_rows: int) -> None:
    view = table(repetitions(*range(n)))
    assert len(view.rows) == n_rows
    assert bool(view.footer) == (n > n_rows)
    assert view.rows[-1].cells[0].text == str(n)


def test_the_report_has_the_verdict_first_and_marks_the_line() -> None:
    found = dataclasses.replace(repetitions(0, MIB, MIB), growing=(LINE,))
    profile = line_profile(
        cell_lines("x = 1\ncache.append(load())", {1: (3, 0, 0, 0), 2: (3, 0, 0, 0)}), repetitions=found
    )
    text = str(profile.report())
    assert text.index("! Leak: ") < text.index("3 repetitions: what each left behind") < text.index("Line Contents")
    assert [row.strong for row in profile.report().parts[-1].rows] == [False, True, False]


@pytest.mark.parametrize(("left", "is_marked"), [((0, MIB, MIB), True), ((0, MIB, 0), False), ((0, MIB), False)])
def test_only_a_leak_is_marked(left: tuple[int, ...], is_marked: bool) -> None:
    report = line_profile(cell_lines("x = 1", {1: (3, 0, 0, 0)}), repetitions=repetitions(*left)).report()
    bundle = report._repr_mimebundle_()
    assert ("\n! " in bundle["text/plain"]) is is_marked
    assert ("<b>!</b>" in bundle["text/html"]) is is_marked
