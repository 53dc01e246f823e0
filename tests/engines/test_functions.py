"""Counts equal cProfile's own, other threads stay out, and the cell's code is all there is."""

from __future__ import annotations

import asyncio
import builtins
import cProfile
import functools
import gc
import json
import linecache
import pstats
import subprocess
import sys
import textwrap
import threading
import time
import types
from pathlib import Path

import IPython
import matplotlib as mpl
import pytest

import jupyter_profkit.cells.prologue  # noqa: F401 - imported before it is measured
from jupyter_profkit import cprofile
from jupyter_profkit.engines import scoped_profiler, tool_slots
from jupyter_profkit.engines.call_places import CallPlaces
from jupyter_profkit.engines.functions import FunctionEngine, PlainProfiler
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler
from jupyter_profkit.errors import EngineBusyError
from jupyter_profkit.source import label_of

needs_scoped = pytest.mark.skipif(
    not ScopedProfiler.is_available(), reason="before Python 3.12 cProfile itself hears one thread only"
)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def countdown(n):
    try:
        while n:
            yield n
            n -= 1
    except KeyError:
        yield -1


def fail_at(depth):
    if depth:
        fail_at(depth - 1)
    raise ValueError(depth)


async def twice(n):
    await asyncio.sleep(0)
    return 2 * n


async def gathered():
    return await asyncio.gather(*(twice(n) for n in range(4)))


def recursion():
    fib(12)
    even(9)


def generators():
    list(countdown(5))
    sum(n * n for n in countdown(4))
    thrown = countdown(3)
    next(thrown)
    thrown.throw(KeyError)
    thrown.close()
    list(countdown(1))


def exceptions():
    for depth in (0, 3):
        with pytest.raises(ValueError):
            fail_at(depth)
    for bad in ((), "x"):
        try:
            int(bad)
        except (TypeError, ValueError):
            pass
    with pytest.raises(ValueError):
        sorted([2, 1], key=lambda _: fail_at(1))


def coroutines():
    asyncio.run(gathered())


def libraries():
    json.loads(json.dumps({"a": [1, 2.5, None]}, indent=1))
    sorted("profile", key=lambda letter: -ord(letter))
    type("Made", (), {"__init__": lambda self: None})()


def from_cprofile(function):
    profile = cProfile.Profile()
    profile.enable()
    function()
    profile.disable()
    stats = pstats.Stats(profile).stats
    return {key: figures for key, figures in stats.items() if "_lsprof" not in key[2]}


def measured(function, filename=None, **options):
    engine = FunctionEngine(filename, **options)
    engine.start()
    try:
        function()
    finally:
        engine.stop()
    return engine


def by_name(engine):
    return {record.function: record for record in engine.functions()}


def busy_thread(function):
    """A thread that calls `function` until `stop()`, and has begun."""
    over, begun = threading.Event(), threading.Event()

    def work():
        while not over.is_set():
            function()
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()

    def stop():
        over.set()
        thread.join()

    return stop


@pytest.mark.parametrize("function", [recursion, generators, exceptions, coroutines, libraries])
def test_counts_and_callers_equal_those_of_cprofile(function):
    function()  # caches of the libraries are filled
    gc.collect()  # asyncio looks at every task that there is, also those that earlier tests left
    expected = from_cprofile(function)
    engine = measured(function)
    found = {record.key: record for record in engine.functions()}
    assert {key: (record.ncalls, record.pcalls) for key, record in found.items()} == {
        key: (ncalls, pcalls) for key, (pcalls, ncalls, *_) in expected.items()
    }
    for key, (*_, callers) in expected.items():
        counts = {caller.caller: (caller.ncalls, caller.pcalls) for caller in found[key].callers}
        assert counts == {caller: share[:2] for caller, share in callers.items()}


def test_builtins_count_on_their_caller_when_they_are_left_out():
    def naps():
        time.sleep(0.02)

    engine = measured(naps, builtins=False)
    assert [record.function for record in engine.functions()] == ["naps"]
    assert by_name(engine)["naps"].tottime >= 0.02


