"""Sampled stacks: paths that happened, weights that add up, and nothing left or disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import signal
import sys
import textwrap
import threading
import time
from itertools import pairwise

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines import functions, scoped_profiler, stacks
from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.stacks import OUTSIDE, StackSampler
from jupyter_profkit.engines.timers import SignalPacer, ThreadPacer, pacer_for
from jupyter_profkit.model.functions import TimeProfile

needs_timer = pytest.mark.skipif(not SignalPacer.is_available(), reason="POSIX timers with thread signals are Linux'")
PACERS = [pytest.param(SignalPacer, marks=needs_timer, id="signal"), pytest.param(ThreadPacer, id="thread")]


def spin(seconds):
    """Keep the processor busy, calling nothing in Python."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def leaf_fast():
    spin(0.01)


def leaf_slow():
    spin(0.09)


def apply(function):
    function()


def a():
    apply(leaf_fast)


def b():
    apply(leaf_slow)


def even(n):
    if n == 0:
        spin(0.02)
        return True
    return odd(n - 1)


def odd(n):
    return even(n - 1)


def down(n, seconds=0.02):
    if n:
        return down(n - 1, seconds)
    return spin(seconds)


def sampled(function, pacer=None, *args, **options):
    sampler = StackSampler(pacer=pacer, **options)
    began = time.perf_counter()
    sampler.start()
    try:
        function(*args)
    finally:
        sampler.stop()
    sampler.elapsed = time.perf_counter() - began
    return sampler


def paths(tree):
    return [tuple(frame.function for frame in path) for path, _ in tree.stacks()]


def seconds(tree, *names):
    """Seconds in all frames whose path ends in `names`."""
    found = 0.0
    for path, frame in tree.walk():
        ends = tuple(each.function for each in (*path, frame))[-len(names) :]
        found += frame.total if ends == names else 0.0
    return found


@pytest.mark.parametrize("pacer", PACERS)
def test_call_paths_that_never_happened_do_not_appear_and_times_are_split_as_they_were(pacer):
    spent = {"a": 0.0, "b": 0.0}

    def phantom():
        for _ in range(4):
            for function in (a, b):
                began = time.perf_counter()
                function()
                spent[function.__name__] += time.perf_counter() - began

    tree = sampled(phantom, pacer).tree()
    edges = {edge for path in paths(tree) for edge in zip(path, path[1:], path[2:], strict=False)}
    assert ("a", "apply", "leaf_fast") in edges
    assert ("b", "apply", "leaf_slow") in edges
    assert not {("a", "apply", "leaf_slow"), ("b", "apply", "leaf_fast")} & edges
    # The clock of the run itself is the truth: a busy machine stretches both alike. The
    # thread waits for a processor like any other, so there the split is not held to a figure.
    if pacer is SignalPacer:
        share = seconds(tree, "b", "apply", "leaf_slow") / tree.total
        assert share == pytest.approx(spent["b"] / sum(spent.values()), abs=0.15)  # edges would give 0.5


@pytest.mark.parametrize("pacer", PACERS)
def test_weights_add_up_to_the_run(pacer):
    sampler = sampled(spin, pacer, 0.2)
    tree = sampler.tree()
    assert 0 < tree.total <= sampler.elapsed
    assert tree.total == pytest.approx(sum(weight for _, weight in tree.stacks()))
    assert tree.n_samples > 0
    assert tree.engine == pacer.description


@pytest.mark.parametrize("pacer", PACERS)
def test_a_call_of_c_code_is_charged_in_full_to_its_caller(pacer):
    def holds_the_interpreter():
        began = time.perf_counter()
        sum(range(5_000_000))
        taken.append(time.perf_counter() - began)

    taken = []
    tree = sampled(holds_the_interpreter, pacer).tree()
    name = "test_a_call_of_c_code_is_charged_in_full_to_its_caller.holds_the_interpreter"
    assert pacer is not SignalPacer or seconds(tree, name) > 0.5 * taken[0]
    assert tree.total > 0.5 * taken[0]


