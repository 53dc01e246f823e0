"""From the best layout that can be had down to the one that always works.

    ``dot`` on the PATH  →  ``graphviz-pure``  →  the built-in layout

each Graphviz first with all its care, then in haste. Nobody who lacks a program,
or has a graph that is too hard for it, is left without a picture.
"""

from __future__ import annotations

import functools
from typing import Final

from jupyter_profkit.errors import DrawingError
from jupyter_profkit.layout import builtin
from jupyter_profkit.layout.dot import RUNGS, Engine, EngineTimeoutError, Rung, find_engines, lay_out, paint
from jupyter_profkit.layout.drawing import Drawing
from jupyter_profkit.views.report import GraphView

__all__ = ["draw", "paint_png"]

_MAX_BUILTIN: Final = 400
"""Nodes; the built-in layout of more is no picture that anybody could read."""


def draw(view: GraphView) -> Drawing:
    """Where everything goes, by the best engine that manages.

    Raises
    ------
    DrawingError
        If there is nothing to draw, or it is too much for all of them.
    """
    if not view.nodes:
        raise DrawingError("there is nothing to draw")
    return _placed(view, find_engines())[0]


def paint_png(view: GraphView) -> bytes | None:
    """The graph as PNG from the engine that `draw` uses; None if that engine cannot paint."""
    if not view.nodes:
        raise DrawingError("there is nothing to draw")
    drawing, way = _placed(view, find_engines())
    try:
        return paint(view, *way, drawing.dpi) if way is not None else None
    except DrawingError:  # it could lay the graph out, so ours can paint it
        return None


@functools.lru_cache(maxsize=4)
def _placed(view: GraphView, engines: tuple[Engine, ...]) -> tuple[Drawing, tuple[Engine, Rung] | None]:
    """The layout, and how it was had; kept for the same picture in another format."""
    for rung in RUNGS:
        for engine in engines:
            if rung is RUNGS[-1] and engine.name != "dot":
                continue
            try:
                return lay_out(view, engine, rung), (engine, rung)
            except EngineTimeoutError:  # another program would be as slow; the next rung is quicker
                break
            except DrawingError:
                continue
    if len(view.nodes) > _MAX_BUILTIN:
        raise DrawingError(f"no layout engine could draw {len(view.nodes)} nodes; fewer can be drawn")
    return builtin.lay_out(view), None
