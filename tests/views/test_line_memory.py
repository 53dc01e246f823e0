"""What a reader of a line table sees, with the heap and without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile
from jupyter_profkit.model.timeline import ChildProcess
from jupyter_profkit.views.report import TableView, TreeView
from tests.builders import cell_lines, line_profile
from tests.timelines import timeline

MIB = 1024**2
SOURCE = """
%%memprofile
table = np.ones(n)
total = (table * 2).sum()
rows = [
    [0] * n for _ in range(8)
]
del table
"""
FIGURES = {2: (1, 60, 60, 60), 3: (1, 0, 0, 60), 4: (1, 40, 40, 40), 7: (1, -60, -60, 0)}
HEAP = {2: (60, 0), 3: (60, 0), 4: (0, 40)}


def with_heap(lines: FunctionLines, figures: dict[int, tuple[int, int]]) -> FunctionLines:
    """`lines` with bytes at the peak and bytes kept by line, MiB; a line that ran and has none has zeros."""
    records = []
    for record in lines.records:
        at_peak, kept = figures.get(record.lineno, (0, 0))
        if record.occurrences or at_peak or kept:
            record = replace(record, at_peak=at_peak * MIB, kept=kept * MIB)
        records.append(record)
    return replace(lines, records=tuple(records))


def profile(figures: Any = None, heap: Any = None, **changes: Any) -> LineMemoryProfile:
    lines = with_heap(cell_lines(SOURCE, FIGURES if figures is None else figures), HEAP if heap is None else heap)
    fields = {"peak_rss": 220 * MIB, "heap_peak": 120 * MIB, "heap_kept": 40 * MIB, "free_start": 0, "free_end": 0}
    return line_profile(lines, **{**fields, **changes})


def tables(shown: LineMemoryProfile, **display: Any) -> list[TableView]:
    return [part for part in shown.report(**display).parts if isinstance(part, TableView)]


def titles(shown: LineMemoryProfile) -> list[str]:
    return [column.title for column in tables(shown)[0].columns]


def notes(**changes: Any) -> str:
    return "\n".join(profile(**changes).report().notes)


def test_the_headline_has_both_halves() -> None:
    headline = profile().report().headline
    assert "Peak 120.0 MiB above the start, at In [7], line 2; 40.0 MiB kept" in headline
    assert "peak heap 120.0 MiB, kept heap 40.0 MiB" in headline


def test_columns_are_those_that_were_measured() -> None:
    lines = ["Mem usage", "Increment", "Self", "Peak"]
    assert titles(profile()) == ["Line #", *lines, "At peak", "Kept", "Occurrences", "Line Contents"]
    plain = line_profile(cell_lines(SOURCE, FIGURES))
    assert titles(plain) == ["Line #", *lines, "Occurrences", "Line Contents"]
    assert "heap" not in plain.report().headline
    assert titles(profile(figures={})) == ["Line #", "At peak", "Kept", "Line Contents"]


def test_without_an_exact_peak_there_is_no_column_for_it() -> None:
    assert "Peak" not in titles(profile(exact_peak=False))
    assert "At peak" in titles(profile(exact_peak=False))


@pytest.mark.parametrize(("key", "first"), [("at_peak", "2"), ("kept", "4"), ("increment", "2")])
def test_lines_are_sorted_by_the_heap_too(key: str, first: str) -> None:
    rows = tables(profile(), sort=key)[0].rows
    assert rows[0].cells[0].text == first
    assert len(rows) == 4


def test_a_line_that_only_has_something_on_the_heap_is_not_hidden() -> None:
    (table,) = tables(profile(figures={}), hide_unchanged=True)
    assert [row.cells[0].text for row in table.rows] == ["2", "3", "4"]


def test_the_rows_of_a_dataframe_name_the_heap() -> None:
    assert LineMemoryProfile.columns[-3:] == ("at_peak", "kept", "source")
    assert [row[-3:-1] for row in profile().rows()] == [
        (60 * MIB, 0), (60 * MIB, 0), (0, 40 * MIB), (0, 0),
    ]  # fmt: skip
    assert profile().kept == 40 * MIB
    assert line_profile(cell_lines(SOURCE, FIGURES)).kept is None


def test_where_both_halves_agree_there_is_no_note() -> None:
    assert notes() == ""


def test_memory_that_was_free_already_is_named_as_reused() -> None:
    assert "it reused memory that was freed before" in notes(
        peak_rss=180 * MIB, free_start=50 * MIB, figures={**FIGURES, 3: (1, 0, 0, 20)}
    )


def test_pages_that_nobody_touched_are_named() -> None:
    assert "its pages have not been touched yet" in notes(peak_rss=180 * MIB, figures={**FIGURES, 3: (1, 0, 0, 20)})


def test_memory_from_before_the_run_that_was_given_back_is_named() -> None:
    said = notes(rss_end=70 * MIB)
    assert "at least 70.0 MiB that were allocated before the run were given back in it" in said  # it keeps 40 itself
    assert "touched" not in said


def test_a_variable_that_is_bound_anew_gives_back_what_it_held() -> None:
    bound_anew = {2: (1, 0, 0, 60), 3: (1, 0, 0, 0), 4: (1, 0, 0, 0)}
    said = notes(figures=bound_anew, heap={2: (60, 60)}, heap_peak=60 * MIB, heap_kept=60 * MIB, rss_end=100 * MIB,
                 peak_rss=160 * MIB)  # fmt: skip
    assert "at least 60.0 MiB that were allocated before the run were given back in it" in said
    assert "touched" not in said


def test_two_variables_that_are_bound_anew_give_back_what_they_held() -> None:
    bound_anew = {2: (1, 0, 0, 30), 3: (1, 0, 0, 40), 4: (1, 0, 0, 0)}
    said = notes(figures=bound_anew, heap={2: (30, 30), 3: (40, 40)}, heap_peak=70 * MIB, heap_kept=70 * MIB,
                 rss_end=100 * MIB, peak_rss=140 * MIB)  # fmt: skip
    assert "at least 70.0 MiB that were allocated before the run were given back in it" in said
    assert "touched" not in said


def test_an_array_that_nobody_touched_is_not_taken_for_one_that_was_given_back() -> None:
    said = notes(figures={2: (1, 0, 0, 60), 4: (1, 0, 0, 0)}, heap={2: (60, 0), 4: (0, 60)}, heap_peak=60 * MIB,
                 heap_kept=60 * MIB, rss_end=100 * MIB, peak_rss=160 * MIB)  # fmt: skip
    assert "given back" not in said
    assert "60.0 MiB of the heap never became resident" in said


def test_of_sampled_lines_it_is_not_said_which_of_them_paid() -> None:
    figures = {2: (1, 60, 60, 60), 3: (1, 0, 0, 0), 4: (1, 0, 0, 0), 7: (1, 40, 40, 40)}
    shown = profile(figures=figures, rss_end=200 * MIB)
    assert "as line 7" in "\n".join(shown.report().notes)
    (lines,) = shown.functions
    sampled = replace(lines, records=tuple(replace(record, sampled=True) for record in lines.records))
    assert "line 7" not in "\n".join(replace(shown, functions=(sampled,)).report().notes)


def test_a_profile_function_that_hides_who_allocates_is_named() -> None:
    assert "profile function" not in notes(heap_kept=60 * MIB)
    lines = cell_lines(
        "import cProfile\nwith cProfile.Profile():\n    kept = work()", dict.fromkeys((1, 2, 3), (1, 0, 0, 0))
    )
    hidden = line_profile(lines, heap_peak=60 * MIB, heap_kept=60 * MIB, free_start=0, free_end=0)
    assert "such heap is on no line" in "\n".join(hidden.report().notes)


def test_what_the_allocator_keeps_is_named() -> None:
    said = notes(rss_end=170 * MIB, free_end=28 * MIB, figures={**FIGURES, 7: (1, -30, -30, 0)})
    assert "30.0 MiB stayed resident though it was freed" in said


def test_memory_that_is_no_heap_is_named() -> None:
    said = notes(rss_end=170 * MIB, figures={**FIGURES, 7: (1, -30, -30, 0)})
    assert "libraries and files that were loaded" in said


def test_a_line_whose_pages_are_touched_later_names_that_line() -> None:
    said = notes(figures={2: (1, 0, 0, 0), 3: (1, 60, 60, 60), 4: (1, 40, 40, 40)}, heap={2: (60, 60), 4: (0, 40)},
                 heap_kept=100 * MIB, rss_end=200 * MIB)  # fmt: skip
    assert "line 2: 60.0 MiB of its heap were not resident yet" in said
    assert "as line 3" in said


def test_a_line_that_reused_what_another_had_freed_says_so() -> None:
    said = notes(figures={2: (1, 60, 60, 60), 4: (1, 0, 0, 0)}, heap={2: (60, 0), 4: (0, 60)},
                 heap_peak=60 * MIB, heap_kept=60 * MIB, rss_end=160 * MIB)  # fmt: skip
    assert "line 4: 60.0 MiB of its heap cost nothing new; it reused memory that line 2 had freed" in said


def test_with_child_processes_the_halves_are_not_compared() -> None:
    curve = replace(timeline(), processes=(ChildProcess(4711, "worker"),))
    assert notes(rss_end=170 * MIB, timeline=curve) == (
        "resident memory is that of child processes, too; the heap columns are of this process alone"
    )


def test_of_two_lines_of_a_loop_it_is_not_said_which_came_first() -> None:
    said = notes(figures={2: (5, 0, 0, 0), 4: (5, 60, 60, 60)}, heap={2: (60, 60), 4: (0, 0)},
                 heap_peak=60 * MIB, heap_kept=60 * MIB, rss_end=160 * MIB)  # fmt: skip
    assert "line 2: 60.0 MiB of its heap cost nothing new; line 4 had freed it, or was the first to touch" in said


def test_address_space_that_was_mapped_directly_is_told() -> None:
    assert "1.00 GiB of address space were mapped directly" in notes(mapped=1024 * MIB)


def last_row(shown: LineMemoryProfile) -> dict[str, str]:
    """The last row of the first table, by column."""
    table = tables(shown)[0]
    return dict(
        zip((column.title for column in table.columns), (cell.text for cell in table.rows[-1].cells), strict=True)
    )


def test_what_belongs_to_no_line_is_a_row_and_the_columns_add_up() -> None:
    row = last_row(profile(heap={2: (60, 0), 3: (40, 0), 4: (0, 10)}, rss_end=150 * MIB))
    assert row["Line Contents"].startswith("⋯ other threads")
    assert (row["Increment"], row["Self"], row["At peak"], row["Kept"]) == ("10.0", "10.0", "20.0", "30.0")
    assert (row["Line #"], row["Peak"], row["Occurrences"]) == ("", "", "")


def test_without_a_residue_there_is_no_such_row() -> None:
    assert last_row(profile())["Line Contents"] == "del table"


def test_a_sampled_line_is_marked_and_a_note_says_what_that_means() -> None:
    lines = cell_lines("for i in range(n):\n    kept.append(i)", {1: (100_203, 10, 0, 0), 2: (100_201, 40, 40, 40)})
    records = tuple(replace(record, sampled=record.lineno == 2) for record in lines.records)
    shown = line_profile(replace(lines, records=records))
    row = last_row(shown)
    assert (row["Increment"], row["Self"], row["Peak"], row["Occurrences"]) == (
        "≈ 40.0",
        "≈ 40.0",
        "≈ 40.0",
        "≥ 100201",
    )
    assert "≈" not in "".join(cell.text for cell in tables(shown)[0].rows[0].cells)
    assert any("--exact" in note for note in shown.report().notes)


STACKS = CallTree(
    (
        Frame("table = load()", "cell", 2, "In [7]", is_user=True, children=(
            Frame("load", "cell", 9, "In [7]", is_user=True, weight=90 * MIB),
            Frame("read", "numpy/io.py", 0, "numpy", weight=30 * MIB),
        )),
    ),
    unit="bytes",
)  # fmt: skip


def test_the_flame_graph_of_the_heap_is_shown_when_asked_for() -> None:
    shown = profile(heap_stacks=STACKS)
    assert not any(isinstance(part, TreeView) for part in shown.report().parts)
    (tree,) = [part for part in shown.report(flame=True).parts if isinstance(part, TreeView)]
    assert tree.alt == "75 % of 120.0 MiB in table = load() → load"
    assert {box.label: box.width for box in tree.boxes} == {
        "In [7]": 1.0, "table = load()": 1.0, "load": 0.75, "[numpy] read": 0.25
    }  # fmt: skip
    assert "90.0 MiB" in "\n".join(tree.words)


def test_without_the_heap_there_is_no_flame_graph_and_a_note_says_why() -> None:
    plain = line_profile(cell_lines(SOURCE, FIGURES))
    assert any("no flame graph" in note for note in plain.report(flame=True).notes)


def test_calls_of_a_sampled_function_are_a_lower_bound() -> None:
    lines = cell_lines("def f():\n    return 1", {2: (1000, 0, 0, 0)}, "other.py")
    records = tuple(replace(record, sampled=record.lineno == 2) for record in lines.records)
    function = replace(lines, function="f", filename="other.py", n_calls=1000)
    assert tables(line_profile(function))[0].caption == "f() in other.py, 1000 calls, MiB"
    assert (
        tables(line_profile(replace(function, records=records)))[0].caption
        == "f() in other.py, at least 1000 calls, MiB"
    )


def strong_lines(figures: dict[int, tuple[int, float, float, float]], **run: Any) -> list[str]:
    source = "\n".join(f"x{n} = {n}" for n in range(1, 13))
    profiled = line_profile(cell_lines(source, figures), **run)
    return [row.cells[0].text for table in tables(profiled) for row in table.rows if row.strong]


def test_of_a_line_with_nine_tenths_and_ten_with_a_hundredth_only_the_first_stands_out() -> None:
    assert strong_lines({1: (1, 90, 90, 90), **dict.fromkeys(range(2, 12), (1, 1, 1, 1))}, peak_rss=200 * MIB) == ["1"]


def test_nothing_stands_out_where_nothing_was_taken() -> None:
    assert strong_lines(dict.fromkeys(range(1, 5), (1, 0.01, 0.01, 0.01)), peak_rss=100 * MIB, rss_end=100 * MIB) == []
