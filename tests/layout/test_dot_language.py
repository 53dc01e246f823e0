"""DOT text that Graphviz reads as it is meant."""

from __future__ import annotations

import json
import subprocess

import pytest

from jupyter_profkit.layout.dot import find_engines
from jupyter_profkit.layout.dot_language import to_dot
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView

HOSTILE = [
    '"] n9 [URL="javascript:alert(1)"]',
    "back\\slash\\",
    "\\N \\G \\l",
    "&amp; &lt;",
    "<b>bold</b>",
    "a\x00b\x01\ud800\n}",
    "x" * 100_000,
    "héllo ✓ 漢",
]


def view_of(texts, role="object") -> GraphView:
    nodes = tuple(GraphNode(number, text, text, role) for number, text in enumerate(texts))
    edges = tuple(GraphEdge(number, 0, text) for number, text in enumerate(texts))
    return GraphView("", "", nodes, edges)


def test_every_edge_is_a_statement_of_its_own_with_quoted_ids():
    lines = to_dot(view_of(["a", "b", "c"])).splitlines()
    assert [line.split(" [")[0].strip() for line in lines if "->" in line] == [
        '"n0" -> "n0"',
        '"n1" -> "n0"',
        '"n2" -> "n0"',
    ]


def test_nothing_that_makes_graphviz_look_elsewhere_is_written():
    text = to_dot(view_of(["URL", "image"]))
    attributes = {
        part.split("=")[0].strip(' "[') for line in text.splitlines() for part in line.split(" ") if "=" in part
    }
    assert not attributes & {"URL", "href", "image", "shapefile", "fontpath", "imagepath", "target"}


@pytest.mark.parametrize("engine", find_engines(), ids=lambda engine: engine.name)
def test_graphviz_gives_hostile_labels_back_unchanged(engine):
    text = to_dot(view_of(HOSTILE))
    answer = json.loads(subprocess.run([engine.path, "-Tjson0"], input=text.encode(), capture_output=True).stdout)
    assert len(answer["objects"]) == len(HOSTILE)
    assert len(answer["edges"]) == len(HOSTILE)
    assert not any("URL" in part for part in answer["objects"])
    assert len(text) < 10_000
