"""Time, as a reader sees it: the cell's statements, its call paths, its functions in pstats' columns.

    report(profile, sort=("cumulative",), limit=("20",))      Report
    callers_report(profile, profile.find("clean"))

The function table stands in one order; cumulative time and calls are there too,
folded, because a saved notebook can no longer sort. What a table leaves out is
summed up under it, so that its figures add up.
"""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.model.functions import (
    CallerRecord,
    CoroutineRecord,
    FunctionRecord,
    Key,
    RowKind,
    StatementProfile,
    StatementRecord,
    TimeProfile,
)
from jupyter_profkit.options.cprofile import CPROFILE, Limit, limits, sort_keys
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.call_tree import flame_view, method_of
from jupyter_profkit.views.display_hook import Listed, with_display_folded
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, TextView, TreeView, Unit, warning_of

__all__ = ["callees_report", "callers_report", "report"]

_STATEMENT_COLUMNS: Final = (
    Column("Line #"),
    Column("Time", tip="everything that the statement called included, less the rows in brackets"),
    Column("Share", tip="of the whole run"),
    Column("Calls", tip="made by the statement itself, builtins included; modules loaded; collections"),
    Column("Line Contents", Unit.CODE),
)
_FUNCTION_COLUMNS: Final = (
    Column("ncalls", tip="all calls; with recursion all/primitive"),
    Column("tottime", tip="seconds in the function itself"),
    Column("percall", tip="tottime / all calls"),
    Column("cumtime", tip="seconds in the function and all it called"),
    Column("percall", tip="cumtime / primitive calls"),
    Column("filename:lineno(function)", Unit.TEXT),
)
_COROUTINE_COLUMNS: Final = (
    Column("calls", tip="calls; that one went on after an await is not another"),
    Column("on-CPU", tip="seconds in which its frame ran, everything it called included"),
    Column("awaiting", tip="seconds in which its calls waited, added up; several may wait at the same time"),
    Column("tasks", Unit.TEXT, tip="the tasks that it ran in"),
    Column("filename:lineno(function)", Unit.TEXT),
)
_EDGE_COLUMNS: Final = (
    Column("ncalls"),
    Column("tottime", tip="seconds in the callee itself, when called from there"),
    Column("cumtime", tip="seconds in the callee and all it called, when called from there"),
    Column("caller", Unit.TEXT),
    Column("callee", Unit.TEXT),
)

_N_ROWS: Final = 50
_N_ROWS_FOLDED: Final = 20
_N_ROWS_AT_MOST: Final = 500
_N_WITH_FOLDS: Final = 25
_N_NEIGHBOURS: Final = 6
_N_STRONG: Final = 3
_N_TASKS: Final = 3
_N_BOXES: Final = 150
_LONGEST_LINE: Final = 120
_LONGEST_NAME: Final = 100

_FOLDED_ORDERS: Final = ("tottime", "cumtime", "ncalls")


def report(result: TimeProfile | StatementProfile, **display: Any) -> Report:
    """The report of a time profile.

    Parameters
    ----------
    result : what was measured.
    **display
        ``sort`` keys and ``limit`` as pstats takes them; ``functions``, ``modules``
        and ``exclude`` globs of what the table shows; ``no_flame``.

    Raises
    ------
    OptionError
        If an option is unknown, or a key, number or pattern is wrong.
    """
    shown = _Display.of(display)
    if isinstance(result, StatementProfile):
        return Report("Statements", _statements_headline(result), _statement_tables(result))
    return Report(
        title=_title(result),
        headline=_headline(result),
        parts=(
            *_statement_tables(result.statements),
            *_coroutine_tables(result.coroutines),
            *_function_tables(result, shown),
            *_flame(result, shown),
        ),
        notes=tuple(_notes(result)),
        method=tuple(_method(result)),
        warning=warning_of(result.session),
    )


def name_of(record: FunctionRecord) -> str:
    """A function as pstats names it, with the file as its reader knows it: ``In [3]:4(Model.fit)``."""
    return _name(record.key, record)


def _name(key: Key, record: FunctionRecord | None) -> str:
    filename, lineno, function = key
    if filename == "~":
        return f"{{{function[1:-1]}}}" if function.startswith("<") and function.endswith(">") else function
    if record is None:
        return f"{filename}:{lineno}({function})"
    name = (record.qualname or function).replace("<locals>.", "")
    return f"{record.label or filename}:{lineno}({name})"


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
class _Display:
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
    def of(cls, display: dict[str, Any]) -> _Display:
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


