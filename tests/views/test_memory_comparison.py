"""What a reader sees of two memory profiles that are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.render import text
from jupyter_profkit.views.beside import report_beside
from jupyter_profkit.views.report import TableView
from tests.builders import cell_lines, line_profile, session

MIB = 1024**2


def before() -> LineMemoryProfile:
    lines = cell_lines("a = load()\nb = a * 2\ndel a", {1: (1, 30, 30, 30), 2: (1, 30, 30, 60), 3: (1, -20, -20, 0)})
    return line_profile(lines)


def after() -> LineMemoryProfile:
    source = "<b>new</b> = 1\na = load()\na *= 2"
    lines = cell_lines(source, {1: (1, 0, 0, 0), 2: (1, 30, 30, 30), 3: (1, 0, 0, 1)}, "In [9]")
    return line_profile(lines, session=session(title="In [9]"), rss_end=130 * MIB, peak_rss=130 * MIB)


def table(**display: Any) -> TableView:
    (found,) = before().diff(after()).report(**display).parts
    assert isinstance(found, TableView)
    return found


def test_the_headline_has_the_change_of_the_whole() -> None:
    assert before().diff(after()).report().headline == (
        "Compared with In [7]: peak -130.0 MiB, from 160.0 MiB to 30.0 MiB; kept -10.0 MiB, from 40.0 MiB to 30.0 MiB"
    )


def test_new_and_gone_lines_are_marked_and_changes_are_signed() -> None:
    rows = {row.cells[-1].text: [cell.text for cell in row.cells] for row in table().rows}
    assert rows["a = load()"][:3] == ["1 → 2", "30.0 → 30.0", "0.0"]
    assert rows["b = a * 2"][:3] == ["2 gone", "30.0 → –", "-30.0"]
    assert rows["<b>new</b> = 1"][:3] == ["1 new", "– → 0.0", "0.0"]
    assert rows["del a"][:3] == ["3 gone", "-20.0 → –", "+20.0"]


def test_changes_below_the_noise_of_either_run_are_grey() -> None:
    assert [row.cells[2].muted for row in table().rows if row.cells[-1].text == "b = a * 2"] == [False]
    (noisy,) = before().diff(replace(after(), noise=40 * MIB)).report().parts
    assert all(cell.muted for row in noisy.rows for cell in row.cells[1:5])


def test_tables_are_sorted_and_cut_by_the_size_of_the_change() -> None:
    shown = table(sort="increment", rows=1)
    assert [row.cells[-1].text for row in shown.rows] == ["b = a * 2"]
    assert shown.footer == "4 lines not shown, which changed by +20.0 MiB themselves"
    assert len(table(hide_unchanged=True).rows) == 3


def test_a_function_in_which_nothing_changed_is_folded() -> None:
    (same,) = before().diff(before()).report().parts
    assert same.folded
    assert not table().folded
    assert before().diff(before()).report().headline.startswith("Compared with In [7]: peak as before")


def test_runs_without_a_common_line_say_so() -> None:
    other = line_profile(cell_lines("z = 1", {1: (1, 0, 0, 0)}), session=session(title="In [8]"))
    assert "In [7] and In [8] have no line in common" in before().diff(other).report().notes[0]


def test_runs_that_measured_different_things_say_so() -> None:
    heap_only = line_profile(cell_lines("a = load()", {}), heap_peak=1, heap_kept=1)
    assert any("measured different things" in note for note in before().diff(heap_only).report().notes)


def test_beside_an_earlier_run_the_ordinary_tables_are_folded_below() -> None:
    report = report_beside(after(), before())
    assert report.headline == after().report().headline
    tables = [part for part in report.parts if isinstance(part, TableView)]
    assert [part.folded for part in tables] == [False, True]
    assert text.render_report(report).count("Line Contents") == 2
    assert report_beside(after()) == after().report()
