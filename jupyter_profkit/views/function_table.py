"""The functions of a run in pstats' columns, with callers and callees under each row.

The reader's own code comes first, then one row for each library. All functions follow
in three orders, folded, because a saved notebook can no longer sort. Who asks for an
order, a number or a name gets the list that pstats would print. Every table adds up
to the run.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import heapq
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.model.functions import FunctionRecord, TimeProfile
from jupyter_profkit.model.spread import mean, spread
from jupyter_profkit.options.cprofile import CPROFILE, Limit, limits, sort_keys
from jupyter_profkit.views.display_hook import Listed, with_display_folded
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.neighbours import Neighbours
from jupyter_profkit.views.packages import Package, library_of, packages
from jupyter_profkit.views.report import Cell, Column, Row, TableView, TextView, Unit
from jupyter_profkit.views.words import LONGEST_NAME, calls_text, clip, name_of, plural, seconds_text

__all__ = ["Display", "function_tables", "no_match", "thread_tables"]

_COLUMNS: Final = (
    Column("ncalls", tip="all calls; with recursion all/primitive"),
    Column("tottime", tip="seconds in the function itself"),
    Column("percall", tip="tottime / all calls"),
    Column("cumtime", tip="seconds in the function and all it called"),
    Column("percall", tip="cumtime / primitive calls"),
    Column("filename:lineno(function)", Unit.TEXT),
)
_RUN_COLUMNS: Final = (
    Column("a run", tip="tottime, the mean of the runs"),
    Column("±", tip="its standard deviation from run to run"),
)
_THREAD_COLUMNS: Final = (Column("ncalls"), Column("tottime"), Column("functions"), Column("thread", Unit.TEXT))
_N_ROWS: Final = 40
"""The reader's own functions at most, and twice as many as libraries."""
_N_ROWS_FOLDED: Final = 15
_N_ROWS_AT_MOST: Final = 500
_N_WITH_FOLDS: Final = 20
_N_ROWS_OF_THREAD: Final = 10
_N_THREADS: Final = 6
_N_OF_PACKAGE: Final = 8
_HEAVY: Final = 0.1
"""The share of the time from which a library's functions are listed in plain text, too."""
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
    lists: bool
    """Whether a list is asked for as pstats has it, not the reader's own code and libraries by package."""

    @property
    def selects(self) -> bool:
        """Whether functions are asked for by name."""
        by_text = any(isinstance(limit, str) for limit in self.limits)
        return by_text or bool(self.functions or self.modules or self.exclude)

    @classmethod
    def of(cls, display: dict[str, Any]) -> Display:
        values = CPROFILE.from_keywords(display)
        sort = sort_keys(values.sort) or ("tottime",)
        named = (limits(values.limit), values.functions, values.modules, values.exclude)
        return cls(sort, *named, not values.no_flame, lists=bool(values.sort) or any(named))

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
    """The functions: libraries folded by package, or the list that was asked for; then all of them in three orders."""
    if not profile.functions:
        return
    listed = Listed(list(profile.functions)) if shown.selects else with_display_folded(profile)
    table = _Table(profile, listed)
    if shown.lists:
        yield table.listing(shown)
    yield table.by_package(folded=shown.lists)
    for key in _FOLDED_ORDERS:
        if not (shown.lists and key == shown.sort[0]):
            yield table.in_order(key)


def thread_tables(threads: Sequence[TimeProfile], shown: Display) -> Iterator[TableView]:
    """A table for each thread, the one with most time first."""
    busy = sorted(threads, key=lambda thread: (-thread.tottime, thread.session.title))
    for thread in busy[:_N_THREADS]:
        table = _Table(thread, Listed(list(thread.functions)))
        view = table.listing(shown) if shown.lists else table.by_package(folded=False, n_rows=_N_ROWS_OF_THREAD)
        order = f"functions {_order_of(shown)}" if shown.lists else "your own functions, then libraries"
        yield dataclasses.replace(view, caption=f"Thread {thread.session.title}: {order}, seconds")
    others = busy[_N_THREADS:]
    if others:
        yield TableView("Other threads, seconds", _THREAD_COLUMNS, tuple(_thread_row(thread) for thread in others))


def _thread_row(thread: TimeProfile) -> Row:
    figures = (str(thread.ncalls), seconds_text(thread.tottime), f"{len(thread.functions):,}", thread.session.title)
    return Row(tuple(map(Cell, figures)))


