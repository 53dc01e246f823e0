"""Every construct of the language, against allocations of known size.

A `bytearray` of some megabytes is a mapping of its own: resident as soon as it
exists and gone as soon as it is freed, to the page.
"""

from __future__ import annotations

import sys
import textwrap
import threading
from pathlib import Path

import pytest

from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.longest_calls import Call, LongestCalls
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.source import register_lines
from tests.builders import MB, FakeMeter, Traced, trace

SLACK = 600_000  # an arena may be mapped or given back on the way


def about(n_megabytes: float) -> object:
    return pytest.approx(n_megabytes * MB, abs=SLACK)


def assert_adds_up(traced: Traced) -> None:
    assert traced.self_sum == pytest.approx(traced.change, abs=SLACK)


def test_a_line_has_its_increment_peak_and_occurrences() -> None:
    traced = trace("kept = bytearray(20_000_000)\ngone = len(bytearray(30_000_000))\ndel kept")
    assert traced.line("kept = ").increment == about(20)
    assert traced.line("gone = ").increment == about(0)
    assert traced.line("gone = ").peak == about(30)
    assert traced.line("del kept").increment == about(-20)
    assert_adds_up(traced)


def test_a_temporary_inside_one_call_of_c_is_a_peak() -> None:
    traced = trace("total = sum([1] * 10_000_000)")
    assert traced.line("total").peak == about(80)
    assert traced.line("total").increment == about(0)


def test_a_loop_counts_its_turns_and_sums_its_increments() -> None:
    traced = trace(
        """
        kept = []
        for i in range(5):
            kept.append(bytearray(4_000_000))
        """
    )
    assert traced.line("for i").occurrences == 6
    assert traced.line("append").occurrences == 5
    assert traced.line("append").increment == about(20)
    assert traced.line("append").peak == about(4)
    assert_adds_up(traced)


def test_nested_calls_are_counted_once_by_themselves_and_included_in_their_callers() -> None:
    traced = trace(
        """
        def inner():
            return bytearray(24_000_000)
        def outer():
            a = inner()
            b = inner()
            return a, b
        pair = outer()
        """
    )
    assert traced.line("return bytearray").self_increment == about(48)
    assert traced.line("a = inner()").increment == about(24)
    assert traced.line("b = inner()").increment == about(24)
    assert traced.line("b = inner()").self_increment == about(0)
    assert traced.line("pair = ").increment == about(48)
    assert_adds_up(traced)


def test_the_peak_of_a_callee_reaches_the_line_that_called_it() -> None:
    traced = trace(
        """
        def busy():
            x = bytearray(1_000_000)
            n = sum([1] * 5_000_000)
            return n
        def between():
            return busy()
        value = between()
        """
    )
    assert traced.line("n = sum").peak == about(40)
    assert traced.line("return busy()").peak == about(41)
    assert traced.line("value = ").peak == about(41)


def test_memory_that_was_freed_before_a_line_is_not_its_peak() -> None:
    traced = trace(
        """
        def busy():
            big = bytearray(50_000_000)
            return len(big)
        n = busy()
        kept = [bytearray(1_000_000) for _ in range(10)]
        """
    )
    assert traced.line("n = ").peak == about(50)
    assert traced.line("kept = ").peak == about(10)


def test_mutual_recursion_adds_up() -> None:
    traced = trace(
        """
        def even(n):
            x = bytearray(3_000_000)
            return [x, odd(n - 1)] if n else [x]
        def odd(n):
            x = bytearray(3_000_000)
            return [x, even(n - 1)] if n else [x]
        tree = even(5)
        """
    )
    assert traced.line("x = ", "even").increment == about(9)
    assert traced.line("x = ", "odd").increment == about(9)
    assert traced.line("tree = ").increment == about(18)
    assert_adds_up(traced)


def test_recursion_counts_the_outermost_call_only() -> None:
    traced = trace(
        """
        def rec(n):
            x = bytearray(4_000_000)
            return [x, rec(n - 1)] if n else [x]
        tree = rec(4)
        """
    )
    assert traced.line("x = ").increment == about(20)
    assert traced.line("x = ").occurrences == 5
    assert traced.line("return").increment == about(16)
    assert traced.line("tree = ").increment == about(20)
    assert_adds_up(traced)


def test_a_comprehension_belongs_to_its_statement_and_runs_once() -> None:
    traced = trace("kept = [bytearray(2_000_000) for _ in range(10)]\nsizes = {len(k): k for k in kept}")
    assert traced.line("kept = ").increment == about(20)
    assert traced.line("kept = ").occurrences == 1
    assert traced.line("sizes").occurrences == 1
    assert_adds_up(traced)


