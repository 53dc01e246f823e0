"""Reports in text and HTML: complete, static, inert, bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.render import escaping, html, text
from jupyter_profkit.render.mimebundle import MAX_BYTES, mimebundle
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, TextView, Unit
from tests.sanitizer import KEPT, Sanitized

HOSTILE = "<script>alert(1)</script> $x^2$ \x1b[31mred\x00 \u202eabc\ud800 `*_[]&amp; \"'"


def table(n_rows: int = 3, source: str = "x = 1", **changes: object) -> TableView:
    columns = (Column("Line #"), Column("Peak", tip="MiB above the start"), Column("Line Contents", Unit.CODE))
    rows = tuple(
        Row((Cell(str(n)), Cell(f"{n}.0", bar=n / n_rows), Cell(f"{source}  # {n}")), strong=n == 2)
        for n in range(1, n_rows + 1)
    )
    return TableView(**{"caption": "In [7], MiB", "columns": columns, "rows": rows, **changes})  # type: ignore[arg-type]


def report(*parts: object, **changes: object) -> Report:
    fields = {
        "title": "%%memprofile  In [7]",
        "headline": "Peak 812.0 MiB above the start",
        "parts": parts or (table(),),
        "notes": ("A note.",),
        "method": ("measured exactly", "12 looks"),
        "warning": "stopped by ZeroDivisionError; the report is partial",
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def test_text_is_the_whole_report(golden) -> None:
    folds = (TextView("called by", ("a (3)", "b (1)"), folded=True),)
    full = report(
        table(footer="12 lines not shown"),
        TextView("Notes of old", ("one", "two")),
        table(caption="Another order", in_text=False),
        TableView(
            "Functions", (Column("ncalls"), Column("name", Unit.TEXT)), (Row((Cell("3"), Cell("f")), folds=folds),)
        ),
    )
    golden("report.txt", text.render_report(full, 80) + "\n")


def test_all_that_is_read_survives_an_untrusted_notebook() -> None:
    clean = Sanitized(html.render_report(report(table(footer="12 lines not shown"))))
    for words in (
        "Peak 812.0 MiB above the start",
        "partial",
        "A note.",
        "measured exactly",
        "12 lines not shown",
        "In [7], MiB",
    ):
        assert words in clean.text
    assert clean.count("tr") == 4
    assert clean.removed == {"style", "script"}
    bars = [
        attributes
        for attributes in clean.all("td")
        if "background-image:linear-gradient" in attributes.get("style", "")
    ]
    assert len(bars) == 3
    assert not any("var(" in attributes.get("style", "") for _, attributes in clean.tags)


def test_no_property_fixes_a_colour_that_a_theme_must_give() -> None:
    styles = [attributes.get("style", "") for _, attributes in Sanitized(html.render_report(report())).tags]
    assert not any("color:#" in style or "background:#" in style for style in styles)


@pytest.mark.parametrize(
    "place", ["title", "headline", "note", "warning", "method", "cell", "caption", "footer", "fold", "tip", "words"]
)
def test_hostile_text_is_inert_wherever_it_stands(place: str) -> None:
    row = Row(
        (Cell(HOSTILE if place == "cell" else "1"),), folds=(TextView(HOSTILE if place == "fold" else "", (HOSTILE,)),)
    )
    view = TableView(
        HOSTILE if place == "caption" else "", (Column("n", tip=HOSTILE if place == "tip" else ""),), (row,),
        HOSTILE if place == "footer" else "",
    )  # fmt: skip
    changes = {name: HOSTILE for name in ("title", "headline", "warning") if name == place}
    changes |= {"notes": (HOSTILE,)} if place == "note" else {}
    changes |= {"method": (HOSTILE,)} if place == "method" else {}
    shown = report(view, TextView("", (HOSTILE if place == "words" else "",)), **changes)
    bundle = mimebundle(shown)
    clean = Sanitized(bundle["text/html"])
    assert clean.removed == {"style", "script"}
    assert {tag for tag, _ in clean.tags} <= KEPT
    for form in (bundle["text/plain"], bundle["text/html"]):
        assert "\x1b" not in form
        assert "\x00" not in form
        assert "\u202e" not in form
        form.encode("utf-8")


def test_a_dollar_is_never_mathematics() -> None:
    shown = html.render_report(report(table(source="costs $5 and $6")))
    assert "mathjax_ignore" in shown
    assert "tex2jax_ignore" in shown
    said = shown.partition("</style>")[2].partition("<script>")[0]
    assert said.count("$") == said.count("<span>$</span>") > 0


@given(st.text())
def test_any_text_is_one_printable_line(value: str) -> None:
    assert escaping.safe(value).isprintable()


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_a_readers_text_comes_through_html_unchanged(value: str) -> None:
    assert Sanitized(f"<div>{html.escape(value)}</div>").text == escaping.safe(value)


@pytest.mark.parametrize(("n_rows", "length"), [(5_000, 20), (300, 4_000), (20_000, 130)])
def test_a_report_is_bounded_whatever_was_measured(n_rows: int, length: int) -> None:
    shown = report(table(n_rows, "x" * length), table(n_rows, "y" * length, folded=True), method=("m" * 100,))
    bundle = mimebundle(shown)
    assert sum(len(form.encode()) for form in bundle.values()) <= MAX_BYTES
    assert "more rows" in bundle["text/html"]


def test_the_text_of_a_report_cut_short_says_so() -> None:
    bundle = mimebundle(report(table(50_000, "x" * 100)))
    assert "more rows" in bundle["text/plain"]
    assert "# 2" in bundle["text/plain"]


def test_the_heaviest_rows_are_kept_when_a_report_is_cut() -> None:
    rows = tuple(Row((Cell(f"row {n}"),), strong=n == 4_000) for n in range(5_000))
    bundle = mimebundle(report(TableView("long", (Column("n"),), rows)))
    assert "row 4000" in bundle["text/plain"]
    assert "row 4000" in bundle["text/html"]


def test_a_figure_keeps_its_unit_and_nothing_is_wider_than_a_page() -> None:
    whole = '<span style="white-space:nowrap">{}</span>'
    assert escaping.prose("Peak 812.4 MiB; --no-heap hides 5 samples") == (
        f"Peak {whole.format('812.4 MiB')}; {whole.format('--no-heap')} hides 5 samples"
    )
    for wide in ("1" * 200 + " MiB", "--" + "a" * 200, "--" + "a-" * 200):
        assert escaping.prose(wide) == wide
    assert "<b>" not in escaping.prose("`<b>` 1 MiB --<b>")
