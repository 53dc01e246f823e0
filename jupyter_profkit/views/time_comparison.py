"""Two runs by function, as a reader sees them: calls and times before and after, the greatest change first.

    report(before.diff(after), limit=("20",))

Changes of less than a hundredth of the longer run, and those within the spread of
repeated runs, are grey. What the rows leave
out is a row of its own, so that calls and own times add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.model.spread import spread
from jupyter_profkit.model.time_comparison import FunctionChange, FunctionFigures, TimeComparison
from jupyter_profkit.options.cprofile import CPROFILE, limits
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit, warning_of
from jupyter_profkit.views.words import LONGEST_NAME, clip, counted, plural

__all__ = ["report"]

_COLUMNS: Final = (
    Column("ncalls", tip="all calls: in the earlier run → in the later one"),
    Column("±", tip="the change"),
    Column("tottime", tip="seconds in the function itself: in the earlier run → in the later one"),
    Column(
        "±", tip="the change; what is less than a hundredth of the run, or within the spread of repeated runs, is grey"
    ),
    Column("cumtime", tip="seconds in the function and all it called: in the earlier run → in the later one"),
    Column(
        "±", tip="the change; what is less than a hundredth of the run, or within the spread of repeated runs, is grey"
    ),
    Column("status", Unit.TEXT, tip="new or gone: it ran in one of the runs only"),
    Column("function", Unit.TEXT),
)
_N_ROWS: Final = 30
_N_NAMES: Final = 5


def report(comparison: TimeComparison, **display: Any) -> Report:
    """The report of a comparison.

    Parameters
    ----------
    comparison : the two runs.
    **display : options of ``%%cprofile``; a number as ``limit`` is the number of functions shown.
    """
    numbers = [limit for limit in limits(CPROFILE.from_keywords(display).limit) if type(limit) is int]
    n_rows = min([*numbers, 500]) if numbers else _N_ROWS
    before, after = comparison.before, comparison.after
    notes = tuple(_notes(comparison, n_rows))
    return Report(
        title=f"%%cprofile  {before.title} → {after.title}",
        headline=_headline(comparison),
        parts=(_table(comparison, n_rows),) if comparison.changes else (),
        notes=notes,
        warning=warning_of(after) or warning_of(before),
    )


def _notes(comparison: TimeComparison, n_rows: int) -> Iterator[str]:
    if not comparison.n_common:
        titles = f"{comparison.before.title} and {comparison.after.title}"
        yield f"{titles} have no function in common: every one is new or gone"
        return
    for status in ("new", "gone"):
        hidden = [_name(change) for change in comparison.changes[n_rows:] if change.status == status]
        if hidden:
            more = f" and {len(hidden) - _N_NAMES:,} more" if len(hidden) > _N_NAMES else ""
            yield f"{status}, among those that have no row: {', '.join(hidden[:_N_NAMES])}{more}"


def _headline(comparison: TimeComparison) -> str:
    before, after = comparison.total("before"), comparison.total("after")
    each = " a run" if any(comparison.runs) else ""
    parts = (_change_of_time(comparison, before, after, each), _change_of_calls(before, after, each))
    return f"Compared with {comparison.before.title}: {'; '.join(parts)}"


def _change_of_time(comparison: TimeComparison, before: FunctionFigures, after: FunctionFigures, each: str) -> str:
    change = after.tottime - before.tottime
    if any(comparison.runs) and abs(change) <= max(map(spread, comparison.runs)):
        means = (_with_spread(*figures) for figures in zip((before, after), comparison.runs, strict=True))
        return f"no change of time beyond the spread from run to run ({', then '.join(means)}{each})"
    sign = "+" if change > 0 else ""
    return f"{sign}{format_seconds(change)}, from {format_seconds(before.tottime)} to {format_seconds(after.tottime)}"


def _with_spread(figures: FunctionFigures, runs: Sequence[float]) -> str:
    """``1.20 s ± 31.0 ms``; of a single run there is no spread to tell."""
    return format_seconds(figures.tottime) + (f" ± {format_seconds(spread(runs))}" if len(runs) > 1 else "")


def _change_of_calls(before: FunctionFigures, after: FunctionFigures, each: str) -> str:
    change = after.ncalls - before.ncalls
    if not change:
        return f"{counted(after.ncalls, 'call')}{each} as before"
    return f"{change:+,} {plural('call', abs(change))}, from {before.ncalls:,} to {after.ncalls:,}{each}"


def _table(comparison: TimeComparison, n_rows: int) -> TableView:
    least = max(comparison.total("before").tottime, comparison.total("after").tottime) / 100
    kept, others = comparison.changes[:n_rows], comparison.changes[n_rows:]
    strong = heaviest(kept, _size, noise=least)
    rows = [_row(change, least, strong=change in strong) for change in kept]
    if others:
        rows.append(_others(others, least))
    each = " a run" if any(comparison.runs) else ""
    return TableView(f"Functions by change of own time, seconds{each} before → after", _COLUMNS, tuple(rows))


def _row(change: FunctionChange, least: float, *, strong: bool) -> Row:
    cells = [*_calls(change), *_time(change, "tottime", least), *_time(change, "cumtime", least)]
    return Row((*cells, Cell(change.status), Cell(clip(_name(change), LONGEST_NAME))), strong)


def _name(change: FunctionChange) -> str:
    return f"{{{change.function.strip('<>')}}}" if change.label == "~" else f"{change.label}({change.function})"


def _size(change: FunctionChange) -> float:
    """By how much it changed, whichever way; nothing if that is within the spread of repeated runs."""
    size: float = abs(change.change("tottime"))
    return size if size > change.spread("tottime") else 0.0


def _others(others: Sequence[FunctionChange], least: float) -> Row:
    """All that is not shown, as one; cumulative times do not add up."""
    runs = ([figures for change in others if (figures := getattr(change, run))] for run in ("before", "after"))
    before, after = (
        FunctionFigures(sum(each.ncalls for each in run), sum(each.tottime for each in run)) for run in runs
    )
    total = FunctionChange("", "", before, after)
    words = f"⋯ {len(others):,} other functions" if len(others) > 1 else "⋯ one other function"
    return Row((*_calls(total), *_time(total, "tottime", least), Cell(), Cell(), Cell(), Cell(words)))


def _calls(change: FunctionChange) -> Iterator[Cell]:
    before, after = (f"{each.ncalls:,}" if each else "–" for each in (change.before, change.after))
    difference = change.change("ncalls")
    yield Cell(f"{before} → {after}", muted=not difference)
    yield Cell(f"{difference:+,}" if difference else "0", muted=not difference)


def _time(change: FunctionChange, figure: str, least: float) -> Iterator[Cell]:
    values = (getattr(each, figure) if each else None for each in (change.before, change.after))
    before, after = ("–" if value is None else f"{value:.6f}" for value in values)
    difference = change.change(figure)
    muted = abs(difference) <= max(least, change.spread(figure))
    said = f"{difference:+.6f}"
    yield Cell(f"{before} → {after}", muted=muted)
    yield Cell(said if float(said) else "0.000000", muted=muted)
