"""Time by function and by statement, in pstats' words.

    record = FunctionRecord("clean", "In [3]", 4, ncalls=12, pcalls=12, tottime=0.2, cumtime=1.1)
    profile.functions               in no particular order; views sort
    profile.statements.records      the cell's top-level statements

Times are seconds of the wall clock.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.call_tree import CallTree
from jupyter_profkit.model.result import Measuring, Result
from jupyter_profkit.model.session import Method, Session

if TYPE_CHECKING:
    import pstats

    from jupyter_profkit.model.call_graph import CallGraph
    from jupyter_profkit.model.time_comparison import TimeComparison
    from jupyter_profkit.views.report import Report

__all__ = [
    "CallerRecord",
    "CoroutineRecord",
    "FunctionRecord",
    "RunFigures",
    "StatementProfile",
    "StatementRecord",
    "TimeProfile",
]

RowKind = Literal["statement", "imports", "waiting", "awaiting", "tasks", "collections", "display"]
"""What the time of a row by statement went into."""

Key = tuple[str, int, str]
"""pstats' key of a function: filename, line number, name."""


@dataclass(frozen=True, slots=True)
class CallerRecord:
    """The share of one caller in a function's figures."""

    caller: Key
    ncalls: int
    pcalls: int
    tottime: float
    cumtime: float


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A function's figures in one of several runs."""

    ncalls: int
    tottime: float
    cumtime: float


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """One function, or one builtin, as pstats has it."""

    function: str
    filename: str
    """``~`` for a builtin."""
    lineno: int
    ncalls: int
    """All calls."""
    pcalls: int
    """Primitive calls: those that were not recursive."""
    tottime: float
    """Seconds in the function itself."""
    cumtime: float
    """Seconds in it and all it called."""
    callers: tuple[CallerRecord, ...] = ()
    label: str = ""
    """How a reader knows the file: ``In [7]``, ``pandas/core/frame.py``."""
    is_user: bool = False
    """Whether it is the user's own code."""
    qualname: str = ""
    """The name with those of the classes and functions around it; empty for a builtin."""
    runs: tuple[RunFigures, ...] = ()
    """With ``--repeat``, the figures of each run; those above are of all runs together."""

    @property
    def key(self) -> Key:
        """As pstats names it."""
        return (self.filename, self.lineno, self.function)

    @property
    def names(self) -> frozenset[str]:
        """What a reader may call it: ``fit``, ``Model.fit``; ``sleep`` for ``<built-in method time.sleep>``."""
        words = self.function.strip("<>").replace("'", "").removesuffix(" objects").split()
        bare = words[-1] if self.filename == "~" and words else self.function
        if "method" in words and "of" in words:
            bare = words[words.index("method") + 1]
        return frozenset({self.function, self.qualname, bare, bare.rpartition(".")[2]} - {""})


@dataclass(frozen=True, slots=True)
class CoroutineRecord:
    """A coroutine function of the user's own."""

    function: str
    filename: str
    lineno: int
    calls: int
    """Calls; that a call went on after an ``await`` is not another."""
    on_cpu: float
    """Seconds in which its frame ran, everything it called included."""
    awaiting: float
    """Seconds in which its calls waited, added up; several may wait at the same time."""
    tasks: tuple[str, ...] = ()
    """Names of the tasks that it ran in, other than the cell's own."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A top-level statement of the cell, or what was taken out of one: waiting, imports, garbage collection."""

    lineno: int
    """Where the statement begins; 0 for what is no statement's own: garbage collection, display of the last value."""
    source: str
    """Of another row than a statement's: what it is, in words."""
    time: float
    """Seconds, everything it called included, less what has a row of its own."""
    calls: int | None
    """Calls that the statement itself made, builtins included; modules loaded; collections. None if not known."""
    end_lineno: int = 0
    kind: RowKind = "statement"
    runs: tuple[float, ...] = ()
    """With ``--repeat``, seconds in each run; `time` is that of all runs together."""


