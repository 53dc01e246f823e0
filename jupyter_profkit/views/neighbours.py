"""Callers and callees: under the rows of the function table, and as reports of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jupyter_profkit.model.functions import CallerRecord, FunctionRecord, Key, TimeProfile
from jupyter_profkit.views.emphasis import heaviest
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, TextView, Unit
from jupyter_profkit.views.words import (
    LONGEST_NAME,
    calls_text,
    clip,
    counted,
    headed,
    name_of,
    name_of_key,
    plural,
    seconds_text,
)

__all__ = ["Neighbours", "callees_report", "callers_report"]

_EDGE_COLUMNS: Final = (
    Column("ncalls"),
    Column("tottime", tip="seconds in the callee itself, when called from there"),
    Column("cumtime", tip="seconds in the callee and all it called, when called from there"),
    Column("caller", Unit.TEXT),
    Column("callee", Unit.TEXT),
)

_N_EDGES: Final = 500
_N_NEIGHBOURS: Final = 6


class Neighbours:
    """Callers and callees of some functions.

    Parameters
    ----------
    functions : all that ran.
    of : those whose callers and callees will be asked for.
    """

    def __init__(self, functions: Sequence[FunctionRecord], of: Sequence[FunctionRecord]) -> None:
        self._records = {record.key: record for record in functions} if of else {}
        self._callees: dict[Key, list[tuple[FunctionRecord, CallerRecord]]] = {record.key: [] for record in of}
        for record in functions if of else ():
            for caller in record.callers:
                if caller.caller in self._callees:
                    self._callees[caller.caller].append((record, caller))

    def name(self, key: Key) -> str:
        """The function of that key, as the tables name it."""
        return name_of_key(key, self._records.get(key))

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
        figures = f"{calls_text(share):>21}  {seconds_text(share.tottime):>9}  {seconds_text(share.cumtime):>9}"
        yield f"{figures}  {clip(name, LONGEST_NAME)}"
    if len(neighbours) > _N_NEIGHBOURS:
        yield f"{'':>21}  … {len(neighbours) - _N_NEIGHBOURS} more"


def callers_report(profile: TimeProfile, records: Sequence[FunctionRecord]) -> Report:
    """Who called `records`."""
    neighbours = Neighbours(profile.functions, records)
    edges = [(name, name_of(record), share) for record in records for name, share in neighbours.callers(record)]
    report = _edges_report(profile, records, edges, "called by")
    n_others = sum(max(record.ncalls - sum(caller.ncalls for caller in record.callers), 0) for record in records)
    if not n_others:
        return report
    made = "was made" if n_others == 1 else "were made"
    note = f"{counted(n_others, 'call')} {made} by no function, but by the measured block itself or an event loop"
    return replace(report, notes=(note,))


def callees_report(profile: TimeProfile, records: Sequence[FunctionRecord]) -> Report:
    """What `records` called."""
    neighbours = Neighbours(profile.functions, records)
    edges = [(name_of(record), name, share) for record in records for name, share in neighbours.callees(record)]
    return _edges_report(profile, records, edges, "calls")


def _edges_report(
    profile: TimeProfile, records: Sequence[FunctionRecord], edges: Sequence[tuple[str, str, CallerRecord]], verb: str
) -> Report:
    strong = heaviest([share for *_, share in edges], lambda share: share.cumtime)
    rows = tuple(
        Row(
            (
                Cell(calls_text(share)),
                Cell(seconds_text(share.tottime)),
                Cell(seconds_text(share.cumtime)),
                Cell(caller),
                Cell(callee),
            ),
            share in strong,
        )
        for caller, callee, share in edges[:_N_EDGES]
    )
    names = ", ".join(name_of(record) for record in records[:3]) + (", …" if len(records) > 3 else "")
    n = len(edges)
    headline = f"{names} {verb} {n} {plural('function', n)}" if n else f"{names} {verb} no function of this run"
    return Report(
        headed("%%cprofile", profile.session.title), headline, (TableView("", _EDGE_COLUMNS, rows),) if rows else ()
    )
