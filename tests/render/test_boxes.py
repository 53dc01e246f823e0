"""Boxes as SVG and PNG: everything is drawn, nothing overlaps, whatever the labels hold."""

from __future__ import annotations

import itertools
import struct
import xml.dom.minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.layout.boxes import Arrow, Dot, Rect, sketch
from jupyter_profkit.render.boxes import render_panels, render_png, render_svg
from jupyter_profkit.render.html import render_report
from jupyter_profkit.render.mimebundle import MAX_BYTES, mimebundle
from jupyter_profkit.views.report import Box, BoxesView, BoxPanel, BoxRow, Report
from tests.layout.test_dot_language import HOSTILE
from tests.sanitizer import Sanitized

NAMES = Box(-1, "Variables", (BoxRow("a", target=0), BoxRow("b", target=0), BoxRow("n", "3")), role="variables")
LIST = Box(0, "list", (BoxRow("0", "1"), BoxRow("1", target=1), BoxRow("2", target=0, mark="new")))
CELLS = Box(1, "list", (BoxRow("0", "2"), BoxRow("1", "3", mark="changed")), across=True)
BACK = Box(2, "Node", (BoxRow("up", target=0),), mark="new")
BEFORE = BoxPanel("Before", (NAMES, LIST, CELLS))
AFTER = BoxPanel("After", (NAMES, LIST, CELLS, Box(3, "dict", (BoxRow("k", target=2),), "… 9 more"), BACK))
VIEW = BoxesView("", "a and b are the same list", (BEFORE, AFTER), ("a  → #1 list",))


def texts(svg: str) -> list[str]:
    document = xml.dom.minidom.parseString(svg.encode())
    return [element.firstChild.data for element in document.getElementsByTagName("text") if element.firstChild]


def test_every_name_value_and_mark_is_drawn():
    (_, before, _), (caption, after, _) = render_panels(VIEW)
    assert sorted(texts(before)) == sorted(
        ["Variables", "a", "b", "n", "3", "list", "0", "1", "1", "2", "new", "list", "0", "2", "1", "3", "changed"]
    )
    assert {"dict", "… 9 more", "Node", "up"} <= set(texts(after))
    assert caption == "After"
    assert texts(render_svg(VIEW)).count("list") == 4
    document = xml.dom.minidom.parseString(before.encode())
    assert len(document.getElementsByTagName("circle")) == len(document.getElementsByTagName("polygon")) == 4
    assert document.documentElement.getAttribute("aria-label") == VIEW.alt


def cards(view: BoxesView, panel: int) -> list[Rect]:
    return [shape for shape in sketch(view)[panel].shapes if isinstance(shape, Rect) and shape.role.startswith("card")]


def test_boxes_do_not_overlap_and_stand_at_one_place_in_all_panels():
    for one, other in itertools.combinations(cards(VIEW, 1), 2):
        apart = (
            one.x + one.width <= other.x or other.x + other.width <= one.x
            or one.y + one.height <= other.y or other.y + other.height <= one.y
        )  # fmt: skip
        assert apart
    assert [(card.x, card.y) for card in cards(VIEW, 0)] == [(card.x, card.y) for card in cards(VIEW, 1)][:3]


def test_arrows_begin_at_a_dot_in_their_slot_and_end_at_the_head_of_a_box():
    drawn = sketch(VIEW)[1]
    dots = [shape for shape in drawn.shapes if isinstance(shape, Dot)]
    arrows = [shape for shape in drawn.shapes if isinstance(shape, Arrow)]
    edges = {(card.x, card.y + 10) for card in cards(VIEW, 1)} | {
        (card.x + card.width, card.y + 10) for card in cards(VIEW, 1)
    }
    assert len(dots) == len(arrows) == 6
    for dot, arrow in zip(dots, arrows, strict=True):
        assert arrow.points[0] == (dot.x, dot.y)
        assert len(arrow.points) % 3 == 1
        assert any(abs(arrow.points[-1][0] - x) + abs(arrow.points[-1][1] - y) < 0.01 for x, y in edges)
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in arrow.points)


def test_text_fits_its_box():
    wide = BoxesView("", "", (BoxPanel("", (Box(0, "list" * 8, (BoxRow("a name", "a value" * 3, mark="changed"),)),)),))
    (card,) = cards(wide, 0)
    assert card.width >= (6 + 21) * 6.3 + 40


@given(st.lists(st.text(max_size=60), min_size=3, max_size=8))
def test_labels_of_any_kind_give_well_formed_inert_svg(labels):
    rows = tuple(BoxRow(label, label, number % 2) for number, label in enumerate(labels))
    boxes = (Box(0, labels[0], rows, labels[1]), Box(1, labels[2], rows[:1], across=True))
    document = xml.dom.minidom.parseString(render_svg(BoxesView("", labels[0], (BoxPanel(labels[1], boxes),))).encode())
    names = {element.tagName for element in document.getElementsByTagName("*")}
    assert names <= {"svg", "title", "style", "g", "rect", "path", "polygon", "circle", "text"}


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_png_is_whole_whatever_the_labels_hold(label):
    png = render_png(
        BoxesView("", label, (BoxPanel(label[:9], (Box(0, label[:60], (BoxRow(label[:60], label[:60]),)),)),))
    )
    assert png.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", png[16:24])) > 20


def test_the_report_is_static_and_readable_when_nobody_trusts_it():
    report = Report("%objrefs --teach", "`a` and `b` are the same list", (VIEW,))
    seen = Sanitized(render_report(report))
    assert [image["alt"] for image in seen.all("img")] == [f"Before: {VIEW.alt}", f"After: {VIEW.alt}"]
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in seen.all("img"))
    assert "`" not in seen.text
    assert "The same in words" in seen.text
    assert seen.count("code") == 2


def test_the_largest_picture_stays_within_a_report():
    rows = tuple(BoxRow("&" * 22, "<" * 26, mark="changed") for _ in range(10))
    boxes = tuple(Box(number, "&" * 40, rows) for number in range(24))
    view = BoxesView("", "large", (BoxPanel("Before", boxes), BoxPanel("After", boxes)), ("&" * 60,) * 500)
    bundle = mimebundle(Report("%objrefs", "large", (view,)))
    assert sum(len(form.encode()) for form in bundle.values()) <= MAX_BYTES
    assert "<img" in bundle["text/html"]
