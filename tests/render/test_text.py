"""Reports in a terminal: they fit, they are aligned, and they are coloured only where somebody sees it."""

from __future__ import annotations

import io
import re
import sys
import unicodedata

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.render import ink, letters, text
from jupyter_profkit.render.ink import Ink, wants_colour
from jupyter_profkit.views.report import Cell, Column, GraphView, Report, Row, TableView, TextView, Unit
from tests.views.test_line_memory import profile


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def columns(line: str) -> int:
    """By the letters' own East Asian width; nothing of ours is asked."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def names(*words: str, **changes) -> Report:
    rows = tuple(Row((Cell(word), Cell(f"{n}.0")), strong=n == 1) for n, word in enumerate(words))
    return Report("t", "h", (TableView("c", (Column("name", Unit.TEXT), Column("MiB")), rows, **changes),))


def table_of(shown: str) -> list[str]:
    lines = shown.splitlines()
    start = next(n for n, line in enumerate(lines) if set(line) == {"─"})
    return lines[start + 1 : lines.index("", start) if "" in lines[start:] else None]


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width):
    shown = text.render_report(profile().report(), width)
    assert max(map(columns, shown.splitlines())) <= max(width, 48)  # 48: the figures alone


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_report_says_all_that_a_wide_one_says(golden, width):
    shown = text.render_report(profile().report(), width)
    golden(f"memprofile-{width}.txt", shown + "\n")
    figures = re.findall(r"-?\d+\.\d", shown)
    assert sorted(figures) == sorted(re.findall(r"-?\d+\.\d", text.render_report(profile().report(), 160)))


def test_long_code_is_cut_where_the_terminal_ends():
    code = "value = " + " + ".join(f"part_{n}" for n in range(40))
    view = TableView("c", (Column("Line #"), Column("Line Contents", Unit.CODE)), (Row((Cell("1"), Cell(code))),))
    (line,) = table_of(text.render_report(Report("t", "h", (view,)), 60))
    assert line.endswith("…")
    assert columns(line) == 60


def test_wide_letters_are_aligned():
    lines = table_of(text.render_report(names("ab", "日本語", "🐍🐍", "e\u0301té"), 80))
    ends = {columns(unicodedata.normalize("NFC", line)) for line in lines}
    assert len(ends) == 1, lines


@given(st.text(st.sampled_from("ab日本🐍한\u1112\u1161\u11ab e\u0301\u20dd→…▸×é")))
def test_letters_have_the_width_that_terminals_give_them(value):
    assert letters.width(value) == wcwidth.wcswidth(value)


def test_a_heavy_row_has_a_mark():
    light, heavy = table_of(text.render_report(names("light", "heavy"), 80))
    assert heavy.startswith("▸ heavy")
    assert light.startswith("  light")


def test_preformatted_lines_are_cut_and_sentences_are_broken():
    words = tuple("word" * 30 for _ in range(2))
    report = Report(
        "t", "h", (TextView("", words), GraphView("", "a", (), (), words), TextView("", ("a b " * 40,), prose=True))
    )
    shown = text.render_report(report, 50)
    assert max(map(len, shown.splitlines())) <= 50
    assert shown.split().count("a") == shown.split().count("b") == 40


@given(st.text(), st.integers(0, 30))
def test_what_is_cut_fits(value, room):
    assert letters.width(letters.cut(value, room)) <= max(room, 0) or not letters.width(value)


@given(st.text(st.characters(codec="ascii")), st.integers(1, 30))
def test_nothing_that_fits_is_cut(value, room):
    assert letters.cut(value, room) == (value if len(value) <= room else value[: room - 1] + "…")


@pytest.mark.parametrize(
    ("environ", "is_terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_colour_is_for_those_who_see_it(environ, is_terminal, wanted):
    assert wants_colour(Terminal() if is_terminal else io.StringIO(), environ) is wanted


def test_colours_change_no_letter():
    report = profile().report()
    coloured = text.render_report(report, 100, Ink(on=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text.render_report(report, 100)


def test_hostile_text_brings_no_colour_of_its_own():
    shown = text.render_report(names("\x1b[31mred\x1b[0m", "\x9b31m", "\r\n\x07"), 80, Ink(on=True))
    bare = re.sub(r"\x1b\[(1|2|1;33|2;3|3[0-9])?(0)?m", "", shown)
    assert "\x1b" not in bare
    assert "\x9b" not in bare
    assert "\\x1b[31mred" in bare


def test_a_printed_report_is_coloured_in_a_terminal_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal, file = Terminal(), io.StringIO()
    text.print_report(profile().report(), terminal)
    text.print_report(profile().report(), file)
    assert "\x1b[1m" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()
    assert "\x1b" not in str(profile().report())


def test_a_notebook_keeps_no_colour(monkeypatch):
    class Kernels:
        colors = "linux"

    class TerminalInteractiveShell(Kernels): ...

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", Terminal())
    for shell, wanted in ((Kernels(), False), (None, False), (TerminalInteractiveShell(), True)):
        monkeypatch.setattr(ink, "running_shell", lambda shell=shell: shell)
        assert ("\x1b" in profile().report()._repr_mimebundle_()["text/plain"]) is wanted


def test_what_is_kept_depends_on_no_window(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    code = "value = " + " + ".join(f"part_{n}" for n in range(30))
    view = TableView("c", (Column("Line #"), Column("Line Contents", Unit.CODE)), (Row((Cell("1"), Cell(code))),))
    report = Report("t", "h", (view,))
    assert code in str(report)
    assert code in report._repr_mimebundle_()["text/plain"]


@given(st.text("ab 日本🐍", max_size=60), st.integers(8, 40))
def test_sentences_of_wide_letters_are_broken_where_they_fit_and_lose_nothing(sentence, room):
    lines = letters.wrap(sentence, room, "  ")
    assert all(columns(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == sentence.replace(" ", "")


def test_a_last_column_that_must_be_whole_goes_on_in_the_next_line():
    columns_ = (Column("Held by", Unit.TEXT), Column("What ends it", Unit.CODE, whole=True))
    free = "import sys; sys.last_exc = sys.last_value = sys.last_traceback = None"
    view = TableView("c", columns_, (Row((Cell("the last error"), Cell(free))), Row((Cell("x"), Cell("del x")))))
    for width in (40, 60, 80, 200):
        shown = text.render_report(Report("t", "h", (view,)), width)
        assert max(map(columns, shown.splitlines())) <= width
        assert "…" not in shown
        words = [word for line in table_of(shown) for word in line.split()]
        assert [word for word in words if word not in "the last error x".split()] == [*free.split(), "del"]


def test_words_give_way_before_the_titles_of_figures():
    view = TableView(
        "c", (Column("Value", Unit.TEXT), Column("Exclusive"), Column("Objects")),
        (Row((Cell("100,000 × 3 · also Out[12], _, _12"), Cell("1.5 MiB"), Cell("12"))),),
    )  # fmt: skip
    shown = text.render_report(Report("t", "h", (view,)), 50)
    assert "Exclusive  Objects" in shown
    assert "100,000 × 3 · also Out[…  " in shown


@pytest.mark.parametrize("other", ["word", "日本語"])
def test_a_figure_and_its_unit_stay_in_one_line(other):
    sentence = f"{other} 812.4 MiB {other} 61 % {other} 2.5 s {other} 30 µs {other} 5 samples"
    for room in range(16, 60):
        lines = letters.wrap(sentence, room)
        assert " ".join(lines) == sentence
        assert not any(line.startswith(("MiB", "%", "s ", "µs")) for line in lines)


def test_code_goes_on_behind_its_own_indentation():
    code = "    value = " + " + ".join(f"part_{n}" for n in range(12))
    table = TableView("c", (Column("Line #"), Column("Code", Unit.CODE, whole=True)), (Row((Cell("1"), Cell(code))),))
    first, *more = table_of(text.render_report(Report("t", "h", (table,)), 60))
    start = first.index("value")
    assert len(more) > 1
    assert {len(line) - len(line.lstrip()) for line in more} == {start + 4}
    assert " ".join(line.strip() for line in [first[start:], *more]) == code.strip()


def test_a_name_that_is_longer_than_its_line_gets_no_blank():
    code = "    " + "_".join(f"part{n}" for n in range(12))
    table = TableView("c", (Column("Line #"), Column("Code", Unit.CODE, whole=True)), (Row((Cell("1"), Cell(code))),))
    first, *more = table_of(text.render_report(Report("t", "h", (table,)), 50))
    assert first[first.index("part0") :] + "".join(line.strip() for line in more) == code.strip()


def test_a_title_and_a_footer_keep_to_the_terminal():
    table = TableView("c", (Column("n"),), (Row((Cell("1"),)),), footer="left out " * 12)
    lines = text.render_report(Report("%mprof_plot  " + "statement; " * 12, "h", (table,)), 60).splitlines()
    assert max(map(columns, lines)) <= 60
    assert lines[0].endswith("…")
    assert " ".join(" ".join(lines).split()).count("left out") == 12
