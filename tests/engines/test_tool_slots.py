"""Who holds what of the interpreter's tracing."""

import bdb
import cProfile
import sys
import types

import pytest

from jupyter_profkit.engines import tool_slots
from jupyter_profkit.errors import EngineBusyError

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")


@pytest.fixture
def all_ids_taken():
    taken = []
    for tool_id in range(6):
        if sys.monitoring.get_tool(tool_id) is None:
            sys.monitoring.use_tool_id(tool_id, f"tool {tool_id}")
            taken.append(tool_id)
    yield
    for tool_id in taken:
        sys.monitoring.free_tool_id(tool_id)


@needs_monitoring
def test_ids_without_a_purpose_are_taken_first():
    first, second = tool_slots.claim_tool("one"), tool_slots.claim_tool("two")
    try:
        assert (first, second) == (3, 4)
        assert tool_slots.tool_holders() == {3: "one", 4: "two"}
    finally:
        tool_slots.release_tool(first)
        tool_slots.release_tool(second)
    assert tool_slots.tool_holders() == {}


@needs_monitoring
def test_a_released_tool_leaves_no_event_and_no_callback():
    tool_id = tool_slots.claim_tool("one")
    start = sys.monitoring.events.PY_START
    sys.monitoring.register_callback(tool_id, start, lambda *_: None)
    sys.monitoring.set_events(tool_id, start)
    tool_slots.release_tool(tool_id)
    assert sys.monitoring.get_tool(tool_id) is None
    sys.monitoring.use_tool_id(tool_id, "next")
    try:
        assert sys.monitoring.get_events(tool_id) == 0
        assert sys.monitoring.register_callback(tool_id, start, None) is None
    finally:
        sys.monitoring.free_tool_id(tool_id)


@needs_monitoring
def test_releasing_twice_does_nothing():
    tool_id = tool_slots.claim_tool("one")
    tool_slots.release_tool(tool_id)
    tool_slots.release_tool(tool_id)


@needs_monitoring
def test_when_every_id_is_taken_the_holders_are_named(all_ids_taken):
    with pytest.raises(EngineBusyError, match=r"3: tool 3, 4: tool 4.*stop one"):
        tool_slots.claim_tool("one")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.11 has no sys.monitoring")
def test_without_monitoring_the_version_is_named():
    with pytest.raises(EngineBusyError, match="Python 3"):
        tool_slots.claim_tool("one")
    assert tool_slots.tool_holders() == {}


def test_nobody_holds_what_is_free():
    assert tool_slots.trace_holder() is None
    assert tool_slots.profile_holder() is None


@pytest.mark.parametrize(("is_running", "holder"), [(True, "yappi"), (False, None)])
def test_yappi_whose_hook_has_no_object_is_named(monkeypatch, is_running, holder):
    monkeypatch.setitem(sys.modules, "_yappi", types.SimpleNamespace(is_running=lambda: is_running))
    assert tool_slots.profile_holder() == holder


def test_a_running_cprofile_is_named():
    profile = cProfile.Profile()
    profile.enable()
    holder = tool_slots.profile_holder()
    profile.disable()
    assert holder == "cProfile"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("coverage.pytracer", "coverage.py"),
        ("memory_profiler", "memory_profiler"),
        ("_pydevd_bundle.pydevd_trace_dispatch_regular", "a debugger (pydevd)"),
        ("jupyter_profkit.engines.line_memory", "another measurement of jupyter_profkit"),
        ("my_tracer", "my_tracer.Tracer"),
    ],
)
def test_a_tracer_is_named_by_the_module_it_comes_from(module, name):
    tracer = type("Tracer", (), {"__module__": module, "__call__": lambda *_: None})()
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        holder = tool_slots.trace_holder()
    finally:
        sys.settrace(before)
    assert holder == name


def test_a_debugger_is_named():
    debugger = bdb.Bdb()
    debugger.reset()
    before = sys.gettrace()
    sys.settrace(debugger.trace_dispatch)
    try:
        holder = tool_slots.trace_holder()
    finally:
        sys.settrace(before)
    assert holder == "a debugger (pdb)"
