"""The statements of a with block: each with its own time and calls, and the functions as cProfile has them."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler

needs_scoped = pytest.mark.skipif(
    not ScopedProfiler.is_available(), reason="before Python 3.12 a block's statements are sampled"
)


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def timed(function, argument):
    """Seconds that a call took, by the clock: more than it asks for, on a machine with other work."""
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def statements(profile):
    """Source, and calls where they are known, of each statement."""
    return [(record.source, record.calls) for record in profile.statements.records if record.kind == "statement"]


def seconds(profile, source):
    """Of the statement that begins so, what was taken out of it included."""
    (line,) = {record.lineno for record in profile.statements.records if record.source.startswith(source)}
    return sum(record.time for record in profile.statements.records if record.lineno == line)


@needs_scoped
def test_each_statement_has_its_source_and_the_calls_that_it_made_itself():
    with cprofile() as p:
        a, b = fib(5), len("x")
        for n in range(1000):
            abs(n)
        values = [
            fib(3),
            fib(4),
        ]

        @staticmethod
        def inner():
            return 1

        if a:
            inner()
            inner()
    assert (a, b, n, values) == (5, 1, 999, [2, 3])
    assert statements(p) == [
        ('a, b = fib(5), len("x")', 2),
        ("for n in range(1000):", 1000),
        ("values = [", 2),
        ("@staticmethod", 0),
        ("if a:", 2),
    ]
    frame = p.statements.to_dataframe()
    assert list(frame.columns) == ["lineno", "source", "time", "share", "calls"]
    assert list(frame.lineno.diff().dropna()) == [1, 2, 5, 4]


def test_times_are_those_of_the_clock_and_add_up():
    took = []
    with cprofile() as p:
        took.append(timed(spin, 0.06))
        took.append(timed(time.sleep, 0.08))
        for _ in range(3):
            took.append(timed(spin, 0.02))
    measured = [seconds(p, "took.append(timed(s"), seconds(p, "took.append(timed(t"), seconds(p, "for _ in range(3):")]
    assert measured == pytest.approx(
        [took[0], took[1], sum(took[2:])], abs=0.01 if ScopedProfiler.is_available() else 0.03
    )
    assert p.statements.time == pytest.approx(p.session.duration, rel=0.1)
    assert "in line" in p.report().headline


def test_functions_are_those_of_cprofile_whatever_the_statements_are():
    with cprofile() as p:
        fib(10)
        json.dumps([1])
        fib(3)
    counts = {record.function: (record.ncalls, record.pcalls) for record in p.functions}
    assert counts["fib"] == (182, 2)
    assert counts["dumps"] == (1, 1)
    assert not {"<statement>", "test_functions_are_those_of_cprofile_whatever_the_statements_are"} & set(counts)
    fib_record = next(record for record in p.functions if record.function == "fib")
    assert {caller.caller[2] for caller in fib_record.callers} == {"fib"}


@needs_scoped
def test_the_same_function_called_inside_its_own_block_is_a_function():
    def again(n):
        if not n:
            return None
        with_block = cprofile() if n == 3 else None
        if with_block is None:
            return again(n - 1)
        with with_block as p:
            again(n - 1)
            len("x")
        return p

    p = again(3)
    assert statements(p) == [("again(n - 1)", 1), ('len("x")', 1)]
    assert {record.function: record.ncalls for record in p.functions} == {
        "again": 3,
        "<built-in method builtins.len>": 1,
    }


@needs_scoped
def test_a_block_in_a_loop_is_counted_anew_each_time():
    for turn in range(3):
        with cprofile() as p:
            fib(turn + 2)
            len("x")
        assert statements(p) == [("fib(turn + 2)", 1), ('len("x")', 1)]
        assert p.functions[0].ncalls in {1, (3, 5, 9)[turn]}


@needs_scoped
def test_awaiting_in_a_block_is_a_row_of_the_statement_that_awaits():
    async def main():
        with cprofile() as p:
            await asyncio.sleep(0.05)
            fib(8)
        return p

    p = asyncio.run(main())
    assert [source for source, _ in statements(p)] == ["await asyncio.sleep(0.05)", "fib(8)"]
    assert 0.04 < seconds(p, "await") <= p.session.duration + 0.01
    awaiting = next(record for record in p.statements.records if record.kind == "awaiting")
    assert awaiting.time > 0.03


@needs_scoped
def test_a_generator_may_hold_the_block():
    def values():
        with cprofile() as p:
            yield fib(5)
            spin(0.02)
            yield fib(6)
        yield p

    found = values()
    first = next(found)
    spin(0.05)
    second, p = list(found)
    assert (first, second) == (5, 8)
    assert [source for source, _ in statements(p)] == ["yield fib(5)", "spin(0.02)", "yield fib(6)"]
    assert seconds(p, "yield fib(5)") < 0.04


def test_an_error_ends_the_statement_it_came_from():
    with pytest.raises(ZeroDivisionError), cprofile() as p:
        spin(0.01)
        1 / 0
        spin(0.5)
    assert "spin(0.5)" not in [source for source, _ in statements(p)]
    assert p.session.partial


def test_a_block_without_source_has_functions_and_no_statements():
    namespace = {"cprofile": cprofile, "fib": fib}
    exec("with cprofile() as p:\n    fib(5)\n", namespace)
    assert namespace["p"].statements.records == ()
    assert {record.function: record.ncalls for record in namespace["p"].functions}["fib"] == 15


@cprofile()
def decorated():
    return fib(6)


def test_a_decorated_function_is_measured_as_a_whole():
    assert decorated() == 8


@pytest.mark.skipif(ScopedProfiler.is_available(), reason="since Python 3.12 they are not sampled")
def test_what_sampling_does_not_know_is_said():
    with cprofile() as p:
        spin(0.03)
        fib(3)
    assert statements(p)[0] == ("spin(0.03)", None)
    assert any("by statement of a with block is sampled" in note for note in p.method.notes)


def test_a_statement_that_only_awaits_has_its_rows():
    async def main():
        with cprofile() as p:
            await asyncio.sleep(0.05)
        return p

    records = {record.kind: record for record in asyncio.run(main()).statements.records}
    assert records["statement"].source == "await asyncio.sleep(0.05)"
    assert records["awaiting"].lineno == records["statement"].lineno


LOOP = {"_run_once", "select", "_run", "run_forever", "<method 'run' of '_contextvars.Context' objects>"}


def test_the_event_loop_is_no_part_of_a_block_that_awaits_and_tasks_are():
    async def job(n):
        await asyncio.sleep(0.01)
        return fib(n)

    async def main():
        with cprofile() as p:
            fib(5)
            found = await asyncio.gather(job(6), job(7))
            len("x")
        return p, found

    p, found = asyncio.run(main())
    assert found == [8, 13]
    counts = {record.function: record.ncalls for record in p.functions}
    assert not LOOP & set(counts)
    assert counts["fib"] == 15 + 25 + 41
    assert counts["<built-in method builtins.len>"] >= 1
    assert [(each.function.rpartition(".")[2], each.calls) for each in p.coroutines] == [("job", 2)]
    assert len(p.coroutines[0].tasks) == 2
