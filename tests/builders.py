"""Small things that tests are made of."""

from __future__ import annotations

import gc
import itertools
import linecache
import textwrap
from types import SimpleNamespace
from typing import Any

from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile, LineRecord
from jupyter_profkit.model.session import Location, Method, Session
from jupyter_profkit.source import register_lines

MB = 1_000_000
_numbers = itertools.count()


class FakeMeter:
    """Resident memory as a test says it is."""

    exact_peak = True
    description = "a test's figures"

    def __init__(self, rss: int = 0) -> None:
        self.rss = self.high = self.seen = rss

    def open(self) -> None: ...
    def close(self) -> None: ...

    def allocate(self, n_bytes: int) -> None:
        self.rss += n_bytes
        self.high = max(self.high, self.rss)

    def spike(self, n_bytes: int) -> None:
        self.high = max(self.high, self.rss + n_bytes)

    def faults(self, thread_id: int) -> int:
        return 0

    def all_faults(self) -> int:
        return 0

    def is_unchanged(self) -> bool:
        return self.rss == self.high == self.seen

    def read(self) -> tuple[int, int]:
        self.seen = self.rss
        high, self.high = self.high, self.rss
        return self.rss, high


class Traced(SimpleNamespace):
    """A traced source: `functions` by name, `engine`, and the `namespace` that it left."""

    def line(self, text: str, function: str | None = None) -> LineRecord:
        """The record of the one line that holds `text`."""
        found = [
            record
            for lines in self.functions
            for record in lines.records
            if text in record.source and record.occurrences and function in {None, lines.function}
        ]
        assert len(found) == 1, f"{text!r} is on {len(found)} lines that ran"
        return found[0]

    def stats(self, text: str) -> Any:
        """What the ledger holds of the one line that holds `text`."""
        record = self.line(text)
        (found,) = [lines.stats[record.lineno] for lines in self.engine._followed.all() if record.lineno in lines.stats]
        return found

    @property
    def self_sum(self) -> int:
        return sum(lines.self_increment for lines in self.functions)

    @property
    def change(self) -> int:
        return self.engine.ledger.rss_end - self.engine.ledger.rss_start


ARENA = 1024 * 1024
"""Bytes that Python maps or gives back at once for small objects, in the middle of anything."""


def trace(
    source: str,
    meter: Any = None,
    scope: dict[str, Any] | None = None,
    budget: int | None = None,
    residue: int = 0,
    **namespace: Any,
) -> Traced:
    """Run `source` under the line engine; an exception of its own ends it and is kept as `error`.

    The self increments of all lines must add up to the change of the run, but for
    the `residue`, bytes that a test knows to belong to no line.
    """
    text = textwrap.dedent(source).strip() + "\n"
    filename = f"<%test {next(_numbers)}>"
    register_lines(filename, text)
    code = compile(text, filename, "exec")
    engine = LineMemoryEngine(Scope(block=filename, **(scope or {})), meter, budget)
    error = None
    namespace = {"__name__": "__main__", **namespace}
    gc.collect()  # what earlier tests left must not be freed in this run
    engine.start()
    try:
        exec(code, namespace)
    except Exception as raised:
        error = raised
    finally:
        engine.stop()
    traced = Traced(functions=engine.functions(), engine=engine, namespace=namespace, error=error)
    linecache.cache.pop(filename, None)
    left_over = traced.change - traced.self_sum - residue
    assert abs(left_over) <= (ARENA if meter is None else 0), f"{left_over} bytes belong to no line"
    return traced


def session(**changes: Any) -> Session:
    return Session(**{"title": "In [7]", "started": 1_750_000_000.0, "duration": 2.5, **changes})


def line_profile(*functions: FunctionLines, **changes: Any) -> LineMemoryProfile:
    fields: dict[str, Any] = {
        "session": session(),
        "method": Method("a test's figures", n_events=12, overhead=0.001),
        "functions": functions,
        "rss_start": 100 * 1024**2,
        "rss_end": 140 * 1024**2,
        "peak_rss": 260 * 1024**2,
        "peak_at": Location("cell", 2, "<module>", "In [7]"),
        "noise": 4096,
    }
    return LineMemoryProfile(**{**fields, **changes})


def cell_lines(source: str, figures: dict[int, tuple[int, int, int, int]], label: str = "In [7]") -> FunctionLines:
    """A cell; `figures` are occurrences, increment, self increment and peak by line, MiB."""
    records = []
    for lineno, text in enumerate(textwrap.dedent(source).strip().splitlines(), 1):
        if lineno in figures:
            occurrences, *mib = figures[lineno]
            increment, own, peak = (value * 1024**2 for value in mib)
            records.append(LineRecord(lineno, text, occurrences, 140 * 1024**2, increment, own, peak))
        else:
            records.append(LineRecord(lineno, text))
    return FunctionLines("<module>", "cell", label, tuple(records))
