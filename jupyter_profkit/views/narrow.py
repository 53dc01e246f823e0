"""A report with less in it: rows that hold a text, the reader's own code, the first so many.

    narrowed(report, Narrowing(text="clean", own_code=True, rows=20))      Narrowed
    hides_library(report)                                                  whether there is library code to hide

It works on any report, whatever it is of. What is left out is counted under each table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jupyter_profkit.views.report import Report, Row, TableView, TreeBox, TreeView, View

__all__ = ["Narrowed", "Narrowing", "hides_library", "narrowed", "without_empty_tables"]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What is to be left."""

    text: str = ""
    """Rows that hold it, in any cell; in small or capital letters."""
    own_code: bool = False
    """Without the code of libraries."""
    rows: int | None = None
    """So many of each table."""

    @property
    def selects(self) -> bool:
        """Whether it asks for certain rows, not just for the first ones."""
        return bool(self.text.strip()) or self.own_code


@dataclass(frozen=True, slots=True)
class Narrowed:
    report: Report
    n_rows: int
    """Rows of its tables."""
    n_all: int
    """Rows that there were."""


def hides_library(report: Report) -> bool:
    """Whether something in `report` is known to be a library's."""
    return any(_has_library(part) for part in report.parts)


def _has_library(part: View) -> bool:
    match part:
        case TableView():
            return any(row.library for row in part.rows)
        case TreeView():
            return any(box.kind == "library" for box in part.boxes)
        case _:
            return False


def narrowed(report: Report, narrowing: Narrowing) -> Narrowed:
    """`report` with what `narrowing` leaves of it; a second order of the same rows is left out."""
    parts = [part for part in report.parts if not (isinstance(part, TableView) and not part.in_text)]
    before = _n_rows(parts)
    if narrowing.selects or narrowing.rows is not None:
        parts = [_part(part, narrowing) for part in parts]
    return Narrowed(replace(report, parts=tuple(parts)), _n_rows(parts), before)


def without_empty_tables(found: Narrowed) -> Narrowed:
    """The same without tables of which nothing is left, if there are others."""
    if not found.n_rows:
        return found
    parts = tuple(part for part in found.report.parts if not (isinstance(part, TableView) and not part.rows))
    return replace(found, report=replace(found.report, parts=parts))


def _n_rows(parts: list[View]) -> int:
    return sum(len(part.rows) for part in parts if isinstance(part, TableView))


def _part(part: View, narrowing: Narrowing) -> View:
    match part:
        case TableView():
            return _table(part, narrowing)
        case TreeView() if narrowing.own_code:
            return replace(part, boxes=tuple(_own_boxes(part.boxes)), words=())  # whose lines are of all frames
        case _:
            return part


def _table(table: TableView, narrowing: Narrowing) -> TableView:
    words = narrowing.text.strip().lower()
    chosen = [
        row for row in table.rows if not (narrowing.own_code and row.library) and (not words or _holds(row, words))
    ]
    kept = tuple(chosen[: narrowing.rows])
    if len(kept) == len(table.rows):
        return table
    left_out = f"{len(table.rows) - len(kept):,} of {len(table.rows):,} rows left out"
    footer = f"{left_out}; {table.footer}" if table.footer else left_out
    return replace(table, rows=kept, footer=footer)


def _holds(row: Row, words: str) -> bool:
    return any(words in cell.text.lower() for cell in row.cells)


def _own_boxes(boxes: tuple[TreeBox, ...]) -> Iterator[TreeBox]:
    """Without the libraries' boxes; what those called moves up into their place."""
    taken = [box for box in boxes if box.kind == "library"]
    for box in boxes:
        if box.kind != "library":
            yield replace(box, level=box.level - sum(_is_over(library, box) for library in taken))


def _is_over(outer: TreeBox, inner: TreeBox) -> bool:
    middle = inner.start + inner.width / 2
    return outer.level < inner.level and outer.start <= middle <= outer.start + outer.width
