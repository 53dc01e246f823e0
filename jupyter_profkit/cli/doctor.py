"""What a bug report needs: versions, engines, and why one is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator

from jupyter_profkit.engines.data_limit import data_limit_works
from jupyter_profkit.engines.heap import HeapEngine
from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.memory_budget import memory_budget
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.engines.tool_slots import profile_holder, tool_holders, trace_holder
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError
from jupyter_profkit.layout.dot import find_engines
from jupyter_profkit.units import format_size

__all__ = ["findings"]

_PACKAGES = (
    "ipython",
    "ipykernel",
    "jupyterlab",
    "notebook",
    "ipywidgets",
    "cattrs",
    "memray",
    "memory_profiler",
    "objgraph",
    "graphviz-pure",
    "matplotlib",
    "pandas",
    "psutil",
)


def findings() -> Iterator[tuple[str, str]]:
    """Each thing that was looked at, and what was found."""
    yield "jupyter_profkit", version_of("jupyter-profkit")
    yield "python", f"{platform.python_implementation()} {platform.python_version()}"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"
    for name in _PACKAGES:
        yield name, version_of(name)
    yield "memory by line", LineMemoryEngine(Scope()).description
    yield "heap by line", _heap()
    yield "limit on memory", _limit()
    yield "graphs", ", ".join([*(engine.name for engine in find_engines()), "built in"])
    yield "sys.settrace", trace_holder() or "free"
    yield "sys.setprofile", profile_holder() or "free"
    if sys.version_info >= (3, 12):
        holders = ", ".join(f"{tool_id}: {name}" for tool_id, name in tool_holders().items())
        yield "sys.monitoring", holders or "free"


def _heap() -> str:
    engine = HeapEngine(Scope())
    try:
        engine.prepare()
    except (MissingDependencyError, EngineBusyError) as error:
        return f"left out: {error}"
    finally:
        engine.discard()
    return engine.description


def _limit() -> str:
    budget = memory_budget()
    means = "RLIMIT_DATA and a watcher" if data_limit_works() else "a watcher"
    return f"by {means}; auto is {format_size(budget.size)} ({budget.reason})"


def version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
