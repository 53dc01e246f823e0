"""The statements of a cell or block, each with its time: the first table of a report on time."""

from __future__ import annotations

from typing import Any, Final

from jupyter_profkit.model.functions import RowKind, StatementProfile, StatementRecord
from jupyter_profkit.model.spread import mean, spread
from jupyter_profkit.options.cprofile import CPROFILE
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit
from jupyter_profkit.views.words import clip, percent

__all__ = ["heaviest_statement", "report", "statement_tables"]

_STATEMENT_COLUMNS: Final = (
    Column("Line #"),
    Column("Time", tip="everything that the statement called included, less the rows in brackets"),
    Column("Share", tip="of the whole run"),
    Column("Calls", tip="made by the statement itself, builtins included; modules loaded; collections"),
    Column("Line Contents", Unit.CODE, whole=True),
)
_RUN_COLUMNS: Final = (
    Column("a run", tip="the mean of the runs, all that the statement called included, but the display of its value"),
    Column("±", tip="its standard deviation from run to run"),
)
_LONGEST_LINE: Final = 120


def report(statements: StatementProfile, **display: Any) -> Report:
    """The statements alone; the options of ``%%cprofile`` change nothing of them, but must be options.

    Raises
    ------
    OptionError
        If one is not.
    """
    CPROFILE.from_keywords(display)
    return Report("Statements", _headline_of(statements), statement_tables(statements))


def _headline_of(statements: StatementProfile) -> str:
    where = heaviest_statement(statements)
    return f"{format_seconds(statements.duration)}; {where}" if where else format_seconds(statements.duration)


def heaviest_statement(statements: StatementProfile) -> str:
    heaviest = max(statements.records, key=lambda record: record.time, default=None)
    if heaviest is None or not statements.share(heaviest):
        return ""
    between = statements.duration - statements.time
    if between > max(heaviest.time, 0.02):
        return (
            f"{percent(between / statements.duration)} outside the statements: waiting, or work of the event loop "
            "and the shell"
        )
    return f"{percent(statements.share(heaviest))} {_where(statements, heaviest)}"


def _where(statements: StatementProfile, record: StatementRecord) -> str:
    """``in line 4: clean(df)``; ``waiting in line 4: …`` if that is what its time went into."""
    if not record.lineno:
        article = "the " if record.kind in {"display", "statement"} else ""
        return f"in {article}{record.source}"
    doing = _DOING.get(record.kind, "")
    statement = next((each for each in statements.records if each.lineno == record.lineno), record)
    return f"{doing}in line {record.lineno}: {clip(statement.source.strip(), 60)}"


_DOING: Final[dict[RowKind, str]] = {
    "imports": "loading modules ",
    "waiting": "waiting ",
    "awaiting": "awaiting ",
    "tasks": "in tasks that ran meanwhile, ",
}


def statement_tables(statements: StatementProfile) -> tuple[TableView, ...]:
    if not statements.records:
        return ()
    strong = heaviest(statements.records, lambda record: record.time, statements.duration)
    is_repeated = any(record.runs for record in statements.records)
    rows = tuple(
        _statement_row(statements, record, record in strong, number, is_repeated)
        for number, record in enumerate(statements.records)
    )
    columns = (*_STATEMENT_COLUMNS[:3], *_RUN_COLUMNS, *_STATEMENT_COLUMNS[3:]) if is_repeated else _STATEMENT_COLUMNS
    source = tuple(record.source for record in statements.records)
    return (TableView("Statements", columns, rows, _between(statements), source=source),)


def _statement_row(
    statements: StatementProfile, record: StatementRecord, strong: bool, number: int, is_repeated: bool
) -> Row:
    share = statements.share(record)
    is_statement = record.kind == "statement" and record.lineno > 0
    source = record.source + (" …" if record.end_lineno > record.lineno else "")
    if not is_statement:
        source = f"{'    ' if record.lineno else ''}({source})"
    cells = (
        Cell(str(record.lineno) if is_statement else ""),
        Cell(format_seconds(record.time)),
        Cell(percent(share), share if share >= 0.005 else None),
        *(_of_runs(record) if is_repeated else ()),
        Cell(f"{record.calls:,}" if record.calls or (is_statement and record.calls is not None) else ""),
        Cell(clip(source, _LONGEST_LINE)),
    )
    return Row(cells, strong, line=number if is_statement else None)


def _of_runs(record: StatementRecord) -> tuple[Cell, Cell]:
    if not record.runs:
        return Cell(), Cell()
    return Cell(format_seconds(mean(record.runs))), Cell(format_seconds(spread(record.runs)))


def _between(statements: StatementProfile) -> str:
    rest = statements.duration - statements.time
    if statements.duration <= 0 or rest < statements.duration / 200:
        return ""
    return f"{format_seconds(rest)} ({percent(rest / statements.duration)}) outside the statements"
