"""Tables as text that fits: figures aligned, long code cut, wide letters counted as what they are.

    lines = table_lines(view, width=60)

A table that is too wide gives way in steps: titles are broken, columns of words are cut,
columns move closer; if there is still no room for the code, it gets a line of its own
under its figures. A last column that must be whole goes on in the next line. A mark
stands before the heavy rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jupyter_profkit.render.escaping import safe
from jupyter_profkit.render.highlight import Painter
from jupyter_profkit.render.ink import Ink
from jupyter_profkit.render.letters import cut, pad, width, wrap
from jupyter_profkit.views.report import Row, TableView, Unit

__all__ = ["table_lines"]

_MARK = "▸ "
_UNDER = "      "
"""Before what stands under its row."""
_LEAST_CODE = 20
"""Columns that code must have beside its figures."""
_LEAST_WHOLE = 24
"""Columns that a text which goes on in the next line must have there."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How far a table gives way."""

    longest_word: int = 99
    """Of a title, which is broken from there on."""
    longest_text: int = 999
    """Of a column of words that is not the last."""
    gap: int = 2
    stacked: bool = False
    """Whether the last column stands on lines of its own."""


_STEPS = (
    _Step(),
    _Step(7, 40),
    _Step(7, 24, 1),
    _Step(7, 24, stacked=True),
    _Step(7, 16, 1, stacked=True),
    _Step(5, 16, 1, stacked=True),
)
_WORDS_FIRST = (
    _Step(),
    *(_Step(9, 40), _Step(9, 24), _Step(9, 24, 1), _Step(9, 16, 1)),
    *(replace(step, stacked=False) for step in _STEPS[1:]),
)
"""Where no words wait for room at the end, those in columns are cut before short titles are divided."""


def table_lines(view: TableView, room: int, ink: Ink | None = None) -> Iterator[str]:
    """The table in lines no longer than `room`.

    As it gets narrow, titles are broken, words are cut, the last column goes under the others, and at last
    the figures go on in the next line.
    """
    ink = ink or Ink()
    table = _Table(view, room, ink)
    yield from (ink(line, "strong") for line in table.titles())
    yield ink("─" * table.width, "muted")
    painter = Painter(view.source)
    for row in view.rows:
        yield from table.row(row, painter)
        for fold in row.folds:
            if not fold.folded:
                yield from (cut(f"{_UNDER}{safe(text)}", room) for text in fold.lines)
    if view.footer:
        yield from wrap(safe(view.footer), room, "  ")


