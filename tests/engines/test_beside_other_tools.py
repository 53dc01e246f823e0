"""The time profile beside coverage, cProfile, a debugger and other hooks: both are right, or it says who is in the way.

Each case runs in a process of its own, since these tools keep what they hold.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = str(Path(__file__).parents[2])
SCOPED = sys.version_info >= (3, 12)
START = """
import sys
from jupyter_profkit import cprofile
from jupyter_profkit.errors import EngineBusyError

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def counted(**options):
    with cprofile(**options) as p:
        fib(10)
    return {record.function: record.ncalls for record in p.functions}["fib"]
"""


def run(code: str) -> str:
    source = START + textwrap.dedent(code)
    answer = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", source],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": ROOT},
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_cprofile_that_is_on() -> None:
    found = run(
        """
        import cProfile, pstats
        other = cProfile.Profile()
        other.enable()
        try:
            print(counted())
        except EngineBusyError as busy:
            print(busy)
            fib(10)
        other.disable()
        print({key[2]: row[1] for key, row in pstats.Stats(other).stats.items()}["fib"])
        """
    )
    ours, theirs = found.splitlines()
    assert theirs == "177"
    assert ours == ("177" if SCOPED else "cProfile is profiling already; end it, then run the cell again")


def test_a_cprofile_that_begins_inside() -> None:
    found = run(
        """
        import cProfile, pstats
        inner = cProfile.Profile()
        with cprofile() as p:
            fib(10)
            inner.enable()
            fib(10)
            inner.disable()
            fib(3)
        print({record.function: record.ncalls for record in p.functions}["fib"], len(p.method.notes))
        print({key[2]: row[1] for key, row in pstats.Stats(inner).stats.items()}["fib"])
        """
    )
    ours, theirs = found.splitlines()
    assert theirs == "177"
    assert ours.split()[0] == ("359" if SCOPED else "177")
    if not SCOPED:
        assert int(ours.split()[1]) >= 1


def test_a_hook_in_sys_setprofile() -> None:
    found = run(
        """
        seen = []
        def hook(frame, event, argument):
            if event == "call" and frame.f_code.co_name == "fib":
                seen.append(1)
        sys.setprofile(hook)
        try:
            print(counted())
        except EngineBusyError as busy:
            print(busy)
            fib(10)
        is_there = sys.getprofile() is hook
        sys.setprofile(None)
        print(len(seen), is_there)
        """
    )
    ours, theirs = found.splitlines()
    assert theirs == "177 True"
    assert ours == ("177" if SCOPED else "__main__.hook is profiling already; end it, then run the cell again")


def test_a_tracer_in_sys_settrace() -> None:
    found = run(
        """
        seen = []
        def tracer(frame, event, argument):
            if event == "call" and frame.f_code.co_name == "fib":
                seen.append(1)
            return tracer
        sys.settrace(tracer)
        print(counted())
        is_there = sys.gettrace() is tracer
        sys.settrace(None)
        print(len(seen), is_there)
        """
    )
    assert found == "177\n177 True\n"


def test_a_debugger_that_stands_in_the_block() -> None:
    found = run(
        """
        import bdb
        class Debugger(bdb.Bdb):
            def __init__(self):
                super().__init__()
                self.lines = 0
            def user_line(self, frame):
                self.lines += 1
                self.set_step()
        debugger = Debugger()
        debugger.reset()
        debugger.set_trace(sys._getframe())
        print(counted())
        sys.settrace(None)
        print(debugger.lines > 177)
        """
    )
    assert found == "177\nTrue\n"


@pytest.mark.skipif(not SCOPED, reason="sys.monitoring came with Python 3.12")
def test_tools_of_sys_monitoring() -> None:
    """Coverage (its id, its events) and a debugger (likewise) keep hearing what they asked for."""
    found = run(
        """
        M, E = sys.monitoring, sys.monitoring.events
        heard = {M.COVERAGE_ID: 0, M.DEBUGGER_ID: 0}
        def line(code, number):
            heard[M.COVERAGE_ID] += code is fib.__code__
        def start(code, offset):
            heard[M.DEBUGGER_ID] += code is fib.__code__
        M.use_tool_id(M.COVERAGE_ID, "coverage")
        M.use_tool_id(M.DEBUGGER_ID, "debugger")
        M.register_callback(M.COVERAGE_ID, E.LINE, line)
        M.register_callback(M.DEBUGGER_ID, E.PY_START, start)
        M.set_events(M.COVERAGE_ID, E.LINE)
        M.set_events(M.DEBUGGER_ID, E.PY_START)
        print(counted(), counted(threads=True))
        print(list(heard.values()))
        print(M.get_events(M.COVERAGE_ID) == E.LINE, M.get_events(M.DEBUGGER_ID) == E.PY_START)
        for tool in heard:
            M.set_events(tool, 0)
            M.free_tool_id(tool)
        """
    )
    assert found == "177 177\n[354, 354]\nTrue True\n"


@pytest.mark.skipif(not SCOPED, reason="sys.monitoring came with Python 3.12")
def test_when_every_tool_id_is_taken_the_holders_are_named() -> None:
    found = run(
        """
        for tool in range(6):
            sys.monitoring.use_tool_id(tool, f"tool {tool}")
        try:
            counted()
        except EngineBusyError as busy:
            print(busy)
        """
    )
    assert found.count("\n") == 1
    assert "5: tool 5" in found
    assert "stop one of these tools" in found


@pytest.mark.parametrize("missing", ["_pystart_callback", "_creturn_callback"])
def test_where_the_callbacks_are_missing_plain_cprofile_is_used_and_named(missing: str) -> None:
    """Another CPython may have neither the methods nor `sys.monitoring`; both engines run here."""
    found = run(
        f"""
        from jupyter_profkit.engines import scoped_profiler
        with cprofile() as p:
            fib(10)
        print(p.method.engine)
        scoped_profiler._NEEDED = ("{missing}_of_another_python",)
        with cprofile() as p:
            fib(10)
        print({{record.function: record.ncalls for record in p.functions}}["fib"])
        print(p.method.engine, "|", p.method.exact)
        """
    )
    here, count, fallback = found.splitlines()
    assert count == "177"
    if SCOPED:
        assert here.startswith("cProfile's C engine on sys.monitoring")
        assert fallback == "cProfile, which on this Python hears every thread at once | False"
    else:
        assert here == "cProfile"
        assert fallback == "cProfile | True"