def test_a_function_called_in_a_comprehension_has_its_own_lines() -> None:
    traced = trace(
        """
        def make(n):
            return bytearray(n)
        kept = [make(3_000_000) for _ in range(4)]
        total = sum(len(make(5_000_000)) for _ in range(2))
        """
    )
    assert traced.line("return bytearray").occurrences == 6
    assert traced.line("return bytearray").peak == about(5)
    assert traced.line("kept = ").increment == about(12)
    assert_adds_up(traced)


def test_a_statement_over_several_lines_is_one() -> None:
    traced = trace(
        """
        both = dict(
            a=bytearray(16_000_000),
            b=[bytearray(10) for i in range(10)],
        )
        text = '''one
        two
        three'''
        """
    )
    assert traced.line("both = ").increment == about(16)
    assert traced.line("both = ").occurrences == 1
    assert [record.source for record in traced.functions[0].records if record.occurrences] == [
        "both = dict(",
        "text = '''one",
    ]


def test_the_header_of_a_block_over_several_lines_is_one_statement() -> None:
    traced = trace(
        """
        for item in [
            bytearray(6_000_000),
            bytearray(6_000_000),
        ]:
            kept = item
        """
    )
    assert traced.line("for item").occurrences == 3
    assert traced.line("for item").peak == about(12)


def test_a_generator_is_billed_on_its_own_lines() -> None:
    traced = trace(
        """
        def gen(n):
            for i in range(n):
                x = bytearray(8_000_000)
                yield x
        kept = list(gen(5))
        """
    )
    assert traced.line("x = ").increment == about(40)
    assert traced.line("yield").occurrences == 5
    assert traced.line("kept = ").increment == about(40)
    assert_adds_up(traced)


def test_a_generator_begun_before_the_run_is_followed_when_it_goes_on() -> None:
    def generate():
        yield 1
        kept = bytearray(7_000_000)
        yield kept

    generator = generate()
    next(generator)
    traced = trace("kept = next(generator)", generator=generator)
    assert traced.line("kept = bytearray").increment == about(7)
    assert traced.line("kept = next").increment == about(7)
    assert_adds_up(traced)
    generator.close()


def test_coroutines_under_gather_are_billed_on_their_own_lines() -> None:
    traced = trace(
        """
        import asyncio
        async def one():
            a = bytearray(5_000_000)
            await asyncio.sleep(0.002)
            return a
        async def two():
            b = bytearray(9_000_000)
            await asyncio.sleep(0.001)
            c = bytearray(3_000_000)
            return b, c
        async def both():
            return await asyncio.gather(one(), two())
        kept = asyncio.run(both())
        """
    )
    assert traced.line("a = ").increment == about(5)
    assert traced.line("b = ").increment == about(9)
    assert traced.line("c = ").increment == about(3)
    assert traced.line("kept = ").self_increment == about(0)
    assert_adds_up(traced)