@pytest.mark.parametrize("pacer", PACERS)
def test_sleeping_is_charged_to_who_sleeps_and_is_not_cut_short(pacer):
    def sleeper():
        began = time.perf_counter()
        time.sleep(0.1)
        taken.append(time.perf_counter() - began)

    taken = []
    tree = sampled(sleeper, pacer).tree()
    assert taken[0] >= 0.1
    sleeping = seconds(tree, "test_sleeping_is_charged_to_who_sleeps_and_is_not_cut_short.sleeper")
    assert pacer is not SignalPacer or sleeping > 0.5 * taken[0]
    assert sleeping <= tree.total


def test_recursion_is_folded_and_only_calls_that_were_made_are_shown():
    tree = sampled(lambda: (down(150), even(150))).tree()
    shown = paths(tree)
    assert ("down", "spin") in {path[-2:] for path in shown}
    assert all(path.count("down") <= 1 for path in shown)
    assert all(path.count("even") <= 2 for path in shown)
    lambda_name = "test_recursion_is_folded_and_only_calls_that_were_made_are_shown.<lambda>"
    assert (lambda_name, "odd") not in {edge for path in shown for edge in pairwise(path)}


def test_deep_recursion_is_sampled_without_harm():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        sampler = sampled(down, None, 9_000, 0.3)
    finally:
        sys.setrecursionlimit(limit)
    assert 0 < sampler.tree().total <= sampler.elapsed


def test_a_library_is_one_frame_under_the_users_and_its_callbacks_are_the_users_again():
    def shown(value):
        spin(0.001)
        return str(value)

    def encode():
        json.dumps([object()] * 60, default=shown, indent=1)

    found = {path[-4:] for path in paths(sampled(encode).tree())}
    prefix = "test_a_library_is_one_frame_under_the_users_and_its_callbacks_are_the_users_again."
    assert (f"{prefix}encode", "dumps", f"{prefix}shown", "spin") in found


def test_comprehensions_count_on_their_function():
    def squares():
        return sum(n * n for n in [spin(0.0005) or m for m in range(60)])

    functions = {name for path in paths(sampled(squares).tree()) for name in path}
    assert not functions & {"<genexpr>", "<listcomp>"}
    assert not any("<genexpr>" in name or "<listcomp>" in name for name in functions)


def test_the_first_frame_is_the_block_and_none_is_of_this_package_or_the_test_runner():
    with cprofile() as profile:
        spin(0.05)
    assert {root.function for root in profile.stacks.roots} == {
        "test_the_first_frame_is_the_block_and_none_is_of_this_package_or_the_test_runner"
    }
    for path, _ in profile.stacks.stacks():
        assert not any("profkit/engines" in frame.filename or "pytest" in frame.filename for frame in path)


def run_cell(source, filename, **options):
    """Run a cell as the shell does, each statement a module of its own; the sampler's tree."""
    namespace = {"spin": spin, "time": time}
    sampler = StackSampler(filename, **options)
    sampler.start()
    for lineno, line in enumerate(source.splitlines()):
        exec(compile("\n" * lineno + line, filename, "exec"), namespace)
    sampler.stop()
    return sampler.tree()


def test_in_a_cell_the_statements_come_first(tmp_path):
    path = tmp_path / "cell.py"
    path.write_text("spin(0.03)\ntime.sleep(0.06)\n")
    tree = run_cell(path.read_text(), str(path))
    statements = [root for root in tree.roots if root.filename == str(path)]
    assert {(root.function, root.lineno) for root in statements} == {("spin(0.03)", 1), ("time.sleep(0.06)", 2)}
    assert statements == sorted(statements, key=lambda root: -root.total)


def test_tasks_are_roots_and_waiting_is_said_to_be_waiting():
    async def job():
        await asyncio.sleep(0.05)
        spin(0.03)

    sampler = StackSampler("<a cell that is over>")
    loop = asyncio.new_event_loop()
    sampler.start()
    # From a thread's first frame, so that no code of the user's is beneath the loop.
    loop.run_until_complete(job())
    sampler.stop()
    loop.close()
    tree = sampler.tree()
    assert seconds(tree, "test_tasks_are_roots_and_waiting_is_said_to_be_waiting.job", "spin") > 0


def test_time_without_any_of_the_users_code_is_outside():
    sampler = StackSampler("<cell>")
    sampler._add([json.dumps.__code__], 0.5)
    sampler._add([StackSampler.stop.__code__, spin.__code__], 0.5)
    sampler._engine = "a test"
    assert [(root.function, root.weight) for root in sampler.tree().roots] == [(OUTSIDE, 0.5)]


