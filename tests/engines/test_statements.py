"""The rows of a cell's statements: each second in one of them, and waiting told from working."""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.idle import IdleMeter
from jupyter_profkit.engines.pauses import CollectionWatch
from jupyter_profkit.engines.stacks import AWAITING, Meanwhile, StackSampler
from jupyter_profkit.engines.statements import StatementFigures, statement_records

CODE = compile("work()", "cell", "exec")
OTHER = compile("more()", "cell", "exec")


def figures(**changes):
    return StatementFigures(**{"code": CODE, "lineno": 3, "end_lineno": 3, "source": "work()", "time": 1.0, "calls": 2, **changes})  # fmt: skip


def rows(*found, meanwhile=None, pauses=None, duration=2.0):
    records = statement_records(found, meanwhile or {}, pauses or {}, duration)
    return [(record.lineno, record.kind, round(record.time, 9), record.calls) for record in records]


def test_what_a_statement_did_besides_is_taken_out_of_its_time():
    meanwhile = {CODE: Meanwhile(imports=0.1, waiting=0.3)}
    assert rows(figures(imports=0.2, n_imports=2), meanwhile=meanwhile, pauses={CODE: (0.05, 7)}) == [
        (3, "statement", 0.35, 2),
        (3, "imports", 0.3, 2),
        (3, "waiting", 0.3, 0),
        (0, "collections", 0.05, 7),
    ]


def test_what_went_on_while_it_was_suspended_is_added():
    assert rows(figures(time=0.1), meanwhile={CODE: Meanwhile(awaiting=0.8, tasks=0.4)}) == [
        (3, "statement", 0.1, 2),
        (3, "tasks", 0.4, 0),
        (3, "awaiting", 0.8, 0),
    ]


def test_no_more_is_taken_out_than_there_is():
    assert rows(figures(time=0.5), meanwhile={CODE: Meanwhile(waiting=0.7)}) == [
        (3, "statement", 0.0, 2),
        (3, "waiting", 0.5, 0),
    ]


def test_what_is_too_little_to_tell_stays_with_the_statement():
    meanwhile = {CODE: Meanwhile(imports=0.001, waiting=0.001, awaiting=0.001, tasks=0.001)}
    assert rows(figures(), meanwhile=meanwhile) == [(3, "statement", 1.0, 2)]


def test_collections_of_all_statements_are_one_row_at_the_end():
    other = figures(code=OTHER, lineno=5, shown=0.2, n_shown=1)
    assert rows(figures(), other, pauses={CODE: (0.1, 1), OTHER: (0.2, 2)}) == [
        (3, "statement", 0.9, 2),
        (5, "statement", 0.8, 2),
        (0, "collections", 0.3, 3),
        (0, "display", 0.2, 1),
    ]


@pytest.mark.parametrize(
    ("before", "after", "passed", "idle"),
    [
        ((1.0, 0.0, 5), (1.001, 0.0, 6), 0.01, 0.009),  # it slept
        ((1.0, 0.0, 5), (1.001, 0.0, 5), 0.01, 0.0),  # others had the processor
        ((1.0, 0.0, 5), (1.01, 0.0, 6), 0.01, 0.0),  # it ran
        ((1.0, 2.0, 5), (1.004, 2.005, 6), 0.01, 0.001),  # it slept once, but mostly others had the processor
        ((1.0, 2.0, 5), (1.0001, 2.006, 6), 0.01, 0.0099),  # it slept, and queued to be looked at
        ((1.0, 2.0, None), (1.001, 2.0, None), 0.01, 0.009),  # whether it gave the processor up is not known
        ((1.0, 2.0, None), (1.004, 2.006, None), 0.01, 0.0),  # … but how long it queued
    ],
)
def test_a_thread_is_idle_when_it_gave_the_processor_up(before, after, passed, idle):
    readings = iter([before, after])
    assert IdleMeter(readings.__next__).read(passed) == pytest.approx(idle)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the clock of a thread may not be had")
