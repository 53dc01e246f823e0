"""What profiling time costs, beside other profilers on the same work, and how true the flame graph is.

python tests/benchmarks/time.py                 the best of 7 rounds
python tests/benchmarks/time.py 20              of 20

Each round runs all work under all tools in turn, so that they share what else the
machine does. What is timed is the work alone, not a tool's start, end or report.
Tools that are not installed are named and left out:

    pip install pyinstrument viztracer line_profiler
"""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parents[2])  # this folder's time.py must not be found as the module

from jupyter_profkit.api import cprofile  # noqa: E402
from jupyter_profkit.engines.functions import FunctionEngine  # noqa: E402
from jupyter_profkit.engines.scoped_profiler import ScopedProfiler  # noqa: E402
from jupyter_profkit.engines.stacks import StackSampler  # noqa: E402

Work = Callable[[], object]
Tool = Callable[[Work], contextlib.AbstractContextManager[object]]

# work


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def calls() -> int:
    """57,313 calls of one small function."""
    return fib(22)


def library() -> int:
    """Library functions and builtins, some 50 calls for each record."""
    texts = [json.dumps({"id": n, "tags": ["a", "b"], "price": n / 7}, indent=1) for n in range(1500)]
    return sum(len(json.loads(text)) for text in texts)


def builtins_() -> int:
    """C functions, called from a loop."""
    found = 0
    for n in range(60_000):
        found += len(str(n)) + abs(-n) % 3
    return found


def loop() -> int:
    """Two million steps without a call."""
    total = 0
    for n in range(2_000_000):
        total += n & 3
    return total


async def page(n: int) -> int:
    await asyncio.sleep(0)
    return len(str(n))


async def pages(n: int) -> int:
    return sum([await page(k) if k % 4 else len(str(k)) for k in range(n)])


async def crawl() -> int:
    return sum(await asyncio.gather(*(pages(100) for _ in range(50))))


def awaiting() -> int:
    """3,750 awaits, each of which waits for the event loop once, in 50 tasks.

    On Python 3.11 the coroutines of ours have figures only if the code around the work names asyncio.
    """
    return asyncio.run(crawl())


WORK: dict[str, Work] = {
    "recursion": calls,
    "library": library,
    "builtins": builtins_,
    "loop": loop,
    "awaiting": awaiting,
}

# tools: each a context in which the work is timed


@contextlib.contextmanager
def bare(_: Work) -> Iterator[None]:
    yield


@contextlib.contextmanager
def plain_cprofile(_: Work) -> Iterator[None]:
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()


@contextlib.contextmanager
def counts_only(_: Work) -> Iterator[None]:
    engine = FunctionEngine()
    engine.start()
    try:
        yield
    finally:
        engine.stop()


@contextlib.contextmanager
def counts_and_stacks(_: Work) -> Iterator[None]:
    with cprofile():
        yield


def beside_thread(name: str) -> Tool:
    """Counts and stacks while another thread is there: one of a kernel's, or one that stands in the reader's code."""

    @contextlib.contextmanager
    def run(work: Work) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=wait_for, args=(over,), name=name)
        thread.start()
        try:
            with counts_and_stacks(work):
                yield
        finally:
            over.set()
            thread.join()

    return run


def wait_for(over: threading.Event) -> None:
    over.wait()


@contextlib.contextmanager
def pyinstrument(_: Work) -> Iterator[None]:
    from pyinstrument import Profiler

    profiler = Profiler(interval=0.001)
    profiler.start()
    try:
        yield
    finally:
        profiler.stop()


@contextlib.contextmanager
def viztracer(_: Work) -> Iterator[None]:
    from viztracer import VizTracer

    tracer = VizTracer(verbose=0)
    tracer.start()
    try:
        yield
    finally:
        tracer.stop()
        tracer.clear()


@contextlib.contextmanager
def line_profiler(work: Work) -> Iterator[None]:
    from line_profiler import LineProfiler

    profiler = LineProfiler(fib, work)
    profiler.enable_by_count()
    try:
        yield
    finally:
        profiler.disable_by_count()


TOOLS: dict[str, Tool] = {
    "nothing": bare,
    "cProfile": plain_cprofile,
    "jupyter_profkit, --no-flame": counts_only,
    "jupyter_profkit": counts_and_stacks,
    "jupyter_profkit, in a kernel": beside_thread("IOPub"),
    "jupyter_profkit, own thread": beside_thread("mine"),
    "pyinstrument, 1 ms": pyinstrument,
    "viztracer": viztracer,
    "line_profiler, own functions": line_profiler,
}


def seconds(tool: Tool, work: Work) -> float:
    with tool(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def prun_seconds(work: Work) -> float:
    """``%prun`` of IPython, as the work itself sees it."""
    took: list[float] = []

    def timed() -> None:
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)

    shell = _shell()
    shell.user_ns["timed"] = timed
    with contextlib.redirect_stdout(io.StringIO()):
        shell.run_line_magic("prun", "-q -r timed()")
    return took[0]


