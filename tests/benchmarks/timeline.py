"""What memory over time costs and catches, beside `mprof run` and a sampling thread, on the same scripts in one run.

python tests/benchmarks/timeline.py                 all of it, about three minutes
python tests/benchmarks/timeline.py 7               7 rounds instead of 3

* Caught: the peak that a recorder saw above the start, over the one that there was:
  of a C call that holds the interpreter's lock, and of a spike of some 5 ms in one.
* Times as long: a short loop of Python, run by turns while the recorder samples and
  while it is stopped by a signal, in the same process; the median of the ratios of
  neighbours, and in brackets the middle half of them. "No recorder" is the same with
  nobody to stop: how far the machine alone is from 1.
* CPU: what the recorder used for each second of a script that sleeps, taken from the
  difference of a long and a short run, so that no start counts; user and system of
  all of its processes. Of the helper process alone, too, and beside that of a bare
  loop in Python that sleeps and reads the size of a process: less there is not.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from jupyter_profkit.engines.helper import Helper
from jupyter_profkit.engines.timeline import TimelineEngine
from jupyter_profkit.export.mprof import read_mprof
from jupyter_profkit.model.session import Session
from jupyter_profkit.units import MIB

ROOT = Path(__file__).parents[2]

SCRIPT = """\
import os, signal, sys, threading, time

def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def sample(interval, seen, over):
    while not over.wait(interval):
        if not pause.is_set():
            seen.append(rss())

def long_call():
    return sum([1] * 20_000_000)

def spike():
    return len(b"x" * (40 << 20))

def loop():
    total = 0
    start = time.perf_counter()
    for n in range(500_000):
        total += n
    return time.perf_counter() - start

def stop_and_go():  # the time of a loop while the recorder samples, over that while it is stopped
    others = {os.getppid(), *recorder(os.getppid())} - {os.getpid()} if sys.argv[3] == "1" else set()
    def switch(on):
        pause.clear() if on else pause.set()
        for pid in others:
            os.kill(pid, signal.SIGCONT if on else signal.SIGSTOP)
        time.sleep(0.005)
        return loop()
    try:
        for turn in range(int(sys.argv[4])):
            both = {on: switch(on) for on in ((True, False) if turn % 2 else (False, True))}
            print("ratio", both[True] / both[False])
    finally:
        switch(True)

def recorder(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            yield from map(int, file.read().split())

def sleep():
    time.sleep(float(sys.argv[3]))

seen, over, pause = [rss()], threading.Event(), threading.Event()
thread = threading.Thread(target=sample, args=(float(sys.argv[2]), seen, over))
if float(sys.argv[2]):
    thread.start()
time.sleep(0.1)
print("base", rss())
globals()[sys.argv[1]]()
time.sleep(0.1)
over.set()
print("cpu", time.process_time())
print("seen", max(seen))
"""

TRUTH = {"long_call": 20_000_000 * 8, "spike": 40 * MIB}


@dataclass(frozen=True)
class Run:
    """One run of the script, and what the recorder saw of it."""

    said: dict[str, float]
    wall: float
    cpu: float
    """Seconds of all processes but the script's own."""
    peak: float
    """Bytes."""
    ratios: list[float]

    @property
    def rise(self) -> float:
        return self.peak - self.said["base"]


Recorder = Callable[[Path, Path], list[str]]
"""A command that records the script into a file."""


def with_us(interval: str) -> Recorder:
    options = ["-T", interval, "-q"]
    return lambda script, dat: [sys.executable, "-m", "jupyter_profkit", "run", *options, "-o", str(dat), str(script)]


def with_mprof(interval: str) -> Recorder:
    return lambda script, dat: [sys.executable, "-m", "mprof", "run", "-T", interval, "-o", str(dat), str(script)]


def without(script: Path, _: Path) -> list[str]:
    return [sys.executable, str(script)]


@dataclass(frozen=True)
class Tool:
    name: str
    command: Recorder
    thread: str = "0"
    """Seconds between the samples of a thread in the script; 0 for none."""


BARE = Tool("no recorder", without)


def tools() -> Iterator[Tool]:
    yield Tool("`%mprof_run`, every 5 ms", with_us("0.005"))
    yield Tool("`%mprof_run -T 0.001`", with_us("0.001"))
    if importlib.util.find_spec("mprof"):
        yield Tool("`mprof run`, every 100 ms", with_mprof("0.1"))
        yield Tool("`mprof run -T 0.001`", with_mprof("0.001"))
    yield Tool("a thread in the script, every 1 ms", without, thread="0.001")


def run(tool: Tool, work: str, folder: Path, *arguments: object) -> Run:
    script, dat = folder / "work.py", folder / "run.dat"
    dat.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [*tool.command(script, dat), work, tool.thread, *map(str, arguments)],
        capture_output=True, text=True, check=True, cwd=folder, env=environment,
    )  # fmt: skip
    wall, after = time.perf_counter() - start, os.times()
    printed = re.findall(r"^(\w+) ([\d.]+)$", done.stdout, re.MULTILINE)
    said = {key: float(value) for key, value in printed}
    used = after.children_user + after.children_system - before.children_user - before.children_system
    peak = float(read_mprof(dat).peak.rss) if dat.exists() else said["seen"]
    ratios = [float(value) for key, value in printed if key == "ratio"]
    return Run(said, wall, used - said["cpu"], peak, ratios)