def test_times_are_those_of_the_clock():
    def outer():
        time.sleep(0.03)
        inner()

    def inner():
        time.sleep(0.05)

    start = time.perf_counter()
    found = by_name(measured(outer))
    assert 0.08 <= found["outer"].cumtime <= time.perf_counter() - start
    assert 0.05 <= found["inner"].cumtime < found["outer"].cumtime - 0.02
    assert found["outer"].tottime < found["outer"].cumtime - 0.08  # it slept, but that is not its own
    assert found["<built-in method time.sleep>"].ncalls == 2


def test_own_times_add_up_to_what_the_outermost_function_took():
    engine = measured(libraries)
    own = sum(record.tottime for record in engine.functions())
    assert own == pytest.approx(by_name(engine)["libraries"].cumtime, rel=1e-6)


def test_a_run_that_calls_nothing_has_no_rows():
    engine = FunctionEngine()
    engine.start()
    engine.stop()
    assert engine.functions() == ()
    assert engine.statements() == ()
    assert engine.n_events == 0


def test_clocks_that_the_package_reads_itself_are_not_counted():
    with cprofile() as profile:
        time.time()
        sorted([2, 1])
    found = {record.function: record.ncalls for record in profile.functions}
    assert found == {"<built-in method time.time>": 1, "<built-in method builtins.sorted>": 1}


def test_stopping_twice_or_without_a_start_does_nothing():
    engine = FunctionEngine()
    engine.stop()
    engine.start()
    fib(3)
    engine.stop()
    engine.stop()
    assert by_name(engine)["fib"].ncalls == 5


def test_every_run_starts_afresh():
    for _ in range(3):
        assert by_name(measured(lambda: fib(8)))["fib"].ncalls == 67


def test_calls_that_have_not_ended_are_counted_as_cprofile_counts_them():
    engine = FunctionEngine()

    def outer():
        inner()

    def inner():
        time.sleep(0.01)
        engine.stop()

    engine.start()
    outer()
    found = by_name(engine)
    assert found["inner"].cumtime >= 0.01
    assert found["outer"].ncalls == 1


# threads


def background():
    return sum(range(2000))


def sleep_in_the_foreground():
    time.sleep(0.1)


def test_a_busy_background_thread_is_invisible():
    stop = busy_thread(background)
    try:
        engine = measured(sleep_in_the_foreground)
    finally:
        stop()
    found = by_name(engine)
    assert set(found) == {"sleep_in_the_foreground", "<built-in method time.sleep>"}
    assert all(record.ncalls == 1 for record in found.values())
    assert found["<built-in method time.sleep>"].cumtime >= 0.1
    assert found["sleep_in_the_foreground"].tottime < 0.05


def test_calls_that_a_background_thread_makes_of_the_same_functions_are_not_counted():
    stop = busy_thread(lambda: fib(6))
    try:
        engine = measured(lambda: [fib(10), time.sleep(0.02), fib(10)])
    finally:
        stop()
    found = by_name(engine)
    assert (found["fib"].ncalls, found["fib"].pcalls) == (354, 2)
    assert "work" not in found


def test_threads_that_the_block_starts_are_left_out_and_counted():
    def block():
        threads = [threading.Thread(target=lambda: [fib(6) for _ in range(50)]) for _ in range(2)]
        fib(10)
        for thread in threads:
            thread.start()
        fib(10)
        for thread in threads:
            thread.join()
        fib(10)

    engine = measured(block)
    assert by_name(engine)["fib"].ncalls == 3 * 177
    assert engine.n_threads_left_out == 2
    assert any("2 threads started here left out" in note for note in engine.notes())


def test_exceptions_in_other_threads_do_not_disturb_the_stack():
    def fails():
        with pytest.raises(ValueError):
            fail_at(3)

    stop = busy_thread(fails)
    try:
        engine = measured(lambda: [exceptions(), time.sleep(0.02), exceptions()])
    finally:
        stop()
    assert by_name(engine)["fail_at"].ncalls == 2 * by_name(measured(exceptions))["fail_at"].ncalls


