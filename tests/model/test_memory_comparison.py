"""Two memory profiles line beside line: what is matched, and what must hold for any two runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile, LineRecord
from jupyter_profkit.model.memory_comparison import LineMemoryComparison
from jupyter_profkit.model.timeline import MemoryTimeline
from tests.builders import cell_lines, line_profile

MIB = 1024**2
figure = st.none() | st.integers(-(10**9), 10**9)
texts = st.sampled_from(["a = f()", "    a = f()", "b = a * 2", "del a", "for x in y:"])


def _function(name: str, label: str, lines: list[Any]) -> FunctionLines:
    records = [
        LineRecord(n, text, 1, increment=own, self_increment=own, peak=own, kept=kept)
        for n, (text, own, kept) in enumerate(lines, 1)
    ]
    return FunctionLines(name, "file", label, tuple(records))


functions = st.builds(
    _function,
    st.sampled_from(["<module>", "f"]),
    st.sampled_from(["In [1]", "In [2]", "lib.py"]),
    st.lists(st.tuples(texts, figure, figure), max_size=6),
)
profiles = st.builds(
    lambda found, **fields: line_profile(*found, **fields),
    st.lists(functions, max_size=4),
    rss_end=st.integers(0, 10**9),
    noise=st.integers(0, 10**5),
    heap_peak=st.none() | st.integers(0, 10**9),
    heap_kept=st.integers(0, 10**9),
)


def changes(comparison: LineMemoryComparison, sign: int = 1) -> Counter[Any]:
    """The change of every line; with `sign` -1 as they are the other way round."""
    found: Counter[Any] = Counter()
    for change in comparison.changes:
        values = [change.change(figure) for figure in comparison.figures]
        before, after = (change.before, change.after)[::sign]
        signed = tuple(None if value is None else sign * value for value in values)
        found[(change.function, change.source.strip(), before, after, signed)] += 1
    return found


@given(profiles)
def test_a_run_beside_itself_has_not_changed(profile: LineMemoryProfile) -> None:
    comparison = profile.diff(profile)
    assert all(not change.status and change.before == change.after for change in comparison.changes)
    assert all(not change.change(figure) for change in comparison.changes for figure in comparison.figures)
    assert comparison.n_common == len(list(profile.lines()))


@given(profiles, profiles)
def test_there_and_back_is_the_same_with_the_sign_turned(a: LineMemoryProfile, b: LineMemoryProfile) -> None:
    assert a.diff(b).figures == b.diff(a).figures
    assert changes(a.diff(b)) == changes(b.diff(a), -1)


@given(profiles, profiles)
def test_every_line_is_there_once_and_the_changes_add_up(a: LineMemoryProfile, b: LineMemoryProfile) -> None:
    comparison = a.diff(b)
    lines = [change for change in comparison.changes if not change.is_residue]
    assert Counter(change.before for change in lines if change.before) == Counter(record for _, record in a.lines())
    assert Counter(change.after for change in lines if change.after) == Counter(record for _, record in b.lines())
    assert comparison.change == b.increment - a.increment
    if "self_increment" in comparison.figures:
        assert sum(change.change("self_increment") or 0 for change in comparison.changes) == comparison.change
    if "kept" in comparison.figures:
        assert sum(change.change("kept") or 0 for change in comparison.changes) == (b.kept or 0) - (a.kept or 0)


def placed(before: str, after: str) -> list[tuple[int | None, int | None]]:
    """The line numbers that stand beside each other, when every line of both cells ran."""
    profile, other = (
        line_profile(cell_lines(text, {n + 1: (1, 0, 0, 0) for n in range(text.count("\n") + 1)}, label))
        for text, label in ((before, "In [3]"), (after, "In [9]"))
    )
    return [
        (change.before and change.before.lineno, change.after and change.after.lineno)
        for change in profile.diff(other).changes
        if not change.is_residue
    ]


def test_a_line_that_was_put_in_is_new_and_the_others_line_up() -> None:
    assert placed("a = 1\nb = 2", "a = 1\nx = 0\nb = 2") == [(1, 1), (None, 2), (2, 3)]


def test_a_line_that_is_gone_stands_where_it_was() -> None:
    assert placed("a = 1\nx = 0\nb = 2", "a = 1\nb = 2") == [(1, 1), (2, None), (3, 2)]


def test_a_line_that_was_moved_or_put_into_a_block_is_the_same() -> None:
    assert placed("a = 1\nb = 2\nc = 3", "b = 2\nc = 3\nif b:\n    a = 1") == [(2, 1), (3, 2), (None, 3), (1, 4)]


def test_of_lines_that_say_the_same_the_nearest_context_counts() -> None:
    assert placed("x = 1\ndel x", "y = 0\ndel x\nx = 1\ndel x") == [(None, 1), (None, 2), (1, 3), (2, 4)]


def test_many_equal_lines_are_matched_one_by_one() -> None:
    before, after = "x += 1\n" * 400 + "y = x", "x += 1\n" * 300 + "y = x"
    pairs = placed(before, after)
    assert pairs[:300] == [(n, n) for n in range(1, 301)]
    assert pairs[300:400] == [(n, None) for n in range(301, 401)]
    assert pairs[400:] == [(401, 301)]


def test_a_function_of_the_notebook_is_the_same_whatever_cell_it_is_in() -> None:
    def run(cell: str, filename: str, peak: int) -> LineMemoryProfile:
        record = LineRecord(2, "return [0] * n", 1, peak=peak)
        return line_profile(FunctionLines("make", filename, cell, (record,)))

    change, _ = run("In [2]", "/tmp/1.py", 10).diff(run("In [5]", "/tmp/2.py", 30)).changes
    assert (change.label, change.status, change.change("peak")) == ("In [5]", "", 20)


def test_functions_of_one_name_in_two_files_are_two() -> None:
    record = LineRecord(2, "return 1", 1)
    one, two = (line_profile(FunctionLines("f", name, name, (record,))) for name in ("a.py", "b.py"))
    assert [change.status for change in one.diff(two).changes] == ["new", "gone", ""]


def test_only_what_both_runs_measured_is_compared() -> None:
    lines = cell_lines("a = 1", {1: (1, 0, 0, 0)})
    heap = line_profile(lines, heap_peak=MIB, heap_kept=MIB)
    plain = line_profile(lines)
    assert heap.diff(heap).figures == ("self_increment", "increment", "peak", "kept")
    assert heap.diff(plain).figures == ("self_increment", "increment", "peak")
    assert heap.diff(replace(heap, exact_peak=False)).figures == ("self_increment", "increment", "kept")


def test_a_comparison_has_a_dataframe_and_is_read_back() -> None:
    one = line_profile(cell_lines("a = 1\nb = 2", {1: (1, 5, 5, 5), 2: (1, 1, 1, 1)}))
    comparison = one.diff(line_profile(cell_lines("a = 1", {1: (1, 7, 7, 9)})))
    frame = comparison.to_dataframe().set_index("source")
    assert frame.loc["a = 1", "peak_change"] == 4 * MIB
    assert frame.loc["b = 2", "status"] == "gone"
    assert LineMemoryComparison.from_json(comparison.to_json()) == comparison


def test_a_profile_is_not_compared_with_anything_else() -> None:
    one = line_profile(cell_lines("a = 1", {}))
    with pytest.raises(OptionError, match="compared with another one, not with str"):
        one.diff("In [7]")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="not with MemoryTimeline"):
        one.diff(MemoryTimeline(one.session, one.method, ()))  # type: ignore[arg-type]
