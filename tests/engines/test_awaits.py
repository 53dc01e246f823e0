"""Coroutines: calls that are not resumptions, time that ran, time that waited."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines.awaits import AwaitLedger
from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler

needs_scoped = pytest.mark.skipif(
    not ScopedProfiler.is_available(), reason="before Python 3.12 there are no events for coroutines alone"
)


async def fetch(seconds):
    await asyncio.sleep(seconds)
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass
    await asyncio.sleep(0)


async def outer():
    await fetch(0.02)
    await asyncio.gather(fetch(0.05), asyncio.create_task(fetch(0.05), name="the second"))


async def fails():
    await asyncio.sleep(0)
    raise ValueError


def ledger_at(*moments):
    return AwaitLedger(iter(moments).__next__)


def test_a_call_that_goes_on_is_no_other_call():
    ledger, frame = ledger_at(0.0, 1.0, 4.0, 4.5), sys._getframe()
    ledger.begin(frame.f_code, frame)
    ledger.pause(frame)
    ledger.begin(frame.f_code, frame)
    ledger.end(frame)
    (record,) = ledger.records()
    assert (record.calls, record.on_cpu, record.awaiting) == (1, 1.5, 3.0)


def test_what_has_not_ended_counts_up_to_the_end_and_what_is_not_known_not_at_all():
    ledger, frame = ledger_at(0.0, 1.0, 5.0), sys._getframe()
    ledger.pause(frame)
    ledger.end(frame)
    ledger.begin(frame.f_code, frame)
    ledger.pause(frame)
    ledger.close()
    (record,) = ledger.records()
    assert (record.calls, record.on_cpu, record.awaiting) == (1, 1.0, 4.0)


def measured(coroutine):
    engine = FunctionEngine()
    engine.start()
    try:
        asyncio.run(coroutine)
    except ValueError:
        pass
    finally:
        engine.stop()
    return {record.function: record for record in engine.coroutines()}, engine


@needs_scoped
def test_calls_on_cpu_and_awaiting_time_of_each_coroutine_function():
    found, _ = measured(outer())
    assert {name: record.calls for name, record in found.items()} == {"outer": 1, "fetch": 3}
    assert found["fetch"].on_cpu >= 0.03
    assert found["fetch"].awaiting >= 0.12
    assert found["outer"].awaiting >= 0.07
    assert "the second" in found["fetch"].tasks
    assert len(found["fetch"].tasks) >= 2


@needs_scoped
def test_exceptions_and_cancellation_end_a_call():
    async def all_of_it():
        task = asyncio.create_task(fetch(10))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await fails()

    found, _ = measured(all_of_it())
    assert found["fails"].calls == found["fetch"].calls == 1
    assert found["fetch"].awaiting < 5


@needs_scoped
def test_a_coroutine_that_is_left_behind_waits_until_the_end():
    waiting = fetch(0)

    def start_it():
        waiting.send(None)

    engine = FunctionEngine()
    engine.start()
    start_it()
    time.sleep(0.03)
    engine.stop()
    waiting.close()
    (record,) = engine.coroutines()
    assert record.awaiting >= 0.03


@needs_scoped
def test_the_block_that_measures_is_no_call_of_its_own_coroutine():
    async def block():
        with cprofile() as profile:
            await fetch(0)
        return profile

    assert [(each.function, each.calls) for each in asyncio.run(block()).coroutines] == [("fetch", 1)]


def test_plain_cprofile_says_what_it_does_not_know():
    engine = FunctionEngine(scoped=False)
    engine.start()
    asyncio.run(fetch(0))
    engine.stop()
    assert engine.coroutines() == ()
    assert any("coroutines need Python 3.12" in note for note in engine.notes())
