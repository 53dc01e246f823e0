"""What questions about objects cost beside objgraph, refcycle and guppy3, on the same heaps in one run.

    python tests/benchmarks/objects.py [--holders 1000 100000] [--heap 200000 1000000]

Each question is put to each tool in a process of its own, which builds the same heap
first; the time is that of the question alone, the best of three. What takes longer
than --patience is stopped. Tools that are not installed are named and left out:
``pip install objgraph refcycle guppy3`` has them all.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAP = """
    class Held: pass
    heap = [[n] for n in range({heap})]
    held = Held()
    owners = [[held] for _ in range({holders})]
"""
CLOSURES = HEAP.replace("[[held] for _ in range({holders})]", "[keep(held) for _ in range({holders})]").replace(
    "class Held: pass", "class Held: pass\n    def keep(value): return lambda: value"
)
RECORDS = """
    class Record:
        def __init__(self, n): self.name, self.items = str(n), [n]
    lists = [[n] for n in range({heap} // 4)]
    texts = [dict(name=str(n), other=str(n + 1)) for n in range({heap} // 6)]
    records = [Record(n) for n in range({heap} // 8)]
    import gc
    def bare():
        objects, n = gc.get_objects(), 0
        for start in range(0, len(objects), 4096):
            n += len(gc.get_referents(*objects[start : start + 4096]))
        return n
"""
"""One and a half objects for each of `heap`, numbers and texts among them."""
MANY_NEW = """
    import gc
    old = [[n] for n in range(1000)]
    heap = [[n] for n in range({heap})]
"""
CYCLES = """
    class Node: pass
    def rings():
        for _ in range(500):
            a, b = Node(), Node()
            a.other, b.other = b, a
    heap = [[n] for n in range({heap})]
    import gc
    gc.disable()
"""
MADE = "old.clear(); old = None; kept = [[n] for n in range(1000)]"
OBJGRAPH_IDS = "objgraph.get_new_ids(limit=0, file=io.StringIO())"

QUESTIONS = {
    "who holds it": (
        HEAP,
        {
            "profkit": (
                "from jupyter_profkit.cells.objects import explain_holders",
                "explain_holders([held], name='held', namespace=globals(), time_limit=600)",
                "[chain.name for chain in answer.chains]",
            ),
            "objgraph": (
                "import objgraph",
                "objgraph.find_backref_chain(held, objgraph.is_proper_module)",
                "len(answer)",
            ),
            "refcycle": ("import refcycle", "refcycle.snapshot().ancestors(held, generations=3)", "len(answer)"),
            "guppy3": ("from guppy import hpy; h = hpy()", "str(h.iso(held).sp)", "answer.count('\\n')"),
        },
    ),
    "who holds it (closures)": (
        CLOSURES,
        {
            "profkit": (
                "from jupyter_profkit.cells.objects import explain_holders",
                "explain_holders([held], name='held', namespace=globals(), time_limit=600)",
                "[chain.name for chain in answer.chains]",
            ),
            "objgraph": (
                "import objgraph",
                "objgraph.find_backref_chain(held, objgraph.is_proper_module)",
                "len(answer)",
            ),
            "guppy3": ("from guppy import hpy; h = hpy()", "str(h.iso(held).sp)", "answer.count('\\n')"),
        },
    ),
    "whose the memory is": (
        RECORDS,
        {
            "profkit": (
                "from jupyter_profkit.cells.objects import weigh_namespace",
                "weigh_namespace(namespace=globals())",
                "(answer.method.n_events, [(one.name, one.exclusive) for one in answer.holders[:3]])",
            ),
            "bare read": ("", "bare()", "answer"),
            "guppy3": (
                "from guppy import hpy; h = hpy()",
                "h.iso(lists).domisize, h.iso(texts).domisize, h.iso(records).domisize",
                "answer",
            ),
        },
    ),
    "what refers to it, drawn": (
        HEAP,
        {
            "profkit": (
                "from jupyter_profkit.cells.references import draw_references",
                "draw_references([held], back=True, names=['held'], namespace=globals()).to_dot()",
                "answer.count('->')",
            ),
            "objgraph": (
                "import objgraph, io; out = io.StringIO()",
                "objgraph.show_backrefs([held], output=out)",
                "out.getvalue().count('->')",
            ),
        },
    ),
    "what is new (1,000 of 1,000)": (
        MANY_NEW,
        {
            "profkit": (
                "from jupyter_profkit import objleaks; left = objleaks()",
                f"left.__enter__(); {MADE}; left.__exit__(None, None, None)",
                "sum(one.count for one in left.records if one.type == 'list') - 1",
            ),
            "objgraph": (
                f"import objgraph, io; {OBJGRAPH_IDS}",
                f"{OBJGRAPH_IDS}; {MADE}; answer = {OBJGRAPH_IDS}",
                "len(answer['list']) - 1",
            ),
            "refcycle": (
                "import refcycle",
                f"before = refcycle.snapshot(); {MADE}; answer = refcycle.snapshot() - before",
                "answer.count_by_typename()['list']",
            ),
            "guppy3": (
                "from guppy import hpy; h = hpy()",
                f"h.setref(); {MADE}; answer = h.heap()",
                "(answer & list).count - 1",
            ),
        },
    ),
    "which cycles a call makes (500)": (
        CYCLES,
        {
            "profkit": (
                "from jupyter_profkit import objleaks; left = objleaks()",
                "left.__enter__(); rings(); left.__exit__(None, None, None)",
                "[(one.n_cycles, [edge.label for edge in one.edges]) for one in left.cycles]",
            ),
            "refcycle": (
                "import refcycle",
                "answer = refcycle.cycles_created_by(rings).strongly_connected_components()",
                "len(answer)",
            ),
        },
    ),
}


def main() -> None:
    options = _options()
    tools = ["profkit", "bare read", *(one for one in ("objgraph", "refcycle", "guppy3") if _has(one))]
    missing = [one for one in ("objgraph", "refcycle", "guppy3") if one not in tools]
    print(f"{dt.date.today()}, Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    for heap, holders in zip(options.heap, options.holders, strict=True):
        print(f"\nheap of {heap:,} lists, {holders:,} holders")
        for question, (setup, ways) in QUESTIONS.items():
            built = textwrap.dedent(setup.format(heap=heap, holders=holders))
            times: dict[str, float | None] = {}
            for tool in tools:
                if tool in ways:
                    times[tool] = _ask(question, ways[tool], tool, built, options)
            ours = times.get("profkit")
            ratios = [f"{tool} {seconds / ours:.1f} x" for tool, seconds in times.items() if seconds and ours]
            print(f"  {question}: {', '.join(ratios[1:])}\n")
    _interrupt(options.heap[0])


def _interrupt(heap: int) -> None:
    """How long a walk over a heap goes on after Ctrl-C: the longest of some interrupts at different moments."""
    for walk in ("objwhy", "objrefs", "memwhos", "objleaks"):
        command = [sys.executable, "-m", "tests.cells.walker", walk, str(heap)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            longest = 0.0
            for number in range(10):
                process.stdout.readline()
                time.sleep(0.05 + 0.07 * number)
                sent = time.monotonic()
                process.send_signal(signal.SIGINT)
                process.stdout.readline()
                longest = max(longest, time.monotonic() - sent)
            print(f"  %{walk} interrupted in a heap of {heap:,}: back after {longest:.3f} s at most")
        finally:
            process.kill()
            process.communicate()


def _ask(question, way, tool, heap, options) -> float | None:
    """Put a question to a tool, and print what it took and said; None if it gave no answer in time."""
    prepare, ask, tell = way
    assign = ask if "answer =" in ask or ask.startswith("left.") else f"answer = {ask}"
    code = "\n".join(
        [
            "import time, sys, gc",
            heap,
            prepare,
            "start = time.perf_counter()",
            assign,
            "took = time.perf_counter() - start",
            f"print(took, str({tell})[:100])",
        ]
    )
    best, told = None, ""
    for _ in range(options.repeats):
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                timeout=options.patience,
                env={"PYTHONPATH": str(ROOT), "PATH": ""},
                check=False,
            )
        except subprocess.TimeoutExpired:
            print(f"  {question:34} {tool:9} more than {options.patience} s")
            return None
        if done.returncode:
            print(f"  {question:34} {tool:9} failed: {done.stderr.strip().splitlines()[-1]}")
            return None
        seconds, told = done.stdout.split(maxsplit=1)
        best = min(best or float(seconds), float(seconds))
    print(f"  {question:34} {tool:9} {best:8.3f} s   {told.strip()}", flush=True)
    return best


def _has(name: str) -> bool:
    return importlib.util.find_spec("guppy" if name == "guppy3" else name) is not None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heap", type=int, nargs="*", default=[200_000, 1_000_000])
    parser.add_argument("--holders", type=int, nargs="*", default=[1_000, 100_000])
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for one question, heap included")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
