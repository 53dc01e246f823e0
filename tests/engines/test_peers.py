"""The same allocations under the tools that others trust, where these are right.

* memory_profiler: increments by line of one function that calls none of its own.
* tracemalloc: bytes of Python objects by line.
* memray's own reporters: the heap at its peak and at the end, by line.
"""

from __future__ import annotations

import gc
import io
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from jupyter_profkit.engines.heap import HeapEngine
from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.model.line_memory import FunctionLines
from tests.builders import MB
from tests.kernels import ROOT

MIB = 1024 * 1024


def allocate() -> int:
    block = bytearray(40_000_000)
    array = np.ones(5_000_000)
    numbers = [None] * 6_000_000
    grown = []
    for _ in range(3):
        grown.append(bytearray(35_000_000))
    del array
    grown.pop()
    texts = [str(n) * 3 for n in range(100_000)]
    return len(block) + len(numbers) + len(texts)


ALLOCATING = ("block = ", "array = ", "numbers = ", "grown.append", "del array", "grown.pop")


def line_of(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    (found,) = [n for n, line in enumerate(lines, 1) if line.startswith("    ") and line.strip().startswith(text)]
    return found


def lines_of(functions: tuple[FunctionLines, ...]) -> dict[int, object]:
    (function,) = [lines for lines in functions if lines.function == "allocate"]
    return {record.lineno: record for record in function.records}


def measured_lines() -> dict[int, object]:
    gc.collect()
    engine = LineMemoryEngine(Scope(functions=[allocate.__code__], only=True))
    engine.start()
    allocate()
    engine.stop()
    return lines_of(engine.functions())


@pytest.mark.filterwarnings("ignore")
def test_memory_profiler_sees_the_same_increments_by_line() -> None:
    pytest.importorskip("memory_profiler")
    from memory_profiler import LineProfiler, show_results

    ours = measured_lines()
    gc.collect()
    profiler = LineProfiler()
    profiler(allocate)()
    stream = io.StringIO()
    show_results(profiler, stream=stream, precision=3)
    theirs = {
        int(row[1]): float(row[2]) * MIB
        for row in re.finditer(r"^ *(\d+) +[-\d.]+ MiB +([-\d.]+) MiB", stream.getvalue(), re.MULTILINE)
    }
    for text in ALLOCATING:
        lineno = line_of(text)
        assert ours[lineno].increment == pytest.approx(theirs[lineno], abs=MIB), text
    assert {text: round(ours[line_of(text)].increment / MB) for text in ALLOCATING} == {
        "block = ": 40, "array = ": 40, "numbers = ": 48, "grown.append": 105, "del array": -40, "grown.pop": -35,
    }  # fmt: skip


def bytes_of_held() -> dict[str, tuple[int, int]]:
    """Of each line of `held`, the bytes by our account and by tracemalloc's; in a process that did nothing before."""
    gc.collect()
    engine = LineMemoryEngine(Scope(functions=[held.__code__], only=True))
    engine.start()  # first of all: afterwards the heap has room for all of it
    kept = held()
    engine.stop()
    (function,) = engine.functions()
    ours = {record.lineno: record.self_increment for record in function.records if record.occurrences}
    del kept
    tracemalloc.start()
    try:
        kept = held()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    theirs = {stat.traceback[0].lineno: stat.size for stat in snapshot.statistics("lineno")}
    assert len(kept) == 2
    return {text: (ours[line_of(text)], theirs[line_of(text)]) for text in ("big = ", "table = ")}


@pytest.mark.process
def test_tracemalloc_counts_the_same_bytes_of_python_objects() -> None:
    code = f"import json; from {__name__} import bytes_of_held; print(json.dumps(bytes_of_held()))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for text, (ours, theirs) in json.loads(run.stdout).items():
        assert theirs > 40 * MB
        assert ours == pytest.approx(theirs, rel=0.03, abs=2 * MIB), text  # Python keeps some ready


def held() -> tuple[object, ...]:
    big = [None] * 6_000_000
    table = [bytes(31) for _ in range(900_000)]  # 64 bytes each, a size that needs no rounding up
    return big, table


class Ours:
    """What the heap engine says of `allocate`, by line: at the peak, and kept."""

    def __init__(self) -> None:
        engine = HeapEngine(Scope(functions=[allocate.__code__], only=True), insist=True)
        engine.prepare()
        engine.start()
        allocate()
        engine.stop()
        self.total = engine.bill.peak
        self.at_peak = {
            lineno: figures.at_peak for (name, lineno), figures in engine.bill.lines.items() if name == __file__
        }


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="this memray can crash Python 3.12 as it stops")
def test_memrays_own_reporter_has_the_same_heap_at_the_peak(tmp_path: Path) -> None:
    memray = pytest.importorskip("memray")
    from memray.reporters.table import TableReporter

    ours = Ours()
    with memray.Tracker(tmp_path / "heap.bin"):
        allocate()
    with memray.FileReader(tmp_path / "heap.bin") as reader:
        report = TableReporter.from_snapshot(
            reader.get_high_watermark_allocation_records(), memory_records=[], native_traces=False
        )
        peak = reader.metadata.peak_memory
    theirs: dict[int, int] = {}
    for row in report.data:
        at = re.search(r"([\w.]+):(\d+)$", row["stack_trace"])
        if at is not None and at[1] == Path(__file__).name:
            theirs[int(at[2])] = theirs.get(int(at[2]), 0) + row["size"]
    theirs[line_of("array = ")] = sum(row["size"] for row in report.data if "numeric.py" in row["stack_trace"])
    for text in ("block = ", "numbers = ", "grown.append", "array = "):
        lineno = line_of(text)
        assert ours.at_peak.get(lineno, 0) == pytest.approx(theirs[lineno], abs=MIB), text
    assert ours.at_peak[line_of("grown.append")] == pytest.approx(105 * MB, abs=MIB)
    assert ours.total == pytest.approx(peak, abs=2 * MIB)
