"""cProfile's entries, and what of them is the measured block's own.

    found = CallEntries(profile.getstats(), "/tmp/ipykernel_7/123.py")
    found.functions(), found.statements()

The entries are a graph: for each function its totals, and for each pair of caller and
callee the share of that pair. What the user's code does not reach in that graph (the
shell around the cell, this package) is taken out. Of what both use, the block has the part
of the calls that it made; what such a function calls itself is divided alike, since
the graph does not tell on whose behalf that was.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import CodeType
from typing import Any, Final, NamedTuple

from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.collector_calls import forget_interrupt
from jupyter_profkit.engines.pauses import CollectionWatch
from jupyter_profkit.engines.scoped_profiler import is_own_code
from jupyter_profkit.engines.stacks import is_display_hook, is_import
from jupyter_profkit.engines.statements import StatementFigures
from jupyter_profkit.engines.timers import SignalPacer
from jupyter_profkit.model.functions import CallerRecord, FunctionRecord, Key, RunFigures
from jupyter_profkit.source import is_user_file, label_of, line_range, source_line

__all__ = ["CallEntries", "Totals"]

_CALLED_IN_BETWEEN: Final = tuple(
    function.__code__ for function in (SignalPacer._on_signal, CollectionWatch._on_collection, forget_interrupt)
)
"""What plain cProfile takes for a call that the measured code made."""

_LOOP: Final = {"asyncio", "selectors.py"}
"""Libraries that an event loop is made of."""
_SHELL: Final = re.compile(r"[/\\](IPython|ipykernel)[/\\]")

_LEAST_DIFFERENCE: Final = 1e-6
"""Of the part that a function has in another's calls; less changes no count."""
_MOST_DIVISIONS: Final = 20
"""For each function: of those that call each other in turn, the parts come closer with each."""

Totals = Mapping[int, tuple[int, float, float]]
"""Calls, own and cumulative time up to now, by the number of the code."""


def _own_time(entry: Any) -> float:
    """Seconds in the function itself; that we looked on meanwhile takes nothing from them."""
    between = sum(call.totaltime for call in entry.calls or () if call.code in _CALLED_IN_BETWEEN)
    return float(entry.inlinetime + between)


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

    def times(self, part: float) -> Share:
        """A part of it; what the block has called is not rounded off to no call."""
        if part in {0, 1}:
            return self if part else _NOTHING
        ncalls = max(round(self.ncalls * part), 1)
        return Share(ncalls, min(round(self.reccalls * part), ncalls), self.tottime * part, self.cumtime * part)


_NOTHING: Final = Share(0, 0, 0.0, 0.0)


