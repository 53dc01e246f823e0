"""What a cell left behind, as a view: a sentence, a table of objects, a table of cycles.

report(leaks, limit=5)      a Report
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.leaks import CycleRecord, LeakRecord, ObjectLeaks
from jupyter_profkit.units import format_seconds, format_size
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit, warning_of
from jupyter_profkit.views.words import counted, headed, listed, plural

__all__ = ["report"]

_MENTIONED = 3
_KINDS = {"module": "module ", "variable": "variable ", "import": "import "}


def report(leaks: ObjectLeaks, **display: Any) -> Report:
    """The report of what is left.

    Raises
    ------
    OptionError
        For any display option but ``limit``, the rows to show.
    """
    limit = display.pop("limit", 20)
    if display:
        raise OptionError(f"a report of {leaks.kind} has no option {next(iter(display))!r}")
    return Report(
        title=headed("%%objleaks", leaks.session.title),
        headline=_headline(leaks),
        parts=tuple(table for table in (_objects(leaks, limit), _cycles(leaks, limit)) if table.rows),
        notes=(*_notes(leaks), *(leaks.method.notes if leaks.records else ())),
        method=(leaks.method.engine, "exact" if leaks.method.exact else "not exact"),
        warning=warning_of(leaks.session),
    )


def _headline(leaks: ObjectLeaks) -> str:
    if leaks.n_repetitions > 1:
        return _verdict(leaks)
    held = [record for record in leaks.records if record.kind != "cycle"]
    cycles = sum(record.count for record in leaks.records if record.kind == "cycle")
    parts = [_alive(held)] if held else []
    if cycles:
        parts.append(f"{counted(cycles, 'object')} in reference cycles had to wait for the collector")
    return f"{'; '.join(parts)}." if parts else "Nothing that was made here is still alive."


def _alive(held: Sequence[LeakRecord]) -> str:
    count, size = sum(one.count for one in held), sum(one.size for one in held)
    verb = "is" if count == 1 else "are"
    text = f"{counted(count, 'object')} made here {verb} still alive, {format_size(size)}"
    by_holder: Counter[str] = Counter()
    for one in held:
        by_holder[_holder(one)] += one.count
    if len(by_holder) == 1:
        return f"{text}, held by {next(iter(by_holder))}"
    named = [f"{number:,} by {name}" for name, number in by_holder.most_common(_MENTIONED)]
    rest = len(by_holder) - len(named)
    others = [f"the others by {rest} more"] if rest else []
    return f"{text}: {', '.join(named + others)}"


def _verdict(leaks: ObjectLeaks) -> str:
    if not leaks.leaks:
        return f"No leak: nothing grows with each of {leaks.n_repetitions} runs."
    named = [_growth(one) for one in leaks.leaks[:_MENTIONED]]
    rest = len(leaks.leaks) - len(named)
    if rest:
        named.append(f"more of {counted(rest, 'other kind')}")
    return f"A leak: each run after the first leaves {listed(named)}."


def _growth(record: LeakRecord) -> str:
    """``10 more list objects held by variable keep``."""
    what = "" if record.type == "objects" else f"{record.type} "
    noun = plural("object", 1 if record.growth == 1 else 2)
    where = "in" if record.kind == "cycle" else "held by"
    return f"{_per_run(record)} more {what}{noun} {where} {_holder(record)}"


def _per_run(record: LeakRecord) -> str:
    return f"{record.growth:,.0f}" if record.growth == int(record.growth) else f"{record.growth:,.1f}"


def _holder(record: LeakRecord) -> str:
    if record.kind == "cycle":
        return "a reference cycle"
    return f"{_KINDS.get(record.kind, '')}{record.holder}"


_OBJECT_COLUMNS = (
    Column("Type", Unit.NAME),
    Column("Objects", tip="made by this run and there after it"),
    Column("Size", tip="of these objects alone"),
    Column("Held by", Unit.TEXT),
    Column("Through", Unit.NAME, "the way from there to the first of them", whole=True),
)
_RUN_COLUMN = Column("Each run", tip="objects that a run after the first adds; a leak if every one does")


def _objects(leaks: ObjectLeaks, limit: int | None) -> TableView:
    is_repeated = leaks.n_repetitions > 1
    shown = leaks.records[: limit or None]
    most = max((record.size for record in leaks.records), default=0) or 1
    strong = [one for one in leaks.records if one.is_leak] if is_repeated else heaviest(leaks.records, _size)
    rows = []
    for one in shown:
        cells = [
            Cell(one.type),
            Cell(f"{one.count:,}"),
            Cell(format_size(one.size), bar=one.size / most),
            Cell(_holder(one)),
            Cell(one.path),
        ]
        if is_repeated:
            cells.insert(2, Cell(f"+{_per_run(one)}" if one.is_leak else "", muted=not one.is_leak))
        rows.append(Row(tuple(cells), strong=one in strong))
    left = leaks.records[len(shown) :]
    footer = f"{counted(len(left), 'more row')}, {format_size(sum(one.size for one in left))}" if left else ""
    columns = list(_OBJECT_COLUMNS)
    if is_repeated:
        columns.insert(2, _RUN_COLUMN)
    caption = f"Made in {leaks.n_repetitions} runs and still there" if is_repeated else "Made here and still there"
    return TableView(caption, tuple(columns), tuple(rows), footer)


_CYCLE_COLUMNS = (
    Column("Cycles"),
    Column("Objects", tip="in all of them, with what only they hold"),
    Column("Size"),
    Column("With __del__"),
    Column("Cycle", Unit.NAME, "the shortest way round", whole=True),
)


def _cycles(leaks: ObjectLeaks, limit: int | None) -> TableView:
    shown = leaks.cycles[: limit or None]
    strong = heaviest(leaks.cycles, _size)
    rows = tuple(
        Row(
            (
                Cell(f"{one.n_cycles:,}"),
                Cell(f"{one.n_objects:,}"),
                Cell(format_size(one.size)),
                Cell(f"{one.n_finalizers:,}" if one.n_finalizers else ""),
                Cell(_way(one)),
            ),
            strong=one in strong,
        )
        for one in shown
    )
    left = len(leaks.cycles) - len(shown)
    footer = f"{left:,} more kinds" if left else ""
    return TableView("Reference cycles that only the collector could free", _CYCLE_COLUMNS, rows, footer)


def _size(record: LeakRecord | CycleRecord) -> int:
    return record.size


def _way(cycle: CycleRecord) -> str:
    """``Parent.child → Child.parent → Parent``."""
    ends = [f"{edge.type}{_label(edge.label)}" for edge in cycle.edges]
    return " → ".join([*ends, cycle.edges[0].type]) if cycle.edges else ""


def _label(label: str) -> str:
    return label if not label or label[0] in ".[" else f" ({label})"


def _notes(leaks: ObjectLeaks) -> Iterator[str]:
    if leaks.cycles:
        yield "A cycle is freed at once if one of its references is a weakref.ref, or is deleted."
    if leaks.n_collected:
        yield (
            f"Besides, the collector freed {counted(leaks.n_collected, 'object')} in cycles meanwhile, "
            f"which took it {format_seconds(leaks.collecting)}."
        )
    if leaks.n_repetitions > 1 and leaks.leaks:
        yield "What is there after the first run and does not grow is no leak: a cache, an import."
