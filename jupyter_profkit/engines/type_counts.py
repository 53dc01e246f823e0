"""How many objects of each type there are, and what there is more of than before.

    counter = TypeCounter()
    counter.count()                 {'builtins.function': 21_000, …}
    counter.grown()                 [TypeRecord('list', 4_012, growth=3)]

* objgraph counts: all objects that the garbage collector tracks. Numbers, strings
  and containers of only those are not among them.
* Growth is counted after a full collection, so that what only waits to be collected
  does not show. The collector's settings stay as they are.
* What this package and the interpreter's machinery make meanwhile is left out: results,
  iterators, the syntax tree of the running cell.
"""

from __future__ import annotations

import ast
import collections
import gc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import exact_name, printable, type_name
from jupyter_profkit.model.references import TypeRecord

__all__ = ["TypeCounter", "count_types", "counted_name", "growth_of", "records_of"]

_OURS = "jupyter_profkit."
_PYTHONS_OWN = (
    *("builtins.", "weakref.", "_weakref.", "_thread.", "threading.", "contextlib.", "collections.", "functools."),
    *(
        "_contextvars.",
        "asyncio.",
        "_asyncio.",
        "types.",
        "IPython.",
        "ipykernel.",
        "zmq.",
        "sqlite3.",
        "tornado.",
        "traitlets.",
    ),
)
_FLOOR = 10
"""Objects of a type of Python's own that a shell makes for itself when it runs a cell, at most."""


def count_types(keep: Callable[[Any], bool] | None = None) -> dict[str, int]:
    """The number of tracked objects by the full name of their type, ours left out.

    Parameters
    ----------
    keep : count only objects for which it is true; it must not raise.
    """
    import objgraph

    try:
        counts = objgraph.typestats(shortnames=False, filter=keep)
    except Exception:  # a metaclass can make __name__ and __module__ fail; then count without asking it
        objects = (obj for obj in gc.get_objects() if keep is None or keep(obj))
        counts = collections.Counter(counted_name(type(obj)) for obj in objects)
    if keep is None:
        parts = _in_syntax_trees()
        counts = {name: count - parts.get(name, 0) for name, count in counts.items()}
    return {name: count for name, count in counts.items() if count and not _is_machinery(str(name))}


def counted_name(cls: type) -> str:
    """A type as it is counted: by module and name, as objgraph has it."""
    try:
        module = exact_name(type.__dict__["__module__"].__get__(cls))
    except AttributeError:
        module = ""
    return f"{module}.{type_name(cls)}" if module else type_name(cls)


def _is_machinery(name: str) -> bool:
    return name.startswith((_OURS, "ast.")) or (name.startswith("builtins.") and name.endswith("iterator"))


def _in_syntax_trees() -> dict[str, int]:
    """The lists and dictionaries inside syntax trees, by type.

    A shell keeps the tree of a cell while the cell runs, and drops it before the
    cell is over: growth would be short by the size of the cell's source.
    """
    seen: dict[int, str] = {}
    for node in gc.get_objects():
        if issubclass(type(node), ast.AST):
            for held in referents(node):
                inside = held.values() if type(held) is dict else ()
                for part in (held, *inside):
                    if (type(part) is list or type(part) is dict) and gc.is_tracked(part):
                        seen[id(part)] = f"builtins.{type(part).__name__}"
    return collections.Counter(seen.values())


def records_of(
    counts: Mapping[str, int], before: Mapping[str, int] | None = None, *, shortnames: bool = True
) -> list[TypeRecord]:
    """The counts with their growth since `before`, types of one short name together if so named."""
    now, then = (_named(one, shortnames=shortnames) for one in (counts, before or {}))
    records = [TypeRecord(name, count, count - then.get(name, 0)) for name, count in now.items()]
    return sorted(records, key=lambda record: (-record.count, record.type))


class TypeCounter:
    """Counts types, and remembers the last count to compare the next with."""

    def __init__(self) -> None:
        self._last: dict[str, int] | None = None

    @property
    def is_first(self) -> bool:
        """Whether there is nothing to compare with yet."""
        return self._last is None

    def mark(self) -> None:
        """Count now, to compare the next count with."""
        if self._last is None:
            count_types()  # what the first count imports and caches is nobody's growth
        gc.collect()
        self._last = count_types()

    def grown(self, *, shortnames: bool = True, n_cells: int = 1) -> list[TypeRecord]:
        """The types of which there are more than at the last count, most growth first; this is the next last.

        Parameters
        ----------
        shortnames : types without their modules.
        n_cells : cells that a shell has run since.
        """
        before = self._last
        self.mark()
        now = self._last or {}
        records = [one for one in records_of(now, before, shortnames=shortnames) if one.growth > 0]
        if before is not None:
            grown = {name: 1 for name, count in now.items() if count > before.get(name, 0)}
            users = _named({name: 1 for name in grown if not name.startswith(_PYTHONS_OWN)}, shortnames=shortnames)
            most = _FLOOR * n_cells
            records = [replace(one, is_floor=one.growth <= most and one.type not in users) for one in records]
        return sorted(records, key=lambda record: (record.is_floor, -record.growth))


def growth_of(
    before: Mapping[str, int], after: Mapping[str, int], made: Mapping[str, int], *, shortnames: bool = True
) -> list[TypeRecord]:
    """The types in `made`, most growth first, with what was made of them.

    Parameters
    ----------
    before, after : counts by full name.
    made : objects made in between and still there, by full name.
    """
    new = _named(made, shortnames=shortnames)
    records = [one for one in records_of(after, before, shortnames=shortnames) if one.type in new]
    records = [replace(one, new=new[one.type]) for one in records]
    return sorted(records, key=lambda record: (-max(record.growth, 0), -new[record.type], record.type))


def _named(counts: Mapping[str, int], *, shortnames: bool) -> dict[str, int]:
    named: dict[str, int] = {}
    for name, count in counts.items():
        text = printable(name.rpartition(".")[2] if shortnames else name.removeprefix("builtins."), 80)
        named[text] = named.get(text, 0) + count
    return named