class _Table:
    def __init__(self, view: TableView, room: int, ink: Ink) -> None:
        self._view, self._ink = view, ink
        self._left = [column.unit is not Unit.NUMBER for column in view.columns]
        self._mark = _MARK if any(row.strong for row in view.rows) else ""
        self._room = room - width(self._mark)
        self._data = [max((width(safe(row.cells[n].text)) for row in view.rows), default=0) for n in range(self._n)]
        steps = _STEPS if self._can_stack else _WORDS_FIRST
        self._step = next(filter(self._fits, steps), steps[-1])
        self._widths = self._widths_at(self._step)
        self._folds = self._folded()

    @property
    def _n(self) -> int:
        return len(self._left)

    @property
    def _can_stack(self) -> bool:
        return self._n > 1 and self._left[-1]

    @property
    def width(self) -> int:
        """That of the line under the titles."""
        is_whole = not self._step.stacked and len(self._folds) == 1
        used = sum(self._widths) + self._step.gap * (self._n - 1) if is_whole else self._room
        return width(self._mark) + min(max(used, 38), self._room)

    def _widths_at(self, step: _Step) -> list[int]:
        """The columns' widths; the last one has what is left, if it holds words."""
        widths: list[int] = []
        for size, is_left in zip(self._data, self._left, strict=True):
            most = step.longest_text if is_left and len(widths) < self._n - 1 else size
            widths.append(max([min(size, most), 1, *map(width, self._title(len(widths), step))]))
        if self._left[-1] and not step.stacked:
            widths[-1] = max(min(widths[-1], self._rest(widths, step)), 1)
        return widths

    def _title(self, n: int, step: _Step) -> list[str]:
        """The title of a column in lines; that of code, which has the rest of the room, in one."""
        title = safe(self._view.columns[n].title)
        if (n == self._n - 1 and self._left[n]) or width(title) <= self._data[n]:
            return [title]
        return _broken(title, max(step.longest_word, self._data[n]))

    def _rest(self, widths: Sequence[int], step: _Step) -> int:
        """The room for the last column."""
        return self._room - sum(widths[:-1]) - step.gap * (self._n - 1)

    def _fits(self, step: _Step) -> bool:
        widths = self._widths_at(step)
        if step.stacked:
            return self._can_stack and self._rest(widths, step) + step.gap >= 0
        last = max(self._data[-1], *map(width, self._title(self._n - 1, step)))
        is_text = self._view.columns[-1].whole and self._view.columns[-1].unit is not Unit.CODE
        enough = _LEAST_WHOLE if is_text else _LEAST_CODE
        least = min(last, enough) if self._left[-1] else widths[-1]
        return self._rest(widths, step) >= least

    def _folded(self) -> list[range]:
        """The columns of each line; all of them in one, where they fit."""
        n_shown = self._n - 1 if self._step.stacked else self._n
        folds: list[range] = []
        start, used = 0, 0
        for n in range(n_shown):
            room = self._room - (len(_UNDER) if folds else 0)
            used += self._widths[n] + (self._step.gap if n > start else 0)
            if used > room and n > start:
                # A change stays beside what it is a change of.
                at = n - 1 if self._view.columns[n].title == "±" and n - 1 > start else n
                folds.append(range(start, at))
                start, used = at, sum(self._widths[at : n + 1]) + self._step.gap * (n - at)
        return [*folds, range(start, n_shown)]

    # lines

    def titles(self) -> Iterator[str]:
        """The titles, the broken ones over several lines, all with their ends on the last."""
        for number, fold in enumerate(self._folds):
            broken = [self._title(n, self._step) for n in fold]
            height = max(map(len, broken), default=1)
            for line in range(height):
                cells = [lines[line - height + len(lines)] if line >= height - len(lines) else "" for lines in broken]
                padded = (self._padded(cell, n) for n, cell in zip(fold, cells, strict=True))
                yield self._start(number) + (" " * self._step.gap).join(padded).rstrip()
        if self._step.stacked and self._view.columns[-1].title:
            yield f"{self._start(1)}{safe(self._view.columns[-1].title)}"

    def row(self, row: Row, painter: Painter) -> Iterator[str]:
        texts = [safe(cell.text) for cell in row.cells]
        if not self._step.stacked:
            first, *more = self._wrapped(texts[-1], self._widths[-1])
            yield from self._lines(row, [*texts[:-1], first], painter)
            before = sum(self._widths[n] + self._step.gap for n in self._folds[-1][:-1])
            yield from self._under(row, more, before + (len(_UNDER) if len(self._folds) > 1 else 0), painter)
            return
        if any(texts[1:-1]) or not texts[-1]:
            yield from self._lines(row, texts, painter)
        else:  # a line without figures: its number and its code
            first = self._mark_of(row) + pad(texts[0], self._widths[0], left=self._left[0])
            code, *more = self._wrapped(texts[-1], self._room - self._widths[0] - 2)
            yield first + self._painted(row, f"  {code}", self._room - self._widths[0], painter).rstrip()
            yield from self._under(row, more, self._widths[0] + 2, painter)
            return
        if texts[-1]:
            lines = self._wrapped(texts[-1], self._room - len(_UNDER))
            yield from self._under(row, lines, len(_UNDER), painter)

    def _wrapped(self, text: str, room: int) -> list[str]:
        """The text of the last column in lines, those of code behind its indentation; one, if it may be cut."""
        room = max(room, 8)
        if width(text) <= room or not self._view.columns[-1].whole:
            return [text]
        indent = text[: min(len(text) - len(text.lstrip()), room // 3)]
        hanging = "    " if self._view.columns[-1].unit is Unit.CODE else ""
        return [indent + line for line in wrap(text.strip(), room - len(indent), hanging)]

    def _under(self, row: Row, lines: Sequence[str], indent: int, painter: Painter) -> Iterator[str]:
        before = " " * (width(self._mark) + indent)
        yield from (before + self._painted(row, line, self._room - indent, painter) for line in lines)

    def _lines(self, row: Row, texts: Sequence[str], painter: Painter) -> Iterator[str]:
        for number, fold in enumerate(self._folds):
            cells = (" " * self._step.gap).join(self._cell(row, n, texts[n], painter) for n in fold)
            line = ((self._start(number) if number else self._mark_of(row)) + cells).rstrip()
            if line or not number:
                yield line

    def _cell(self, row: Row, n: int, text: str, painter: Painter) -> str:
        if n == self._n - 1 and self._view.columns[n].unit is Unit.CODE:
            return self._painted(row, text, self._widths[n], painter)
        return self._ink(self._padded(cut(text, self._widths[n]), n), _style_of(row, n))

    def _padded(self, text: str, n: int) -> str:
        return pad(text, self._widths[n], left=self._left[n])

    def _start(self, number: int) -> str:
        """What stands before a line of titles, or before one of a row that is not its first."""
        return " " * width(self._mark) + (_UNDER if number else "")

    def _mark_of(self, row: Row) -> str:
        return self._ink(self._mark, "heavy") if row.strong else " " * width(self._mark)

    def _painted(self, row: Row, text: str, room: int, painter: Painter) -> str:
        text = cut(text, room)
        is_code = self._view.columns[-1].unit is Unit.CODE
        if not (self._ink.on and is_code) or (self._view.source and row.line is None):
            return text
        return "".join(self._ink(piece, kind) for kind, piece in painter.line(row.line, text))


def _style_of(row: Row, n: int) -> str:
    cell = row.cells[n]
    if cell.muted:
        return "muted"
    return "heavy" if row.strong and (cell.bar or n == 0) else ""


def _broken(title: str, longest: int) -> list[str]:
    """A title in lines of one word each, if it is longer than `longest`; a long word is divided."""
    if longest >= 99:
        return [title]
    parts = (re.findall(f".{{1,{longest - 1}}}", word) if len(word) > longest else [word] for word in title.split())
    return [line for part in parts for line in (*(f"{piece}-" for piece in part[:-1]), part[-1])]