# words


def _title(profile: TimeProfile) -> str:
    """The magic and the cell, or the line magic and its statement."""
    title, statements = profile.session.title, profile.statements.records
    if not title.startswith("%") or not statements:
        return f"%%cprofile  {title}"
    return f"{title}  {_clip(statements[0].source, 60)}{' …' if len(statements) > 1 else ''}"


def _headline(profile: TimeProfile) -> str:
    if not profile.functions:
        return f"{format_seconds(profile.session.duration)}; no function was called"
    text = f"{format_seconds(profile.session.duration)} in {profile.ncalls:,} {_plural('call', profile.ncalls)}"
    where = _heaviest_statement(profile.statements) or _heaviest_function(profile)
    return f"{text}; {where}" if where else text


def _statements_headline(statements: StatementProfile) -> str:
    where = _heaviest_statement(statements)
    return f"{format_seconds(statements.duration)}; {where}" if where else format_seconds(statements.duration)


def _heaviest_statement(statements: StatementProfile) -> str:
    heaviest = max(statements.records, key=lambda record: record.time, default=None)
    if heaviest is None or not statements.share(heaviest):
        return ""
    between = statements.duration - statements.time
    if between > max(heaviest.time, 0.02):
        return (
            f"{_percent(between / statements.duration)} outside the statements: waiting, or the event loop's other work"
        )
    return f"{_percent(statements.share(heaviest))} {_where(statements, heaviest)}"


def _where(statements: StatementProfile, record: StatementRecord) -> str:
    """``in line 4: clean(df)``; ``waiting in line 4: …`` if that is what its time went into."""
    if not record.lineno:
        article = "the " if record.kind in {"display", "statement"} else ""
        return f"in {article}{record.source}"
    doing = _DOING.get(record.kind, "")
    statement = next((each for each in statements.records if each.lineno == record.lineno), record)
    return f"{doing}in line {record.lineno}: {_clip(statement.source.strip(), 60)}"


_DOING: Final[dict[RowKind, str]] = {
    "imports": "loading modules ",
    "waiting": "waiting ",
    "awaiting": "awaiting ",
    "tasks": "in tasks that ran meanwhile, ",
}


def _heaviest_function(profile: TimeProfile) -> str:
    heaviest = max(profile.functions, key=lambda record: record.tottime)
    if not profile.tottime:
        return ""
    return f"{_percent(heaviest.tottime / profile.tottime)} of it in {_clip(name_of(heaviest), 60)} itself"


def _notes(profile: TimeProfile) -> Iterator[str]:
    outside = profile.session.duration - profile.tottime
    if profile.functions and outside > 0.02 and outside > profile.session.duration / 20:
        yield (
            f"{format_seconds(outside)} passed outside of the functions listed: waiting in the event loop, "
            "or in the shell between the statements"
        )
    yield from profile.method.notes


def _method(profile: TimeProfile) -> Iterator[str]:
    method = profile.method
    yield method.engine
    if method.n_events:
        cost = f"; recording took about {format_seconds(method.overhead)} of the time" if method.overhead else ""
        yield f"{method.n_events:,} calls and returns{cost}"
    if method.exact:
        yield "counts are exact; times are of the wall clock; recording inflates small functions called often"
    if profile.stacks is not None:
        yield method_of(profile.stacks)


# the statements


def _statement_tables(statements: StatementProfile) -> tuple[TableView, ...]:
    if not statements.records:
        return ()
    strong = _heaviest(statements)
    rows = tuple(_statement_row(statements, record, record in strong) for record in statements.records)
    return (TableView("Statements", _STATEMENT_COLUMNS, rows, _between(statements)),)


def _heaviest(statements: StatementProfile) -> list[StatementRecord]:
    by_time = sorted(statements.records, key=lambda record: -record.time)
    return [record for record in by_time[:_N_STRONG] if statements.share(record) >= 0.1]


