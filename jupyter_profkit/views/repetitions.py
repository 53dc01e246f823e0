"""The repetitions of a run, as a reader sees them: the verdict in words, and a row for each.

verdict(profile.repetitions)        lines of text
table(profile.repetitions)          TableView
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_profkit.model.repetitions import Repetition, Repetitions
from jupyter_profkit.units import format_change, format_seconds, format_size
from jupyter_profkit.views.report import Cell, Column, Row, TableView
from jupyter_profkit.views.words import clip

__all__ = ["table", "verdict"]

_N_LINES: Final = 5
_N_ROWS: Final = 20
_LONGEST_LINE: Final = 60


def verdict(repetitions: Repetitions) -> Iterator[str]:
    """Whether memory leaks, and on which lines; a line of text each."""
    done, asked = len(repetitions.done), repetitions.asked
    if repetitions.leaks is None:
        yield "whether memory leaks can be told from three repetitions on: the first warms up"
    elif repetitions.leaks:
        each = format_size(round(repetitions.growth))
        yield f"Leak: each of the {done - 1} repetitions after the first left memory behind, about {each} each time"
        yield from _lines(repetitions)
    else:
        left = [repetition.left for repetition in repetitions.after_first]
        least, most = format_change(min(left)), format_change(max(left))
        yield (
            f"No leak: of the {done - 1} repetitions after the first, not every one left memory behind "
            f"({least} to {most})"
        )
        if repetitions.only_resident_grew:
            yield "  yet resident memory grew in each: it is no heap, or freed pieces were too small to be used again"
    if done < asked:
        yield f"{done} of {asked} repetitions came to their end"


def _lines(repetitions: Repetitions) -> Iterator[str]:
    for line in repetitions.growing[:_N_LINES]:
        yield f"  {format_size(line.n_bytes)} from {line.at}: {clip(line.source, _LONGEST_LINE)}"
    if not repetitions.growing:
        yield "  no line shows it, as it was put where memory was free already; %%objgrowth tells which type grows"


def table(repetitions: Repetitions) -> TableView:
    """A row for each repetition that came to its end."""
    rows = [_row(number, found, repetitions.noise) for number, found in enumerate(repetitions.done, 1)]
    shown = rows if len(rows) <= _N_ROWS else rows[: _N_ROWS // 2] + rows[-_N_ROWS // 2 :]
    columns = (
        Column("Repetition"),
        Column("Time"),
        Column("In use", tip="memory allocated and not freed, more than before; garbage is collected first"),
        Column("Resident", tip="resident memory, more than before"),
    )
    left_out = len(rows) - len(shown)
    footer = f"{left_out} in between are not shown; they are in .repetitions" if left_out else ""
    return TableView(f"{repetitions.asked} repetitions: what each left behind", columns, tuple(shown), footer)


def _row(number: int, found: Repetition, noise: int) -> Row:
    return Row(
        (
            Cell(str(number)),
            Cell(format_seconds(found.duration)),
            _change(found.allocated, noise),
            _change(found.increment, noise),
        )
    )


def _change(n_bytes: int | None, noise: int) -> Cell:
    return Cell() if n_bytes is None else Cell(format_change(n_bytes), muted=abs(n_bytes) <= noise)
