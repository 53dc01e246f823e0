"""Every report in every medium: as it was, and inert whatever its words are."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import re
import typing
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import wcwidth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.export import _WRITERS
from jupyter_profkit.export.json import _KINDS
from jupyter_profkit.layout import builtin
from jupyter_profkit.layout.dot_language import to_dot
from jupyter_profkit.render import boxes, graph, html, strip, text, timeline, tree
from jupyter_profkit.render.ink import _STYLES, Ink
from jupyter_profkit.render.mimebundle import mimebundle
from jupyter_profkit.views.report import BoxesView, GraphView, Report, TableView, TimelineView, TreeView, Unit, View
from tests.conftest import GOLDEN
from tests.dot_grammar import statements
from tests.sanitizer import KEPT, Sanitized
from tests.specimens import SPECIMENS

every_report = pytest.mark.parametrize("name", SPECIMENS)


@pytest.fixture(autouse=True)
def graphs_are_laid_out_alike_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "draw", functools.cache(builtin.lay_out))
    monkeypatch.setattr(graph, "paint_png", lambda _: None)


def pictures(report: Report) -> Iterator[str]:
    """Those of `report` as SVG; of a plot, which matplotlib draws, the strip that stands for it."""
    for part in report.parts:
        match part:
            case TimelineView():
                yield strip.render_svg(part)
            case GraphView():
                yield graph.render_svg(part)
            case TreeView():
                yield tree.render_svg(part)
            case BoxesView():
                yield boxes.render_svg(part)


# As it was


def readable(page: str) -> str:
    """HTML in lines, without what all reports share; a style is told once, at the end."""
    page = re.sub(r"<(style|script)>.*?</\1>", r"<\1>…</\1>", page, flags=re.DOTALL)
    page = re.sub('base64,[^"]+', "base64,…", page)
    names: dict[str, str] = {}
    page = re.sub(' style="([^"]*)"', lambda found: f" {names.setdefault(found[1], _name_of(found[1]))}", page)
    page = re.sub(r"(?=<(?:div|table|caption|thead|tbody|tr|th|td|ul|li|details|img|pre|style|script)\b)", "\n", page)
    return f"{page.strip()}\n\n" + "".join(f"{name}  {style}\n" for style, name in names.items())


def _name_of(style: str) -> str:
    """The same one wherever the style is used, so that a new one changes no other line."""
    return f"#{zlib.crc32(style.encode()) & 0xFFFFF:05x}"


def in_lines(svg: str) -> str:
    svg = re.sub("<style>.*?</style>", "<style>…</style>", svg, flags=re.DOTALL)
    return svg.replace("><", ">\n<") + "\n"


@every_report
def test_text_is_what_it_was(golden, name) -> None:
    golden(f"{name}.txt", text.render_report(SPECIMENS[name].report(), 100) + "\n")


@every_report
def test_html_is_what_it_was(golden, name) -> None:
    golden(f"{name}.html", readable(html.render_report(SPECIMENS[name].report())))


@pytest.mark.parametrize("name", [name for name, specimen in SPECIMENS.items() if any(pictures(specimen.report()))])
def test_pictures_are_what_they_were(golden, name) -> None:
    golden(f"{name}.svg", "\n".join(map(in_lines, pictures(SPECIMENS[name].report()))))


def test_no_kind_of_result_and_no_kind_of_part_is_without_a_specimen() -> None:
    assert {type(specimen.result).kind for specimen in SPECIMENS.values()} | {"statements"} == set(_KINDS)
    parts = {type(part) for specimen in SPECIMENS.values() for part in specimen.report().parts}
    assert parts == set(typing.get_args(View))


def test_no_golden_file_is_left_of_a_report_that_is_gone() -> None:
    others = {"report", "memprofile-60", "memprofile-80"}
    assert {path.stem for path in GOLDEN.iterdir()} - others == set(SPECIMENS)


# In a terminal


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@every_report
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_lost(name, width) -> None:
    report = SPECIMENS[name].report()
    shown = text.render_report(report, width)
    assert max(map(wcwidth.wcswidth, shown.split("\n"))) <= width
    for part in report.parts:
        if isinstance(part, TableView) and part.in_text:
            numbers = [n for n, column in enumerate(part.columns) if column.unit is Unit.NUMBER]
            assert {row.cells[n].text for row in part.rows for n in numbers} <= figures_in(shown)


def figures_in(shown: str) -> set[str]:
    """One to three words that follow one another; a figure is no longer."""
    words = shown.split()
    return {""} | {" ".join(words[n : n + length]) for length in (1, 2, 3) for n in range(len(words))}


# Inert


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """matplotlib is slow, and what it paints is no text."""
    monkeypatch.setattr(timeline, "render_png", lambda _: b"PNG")


MARK = "FORGED"
FRAGMENTS = (
    f"</td></tr></table></pre></summary></div><script>{MARK}</script><img src=x onerror={MARK}>",
    f'" onmouseover="{MARK}" \' onclick=\'{MARK}\' style="background:url(//x)"',
    f"]]>--></title></text></style><style>*{{fill:red}}/*{MARK}*/</style>",
    "&lt;b&gt; &#60;i&#62; &amp;amp;",
    "$x^2$ \\(y\\) \\[z\\]",
    f"`**b** _i_` ![{MARK}](http://x) [{MARK}](javascript:{MARK})",
    f'"] n9 [URL="javascript:{MARK}"]; \\N \\G "',
    f"\x1b[31m\x1b]0;{MARK}\x07\x1b[2J",
    "\x9b31m\x9d0;\x9c\x85\x90",
    "\x00\x01\x08\x0b\x0c\x1c\x7f\ufffe\ufeff\ud800\udcff",
    "\u202e\u2066\u200f\u200b\u2028\u2029\u00ad",
    f"\r\n\n    {MARK}\n# {MARK}\n\n",
    "日本語 🐍 e\u0301 {} %s %(x)s {0.__class__}",
)
HOSTILE = " ".join(FRAGMENTS)
words = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=9), max_size=5).map(" ".join)

Place = tuple[str, str]
"""A class and a field of it."""


def poisoned(value: Any, poison: str, place: Place | None = None, at: Place = ("", "")) -> Any:
    """`value` with `poison` at the end of each text in it, or of those at one place alone."""
    if isinstance(value, str):
        return value + poison if place in {None, at} else value
    if isinstance(value, tuple):
        return tuple(poisoned(each, poison, place, at) for each in value)
    if not dataclasses.is_dataclass(value):
        return value
    changes = {
        field: poisoned(getattr(value, field), poison, place, (type(value).__name__, field))
        for field, hint in hints(type(value)).items()
        if any(places_by_type(hint))
    }
    return dataclasses.replace(value, **changes)


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    module = vars(__import__(kind.__module__, fromlist=["x"]))
    known = typing.get_type_hints(kind, module)
    return {field.name: known[field.name] for field in dataclasses.fields(kind) if field.init}


def places_by_type(hint: Any, at: Place = ("", ""), seen: frozenset[type] = frozenset()) -> Iterator[Place]:
    """Where there may be text in what `hint` is the type of."""
    if hint is str:
        yield at
    for each in typing.get_args(hint):
        yield from places_by_type(each, at, seen)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in seen:
        for field, inner in hints(hint).items():
            yield from places_by_type(inner, (hint.__name__, field), seen | {hint})


def places_in(value: Any, at: Place = ("", "")) -> Iterator[Place]:
    """Where there is text in `value`."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, tuple):
        for each in value:
            yield from places_in(each, at)
    elif dataclasses.is_dataclass(value):
        for field, hint in hints(type(value)).items():
            if any(places_by_type(hint)):
                yield from places_in(getattr(value, field), (type(value).__name__, field))


