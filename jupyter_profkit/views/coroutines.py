"""Coroutines: calls, time that ran, time that waited, and the tasks they ran in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_profkit.model.functions import CoroutineRecord
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Row, TableView, Unit
from jupyter_profkit.views.words import LONGEST_NAME, clip, plural, seconds_text

__all__ = ["coroutine_tables"]

_COROUTINE_COLUMNS: Final = (
    Column("calls", tip="calls; that one went on after an await is not another"),
    Column("on-CPU", tip="seconds in which its frame ran, everything it called included"),
    Column("awaiting", tip="seconds in which its calls waited, added up; several may wait at the same time"),
    Column("tasks", Unit.TEXT, tip="the tasks that it ran in"),
    Column("filename:lineno(function)", Unit.TEXT),
)
_N_ROWS: Final = 20
_N_TASKS: Final = 3


def coroutine_tables(records: Sequence[CoroutineRecord]) -> tuple[TableView, ...]:
    if not records:
        return ()
    ordered = sorted(records, key=lambda record: (-record.awaiting - record.on_cpu, record.label, record.lineno))
    kept, others = ordered[:_N_ROWS], ordered[_N_ROWS:]
    longest = max(record.awaiting for record in kept)
    strong = heaviest(records, lambda record: record.awaiting + record.on_cpu)
    rows = tuple(
        _coroutine_row(record, record.awaiting / longest if longest else 0.0, strong=record in strong)
        for record in kept
    )
    footer = (
        f"{len(others)} other {plural('coroutine', len(others))}: "
        f"{seconds_text(sum(record.on_cpu for record in others))} s on the CPU, "
        f"{seconds_text(sum(record.awaiting for record in others))} s awaiting"
        if others
        else ""
    )
    return (TableView("Coroutines, seconds", _COROUTINE_COLUMNS, rows, footer),)


def _coroutine_row(record: CoroutineRecord, bar: float, *, strong: bool) -> Row:
    cells = (
        Cell(f"{record.calls:,}"),
        Cell(seconds_text(record.on_cpu)),
        Cell(seconds_text(record.awaiting), bar if bar >= 0.005 else None),
        Cell(_tasks(record.tasks)),
        Cell(clip(f"{record.label or record.filename}:{record.lineno}({record.function})", LONGEST_NAME)),
    )
    return Row(cells, strong)


def _tasks(names: Sequence[str]) -> str:
    """``Task-3, Task-4 and 8 more``; a coroutine that only the cell itself awaited ran in no task of its own."""
    if not names:
        return "the cell's own"
    shown = ", ".join(clip(name, 30) for name in names[:_N_TASKS])
    more = len(names) - _N_TASKS
    return f"{shown} and {more:,} more" if more > 0 else shown
