"""Cutting a report to a size: rows and long lines go, the heaviest rows stay, and it says so.

fitted(report, render_html, 110_000)      the longest rendering that fits
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jupyter_profkit.views.report import (
    Box,
    BoxesView,
    BoxPanel,
    GraphView,
    Report,
    Row,
    TableView,
    TextView,
    TreeView,
    View,
)
from jupyter_profkit.views.words import clip

__all__ = ["fitted"]

_STEPS = ((400, 300), (200, 200), (100, 160), (50, 120), (25, 100), (10, 80), (3, 40))
"""Rows of each table, and characters of each line."""


def fitted(report: Report, render: Callable[[Report], str], max_bytes: int) -> str:
    """What `render` makes of as much of `report` as fits into `max_bytes`."""
    rendered = render(report) if _n_rows(report) <= 2000 else ""
    for max_rows, max_characters in _STEPS:
        if rendered and len(rendered.encode()) <= max_bytes:
            break
        rendered = render(_trimmed(report, max_rows, max_characters))
    return rendered


def _n_rows(report: Report) -> int:
    return sum(len(part.rows) for part in report.parts if isinstance(part, TableView))


def _trimmed(report: Report, max_rows: int, max_characters: int) -> Report:
    def shortened(text: str) -> str:
        return clip(text, max_characters)

    return dataclasses.replace(
        report,
        headline=clip(report.headline, 300),
        parts=tuple(_trimmed_part(part, max_rows, shortened) for part in report.parts),
        notes=tuple(map(shortened, report.notes[:max_rows])),
    )


def _trimmed_part(part: View, max_rows: int, clip: Callable[[str], str]) -> View:
    match part:
        case TableView():
            return _trimmed_table(part, max_rows, clip)
        case TextView():
            return dataclasses.replace(part, lines=_trimmed_lines(part.lines, max_rows, clip))
        case BoxesView():
            panels = tuple(_trimmed_panel(panel, max_rows, clip) for panel in part.panels)
            return dataclasses.replace(part, panels=panels, words=_trimmed_lines(part.words, max_rows, clip))
        case GraphView() | TreeView():
            return dataclasses.replace(part, words=_trimmed_lines(part.words, max_rows, clip))
        case _:
            return part


def _trimmed_panel(panel: BoxPanel, max_rows: int, clip: Callable[[str], str]) -> BoxPanel:
    """As many boxes as there may be rows, with fewer slots the fewer there may be."""
    n_slots = max(3, max_rows // 20)

    def trimmed(box: Box) -> Box:
        rows = tuple(dataclasses.replace(row, text=clip(row.text), label=clip(row.label)) for row in box.rows[:n_slots])
        cut = len(rows) < len(box.rows)
        return dataclasses.replace(box, rows=rows, footer="… more, left out" if cut else box.footer)

    return dataclasses.replace(panel, boxes=tuple(map(trimmed, panel.boxes[:max_rows])))


def _trimmed_lines(lines: tuple[str, ...], max_rows: int, clip: Callable[[str], str]) -> tuple[str, ...]:
    more = (f"… {len(lines) - max_rows:,} more lines",) if len(lines) > max_rows else ()
    return (*map(clip, lines[:max_rows]), *more)


def _trimmed_table(table: TableView, max_rows: int, clip: Callable[[str], str]) -> TableView:
    kept = _weightiest(table.rows, max_rows)
    footer = table.footer
    if len(kept) < len(table.rows):
        cut = f"{len(table.rows) - len(kept):,} more rows, left out to keep the report small"
        footer = f"{footer}; {cut}" if footer else cut
    rows = tuple(_trimmed_row(row, max_rows, clip) for row in kept)
    return dataclasses.replace(table, rows=rows, footer=footer)


def _weightiest(rows: tuple[Row, ...], max_rows: int) -> tuple[Row, ...]:
    """The first rows, but the strong ones in any case; in their own order."""
    strong = {n for n, row in enumerate(rows) if row.strong}
    kept = sorted([*sorted(strong)[:max_rows], *(n for n in range(len(rows)) if n not in strong)][:max_rows])
    return tuple(rows[n] for n in kept)


def _trimmed_row(row: Row, max_rows: int, clip: Callable[[str], str]) -> Row:
    cells = tuple(dataclasses.replace(cell, text=clip(cell.text)) for cell in row.cells)
    folds = tuple(
        dataclasses.replace(fold, lines=_trimmed_lines(fold.lines, min(max_rows, 20), clip)) for fold in row.folds
    )
    return dataclasses.replace(row, cells=cells, folds=folds if max_rows > 50 else ())