@needs_scoped
def test_of_what_threads_of_the_shell_run_only_this_threads_calls_count():
    over, begun, paused = threading.Event(), threading.Event(), threading.Event()

    def work():
        begun.set()
        paused.wait()
        json.dumps({"of": "the shell"}, indent=1)
        over.set()

    thread = threading.Thread(target=work, name="IOPub")
    thread.start()
    begun.wait()
    profiler = ScopedProfiler()
    profiler.start()
    fib(5)
    json.dumps([1], indent=1)
    paused.set()
    over.wait()
    fib(5)
    json.dumps([1], indent=1)
    profiler.stop()
    thread.join()
    counts = {getattr(entry.code, "co_name", entry.code): entry.callcount for entry in profiler.getstats()}
    assert not profiler.is_checked(json.dumps.__code__)
    assert (counts["fib"], counts["dumps"], counts["encode"]) == (30, 2, 2)


@needs_scoped
def test_functions_that_a_thread_of_the_shell_runs_too_count_only_here():
    paused, over = threading.Event(), threading.Event()

    def work():
        paused.wait()
        textwrap.dedent("  as the shell does")
        textwrap.shorten("as the shell does", 10)
        over.set()

    thread = threading.Thread(target=work, name="IOPub")
    thread.start()
    engine = FunctionEngine()
    engine.start()
    textwrap.shorten("as the user does", 10)
    paused.set()
    over.wait()
    engine.stop()
    thread.join()
    assert by_name(engine)["shorten"].ncalls == 1
    assert by_name(engine)["_split"].ncalls == 1
    assert "dedent" not in by_name(engine)


def everyday():
    fib(5)
    textwrap.fill("a b c " * 10, 10)
    json.dumps([1, {"a": 2}], indent=1)
    sorted([3, 1, 2], key=lambda n: -n)


