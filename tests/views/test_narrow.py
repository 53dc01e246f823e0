"""A report with less in it says what it left out."""

from __future__ import annotations

from jupyter_profkit.views.narrow import Narrowing, hides_library, narrowed, without_empty_tables
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, TreeBox, TreeView, Unit

COLUMNS = (Column("Time"), Column("Function", Unit.TEXT))


def table(*rows: tuple[str, str, str], **changes) -> TableView:
    """Rows of time, function, library."""
    made = tuple(Row((Cell(time), Cell(name)), library=library) for time, name, library in rows)
    return TableView("Functions", COLUMNS, made, **changes)


def names(report: Report) -> list[str]:
    return [row.cells[1].text for part in report.parts for row in part.rows]


def report(*parts) -> Report:
    return Report("%%cprofile", "1 s", parts)


FUNCTIONS = table(("3", "Model.clean", ""), ("2", "read_csv", "pandas"), ("1", "clean_up", ""), footer="9 others")


def test_a_text_is_looked_for_in_every_cell_in_small_and_capital_letters():
    assert names(narrowed(report(FUNCTIONS), Narrowing("CLEAN")).report) == ["Model.clean", "clean_up"]
    assert names(narrowed(report(FUNCTIONS), Narrowing(" 2 ")).report) == ["read_csv"]


def test_what_is_left_out_is_counted_before_what_the_table_itself_left_out():
    found = narrowed(report(FUNCTIONS), Narrowing("read"))
    assert found.report.parts[0].footer == "2 of 3 rows left out; 9 others"
    assert (found.n_rows, found.n_all) == (1, 3)


def test_a_text_that_no_row_has_leaves_an_empty_table_and_says_so():
    found = narrowed(report(FUNCTIONS), Narrowing("nothing like it"))
    assert found.report.parts[0].rows == ()
    assert found.report.parts[0].footer.startswith("3 of 3 rows left out")


def test_tables_of_which_nothing_is_left_go_as_long_as_another_stays():
    other = table(("9", "read_csv", ""))
    found = without_empty_tables(narrowed(report(FUNCTIONS, other), Narrowing("clean")))
    assert names(found.report) == ["Model.clean", "clean_up"]
    assert len(found.report.parts) == 1
    nothing = without_empty_tables(narrowed(report(FUNCTIONS, other), Narrowing("no such thing")))
    assert len(nothing.report.parts) == 2


def test_code_of_libraries_is_hidden_where_rows_say_whose_they_are():
    assert hides_library(report(FUNCTIONS))
    assert names(narrowed(report(FUNCTIONS), Narrowing(own_code=True)).report) == ["Model.clean", "clean_up"]
    assert not hides_library(report(table(("1", "clean", ""))))


def test_the_first_rows_are_those_of_the_rows_that_were_chosen():
    assert names(narrowed(report(FUNCTIONS), Narrowing("clean", rows=1)).report) == ["Model.clean"]


def test_without_a_wish_a_report_stays_as_it_is_but_for_second_orders():
    second = table(("1", "again", ""), folded=True, in_text=False)
    found = narrowed(report(FUNCTIONS, second), Narrowing())
    assert found.report.parts == (FUNCTIONS,)
    assert (found.n_rows, found.n_all) == (3, 3)


def test_what_a_hidden_library_called_moves_up_into_its_place():
    boxes = (
        TreeBox("In [1]", "", "1 s", 0.0, 1.0, 0, "whole"),
        TreeBox("main", "", "90 %", 0.0, 0.9, 1, "own"),
        TreeBox("[pandas] apply", "", "50 %", 0.0, 0.5, 2, "library"),
        TreeBox("[numpy] sort", "", "10 %", 0.4, 0.1, 3, "library"),
        TreeBox("callback", "", "30 %", 0.0, 0.3, 3, "own"),
        TreeBox("beside", "", "20 %", 0.6, 0.2, 2, "own"),
    )
    found = narrowed(report(TreeView("Flame graph", "", boxes)), Narrowing(own_code=True))
    assert {box.label: box.level for box in found.report.parts[0].boxes} == {
        "In [1]": 0,
        "main": 1,
        "callback": 2,
        "beside": 2,
    }
