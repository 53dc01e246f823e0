"""Two time profiles function beside function: what is matched, what is said, and what must hold for any two runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit import load
from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.functions import CallerRecord, FunctionRecord, RunFigures, StatementProfile, TimeProfile
from jupyter_profkit.model.session import Method
from jupyter_profkit.model.time_comparison import FunctionFigures, TimeComparison
from jupyter_profkit.render import text
from tests.builders import session


def record(
    name: str, ncalls: int, tottime: float, label: str = "In [7]", filename: str = "/tmp/1.py"
) -> FunctionRecord:
    return FunctionRecord(name, filename, 1, ncalls, ncalls, tottime, tottime, label=label, qualname=name)


def profile(*functions: FunctionRecord, title: str = "In [7]") -> TimeProfile:
    return TimeProfile(session(title=title), Method("a test's figures"), functions, StatementProfile((), 1.0))


eighths = st.integers(0, 80).map(lambda n: n / 8)  # added up without rounding
profiles = st.lists(
    st.builds(
        record,
        st.sampled_from(["f", "g", "<module>"]),
        st.integers(0, 100),
        eighths,
        st.sampled_from(["In [1]", "In [2]", "a.py"]),
    ),
    max_size=6,
).map(lambda functions: profile(*functions))


def changes(comparison: TimeComparison, sign: int = 1) -> Counter[Any]:
    return Counter(
        (
            change.function,
            change.label,
            (change.before, change.after)[::sign],
            *(sign * change.change(figure) for figure in ("ncalls", "tottime", "cumtime")),
        )
        for change in comparison.changes
    )


@given(profiles)
def test_a_run_beside_itself_has_not_changed(run: TimeProfile) -> None:
    assert all(not change.status for change in run.diff(run).changes)
    assert not any(change.change(figure) for change in run.diff(run).changes for figure in ("ncalls", "tottime"))


@given(profiles, profiles)
def test_there_and_back_is_the_same_with_the_sign_turned(a: TimeProfile, b: TimeProfile) -> None:
    assert changes(a.diff(b)) == changes(b.diff(a), -1)


@given(profiles, profiles)
def test_the_changes_add_up(a: TimeProfile, b: TimeProfile) -> None:
    found = a.diff(b).changes
    assert sum(change.change("tottime") for change in found) == b.tottime - a.tottime
    assert sum(change.change("ncalls") for change in found) == b.ncalls - a.ncalls


def test_a_function_of_the_notebook_is_the_same_in_another_cell_and_files_are_told_apart() -> None:
    before = profile(record("f", 1, 1.0, "In [2]"), record("g", 1, 0.5, "a.py", "/a.py"))
    after = profile(record("f", 3, 4.0, "In [5]", "/tmp/9.py"), record("g", 1, 0.5, "b.py", "/b.py"))
    found = [(change.function, change.label, change.status) for change in before.diff(after).changes]
    assert found == [("f", "notebook", ""), ("g", "a.py", "gone"), ("g", "b.py", "new")]
    assert before.diff(after).changes[0].change("tottime") == 3.0


def test_what_shows_the_last_value_is_one_function_and_the_sums_hold() -> None:
    hook = FunctionRecord("__call__", "/lib/IPython/core/displayhook.py", 9, 1, 1, 0.25, 2.0, label="IPython")
    by_hook = CallerRecord(hook.key, 5, 5, 0.5, 1.0)
    helper = FunctionRecord("format", "/lib/format.py", 3, 5, 5, 0.5, 1.0, callers=(by_hook,), label="format.py")
    comparison = profile(record("f", 1, 1.0)).diff(profile(record("f", 1, 1.0), hook, helper))
    (change,) = [change for change in comparison.changes if change.status]
    assert (change.function, change.after) == ("display of the last value", FunctionFigures(6, 0.75, 2.0))


def test_a_prof_file_is_compared_by_plain_names(tmp_path: Path) -> None:
    run = profile(FunctionRecord("fit", "/a.py", 3, 2, 2, 0.5, 0.5, label="/a.py", qualname="Model.fit"))
    earlier = load(run.save(tmp_path / "run.prof"))
    assert [(change.function, change.status) for change in earlier.diff(run).changes] == [("fit", "")]


def test_rows_are_bounded_and_the_rest_is_one_row_that_keeps_the_sum() -> None:
    before = profile(*(record(f"f{n}", 1, 0.0) for n in range(40)))
    after = profile(*(record(f"f{n}", 2, n / 4) for n in range(40)), title="In [9]")
    (table,) = before.diff(after).report().parts
    assert len(table.rows) == 31
    own = [float(row.cells[3].text) for row in table.rows]
    assert sum(own) == after.tottime
    assert sum(int(row.cells[1].text) for row in table.rows) == 40
    assert table.rows[-1].cells[-1].text == "⋯ 10 other functions"
    assert len(before.diff(after).report(limit=("5",)).parts[0].rows) == 6


def test_new_and_gone_functions_without_a_row_are_named() -> None:
    before = profile(*(record(f"f{n}", 1, 1.0) for n in range(9)), record("gone", 1, 0.0))
    after = profile(*(record(f"f{n}", 1, 2.0) for n in range(9)), *(record(f"new{n}", 1, 0.0) for n in range(7)))
    assert list(before.diff(after).report(limit=("9",)).notes) == [
        f"new, among those that have no row: {', '.join(f'notebook(new{n})' for n in range(5))} and 2 more",
        "gone, among those that have no row: notebook(gone)",
    ]
    assert not before.diff(after).report().notes


def test_the_headline_tells_calls_also_where_time_has_not_changed_and_no_spread_of_a_single_run() -> None:
    runs = tuple(RunFigures(2, seconds, seconds) for seconds in (1.0, 3.0))
    before = replace(profile(replace(record("f", 4, 4.0), runs=runs)), runs=(1.0, 3.0))
    assert before.diff(profile(record("f", 3, 2.5))).report().headline == (
        "Compared with In [7]: no change of time beyond the spread from run to run "
        "(2.00 s ± 1.41 s, then 2.50 s a run); +1 call, from 2 to 3 a run"
    )
    assert before.diff(profile(record("f", 2, 2.5))).report().headline.endswith("; 2 calls a run as before")


def test_a_value_that_was_displayed_once_is_compared_with_one_that_was_displayed_once() -> None:
    hook = FunctionRecord("__call__", "/lib/IPython/core/displayhook.py", 9, 1, 1, 0.5, 0.5, label="IPython")
    shown = tuple(RunFigures(n, seconds, seconds) for n, seconds in ((0, 0.0), (1, 0.5)))
    before = replace(profile(record("f", 2, 2.0), replace(hook, runs=shown)), runs=(1.0, 1.5))
    found = before.diff(profile(record("f", 1, 1.0), hook)).changes
    assert {change.function for change in found} == {"f", "display of the last value"}
    assert {change.change(figure) for change in found for figure in ("ncalls", "tottime", "cumtime")} == {0}


def test_new_and_gone_functions_are_marked_and_the_headline_has_the_whole() -> None:
    report = profile(record("old", 1, 2.0)).diff(profile(record("new", 3, 0.5), title="In [9]")).report()
    assert report.headline == "Compared with In [7]: -1.50 s, from 2.00 s to 500.0 ms; +2 calls, from 1 to 3"
    said = [[cell.text for cell in row.cells] for row in report.parts[0].rows]
    assert said[0][:4] + said[0][6:] == ["1 → –", "-1", "2.000000 → –", "-2.000000", "gone", "notebook(old)"]
    assert said[1][6:] == ["new", "notebook(new)"]
    assert "no function in common" in report.notes[0]
    assert "-2.000000" in text.render_report(report)


def test_a_comparison_has_a_dataframe_and_is_read_back() -> None:
    comparison = profile(record("f", 1, 2.0)).diff(profile(record("f", 2, 5.0)))
    assert comparison.to_dataframe().loc[0, "tottime_change"] == 3.0
    assert TimeComparison.from_json(comparison.to_json()) == comparison


def test_a_profile_is_not_compared_with_anything_else() -> None:
    with pytest.raises(OptionError, match="compared with another one, not with str"):
        profile().diff("In [7]")  # type: ignore[arg-type]