def _shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    return InteractiveShell.instance()


def measured(n_rounds: int) -> dict[str, dict[str, float]]:
    """The least seconds of each work under each tool."""
    tools: dict[str, Callable[[Work], float]] = {
        name: (lambda work, tool=tool: seconds(tool, work)) for name, tool in TOOLS.items()
    }
    tools["%prun"] = prun_seconds
    best: dict[str, dict[str, float]] = {name: {} for name in tools}
    for _ in range(n_rounds):
        for label, work in WORK.items():
            for name, run in list(tools.items()):
                try:
                    took = run(work)
                except ImportError as error:
                    print(f"{name}: not installed ({error.name}), left out")
                    del tools[name], best[name]
                    continue
                best[name][label] = min(took, best[name].get(label, took))
    return best


# what is left out of the profile


def cost_of_excluded_code(n_rounds: int) -> float:
    """How much longer code takes that the profiled cell does not reach: seconds over seconds."""
    source = "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
    namespace: dict[str, Any] = {}
    exec(compile(source, json.__file__, "exec"), namespace)
    free = watched = float("inf")
    for _ in range(n_rounds):
        free = min(free, seconds(bare, lambda: namespace["fib"](24)))
        engine = FunctionEngine("a cell that does not run")
        engine.start()
        start = time.perf_counter()
        namespace["fib"](24)
        watched = min(watched, time.perf_counter() - start)
        engine.stop()
    return watched / free


# the flame graph


def spin(duration: float) -> None:
    end = time.perf_counter() + duration
    while time.perf_counter() < end:
        pass


def leaf_fast() -> None:
    spin(0.01)


def leaf_slow() -> None:
    spin(0.09)


def apply(function: Callable[[], None]) -> None:
    function()


def a() -> None:
    apply(leaf_fast)


def b() -> None:
    apply(leaf_slow)


def error_of_the_split(n_runs: int = 5) -> float:
    """Of two callers of one function, 10 % and 90 %: how far the flame graph is from the clock, share of the whole."""
    worst = 0.0
    for _ in range(n_runs):
        spent = {"a": 0.0, "b": 0.0}
        sampler = StackSampler()
        engine = FunctionEngine()
        sampler.start()
        engine.start()
        for _ in range(3):
            for function in (a, b):
                began = time.perf_counter()
                function()
                spent[function.__name__] += time.perf_counter() - began
        engine.stop()
        sampler.stop()
        tree = sampler.tree()
        assert tree is not None
        seen = {"a": 0.0, "b": 0.0}
        for path, weight in tree.stacks():
            for frame in path:
                if frame.function in seen:
                    seen[frame.function] += weight
        worst = max(worst, abs(seen["b"] / tree.total - spent["b"] / sum(spent.values())))
    return worst


# a report of many functions


def seconds_to_render(n_functions: int = 2000) -> tuple[float, int]:
    """Seconds and bytes of a report of so many functions, each of which called another."""
    source = "def f0(): pass\n" + "".join(f"def f{n}(): f{n // 2}()\n" for n in range(1, n_functions))
    namespace: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        exec(compile(source, str(Path(folder) / "many.py"), "exec"), namespace)
        with cprofile() as profile:
            for n in range(n_functions):
                namespace[f"f{n}"]()
    best, size = float("inf"), 0
    for _ in range(3):
        start = time.perf_counter()
        bundle = profile._repr_mimebundle_()
        best = min(best, time.perf_counter() - start)
        size = sum(len(form) for form in bundle.values())
    return best, size


def main() -> None:
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    best = measured(n_rounds)
    free, plain = best["nothing"], best["cProfile"]
    print(
        f"\nPython {sys.version.split()[0]}, {sys.platform}; best of {n_rounds}; times without, and over cProfile's\n"
    )
    print(f"{'':<30}" + "".join(f"{label:>20}" for label in WORK))
    print(f"{'nothing':<30}" + "".join(f"{1000 * free[label]:>17.1f} ms" for label in WORK))
    for name, took in best.items():
        if name != "nothing":
            cells = (f"{took[label] / free[label]:.2f}x ({took[label] / plain[label]:.2f})" for label in WORK)
            print(f"{name:<30}" + "".join(f"{cell:>20}" for cell in cells))
    print()
    if ScopedProfiler.is_available():
        print(f"code that the cell does not reach: {cost_of_excluded_code(n_rounds):.3f}x")
    print(f"flame graph, split of two callers: at worst {100 * error_of_the_split():.1f} % of the run from the clock")
    rendering, size = seconds_to_render()
    print(f"report of 2,000 functions: {1000 * rendering:.0f} ms, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
