"""Plots, graphs and flame graphs as files: PNG, SVG, and DOT for graphs."""

from __future__ import annotations

from pathlib import Path

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.call_graph import CallGraph
from jupyter_profkit.model.functions import TimeProfile
from jupyter_profkit.model.object_boxes import ObjectBoxes
from jupyter_profkit.model.references import ReferenceGraph
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.timeline import MemoryTimeline
from jupyter_profkit.render import boxes, graph, timeline, tree
from jupyter_profkit.views import report_of
from jupyter_profkit.views.report import BoxesView, GraphView, Report, TimelineView, TreeView

_Picture = TimelineView | GraphView | TreeView | BoxesView

__all__ = ["is_picture", "write_dot", "write_plot", "write_png", "write_svg", "write_view"]


def _picture(result: Result) -> _Picture:
    """The picture in the result's report; a flame graph as large as it is by itself."""
    report = result.flame() if isinstance(result, TimeProfile) else report_of(result)
    for part in report.parts:
        if isinstance(part, (TimelineView, GraphView, TreeView, BoxesView)):
            return part
    raise OptionError(f"there is nothing to draw in this {type(result).__name__}")


def write_png(result: MemoryTimeline | ReferenceGraph | CallGraph | ObjectBoxes, path: Path) -> None:
    """Write the plot or graph as PNG."""
    write_view(_picture(result), path, "png")


def write_svg(result: MemoryTimeline | ReferenceGraph | CallGraph | TimeProfile | ObjectBoxes, path: Path) -> None:
    """Write the plot, graph or flame graph as a standalone SVG document."""
    write_view(_picture(result), path, "svg")


def is_picture(path: str | Path) -> bool:
    """Whether a file of that name is one that a plot can be written to: ``.png`` or ``.svg``."""
    return Path(path).suffix.lower() in {".png", ".svg"}


def write_plot(report: Report, path: str | Path) -> Path:
    """Write the plot of a report on recordings of memory to a picture, and return its path."""
    target = Path(path).expanduser()
    (view,) = (part for part in report.parts if isinstance(part, TimelineView))
    write_view(view, target, target.suffix.lower().removeprefix("."))
    return target


def write_view(view: _Picture, path: Path, file_format: str) -> None:
    """Write a plot or graph as ``png`` or ``svg``; a flame graph as ``svg``."""
    if isinstance(view, TimelineView):
        path.write_bytes(timeline.render_figure(view, file_format))
    elif isinstance(view, TreeView):
        path.write_text(tree.render_svg(view), encoding="utf-8")
    elif isinstance(view, BoxesView):
        path.write_bytes(boxes.render_png(view) if file_format == "png" else boxes.render_svg(view).encode())
    elif file_format == "png":
        path.write_bytes(graph.render_png(view))
    else:
        path.write_text(graph.render_svg(view), encoding="utf-8")


def write_dot(result: ReferenceGraph | CallGraph, path: Path) -> None:
    """Write the graph in Graphviz' language."""
    path.write_text(result.to_dot(), encoding="utf-8")
