"""What keeps an object alive, as a view: a sentence and a table.

    report(holders)     a Report: each chain with the statement that ends it

Builders only word and order; what was found is in `model.objects`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.objects import HolderChain, ObjectHolders
from jupyter_profkit.model.result import Result
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, Unit

__all__ = ["report"]


def report(result: Result, **display: Any) -> Report:
    """The report of a result about objects.

    Raises
    ------
    OptionError
        For a display option that the result does not have.
    """
    if display:
        raise OptionError(f"a report of {result.kind} has no option {next(iter(display))!r}")
    match result:
        case ObjectHolders():
            return _holders_report(result)
    raise OptionError(f"{type(result).__name__} is no result of objects")


# Why

_MENTIONED = 4

_HOLDER_COLUMNS = (
    Column("Held by", Unit.TEXT),
    Column("Through", Unit.CODE, "the references from there to the object"),
    Column("What ends it", Unit.CODE, "the statement after which this chain is gone"),
)


def _holders_report(holders: ObjectHolders) -> Report:
    rows = tuple(Row((Cell(_who(chain)), Cell(_through(chain)), Cell(_end(chain)))) for chain in holders.chains)
    return Report(
        title=f"{holders.session.title} {holders.name}",
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
        return f"{what} is kept alive by {_list(names[:_MENTIONED] + more)}."
    if holders.in_cycle:
        return f"{what} is held by nothing but a reference cycle of its own; import gc; gc.collect() frees it."
    return f"No name was found that keeps {what} alive."


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _named(chain: HolderChain) -> str:
    """A holder in a sentence: ``variable df``, ``Out[3]``, ``the last error``."""
    name = chain.name.partition(", ")[0]
    return f"{chain.kind} {name}" if chain.kind in {"variable", "module"} else name


def _who(chain: HolderChain) -> str:
    name = chain.name if chain.kind in {"IPython", "last error", "last result", "thread"} else _named(chain)
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
