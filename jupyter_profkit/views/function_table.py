"""The functions of a run in pstats' columns, in three orders, with callers and callees under each row."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.model.functions import FunctionRecord, TimeProfile
from jupyter_profkit.options.cprofile import CPROFILE, Limit, limits, sort_keys
from jupyter_profkit.views.display_hook import Listed, with_display_folded
from jupyter_profkit.views.neighbours import Neighbours
from jupyter_profkit.views.report import Cell, Column, Row, TableView, Unit
from jupyter_profkit.views.words import LONGEST_NAME, calls_text, clip, name_of, plural, seconds_text

__all__ = ["Display", "function_tables"]

_FUNCTION_COLUMNS: Final = (
    Column("ncalls", tip="all calls; with recursion all/primitive"),
    Column("tottime", tip="seconds in the function itself"),
    Column("percall", tip="tottime / all calls"),
    Column("cumtime", tip="seconds in the function and all it called"),
    Column("percall", tip="cumtime / primitive calls"),
    Column("filename:lineno(function)", Unit.TEXT),
)
_N_ROWS: Final = 50
_N_ROWS_FOLDED: Final = 20
_N_ROWS_AT_MOST: Final = 500
_N_WITH_FOLDS: Final = 25
_FOLDED_ORDERS: Final = ("tottime", "cumtime", "ncalls")

_ORDERS: Final[dict[str, tuple[str, Callable[[FunctionRecord], Any]]]] = {
    "tottime": ("own time", lambda record: -record.tottime),
    "cumtime": ("cumulative time", lambda record: -record.cumtime),
    "ncalls": ("calls", lambda record: -record.ncalls),
    "pcalls": ("primitive calls", lambda record: -record.pcalls),
    "filename": ("file", lambda record: record.label or record.filename),
    "lineno": ("line", lambda record: record.lineno),
    "function": ("name", lambda record: record.function),
    "nfl": ("name, file and line", lambda record: (record.function, record.label or record.filename, record.lineno)),
    "stdname": ("standard name", name_of),
}
"""What each sort key of pstats is called, and what it sorts by; figures go down, words go up."""


@dataclass(frozen=True)
class Display:
    """What is shown, and in which order."""

    sort: tuple[str, ...]
    limits: tuple[Limit, ...]
    functions: tuple[str, ...]
    modules: tuple[str, ...]
    exclude: tuple[str, ...]
    flame: bool

    @property
    def selects(self) -> bool:
        """Whether functions are asked for by name."""
        by_text = any(isinstance(limit, str) for limit in self.limits)
        return by_text or bool(self.functions or self.modules or self.exclude)

    @classmethod
    def of(cls, display: dict[str, Any]) -> Display:
        values = CPROFILE.from_keywords(display)
        sort = sort_keys(values.sort) or ("tottime",)
        return cls(sort, limits(values.limit), values.functions, values.modules, values.exclude, not values.no_flame)

    def wants(self, record: FunctionRecord) -> bool:
        """Whether the globs of functions and modules let `record` through."""
        names, modules = record.names, _module_names(record)
        if _matches(names | modules, self.exclude):
            return False
        return (not self.functions or _matches(names, self.functions)) and (
            not self.modules or _matches(modules, self.modules)
        )

    def limited(self, records: Sequence[FunctionRecord]) -> list[FunctionRecord]:
        """The first of `records`, by each limit in turn, as pstats does it."""
        kept = list(records)
        for limit in self.limits:
            match limit:
                case str():
                    kept = [record for record in kept if re.search(limit, name_of(record))]
                case float():
                    kept = kept[: int(len(kept) * limit + 0.5)]
                case int():
                    kept = kept[:limit]
        return kept[: _N_ROWS_AT_MOST if self.limits else _N_ROWS]


def _module_names(record: FunctionRecord) -> frozenset[str]:
    """``pandas.core.frame`` for ``pandas/core/frame.py``, and the label itself: ``In [7]``."""
    label = record.label or record.filename
    dotted = re.sub(r"[/\\]", ".", label).removesuffix(".py").removesuffix(".__init__")
    return frozenset({label, dotted})


def _matches(names: Iterable[str], globs: Collection[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(name, f"{glob}.*") for glob in globs for name in names
    )


def function_tables(profile: TimeProfile, shown: Display) -> Iterator[TableView]:
    if not profile.functions:
        return
    listed = Listed(list(profile.functions)) if shown.selects else with_display_folded(profile)
    records = [record for record in listed.records if shown.wants(record)]
    neighbours = Neighbours(profile)
    kept = shown.limited(_sorted(records, shown.sort))
    order = ", ".join(_ORDERS[key][0] for key in shown.sort)
    yield TableView(
        f"Functions by {order}, seconds",
        _FUNCTION_COLUMNS,
        tuple(_function_row(profile, record, neighbours, n < _N_WITH_FOLDS) for n, record in enumerate(kept)),
        _others(profile, listed, kept),
    )
    for key in _FOLDED_ORDERS:
        if key != shown.sort[0]:
            yield _folded_table(profile, listed, records, key)


def _folded_table(profile: TimeProfile, listed: Listed, records: Sequence[FunctionRecord], key: str) -> TableView:
    kept = _sorted(records, (key,))[:_N_ROWS_FOLDED]
    rows = tuple(_function_row(profile, record, None, with_folds=False) for record in kept)
    caption = f"Functions by {_ORDERS[key][0]}, seconds"
    return TableView(caption, _FUNCTION_COLUMNS, rows, _others(profile, listed, kept), folded=True, in_text=False)


def _sorted(records: Iterable[FunctionRecord], keys: Sequence[str]) -> list[FunctionRecord]:
    orders = [_ORDERS[key][1] for key in keys]
    return sorted(records, key=lambda record: (*(order(record) for order in orders), name_of(record)))


def _others(profile: TimeProfile, listed: Listed, kept: Collection[FunctionRecord]) -> str:
    """What the rows leave out, so that they add up to the whole."""
    shown = {id(record) for record in kept}
    others = [record for record in listed.records if id(record) not in shown]
    total = f"{seconds_text(profile.tottime)} s in {profile.ncalls:,} calls of {len(profile.functions)} functions"
    words = [f"all together {total}"]
    if others:
        calls = sum(record.ncalls for record in others)
        own = sum(record.tottime for record in others)
        words.insert(
            0,
            f"{len(others)} other {plural('function', len(others))}: {seconds_text(own)} s of their own in {calls:,} "
            f"{plural('call', calls)}",
        )
    if listed.n_folded and any(record.key == listed.row for record in kept):
        words.append(f"{listed.n_folded} that only the display called are in its row; -m GLOB lists them")
    return "; ".join(words)


def _function_row(profile: TimeProfile, record: FunctionRecord, neighbours: Neighbours | None, with_folds: bool) -> Row:
    share = record.tottime / profile.tottime if profile.tottime else 0.0
    cells = (
        Cell(calls_text(record)),
        Cell(seconds_text(record.tottime), share if share >= 0.005 else None),
        Cell(seconds_text(record.tottime / record.ncalls if record.ncalls else 0.0)),
        Cell(seconds_text(record.cumtime)),
        Cell(seconds_text(record.cumtime / record.pcalls if record.pcalls else 0.0)),
        Cell(clip(name_of(record), LONGEST_NAME)),
    )
    folds = tuple(neighbours.folds(record)) if neighbours is not None and with_folds else ()
    return Row(cells, record.is_user, folds)
