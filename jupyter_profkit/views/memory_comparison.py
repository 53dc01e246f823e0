"""Two runs by line, as a reader sees them: each line with what it took before and after, and the change.

    report(before.diff(after), precision=1, sort="increment", rows=20)

Changes that are smaller than the noise of the two runs are grey. A function in
which nothing changed is folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.model.memory_comparison import LineChange, LineMemoryComparison
from jupyter_profkit.options import Values
from jupyter_profkit.options.memprofile import MEMPROFILE
from jupyter_profkit.source import place_of
from jupyter_profkit.units import format_change, format_mib, format_size
from jupyter_profkit.views.emphasis import LEAST_MEMORY, heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit, warning_of
from jupyter_profkit.views.words import clip, counted

__all__ = ["report"]

_TITLES: Final = {
    "self_increment": ("Self", "MiB, net over all runs of the line, profiled callees left out"),
    "increment": ("Increment", "MiB, net over all runs of the line, profiled callees included"),
    "peak": ("Peak", "MiB above the line's start while it ran"),
    "kept": ("Kept", "MiB of the heap from this line, held when the run ended"),
}
_SORT: Final = {"increment": "self_increment", "peak": "peak", "kept": "kept", "at_peak": "kept"}
_N_FUNCTIONS: Final = 30
_N_ROWS: Final = 200
_LONGEST_LINE: Final = 140
_LEAST_RESIDUE: Final = 64 * 1024
_RESIDUE: Final = "⋯ other threads, and code that no line of yours called"


def report(comparison: LineMemoryComparison, **display: Any) -> Report:
    """The report of a comparison.

    Parameters
    ----------
    comparison : the two runs.
    **display
        ``precision``, ``sort``, ``rows`` and ``hide_unchanged`` as the report of one
        run has them; sorting goes by the size of the change.
    """
    shown = MEMPROFILE.from_keywords(display)
    before, after = comparison.before.session, comparison.after.session
    functions = _by_function(comparison)
    tables = [_table(comparison, changes, shown) for changes in functions[:_N_FUNCTIONS]]
    return Report(
        title=f"%%memprofile  {before.title} → {after.title}",
        headline=_headline(comparison, shown.precision),
        parts=tuple(tables),
        notes=tuple(_notes(comparison, len(functions))),
        warning=warning_of(after) or warning_of(before),
    )


def _headline(comparison: LineMemoryComparison, precision: int) -> str:
    before, after = comparison.before, comparison.after
    figures = [("peak", before.peak, after.peak), ("kept", before.increment, after.increment)]
    if before.kept is not None and after.kept is not None:
        figures.append(("kept heap", before.kept, after.kept))
    words = [_in_words(*figure, comparison.noise, precision) for figure in figures]
    return f"Compared with {before.session.title}: {'; '.join(words)}"


def _in_words(name: str, before: int, after: int, noise: int, precision: int) -> str:
    if abs(after - before) <= noise:
        return f"{name} as before, {format_size(after, precision)}"
    change = format_change(after - before, precision)
    return f"{name} {change}, from {format_size(before, precision)} to {format_size(after, precision)}"


def _by_function(comparison: LineMemoryComparison) -> list[list[LineChange]]:
    """The lines of each function; what belongs to no line stands in the first table."""
    groups: dict[tuple[str, str], list[LineChange]] = {}
    for change in comparison.changes:
        if not change.is_residue:
            groups.setdefault((place_of(change.label), change.function), []).append(change)
    tables = list(groups.values())
    for change in comparison.changes:
        if change.is_residue and tables and _is_change(comparison, change, _LEAST_RESIDUE):
            tables[0].append(change)
    return tables


def _is_change(comparison: LineMemoryComparison, change: LineChange, least: int = 0) -> bool:
    """Whether any figure changed by more than noise, and by more than `least` bytes."""
    return any(abs(change.change(figure) or 0) > max(comparison.noise, least) for figure in comparison.figures)


def _table(comparison: LineMemoryComparison, changes: Sequence[LineChange], shown: Values) -> TableView:
    chosen = [change for change in changes if not shown.hide_unchanged or _is_change(comparison, change)]
    if shown.sort in _SORT:
        chosen.sort(key=lambda change: -abs(change.change(_SORT[shown.sort]) or 0))
    kept = chosen[: _N_ROWS if shown.rows is None else shown.rows]
    columns = [Column("Line #", Unit.TEXT, tip="in the earlier run → in the later one")]
    for figure in comparison.figures:
        title, tip = _TITLES[figure]
        columns += [Column(title, tip=f"{tip}: in the earlier run → in the later one"), Column("±", tip="the change")]
    columns.append(Column("Line Contents", Unit.CODE, whole=True))
    strong = _strong(comparison)
    return TableView(
        caption=f"{_name(next((change for change in changes if change.after), changes[0]))}, MiB before → after",
        columns=tuple(columns),
        rows=tuple(_row(comparison, change, change in strong, shown.precision) for change in kept),
        footer=_footer(changes, kept),
        folded=not any(change.status or _is_change(comparison, change) for change in changes),
    )


def _name(change: LineChange) -> str:
    if change.function != "<module>":
        return f"{change.function}() in {change.label}"
    return change.label if place_of(change.label) != change.label else f"module level in {change.label}"


def _strong(comparison: LineMemoryComparison) -> list[LineChange]:
    """The few lines that changed most."""
    changes = [change for change in comparison.changes if not change.is_residue]
    return heaviest(changes, lambda change: _size(comparison, change), noise=max(comparison.noise, LEAST_MEMORY))


def _size(comparison: LineMemoryComparison, change: LineChange) -> int:
    return max((abs(change.change(figure) or 0) for figure in comparison.figures), default=0)


def _row(comparison: LineMemoryComparison, change: LineChange, strong: bool, precision: int) -> Row:
    cells = [Cell(_line_numbers(change))]
    for figure in comparison.figures:
        cells += _figure(change, figure, comparison.noise, precision)
    source = _RESIDUE if change.is_residue else change.source
    cells.append(Cell(clip(source, _LONGEST_LINE)))
    return Row(tuple(cells), strong)


def _line_numbers(change: LineChange) -> str:
    if change.before is None or change.after is None:
        record = change.after or change.before
        return f"{record.lineno} {change.status}" if record is not None else ""
    if change.is_residue:
        return ""
    before, after = change.before.lineno, change.after.lineno
    return str(after) if before == after else f"{before} → {after}"


def _figure(change: LineChange, figure: str, noise: int, precision: int) -> tuple[Cell, Cell]:
    """A figure in both runs, and its change."""
    difference = change.change(figure)
    if difference is None:
        return Cell(), Cell()
    values = (getattr(record, figure, None) for record in (change.before, change.after))
    before, after = ("–" if value is None else format_mib(value, precision) for value in values)
    said = format_mib(difference, precision)
    sign = "+" if difference > 0 and float(said) else ""
    is_noise = abs(difference) <= noise
    return Cell(f"{before} → {after}", muted=is_noise), Cell(f"{sign}{said}", muted=is_noise)


def _footer(changes: Sequence[LineChange], kept: Sequence[LineChange]) -> str:
    left_out = [change for change in changes if change not in kept]
    if not left_out:
        return ""
    total = sum(change.change("self_increment") or 0 for change in left_out)
    return f"{counted(len(left_out), 'line')} not shown, which changed by {format_change(total)} themselves"


def _notes(comparison: LineMemoryComparison, n_functions: int) -> Iterator[str]:
    before, after = comparison.before.session, comparison.after.session
    if not comparison.n_common:
        yield f"{before.title} and {after.title} have no line in common: every line is new or gone"
    if not comparison.figures:
        yield "the two runs measured different things (--no-heap, --no-lines): no figure can be compared"
    if any(record.sampled for change in comparison.changes for record in (change.before, change.after) if record):
        yield "lines that ran very often were sampled: their changes are approximate; --exact looks at every run"
    if n_functions > _N_FUNCTIONS:
        yield f"{n_functions - _N_FUNCTIONS} more functions are in to_dataframe()"
