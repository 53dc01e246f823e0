"""Code in its colours: what is a text, a comment, a name, as the notebook's own editor shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.render import html
from jupyter_profkit.render.highlight import Painter
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit
from tests.sanitizer import Sanitized

SOURCE = ("%%memprofile", "def f(n):", '    """Two lines,', '    of "one" text."""', "    return n + 1  # done")


def classes(parts):
    return {text.strip(): kind for kind, text in parts if text.strip()}


def test_a_text_over_several_lines_is_known_as_one():
    assert Painter(SOURCE).line(3, SOURCE[3]) == [("s", SOURCE[3])]
    assert ("s", SOURCE[3]) not in Painter().line(None, SOURCE[3])


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("for x in range(3):", {"for": "k", "in": "k", "range": "nb", "3": "m"}),
        ("class A: pass", {"class": "k", "A": "nf", "pass": "k"}),
        ("y = not 'a'  # b", {"not": "k", "=": "o", "'a'": "s", "# b": "c"}),
        ("@cached", {"@cached": "nd"}),
    ],
)
def test_each_kind_of_word_has_its_class(code, kinds):
    assert kinds.items() <= classes(Painter((code,)).line(0, code)).items()


def test_a_magic_is_no_python():
    assert Painter(SOURCE).line(0, "%%memprofile --sort peak") == [("", "%%memprofile --sort peak")]
    assert Painter(SOURCE).line(1, SOURCE[1])[0] == ("k", "def")


def test_a_line_that_was_cut_keeps_its_colours_up_to_there():
    cut = Painter(SOURCE).line(4, "    return n + …")
    assert "".join(text for _, text in cut) == "    return n + …"
    assert {"return": "k", "+": "o", "…": ""}.items() <= classes(cut).items()
    assert Painter(SOURCE).line(4, f"{SOURCE[4]}  ← MemoryError")[-2:] == [("c", "# done"), ("", "  ← MemoryError")]


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))), max_size=5))
def test_no_letter_is_lost_whatever_the_source_is(lines):
    painter = Painter(lines)
    for number, line in enumerate(lines):
        assert "".join(text for _, text in painter.line(number, line)) == line


def table(*codes: str, source: tuple[str, ...] = (), **changes) -> str:
    rows = tuple(Row((Cell("1"), Cell(code)), line=n if source else None, **changes) for n, code in enumerate(codes))
    columns = (Column("Line #"), Column("Line Contents", Unit.CODE))
    return html.render_report(Report("t", "h", (TableView("c", columns, rows, source=source),)))


def test_the_classes_reach_an_untrusted_page():
    clean = Sanitized(table(*SOURCE, source=SOURCE))
    assert {"k", "s", "c", "o", "m"} <= {attributes.get("class", "") for attributes in clean.all("span")}
    assert all("highlight" in cell["class"] for cell in clean.all("td")[1::2])
    assert SOURCE[3] in clean.text


def test_names_have_the_face_of_code_and_not_its_colours():
    columns = (Column("Type", Unit.NAME), Column("Line Contents", Unit.CODE))
    view = TableView("c", columns, (Row((Cell("list"), Cell("del x"))),))
    name, code = Sanitized(html.render_report(Report("t", "h", (view,)))).all("td")
    assert "font-family:monospace" in name["style"]
    assert (name["class"], code["class"]) == ("jpk-c", "jpk-c highlight")
    assert '<span class="nb">list</span>' not in html.render_report(Report("t", "h", (view,)))


def test_a_remark_among_the_lines_is_not_read_as_code():
    rows = (Row((Cell("1"), Cell("x = 1")), line=0), Row((Cell(""), Cell("(waiting for a lock or a device)"))))
    view = TableView("c", (Column("Line #"), Column("Line Contents", Unit.CODE)), rows, source=("x = 1",))
    assert "(waiting for a lock or a device)</td>" in html.render_report(Report("t", "h", (view,)))


def test_a_long_line_goes_on_behind_its_own_indentation():
    shown = table("    result = " + " + ".join(f"part_{n}" for n in range(20)))
    assert "white-space:pre-wrap" in shown
    assert "text-indent:-62px" in shown
    assert "pre-wrap" not in table("short = 1").partition("</style>")[2]


def test_much_code_is_shown_without_colours():
    lines = tuple(f"x = {n}  # {'-' * 80}" for n in range(400))
    assert '<span class="c">' not in table(*lines, source=lines)


def test_a_heavy_row_is_marked_by_more_than_its_colour():
    heavy, light = table("x = 1", strong=True), table("x = 1")
    assert "border-left:3px" in heavy
    assert "<b>1</b>" in heavy
    assert "border-left:3px" not in light.partition("</style>")[2]


def test_no_indentation_stands_alone_between_tags():
    """nbconvert makes one blank of it."""
    shown = table("    return 1   # one", source=("    return 1   # one",))
    cell = shown.partition('highlight"')[2].partition(">")[2].partition("</td>")[0]
    assert '<span class="k">    return</span>' in cell
    assert ">  " not in cell.replace('<span class="k">    return', "").replace('<span class="c">   #', "")


def test_a_later_piece_of_a_line_has_the_colours_that_it_has_there():
    painter = Painter(['text = "one two three" + str(4)'])
    assert painter.line(0, 'text = "one two')[-1] == ("s", '"one two')
    assert painter.line(0, '        three" + str(4)')[:2] == [("", "        "), ("s", 'three"')]
