"""Graphviz as a program: found as a file, fed on its standard input, ended after a time.

    for engine in find_engines():
        drawing = lay_out(view, engine, RUNGS[0])

* ``dot`` of the system first, then ``graphviz-pure``, which is installed with this
  package. A kernel is often started by absolute path, so that the scripts beside its
  Python are not on PATH; there we look first.
* Layout in this process could not be interrupted, and Graphviz can take minutes for
  a few hundred crossing edges. A process can be killed: after the time limit, and
  when the user interrupts.
* Only positions are taken from it (``-Tjson0``); the picture is drawn by us. A
  finished answer counts, whatever the exit code.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_profkit.errors import DrawingError
from jupyter_profkit.layout.dot_language import to_dot
from jupyter_profkit.layout.drawing import Drawing, PlacedEdge, PlacedNode, Point, box_size
from jupyter_profkit.views.report import GraphView

__all__ = ["RUNGS", "Engine", "EngineTimeoutError", "Rung", "find_engines", "lay_out", "paint"]

_MARGIN: Final = 8.0


class EngineTimeoutError(DrawingError):
    """A program took longer than its rung allows."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that understands ``dot``'s options."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Rung:
    """One way of asking; the lower, the quicker and the plainer."""

    arguments: tuple[str, ...] = ()
    words: str = ""
    seconds: float = 5.0


RUNGS: Final = (
    Rung(),
    Rung(("-Gnslimit=1", "-Gnslimit1=1", "-Gmclimit=0.1", "-Gsplines=line"), ", in haste"),
    Rung(("-Ksfdp", "-Goverlap=scale", "-Gsplines=line"), ", without layers"),
)


def find_engines() -> tuple[Engine, ...]:
    """The programs that can be run here, the preferred one first."""
    found = []
    dot = shutil.which("dot")
    if dot is not None:
        found.append(Engine("dot", dot))
    pure = next(_places_of_pure(), None)
    if pure is not None:
        found.append(Engine("graphviz-pure", pure))
    return tuple(found)


def lay_out(view: GraphView, engine: Engine, rung: Rung) -> Drawing:
    """Where everything goes.

    Raises
    ------
    DrawingError
        If the program fails or gives no usable answer; `EngineTimeoutError` if it takes too long.
    """
    answer = _run(engine, rung, ("-Tjson0",), view)
    try:
        return _drawing(json.loads(answer), view, engine.name + rung.words)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DrawingError(f"{engine.name} gave no layout ({type(error).__name__})") from None


def paint(view: GraphView, engine: Engine, rung: Rung, dpi: float) -> bytes:
    """The graph as PNG, on a transparent ground, with `dpi` dots to an inch.

    Raises
    ------
    DrawingError
        As `lay_out`.
    """
    answer = _run(engine, rung, ("-Tpng", f"-Gdpi={dpi:.0f}"), view)
    if not (answer.startswith(b"\x89PNG") and answer.endswith(b"IEND\xaeB`\x82")):
        raise DrawingError(f"{engine.name} gave no PNG")
    return answer


def _places_of_pure() -> Iterator[str]:
    name = "graphviz-pure.exe" if os.name == "nt" else "graphviz-pure"
    candidates = [Path(sysconfig.get_path("scripts"), name), *_installed_files(name)]
    yield from (str(path) for path in candidates if path.is_file() and os.access(path, os.X_OK))
    on_path = shutil.which(name)
    if on_path is not None:
        yield on_path


def _installed_files(name: str) -> list[Path]:
    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == name]


def _run(engine: Engine, rung: Rung, output: tuple[str, ...], view: GraphView) -> bytes:
    try:
        process = subprocess.Popen(  # noqa: S603 - a program found above, fed with text of ours
            [engine.path, *rung.arguments, *output],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise DrawingError(f"{engine.name} cannot be run: {error.strerror or error}") from None
    with process:
        try:
            return process.communicate(to_dot(view).encode(), rung.seconds)[0]
        except subprocess.TimeoutExpired:
            raise EngineTimeoutError(f"{engine.name} took more than {rung.seconds:g} s") from None
        finally:
            if process.poll() is None:  # too slow, or the user interrupts: gone before we go on
                process.kill()
                process.wait()


def _drawing(answer: dict[str, Any], view: GraphView, engine: str) -> Drawing:
    """Our boxes and arrows at the places in Graphviz' JSON, whose y grows upward."""
    left, bottom, right, top = _numbers(answer["bb"])

    def place(point: Point) -> Point:
        return point[0] - left + _MARGIN, top - point[1] + _MARGIN

    names = {part["_gvid"]: part["name"] for part in answer["objects"]}
    at = {part["name"]: place(_point(part["pos"])) for part in answer["objects"]}
    arrows = {part["id"]: part for part in answer.get("edges", [])}
    nodes = tuple(PlacedNode(node, *at[f"n{node.id}"], *box_size(node)) for node in view.nodes)
    edges = []
    for number, edge in enumerate(view.edges):
        arrow = arrows[f"e{number}"]
        if (names[arrow["tail"]], names[arrow["head"]]) != (f"n{edge.source}", f"n{edge.target}"):
            raise ValueError("an edge between other nodes")
        points, tip = _spline(arrow["pos"])
        label_at = place(_point(arrow["lp"])) if "lp" in arrow else None
        edges.append(PlacedEdge(edge, tuple(map(place, points)), place(tip), label_at))
    return Drawing(right - left + 2 * _MARGIN, top - bottom + 2 * _MARGIN, nodes, tuple(edges), engine)


def _spline(text: str) -> tuple[list[Point], Point]:
    """The points of ``e,x,y x0,y0 x1,y1 …`` and its end."""
    first = text.partition(";")[0].split()
    tip = next((_point(part[2:]) for part in first if part.startswith("e,")), None)
    points = [_point(part) for part in first if part[0] not in "se"]
    if len(points) % 3 != 1:
        raise ValueError("a spline without its end")
    return points, tip or points[-1]


def _point(text: str) -> Point:
    x, y = _numbers(text)
    return x, y


def _numbers(text: str) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(text)
    return numbers
