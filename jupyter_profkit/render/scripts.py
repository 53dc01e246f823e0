"""The scripts that make pictures and tables live, as text: one source for reports where scripts run and for widgets.

    page_script("flame")        for a ``<script>`` in a report; an IIFE, small
    table_script()              the same for its tables
    widget_module("flame")      an ES module for anywidget

Nothing is needed to read a report: where no script runs, the ``<img>`` is there.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

__all__ = ["page_script", "table_script", "widget_module"]

_FOLDER: Final = Path(__file__).with_name("js")


def _source(name: str) -> str:
    return (_FOLDER / f"{name}.js").read_text(encoding="utf-8")


@functools.cache
def page_script(name: str) -> str:
    """The script that makes the pictures `name` of a page live, without what only its readers here need."""
    return _iife("picture", name, f"{name}_page")


@functools.cache
def table_script() -> str:
    """The script that sorts and filters the tables of a page."""
    return _iife("table")


def _iife(*parts: str) -> str:
    """Scripts that declare no global name, without comments and indentation."""
    lines = (line.strip() for part in parts for line in _source(part).splitlines())
    return "(()=>{" + "\n".join(line for line in lines if line and not line.startswith("//")) + "})()"


@functools.cache
def widget_module(name: str) -> str:
    """The module that draws the widget `name`."""
    parts = (f"{name}_widget",) if name == "manners" else ("picture", name, f"{name}_widget")
    return "\n".join(map(_source, parts))
