"""Time by function: cProfile's figures, of the measured thread and of what its block reached.

    engine = FunctionEngine("/tmp/ipykernel_7/123.py")
    engine.start()
    ...
    engine.stop()
    engine.functions(), engine.statements()

The entries of cProfile are a graph: for each function its totals, and for each pair
of caller and callee the share of that pair. What the user's code does not reach in
that graph (the shell around the cell, this package) is taken out, and so are the
shares of its calls in what both use.

IPython compiles each top-level statement of a cell by itself, as a ``<module>`` of its
own, and cProfile keeps code objects apart: time by statement costs nothing more.
"""

from __future__ import annotations

import contextlib
import cProfile
import functools
import inspect
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final, NamedTuple, Protocol

from jupyter_profkit.engines.pauses import CollectionWatch
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler, is_own_code
from jupyter_profkit.engines.stacks import Meanwhile, is_display_hook, is_import
from jupyter_profkit.engines.statements import StatementFigures, statement_records
from jupyter_profkit.engines.timers import SignalPacer
from jupyter_profkit.engines.tool_slots import MONITORING, profile_holder
from jupyter_profkit.errors import EngineBusyError
from jupyter_profkit.model.functions import CallerRecord, CoroutineRecord, FunctionRecord, Key, StatementRecord
from jupyter_profkit.source import is_user_file, label_of, line_range, source_lines

__all__ = ["FunctionEngine", "PlainProfiler"]


_CALLED_IN_BETWEEN: Final = (SignalPacer._on_signal.__code__, CollectionWatch._on_collection.__code__)
"""What plain cProfile takes for a call that the measured code made."""

_SHELL: Final = re.compile(r"[/\\](IPython|ipykernel)[/\\]")


class Profiler(Protocol):
    """What an engine needs of a profiler."""

    duration: float

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def getstats(self) -> list[Any]: ...


class PlainProfiler:
    """cProfile as it is: right on Python 3.11, where it hears one thread only."""

    def __init__(self, *, builtins: bool = True) -> None:
        self._profile = cProfile.Profile(builtins=builtins)
        self._is_on = False
        self._began = 0.0
        self.duration = 0.0
        """Seconds from start to stop."""
        self.was_replaced = False
        """Whether another profiler took the place before the end."""

    def start(self) -> None:
        """Begin to record.

        Raises
        ------
        EngineBusyError
            If another profiler is on.
        """
        holder = profile_holder()
        if holder is not None:
            raise EngineBusyError(f"{holder} is profiling already; end it, then run the cell again")
        self._is_on = True
        self._began = time.perf_counter()
        self._profile.enable()

    def stop(self) -> None:
        """End recording; a second call does nothing."""
        if self._is_on:
            holder = sys.getprofile() if MONITORING is None else MONITORING.get_tool(MONITORING.PROFILER_ID)
            self._profile.disable()
            self.duration = time.perf_counter() - self._began
            self._is_on = False
            self.was_replaced = holder is not self._profile and holder != "cProfile"

    def getstats(self) -> list[Any]:
        """The figures, as `cProfile.Profile.getstats` gives them."""
        return list(self._profile.getstats())


