"""Time by statement: what the exact engine charged, divided by what went on meanwhile.

    statement_records(figures, sampler.meanwhile(), pauses.by_statement)

A statement's time is cProfile's. Of it, what was spent loading modules, waiting and
collecting garbage is taken out and given rows of its own, so that the rows add up
to the run: imports and waits under their statement, the rest at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Final

from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.stacks import Meanwhile
from jupyter_profkit.model.functions import RowKind, StatementRecord
from jupyter_profkit.source import source_line

__all__ = ["StatementFigures", "statement_records"]

_LEAST_SHARE: Final = 0.005
"""Of the whole run; less than this stays with the statement."""
_LEAST_WAIT: Final = 0.002
"""Seconds; two samples."""

_NAMES: Final[dict[RowKind, str]] = {
    "imports": "imports",
    "waiting": "waiting: asleep, or for a lock, a device, another process",
    "awaiting": "awaiting, and the event loop's other work",
    "tasks": "tasks that ran meanwhile",
    "collections": "garbage collection",
    "display": "display of the last value",
}


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """What the exact engine knows of one top-level statement."""

    code: CodeType
    lineno: int
    end_lineno: int
    source: str
    time: float
    """Seconds that its frame was on the stack, the display of its value not included."""
    calls: int | None
    """None where they are not known."""
    shown: float = 0.0
    """Seconds for the display of its value."""
    n_shown: int = 0
    imports: float = 0.0
    """Seconds for loading modules at its own request."""
    n_imports: int = 0
    runs: tuple[float, ...] = ()
    """Seconds in each run, if there were several; all that it called included."""


def sampled_figures(
    block: WithBlock, seconds: Mapping[CodeType, float], meanwhile: Mapping[CodeType, Meanwhile]
) -> Iterator[StatementFigures]:
    """The figures of a block's statements as a sampler saw them, while they ran or awaited something."""
    for code, (first, last) in block.codes.items():
        if code in seconds or code in meanwhile:
            source = source_line(block.code.co_filename, first)
            yield StatementFigures(code, first, last, source, seconds.get(code, 0.0), calls=None)


def statement_records(
    figures: Iterable[StatementFigures],
    meanwhile: Mapping[CodeType, Meanwhile],
    pauses: Mapping[CodeType, tuple[float, int]],
    duration: float,
) -> tuple[StatementRecord, ...]:
    """The rows of the statements that ran, by line, those without a line at the end.

    Parameters
    ----------
    figures : what the exact engine charged to each.
    meanwhile : what a sampler saw on their behalf.
    pauses : seconds and number of garbage collections in each.
    duration : seconds of the whole run.
    """
    rows: dict[tuple[int, RowKind], StatementRecord] = {}
    for found in figures:
        pause, n_pauses = pauses.get(found.code, (0.0, 0))
        for row in _rows(found, meanwhile.get(found.code, Meanwhile()), pause, n_pauses, duration):
            key = row.lineno, row.kind
            rows[key] = _joined(rows[key], row) if key in rows else row
    return tuple(rows[key] for key in sorted(rows, key=lambda key: (key[0] == 0, key[0])))


def _rows(
    figures: StatementFigures, meanwhile: Meanwhile, pause: float, n_pauses: int, duration: float
) -> Iterator[StatementRecord]:
    """The row of a statement, then those of what is taken out of it."""
    least = duration * _LEAST_SHARE
    imports = figures.imports + meanwhile.imports
    taken: list[tuple[RowKind, float, int]] = []
    if imports > least:
        taken.append(("imports", imports, figures.n_imports))
    if meanwhile.waiting > max(least, _LEAST_WAIT):
        taken.append(("waiting", meanwhile.waiting, 0))
    own = figures.time - pause
    # Samples are a little early or late: no more is taken out than there is.
    parts = []
    for kind, seconds, calls in taken:
        part = min(seconds, max(own, 0.0))
        own -= part
        parts.append((kind, part, calls))
    if meanwhile.tasks > max(least, _LEAST_WAIT):
        parts.append(("tasks", meanwhile.tasks, 0))
    if meanwhile.awaiting > max(least, _LEAST_WAIT):
        parts.append(("awaiting", meanwhile.awaiting, 0))
    yield StatementRecord(
        figures.lineno, figures.source, max(own, 0.0), figures.calls, figures.end_lineno, runs=figures.runs
    )
    for kind, seconds, calls in parts:
        yield StatementRecord(figures.lineno, _NAMES[kind], seconds, calls, kind=kind)
    if figures.n_shown:
        yield StatementRecord(0, _NAMES["display"], figures.shown, figures.n_shown, kind="display")
    if n_pauses:
        yield StatementRecord(0, _NAMES["collections"], pause, n_pauses, kind="collections")


def _joined(one: StatementRecord, other: StatementRecord) -> StatementRecord:
    """A statement that ran twice, as one row; or what several have in common."""
    end = max(one.end_lineno, other.end_lineno)
    calls = None if one.calls is None or other.calls is None else one.calls + other.calls
    runs = tuple(map(sum, zip(one.runs, other.runs, strict=True))) if one.runs and other.runs else ()
    return replace(one, time=one.time + other.time, calls=calls, end_lineno=end, runs=runs)
