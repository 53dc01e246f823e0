"""From the best layout to the last: programs that fail, hang, lie or are missing."""

from __future__ import annotations

import importlib.metadata
import os
import random
import signal
import stat
import sys
import sysconfig
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jupyter_profkit.errors import DrawingError
from jupyter_profkit.layout import ladder
from jupyter_profkit.layout.dot import RUNGS, Engine, EngineTimeoutError, Rung, find_engines, lay_out
from jupyter_profkit.layout.dot_language import to_dot
from jupyter_profkit.layout.drawing import clip
from jupyter_profkit.render import graph
from jupyter_profkit.views.report import GraphEdge, GraphNode, GraphView
from tests.dot_grammar import statements
from tests.hostile_text import HOSTILE

VIEW = GraphView("", "", (GraphNode(0, "list", "x"), GraphNode(1, "dict")), (GraphEdge(0, 1, "[0]"), GraphEdge(0, 0)))


def program(folder: Path, body: str, name: str = "dot") -> Engine:
    """An engine that is a small Python program."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Engine(name, str(path))


@pytest.mark.parametrize("engine", find_engines(), ids=lambda engine: engine.name)
@pytest.mark.parametrize("rung", RUNGS, ids=["full", "in haste", "without layers"])
def test_each_engine_lays_out_on_each_rung(engine, rung):
    drawing = lay_out(VIEW, engine, rung)
    assert [placed.node.id for placed in drawing.nodes] == [0, 1]
    assert all(0 < placed.x < drawing.width and 0 < placed.y < drawing.height for placed in drawing.nodes)
    assert drawing.engine.startswith(engine.name)


def test_graphviz_pure_is_found_with_an_empty_path(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert [engine.name for engine in find_engines()] == ["graphviz-pure"]
    assert ladder.draw(VIEW).engine == "graphviz-pure"


def test_graphviz_pure_is_found_by_its_metadata(monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/nowhere")
    monkeypatch.setenv("PATH", "")
    assert [engine.name for engine in find_engines()] == ["graphviz-pure"]


@pytest.fixture
def no_engines(monkeypatch):
    def not_installed(_):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/nowhere")
    monkeypatch.setattr(importlib.metadata, "files", not_installed)
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("no_engines")
def test_without_any_program_the_built_in_layout_draws():
    assert find_engines() == ()
    assert ladder.draw(VIEW).engine == "the built-in layout"
    assert ladder.paint_png(VIEW) is None


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(1)",
        "print('{}')",
        "print('not json')",
        'print(\'{"bb": "0,0,nan,1", "objects": []}\')',
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_a_program_that_fails_is_passed_over(tmp_path, monkeypatch, body):
    monkeypatch.setattr(ladder, "find_engines", lambda: (program(tmp_path, body),))
    assert ladder.draw(VIEW).engine == "the built-in layout"


def test_an_answer_counts_whatever_the_exit_code(tmp_path):
    (real, *_) = find_engines()
    body = f"import subprocess; subprocess.run([{real.path!r}, *sys.argv[1:]]); sys.exit(1)"
    assert len(lay_out(VIEW, program(tmp_path, body), RUNGS[0]).nodes) == 2


@pytest.mark.timeout(60)
def test_a_program_that_hangs_is_ended_and_the_next_rung_tried(tmp_path, monkeypatch):
    (real, *_) = find_engines()
    body = f"import subprocess\n'-Gnslimit=1' in sys.argv or time.sleep(60)\nsubprocess.run([{real.path!r}, *sys.argv[1:]])"
    quick = tuple(Rung(rung.arguments, rung.words, 1.0) for rung in RUNGS)
    monkeypatch.setattr(ladder, "RUNGS", quick)
    monkeypatch.setattr(ladder, "find_engines", lambda: (program(tmp_path, body), Engine("other", "/nowhere")))
    assert ladder.draw(VIEW).engine == "dot, in haste"


def test_the_time_limit_holds(tmp_path):
    with pytest.raises(EngineTimeoutError, match=r"more than 0\.3 s"):
        lay_out(VIEW, program(tmp_path, "time.sleep(60)"), Rung(seconds=0.3))


@pytest.mark.timeout(60)
@pytest.mark.skipif(os.name == "nt", reason="an interrupt is sent with pthread_kill")
def test_an_interrupt_ends_the_program_and_goes_on(tmp_path):
    mark = tmp_path / "pid"
    engine = program(tmp_path, f"import os; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    main = threading.main_thread().ident

    def interrupt():
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        lay_out(VIEW, engine, Rung(seconds=30))
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


@pytest.mark.timeout(60)
def test_a_graph_too_hard_for_graphviz_is_drawn_all_the_same(monkeypatch):
    chance = random.Random(1)
    nodes = tuple(GraphNode(number, "node") for number in range(300))
    edges = tuple(GraphEdge(chance.randrange(300), chance.randrange(300)) for _ in range(900))
    quick = tuple(Rung(rung.arguments, rung.words, 1.0) for rung in RUNGS)
    monkeypatch.setattr(ladder, "RUNGS", quick)
    assert len(ladder.draw(GraphView("", "", nodes, edges)).nodes) == 300


def test_nothing_to_draw_is_an_error():
    with pytest.raises(DrawingError, match="nothing to draw"):
        ladder.draw(GraphView("", "", (), ()))


@pytest.mark.parametrize(
    "engines", [*((one,) for one in find_engines()), ()], ids=lambda found: found[0].name if found else "built-in"
)
def test_each_engine_draws_any_label_as_text(engines, monkeypatch):
    monkeypatch.setattr(ladder, "find_engines", lambda: engines)
    nodes = tuple(GraphNode(number, text, text, "object") for number, text in enumerate(HOSTILE))
    edges = tuple(GraphEdge(0, number, text) for number, text in enumerate(HOSTILE))
    view = GraphView("", " ".join(HOSTILE[:3]), nodes, edges)
    found, arrows = statements(to_dot(view))
    assert [one["label"] for one in found.values()] == [
        f"{clip(text, 'title')}\n{clip(text, 'text')}" for text in HOSTILE
    ]
    assert [attributes["label"].strip() for _, _, attributes in arrows] == [
        clip(text, "edge").strip() for text in HOSTILE
    ]
    root = ET.fromstring(graph.render_svg(view))
    texts = {one.text for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {clip(text, part) for text in HOSTILE for part in ("title", "text", "edge")} <= texts
    assert root.get("aria-label").isprintable()
    assert graph.render_png(view).endswith(b"IEND\xaeB`\x82")
    assert all(tip.text for tip in graph.tips_of(view))