class FunctionEngine:
    """Counts and times functions, from `start` to `stop`.

    Parameters
    ----------
    filename : file name of the measured cell; None for everything that this thread
        does in between.
    builtins : whether functions written in C are rows; if not, they count on their caller.
    scoped : whether to use the scoped engine; by default wherever it works.
    """

    def __init__(self, filename: str | None = None, *, builtins: bool = True, scoped: bool | None = None) -> None:
        self._filename = filename
        self.is_scoped = ScopedProfiler.is_available() if scoped is None else scoped
        self._profiler: Any = (
            ScopedProfiler(filename, builtins=builtins) if self.is_scoped else PlainProfiler(builtins=builtins)
        )
        self._watch = CollectionWatch(filename)
        self._graph: CallGraph | None = None

    def start(self) -> None:
        """Begin to measure; switching on is the last thing it does.

        Raises
        ------
        EngineBusyError
            If another tool holds what is needed.
        """
        self._watch.start()
        try:
            self._profiler.start()
        except BaseException:
            self._watch.stop()
            raise

    def stop(self) -> None:
        """Stop measuring, first of all; a second call does nothing."""
        self._profiler.stop()
        self._watch.stop()

    @property
    def duration(self) -> float:
        """Seconds that it measured."""
        return float(self._profiler.duration)

    @property
    def graph(self) -> CallGraph:
        """What was recorded, less what the measured block did not reach."""
        if self._graph is None:
            self._graph = CallGraph(self._profiler.getstats(), self._filename)
        return self._graph

    def functions(self) -> tuple[FunctionRecord, ...]:
        """Every function that ran, in no particular order."""
        return tuple(self.graph.functions())

    def statements(self, meanwhile: Mapping[CodeType, Meanwhile] | None = None) -> tuple[StatementRecord, ...]:
        """The cell's top-level statements that ran, by line; `meanwhile` is what a sampler saw go on in them."""
        return statement_records(self.graph.statements(), meanwhile or {}, self._watch.by_statement, self.duration)

    def coroutines(self) -> tuple[CoroutineRecord, ...]:
        """The user's coroutine functions that ran; none are known to plain cProfile."""
        return tuple(self._profiler.awaits.records()) if self.is_scoped else ()

    @property
    def description(self) -> str:
        """How it measures, in words."""
        if self.is_scoped:
            return "cProfile's C engine on sys.monitoring, kept to this thread and to what the block ran"
        return "cProfile" if self.hears_one_thread else "cProfile, which on this Python hears every thread at once"

    @property
    def hears_one_thread(self) -> bool:
        """Whether other threads stay out of the figures."""
        return self.is_scoped or MONITORING is None

    @property
    def n_events(self) -> int:
        """Calls and returns that were recorded."""
        return 2 * self.graph.ncalls

    @property
    def n_threads_left_out(self) -> int:
        """Threads that the block started, whose calls are not in the figures."""
        return self.graph.n_calls(threading.Thread.start.__code__) if self.hears_one_thread else 0

    def notes(self) -> Iterator[str]:
        """What a reader must know to read the figures right."""
        if not self.hears_one_thread:
            yield "calls of other threads are mixed in: this Python's cProfile cannot be kept to one thread"
        if self.n_threads_left_out:
            threads = "thread" if self.n_threads_left_out == 1 else "threads"
            yield f"{self.n_threads_left_out} {threads} started here left out: the figures are of the cell's own thread"
        if not self.is_scoped and self.graph.has_coroutines():
            yield "calls and awaiting time of coroutines need Python 3.12 or later; ncalls counts each time one went on"
        if getattr(self._profiler, "was_replaced", False):
            yield "another profiler ran inside and ended the recording early; what came after it is missing"

    def overhead(self) -> float | None:
        """Seconds that recording has added, estimated from the cost of a call here and now."""
        try:
            checked, fast = _seconds_per_call(checked=self.is_scoped), _seconds_per_call(checked=False)
        except EngineBusyError:  # somebody profiles by now; an estimate is not worth an error
            return None
        is_checked = getattr(self._profiler, "is_checked", lambda _: False)
        return sum(n_calls * (checked if is_checked(code) else fast) for code, n_calls in self.graph.counts())


class Share(NamedTuple):
    """Calls and seconds, of a function or of a pair of caller and callee."""

    ncalls: int
    reccalls: int
    tottime: float
    cumtime: float

    @classmethod
    def of(cls, entry: Any) -> Share:
        return cls(entry.callcount, entry.reccallcount, entry.inlinetime, entry.totaltime)

    def plus(self, other: Share) -> Share:
        return Share(
            self.ncalls + other.ncalls,
            self.reccalls + other.reccalls,
            self.tottime + other.tottime,
            self.cumtime + other.cumtime,
        )

    def less(self, other: Share) -> Share:
        return Share(
            self.ncalls - other.ncalls,
            self.reccalls - other.reccalls,
            max(self.tottime - other.tottime, 0.0),
            max(self.cumtime - other.cumtime, 0.0),
        )


_NOTHING: Final = Share(0, 0, 0.0, 0.0)