def test_every_text_that_a_result_or_a_report_can_hold_is_in_a_specimen() -> None:
    results = {place for kind in _KINDS.values() for place in places_by_type(kind)}
    views = set(places_by_type(Report))
    assert results == {place for each in SPECIMENS.values() for place in places_in(each.result)}
    assert views == {place for each in SPECIMENS.values() for place in places_in(each.report())}
    assert len(results) > 60
    assert len(views) > 30


class Markup(HTMLParser):
    """Every tag and attribute of a page, scripts' and styles' too."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


SPOKEN = {"title", "alt", "aria-label", "data-library"}
"""Attributes that hold words."""
SILENT = {"class", "style", "scope", "src", "role", "tabindex", "aria-level"}


def inert_text(shown: str) -> None:
    for line in shown.split("\n"):
        assert line.isprintable(), ascii(line)
        assert line.strip() != MARK


def inert_colours(shown: str) -> None:
    codes = "|".join({"0", *_STYLES.values()})
    inert_text(re.sub(rf"\x1b\[(?:{codes})m", "", shown))


def inert_html(page: str) -> None:
    inert_text(page.replace("\n", ""))
    clean, markup = Sanitized(page), Markup(page)
    assert clean.removed <= {"style", "script"}
    assert set(markup.tags) <= KEPT | {"style", "script"}
    assert markup.tags.count("style") <= 1
    assert markup.tags.count("script") <= 2
    for name, value in markup.attributes:
        assert name in SPOKEN | SILENT, name
        assert name in SPOKEN or MARK not in value, ascii(value)
        assert name != "src" or re.fullmatch(r"data:image/(png|svg\+xml);base64,[\w+/=]+", value)
    assert not re.search(r"\n[ \t]*\n", page), "in a Markdown document HTML ends at a blank line"
    said = re.sub(r"<(style|script)>.*?</\1>|src=\"[^\"]*\"|(title|alt|aria-label|data-library)=\"[^\"]*\"", "", page,
                  flags=re.DOTALL)  # fmt: skip
    assert said.count("$") == said.count("<span>$</span>")
    for picture in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
        inert_svg(base64.b64decode(picture).decode())


def inert_svg(svg: str) -> None:
    document = ET.fromstring(svg)
    for element in document.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in {"svg", "title", "style", "g", "rect", "path", "polygon", "text", "circle", "line", "tspan"}, tag
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)
        attributes = {name: value for name, value in element.attrib.items() if name != "aria-label"}
        assert MARK not in "".join(attributes.values())
        assert tag != "style" or MARK not in (element.text or "")
    inert_text(svg.replace("\n", ""))


def inert_dot(dot: str, view: GraphView) -> None:
    nodes, edges = statements(dot)
    assert (len(nodes), len(edges)) == (len(view.nodes), len(view.edges))
    for attributes in (*nodes.values(), *(edge[2] for edge in edges)):
        assert not {"URL", "href", "image", "target"} & set(attributes)
        assert MARK not in "".join(value for name, value in attributes.items() if name != "label")
    inert_text(dot)


def inert(report: Report) -> None:
    inert_text(text.render_report(report))
    inert_html(html.render_report(report))
    for svg in pictures(report):
        inert_svg(svg)
    for part in report.parts:
        if isinstance(part, GraphView):
            inert_dot(to_dot(part), part)


@pytest.mark.usefixtures("no_plots")
@every_report
def test_hostile_text_is_inert_in_every_field_of_every_result(name) -> None:
    specimen = SPECIMENS[name]
    for place in set(places_in(specimen.result)):
        inert(specimen.report(poisoned(specimen.result, HOSTILE, place)))


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("place", sorted(set(places_by_type(Report))), ids=".".join)
def test_hostile_text_is_inert_in_every_field_of_every_view(place) -> None:
    reports = [specimen.report() for specimen in SPECIMENS.values()]
    for report in sorted((report for report in reports if place in places_in(report)), key=_n_words)[:3]:
        inert(poisoned(report, HOSTILE, place))


def _n_words(report: Report) -> int:
    return sum(1 for _ in places_in(report))


@every_report
def test_hostile_text_everywhere_at_once_is_inert_in_every_bundle_and_file(name, tmp_path: Path) -> None:
    specimen = SPECIMENS[name]
    result = poisoned(specimen.result, HOSTILE)
    report = specimen.report(result)
    for width in (40, 72, 120):
        inert_text(text.render_report(report, width))
        inert_colours(text.render_report(report, width, Ink(on=True)))
    inert_html(html.render_report(report, plain=True))
    bundle = mimebundle(report)
    inert_text(bundle["text/plain"])
    inert_html(bundle["text/html"])
    for suffix, (kinds, _, _) in _WRITERS.items():
        if result.kind in kinds:
            with contextlib.suppress(ProfkitError):  # a format that this run has nothing for
                assert result.save(tmp_path / f"run{suffix}").stat().st_size > 0


@pytest.mark.usefixtures("no_plots")
@every_report
@given(words)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_text_everywhere_is_inert(name, poison) -> None:
    specimen = SPECIMENS[name]
    inert(poisoned(specimen.report(poisoned(specimen.result, poison)), poison))
