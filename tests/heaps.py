"""Code run under the heap engine, for tests of what it is billed."""

from __future__ import annotations

import itertools
import linecache
import sys
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import parse as parse_version

from jupyter_profkit.engines.heap import HeapEngine
from jupyter_profkit.engines.heap_bill import HeapFigures
from jupyter_profkit.engines.heap_lines import with_heap
from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.source import register_lines

memray = pytest.importorskip("memray", reason="memray does not run on this system")

if sys.version_info[:2] == (3, 12) and parse_version(memray.__version__) <= parse_version("1.20.0"):
    pytest.skip("this memray can crash Python 3.12 as it stops", allow_module_level=True)

_numbers = itertools.count()
SLACK = 300_000  # headers, and what the interpreter itself asks for


def about(n_bytes: int) -> object:
    return pytest.approx(n_bytes, abs=SLACK)


def measure(source: str, scope: dict[str, Any] | None = None, *, lines: bool = False, **namespace: Any) -> Any:
    """Run `source` under the heap engine, and under the line engine if `lines` is given."""
    text = textwrap.dedent(source).strip() + "\n"
    filename = f"<%heap {next(_numbers)}>"
    register_lines(filename, text)
    code = compile(text, filename, "exec")
    scope_ = Scope(block=filename, **(scope or {}))
    heap = HeapEngine(scope_, insist=True)
    line_engine = LineMemoryEngine(scope_) if lines else None
    namespace = {"__name__": "__main__", **namespace}
    error = None
    heap.prepare()
    heap.start()
    if line_engine is not None:
        line_engine.start()
    try:
        exec(code, namespace)
    except Exception as raised:
        error = raised
    finally:
        if line_engine is not None:
            line_engine.stop()
        heap.stop()
    functions = with_heap(
        line_engine.functions() if line_engine is not None else (), heap.bill, filename, add=not lines
    )
    linecache.cache.pop(filename, None)

    def line(part: str) -> HeapFigures:
        lineno = next(n for n, written in enumerate(text.splitlines(), 1) if part in written)
        return heap.bill.lines.get((filename, lineno), HeapFigures())

    return SimpleNamespace(heap=heap, bill=heap.bill, line=line, functions=functions, error=error, namespace=namespace)
