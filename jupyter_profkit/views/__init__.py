"""From results to what the reader sees: one builder module for each kind of result.

    report_of(profile, sort="peak")     Report

Builders choose, order, round and word; they never measure and never draw.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_profkit.model.result import Result
    from jupyter_profkit.views.report import Report

__all__ = ["report_of"]

_BUILDERS: Final = {
    "line_memory": "line_memory",
    "line_memory_comparison": "memory_comparison",
    "timeline": "timeline",
    "functions": "functions",
    "functions_comparison": "time_comparison",
    "statements": "statements",
    "call_graph": "call_graph",
    "references": "references",
    "object_boxes": "object_boxes",
    "type_counts": "references",
    "type_growth": "references",
    "holders": "objects",
    "leaks": "leaks",
    "namespace_memory": "objects",
}


def report_of(result: Result, **display: Any) -> Report:
    """The report of `result`; each builder module has a ``report(result, **display)``.

    Raises
    ------
    OptionError
        If a display option is unknown or its value is none it takes.
    """
    module = import_module(f"{__name__}.{_BUILDERS[result.kind]}")
    report: Report = module.report(result, **display)
    return report
