"""Reports as plain text: what a terminal, a log, a diff and a screen reader get.

    render_report(report, width=100)

Columns are aligned, nothing is left out that the HTML has but second orders of
the same rows, and control characters in anybody's source or names are made visible.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import IO

from jupyter_profkit.render.escaping import safe
from jupyter_profkit.render.ink import Ink, wants_colour, width_of
from jupyter_profkit.render.letters import cut, wrap
from jupyter_profkit.render.sparkline import LEVEL, aligned_sparklines, sparkline
from jupyter_profkit.render.text_table import table_lines
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

_PROSE = 120
"""Columns of sentences where there is no terminal."""
_ENDLESS = 10_000
_PLAIN = Ink()


def render_report(report: Report, width: int | None = None, ink: Ink = _PLAIN) -> str:
    """The whole report.

    Parameters
    ----------
    report : what to show.
    width : columns of the terminal, which lines keep to where the figures allow. None for what is kept: a file,
        a log, a notebook. Nothing is cut there, and nothing depends on the window of the moment.
    ink : colours, for a terminal.
    """
    room, columns = width or _ENDLESS, width or _PROSE
    blocks = ["\n".join(_heading(report, room, columns, ink))]
    blocks += ["\n".join(_part(part, room, columns, ink)) for part in report.parts if _is_shown(part)]
    if report.notes:
        blocks.append("\n".join(_paragraphs(report.notes, columns)))
    if report.method:
        blocks.append("\n".join(ink(line, "muted") for line in _paragraphs(report.method, columns)))
    return "\n\n".join(block for block in blocks if block)


def print_report(report: Report, stream: IO[str] | None = None) -> None:
    """Print a report to `stream` (standard output), fitted to it and coloured if it is a terminal."""
    stream = stream or sys.stdout
    print(render_report(report, width_of(stream), Ink(wants_colour(stream))), file=stream)


def _heading(report: Report, room: int, width: int, ink: Ink) -> Iterator[str]:
    yield ink(cut(safe(report.title), room), "title")
    yield from (ink(line, "strong") for line in wrap(safe(report.headline), width))
    if report.warning:
        yield from _alarm(report.warning, width, ink)


def _alarm(sentence: str, width: int, ink: Ink) -> Iterator[str]:
    return (ink(line, "warning") for line in wrap(f"! {safe(sentence)}", width))


def _is_shown(part: View) -> bool:
    return not isinstance(part, TableView) or part.in_text


def _part(part: View, room: int, width: int, ink: Ink) -> Iterator[str]:
    if part.caption:
        yield ink(cut(safe(part.caption), room), "strong")
    match part:
        case TableView():
            yield from table_lines(part, room, ink)
        case TextView(alarm=True):
            first, *more = part.lines
            yield from _alarm(first, width, ink)
            yield from _words(more, part, room, width)
        case TextView():
            yield from _words(part.lines, part, room, width)
        case TimelineView():
            yield from _timeline(part, width)
        case GraphView():
            yield from _lines(part.words, room)
        case BoxesView():
            yield from _lines(part.words, room)
        case TreeView():
            yield from _lines(part.words, room)
            yield from _paragraphs(filter(None, [part.footer]), width)


def _words(lines: Iterable[str], view: TextView, room: int, width: int) -> Iterator[str]:
    return _paragraphs(lines, width) if view.prose else _lines(lines, room)


def _lines(lines: Iterable[str], width: int) -> Iterator[str]:
    return (cut(safe(line), width) for line in lines)


def _timeline(view: TimelineView, width: int) -> Iterator[str]:
    if len(view.curves) == 1:
        yield cut(f"  {sparkline(view.curves[0].values, min(width - 2, 72), LEVEL)}", width)
    else:
        yield from _timelines(view, width)
    yield from (f"  {line}" for line in wrap(safe(view.alt), width - 2))


def _timelines(view: TimelineView, width: int) -> Iterator[str]:
    labels = [safe(curve.label) for curve in view.curves]
    room = max(min(width - 4 - max(map(len, labels), default=0), 72), 16)
    for strip, label in zip(aligned_sparklines(view, room), labels, strict=True):
        yield cut(f"  {strip:{room}}  {label}", width)


def _paragraphs(texts: Iterable[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from wrap(safe(text), width, "  ")