@pytest.fixture
def hurried_threads():
    """They take turns after every few calls."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("delay", [0.0005, 0.001, 0.002, 0.004])
def test_a_thread_that_begins_in_the_middle_and_runs_the_same_code_changes_no_count(hurried_threads, delay):
    def work():
        while not over.is_set():
            everyday()

    def block():
        for _ in range(100):
            everyday()

    block()  # caches of the libraries are filled
    over = threading.Event()
    expected = {key: found.ncalls for key, found in by_name(measured(block)).items()}
    thread = threading.Timer(delay, work)
    engine = FunctionEngine()
    thread.start()
    try:
        engine.start()
        block()
        engine.stop()
    finally:
        over.set()
        thread.join()
    assert {key: found.ncalls for key, found in by_name(engine).items()} == expected


@needs_scoped
def test_without_other_threads_nothing_is_checked():
    profiler = ScopedProfiler()
    profiler.start()
    fib(5)
    profiler.stop()
    assert not profiler.is_checked(fib.__code__)


@needs_scoped
def test_our_own_code_is_listened_to_once():
    profiler, heard = ScopedProfiler(), []
    begin = profiler._begin
    profiler._begin = lambda code, *event: heard.append(code) or begin(code, *event)
    profiler.start()
    for _ in range(10):
        label_of("a.py")
    profiler.stop()
    assert heard.count(label_of.__code__) == 1


# beside other tools


@needs_scoped
def test_it_works_inside_a_running_cprofile_and_both_count_the_same():
    other = cProfile.Profile()
    other.enable()
    engine = measured(lambda: fib(10))
    other.disable()
    counts = {key[2]: figures[1] for key, figures in pstats.Stats(other).stats.items()}
    assert by_name(engine)["fib"].ncalls == counts["fib"] == 177


@needs_scoped
def test_cprofile_works_inside_it():
    inner = {}

    def block():
        inner.update(from_cprofile(lambda: fib(10)))
        fib(3)

    engine = measured(block)
    assert next(figures[1] for key, figures in inner.items() if key[2] == "fib") == 177
    assert by_name(engine)["fib"].ncalls == 177 + 5


@needs_scoped
def test_two_of_them_count_the_same():
    outer, inner = FunctionEngine(), FunctionEngine()
    outer.start()
    inner.start()
    fib(10)
    inner.stop()
    fib(3)
    outer.stop()
    assert by_name(inner)["fib"].ncalls == 177
    assert by_name(outer)["fib"].ncalls == 182


@needs_scoped
def test_when_only_one_tool_id_is_free_nothing_is_taken():
    taken = [tool_slots.claim_tool(f"tool {n}") for n in range(5)]
    try:
        with pytest.raises(EngineBusyError, match="tool 0"):
            FunctionEngine().start()
        assert len(tool_slots.tool_holders()) == 5
    finally:
        for tool_id in taken:
            tool_slots.release_tool(tool_id)


@needs_scoped
def test_no_event_is_left_on_the_code_that_ran():
    measured(lambda: fib(5))
    tool_id = tool_slots.claim_tool("look")
    try:
        for other in range(3, 5):
            if sys.monitoring.get_tool(other) is not None:
                assert sys.monitoring.get_local_events(other, fib.__code__) == 0
    finally:
        tool_slots.release_tool(tool_id)


def test_a_running_cprofile_is_named_where_there_is_one_place():
    other = cProfile.Profile()
    other.enable()
    try:
        with pytest.raises(EngineBusyError, match="cProfile is profiling already"):
            PlainProfiler().start()
    finally:
        other.disable()


def of_builtin(items):
    """A bound method of a function written in C, as pybind11 makes them."""
    return types.MethodType(len, items)


def lengths():
    counted = of_builtin([1, 2])
    for _ in range(5):
        counted()
    counted(*[])
    length(counted)
    assert len([]) == 0


def length(counted):
    try:
        counted(more=1)
    except TypeError:
        return counted()


def apply(function):
    return function()


def test_methods_of_builtins_end_their_own_calls_and_no_others():
    engine = measured(lambda: [lengths() for _ in range(3)])
    found = by_name(engine)
    assert {name: found[name].ncalls for name in ("lengths", "length", "of_builtin")} == {
        "lengths": 3,
        "length": 3,
        "of_builtin": 3,
    }
    # 5, one that fails, one in `length`, and `len` itself; before 3.12 a call with `*` is told of as well
    assert found["<built-in method builtins.len>"].ncalls in (3 * 8, 3 * 9)
    assert {caller.caller[2] for caller in found["<built-in method builtins.len>"].callers} == {"lengths", "length"}
    assert found["<built-in method builtins.len>"].pcalls == found["<built-in method builtins.len>"].ncalls


def test_matplotlibs_fonts_which_pybind11_made_hide_nobody():
    ft2font = pytest.importorskip("matplotlib.ft2font")
    path = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"

    def tables():
        font = ft2font.FT2Font(str(path))
        return font.get_sfnt(), font.get_sfnt()

    found = by_name(measured(lambda: tables()))
    assert found["tables"].ncalls == 1
    ((name, record),) = [item for item in found.items() if "get_sfnt" in item[0]]
    assert record.ncalls == 2, name


class Sketch:
    """Has the methods of a canvas, and does nothing: figures are laid out on it."""

    def measure(self):
        pass


class Canvas:
    """Draws with a method that C has made."""

    def __init__(self):
        self.measure = of_builtin([1])


def drawn_on(canvas):
    return canvas.measure()


@pytest.mark.parametrize("sketched", [Sketch().measure, lambda: None, functools.partial(int)])
def test_a_method_of_a_builtin_may_come_where_a_stand_in_was_called(monkeypatch, sketched):
    monkeypatch.setattr(CallPlaces._stand_ins, "_names", frozenset({"measure"}))
    sketch, canvas = types.SimpleNamespace(measure=sketched), Canvas()

    def block():
        for each in [sketch] * 20 + [canvas] * 3 + [sketch] * 2 + [canvas]:
            drawn_on(each)

    found = by_name(measured(lambda: block()))
    assert (found["block"].ncalls, found["drawn_on"].ncalls) == (1, 26)
    assert found["<built-in method builtins.len>"].ncalls == 4


def test_matplotlibs_figures_which_are_laid_out_before_they_are_drawn_hide_nobody():
    code = """
        import io, matplotlib
        matplotlib.use("agg")
        from jupyter_profkit import cprofile
        def figure_of_mine(n):
            import matplotlib.pyplot as plt
            figure, axes = plt.subplots()
            axes.plot([1, 2])
            figure.savefig(io.BytesIO(), bbox_inches="tight")
            return n
        with cprofile(no_flame=True) as p:
            total = sum(figure_of_mine(n) for n in range(2))
        counts = {each.function: each.ncalls for each in p.functions}
        print(counts["figure_of_mine"], "lost track" in p._repr_mimebundle_()["text/plain"])
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["2", "False"]