class CallGraph:
    """cProfile's entries, less those that are not the measured block's.

    Parameters
    ----------
    entries : what `cProfile.Profile.getstats` gave.
    filename : file name of the measured cell, or None for a block.
    """

    def __init__(self, entries: Iterable[Any], filename: str | None) -> None:
        self._filename = filename
        self._entries = {id(entry.code): entry for entry in entries if entry.callcount}
        self._callers: dict[int, dict[int, Share]] = defaultdict(dict)
        for key, entry in self._entries.items():
            for call in entry.calls or ():
                if call.callcount and id(call.code) in self._entries:
                    self._callers[id(call.code)][key] = Share.of(call)
        self._roots = frozenset(key for key in self._entries if self._is_root(key))
        reached = self._reach(self._roots)
        shares = {key: self._share(key, reached) for key in reached}
        self._shares = {key: share for key, share in shares.items() if share.ncalls}

    @property
    def ncalls(self) -> int:
        """Calls of all functions."""
        return sum(share.ncalls for share in self._shares.values())

    def functions(self) -> Iterator[FunctionRecord]:
        """A record for each name, line and file; code objects that share all three are one, as in pstats."""
        groups: dict[Key, list[int]] = defaultdict(list)
        for key in self._shares:
            groups[_pstats_key(self._entries[key].code)].append(key)
        for name, keys in groups.items():
            share = functools.reduce(Share.plus, (self._shares[key] for key in keys))
            yield self._record(name, keys, share)

    def statements(self) -> Iterator[StatementFigures]:
        """The figures of each top-level statement of the cell."""
        lines = source_lines(self._filename) if self._filename is not None else []
        for key in self._shares:
            code = self._entries[key].code
            if isinstance(code, CodeType) and code.co_filename == self._filename and code.co_name == "<module>":
                yield self._statement(code, self._entries[key], lines)

    def _statement(self, code: CodeType, entry: Any, lines: list[str]) -> StatementFigures:
        first, last = line_range(code)
        calls = [call for call in entry.calls or () if not _is_own(call.code)]
        displays = [call for call in calls if self._displays(call.code)]
        imports = [call for call in calls if is_import(call.code)]
        shown = sum(call.totaltime for call in displays)
        return StatementFigures(
            code,
            first,
            last,
            source=lines[first - 1] if 0 < first <= len(lines) else "",
            time=max(entry.totaltime - shown, 0.0),
            calls=sum(call.callcount for call in calls) - sum(call.callcount for call in displays),
            shown=shown,
            n_shown=len(displays),
            imports=sum(call.totaltime for call in imports),
            n_imports=sum(call.callcount for call in imports),
        )

    def _displays(self, code: CodeType | str) -> bool:
        """Whether `code` is IPython's display hook, and had something to display: not None, nor silenced by ``;``."""
        if not isinstance(code, CodeType) or code.co_name != "__call__" or not is_display_hook(code):
            return False
        called = self._entries[id(code)].calls if id(code) in self._entries else None
        return any(getattr(call.code, "co_name", "") == "start_displayhook" for call in called or ())

    def counts(self) -> Iterator[tuple[CodeType | str, int]]:
        """Each code object, and how often it was called."""
        for key, share in self._shares.items():
            yield self._entries[key].code, share.ncalls

    def has_coroutines(self) -> bool:
        """Whether coroutine functions of the user's ran."""
        codes = (code for code, _ in self.counts() if isinstance(code, CodeType) and code.co_name != "<module>")
        return any(code.co_flags & inspect.CO_COROUTINE and self._is_users(code) for code in codes)

    def n_calls(self, code: CodeType) -> int:
        """How often `code` was called."""
        share = self._shares.get(id(code))
        return share.ncalls if share is not None else 0

    def _is_root(self, key: int) -> bool:
        """Whether what this code calls is the block's business, whoever called it itself.

        In a cell that is the cell's own code, and the user's other code: the event
        loop calls it, too, on the cell's behalf. In a block it is whatever nobody called.
        """
        code = self._entries[key].code
        if isinstance(code, CodeType) and _is_own(code):
            return False
        if self._filename is not None:
            return isinstance(code, CodeType) and self._is_users(code)
        return bool(self._entries[key].callcount > sum(share.ncalls for share in self._callers[key].values()))

    def _is_users(self, code: CodeType) -> bool:
        return code.co_filename == self._filename or is_user_file(code.co_filename)

    def _reach(self, roots: Iterable[int]) -> set[int]:
        reached, waiting = set(roots), list(roots)
        while waiting:
            caller = waiting.pop()
            for call in self._entries[caller].calls or ():
                key = id(call.code)
                if key in self._entries and key not in reached and self._leads_on(caller, call.code):
                    reached.add(key)
                    waiting.append(key)
        return reached

    def _leads_on(self, caller: int, code: CodeType | str) -> bool:
        """Whether the block reaches `code` if it reaches its caller.

        A builtin such as ``next`` is one entry for the cell and for the shell around
        it, which plain cProfile hears too; what it calls of the shell's is not the cell's.
        """
        if isinstance(code, str) or self._filename is None:
            return not _is_own(code)
        is_shared = isinstance(self._entries[caller].code, str)
        return not _is_own(code) and not (is_shared and _SHELL.search(code.co_filename))

    def _share(self, key: int, reached: set[int]) -> Share:
        """The totals of a function, less the calls that came from outside the block."""
        total = self._total(key)
        inside = _sum(share for caller, share in self._callers[key].items() if caller in reached)
        if (key in self._roots and self._filename is not None) or inside.ncalls == total.ncalls:
            return total
        if key in self._roots:
            outside = _sum(share for caller, share in self._callers[key].items() if caller not in reached)
            return total.less(outside)
        # With recursion the shares of the callers overlap, and add up to more than the total.
        return Share(
            inside.ncalls, total.reccalls, min(inside.tottime, total.tottime), min(inside.cumtime, total.cumtime)
        )

    def _total(self, key: int) -> Share:
        """All that was recorded of a function; that we looked on meanwhile takes nothing from its own time."""
        entry = self._entries[key]
        share = Share.of(entry)
        between = sum(call.totaltime for call in entry.calls or () if call.code in _CALLED_IN_BETWEEN)
        return share._replace(tottime=share.tottime + between)

    def _record(self, name: Key, keys: list[int], share: Share) -> FunctionRecord:
        code = self._entries[keys[0]].code
        filename, lineno, function = name
        return FunctionRecord(
            function,
            filename,
            lineno,
            ncalls=share.ncalls,
            pcalls=share.ncalls - min(share.reccalls, share.ncalls),
            tottime=share.tottime,
            cumtime=share.cumtime,
            callers=tuple(self._caller_records(keys)),
            label=label_of(filename),
            is_user=isinstance(code, CodeType) and self._is_users(code),
            qualname=code.co_qualname if isinstance(code, CodeType) else "",
        )

    def _caller_records(self, keys: list[int]) -> Iterator[CallerRecord]:
        groups: dict[Key, Share] = defaultdict(lambda: _NOTHING)
        for key in keys:
            for caller, share in self._callers[key].items():
                if caller in self._shares:
                    name = _pstats_key(self._entries[caller].code)
                    groups[name] = groups[name].plus(share)
        for name, share in groups.items():
            yield CallerRecord(name, share.ncalls, share.ncalls - share.reccalls, share.tottime, share.cumtime)