@dataclass(frozen=True, slots=True)
class StatementProfile(Result):
    """The top-level statements of a cell, script or block, with `to_dataframe()` of their own."""

    kind: ClassVar[str] = "statements"
    columns: ClassVar[tuple[str, ...]] = ("lineno", "source", "time", "share", "calls")

    records: tuple[StatementRecord, ...]
    duration: float
    """Seconds of the whole run; shares are of this."""

    @property
    def time(self) -> float:
        """Seconds in all statements."""
        return sum(record.time for record in self.records)

    def share(self, record: StatementRecord) -> float:
        """The part of the run that a statement took, from 0 to 1."""
        return min(record.time / self.duration, 1.0) if self.duration > 0 else 0.0

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The statements, in the order of `columns`."""
        for record in self.records:
            yield record.lineno, record.source, record.time, self.share(record), record.calls


@dataclass(frozen=True, slots=True)
class TimeProfile(Result):
    """Where the time of one run went."""

    kind: ClassVar[str] = "functions"
    columns: ClassVar[tuple[str, ...]] = ("function", "filename", "lineno", "ncalls", "pcalls", "tottime", "cumtime")

    session: Session
    method: Method
    functions: tuple[FunctionRecord, ...]
    statements: StatementProfile
    stacks: CallTree | None = None
    """The call paths that took the time, sampled in the same run."""
    coroutines: tuple[CoroutineRecord, ...] = ()
    """The user's coroutine functions that ran, if they are known."""
    threads: tuple[TimeProfile, ...] = ()
    """With ``threads=True``, a profile for each thread that was started; its name is its session's title."""
    runs: tuple[float, ...] = ()
    """With ``--repeat``, seconds of each run; all other figures are of all runs together."""

    @property
    def stats(self) -> pstats.Stats:
        """The same figures as a real `pstats.Stats`."""
        from jupyter_profkit.export.pstats import to_pstats

        return to_pstats(self)

    @property
    def tottime(self) -> float:
        """Seconds in all functions."""
        return sum(function.tottime for function in self.functions)

    @property
    def ncalls(self) -> int:
        """Calls of all functions."""
        return sum(function.ncalls for function in self.functions)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The functions, the one with most time of its own first, in the order of `columns`."""
        for record in sorted(self.functions, key=lambda function: (-function.tottime, function.key)):
            yield (
                record.qualname or record.function,
                record.label or record.filename,
                record.lineno,
                record.ncalls,
                record.pcalls,
                record.tottime,
                record.cumtime,
            )

    def diff(self, other: TimeProfile | Measuring) -> TimeComparison:
        """What changed from this run to `other`, function by function; they are matched by module and qualified name.

        Raises
        ------
        OptionError
            If `other` is no time profile.
        """
        from jupyter_profkit.model.time_comparison import compare_times

        return compare_times(self, self.same_kind(other))

    def find(self, name: str) -> tuple[FunctionRecord, ...]:
        """The functions of that name, qualified or not.

        Raises
        ------
        TargetError
            If none of that name ran; names that come close are suggested.
        """
        found = tuple(record for record in self.functions if name in record.names)
        if not found:
            known = sorted({name for record in self.functions for name in record.names})
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"; there is {', '.join(close)}" if close else ""
            raise TargetError(f"no function named {name!r} ran{hint}")
        return found

    def callers(self, name: str) -> Report:
        """Who called the functions of that name, how often, and for how long.

        Raises
        ------
        TargetError
            If no function of that name ran.
        """
        from jupyter_profkit.views.neighbours import callers_report

        return callers_report(self, self.find(name))

    def callees(self, name: str) -> Report:
        """What the functions of that name called, how often, and for how long.

        Raises
        ------
        TargetError
            If no function of that name ran.
        """
        from jupyter_profkit.views.neighbours import callees_report

        return callees_report(self, self.find(name))

    def graph(self, limit: int = 30) -> CallGraph:
        """Who called whom: the `limit` functions with most cumulative time, drawn as `%objrefs` draws objects.

        Raises
        ------
        OptionError
            If that is more than can be drawn, or none.
        """
        from jupyter_profkit.views.call_graph import call_graph

        return call_graph(self, limit)

    def flame(self) -> Report:
        """The call paths that took the time, as a flame graph: roots on top, as wide as their time.

        Raises
        ------
        TargetError
            If no stacks were sampled in this run.
        """
        from jupyter_profkit.views.call_tree import flame_report

        return flame_report(self)
