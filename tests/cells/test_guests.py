"""Cells that do what profilers do themselves, or leave something running: no crash, and no figure without a note."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    with running_kernel() as kernel:
        kernel.run("import sys, threading, time, signal, os, tracemalloc")
        yield kernel


@pytest.fixture
def kernel(shared: Kernel) -> Iterator[Kernel]:
    yield shared
    assert shared.run("kept = None\n1 + 1").value == "2"
    assert shared.value("(sys.gettrace(), threading.gettrace())") == "(None, None)"


def megabytes(kernel: Kernel, text: str, name: str = "found") -> float:
    """The increment of the line that holds `text`."""
    rows = f"[r.increment for _, r in {name}.lines() if {text!r} in r.source]"
    return int(kernel.value(rows).strip("[]").split(",")[0]) / 1e6


def test_an_interrupt_in_the_middle_of_a_c_call(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nkept = bytearray(40_000_000)\n"
        "never = sorted(range(9), key=lambda _: signal.raise_signal(signal.SIGINT) or bytearray(10))"
    )
    assert (reply.status, reply.content["ename"]) == ("error", "KeyboardInterrupt")
    (report,) = reply.reports
    assert "← KeyboardInterrupt" in report
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1)
    assert "jupyter_profkit" not in reply.traceback


def test_a_thread_that_still_runs_when_the_cell_ends(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nstop = threading.Event()\nseen = []\ndef work():\n    mine = bytearray(40_000_000)\n"
        "    seen.append(len(mine))\n    while not stop.wait(0.001):\n        seen.append(1)\n"
        "worker = threading.Thread(target=work)\nworker.start()\nwhile not seen:\n    time.sleep(0.001)"
    )
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert megabytes(kernel, "mine = ") == pytest.approx(40, abs=1)
    assert kernel.value("worker.is_alive()") == "True"
    kernel.run("n_before = len(seen); time.sleep(.05); grew = len(seen) > n_before; stop.set(); worker.join()")
    assert kernel.value("grew") == "True"


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork here")
def test_a_fork_inside_the_cell(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nkept = bytearray(40_000_000)\npid = os.fork()\nif not pid:\n    more = bytearray(50_000_000)\n"
        "    os._exit(7)\ncode = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\nlast = bytearray(45_000_000)"
    )
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert kernel.value("code") == "7"
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1)
    assert megabytes(kernel, "last = ") == pytest.approx(45, abs=1)
    assert kernel.value("[r.occurrences for _, r in found.lines() if 'more = ' in r.source]") == "[]"
    kernel.run("last = None")


def test_a_cell_that_traces_by_itself(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nfirst = bytearray(40_000_000)\nevents = []\n"
        "def tracer(frame, event, arg):\n    events.append(event)\n    return tracer\n"
        "sys.settrace(tracer)\ndef traced():\n    return bytearray(45_000_000)\nkept = traced()\nheld = sys.gettrace() is tracer\nsys.settrace(None)"
    )
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert kernel.value("(held, len(kept), 'line' in events)") == "(True, 45000000, True)"
    assert megabytes(kernel, "first = ") == pytest.approx(40, abs=1)
    if sys.version_info >= (3, 12):
        assert megabytes(kernel, "kept = ") == pytest.approx(45, abs=1)
        assert "ends line tracing" not in reply.reports[0]
    else:
        assert "later lines are missing" in " ".join(reply.reports[0].split())
    kernel.run("first = None")


def test_a_trace_function_that_the_cell_leaves_is_its_own(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile\nsys.settrace(lambda *_: None)\nx = 1")
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert kernel.run("left = sys.gettrace() is not None; sys.settrace(None)\nleft").value == "True"


def test_a_debugger_in_the_cell(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nimport pdb, io\nkept = bytearray(40_000_000)\n"
        "pdb.Pdb(stdin=io.StringIO('continue\\n'), stdout=io.StringIO()).set_trace()\nlast = bytearray(45_000_000)\nlen(last)"
    )
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "45000000", 1)
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1)
    if sys.version_info < (3, 12):
        assert "later lines are missing" in " ".join(reply.reports[0].split())
    else:
        assert megabytes(kernel, "last = ") == pytest.approx(45, abs=1)
    kernel.run("last = None")


def test_a_cell_that_uses_tracemalloc(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found --no-heap\ntracemalloc.start()\nkept = bytearray(40_000_000)\ntraced = tracemalloc.get_traced_memory()[0]\ntracemalloc.stop()"
    )
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert int(kernel.value("traced")) >= 40_000_000
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1)
    assert "tracemalloc was on" in reply.reports[0]  # though it is off again
    kernel.run("tracemalloc.start()")
    reply = kernel.run("%%memprofile --no-heap\nkept = [object() for _ in range(1000)]")
    kernel.run("tracemalloc.stop()")
    assert "tracemalloc was on" in reply.reports[0]


def test_a_cell_that_uses_memray(kernel: Kernel) -> None:
    pytest.importorskip("memray")
    if sys.version_info[:2] == (3, 12):
        pytest.skip("this memray can crash Python 3.12 as it stops")
    reply = kernel.run(
        "%%memprofile -v found\nimport memray, tempfile\nplace = tempfile.mkdtemp() + '/own.bin'\nwith memray.Tracker(place):\n"
        "    kept = bytearray(40_000_000)\nhigh = sum(r.size for r in memray.FileReader(place).get_high_watermark_allocation_records())"
    )
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert int(kernel.value("high")) == pytest.approx(40_000_000, abs=1_000_000)
    assert "the code uses memray itself" in " ".join(reply.reports[0].split())
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1.5)


def test_a_function_that_uses_memray_out_of_sight_is_told_what_to_do(kernel: Kernel) -> None:
    pytest.importorskip("memray")
    if sys.version_info[:2] == (3, 12):
        pytest.skip("this memray can crash Python 3.12 as it stops")
    kernel.run(
        "def tracked():\n    import memray, tempfile\n    with memray.Tracker(tempfile.mkdtemp() + '/own.bin'):\n        return 5"
    )
    reply = kernel.run("%%memprofile\ntracked()")
    assert reply.status == "error"
    said = " ".join(reply.reports[0].split())
    assert "stopped by RuntimeError at In [" in said  # not at a line of memray's
    assert "the heap columns have it here; --no-heap leaves it to you" in said
    assert kernel.run("%%memprofile --no-heap\ntracked()").value == "5"


def test_a_c_profiler_in_the_cell(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%memprofile -v found\nimport cProfile\nprofiler = cProfile.Profile()\nprofiler.enable()\nkept = bytearray(40_000_000)\nprofiler.disable()\nlen(profiler.getstats()) > 0"
    )
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "True", 1)
    assert megabytes(kernel, "kept = ") == pytest.approx(40, abs=1)