def _sum(shares: Iterable[Share]) -> Share:
    return functools.reduce(Share.plus, shares, _NOTHING)


def _is_own(code: CodeType | str) -> bool:
    return isinstance(code, CodeType) and is_own_code(code)


def _pstats_key(code: CodeType | str) -> Key:
    if isinstance(code, CodeType):
        return code.co_filename, code.co_firstlineno, code.co_name
    return "~", 0, code


_CALIBRATION_CALLS: Final = 1000
_CALIBRATION: Final = f"""
def nothing():
    pass

def run():
    for _ in range({_CALIBRATION_CALLS}):
        nothing()
"""


@functools.cache
def _seconds_per_call(*, checked: bool) -> float:
    """What recording one call costs."""
    namespace: dict[str, Any] = {}
    exec(compile(_CALIBRATION, "<calibration>", "exec"), namespace)  # noqa: S102 - the text above
    run: Callable[[], None] = namespace["run"]
    bare, recorded = _seconds(run), float("inf")
    for _ in range(7):  # the least of several: the machine may have other work
        bare = min(bare, _seconds(run))
        with _recording(checked=checked):
            recorded = min(recorded, _seconds(run))
    return max(recorded - bare, 0.0) / _CALIBRATION_CALLS


@contextlib.contextmanager
def _recording(*, checked: bool) -> Iterator[None]:
    profiler: Profiler = PlainProfiler()
    if ScopedProfiler.is_available():
        profiler = ScopedProfiler()
        profiler.checks_all = checked
    profiler.start()
    try:
        yield
    finally:
        profiler.stop()


def _seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
