"""What memory by line costs, beside other memory profilers, on the same work in the same run.

python tests/benchmarks/line_memory.py                    all of it, about four minutes
python tests/benchmarks/line_memory.py 5                  the best of 5 rounds instead of 3
SCALENE_PYTHON=/path/to/python python tests/benchmarks/…  with scalene, from an environment that has it

Every figure is a ratio: the time under a profiler over the bare time of the same
function, each the best of some rounds that take turns. On a shared machine trust
the order of the rows more than their digits.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import memory_profiler

from jupyter_profkit import memprofile
from jupyter_profkit.errors import ProfkitError
from tests.benchmarks import memory_work
from tests.benchmarks.memory_work import WORK, calls_of_a_library, library_code, loop, seconds

SCRIPT = Path(memory_work.__file__).resolve()
N_TURNS = 100_000
N_TURNS_OF_MEMORY_PROFILER = 10_000
N_HOT = 10_000_000


@contextmanager
def memrays_tracker() -> Iterator[None]:
    import memray

    with tempfile.TemporaryDirectory() as folder, memray.Tracker(str(Path(folder) / "records.bin")):
        yield


@contextmanager
def tracing_allocations() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


PROFILERS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "memprofile": memprofile,
    "memprofile --no-heap": lambda: memprofile(no_heap=True),
    "memprofile --no-lines": lambda: memprofile(no_lines=True),
    "tracemalloc": tracing_allocations,
}
if sys.version_info[:2] != (3, 12):  # where memray may crash as it stops
    PROFILERS["memray.Tracker"] = memrays_tracker


def seconds_under_memory_profiler(work: Callable[..., object], *args: object) -> float:
    wrapped = memory_profiler.LineProfiler(backend="psutil")(work)
    start = time.perf_counter()
    wrapped(*args)
    return time.perf_counter() - start


def scalenes_python() -> str | None:
    """An interpreter that has scalene."""
    found = os.environ.get("SCALENE_PYTHON")
    return found or (sys.executable if importlib.util.find_spec("scalene") else None)


def seconds_in_a_script(name: str, command: list[str]) -> float:
    """The time of one piece of work in a process of its own, as it says itself."""
    done = subprocess.run([*command, str(SCRIPT), name], capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    return float(line.split()[1])


def scalenes_ratio(name: str, n_rounds: int) -> float | None:
    python = scalenes_python()
    if python is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        under = [python, "-m", "scalene", "run", "--outfile", str(Path(folder) / "profile.json")]
        rounds = [(seconds_in_a_script(name, [python]), seconds_in_a_script(name, under)) for _ in range(n_rounds)]
    bare, profiled = (min(times) for times in zip(*rounds, strict=True))
    return profiled / bare


def print_cost_of_a_line(n_rounds: int) -> None:
    bare, ours, theirs = [], [], []
    for _ in range(n_rounds):
        bare.append(seconds(lambda: loop(N_TURNS)))
        ours.append(seconds(lambda: loop(N_TURNS), lambda: memprofile(no_heap=True, exact=True)))
        theirs.append(seconds_under_memory_profiler(loop, N_TURNS_OF_MEMORY_PROFILER))
    n_events = 2 * N_TURNS
    our_line = (min(ours) - min(bare)) / n_events
    their_line = (min(theirs) - min(bare) * N_TURNS_OF_MEMORY_PROFILER / N_TURNS) / (2 * N_TURNS_OF_MEMORY_PROFILER)
    print(f"\nOne line, with its exact peak: {1e6 * our_line:.2f} µs;")
    print(f"memory_profiler, without a peak: {1e6 * their_line:.1f} µs, {their_line / our_line:.1f} times as much.")


def ratio_of_lines(work: Callable[[], object], n_rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """How much longer `work` takes while lines are followed."""
    lines = PROFILERS["memprofile --no-heap"]
    rounds = [(seconds(work, clock=clock), seconds(work, lines, clock)) for _ in range(n_rounds)]
    bare, ours = (min(times) for times in zip(*rounds, strict=True))
    return ours / bare


def print_hot_loop(n_rounds: int) -> None:
    ratio = ratio_of_lines(lambda: loop(N_HOT), n_rounds)
    print(f"A loop of {N_HOT:,} turns, its lines sampled when hot: {ratio:.2f} times its bare time.")


def print_code_outside(n_rounds: int) -> None:
    """By the thread's own CPU time: a few per cent are less than what others do to a clock on the wall."""
    often, much = (ratio_of_lines(work, 5 * n_rounds, time.thread_time) for work in (calls_of_a_library, library_code))
    print("Code outside the followed functions, while lines are followed, in CPU time:")
    print(f"one function of a library, 500,000 calls, {often:.2f} times; the column library code {much:.2f} times.")


def print_slowdowns(n_rounds: int) -> None:
    print(f"\n| times as long as bare | {' | '.join(WORK)} |")
    print(f"|---|{'---|' * len(WORK)}")
    bare = {title: min(seconds(work) for _ in range(n_rounds + 1)) for title, work in WORK.items()}
    for name, profiler in PROFILERS.items():
        print_row(name, [slowdown(profiler, title, bare, n_rounds) for title in WORK])
    print_row("memory_profiler", [slowdown_of_memory_profiler(title) for title in WORK])
    print_row("scalene", [scalenes_ratio(title, n_rounds) for title in WORK])
    print("(-: not installed, not safe on this Python, or minutes)")


def slowdown(
    profiler: Callable[[], AbstractContextManager[object]], title: str, bare: dict[str, float], n_rounds: int
) -> float | None:
    try:
        rounds = [(seconds(WORK[title], profiler), seconds(WORK[title])) for _ in range(n_rounds)]
    except ProfkitError:  # no memray here
        return None
    bare[title] = min(bare[title], *(again for _, again in rounds))
    return min(profiled for profiled, _ in rounds) / bare[title]


def print_row(name: str, ratios: list[float | None]) -> None:
    cells = ["-" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}" for ratio in ratios]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def slowdown_of_memory_profiler(title: str) -> float | None:
    """It follows the one function that it is given, at a cost that is in proportion to its lines."""
    if title == "pure loop":
        return seconds_under_memory_profiler(loop, 20_000) / seconds(lambda: loop(20_000))
    if title in {"small objects", "small arrays"}:
        return None
    return seconds_under_memory_profiler(WORK[title]) / seconds(WORK[title])


def main() -> None:
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores; best of {n_rounds} rounds")
    print_cost_of_a_line(n_rounds)
    print_hot_loop(n_rounds)
    print_code_outside(n_rounds)
    print_slowdowns(n_rounds)


if __name__ == "__main__":
    main()