@pytest.mark.parametrize("pacer", PACERS)
def test_counts_are_those_without_sampling(pacer, monkeypatch):
    def work():
        json.loads(json.dumps(list(range(3000)), indent=1))
        spin(0.05)
        down(50)
        return sorted(range(100), key=lambda n: -n)

    def counts(**options):
        profile = cprofile(**options)
        with profile:
            work()
        return {
            record.key: (record.ncalls, record.pcalls, tuple(sorted((c.caller, c.ncalls) for c in record.callers)))
            for record in profile.functions
            if "perf_counter" not in record.function
        }

    monkeypatch.setattr(stacks, "pacer_for", pacer)
    work()  # caches are filled
    with_samples = counts()
    assert with_samples == counts(no_flame=True)
    assert not any("profkit" in key[0] for key in with_samples)


def test_a_statement_counts_its_own_calls_only(tmp_path):
    path = tmp_path / "cell.py"
    path.write_text("for _ in range(300): abs(-1), spin(0.0002)\n")
    code = compile(path.read_text(), str(path), "exec")
    engine, sampler = FunctionEngine(str(path)), StackSampler(str(path))
    sampler.start()
    engine.start()
    exec(code, {"spin": spin})
    engine.stop()
    sampler.stop()
    assert [record.calls for record in engine.statements()] == [600]


def handlers():
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


@pytest.mark.parametrize("pacer", PACERS)
def test_handlers_timers_threads_and_the_switch_interval_are_as_before(pacer):
    before = handlers(), sys.getswitchinterval(), threading.enumerate()
    alarm = signal.getitimer(signal.ITIMER_REAL)[0]  # pytest-timeout uses it
    sampler = StackSampler(pacer=pacer)
    sampler.start()
    spin(0.01)
    sampler.stop()
    sampler.stop()
    time.sleep(0.005)  # a signal that was still on its way would end the process here
    assert (handlers(), sys.getswitchinterval(), threading.enumerate()) == before
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) is (alarm > 0)


@needs_timer
def test_the_users_own_alarm_rings_once_and_on_time():
    rung = []
    alarm = signal.getitimer(signal.ITIMER_REAL)  # pytest-timeout uses it
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.perf_counter()))
    try:
        with cprofile() as profile:
            began = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            spin(0.12)
        assert len(rung) == 1
        assert rung[0] - began >= 0.05
        assert profile.stacks.n_samples > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, *alarm)
        signal.signal(signal.SIGALRM, before)


@needs_timer
def test_a_signal_with_a_handler_is_left_to_its_owner():
    mine = lambda *_: None
    before = signal.signal(signal.SIGRTMAX, mine)
    try:
        sampler = sampled(spin, None, 0.1)
        assert signal.getsignal(signal.SIGRTMAX) is mine
        assert sampler.tree().n_samples > 2
    finally:
        signal.signal(signal.SIGRTMAX, before)


def test_where_no_signal_is_free_a_thread_samples(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    assert sampled(spin, None, 0.05).tree().engine == "a thread"


def test_another_thread_than_the_main_one_is_sampled_by_a_thread():
    found = []

    def work():
        found.append(type(pacer_for(lambda _: 1.0)))
        with cprofile() as profile:
            leaf_slow()
        found.append(profile)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0] is ThreadPacer
    assert seconds(found[1].stacks, "leaf_slow", "spin") > 0


def test_a_system_without_threads_or_timers_has_figures_but_no_flame_graph(monkeypatch):
    def refused(self, interval):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPacer, "start", refused)
    monkeypatch.setattr(stacks, "pacer_for", ThreadPacer)
    with cprofile() as profile:
        spin(0.005)
    assert profile.stacks is None
    assert profile.functions


def test_a_busy_engine_leaves_no_sampler(monkeypatch):
    def busy(self):
        raise RuntimeError("busy")

    monkeypatch.setattr(FunctionEngine, "start", busy)
    before = handlers()
    with pytest.raises(RuntimeError, match="busy"), cprofile():
        pass
    assert handlers() == before


def test_more_paths_than_can_be_kept_count_on_their_callers(monkeypatch):
    monkeypatch.setattr(stacks, "_MOST_NODES", 3)
    sampler = sampled(a, None)
    sampler_tree = sampler.tree()
    assert sum(1 for _ in sampler_tree.walk()) <= 3
    assert 0 < sampler_tree.total <= sampler.elapsed


