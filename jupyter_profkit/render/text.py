"""Reports as plain text: what a terminal, a log, a diff and a screen reader get.

    render_report(report, width=100)

Columns are aligned, nothing is left out that the HTML has but second orders of
the same rows, and control characters in anybody's source or names are made visible.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator

from jupyter_profkit.render.escaping import safe
from jupyter_profkit.render.timeline import sparkline
from jupyter_profkit.views.report import (
    BoxesView,
    GraphView,
    Report,
    Row,
    TableView,
    TextView,
    TimelineView,
    TreeView,
    Unit,
    View,
)

__all__ = ["render_report"]

_GAP = "  "
_WIDEST = 160


def render_report(report: Report, width: int | None = None) -> str:
    """The whole report, lines no longer than `width` where the figures allow.

    Parameters
    ----------
    report : what to show.
    width : columns; the terminal's by default.
    """
    columns = width or min(shutil.get_terminal_size((120, 24)).columns, _WIDEST)
    blocks = [_heading(report, columns)]
    blocks += ["\n".join(_part(part, columns)) for part in report.parts if _is_shown(part)]
    if report.notes:
        blocks.append("\n".join(_paragraphs(report.notes, columns)))
    if report.method:
        blocks.append("\n".join(_paragraphs([". ".join(report.method)], columns)))
    return "\n\n".join(block for block in blocks if block)


def _heading(report: Report, width: int) -> str:
    lines = [safe(report.title), *textwrap.wrap(safe(report.headline), width)]
    if report.warning:
        lines += textwrap.wrap(f"! {safe(report.warning)}", width)
    return "\n".join(lines)


def _is_shown(part: View) -> bool:
    return not isinstance(part, TableView) or part.in_text


def _part(part: View, width: int) -> Iterator[str]:
    if part.caption:
        yield safe(part.caption)
    match part:
        case TableView():
            yield from _table(part, width)
        case TextView():
            yield from _paragraphs(part.lines, width) if part.prose else map(safe, part.lines)
        case TimelineView():
            yield from _timeline(part, width)
        case GraphView():
            yield from (safe(line) for line in part.words)
        case BoxesView():
            yield from (safe(line) for line in part.words)
        case TreeView():
            yield from (safe(line) for line in (*part.words, *filter(None, [part.footer])))


def _timeline(view: TimelineView, width: int) -> Iterator[str]:
    for curve in view.curves:
        strip = sparkline(curve.values, min(width - 2, 72))
        yield f"  {strip}" + (f"  {safe(curve.label)}" if len(view.curves) > 1 else "")
    yield from (f"  {line}" for line in textwrap.wrap(safe(view.alt), width - 2))


def _table(view: TableView, width: int) -> Iterator[str]:
    texts = [[safe(cell.text) for cell in row.cells] for row in view.rows]
    widths = [max([len(column.title), *(len(row[n]) for row in texts)]) for n, column in enumerate(view.columns)]
    last = len(widths) - 1
    left = [column.unit is not Unit.NUMBER for column in view.columns]

    def line(cells: Iterable[str]) -> str:
        padded = (
            cell if n == last and left[n] else cell.ljust(widths[n]) if left[n] else cell.rjust(widths[n])
            for n, cell in enumerate(cells)
        )
        return _GAP.join(padded).rstrip()

    yield line(column.title for column in view.columns)
    yield "=" * min(width, max(40, sum(widths) + len(_GAP) * last))
    for row, cells in zip(view.rows, texts, strict=True):
        yield line(cells)
        yield from _folds(row)
    if view.footer:
        yield safe(view.footer)


def _folds(row: Row) -> Iterator[str]:
    for fold in row.folds:
        if not fold.folded:
            yield from (f"    {safe(text)}" for text in fold.lines)


def _paragraphs(texts: Iterable[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(safe(text), width, initial_indent="", subsequent_indent="  ")
