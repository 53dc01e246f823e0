"""Reports as plain text: what a terminal, a log, a diff and a screen reader get.

    render_report(report, width=100)

Columns are aligned, nothing is left out that the HTML has but second orders of
the same rows, and control characters in anybody's source or names are made visible.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import IO

from jupyter_profkit.render.escaping import safe
from jupyter_profkit.render.ink import Ink, wants_colour
from jupyter_profkit.render.letters import cut
from jupyter_profkit.render.text_table import table_lines
from jupyter_profkit.render.timeline import sparkline
from jupyter_profkit.views.report import (
    BoxesView,
    GraphView,
    Report,
    TableView,
    TextView,
    TimelineView,
    TreeView,
    View,
)

__all__ = ["print_report", "render_report"]

_WIDEST = 160
_PLAIN = Ink()


def render_report(report: Report, width: int | None = None, ink: Ink = _PLAIN) -> str:
    """The whole report, lines no longer than `width` where the figures allow.

    Parameters
    ----------
    report : what to show.
    width : columns; the terminal's by default.
    ink : colours, for a terminal.
    """
    columns = width or min(shutil.get_terminal_size((120, 24)).columns, _WIDEST)
    blocks = ["\n".join(_heading(report, columns, ink))]
    blocks += ["\n".join(_part(part, columns, ink)) for part in report.parts if _is_shown(part)]
    if report.notes:
        blocks.append("\n".join(_paragraphs(report.notes, columns)))
    if report.method:
        method = _paragraphs([". ".join(report.method)], columns)
        blocks.append("\n".join(ink(line, "muted") for line in method))
    return "\n\n".join(block for block in blocks if block)


def print_report(report: Report, stream: IO[str] | None = None) -> None:
    """Print a report, coloured if `stream` (standard output) is a terminal that wants it."""
    stream = stream or sys.stdout
    print(render_report(report, ink=Ink(wants_colour(stream))), file=stream)


def _heading(report: Report, width: int, ink: Ink) -> Iterator[str]:
    yield ink(safe(report.title), "title")
    yield from (ink(line, "strong") for line in textwrap.wrap(safe(report.headline), width))
    if report.warning:
        yield from (ink(line, "warning") for line in textwrap.wrap(f"! {safe(report.warning)}", width))


def _is_shown(part: View) -> bool:
    return not isinstance(part, TableView) or part.in_text


def _part(part: View, width: int, ink: Ink) -> Iterator[str]:
    if part.caption:
        yield ink(cut(safe(part.caption), width), "strong")
    match part:
        case TableView():
            yield from table_lines(part, width, ink)
        case TextView():
            yield from _paragraphs(part.lines, width) if part.prose else _lines(part.lines, width)
        case TimelineView():
            yield from _timeline(part, width)
        case GraphView():
            yield from _lines(part.words, width)
        case BoxesView():
            yield from _lines(part.words, width)
        case TreeView():
            yield from _lines(part.words, width)
            yield from _paragraphs(filter(None, [part.footer]), width)


def _lines(lines: Iterable[str], width: int) -> Iterator[str]:
    return (cut(safe(line), width) for line in lines)


def _timeline(view: TimelineView, width: int) -> Iterator[str]:
    for curve in view.curves:
        strip = sparkline(curve.values, min(width - 2, 72))
        label = f"  {safe(curve.label)}" if len(view.curves) > 1 else ""
        yield cut(f"  {strip}{label}", width)
    yield from (f"  {line}" for line in textwrap.wrap(safe(view.alt), width - 2))


def _paragraphs(texts: Iterable[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(safe(text), width, initial_indent="", subsequent_indent="  ")