def caught(tool: Tool, work: str, folder: Path, n_rounds: int) -> float:
    return statistics.median(run(tool, work, folder).rise for _ in range(n_rounds)) / TRUTH[work]


def slowdown(tool: Tool, folder: Path, n_rounds: int) -> str:
    has_recorder = int(tool.command is not without)
    ratios = [ratio for _ in range(n_rounds) for ratio in run(tool, "stop_and_go", folder, has_recorder, 40).ratios]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.2f}-{high:.2f})"


def cpu(tool: Tool, folder: Path, n_rounds: int) -> float:
    return statistics.median(cpu_once(tool, folder) for _ in range(n_rounds))


def cpu_once(tool: Tool, folder: Path) -> float:
    short, long = run(tool, "sleep", folder, 0.3), run(tool, "sleep", folder, 3.3)
    used = long.cpu - short.cpu
    if tool.thread != "0":  # what it uses is the script's
        used = long.said["cpu"] - short.said["cpu"]
    return used / (long.wall - short.wall)


BARE_LOOP = """\
import os, sys, time
statm = os.open(f"/proc/{os.getppid()}/statm", os.O_RDONLY)
due = time.monotonic()
last = due + float(sys.argv[2])
while due < last:
    os.pread(statm, 128, 0)
    due += float(sys.argv[1])
    time.sleep(max(0.0, due - time.monotonic()))
print(time.process_time())
"""


def helper_alone(interval: float, seconds: float) -> float:
    helper = Helper(os.getpid(), interval, high_water=True)
    time.sleep(seconds)
    return helper.stop().cpu or 0.0


def bare_loop(interval: float, seconds: float) -> float:
    command = [sys.executable, "-I", "-S", "-c", BARE_LOOP, str(interval), str(seconds)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def print_helper_alone(n_rounds: int) -> None:
    """Beside the bare loop, in turns."""
    for interval in (0.005, 0.001):
        shares = []
        for _ in range(2 * n_rounds):
            shares.append([(use(interval, 2.2) - use(interval, 0.2)) / 2 for use in (helper_alone, bare_loop)])
        helper, bare = (statistics.median(column) for column in zip(*shares, strict=True))
        ratio = statistics.median(each / floor for each, floor in shares)
        print(
            f"Every {1e3 * interval:g} ms the helper process alone uses {100 * helper:.1f} % of a core, "
            f"a bare loop {100 * bare:.1f} %: {ratio:.2f} times as much (median of {len(shares)} pairs)."
        )


def print_start(n_rounds: int) -> None:
    """From the magic's start until the first sample is about to be taken."""
    took = []
    for _ in range(5 * n_rounds):
        engine = TimelineEngine(interval=0.001)
        start = time.perf_counter()
        engine.start()
        took.append(time.perf_counter() - start)
        engine.stop()
        engine.timeline(Session("a start", 0.0, 0.0))
    print(f"From the magic's start to the first sample: {1e3 * statistics.median(took):.1f} ms in the median, ", end="")
    print(f"{1e3 * min(took):.1f} ms at best.")


def main() -> None:
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores; {n_rounds} rounds")
    print("\n| | long C call: caught | spike of 5 ms in C: caught | times as long | CPU |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work.py").write_text(SCRIPT)
        for tool in tools():
            seen = [f"{100 * caught(tool, work, folder, n_rounds):.0f} %" for work in TRUTH]
            figures = [*seen, slowdown(tool, folder, n_rounds), f"{100 * cpu(tool, folder, n_rounds):.1f} %"]
            print(f"| {tool.name} | {' | '.join(figures)} |", flush=True)
        print(f"| {BARE.name} | | | {slowdown(BARE, folder, n_rounds)} | |\n", flush=True)
    if not importlib.util.find_spec("mprof"):
        print("(mprof is not installed)")
    print_helper_alone(n_rounds)
    print_start(n_rounds)


if __name__ == "__main__":
    main()