class CallEntries:
    """cProfile's entries, less those that are not the measured block's.

    Parameters
    ----------
    entries : what `cProfile.Profile.getstats` gave.
    filename : file name of the measured cell, or None for a block.
    block : of a block, what stands for its statements; they call, but are no functions.
    laps : the totals at the end of each run but the last, if there were several.
    n_runs : how often the block ran.
    is_scoped : whether the shell around a cell was not recorded.
    """

    def __init__(
        self,
        entries: Iterable[Any],
        filename: str | None,
        block: WithBlock | None = None,
        laps: Sequence[Totals] = (),
        *,
        n_runs: int = 1,
        is_scoped: bool = False,
    ) -> None:
        self._filename = filename
        self._laps = laps
        self._n_runs = n_runs
        self._is_scoped = is_scoped
        self._block_lines = {id(code): lines for code, lines in block.codes.items()} if block is not None else {}
        self._entries = {id(entry.code): entry for entry in entries if entry.callcount}
        statements = {key for key in self._entries if key in self._block_lines}
        self._statements = [self._entries.pop(key) for key in statements]
        # The engine that tells statements apart has not recorded what the event loop does in between.
        self._has_loop = block is not None and block.is_async and not self._statements
        self._is_mixed = filename is not None or self._has_loop
        self._callers: dict[int, dict[int, Share]] = defaultdict(dict)
        for key, entry in self._entries.items():
            for call in entry.calls or ():
                if call.callcount and id(call.code) in self._entries:
                    self._callers[id(call.code)][key] = Share.of(call)
        self._roots = frozenset(key for key in self._entries if self._is_root(key))
        self._whole = frozenset(filter(self._is_whole, self._roots))
        reached = self._reach(self._roots)
        if len(reached) == len(self._entries) and (is_scoped or filename is None):  # there is nothing to divide
            self._parts = dict.fromkeys(reached, 1.0)
            shares = {key: self._total(key) for key in reached}
        else:
            self._parts = self._divide(reached)
            shares = {key: self._share(key) for key in reached}
        self._shares = {key: share for key, share in shares.items() if share.ncalls}

    def totals(self) -> Totals:
        """What the block has come to, to be kept for the difference to what it will come to."""
        return {key: (share.ncalls, share.tottime, share.cumtime) for key, share in self._shares.items()}

    @property
    def n_divided(self) -> int:
        """Functions that others called as well, and that called something themselves."""
        divided = (key for key, part in self._parts.items() if 0 < part < 1)
        return sum(bool(self._entries[key].calls) for key in divided)

    @property
    def ncalls(self) -> int:
        """Calls of all functions."""
        return sum(share.ncalls for share in self._shares.values())

    def functions(self) -> Iterator[FunctionRecord]:
        """A record for each name, line and file; code objects that share all three are one, as in pstats."""
        groups: dict[Key, list[int]] = defaultdict(list)
        for key in self._shares:
            groups[_pstats_key(self._entries[key].code)].append(key)
        labels = {filename: label_of(filename) for filename in {name[0] for name in groups}}
        for name, keys in groups.items():
            record = self._record(name, keys, labels[name[0]])
            yield self._as_one(record) if name == (self._filename, 1, "<module>") else record

    def statements(self) -> Iterator[StatementFigures]:
        """The figures of each top-level statement of the cell, or of the block."""
        for entry in self._statements:
            yield self._statement(entry, *self._block_lines[id(entry.code)])
        for key in self._shares:
            code = self._entries[key].code
            if isinstance(code, CodeType) and code.co_filename == self._filename and code.co_name == "<module>":
                first, last = line_range(code)
                if first:  # of `global`, nothing is left to run
                    yield self._statement(self._entries[key], first, last)

    def _statement(self, entry: Any, first: int, last: int) -> StatementFigures:
        calls = [call for call in entry.calls or () if not _is_own(call.code)]
        displays = [call for call in calls if self._displays(call.code)]
        imports = [call for call in calls if is_import(call.code)]
        shown = sum(call.totaltime for call in displays)
        runs = [run.cumtime for run in self._runs([id(entry.code)])] if id(entry.code) in self._entries else []
        if runs:  # a value is displayed once, in the last run
            runs[-1] = max(runs[-1] - shown, 0.0)
        return StatementFigures(
            entry.code,
            first,
            last,
            source=source_line(entry.code.co_filename, first),
            time=max(entry.totaltime - shown, 0.0),
            calls=sum(call.callcount for call in calls if not _is_of_display_hook(call.code)),
            shown=shown,
            n_shown=len(displays),
            imports=sum(call.totaltime for call in imports),
            n_imports=sum(call.callcount for call in imports),
            runs=tuple(runs),
        )

    def _displays(self, code: CodeType | str) -> bool:
        """Whether `code` is IPython's display hook, and had something to display: not None, nor silenced by ``;``."""
        if not _is_of_display_hook(code):
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
        loop calls it, too, on the cell's behalf. In a block it is whatever nobody called,
        but what the loop is made of if the block awaits.
        """
        code = self._entries[key].code
        if isinstance(code, CodeType) and (_is_own(code) or self._is_users(code)):
            return not _is_own(code) and (self._is_mixed or self._n_by_nobody(key) > 0)
        if self._filename is not None or (self._has_loop and not self._may_be_called_by_block(code)):
            return False
        return self._n_by_nobody(key) > 0

    @staticmethod
    def _may_be_called_by_block(code: CodeType | str) -> bool:
        """Whether it is none of the event loop's; of builtins that nobody called it cannot be told."""
        return isinstance(code, CodeType) and label_of(code.co_filename).partition("/")[0] not in _LOOP

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
        if _is_of_display_hook(code) and not self._displays(code):
            return False  # it was called for nothing, by the shell
        if isinstance(code, str) or self._filename is None or self._is_scoped:
            return not _is_own(code)
        is_shared = isinstance(self._entries[caller].code, str)
        return not _is_own(code) and not (is_shared and _SHELL.search(code.co_filename))

    def _divide(self, reached: Collection[int]) -> dict[int, float]:
        """For each function, how much of what it called was for the block, from 0 to 1.

        It is the part that the block has in its calls. A builtin calls different things for
        different callers: what ``next`` calls for the shell is found to be the shell's by itself.
        """
        parts = dict.fromkeys(reached, 1.0)
        waiting = deque(key for key in reached if self._is_divided(key))
        n_left = _MOST_DIVISIONS * len(parts)
        while waiting and n_left:
            n_left -= 1
            key = waiting.popleft()
            part = self._part(key, parts)
            if abs(part - parts[key]) > _LEAST_DIFFERENCE:
                parts[key] = part
                callees = {id(call.code) for call in self._entries[key].calls or ()} - {key}
                waiting += (callee for callee in callees if callee in parts and self._is_divided(callee))
        return parts

    def _is_divided(self, key: int) -> bool:
        return isinstance(self._entries[key].code, CodeType) and key not in self._whole

    def _part(self, key: int, parts: Mapping[int, float]) -> float:
        """The part of a function's calls that the block made; its calls of itself are divided as the others."""
        callers = {caller: share.ncalls for caller, share in self._callers[key].items() if caller != key}
        by_nobody = self._n_by_nobody(key)
        total = sum(callers.values()) + by_nobody
        inside = sum(parts.get(caller, 0.0) * ncalls for caller, ncalls in callers.items())
        return (inside + (by_nobody if key in self._roots else 0)) / total if total else 1.0

    def _is_whole(self, root: int) -> bool:
        """Whether all calls are the block's: of the user's own functions, whoever makes them."""
        code = self._entries[root].code
        return self._is_mixed and isinstance(code, CodeType) and self._is_users(code)

    def _n_by_nobody(self, key: int) -> int:
        """Calls that no recorded function made."""
        ncalls: int = self._entries[key].callcount
        return max(ncalls - sum(share.ncalls for share in self._callers[key].values()), 0)

    def _share(self, key: int) -> Share:
        """The totals of a function, less the calls that came from outside the block."""
        total = self._total(key)
        if key in self._whole:
            return total
        edges = [(share, share.times(self._parts.get(caller, 0.0))) for caller, share in self._callers[key].items()]
        inside = _sum(share for _, share in edges)
        if inside.ncalls == total.ncalls:
            return total
        if key in self._roots:  # calls without a caller are the block's, too
            return total.less(_sum(share.less(of_block) for share, of_block in edges))
        own = self._callers[key].get(key, _NOTHING).times(self._parts[key])
        # Its calls of itself are recursive; others are so if they came while the same caller had called it already.
        recursive = inside.reccalls + (own.ncalls - own.reccalls)
        # With recursion the times of the callers overlap, and add up to more than the total.
        return Share(inside.ncalls, recursive, min(inside.tottime, total.tottime), min(inside.cumtime, total.cumtime))

    def _total(self, key: int) -> Share:
        """All that was recorded of a function."""
        entry = self._entries[key]
        return Share.of(entry)._replace(tottime=_own_time(entry))

    def _record(self, name: Key, keys: list[int], label: str) -> FunctionRecord:
        code = self._entries[keys[0]].code
        share = _sum(self._shares[key] for key in keys)
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
            label=label,
            is_user=isinstance(code, CodeType) and self._is_users(code),
            qualname=code.co_qualname if isinstance(code, CodeType) else "",
            runs=tuple(self._runs(keys)),
        )

    def _as_one(self, module: FunctionRecord) -> FunctionRecord:
        """The cell or script as what its author calls once a run, although the shell calls each of its statements."""
        runs = tuple(replace(run, ncalls=1) for run in module.runs)
        return replace(module, ncalls=self._n_runs, pcalls=self._n_runs, callers=(), runs=runs)

    @functools.cached_property
    def _ends(self) -> tuple[Totals, ...]:
        """What profiling had come to at the end of each run."""
        return (*self._laps, self.totals())

    def _runs(self, keys: Iterable[int]) -> Iterator[RunFigures]:
        """The figures of each run: how much the totals grew in it."""
        if not self._laps:
            return
        before = (0, 0.0, 0.0)
        for lap in self._ends:
            found = [lap.get(key, (0, 0.0, 0.0)) for key in keys]
            now = (
                sum(calls for calls, _, _ in found),
                sum(own for _, own, _ in found),
                sum(all_ for _, _, all_ in found),
            )
            yield RunFigures(max(now[0] - before[0], 0), max(now[1] - before[1], 0.0), max(now[2] - before[2], 0.0))
            before = now

    def _caller_records(self, keys: list[int]) -> Iterator[CallerRecord]:
        groups: dict[Key, Share] = defaultdict(lambda: _NOTHING)
        for key in keys:
            for caller, share in self._callers[key].items():
                if caller in self._shares:
                    name = _pstats_key(self._entries[caller].code)
                    groups[name] = groups[name].plus(share.times(self._parts[caller]))
        for name, share in groups.items():
            yield CallerRecord(name, share.ncalls, share.ncalls - share.reccalls, share.tottime, share.cumtime)


def _sum(shares: Iterable[Share]) -> Share:
    return functools.reduce(Share.plus, shares, _NOTHING)


def _is_of_display_hook(code: CodeType | str) -> bool:
    """Whether it is what the shell calls with the value of a last expression, to be shown or not."""
    return isinstance(code, CodeType) and code.co_name == "__call__" and is_display_hook(code)


def _is_own(code: CodeType | str) -> bool:
    return isinstance(code, CodeType) and is_own_code(code)


def _pstats_key(code: CodeType | str) -> Key:
    if isinstance(code, CodeType):
        return code.co_filename, code.co_firstlineno, code.co_name
    return "~", 0, code
