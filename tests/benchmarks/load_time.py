"""What ``%load_ext jupyter_profkit`` adds to a kernel that has started.

python tests/benchmarks/load_time.py            the median of 5 fresh kernels
python tests/benchmarks/load_time.py 20         of 20
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.kernels import running_kernel

LOAD = """
def load():
    import resource, sys, time
    before, memory = set(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    get_ipython().run_line_magic("load_ext", "jupyter_profkit")
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory, len(set(sys.modules) - before)
"""


def measure() -> tuple[float, int, int]:
    """Seconds, KiB and modules that loading adds to a fresh kernel."""
    with running_kernel(load=False) as kernel:
        kernel.run(LOAD)
        answer = kernel.run("load()").value
    assert answer is not None
    seconds, kib, n_modules = answer.strip("()").split(",")
    return float(seconds), int(kib), int(n_modules)


def main() -> None:
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    measure()  # compiles what was never compiled
    runs = [measure() for _ in range(n_runs)]
    seconds = sorted(run[0] for run in runs)
    print(
        f"%load_ext jupyter_profkit on Python {sys.version.split()[0]}: median {1000 * statistics.median(seconds):.0f} ms "
        f"({1000 * seconds[0]:.0f} to {1000 * seconds[-1]:.0f} ms in {n_runs} kernels), "
        f"{runs[-1][2]} modules, {runs[-1][1] / 1024:.1f} MiB"
    )


if __name__ == "__main__":
    main()
