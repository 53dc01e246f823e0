"""A reference graph with its controls: depth, neighbours, and more behind a node that is clicked.

What was recorded is shown in part without any object. Further on than that it goes
while the objects live in this process: they are found again, never kept alive, and
if one is gone that is said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

import ipywidgets

from jupyter_profkit.engines.reference_anchors import live_references
from jupyter_profkit.errors import ProfkitError, TargetError
from jupyter_profkit.model.references import ReferenceGraph
from jupyter_profkit.model.result import Result
from jupyter_profkit.views.beside import report_beside
from jupyter_profkit.views.report import Report
from jupyter_profkit.widgets.controls import labelled
from jupyter_profkit.widgets.explorer import Explorer
from jupyter_profkit.widgets.growing_graph import GrowingGraph
from jupyter_profkit.widgets.pictures import GraphWidget

__all__ = ["ReferenceExplorer"]

_DEEPEST: Final = 8
_MOST_NEIGHBOURS: Final = 50
_ON_DEPTH: Final = "Not followed beyond depth"
"""Begins a note that the control for it, and each click, would make wrong."""
_CLICK: Final = "Click an object to see what is behind it"
_RECORDED: Final = "what is behind it was not recorded, and its object cannot be reached from here"


class ReferenceExplorer(Explorer):
    """Controls on a reference graph.

    Parameters
    ----------
    result : the graph.
    before, display : as for every explorer; there is nothing to compare, and no option.
    """

    def __init__(
        self, result: ReferenceGraph, before: Result | None = None, display: Mapping[str, Any] | None = None
    ) -> None:
        self._graph = result
        self._live = live_references(result)
        self._recorded = (result.max_depth, _fan_out(result, self._live))
        self._growing = GrowingGraph(result, self._live.anchors if self._live is not None else ())
        depth, most = self._recorded
        self.depth = labelled(
            *(ipywidgets.BoundedIntText, "Depth", "110px"),
            min=1,
            max=max(depth, _DEEPEST) if self._live is not None else max(depth, 1),
            value=max(depth, 1),
            tooltip="references to follow",
        )
        self.neighbours = labelled(
            *(ipywidgets.BoundedIntText, "Neighbours", "150px"),
            min=1,
            max=max(most, _MOST_NEIGHBOURS) if self._live is not None else max(most, 1),
            value=max(most, 1),
            tooltip="shown of each object; the others are counted",
        )
        super().__init__(result, before, display)
        for control in (self.depth, self.neighbours):
            control.observe(self._walk_again, "value")

    def _own_controls(self) -> Iterator[Any]:
        yield self.depth
        yield self.neighbours

    def _report(self, *, all_rows: bool = False) -> Report:
        graph = self._growing.shown(self.depth.value, self.neighbours.value)
        notes = tuple(note for note in graph.method.notes if not note.startswith(_ON_DEPTH))
        return report_beside(dataclasses.replace(graph, method=dataclasses.replace(graph.method, notes=notes)))

    def _listen(self, widget: Any) -> None:
        if isinstance(widget, GraphWidget):
            widget.words = _CLICK
            widget.on_choose(self.choose)

    def _walk_again(self, _change: object) -> None:
        """Deeper, or wider, than what was recorded: walk again, if the objects are there."""
        self._tell(_CLICK)
        wanted = (self.depth.value, self.neighbours.value)
        if self._live is None or (wanted[0] <= self._recorded[0] and wanted[1] <= self._recorded[1]):
            return
        with self._lock:
            try:
                walk = self._live.again(*map(max, wanted, self._recorded))
            except ProfkitError as gone:
                self.say(str(gone))
                return
            self._recorded = tuple(map(max, wanted, self._recorded))
            method = dataclasses.replace(self._graph.method, notes=walk.notes)
            self._graph = dataclasses.replace(self._graph, method=method, nodes=walk.nodes, edges=walk.edges)
            self._live = dataclasses.replace(self._live, anchors=walk.anchors)
            self._growing = GrowingGraph(self._graph, walk.anchors)
        self.refresh()

    def choose(self, drawn: int) -> None:
        """What a click on a node does: show what is behind it, or hide that again."""
        with self._lock:
            node = self._growing.node(drawn)
            if node is None:
                self._tell("These are only counted; raise the number of neighbours to see more of them")
                return
            before = self._n_shown()
            try:
                words = self._turned(node)
            except ProfkitError as gone:
                words = f"{self._name(node)}: {gone}"
            self.refresh()
            change = self._n_shown() - before
            if not words:
                nothing = (
                    "all that is behind it is shown" if self._growing.n_neighbours(node) else "nothing is behind it"
                )
                words = f"{self._name(node)}: {f'{change} more shown' if change > 0 else nothing}"
            self._tell(words)
            self._focus(self._growing.drawn_as(node))

    def _turned(self, node: int) -> str:
        """Expand `node`, or collapse it; words on it, if there are any to say."""
        growing = self._growing
        if growing.is_expanded(node):
            growing.collapse(node)
            return f"{self._name(node)}: collapsed"
        growing.expand(node)
        if growing.describe(node).role == "holder":
            return f"{self._name(node)}: a name; nothing is drawn beyond it"
        if self._live is None:
            if not growing.n_neighbours(node):
                growing.collapse(node)
                raise TargetError(_RECORDED)
            return ""
        too_many = max(self.neighbours.value, 2 * growing.n_neighbours(node))
        try:
            growing.add(node, self._live.further(growing.anchor(node), too_many, growing.sources(node)))
        except ProfkitError:
            if not growing.n_neighbours(node):
                growing.collapse(node)
            raise
        return ""

    def _name(self, node: int) -> str:
        one = self._growing.describe(node)
        return " ".join(filter(None, (one.type, one.name or one.label)))

    def _n_shown(self) -> int:
        shown = self._growing.shown(self.depth.value, self.neighbours.value)
        return sum(node.role != "more" for node in shown.nodes)

    def _graphs(self) -> Iterator[GraphWidget]:
        return (widget for widget in self.view.children if isinstance(widget, GraphWidget))

    def _tell(self, words: str) -> None:
        for widget in self._graphs():
            widget.words = words

    def _focus(self, drawn: int) -> None:
        for widget in self._graphs():
            widget.focus = drawn


def _fan_out(graph: ReferenceGraph, live: Any) -> int:
    """How many neighbours one object has at most in the drawing."""
    if live is not None:
        return int(live.options.too_many)
    counts: dict[int, int] = {}
    for edge in graph.edges:
        node = edge.target if graph.back else edge.source
        counts[node] = counts.get(node, 0) + 1
    return max(counts.values(), default=1)