@needs_scoped
def test_where_cprofile_loses_track_it_is_said_and_the_next_run_is_right(monkeypatch):
    monkeypatch.setattr(CallPlaces, "_hears_all", False)

    def block():
        with cprofile(no_flame=True) as profile:
            for function in (dict, of_builtin([1]), list):  # at one place: the first is nothing to look closer at
                apply(function)
        return profile

    first, second = block(), block()
    assert "lost track" in repr_text(first)
    assert "lost track" not in repr_text(second)
    assert {record.function: record.ncalls for record in second.functions}["apply"] == 3
    assert sum("len" in record.function for record in second.functions) == 1


def repr_text(profile):
    return " ".join(profile._repr_mimebundle_()["text/plain"].split())


def test_the_fallback_counts_too_and_says_what_it_cannot_do():
    engine = measured(lambda: fib(10), scoped=False)
    assert by_name(engine)["fib"].ncalls == 177
    assert engine.hears_one_thread is (sys.version_info < (3, 12))
    assert bool(list(engine.notes())) is not engine.hears_one_thread


def test_a_profiler_that_took_the_place_is_told():
    engine = FunctionEngine(scoped=False)
    engine.start()
    fib(3)
    sys.setprofile(None) if sys.version_info < (3, 12) else engine._profiler._profile.disable()
    fib(3)
    engine.stop()
    assert by_name(engine)["fib"].ncalls == 5
    assert any("ended the recording early" in note for note in engine.notes())


# a cell


class Shell:
    """As IPython runs a cell: each statement compiled by itself, machinery in between."""

    def __init__(self, source: str, filename: str = "/tmp/ipykernel_1/42.py") -> None:
        self.filename = filename
        lines = source.splitlines(keepends=True)
        linecache.cache[filename] = (len(source), None, lines, filename)
        self.namespace = {"__name__": "__main__"}
        self.steps = [self._compile(statement) for statement in _ast(source).body]
        # Machinery is library code: the machinery of these tests has to look like it.
        exec(compile(_MACHINERY, json.__file__, "exec"), self.namespace)

    def _compile(self, statement):
        return compile(_module(statement), self.filename, "exec")

    def run(self, engine):
        engine.start()
        try:
            self.namespace["run_cell"](self.steps, self.namespace)
        finally:
            engine.stop()
        return engine


_MACHINERY = """
import json as _json

def between(n):
    return _json.dumps([n])

def run_cell(steps, namespace):
    for step in steps:
        between(1)
        exec(step, namespace)
        between(2)
"""


def _ast(source):
    import ast

    return ast.parse(source)


def _module(statement):
    import ast

    return ast.Module([statement], [])


CELL = """\
import json

def work(n):
    return [json.dumps(k) for k in range(n)]

values = work(3)
more = work(
    2
)
len(more)
"""


@pytest.fixture
def cell():
    shell = Shell(CELL)
    yield shell
    linecache.cache.pop(shell.filename)


def test_each_statement_has_its_line_source_and_calls(cell):
    engine = cell.run(FunctionEngine(cell.filename))
    rows = [(record.lineno, record.end_lineno, record.source) for record in engine.statements()]
    assert rows == [
        (1, 1, "import json"),
        (3, 3, "def work(n):"),
        (6, 6, "values = work(3)"),
        (7, 8, "more = work("),
        (10, 10, "len(more)"),
    ]
    calls = {record.lineno: record.calls for record in engine.statements()}
    assert (calls[3], calls[6], calls[7], calls[10]) == (0, 1, 1, 1)