def test_errors_in_the_block_leave_the_stacks_until_then():
    profile = cprofile()
    with pytest.raises(ZeroDivisionError), profile:
        leaf_slow()
        1 / 0
    assert seconds(profile.stacks, "leaf_slow", "spin") > 0.04


def test_stacks_survive_json():
    with cprofile() as profile:
        a()
        even(300)
    assert TimeProfile.from_json(profile.to_json()) == profile.result


def test_the_deepest_tree_that_is_made_survives_json():
    source = "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(120)) + "def f120(): spin(0.03)\n"
    namespace = {"spin": spin}
    exec(compile(textwrap.dedent(source), "/home/user/deep.py", "exec"), namespace)
    profile = cprofile()
    with profile:
        namespace["f0"]()
    depth = max(len(path) for path, _ in profile.stacks.stacks())
    assert depth == 64
    assert TimeProfile.from_json(profile.to_json()) == profile.result
    assert not math.isnan(profile.stacks.total)


def of_our_file(path, source):
    """A function as if it stood in a file of this package."""
    namespace = {"sys": sys}
    exec(compile(source, path, "exec"), namespace)
    return namespace["made"]


def test_time_in_a_callback_of_ours_is_that_of_the_code_which_it_was_called_for():
    made = of_our_file(scoped_profiler.__file__, "def made(look): return look(sys._getframe())")
    here = sys._getframe()
    assert made(lambda frame: stacks._looked_on(frame) is here)
    assert made(lambda frame: stacks._looked_on(sys._getframe()) is here)  # the callback calls others
    start = of_our_file(functions.__file__, "def made(inner, look): return inner(look)")
    assert start(made, lambda frame: stacks._looked_on(frame) is frame)  # we ourselves begin or end


def test_tasks_that_only_go_on_and_wait_again_are_seen():
    async def hop(n):
        for _ in range(n):
            await asyncio.sleep(0)

    async def main():
        engine, sampler = FunctionEngine("/tmp/ipykernel_1/92.py"), StackSampler("/tmp/ipykernel_1/92.py")
        sampler.start()
        engine.start()
        await asyncio.gather(*(hop(400) for _ in range(40)))
        engine.stop()
        sampler.stop()
        return sampler.tree(), engine.duration

    tree, duration = asyncio.run(main())
    assert tree.total > 0.8 * duration


def test_what_our_own_code_does_is_no_work_of_the_block():
    filename = "/home/user/block.py"
    module = compile("f()", filename, "exec")
    f = compile("f", filename, "eval").replace(co_name="f", co_qualname="f")
    ours, library = StackSampler.start.__code__, json.dumps.__code__
    sampler = sampled(list, None, filename=filename)
    before = sampler.tree().total
    sampler._add([library, ours, module], 1.0)  # our start or end
    sampler._add([library, ours, f, module], 2.0)  # somebody measures inside
    sampler._add([f, ours, f, module], 4.0)
    sampler._add([library, f, module], 8.0)
    tree = sampler.tree()
    assert tree.total - before == pytest.approx(14.0)
    found = {tuple(frame.function for frame in path): weight for path, weight in tree.stacks()}
    assert found["<module>", "f", "dumps"] == pytest.approx(8.0)
    assert found["<module>", "f"] == pytest.approx(6.0)


class NoPacer:
    """Ticks when it is told to."""

    description = "the test"

    def __init__(self, tick):
        self.tick = tick

    def start(self, interval):
        pass

    def stop(self):
        pass


@contextlib.contextmanager
def ticking():
    sampler = StackSampler(pacer=NoPacer)
    sampler.start()
    yield sampler, lambda: sampler._tick(sys._getframe(1))
    sampler.stop()


def test_what_passes_before_the_measurement_begins_is_nobodys():
    with ticking() as (sampler, tick):
        spin(0.05)
        sampler.begin()
        began = time.perf_counter()
        tick()
    assert sampler.tree().total <= time.perf_counter() - began + 0.01


def test_one_sample_that_took_long_is_no_reason_to_pause_and_a_second_is(monkeypatch):
    clock = itertools.count()
    with ticking() as (_, tick):
        monkeypatch.setattr(time, "thread_time", lambda: next(clock) / 1000)
        assert tick() == 0.001
        assert tick() == 0.01
