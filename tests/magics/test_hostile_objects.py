"""Objects that resist being looked at, from the magic's text to the picture: each is drawn, quickly, and left alone."""

from __future__ import annotations

import gc
import json
import random
import re
import subprocess
import time
import types
import weakref
import xml.dom.minidom
from base64 import b64decode
from unittest.mock import MagicMock, Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_profkit.cells.object_boxes import draw_boxes
from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.layout import builtin
from jupyter_profkit.layout.dot import Engine, find_engines
from jupyter_profkit.layout.dot_language import to_dot
from jupyter_profkit.model.result import Result
from jupyter_profkit.render import graph as graph_renderer
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView

CONTROL = "\x00\x01\x1b[31m\ud800</svg><script>alert(1)</script>]]>&#0;"


def with_repr(answer: object, **attributes: object) -> object:
    """An object whose ``repr`` does something."""

    def answers(self: object) -> object:
        if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
            raise answer
        return answer() if callable(answer) else answer

    return type("Odd", (), {"__repr__": answers, **attributes})()


def failing_class(_: object) -> None:
    raise RuntimeError


def ring() -> list:
    made: list = []
    made.append(made)
    return made


HOSTILE = {
    "raises": lambda: with_repr(ValueError),
    "interrupts": lambda: with_repr(KeyboardInterrupt),
    "exits": lambda: with_repr(SystemExit),
    "is no text": lambda: with_repr(42),
    "sleeps": lambda: with_repr(lambda: time.sleep(60) or "late"),
    "is huge": lambda: with_repr(lambda: "x" * 200_000_000),
    "is dirty": lambda: with_repr(CONTROL),
    "has a dirty type": lambda: type(CONTROL.replace("\x00", "").replace("\ud800", ""), (), {})(),
    "fails for its class": lambda: with_repr("odd", __class__=property(failing_class)),
    "fails for any attribute": lambda: with_repr("odd", __getattribute__=failing_class),
    "is a mock": Mock,
    "is a magic mock": lambda: MagicMock(spec=dict),
    "has dirty keys": lambda: {CONTROL: CONTROL, (CONTROL,): 1},
    "is a dirty module": lambda: types.ModuleType("a\x01b"),
    "is a ring": ring,
}


def pictures(result: Result) -> list[str]:
    """The SVG documents in a result's HTML, and its own."""
    found = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", result._repr_mimebundle_()["text/html"])
    return [b64decode(text).decode() for text in found] + [result.to_svg()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("call_repr", [False, True])
def test_a_hostile_object_is_drawn(make, call_repr):
    obj = make()
    space = {"obj": obj, "held": [obj]}
    results = [
        draw_references([obj], namespace=space, call_repr=call_repr, sizes=True, refcounts=True, retained=True),
        draw_references([obj], namespace=space, back=True, call_repr=call_repr, max_depth=1),
        draw_boxes(space, namespace=space, call_repr=call_repr),
    ]
    for result in results:
        for svg in pictures(result):
            document = xml.dom.minidom.parseString(svg.encode())
            assert "script" not in {element.tagName for element in document.getElementsByTagName("*")}
        assert all(line.isprintable() for line in str(result.report()).splitlines())
        assert type(result).from_json(result.to_json()) == result


@pytest.mark.timeout(60)
def test_a_proxy_of_what_is_gone_is_drawn():
    obj = type("Short", (), {})()
    proxy = weakref.proxy(obj)
    del obj
    gc.collect()
    assert draw_references([proxy], namespace={}).nodes[0].type in {"weakproxy", "ProxyType"}
    assert pictures(draw_boxes({"proxy": proxy}, namespace={}))


def nested(depth: int) -> list:
    outer: list = []
    for _ in range(depth):
        outer = [outer]
    return outer


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "make",
    [lambda: list(range(1_000_000)), lambda: {n: [n] for n in range(1_000_000)}, lambda: nested(1_000_000)],
    ids=["a list of a million", "a dictionary of a million", "a million deep"],
)
def test_a_million_of_anything_gives_a_small_picture(make):
    obj = make()
    for result in (
        draw_references([obj], namespace={"obj": obj}, max_depth=30),
        draw_references([obj], namespace={"obj": obj}, back=True),
        draw_boxes({"obj": obj}, namespace={}),
    ):
        assert sum(len(form) for form in result._repr_mimebundle_().values()) < 200_000
    while type(obj) is list and obj and type(obj[0]) is list:
        obj = obj.pop()  # a deep nesting may not survive its own end


def test_a_view_says_what_its_base_takes():
    numpy = pytest.importorskip("numpy")
    base = numpy.zeros(1_000_000)
    found = draw_references([base[10:20]], sizes=True, retained=True, namespace={"base": base})
    view, owner = found.nodes
    assert (view.size < 1000, owner.name, owner.size > 8_000_000) == (True, "base", True)
    assert view.retained < 1000, "base is held by its variable, too"


# Pictures are well-formed whatever the labels hold

TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


def view_of(texts: list[str], seed: int) -> GraphView:
    chance = random.Random(seed)
    nodes = tuple(GraphNode(number, text, text[::-1]) for number, text in enumerate(texts))
    n = len(nodes)
    edges = tuple(GraphEdge(chance.randrange(n), chance.randrange(n), text) for text in texts)
    return GraphView(texts[0], texts[-1], nodes, edges, tuple(texts))


@given(st.lists(TEXT, min_size=1, max_size=6), st.integers(0, 99))
def test_the_built_in_layout_and_our_svg_take_any_label(texts, seed):
    view = view_of(texts, seed)
    drawing = builtin.lay_out(view)
    assert len(drawing.nodes) == len(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_renderer, "draw", lambda _: drawing)
        xml.dom.minidom.parseString(graph_renderer.render_svg(view).encode())


@pytest.mark.parametrize("engine", find_engines(), ids=lambda engine: engine.name)
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=6), seed=st.integers(0, 99))
def test_graphviz_reads_any_label_as_text(engine: Engine, texts: list[str], seed: int):
    view = view_of(texts, seed)
    run = subprocess.run([engine.path, "-Tjson0"], input=to_dot(view).encode(), capture_output=True, check=True)
    answer = json.loads(run.stdout)
    assert (len(answer["objects"]), len(answer["edges"])) == (len(view.nodes), len(view.edges))
    assert not any("URL" in part or "href" in part for part in (*answer["objects"], *answer["edges"]))