@needs_scoped
def test_statements_and_functions_account_for_the_same_time(cell):
    engine = cell.run(FunctionEngine(cell.filename))
    statements = sum(record.time for record in engine.statements())
    assert sum(record.tottime for record in engine.functions()) == pytest.approx(statements, rel=1e-6)


def test_what_functions_call_that_the_machinery_uses_too_is_divided_as_their_calls_are(cell):
    found = by_name(cell.run(FunctionEngine(cell.filename)))
    assert found["dumps"].ncalls == found["encode"].ncalls == found["iterencode"].ncalls == 5
    assert [(caller.caller[2], caller.ncalls) for caller in found["encode"].callers] == [("dumps", 5)]


def test_it_is_said_where_calls_had_to_be_divided(cell):
    engine = cell.run(FunctionEngine(cell.filename))
    assert ("is divided" in engine.description) == (not engine.is_scoped)


def test_a_cell_is_called_once_however_many_statements_it_has(cell):
    module = by_name(cell.run(FunctionEngine(cell.filename)))["<module>"]
    assert (module.ncalls, module.pcalls, module.callers) == (1, 1, ())


def test_what_the_machinery_had_called_already_is_not_recursive_when_the_cell_calls_it():
    shell = Shell("exec('len(())')\nexec('exec(\"len(())\")')\n", "/tmp/ipykernel_1/46.py")
    found = by_name(shell.run(FunctionEngine(shell.filename)))
    linecache.cache.pop(shell.filename)
    assert found["<built-in method builtins.len>"].ncalls == 2
    assert found["<built-in method builtins.exec>"].ncalls == 3
    assert found["<built-in method builtins.exec>"].pcalls >= 2


@needs_scoped
def test_what_the_cell_makes_the_shell_do_is_the_cells():
    shell = Shell("sorted([1, 2], key=magic)\n", "/tmp/ipykernel_1/47.py")
    exec(compile("def magic(n):\n    return between(n)\n", IPython.core.magic.__file__, "exec"), shell.namespace)
    found = by_name(shell.run(FunctionEngine(shell.filename)))
    linecache.cache.pop(shell.filename)
    assert found["magic"].ncalls == found["between"].ncalls == found["dumps"].ncalls == 2


def test_machinery_around_the_cell_is_left_out_and_so_are_its_calls_of_shared_functions(cell):
    found = by_name(cell.run(FunctionEngine(cell.filename)))
    assert not {"run_cell", "between", "<built-in method builtins.exec>"} & set(found)
    assert found["dumps"].ncalls == 5
    assert found["work"].ncalls == 2
    assert found["work"].is_user
    assert not found["dumps"].is_user


def test_no_caller_is_named_that_is_not_in_the_table(cell):
    engine = cell.run(FunctionEngine(cell.filename))
    keys = {record.key for record in engine.functions()}
    assert all(caller.caller in keys for record in engine.functions() for caller in record.callers)


def test_a_statement_of_ours_on_top_of_the_cell_is_no_row():
    prologue = "__import__('jupyter_profkit.cells.prologue', fromlist=('begin',))\n"
    shell = Shell(f"{prologue}len('x')\n", "/tmp/ipykernel_1/43.py")
    engine = shell.run(FunctionEngine(shell.filename))
    linecache.cache.pop(shell.filename)
    assert [record.lineno for record in engine.statements()] == [2]
    assert set(by_name(engine)) == {"<module>", "<built-in method builtins.len>"}


def test_a_statement_that_leaves_nothing_to_run_is_no_row():
    shell = Shell("global found\nfound = len('x')\n", "/tmp/ipykernel_1/48.py")
    engine = shell.run(FunctionEngine(shell.filename))
    linecache.cache.pop(shell.filename)
    assert [record.lineno for record in engine.statements()] == [2]


def test_a_cell_that_fails_has_its_statements_up_to_there():
    shell = Shell("a = len('x')\nint('x')\nb = 1\n", "/tmp/ipykernel_1/44.py")
    engine = FunctionEngine(shell.filename)
    with pytest.raises(ValueError):
        shell.run(engine)
    linecache.cache.pop(shell.filename)
    assert [record.lineno for record in engine.statements()] == [1, 2]