def _statement_row(statements: StatementProfile, record: StatementRecord, strong: bool) -> Row:
    share = statements.share(record)
    is_statement = record.kind == "statement" and record.lineno > 0
    source = record.source + (" …" if record.end_lineno > record.lineno else "")
    if not is_statement:
        source = f"{'    ' if record.lineno else ''}({source})"
    cells = (
        Cell(str(record.lineno) if is_statement else ""),
        Cell(format_seconds(record.time)),
        Cell(_percent(share), share if share >= 0.005 else None),
        Cell(f"{record.calls:,}" if is_statement or record.calls else ""),
        Cell(_clip(source, _LONGEST_LINE)),
    )
    return Row(cells, strong)


def _between(statements: StatementProfile) -> str:
    rest = statements.duration - statements.time
    if statements.duration <= 0 or rest < statements.duration / 200:
        return ""
    return f"{format_seconds(rest)} ({_percent(rest / statements.duration)}) outside the statements"


# the coroutines


def _coroutine_tables(records: Sequence[CoroutineRecord]) -> tuple[TableView, ...]:
    if not records:
        return ()
    ordered = sorted(records, key=lambda record: (-record.awaiting - record.on_cpu, record.label, record.lineno))
    kept, others = ordered[:_N_ROWS_FOLDED], ordered[_N_ROWS_FOLDED:]
    longest = max(record.awaiting for record in kept)
    rows = tuple(_coroutine_row(record, record.awaiting / longest if longest else 0.0) for record in kept)
    footer = (
        f"{len(others)} other {_plural('coroutine', len(others))}: "
        f"{_seconds(sum(record.on_cpu for record in others))} s on the CPU, "
        f"{_seconds(sum(record.awaiting for record in others))} s awaiting"
        if others
        else ""
    )
    return (TableView("Coroutines, seconds", _COROUTINE_COLUMNS, rows, footer),)


def _coroutine_row(record: CoroutineRecord, bar: float) -> Row:
    cells = (
        Cell(f"{record.calls:,}"),
        Cell(_seconds(record.on_cpu)),
        Cell(_seconds(record.awaiting), bar if bar >= 0.005 else None),
        Cell(_tasks(record.tasks)),
        Cell(_clip(f"{record.label or record.filename}:{record.lineno}({record.function})", _LONGEST_NAME)),
    )
    return Row(cells)


def _tasks(names: Sequence[str]) -> str:
    """``Task-3, Task-4 and 8 more``; a coroutine that only the cell itself awaited ran in no task of its own."""
    if not names:
        return "the cell's own"
    shown = ", ".join(_clip(name, 30) for name in names[:_N_TASKS])
    more = len(names) - _N_TASKS
    return f"{shown} and {more:,} more" if more > 0 else shown


# the call paths


def _flame(profile: TimeProfile, shown: _Display) -> tuple[TreeView, ...]:
    if profile.stacks is None or not profile.stacks.roots or not shown.flame:
        return ()
    return (flame_view(profile.stacks, profile.session.title, _N_BOXES),)


# the functions


def _function_tables(profile: TimeProfile, shown: _Display) -> Iterator[TableView]:
    if not profile.functions:
        return
    listed = Listed(list(profile.functions)) if shown.selects else with_display_folded(profile)
    records = [record for record in listed.records if shown.wants(record)]
    neighbours = _Neighbours(profile)
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
    total = f"{_seconds(profile.tottime)} s in {profile.ncalls:,} calls of {len(profile.functions)} functions"
    words = [f"all together {total}"]
    if others:
        calls = sum(record.ncalls for record in others)
        own = sum(record.tottime for record in others)
        words.insert(
            0,
            f"{len(others)} other {_plural('function', len(others))}: {_seconds(own)} s of their own in {calls:,} "
            f"{_plural('call', calls)}",
        )
    if listed.n_folded and any(record.key == listed.row for record in kept):
        words.append(f"{listed.n_folded} that only the display called are in its row; -m GLOB lists them")
    return "; ".join(words)


def _function_row(
    profile: TimeProfile, record: FunctionRecord, neighbours: _Neighbours | None, with_folds: bool
) -> Row:
    share = record.tottime / profile.tottime if profile.tottime else 0.0
    cells = (
        Cell(_calls(record)),
        Cell(_seconds(record.tottime), share if share >= 0.005 else None),
        Cell(_seconds(record.tottime / record.ncalls if record.ncalls else 0.0)),
        Cell(_seconds(record.cumtime)),
        Cell(_seconds(record.cumtime / record.pcalls if record.pcalls else 0.0)),
        Cell(_clip(name_of(record), _LONGEST_NAME)),
    )
    folds = tuple(neighbours.folds(record)) if neighbours is not None and with_folds else ()
    return Row(cells, record.is_user, folds)


