"""A result with its controls, and the view that follows them.

    explorer = Explorer(profile)
    explorer.widget                     what is displayed
    explorer.text.value = "clean"       what a reader types; the view is drawn again

The view is the parts of the ordinary report: tables and plots as HTML, flame graphs
and graphs as widgets of their own. Where only a figure changes, no widget is made
anew, so that nothing jumps.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import ipywidgets

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.model.result import Result, result_of
from jupyter_profkit.model.timeline import MemoryTimeline
from jupyter_profkit.options.display import display_options
from jupyter_profkit.render import graph, html, tree
from jupyter_profkit.results import last
from jupyter_profkit.source import running_shell
from jupyter_profkit.views.beside import report_beside
from jupyter_profkit.views.narrow import Narrowed, Narrowing, hides_library, narrowed, without_empty_tables
from jupyter_profkit.views.report import GraphView, Report, TableView, TextView, TimelineView, TreeView, View
from jupyter_profkit.widgets.controls import ALL, labelled, option_controls, values_of, window_control
from jupyter_profkit.widgets.pictures import FlameWidget, GraphWidget, MannersWidget

__all__ = ["Explorer"]

_NOTHING: Final = ""
_open: weakref.WeakSet[Explorer] = weakref.WeakSet()
"""Those that are on a page: their results can be compared with others."""


class Explorer:
    """Controls on a result.

    Parameters
    ----------
    result : what is looked at.
    before : an earlier run to compare it with, at first.
    display : options of its magic as they are at first.
    """

    def __init__(self, result: Result, before: Result | None = None, display: Mapping[str, Any] | None = None) -> None:
        self.result = result
        self._lock = threading.RLock()
        self._drawing = False
        self._others: dict[str, Result] = {}
        self.options = option_controls(display_options(result.kind), display or {})
        if isinstance(result, MemoryTimeline) and result.main:
            self.options.insert(0, window_control(result.main[-1].time, (display or {}).get("window")))
        self.text = labelled(ipywidgets.Text, "Filter", "220px", placeholder="text in a row", continuous_update=True)
        self.own_code = ipywidgets.Checkbox(
            description="hide library code", indent=False, layout=ipywidgets.Layout(width="auto", margin="0")
        )
        self.compare = labelled(ipywidgets.Dropdown, "Compare with", "250px", options=[("nothing", _NOTHING)])
        self.status = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0", flex="1 1 150px", height="28px"))
        self.view = ipywidgets.VBox(layout=ipywidgets.Layout(width="100%", overflow="hidden"))
        self.bar = ipywidgets.Box(layout=ipywidgets.Layout(**_BAR))
        self.bar.add_class("jpk-controls")  # not printed
        self.head, self.foot = _html(), _html()
        parts = [MannersWidget(), self.head, self.bar, self.view, self.foot]
        self.widget = ipywidgets.VBox(parts, layout=ipywidgets.Layout(width="100%"))
        self._kinds: list[str] = []
        self._offer_others(before)
        self._build_bar()
        _open.add(self)
        self.widget.explorer = self  # lives as long as its widget
        self.refresh()

    # controls

    def _build_bar(self) -> None:
        whole = self._report(all_rows=True)
        controls = [*self._own_controls()]
        if any(isinstance(part, TableView) for part in whole.parts):
            controls.insert(0, self.text)
        if hides_library(whole):
            controls.append(self.own_code)
        if hasattr(type(self.result), "diff"):
            controls.append(self.compare)
        for control in controls:
            control.observe(self.refresh, "value")
        self.bar.children = [*controls, self.status]

    def _own_controls(self) -> Iterator[Any]:
        """Those of the result's own options."""
        for control in self.options:
            yield control.widget

    def _display(self, *, all_rows: bool = False) -> dict[str, Any]:
        return dict(values_of(self.options, all_rows=all_rows))

    def _narrowing(self) -> Narrowing:
        rows = next((control.widget.value for control in self.options if control.is_limit), ALL)
        return Narrowing(self.text.value, self.own_code.value, rows if isinstance(rows, int) else None)

    # other runs

    def _offer_others(self, before: Result | None = None) -> None:
        """Put the runs that this one can be compared with into the list; they are looked up by name."""
        before = before or self._others.get(self.compare.value)
        others: dict[str, Result] = {}
        for name, other in self._found(before):
            is_new = other is not self.result and all(known is not other for known in others.values())
            if is_new and other.kind == self.result.kind:
                others[name] = other
        self._others = others
        choices = [("nothing", _NOTHING), *((name, name) for name in others)]
        if list(self.compare.options) != choices:
            self.compare.options = choices  # chooses the first one
        self.compare.value = next((name for name, other in others.items() if other is before), _NOTHING)

    def _found(self, before: Result | None) -> Iterator[tuple[str, Result]]:
        """Results under the names by which a reader knows them."""
        namespace = getattr(running_shell(), "user_ns", {})
        for name, value in list(namespace.items()):
            found = None if name.startswith("_") else _result_in(value)
            if found is not None:
                yield f"{name}{_of(found)}", found
        for explorer in list(_open):
            yield f"the run of{_of(explorer.result) or ' another cell'}", explorer.result
        if before is not None:
            yield f"the earlier run{_of(before)}", before
        try:
            yield f"the latest run{_of(last(self.result.kind))}", last(self.result.kind)
        except ProfkitError:
            return

    # the view

    def refresh(self, _change: object = None) -> None:
        """Draw the view as the controls say; a fault is said beside them, and the view stays as it is."""
        with self._lock:
            if self._drawing:  # a control that was set by this very method
                return
            self._drawing = True
            try:
                self._offer_others()
                self._draw()
            except ProfkitError as error:
                self.say(str(error))
            except Exception as error:  # nobody sees what an observer raises
                if os.environ.get("PROFKIT_DEBUG"):
                    raise
                self.say(f"this view cannot be drawn: {type(error).__name__}: {error}")
            finally:
                self._drawing = False

    def _report(self, *, all_rows: bool = False) -> Report:
        before = self._others.get(self.compare.value)
        return report_beside(self.result, before, **self._display(all_rows=all_rows))

    def _draw(self) -> None:
        narrowing = self._narrowing()
        if narrowing.selects:
            found = without_empty_tables(narrowed(self._report(all_rows=True), narrowing))
        else:
            found = narrowed(self._report(), Narrowing())
        self.head.value = html.render_head(found.report)
        self._show(self._parts(found.report))
        self.foot.value = html.render_foot(found.report)
        self.say(_count(found) if narrowing.selects else "")

    def _parts(self, report: Report) -> list[View]:
        """What of a report follows the controls."""
        parts = (part for part in report.parts if not (isinstance(part, TimelineView) and part.small))
        return [piece for part in parts for piece in _with_its_words(part)]

    def _show(self, parts: list[View]) -> None:
        groups = list(_groups(parts))
        kinds = [_kind(group[0]) for group in groups]
        if kinds != self._kinds:
            earlier = self.view.children
            self.view.children = [_WIDGETS[kind]() for kind in kinds]
            self._kinds = kinds
            for widget in _all_within(*earlier):
                widget.close()
            for widget in self.view.children:
                self._listen(widget)
        for widget, group in zip(self.view.children, groups, strict=True):
            self._fill(widget, group)

    def _listen(self, widget: Any) -> None:
        """Called for each new widget of the view: a node that is clicked tells its neighbours."""
        if isinstance(widget, GraphWidget):
            widget.words = "Click a node to read who calls it and what it calls"
            widget.on_choose(lambda node: widget.set_trait("words", _neighbours(self._graph_view, node)))

    def _fill(self, widget: Any, parts: list[View]) -> None:
        match parts[0]:
            case TreeView() as view:
                widget.set_trait("label", view.alt)
                widget.set_trait("svg", tree.render_svg(view))
            case GraphView() as view:
                self._graph_view = view
                widget.set_trait("label", view.alt)
                widget.set_trait("svg", graph.render_svg(view))
            case _:
                widget.value = html.render_parts(parts)

    def close(self) -> None:
        """Take the controls off the page, and out of ipywidgets' registry, which would keep them and the result."""
        _open.discard(self)
        own = [option.widget for option in self.options]
        for widget in _all_within(self.widget, self.text, self.own_code, self.compare, self.status, *own):
            widget.close()
        self.widget.explorer = None

    def say(self, text: str) -> None:
        """Put a line beside the controls."""
        self.status.value = f'<span role="status" style="opacity:.85">{html.escape(text)}</span>'