def test_tasks_on_the_event_loop_count_when_they_are_the_users_and_the_loop_does_not():
    async def kernel():
        engine = FunctionEngine("/tmp/ipykernel_1/45.py")
        engine.start()
        await asyncio.gather(twice(1), twice(2))
        engine.stop()
        return engine

    found = by_name(asyncio.run(kernel()))
    assert found["twice"].is_user
    assert not {"_run_once", "select", "_run"} & set(found)


def test_recording_is_not_much_dearer_than_cprofile():
    """The estimate is measured on the spot; it has the size of a cProfile call, not of a Python callback."""
    engine = measured(lambda: fib(12))
    per_call = engine.overhead() / (engine.n_events / 2)
    assert 0 <= per_call < 2e-6


SCRIPT = "from tests.engines.test_functions import fib, measured, by_name; print(by_name(measured(lambda: fib(10)))['fib'].ncalls)"


@pytest.mark.process
def test_it_works_in_a_fresh_process():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("177\n", "")


def test_a_builtin_is_no_user_code():
    found = by_name(measured(lambda: builtins.len(())))
    assert not found["<built-in method builtins.len>"].is_user


@needs_scoped
def test_events_are_filtered_only_while_a_thread_of_the_shell_is_awake():
    paused, called, over = threading.Event(), threading.Event(), threading.Event()

    def work():
        paused.wait()
        json.dumps({"of": "the shell"}, indent=1)
        called.set()
        over.wait()

    thread = threading.Thread(target=work, name="IOPub")
    thread.start()
    profiler = ScopedProfiler()
    profiler._others._n_until_look = 1_000_000  # not yet
    filtered = []
    profiler.start()
    try:
        json.dumps([1], indent=1)
        filtered.append(profiler._recorder_callbacks is profiler._filters.callbacks)
        paused.set()
        called.wait()
        filtered.append(profiler._recorder_callbacks is profiler._filters.callbacks)
        profiler._others._n_until_look = profiler._others._n_between_looks = 20
        while profiler._others.is_shell_awake:  # until the thread sleeps, and somebody looks
            json.dumps([1], indent=1)
        filtered.append(profiler._recorder_callbacks is profiler._filters.callbacks)
        for _ in range(50):
            json.dumps([1], indent=1)
    finally:
        profiler.stop()
        over.set()
        thread.join()
    counts = {getattr(entry.code, "co_name", entry.code): entry.callcount for entry in profiler.getstats()}
    assert filtered == [False, True, False]
    assert counts["dumps"] == counts["encode"] >= 51


@needs_scoped
def test_code_that_runs_beside_the_cell_is_soon_no_longer_listened_to_and_counts_once_the_cell_calls_it(cell):
    engine = FunctionEngine(cell.filename)
    engine.start()
    for _ in range(500):
        cell.namespace["between"](0)
    strange = dict(engine._profiler._strange_calls)
    cell.namespace["run_cell"](
        [*cell.steps, compile("between(1)", cell.filename, "exec")], cell.namespace | {"fib": fib}
    )
    engine.stop()
    counts = {record.function: record.ncalls for record in engine.functions()}
    assert max(strange.values()) <= scoped_profiler._STRANGE_CALLS + 1
    assert counts["between"] == 1
    assert counts["dumps"] == 6


def test_a_profile_function_that_the_code_sets_is_still_there_afterwards():
    def hook(*_: object) -> None:
        """The code's own."""

    engine = FunctionEngine()
    engine.start()
    sys.setprofile(hook)
    try:
        engine.stop()
        assert sys.getprofile() is hook
    finally:
        sys.setprofile(None)


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="from Python 3.12 a second cProfile is refused by Python itself"
)
def test_a_cprofile_that_the_code_enables_goes_on_afterwards():
    theirs = cProfile.Profile()
    engine = FunctionEngine()
    engine.start()
    theirs.enable()
    try:
        engine.stop()
        json.dumps([1])
    finally:
        theirs.disable()
    assert any(getattr(entry.code, "co_name", "") == "dumps" for entry in theirs.getstats())
