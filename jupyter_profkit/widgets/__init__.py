"""Results with controls: the same views as in the reports, drawn again as the controls say. Nothing runs again.

    explore(profile, sort="peak")           shows the report, then the controls under it
    show_controls(profile)                  the controls alone: the report is there already

* Controls are ipywidgets, made of the declarations of the magic's own options; a flame
  graph and a graph that can be clicked are anywidgets with the scripts in ``render/js``.
* The static report is an output of its own, and complete: when the kernel or the
  widget is gone, nothing is lost. A line says so, in an output of its own, too: a
  notebook that is trusted and reopened shows an error in place of a widget, whatever
  else that output holds. Living controls hide the line.
* Controls of a cell are closed when it runs again: ipywidgets would keep them.
* Front ends may call observers in any thread: a lock is held while a view is drawn,
  and no measuring engine is touched.

ipywidgets and anywidget are imported by the first use of this package, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_profkit.model.result import Result
from jupyter_profkit.source import running_shell

if TYPE_CHECKING:
    from jupyter_profkit.widgets.explorer import Explorer

__all__ = ["explore", "show_controls"]

_NO_KERNEL = (
    "jupyter_profkit: controls need a notebook (JupyterLab, Notebook, VS Code)\n"
    "  here the result's {how} shows it in other ways"
)
_WITHOUT = (
    "The controls of the report above live as long as its kernel; "
    "where they are gone, run the cell again to have them back."
)
_run_of: dict[str, tuple[str, list[Explorer]]] = {}
"""Of each cell, its latest run, and the controls that this has shown."""


def explore(result: Result, before: Result | None = None, **display: Any) -> None:
    """Show the report of `result`, then controls to look at it in other ways.

    Parameters
    ----------
    result : what was measured.
    before : an earlier run to compare it with.
    **display : how the report, and the controls at first, show it.
    """
    from IPython.display import display as show

    from jupyter_profkit.views.beside import report_beside

    show(report_beside(result, before, **display))
    show_controls(result, before, **display)


def show_controls(result: Result, before: Result | None = None, **display: Any) -> None:
    """Show controls under a report that is shown already; in a terminal, one line that says what to do."""
    if getattr(running_shell(), "kernel", None) is None:
        print(_NO_KERNEL.format(how=_without_controls(result)))  # noqa: T201
        return
    from IPython.display import display as show

    explorer = _explorer(result, before, display)
    _close_earlier(explorer)
    note = f'<div class="jpk-note" style="opacity:.8">{_WITHOUT}</div>'
    view = {"version_major": 2, "version_minor": 0, "model_id": explorer.widget.model_id}
    show({"text/html": note, "text/plain": _WITHOUT}, raw=True)
    show({"application/vnd.jupyter.widget-view+json": view, "text/html": "", "text/plain": ""}, raw=True)


def _close_earlier(explorer: Explorer) -> None:
    """Close the controls of earlier runs of the cell that shows `explorer`, if the front end says which cell it is."""
    request = running_shell().kernel.get_parent()
    cell, run = request.get("metadata", {}).get("cellId"), request.get("header", {}).get("msg_id")
    if cell is None:
        return
    latest, shown = _run_of.get(cell, (run, []))
    if latest != run:
        for one in shown:
            one.close()
        shown = []
    _run_of[cell] = (run, [*shown, explorer])


def _explorer(result: Result, before: Result | None, display: dict[str, Any]) -> Explorer:
    from jupyter_profkit.model.references import ReferenceGraph
    from jupyter_profkit.widgets.explorer import Explorer
    from jupyter_profkit.widgets.references import ReferenceExplorer

    if isinstance(result, ReferenceGraph):
        return ReferenceExplorer(result, before, display)
    return Explorer(result, before, display)


def _without_controls(result: Result) -> str:
    """What shows `result` with other options: ``.report(sort=…, rows=…)``."""
    from jupyter_profkit.options.display import display_options

    names = [option.name for option in display_options(result.kind)][:3]
    return f"report({', '.join(f'{name}=…' for name in names)})" if names else "report()"
