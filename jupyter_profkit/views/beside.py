"""The report of a run that is compared with an earlier one: its own headline, the comparison, then its own tables.

report_beside(profile, before, sort="peak")     Report; without `before`, the ordinary one
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jupyter_profkit.model.result import Result
from jupyter_profkit.views import report_of
from jupyter_profkit.views.report import Report, TableView, TextView, View

__all__ = ["report_beside"]


def report_beside(result: Result, before: Any = None, **display: Any) -> Report:
    """The report of `result`, with the change from `before` in front of its own tables, which are folded.

    Parameters
    ----------
    result : the later run.
    before : the earlier one, of the same kind; None for the ordinary report.
    **display : options of the result's magic that change what is shown.
    """
    report = report_of(result, **display)
    if before is None:
        return report
    comparison = report_of(before.diff(result), **display)
    said = TextView("", (comparison.headline,), prose=True)
    parts = (said, *comparison.parts, *(_folded(part) for part in report.parts))
    return replace(report, parts=parts, notes=(*comparison.notes, *report.notes))


def _folded(part: View) -> View:
    return replace(part, folded=True) if isinstance(part, TableView) else part