def test_worker_threads_have_their_own_lines() -> None:
    traced = trace(
        """
        import threading
        kept = {}
        def work(n):
            kept[n] = bytearray(n)
        threads = [threading.Thread(target=work, args=(n,)) for n in (6_000_000, 4_000_000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )
    assert traced.line("kept[n] = ").increment == about(10)
    assert traced.line("kept[n] = ").occurrences == 2
    assert_adds_up(traced)


def test_a_thread_that_outlives_the_run_is_closed_with_it() -> None:
    goes_on, running = threading.Event(), threading.Event()
    traced = trace(
        """
        import threading
        def work():
            x = bytearray(5_000_000)
            running.set()
            goes_on.wait()
        thread = threading.Thread(target=work)
        thread.start()
        running.wait()
        """,
        goes_on=goes_on,
        running=running,
    )
    goes_on.set()
    traced.namespace["thread"].join()
    assert traced.line("x = ").increment == about(5)
    assert_adds_up(traced)


def test_with_try_and_finally_are_billed_line_by_line() -> None:
    traced = trace(
        """
        from contextlib import contextmanager
        @contextmanager
        def lent(n):
            block = bytearray(n)
            try:
                yield block
            finally:
                del block
        with lent(6_000_000):
            kept = bytearray(2_000_000)
        try:
            raise ValueError
        except ValueError:
            more = bytearray(3_000_000)
        finally:
            last = bytearray(1_000_000)
        """
    )
    assert traced.line("block = ").increment == about(6)
    assert traced.line("kept = ").increment == about(2)
    assert traced.line("more = ").increment == about(3)
    assert traced.line("last = ").increment == about(1)
    assert_adds_up(traced)


def test_an_exception_closes_what_it_leaves() -> None:
    traced = trace(
        """
        kept = []
        def deep(n):
            kept.append(bytearray(2_000_000))
            return deep(n - 1) if n else 1 / 0
        before = bytearray(4_000_000)
        deep(3)
        """
    )
    assert isinstance(traced.error, ZeroDivisionError)
    assert traced.line("before").increment == about(4)
    assert traced.line("kept.append").increment == about(8)
    assert_adds_up(traced)


def test_an_exception_that_is_caught_further_up_leaves_the_caller_open() -> None:
    traced = trace(
        """
        def fail():
            x = bytearray(2_000_000)
            raise ValueError
        def careful():
            try:
                fail()
            except ValueError:
                pass
            return bytearray(5_000_000)
        kept = careful()
        """
    )
    assert traced.line("return bytearray").increment == about(5)
    assert traced.line("kept = ").increment == about(5)
    assert_adds_up(traced)


def test_decorated_functions_lambdas_and_class_bodies_are_followed() -> None:
    traced = trace(
        """
        import functools
        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        @decorate
        def make(n):
            return bytearray(n)
        class Holder:
            big = bytearray(5_000_000)
            @property
            def fresh(self):
                return bytearray(2_000_000)
        quick = lambda n: bytearray(n)
        a = make(3_000_000)
        b = quick(4_000_000)
        c = Holder().fresh
        """
    )
    assert traced.line("return bytearray(n)").increment == about(3)
    assert traced.line("return function").increment == about(3)
    assert traced.line("big = ").increment == about(5)
    assert traced.line("class Holder").occurrences == 1
    assert traced.line("@decorate").occurrences == 1
    assert traced.line("return bytearray(2").increment == about(2)
    assert traced.line("b = ").increment == about(4)
    assert_adds_up(traced)


def test_code_run_by_exec_counts_on_the_line_that_runs_it() -> None:
    traced = trace("exec('hidden = bytearray(6_000_000)')\nvalue = eval('bytearray(2_000_000)')")
    assert traced.line("exec(").increment == about(6)
    assert traced.line("value = ").increment == about(2)
    assert_adds_up(traced)


def test_functions_of_the_users_own_files_are_followed_and_libraries_are_not(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "own_module_x.py").write_text("def make(n):\n    block = bytearray(n)\n    return block\n")
    monkeypatch.syspath_prepend(tmp_path)
    traced = trace("import own_module_x, textwrap\nkept = own_module_x.make(5_000_000)\ntextwrap.dedent(' x')")
    assert traced.line("block = ").increment == about(5)
    assert {lines.function for lines in traced.functions} == {"<module>", "make"}
    del sys.modules["own_module_x"]


def test_libraries_are_followed_when_they_are_named() -> None:
    traced = trace("import textwrap\ntextwrap.dedent('  x')", scope={"modules": ("textwrap",)})
    assert "dedent" in {lines.function for lines in traced.functions}


def test_excluded_functions_count_on_the_line_that_calls_them() -> None:
    source = """
        def hidden():
            return bytearray(6_000_000)
        kept = hidden()
        """
    traced = trace(source, scope={"exclude": ("hid*",)})
    assert {lines.function for lines in traced.functions} == {"<module>"}
    assert traced.line("kept = ").self_increment == about(6)


def test_memory_of_numpy_is_seen_when_it_is_touched() -> None:
    numpy = pytest.importorskip("numpy")
    traced = trace(
        """
        zeros = np.zeros(2_000_000)
        zeros[:] = 1
        doubled = zeros * 2 + 1
        """,
        np=numpy,
    )
    assert traced.line("zeros = ").increment < 2.2 * MB
    huge_page = pytest.approx(16 * MB, abs=2.2 * MB)  # NumPy asks for pages of 2 MiB
    assert traced.line("zeros[:]").increment == huge_page
    assert traced.line("doubled").increment == huge_page
    assert traced.line("doubled").peak >= 15.7 * MB


def test_the_peak_of_the_run_names_its_line() -> None:
    traced = trace("a = bytearray(5_000_000)\nb = sum([1] * 6_000_000)\nc = 1")
    where = traced.engine.peak_at()
    assert where is not None
    assert (where.lineno, where.function) == (2, "<module>")
    assert traced.engine.ledger.peak_rss - traced.engine.ledger.rss_start == about(53)


def test_a_page_more_does_not_take_the_peak_from_the_line_that_made_it() -> None:
    meter = FakeMeter()
    traced = trace(
        "take(9 * MB)\ntake(4096)\nfor _ in range(3):\n    take(MB)\ntake(4096)",
        meter,
        {"exclude": ("FakeMeter.*",)},
        take=meter.allocate,
        MB=MB,
    )
    where = traced.engine.peak_at()
    assert where is not None
    assert where.lineno == 4
    assert traced.engine.ledger.peak_rss == 12 * MB + 2 * 4096


def test_statements_on_one_line_are_one_run_of_it() -> None:
    filename = "<%a line of a cell>"
    register_lines(filename, "a = 1; b = 2; c = 3\n")
    statements = [compile(text, filename, "exec") for text in ("a = 1", "b = 2", "c = 3")]
    scope = Scope(block=filename, exclude=("FakeMeter.*",))
    engine = LineMemoryEngine(scope, FakeMeter(), repeats=True)
    engine.start()
    for again in range(3):
        for code in statements:
            exec(code, {})
        if again < 2:
            engine.lap()
    engine.stop()
    (cell,) = engine.functions()
    assert cell.records[0].occurrences == 3


def test_a_finalizer_that_runs_while_a_repetition_is_noted_does_not_wait_for_it() -> None:
    def finalize() -> None:
        pass

    class CollectingMeter(FakeMeter):
        def read(self) -> tuple[int, int]:
            finalize()
            return super().read()

    scope = Scope(functions=[finalize.__code__], only=True)
    engine = LineMemoryEngine(scope, CollectingMeter(), repeats=True)
    engine.start()
    engine.lap()
    engine.stop()
    assert len(engine.laps.records) == 2


def test_what_no_line_did_is_left_over() -> None:
    meter = FakeMeter()
    engine = LineMemoryEngine(Scope(only=True), meter)
    engine.start()
    meter.allocate(5 * MB)
    engine.stop()
    assert engine.ledger.rss_end - engine.ledger.rss_start == 5 * MB
    assert engine.functions() == ()


def test_a_running_frame_is_followed_from_where_it_is() -> None:
    engine = LineMemoryEngine(Scope(functions=(sys._getframe().f_code,), only=True))
    before = bytearray(3_000_000)
    engine.start(sys._getframe())
    block = bytearray(8_000_000)
    engine.stop()
    (lines,) = engine.functions()
    (record,) = [record for record in lines.records if "block = bytearray(8" in record.source and record.occurrences]
    assert record.increment == about(8)
    assert not [record for record in lines.records if "before = " in record.source and record.occurrences]
    del before, block


def test_stopping_twice_is_harmless_and_a_second_run_is_fresh() -> None:
    engine = LineMemoryEngine(Scope(block="nowhere"))
    engine.start()
    engine.stop()
    engine.stop()
    assert trace("x = 1").line("x = 1").occurrences == 1


def test_a_forked_child_is_not_followed_and_the_parent_goes_on() -> None:
    traced = trace(
        """
        import os, sys
        def child():
            x = bytearray(5_000_000)
            os._exit(0 if (sys.gettrace() is None) else 3)
        pid = os.fork()
        if pid == 0:
            child()
        _, status = os.waitpid(pid, 0)
        kept = bytearray(4_000_000)
        """
    )
    assert traced.namespace["status"] == 0
    assert traced.line("kept").increment == about(4)
    assert {lines.function for lines in traced.functions} == {"<module>"}


def test_a_fault_of_the_meter_never_reaches_the_code_that_is_measured() -> None:
    class BrokenMeter(FakeMeter):
        looks = 0

        def read(self) -> tuple[int, int]:
            self.looks += 1
            if self.looks == 105:  # after the calibration, in the middle of the run
                raise OSError("no such file")
            return super().read()

    traced = trace("a = 1\nb = 2\nc = 3\nd = 4", BrokenMeter())
    assert traced.error is None
    assert traced.namespace["d"] == 4
    assert "no such file" in traced.engine.ledger.failure


def test_a_hot_line_is_only_looked_at_now_and_then_and_the_sum_stays_right() -> None:
    source = """
        kept = []
        def hot(n):
            total = 0
            for i in range(n):
                total += i
            return total
        hot(300_000)
        kept.append(bytearray(6_000_000))
        """
    traced = trace(source, budget=1000)
    line = traced.stats("total += i")
    assert line.is_sampled
    assert 1000 <= line.occurrences < 300_000
    assert traced.line("kept.append").increment == about(6)
    assert_adds_up(traced)
    exact = trace(source)
    assert exact.stats("total += i").occurrences == 300_000
    assert not exact.stats("total += i").is_sampled


@pytest.mark.parametrize(
    "every",
    [
        100,
        pytest.param(
            3000,
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="a frame of Python 3.11 sleeps as a whole"),
        ),
    ],
)
def test_a_rare_line_among_hot_ones_says_that_its_runs_were_seen_in_part(every: int) -> None:
    source = f"""
        def hot(n):
            start = 0
            for i in range(n):
                total = i
                if i % {every} == {every - 1}:
                    kept.append(bytearray({every} * 20))
            return total
        kept = []
        hot(300_000)
        """
    traced = trace(source, budget=1000)
    assert traced.stats("kept.append").is_sampled
    assert traced.stats("kept.append").occurrences <= 300_000 // every
    assert not traced.stats("start = 0").is_sampled
    assert_adds_up(traced)
    assert trace(source).stats("kept.append").occurrences == 300_000 // every


def test_code_that_one_run_leaves_out_is_followed_by_the_next() -> None:
    def work(n: int) -> bytearray:
        return bytearray(n)

    source = "kept = work(40_000_000)"
    without = trace(source, scope={"exclude": ("*work",)}, work=work)
    assert [lines.function for lines in without.functions] == ["<module>"]
    assert without.line("kept =").self_increment == about(40)
    followed = trace(source, work=work)
    assert [lines.n_calls for lines in followed.functions[1:]] == [1]
    assert followed.line("kept =").self_increment == about(0)


HOT = {
    "a function": """
        def hot(i):
            return i + 1
        def work():
            for i in range(20_000):
                hot(i)
        work()
        """,
    "a recursion": """
        def hot(n):
            return n if n < 2 else hot(n - 1) + hot(n - 2)
        def work():
            return hot(18)
        work()
        """,
    "two that call each other": """
        def hot(n):
            return n > 0 and other(n - 1)
        def other(n):
            return n > 0 and hot(n - 1)
        def work():
            for _ in range(100):
                hot(200)
        work()
        """,
    "a generator": """
        def hot():
            for i in range(20_000):
                yield i
        def work():
            return sum(hot())
        work()
        """,
    "one that raises": """
        def hot(i):
            raise ValueError(i)
        def work():
            for i in range(20_000):
                try:
                    hot(i)
                except ValueError:
                    pass
        work()
        """,
    "a coroutine": """
        import asyncio
        async def hot(i):
            await asyncio.sleep(0)
        async def work():
            for i in range(5_000):
                await hot(i)
        asyncio.run(work())
        """,
}


@pytest.mark.parametrize("source", HOT.values(), ids=HOT)
def test_of_a_hot_function_only_some_calls_are_told_and_nothing_else_suffers(source: str) -> None:
    after = """
        def quiet():
            return bytearray(6_000_000)
        kept = quiet()
        more = bytearray(9_000_000)
        """
    traced = trace(textwrap.dedent(source) + textwrap.dedent(after), budget=1000)
    assert traced.error is None
    calls = {lines.function: lines for lines in traced.functions}["hot"]
    assert any(record.sampled for record in calls.records)
    assert sum(record.occurrences for record in calls.records) < 9_000
    assert traced.line("kept = quiet()").increment == about(6)
    assert traced.line("return bytearray").self_increment == about(6)
    assert traced.line("more =").self_increment == about(9)
    assert not traced.line("more =").sampled
    assert_adds_up(traced)


def test_what_a_hot_function_takes_is_told_in_sum() -> None:
    source = """
        kept = []
        def hot(i):
            kept.append(bytearray(300_000) if i % 100 == 0 else i)
        def work():
            for i in range(10_000):
                hot(i)
        done = work()
        """
    traced = trace(source, budget=1000)
    assert traced.line("done = work()").increment == pytest.approx(30 * MB, abs=2 * MB)
    assert_adds_up(traced)
    assert trace(source).line("kept.append").occurrences == 10_000


def test_of_very_many_calls_the_longest_are_kept():
    calls = LongestCalls(10)
    for n in range(200):
        calls.add(Call(test_of_very_many_calls_the_longest_are_kept.__code__, n, n + n * 37 % 200, 0, 0, 0))
    durations = sorted(call.end - call.start for call in calls.found)
    assert durations[-10:] == list(range(190, 200))
    assert len(durations) <= 20
    assert calls.n_calls == 200
