"""Who holds what of the interpreter's tracing, and a place there for an engine.

    tool_id = claim_tool("jupyter_profkit lines")     3, on 3.12 and newer
    release_tool(tool_id)
    trace_holder()                                    'coverage.py', or None
    claim_trace()                                     raises unless nobody does

* `sys.monitoring` (3.12+) has six tool ids for the whole interpreter. 0, 1, 2 and 5
  are meant for debuggers, coverage, profilers and optimizers, so the two without
  a purpose come first; several tools can then measure side by side.
* `sys.settrace` and `sys.setprofile` have one place for each thread. Who sits there
  is told from the module that the hook comes from.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from jupyter_profkit.errors import EngineBusyError

__all__ = ["MONITORING", "claim_tool", "claim_trace", "profile_holder", "release_tool", "tool_holders", "trace_holder"]

MONITORING: Final[Any] = getattr(sys, "monitoring", None)
"""`sys.monitoring`; None before Python 3.12."""

_BY_PREFERENCE: Final = (3, 4, 5, 1, 0, 2)
"""The profiler's own id is last: the measured code may want it for cProfile."""

_PROFILER_ID: Final = 2

_KNOWN: Final = {
    "_lsprof": "cProfile",
    "bdb": "a debugger (pdb)",
    "cProfile": "cProfile",
    "coverage": "coverage.py",
    "jupyter_profkit": "another measurement of jupyter_profkit",
    "line_profiler": "line_profiler",
    "memory_profiler": "memory_profiler",
    "pdb": "a debugger (pdb)",
    "pyinstrument": "pyinstrument",
    "viztracer": "viztracer",
    "yappi": "yappi",
}


def claim_tool(name: str) -> int:
    """Take a free tool id of `sys.monitoring` (3.12+) under `name`, and return it.

    Raises
    ------
    EngineBusyError
        If every id is taken; the message names who holds each.
    """
    if MONITORING is None:
        raise EngineBusyError("sys.monitoring needs Python 3.12 or newer")
    for tool_id in _BY_PREFERENCE:
        try:
            MONITORING.use_tool_id(tool_id, name)
        except ValueError:
            continue
        return tool_id
    holders = ", ".join(f"{tool_id}: {holder}" for tool_id, holder in tool_holders().items())
    raise EngineBusyError(f"every sys.monitoring tool id is taken ({holders}); stop one of these tools, then run again")


def release_tool(tool_id: int) -> None:
    """Switch off the events and callbacks under `tool_id` and give the id back.

    Events that were set on single code objects are their owner's to clear, before.
    """
    if MONITORING is None or MONITORING.get_tool(tool_id) is None:
        return
    MONITORING.set_events(tool_id, 0)
    for event in filter(None, vars(MONITORING.events).values()):
        # Before 3.14 free_tool_id leaves the callbacks to whoever takes the id next.
        MONITORING.register_callback(tool_id, event, None)
    MONITORING.free_tool_id(tool_id)


def tool_holders() -> dict[int, str]:
    """The `sys.monitoring` tool ids that are taken, each with its tool's name; empty before 3.12."""
    if MONITORING is None:
        return {}
    found = {tool_id: MONITORING.get_tool(tool_id) for tool_id in range(6)}
    return {tool_id: name for tool_id, name in found.items() if name is not None}


def trace_holder() -> str | None:
    """Who holds `sys.settrace` on this thread, in words; None if nobody does."""
    return _name_of(sys.gettrace())


def claim_trace() -> None:
    """See to it that `sys.settrace` is free on this thread; an engine of ours that can do without it makes way.

    Raises
    ------
    EngineBusyError
        If somebody holds it; the message says who.
    """
    make_way = getattr(sys.gettrace(), "make_way", None)
    if make_way is not None:
        make_way()
    holder = trace_holder()
    if holder is not None:
        raise EngineBusyError(f"sys.settrace is held by {holder}; stop it and run again")


def profile_holder() -> str | None:
    """Who holds `sys.setprofile` on this thread, or the profiler's id of `sys.monitoring`; None if nobody does."""
    return _name_of(sys.getprofile()) or tool_holders().get(_PROFILER_ID) or _nameless_holder()


def _nameless_holder() -> str | None:
    """``yappi``, whose hook is written in C and has no object that `sys.getprofile` could return."""
    is_running = getattr(sys.modules.get("_yappi"), "is_running", None)
    return "yappi" if is_running is not None and is_running() else None


def _name_of(hook: Any) -> str | None:
    if hook is None:
        return None
    module = getattr(hook, "__module__", None) or type(hook).__module__
    if "pydevd" in module:
        return "a debugger (pydevd)"
    known = _KNOWN.get(module.partition(".")[0])
    if known is not None:
        return known
    name = getattr(hook, "__qualname__", None) or type(hook).__qualname__
    return f"{module}.{name}"
