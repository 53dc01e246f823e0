"""Work that profilers of memory are measured on; as a script it says how long one piece of it takes.

python tests/benchmarks/memory_work.py "small objects"
"""

from __future__ import annotations

import ast
import gc
import posixpath
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd


def loop(n: int) -> int:
    total = 0
    for i in range(n):
        total += i
    return total


def pure_loop() -> None:
    loop(2_000_000)


def small_objects() -> None:
    table = {}
    for i in range(300_000):
        table[i] = str(i)


def small_arrays() -> None:
    kept = []
    for i in range(20_000):
        kept.append(np.full(100, i))


def pandas_pipeline() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"key": generator.integers(0, 1000, 1_000_000), "value": generator.random(1_000_000)})
    frame["square"] = frame["value"] ** 2
    sums = frame.groupby("key").sum().sort_values("value")
    frame.merge(sums, left_on="key", right_index=True).describe()


SOURCE_OF_A_LIBRARY = Path(ast.__file__).read_text(encoding="utf-8")


def library_code() -> None:
    """Much Python that is nobody's own."""
    for _ in range(3):
        ast.unparse(ast.parse(SOURCE_OF_A_LIBRARY))


def calls_of_a_library() -> None:
    """One function of a library, called over and over by a line of the user's."""
    deque(map(posixpath.join, repeat("folder", 500_000), repeat("file")), maxlen=0)


WORK: dict[str, Callable[[], None]] = {
    "pure loop": pure_loop,
    "small objects": small_objects,
    "small arrays": small_arrays,
    "pandas pipeline": pandas_pipeline,
    "library code": library_code,
}


def seconds(
    work: Callable[[], object],
    profiler: Callable[[], AbstractContextManager[object]] = nullcontext,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The time of `work` itself; a profiler's start and end are not part of it."""
    gc.collect()
    with profiler():
        start = clock()
        work()
        return clock() - start


if __name__ == "__main__":
    print("seconds", seconds(WORK[sys.argv[1]]))
