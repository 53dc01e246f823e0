"""The trace function that hears of coroutines on Python 3.11: where it is set, and that it leaves no trace of itself."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines.await_tracer import AwaitTracer
from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.scope import Scope
from tests.engines.test_awaits import fails, fetch, measured, outer
from tests.engines.test_functions import gathered

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="since Python 3.12 sys.monitoring tells")


def test_tracing_puts_everything_back_also_on_frames_that_are_still_suspended():
    waiting = fetch(0)

    async def main():
        engine = FunctionEngine()
        engine.start()
        waiting.send(None)
        assert sys.gettrace() is not None
        assert not waiting.cr_frame.f_trace_lines
        engine.stop()

    asyncio.run(main())
    assert sys.gettrace() is None
    assert waiting.cr_frame.f_trace is None
    assert waiting.cr_frame.f_trace_lines
    waiting.close()


def test_counts_of_functions_are_the_same_with_and_without_the_trace_function():
    def counts(*, is_traced):
        gc.collect()  # asyncio looks at every task that there is, also those that earlier tests left
        engine = FunctionEngine()
        if not is_traced:
            engine._profiler._tracer = None
        engine.start()
        asyncio.run(gathered())
        engine.stop()
        assert bool(engine.coroutines()) is is_traced
        return {record.key: record.ncalls for record in engine.functions()}

    asyncio.run(gathered())  # caches of the libraries are filled
    assert counts(is_traced=True) == counts(is_traced=False)


def test_no_row_is_of_the_trace_function():
    _, engine = measured(outer())
    names = {record.function for record in engine.functions()}
    assert not {"on_call", "on_event", "begin", "pause", "end", "<built-in method sys.settrace>"} & names


def test_an_exception_has_no_frame_of_the_trace_function():
    engine = FunctionEngine()
    engine.start()
    try:
        asyncio.run(fails())
    except ValueError as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    finally:
        engine.stop()
    assert files[-1] == fails.__code__.co_filename
    assert not any("jupyter_profkit" in file for file in files)


def hold(_frame, _event, _arg):
    """A trace function of somebody else's."""


def test_whoever_holds_the_place_keeps_it_and_is_named():
    sys.settrace(hold)
    try:
        found, engine = measured(outer())
        assert sys.gettrace() is hold
    finally:
        sys.settrace(None)
    assert not found
    assert any("test_await_tracer.hold holds sys.settrace; ncalls counts" in note for note in engine.notes())


def test_who_takes_the_place_meanwhile_has_it_and_no_half_of_the_figures_is_shown():
    async def main():
        await fetch(0)
        sys.settrace(hold)
        await fetch(0)

    try:
        found, engine = measured(main())
        assert sys.gettrace() is hold
    finally:
        sys.settrace(None)
    assert not found
    assert any("another tool took sys.settrace meanwhile" in note for note in engine.notes())


def test_another_engine_of_ours_is_made_way_for():
    async def main():
        engine = FunctionEngine()
        engine.start()
        lines = LineMemoryEngine(Scope(frozenset({fetch.__code__})))
        lines.start()
        await fetch(0)
        lines.stop()
        engine.stop()
        return engine, lines

    engine, lines = asyncio.run(main())
    (function,) = (function for function in lines.functions() if function.function == "fetch")
    first_line = fetch.__code__.co_firstlineno + 1
    assert [record.occurrences for record in function.records if record.lineno == first_line] == [1]
    assert engine.coroutines() == ()
    assert sys.gettrace() is None


@pytest.mark.parametrize(
    ("source", "is_traced"),
    [
        ("await x", True),
        ("async with x: pass", True),
        ("import asyncio.runners", True),
        ("async def f(): pass", True),
        ("def f():\n    def g(): loop.run_until_complete(x)", True),
        ("%%cprofile -s time\nawait x", True),
        ("def f(): return sum(range(9))", False),
        ("x = (", False),
        ("return 1", False),
    ],
)
def test_a_cell_or_script_is_traced_if_it_may_run_coroutines(tmp_path, source, is_traced):
    script = tmp_path / "script.py"
    script.write_text(source)
    tracer = AwaitTracer(str(script))
    tracer.start()
    tracer.stop()
    assert tracer.is_on is is_traced


def test_while_a_loop_runs_only_what_awaits_itself_can_have_coroutines(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import asyncio\nasync def f(): pass")

    async def main():
        tracer = AwaitTracer(str(script))
        tracer.start()
        tracer.stop()
        return tracer

    assert not asyncio.run(main()).is_on


def test_where_nothing_was_traced_the_note_says_when_it_would_be():
    engine = FunctionEngine(__file__.replace("test_await_tracer", "test_units"))
    engine.start()
    asyncio.run(fetch(0))
    engine.stop()
    assert any("known where the measured code awaits, or names asyncio" in note for note in engine.notes())


def run_it():
    asyncio.run(fetch(0))


def test_a_block_whose_function_only_calls_what_starts_a_loop_is_not_slowed_down():
    with cprofile() as profile:
        run_it()
    assert profile.coroutines == ()
    assert any("names asyncio" in note for note in profile.method.notes)
