"""Graphs as SVG and PNG: well-formed whatever they hold, legible on white and on dark."""

from __future__ import annotations

import re
import struct
import xml.dom.minidom

import pytest

from jupyter_profkit.errors import DrawingError
from jupyter_profkit.layout import builtin
from jupyter_profkit.layout.dot import find_engines
from jupyter_profkit.layout.style import EDGE_COLOUR, LABEL_COLOUR, STYLES
from jupyter_profkit.render import graph
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView
from tests.layout.test_dot_language import HOSTILE, view_of

ROLES = GraphView(
    "",
    "x is referred to by 2 objects",
    tuple(GraphNode(number, "list", role, role) for number, role in enumerate(STYLES)),
    tuple(GraphEdge(number, 0, "[0]", dashed=number == 4) for number in range(1, 5)),
)


@pytest.fixture(params=["engine", "built-in"])
def any_engine(request, monkeypatch):
    if request.param == "built-in":
        monkeypatch.setattr(graph, "draw", builtin.lay_out)
        monkeypatch.setattr(graph, "paint_png", lambda _: None)


@pytest.mark.usefixtures("any_engine")
def test_hostile_labels_give_well_formed_inert_svg():
    svg = graph.render_svg(view_of(HOSTILE))
    document = xml.dom.minidom.parseString(svg.encode())
    names = {element.tagName for element in document.getElementsByTagName("*")}
    assert names <= {"svg", "title", "style", "g", "rect", "path", "polygon", "text"}
    assert not re.search(r"\son\w+=|href|url\(|@import", svg)


@pytest.mark.usefixtures("any_engine")
def test_every_node_edge_and_label_is_drawn():
    document = xml.dom.minidom.parseString(graph.render_svg(ROLES).encode())
    texts = [element.firstChild.data for element in document.getElementsByTagName("text")]
    assert sorted(texts) == sorted([*["list"] * 5, *STYLES, *["[0]"] * 4])
    assert len(document.getElementsByTagName("path")) == 4
    assert document.documentElement.getAttribute("aria-label") == ROLES.alt


@pytest.mark.usefixtures("any_engine")
def test_png_is_whole_and_transparent():
    png = graph.render_png(ROLES)
    assert png.startswith(b"\x89PNG")
    width, height, _, colour_type = struct.unpack(">IIBB", png[16:26])
    assert min(width, height) > 50
    assert colour_type in {4, 6} or b"tRNS" in png


def test_roles_differ_without_their_colours():
    document = xml.dom.minidom.parseString(graph.render_svg(ROLES).encode())
    outlines = set()
    for group in document.getElementsByTagName("g"):
        boxes = group.getElementsByTagName("rect")
        if boxes:
            shape = tuple(boxes[0].getAttribute(name) for name in ("rx", "stroke-width", "stroke-dasharray"))
            outlines.add((len(boxes), *shape))
    assert len(outlines) == len(STYLES)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_what_stands_on_the_page_is_legible_on_white_and_dark(page):
    assert contrast(LABEL_COLOUR, page) >= 4
    assert contrast(EDGE_COLOUR, page) >= 3


@pytest.mark.parametrize("role", STYLES)
def test_what_stands_in_a_box_is_legible(role):
    style = STYLES[role]
    assert contrast(style.ink, style.fill) >= 7
    assert contrast(style.soft_ink, style.fill) >= 4.5
    assert contrast(style.dark_ink, style.dark_fill) >= 7
    assert contrast(style.dark_soft_ink, style.dark_fill) >= 4.5


@pytest.mark.usefixtures("any_engine")
def test_every_node_has_a_tip_where_it_is_drawn():
    document = xml.dom.minidom.parseString(graph.render_svg(ROLES).encode())
    _, _, width, height = (float(number) for number in document.documentElement.getAttribute("viewBox").split())
    boxes = [
        [float(group.getElementsByTagName("rect")[-1].getAttribute(name)) for name in ("x", "y", "width", "height")]
        for group in document.getElementsByTagName("g")
        if group.getElementsByTagName("rect")
    ]
    tips = list(graph.tips_of(ROLES))
    assert [tip.text for tip in tips] == [f"list {role}" for role in STYLES]
    for tip, (x, y, across, down) in zip(tips, boxes, strict=True):
        assert (tip.left, tip.top) == pytest.approx((100 * x / width, 100 * y / height), abs=0.1)
        assert (tip.width, tip.height) == pytest.approx((100 * across / width, 100 * down / height), abs=0.1)


def test_it_is_said_who_drew_it():
    assert graph.drawn_by(ROLES) == find_engines()[0].name


def test_an_empty_graph_is_an_error():
    with pytest.raises(DrawingError):
        graph.render_svg(GraphView("", "", (), ()))
