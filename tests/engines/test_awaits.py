"""Coroutines: calls that are not resumptions, time that ran, time that waited; on every Python."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines.awaits import AwaitLedger
from jupyter_profkit.engines.functions import FunctionEngine


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


def sleep(seconds):
    """Stand still, and the event loop with it."""
    time.sleep(seconds)


# the ledger


@contextlib.contextmanager
def unstarted():
    """The frame of a coroutine that has not run."""
    coroutine = fetch(0)
    yield coroutine.cr_frame
    coroutine.close()


def ledger_at(*moments):
    return AwaitLedger(iter(moments).__next__)


def test_a_call_that_goes_on_is_no_other_call():
    with unstarted() as frame:
        ledger = ledger_at(0.0, 1.0, 2.0, 5.0, 5.5)
        ledger.begin(frame.f_code, frame)
        ledger.pause(frame)
        ledger.begin(frame.f_code, frame)
        ledger.end(frame)
    (record,) = ledger.records()
    assert (record.calls, record.on_cpu, record.awaiting) == (1, 1.5, 3.0)


def test_what_has_not_ended_counts_up_to_the_end_and_what_is_not_known_not_at_all():
    with unstarted() as frame:
        ledger = ledger_at(0.0, 1.0, 2.0, 6.0)
        ledger.pause(frame)
        ledger.end(frame)
        ledger.begin(frame.f_code, frame)
        ledger.pause(frame)
        ledger.close()
    (record,) = ledger.records()
    assert (record.calls, record.on_cpu, record.awaiting) == (1, 1.0, 4.0)


def test_a_call_that_was_suspended_at_the_start_has_waited_since_then():
    coroutine = fetch(0)
    coroutine.send(None)
    ledger, frame = ledger_at(10.0, 13.0, 14.0), coroutine.cr_frame
    ledger.begin(frame.f_code, frame)
    ledger.end(frame)
    coroutine.close()
    (record,) = ledger.records()
    assert (record.calls, record.on_cpu, record.awaiting) == (1, 1.0, 3.0)


# the engine


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


def test_calls_on_cpu_and_awaiting_time_of_each_coroutine_function():
    found, _ = measured(outer())
    assert {name: record.calls for name, record in found.items()} == {"outer": 1, "fetch": 3}
    assert found["fetch"].on_cpu >= 0.03
    assert found["fetch"].awaiting >= 0.12
    assert found["outer"].awaiting >= 0.07
    assert "the second" in found["fetch"].tasks
    assert len(found["fetch"].tasks) >= 2


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


class Tally:
    """What coroutine functions say of their own calls: how many, and seconds from their first to their last line."""

    def __init__(self):
        self.calls, self.seconds = {}, {}

    @contextlib.contextmanager
    def call(self, name):
        self.calls[name] = self.calls.get(name, 0) + 1
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def every_way_to_wait(tally):
    """A coroutine that goes through what asyncio has: each of its functions is told by `tally`, too."""

    async def leaf(seconds, name="leaf"):
        with tally.call(name):
            await asyncio.sleep(seconds)
            return seconds

    async def stubborn():
        with tally.call("stubborn"):
            for _ in range(3):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(10)

    async def cleans_up():
        with tally.call("cleans_up"):
            try:
                await asyncio.sleep(10)
            finally:
                with contextlib.suppress(ZeroDivisionError):
                    1 / 0
                await leaf(0.001)

    async def raises(depth):
        with tally.call("raises"):
            await asyncio.sleep(0)
            if depth:
                await raises(depth - 1)
            raise ValueError(depth)

    class Manager:
        async def __aenter__(self):
            with tally.call("Manager.__aenter__"):
                await asyncio.sleep(0)

        async def __aexit__(self, *_):
            with tally.call("Manager.__aexit__"):
                await asyncio.sleep(0.001)

    class Numbers:
        def __init__(self):
            self.n = 3

        def __aiter__(self):
            return self

        async def __anext__(self):
            with tally.call("Numbers.__anext__"):
                await asyncio.sleep(0)
                self.n -= 1
                if not self.n:
                    raise StopAsyncIteration
                return self.n

    async def main():
        with tally.call("main"):
            assert await asyncio.gather(*(leaf(0.002 * n) for n in range(4))) == [0, 0.002, 0.004, 0.006]
            for make in (stubborn, cleans_up):
                task = asyncio.create_task(make())
                while not task.done():
                    await asyncio.sleep(0.001)
                    task.cancel()
            with contextlib.suppress(ValueError):
                await raises(2)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leaf(10), 0.003)
            async with Manager(), asyncio.TaskGroup() as group:
                group.create_task(leaf(0.001))
                assert [n async for n in Numbers()] == [2, 1]
            closed = leaf(10)
            closed.send(None)
            closed.close()

    return main()


def names_of(found):
    return {name.removeprefix("every_way_to_wait."): record for name, record in found.items()}


def test_counts_are_those_that_the_coroutines_themselves_have_made_and_times_those_on_their_clocks():
    tally = Tally()
    found, _ = measured(every_way_to_wait(tally))
    found = names_of(found)
    assert {name: record.calls for name, record in found.items()} == tally.calls
    for name, record in found.items():
        assert record.on_cpu + record.awaiting == pytest.approx(tally.seconds[name], rel=0.05, abs=0.02)


def test_a_task_that_is_cancelled_before_it_began_was_called_and_never_waited():
    async def main():
        task = asyncio.create_task(fetch(10))
        sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    found, _ = measured(main())
    assert found["fetch"].calls == 1
    assert found["fetch"].awaiting == 0


def test_what_a_coroutine_is_closed_with_ends_its_call():
    async def main():
        waiting = fetch(10)
        waiting.send(None)
        waiting.close()
        sleep(0.03)

    found, _ = measured(main())
    assert found["fetch"].calls == 1
    assert found["fetch"].awaiting < 0.02


def test_a_coroutine_that_is_left_behind_waits_until_the_end():
    waiting = fetch(0)

    async def main():
        waiting.send(None)
        sleep(0.03)

    found, _ = measured(main())
    waiting.close()
    assert found["fetch"].calls == 1
    assert found["fetch"].awaiting >= 0.03


def test_a_task_of_earlier_has_waited_since_the_start_and_has_its_name():
    async def block():
        task = asyncio.create_task(fetch(0.05), name="the early one")
        await asyncio.sleep(0)
        with cprofile() as profile:
            sleep(0.02)
            await task
        return profile

    (record,) = asyncio.run(block()).coroutines
    assert (record.function, record.calls, record.tasks) == ("fetch", 1, ("the early one",))
    assert record.awaiting >= 0.02


def test_neither_the_coroutine_that_measures_nor_those_that_await_it_are_calls_of_its_block():
    async def block():
        with cprofile() as profile:
            await fetch(0)
        return profile

    async def around():
        return await block()

    assert [(each.function, each.calls) for each in asyncio.run(around()).coroutines] == [("fetch", 1)]


def test_an_interrupt_ends_what_ran_and_leaves_the_figures():
    async def interrupted():
        await asyncio.gather(fetch(0.01), fetch(10), stops())

    async def stops():
        await asyncio.sleep(0.02)
        raise KeyboardInterrupt

    engine = FunctionEngine()
    engine.start()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    engine.stop()
    found = {record.function.rpartition(".")[2]: record for record in engine.coroutines()}
    assert {name: record.calls for name, record in found.items()} == {"interrupted": 1, "fetch": 2, "stops": 1}
    assert 0.02 <= found["fetch"].awaiting < 5


def test_plain_cprofile_says_what_it_does_not_know():
    engine = FunctionEngine(scoped=False)
    engine._profiler._tracer = None
    engine.start()
    asyncio.run(fetch(0))
    engine.stop()
    assert engine.coroutines() == ()
    assert any("of coroutines are missing: this Python's cProfile does not tell" in note for note in engine.notes())
