"""What keeps an object alive, and whose the memory is, as views: a sentence and tables.

    report(holders)                     a Report: each chain with the statement that ends it
    report(memory, sort="name")         a Report: the variables, and the parts of the resident memory

Builders only word and order; what was found is in `model.objects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.objects import HolderChain, MemoryHolder, NamespaceMemory, ObjectHolders
from jupyter_profkit.model.result import Result
from jupyter_profkit.units import format_seconds, format_size
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit
from jupyter_profkit.views.words import counted, listed, percent

__all__ = ["report"]


def report(result: Result, **display: Any) -> Report:
    """The report of a result about objects.

    Raises
    ------
    OptionError
        For a display option that the result does not have.
    """
    if isinstance(result, NamespaceMemory):
        return _memory_report(result, **_known(result, display, ("sort", "limit", "precision")))
    _known(result, display, ())
    match result:
        case ObjectHolders():
            return _holders_report(result)
    raise OptionError(f"{type(result).__name__} is no result of objects")


def _known(result: Result, display: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """`display`, if all of it is among `names`; what a magic has for its other results is left out."""
    unknown = [name for name in display if name not in names]
    if unknown:
        raise OptionError(f"a report of {result.kind} has no option {unknown[0]!r}")
    return display


# Why

_MENTIONED = 4

_HOLDER_COLUMNS = (
    Column("Held by", Unit.TEXT),
    Column("Through", Unit.NAME, "the references from there to the object"),
    Column("What ends it", Unit.CODE, "the statement after which this chain is gone", whole=True),
)


def _holders_report(holders: ObjectHolders) -> Report:
    rows = tuple(Row((Cell(_who(chain)), Cell(_through(chain)), Cell(_end(chain)))) for chain in holders.chains)
    return Report(
        title=holders.session.title,
        headline=_finding(holders),
        parts=(TableView("Shortest chain first; all of them must go", _HOLDER_COLUMNS, rows),) if rows else (),
        notes=(*_holder_notes(holders), *holders.method.notes),
        method=(holders.method.engine, format_seconds(holders.session.duration)),
    )


def _finding(holders: ObjectHolders) -> str:
    what = f"{holders.name} ({' · '.join(filter(None, (holders.type, holders.text)))})"
    if holders.chains:
        names = list(dict.fromkeys(_named(chain) for chain in holders.chains))
        more = [f"{len(names) - _MENTIONED} more"] if len(names) > _MENTIONED else []
        return f"{what} is kept alive by {listed(names[:_MENTIONED] + more)}."
    if holders.in_cycle:
        return f"{what} is held by nothing but a reference cycle of its own; import gc; gc.collect() frees it."
    return f"No name was found that keeps {what} alive."


def _named(chain: HolderChain) -> str:
    """A holder in a sentence: ``variable df``, ``Out[3]``, ``the last error``."""
    name = chain.name.partition(", ")[0]
    return f"{chain.kind} {name}" if chain.kind in {"variable", "module"} else name


def _who(chain: HolderChain) -> str:
    name = _named(chain) if chain.kind in {"variable", "module"} else chain.name
    return f"{name}, {chain.n_ways} ways or more" if chain.n_ways > 1 else name


def _through(chain: HolderChain) -> str:
    """``.child → Child → ['k'] → list 3 items``; nothing for a name of the object itself."""
    return " → ".join(part for step in chain.steps for part in (step.label, f"{step.type} {step.text}".strip()) if part)


def _end(chain: HolderChain) -> str:
    return f"{chain.free}  # {chain.note}" if chain.free and chain.note else chain.free or f"# {chain.note}"


def _holder_notes(holders: ObjectHolders) -> Iterator[str]:
    if holders.in_cycle and holders.chains:
        yield f"{holders.name} is part of a reference cycle: once let go, import gc; gc.collect() frees it."
    if holders.n_unseen:
        count = "1 more reference" if holders.n_unseen == 1 else f"{holders.n_unseen:,} more references"
        places = "a running function, C code, a NumPy view or a container of plain values"
        yield f"{holders.name} has {count} that the garbage collector cannot see: {places}."


# Memory

_HELD_COLUMNS = (
    Column("Name", Unit.NAME),
    Column("Type", Unit.NAME),
    Column("Value", Unit.TEXT),
    Column("Exclusive", tip="what goes when this name goes"),
    Column("Shared", tip="what it reaches and others reach as well"),
    Column("Objects", tip="objects that only this name reaches"),
)
_PART_COLUMNS = (
    Column("Part", Unit.TEXT),
    Column("Size"),
    Column("Share"),
    Column("What it is", Unit.TEXT, whole=True),
)


def _memory_report(memory: NamespaceMemory, sort: str = "size", limit: int | None = 20, precision: int = 1) -> Report:
    variables = [one for one in memory.holders if one.kind == "variable"]
    outputs = [one for one in memory.holders if one.kind == "output"]
    own = [one for one in memory.holders if one.kind == "IPython"]
    most = max((_total(one) for one in memory.holders), default=0) or 1
    tables = [
        _held_table("Variables", "variables", _sorted(variables, sort), limit=limit, most=most, precision=precision),
        _held_table(
            "What IPython keeps",
            "rows",
            _sorted([*own, *outputs], "size"),
            limit=limit,
            most=most,
            precision=precision,
        ),
        _parts_table(memory, precision),
    ]
    return Report(
        title=memory.session.title,
        headline=_memory_headline(memory, variables, [*outputs, *own], precision),
        parts=tuple(table for table in tables if table.rows),
        notes=(*_trimmed(memory, precision), *memory.method.notes),
        method=(memory.method.engine, format_seconds(memory.session.duration)),
    )


def _total(holder: MemoryHolder) -> int:
    return holder.exclusive + (holder.shared or 0)


def _sorted(holders: Sequence[MemoryHolder], sort: str) -> list[MemoryHolder]:
    orders: dict[str, Callable[[MemoryHolder], Any]] = {
        "size": lambda one: (-_total(one), one.name),
        "exclusive": lambda one: (-one.exclusive, one.name),
        "shared": lambda one: (-(one.shared or 0), one.name),
        "objects": lambda one: (-one.n_objects, one.name),
        "name": lambda one: one.name,
        "type": lambda one: (one.type, one.name),
    }
    if sort not in orders:
        raise OptionError(f"--sort: {sort!r} is not one of {', '.join(orders)}")
    return sorted(holders, key=orders[sort])


def _held_table(
    caption: str, noun: str, holders: Sequence[MemoryHolder], *, limit: int | None, most: int, precision: int
) -> TableView:
    shown = holders[: limit or None]
    strong = heaviest(holders, _total)
    rows = tuple(_held_row(one, most, precision, strong=one in strong) for one in shown)
    left = holders[len(shown) :]
    footer = f"{len(left):,} more {noun}, {format_size(sum(one.exclusive for one in left), precision)}" if left else ""
    return TableView(caption, _HELD_COLUMNS, rows, footer)


def _held_row(one: MemoryHolder, most: int, precision: int, *, strong: bool) -> Row:
    value = " · ".join(filter(None, (one.text, f"also {one.also}" if one.also else "")))
    shared = "many" if one.shared is None else format_size(one.shared, precision) if one.shared else ""
    return Row(
        (
            Cell(one.name),
            Cell(one.type),
            Cell(value),
            Cell(format_size(one.exclusive, precision), bar=max(0.0, one.exclusive / most)),
            Cell(shared, bar=(one.shared or 0) / most),
            Cell(f"{one.n_objects:,}" if one.n_objects else ""),
        ),
        strong,
    )


def _parts_table(memory: NamespaceMemory, precision: int) -> TableView:
    whole = memory.rss or 1
    strong = heaviest(memory.parts, lambda part: part.size, memory.rss)
    rows = [
        Row(
            (
                Cell(part.name),
                Cell(format_size(part.size, precision), bar=min(1.0, max(0.0, part.size / whole))),
                Cell(percent(part.size / whole)),
                Cell(part.tip),
            ),
            strong=part in strong,
        )
        for part in memory.parts
    ]
    if rows:
        rows.append(Row((Cell("resident"), Cell(format_size(memory.rss, precision)), Cell(percent(1)), Cell(""))))
    return TableView("Where the resident memory is", _PART_COLUMNS, tuple(rows))


def _memory_headline(
    memory: NamespaceMemory, variables: Sequence[MemoryHolder], kept: Sequence[MemoryHolder], precision: int
) -> str:
    sizes = {part.name: part.size for part in memory.parts}
    largest = next(iter(_sorted(variables, "size")), None)
    text = f"{format_size(memory.rss, precision)} resident"
    if largest is not None:
        own = sum(one.exclusive for one in variables)
        text += f": {format_size(own, precision)} in {counted(len(variables), 'variable')}"
        if sizes.get("shared"):
            text += f" alone and {format_size(sizes['shared'], precision)} shared"
        text += f", the largest is {largest.name} ({format_size(_total(largest), precision)})"
    text += f"; IPython keeps {format_size(sum(one.exclusive for one in kept), precision)}"
    free = sum(size for name, size in sizes.items() if name.startswith("free in"))
    return f"{text}; {format_size(free, precision)} are free and not returned." if free else f"{text}."


def _trimmed(memory: NamespaceMemory, precision: int) -> Iterator[str]:
    if memory.given_back is not None:
        yield f"--trim gave {format_size(max(0, memory.given_back), precision)} back to the system."