def _calls(record: FunctionRecord | CallerRecord) -> str:
    if record.pcalls == record.ncalls:
        return str(record.ncalls)
    return f"{record.ncalls}/{record.pcalls}"


class _Neighbours:
    """Callers and callees of each function."""

    def __init__(self, profile: TimeProfile) -> None:
        self._records = {record.key: record for record in profile.functions}
        self._callees: dict[Key, list[tuple[FunctionRecord, CallerRecord]]] = defaultdict(list)
        for record in profile.functions:
            for caller in record.callers:
                self._callees[caller.caller].append((record, caller))

    def name(self, key: Key) -> str:
        """The function of that key, as the tables name it."""
        return _name(key, self._records.get(key))

    def callers(self, record: FunctionRecord) -> list[tuple[str, CallerRecord]]:
        """Who called `record`, the one with most of its time first."""
        found = [(self.name(caller.caller), caller) for caller in record.callers]
        return sorted(found, key=_by_time)

    def callees(self, record: FunctionRecord) -> list[tuple[str, CallerRecord]]:
        """What `record` called, the one that took most time first."""
        return sorted(((name_of(callee), share) for callee, share in self._callees[record.key]), key=_by_time)

    def folds(self, record: FunctionRecord) -> Iterator[TextView]:
        """Both, as lines under the row of `record`."""
        callers, callees = self.callers(record), self.callees(record)
        if callers or callees:
            counts = [f"called by {len(callers)}"] * bool(callers) + [f"calls {len(callees)}"] * bool(callees)
            lines = (*_neighbour_lines("called by", callers), *_neighbour_lines("calls", callees))
            yield TextView(", ".join(counts), lines, folded=True)


def _by_time(neighbour: tuple[str, CallerRecord]) -> tuple[float, str]:
    name, share = neighbour
    return -share.cumtime, name


def _neighbour_lines(title: str, neighbours: Sequence[tuple[str, CallerRecord]]) -> Iterator[str]:
    if not neighbours:
        return
    yield f"{title:<12}{'ncalls':>9}  {'tottime':>9}  {'cumtime':>9}"
    for name, share in neighbours[:_N_NEIGHBOURS]:
        figures = f"{_calls(share):>21}  {_seconds(share.tottime):>9}  {_seconds(share.cumtime):>9}"
        yield f"{figures}  {_clip(name, _LONGEST_NAME)}"
    if len(neighbours) > _N_NEIGHBOURS:
        yield f"{'':>21}  … {len(neighbours) - _N_NEIGHBOURS} more"


# callers and callees on request


def callers_report(profile: TimeProfile, records: Sequence[FunctionRecord]) -> Report:
    """Who called `records`."""
    neighbours = _Neighbours(profile)
    edges = [(name, name_of(record), share) for record in records for name, share in neighbours.callers(record)]
    return _edges_report(profile, records, edges, "called by")


def callees_report(profile: TimeProfile, records: Sequence[FunctionRecord]) -> Report:
    """What `records` called."""
    neighbours = _Neighbours(profile)
    edges = [(name_of(record), name, share) for record in records for name, share in neighbours.callees(record)]
    return _edges_report(profile, records, edges, "calls")


def _edges_report(
    profile: TimeProfile, records: Sequence[FunctionRecord], edges: Sequence[tuple[str, str, CallerRecord]], verb: str
) -> Report:
    rows = tuple(
        Row(
            (
                Cell(_calls(share)),
                Cell(_seconds(share.tottime)),
                Cell(_seconds(share.cumtime)),
                Cell(caller),
                Cell(callee),
            )
        )
        for caller, callee, share in edges[:_N_ROWS_AT_MOST]
    )
    names = ", ".join(name_of(record) for record in records[:3]) + (", …" if len(records) > 3 else "")
    n = len(edges)
    headline = f"{names} {verb} {n} {_plural('function', n)}" if n else f"{names} {verb} no function of this run"
    return Report(_title(profile), headline, (TableView("", _EDGE_COLUMNS, rows),) if rows else ())


# figures


def _seconds(seconds: float) -> str:
    """Microseconds are the last digit: pstats' three digits are all 0 for most functions."""
    return f"{seconds:.6f}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.1f} %"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