def test_sleeping_is_idle():
    meter = IdleMeter.of_this_thread()
    time.sleep(0.05)
    assert meter.read(0.05) > 0.03
    meter.close()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux counts how long a thread queued")
def test_a_meter_leaves_no_file_open():
    before = os.listdir("/proc/self/fd")
    meter = IdleMeter.of_this_thread()
    during = os.listdir("/proc/self/fd")
    del meter
    assert len(during) == len(before) + 1
    assert len(os.listdir("/proc/self/fd")) == len(before)


def run_cell(source, filename="/tmp/ipykernel_1/91.py"):
    """Each statement as a module of its own, under both engines; the rows by line and kind."""
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    engine, sampler = FunctionEngine(filename), StackSampler(filename)
    codes = [compile("\n" * n + line, filename, "exec") for n, line in enumerate(lines)]
    sampler.start()
    engine.start()
    try:
        for code in codes:
            exec(code, {"time": time, "gc": gc, "sys": sys})
    finally:
        engine.stop()
        sampler.stop()
        linecache.cache.pop(filename)
    records = engine.statements(sampler.meanwhile())
    return {(record.lineno, record.kind): record for record in records}, engine.duration


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere waiting may not be told from working")
def test_a_sleep_is_waiting_under_its_line():
    found, duration = run_cell("x = 1\ntime.sleep(0.2)\n")
    assert found[2, "waiting"].time > 0.15
    assert found[2, "statement"].time < 0.05
    assert sum(record.time for record in found.values()) <= duration


def test_modules_that_are_loaded_are_imports_under_their_line(tmp_path, monkeypatch):
    (tmp_path / "loaded_slowly.py").write_text("import time\ntime.sleep(0.1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    found, _ = run_cell("x = 1\nimport loaded_slowly\n")
    sys.modules.pop("loaded_slowly")
    assert found[2, "imports"].time > 0.09
    assert (2, "waiting") not in found


def test_garbage_collection_is_counted_and_timed():
    found, _ = run_cell("x = gc.collect()\ny = gc.collect()\n")
    assert found[0, "collections"].calls == 2
    assert found[0, "collections"].time > 0


def test_collections_of_other_threads_and_of_modules_that_are_loaded_are_not_noted():
    watch = CollectionWatch(__file__)
    watch.start()
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
    loading = compile("def _find_and_load(collect):\n    collect()\n", "<frozen importlib._bootstrap>", "exec")
    namespace = {}
    exec(loading, namespace)
    namespace["_find_and_load"](gc.collect)
    watch.stop()
    watch.stop()
    assert watch.by_statement == {}


def test_a_statement_deep_under_a_recursion_is_the_last_one_found():
    source = "from gc import collect\ndef down(n): return down(n - 1) if n else collect()\ndown(0)\ndown(500)\n"
    watch = CollectionWatch("<deep>")
    code = compile(source, "<deep>", "exec")
    watch.start()
    exec(code, {})
    watch.stop()
    assert watch.by_statement[code][1] == 2


def test_time_in_which_coroutines_wait_is_theirs():
    async def inner():
        await asyncio.sleep(0.1)

    async def outer():
        sampler = StackSampler()
        sampler.start()
        await inner()
        sampler.stop()
        return sampler

    sampler = asyncio.run(outer())
    heaviest, weight = max(sampler.tree().stacks(), key=lambda stack: stack[1])
    assert [frame.function.rpartition(".")[2] for frame in heaviest] == ["outer", "inner", "sleep", AWAITING]
    assert weight > 0.05
    (spent,) = sampler.meanwhile().values()
    assert spent.awaiting == pytest.approx(weight)


def test_nothing_is_asked_of_an_awaitable_that_is_the_users():
    class Slow:
        def __getattr__(self, name):
            raise AssertionError(name)

        def __await__(self):
            yield from asyncio.sleep(0.03).__await__()

    async def waits():
        sampler = StackSampler()
        sampler.start()
        await Slow()
        sampler.stop()
        return sampler

    sampler = asyncio.run(waits())
    assert any(path[-1].function == AWAITING for path, _ in sampler.tree().stacks())