def no_match(profile: TimeProfile, shown: Display) -> str:
    """What is said if functions were asked for by name and none of that name ran."""
    if not shown.selects or not profile.functions:
        return ""
    if shown.limited([record for record in profile.functions if shown.wants(record)]):
        return ""
    known = {name for record in profile.functions for name in record.names | _module_names(record)}
    asked = (*shown.functions, *shown.modules, *(limit for limit in shown.limits if isinstance(limit, str)))
    close = [name for word in asked for name in difflib.get_close_matches(word, sorted(known), n=2)]
    hint = f"; there is {', '.join(close[:4])}" if close else ""
    return f"no function of this run is chosen by {' '.join(asked) or 'these options'}{hint}"


class _Table:
    """Tables of the same functions; what one leaves out is summed up in its last row."""

    def __init__(self, profile: TimeProfile, listed: Listed) -> None:
        self._tottime, self._ncalls = profile.tottime, profile.ncalls
        self._n_functions = len(profile.functions)
        self._listed = listed
        self._functions = profile.functions
        self._is_repeated = bool(profile.runs)
        self._columns = (*_COLUMNS[:-1], *_RUN_COLUMNS, _COLUMNS[-1]) if self._is_repeated else _COLUMNS

    def listing(self, shown: Display) -> TableView:
        """The functions that were asked for, as pstats lists them."""
        records = [record for record in self._listed.records if shown.wants(record)]
        kept = shown.limited(_sorted(records, shown.sort))
        return self._view(f"Functions {_order_of(shown)}, seconds", kept, n_folds=_N_WITH_FOLDS)

    def in_order(self, key: str) -> TableView:
        """The first functions by one figure, whoever wrote them."""
        kept = _first(self._listed.records, key, _N_ROWS_FOLDED)
        caption = f"All functions by {_ORDERS[key][0]}, seconds"
        return dataclasses.replace(self._view(caption, kept), folded=True, in_text=False)

    def by_package(self, *, folded: bool, n_rows: int = _N_ROWS) -> TableView:
        """The reader's own functions, then a row for each library with its functions under it."""
        own = [record for record in self._listed.records if record.is_user]
        kept = _first(own, "tottime", n_rows)
        libraries, n_libraries = packages(self._listed.records), n_rows // 2
        strong = self._heaviest([*own, *libraries])
        rows = self._rows(kept, n_rows // 2, strong)
        rows += self._rest(own, kept, "of your own")
        rows += [self._package_row(package, strong=id(package) in strong) for package in libraries[:n_libraries]]
        others = [record for package in libraries[n_libraries:] for record in package.records]
        n_others = len(libraries) - n_libraries
        rows += self._rest(others, (), f"in {n_others} more {'library' if n_others == 1 else 'libraries'}")
        caption = "Functions: your own, then each library as one row, seconds"
        listed = [*kept, *(record for package in libraries[:n_libraries] for record in package.records)]
        return TableView(caption, self._columns, tuple(rows), self._footer(listed), folded, in_text=not folded)

    def _view(self, caption: str, kept: Sequence[FunctionRecord], n_folds: int = 0) -> TableView:
        rows = [*self._rows(kept, n_folds, self._heaviest(kept)), *self._rest(self._listed.records, kept)]
        return TableView(caption, self._columns, tuple(rows), self._footer(kept))

    def _heaviest(self, items: Sequence[FunctionRecord | Package]) -> set[int]:
        """The ids of the functions and libraries with most time of their own."""
        return {id(item) for item in heaviest(items, lambda item: item.tottime, self._tottime)}

    def _rows(self, records: Sequence[FunctionRecord], n_folds: int, strong: Collection[int]) -> list[Row]:
        neighbours = Neighbours(self._functions, records[:n_folds])
        return [
            self._row(record, tuple(neighbours.folds(record)) if n < n_folds else (), strong=id(record) in strong)
            for n, record in enumerate(records)
        ]

    def _row(self, record: FunctionRecord, folds: tuple[TextView, ...], *, strong: bool) -> Row:
        cells = (
            Cell(calls_text(record)),
            self._own_time(record.tottime),
            Cell(seconds_text(record.tottime / record.ncalls if record.ncalls else 0.0)),
            Cell(seconds_text(record.cumtime)),
            Cell(seconds_text(record.cumtime / record.pcalls if record.pcalls else 0.0)),
            *self._of_runs([record]),
            Cell(clip(name_of(record), LONGEST_NAME)),
        )
        return Row(cells, strong, folds, library_of(record))

    def _own_time(self, seconds: float) -> Cell:
        share = seconds / self._tottime if self._tottime else 0.0
        return Cell(seconds_text(seconds), share if share >= 0.005 else None)

    def _package_row(self, package: Package, *, strong: bool) -> Row:
        n, ncalls, tottime = len(package.records), package.ncalls, package.tottime
        cells = (
            Cell(str(ncalls)),
            self._own_time(tottime),
            Cell(seconds_text(tottime / ncalls if ncalls else 0.0)),
            Cell(seconds_text(package.cumtime)),
            Cell(),
            *self._of_runs(package.records),
            Cell(f"[{package.name}] {n:,} {plural('function', n)}"),
        )
        is_heavy = tottime >= _HEAVY * self._tottime
        lines = tuple(_package_lines(package))
        return Row(cells, strong, (TextView("", lines, folded=not is_heavy),), package.name)

    def _rest(self, records: Sequence[FunctionRecord], kept: Sequence[FunctionRecord], where: str = "") -> list[Row]:
        """A row for those of `records` that have none."""
        shown = {id(record) for record in kept}
        others = [record for record in records if id(record) not in shown]
        if not others:
            return []
        words = f"⋯ {len(others):,} other {plural('function', len(others))} {where}".rstrip()
        own = sum(record.tottime for record in others)
        calls = Cell(str(sum(record.ncalls for record in others)))
        blank = (Cell(), Cell(), Cell())
        return [Row((calls, self._own_time(own), *blank, *self._of_runs(others), Cell(words)))]

    def _of_runs(self, records: Sequence[FunctionRecord]) -> tuple[Cell, ...]:
        """Mean and spread of what the own times of `records` come to in a run; nothing if there was but one."""
        if not self._is_repeated:
            return ()
        own = [sum(run.tottime for run in runs) for runs in zip(*(record.runs for record in records), strict=False)]
        return Cell(seconds_text(mean(own))), Cell(seconds_text(spread(own)))

    def _footer(self, kept: Sequence[FunctionRecord]) -> str:
        calls = f"{self._ncalls:,} {plural('call', self._ncalls)}"
        functions = f"{self._n_functions:,} {plural('function', self._n_functions)}"
        text = f"all together {seconds_text(self._tottime)} s in {calls} of {functions}"
        if self._listed.n_folded and any(record.key == self._listed.row for record in kept):
            text += f"; {self._listed.n_folded} that only the display called are in its row; -m GLOB lists them"
        return text


def _package_lines(package: Package) -> Iterator[str]:
    """A library's functions, and the rest of them in one line."""
    kept = _first(package.records, "tottime", _N_OF_PACKAGE)
    yield f"{'ncalls':>12}  {'tottime':>11}  {'cumtime':>11}"
    for record in kept:
        figures = f"{calls_text(record):>12}  {seconds_text(record.tottime):>11}  {seconds_text(record.cumtime):>11}"
        yield f"{figures}  {clip(name_of(record), LONGEST_NAME)}"
    if len(kept) < len(package.records):
        calls = package.ncalls - sum(record.ncalls for record in kept)
        own = package.tottime - sum(record.tottime for record in kept)
        n = len(package.records) - len(kept)
        yield f"{calls:>12}  {seconds_text(abs(own)):>11}  {'':>11}  ⋯ {n:,} other {plural('function', n)}"


def _order_of(shown: Display) -> str:
    return f"by {', '.join(_ORDERS[key][0] for key in shown.sort)}"


def _sorted(records: Iterable[FunctionRecord], keys: Sequence[str]) -> list[FunctionRecord]:
    orders = [_ORDERS[key][1] for key in keys]
    return sorted(records, key=lambda record: (*(order(record) for order in orders), name_of(record)))


def _first(records: Iterable[FunctionRecord], key: str, n: int) -> list[FunctionRecord]:
    """The first `n` by one key: of a million there is no need to sort them all."""
    order = _ORDERS[key][1]
    return heapq.nsmallest(n, records, key=lambda record: (order(record), record.label, record.key))