def _all_within(*widgets: Any) -> list[Any]:
    """The models of `widgets`, with their children, styles and layouts, each once."""
    found: dict[int, Any] = {}
    waiting = list(widgets)
    while waiting:
        widget = waiting.pop()
        if widget is not None and id(widget) not in found:
            found[id(widget)] = widget
            waiting += [
                *getattr(widget, "children", ()),
                *(getattr(widget, name, None) for name in ("layout", "style")),
            ]
    return list(found.values())


def _neighbours(view: GraphView, node: int) -> str:
    """In words, the edges of a node: ``dumps: called by work (1,000× 9.1 ms); calls …``."""
    titles = {one.id: one.title for one in view.nodes}
    behind = [f"{titles[edge.source]} ({edge.label})" for edge in view.edges if edge.target == node]
    beyond = [f"{titles[edge.target]} ({edge.label})" for edge in view.edges if edge.source == node]
    told = [f"{verb} {', '.join(names)}" for verb, names in (("called by", behind), ("calls", beyond)) if names]
    return f"{titles.get(node, '')}: {'; '.join(told) or 'alone in this picture'}"


def _html() -> Any:
    return ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", margin="0"))


_BAR: Final = {
    "flex_flow": "row wrap",
    "align_items": "center",
    "grid_gap": "4px 16px",
    "margin": "4px 0",
    "width": "100%",
}
_WIDGETS: Final = {
    "html": _html,
    "tree": FlameWidget,
    "graph": GraphWidget,
}


def _with_its_words(part: View) -> Iterator[View]:
    """A picture that has a widget, between the words that a report has around it."""
    if not isinstance(part, TreeView | GraphView):
        yield part
        return
    if part.caption:
        yield TextView(part.caption, (), prose=True)
    yield part
    if isinstance(part, TreeView) and part.footer:
        yield TextView("", (part.footer,), prose=True)
    if part.words:
        yield TextView("The same in words", part.words, folded=True)


def _groups(parts: list[View]) -> Iterator[list[View]]:
    """Neighbours that are HTML together, the others one by one."""
    for kind, group in groupby(parts, _kind):
        if kind == "html":
            yield list(group)
        else:
            yield from ([part] for part in group)


def _kind(part: View) -> str:
    match part:
        case TreeView():
            return "tree"
        case GraphView():
            return "graph"
        case _:
            return "html"


def _result_in(value: object) -> Result | None:
    """The result that a variable holds, or the ``with`` block in it, if that is over."""
    try:
        found = result_of(value)
    except ProfkitError:
        return None
    return found if isinstance(found, Result) else None


def _of(result: Result) -> str:
    session = getattr(result, "session", None)
    return f" ({session.title})" if session is not None else ""


def _count(found: Narrowed) -> str:
    return f"{found.n_rows:,} of {found.n_all:,} rows"
