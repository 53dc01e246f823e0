"""``--limit`` in real kernels and terminals: the guilty line gets `MemoryError`, and everything else lives on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import ROOT, Kernel, running_kernel
from tests.terminals import Terminal, running_terminal

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone refuses memory by RLIMIT_DATA"),
]

FRONTS = {"kernel": running_kernel, "terminal": running_terminal}
SETUP = """
import asyncio, mmap, resource, signal, threading, time
import numpy as np
import pandas as pd

def grow():
    held = []
    while True:
        held.append([0] * 1000)

reserved = np.zeros(400_000_000, "u1")

def fill():
    idle.clear()
    idle.clear()
    for start in range(0, len(reserved), 10_000_000):
        if enough.is_set():
            break
        reserved[start:start + 10_000_000] = 1
        time.sleep(0.01)
    else:
        enough.wait(20)
    idle.set()

enough, idle = threading.Event(), threading.Event()
idle.set()
"""
STATE = "(resource.getrlimit(resource.RLIMIT_DATA), signal.getsignal(signal.SIGURG), __import__('psutil').Process().children())"
RSS = "int(open('/proc/self/statm').read().split()[1]) * 4096"


@pytest.fixture(scope="module", params=FRONTS)
def shared(request: pytest.FixtureRequest) -> Iterator[Kernel | Terminal]:
    with FRONTS[request.param]() as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


@pytest.fixture
def kernel(shared: Kernel) -> Iterator[Kernel]:
    """A kernel in which nothing is limited, before and after."""
    before = shared.value(STATE)
    yield shared
    assert shared.value(STATE) == before
    shared.run(
        "enough.set(); idle.wait(2); enough.clear(); held = result = None; reserved = np.zeros(400_000_000, 'u1')"
    )


def limited(kernel: Kernel, body: str, room: int = 80_000_000, magic: str = "memprofile"):
    """Run a cell that may take `room` bytes more."""
    size = int(kernel.value(RSS)) + room
    return kernel.run(f"%%{magic} --limit {size}\n{body}")


def unwrapped(report: str) -> str:
    return " ".join(report.split())


def marked(report: str) -> str:
    (line,) = [line for line in report.splitlines() if "←" in line]
    return line


def test_an_endless_loop_gets_memory_error_at_its_line(kernel: Kernel) -> None:
    reply = limited(kernel, "before = 'kept'\nheld = []\nwhile True:\n    held.append(bytearray(1000))\nnever = 1")
    assert [error["ename"] for error in reply.errors] == ["MemoryError"]
    assert "line 5" in reply.traceback or "> 5" in reply.traceback
    assert "jupyter_profkit" not in reply.traceback
    (report,) = reply.reports
    assert "stopped by MemoryError at In [" in report
    assert "held.append(bytearray(1000))  ← MemoryError" in marked(report)
    assert "Variables are kept, and it is lifted" in unwrapped(report)
    assert "memray would end the process" in unwrapped(report)
    assert kernel.value("before, 'never' in globals(), len(held) > 10_000") == "('kept', False, True)"
    assert kernel.run("more = bytearray(300_000_000); len(more)").value == "300000000"


def test_small_objects_up_to_the_last_byte_end_the_same_way(kernel: Kernel) -> None:
    reply = limited(kernel, "held = []\nwhile True:\n    held.append([1, 2, 3])", room=24_000_000)
    assert {error["ename"] for error in reply.errors} == {"MemoryError"}
    assert "stopped by MemoryError" in reply.reports[0]
    assert int(kernel.value("len(held)")) > 50_000


def test_a_request_that_is_far_too_large_is_refused_in_numpys_own_words(kernel: Kernel) -> None:
    reply = limited(kernel, "a = np.ones(1000)\nb = np.ones((10, 2**30))")
    assert (reply.status, len(reply.errors)) == ("error", 1)
    assert "Unable to allocate 80.0 GiB" in reply.traceback
    assert "b = np.ones((10, 2**30))  ← MemoryError" in marked(reply.reports[0])
    assert kernel.value("len(a)") == "1000"


def test_a_pandas_pipeline_is_stopped_at_the_line_that_doubles_it(kernel: Kernel) -> None:
    body = "frame = pd.DataFrame({'x': np.ones(1_000_000)})\nwhile True:\n    frame = pd.concat([frame, frame])"
    reply = limited(kernel, body, room=150_000_000)
    assert reply.status == "error"
    assert "frame = pd.concat" in marked(reply.reports[0])
    assert int(kernel.value("len(frame)")) >= 1_000_000


def test_the_line_is_found_in_a_function_of_another_cell(kernel: Kernel) -> None:
    reply = limited(kernel, "result = grow()")
    assert [error["ename"] for error in reply.errors] == ["MemoryError"]
    assert "held.append([0] * 1000)" in marked(reply.reports[0])
    assert "was reached at In [" in unwrapped(reply.reports[0])


def test_a_worker_thread_gets_it_where_it_allocates(kernel: Kernel) -> None:
    body = (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    future = pool.submit(grow)\ntype(future.exception()).__name__"
    )
    reply = limited(kernel, body)
    assert (reply.status, reply.value) == ("ok", "'MemoryError'")


def test_a_task_gets_it_and_hands_it_to_who_awaits(kernel: Kernel) -> None:
    body = (
        "async def work():\n    held = []\n    while True:\n        held.append(bytearray(1_000_000))\n"
        "        await asyncio.sleep(0)\nawait asyncio.gather(work(), asyncio.sleep(0.01))"
    )
    reply = limited(kernel, body)
    assert [error["ename"] for error in reply.errors] == ["MemoryError"]
    assert "held.append(bytearray(1_000_000))" in marked(reply.reports[0])


def test_memory_reserved_before_is_watched_as_it_is_touched(kernel: Kernel) -> None:
    reply = limited(kernel, "fill()")
    assert [error["ename"] for error in reply.errors] == ["MemoryLimitError"]
    assert "the process came to hold" in reply.traceback
    assert "jupyter_profkit" not in reply.traceback
    assert "← MemoryLimitError" in marked(reply.reports[0])


def test_a_cell_that_waits_for_another_thread_is_interrupted_as_by_the_user(kernel: Kernel) -> None:
    reply = limited(kernel, "waits = True\nawait asyncio.to_thread(fill)")
    assert reply.status == "error"
    assert "the limit of" in unwrapped(reply.reports[0])
    assert kernel.run("1 + 1").value == "2"


def test_what_stays_below_goes_through(kernel: Kernel) -> None:
    body = "thread = threading.Thread(target=print, args=('ran',))\nthread.start()\nthread.join()\nlen(bytearray(50_000_000))"
    reply = limited(kernel, body)
    assert (reply.status, reply.value, reply.stdout[:3]) == ("ok", "50000000", "ran")
    assert "limit of" in unwrapped(reply.reports[0])
    assert "was reached" not in unwrapped(reply.reports[0])


@pytest.mark.parametrize("end", ["1 / 0", "raise KeyboardInterrupt", "import sys; sys.exit(3)"])
def test_the_limit_is_put_back_however_the_cell_ends(kernel: Kernel, end: str) -> None:
    assert limited(kernel, end).status == "error"


def test_the_line_form_takes_it_too(kernel: Kernel) -> None:
    reply = kernel.run(f"%memprofile --limit {int(kernel.value(RSS)) + 60_000_000} result = grow()")
    # The watcher is first where the lists fill memory that was freed, which the system does not refuse.
    assert [error["ename"] for error in reply.errors] in (["MemoryError"], ["MemoryLimitError"])
    assert "held.append([0] * 1000)" in marked(reply.reports[0])


def test_auto_says_where_its_size_comes_from(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile --limit auto\nx = 1")
    assert reply.status == "ok"
    report = unwrapped(reply.reports[0])
    assert "8/10 of the" in report or "9/10 of" in report


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--limit 0", "--limit takes a size above 0 like 2GiB, or auto, not '0'"),
        ("--limit", "--limit needs a value, as in --limit 2GiB: MemoryError at the line"),
        ("--limit=-1GiB", "--limit takes a size above 0 like 2GiB, or auto, not '-1GiB'"),
        ("--limit -1GiB", "--limit takes a size above 0 like 2GiB, or auto, not '-1GiB'"),
        ("-p -1", "--precision takes a whole number, 0 or more, not '-1'"),
        ("--limit huge", "--limit takes a size above 0 like 2GiB, or auto, not 'huge'"),
        ("--limit 5MiB", "a limit of 5.0 MiB is below the "),
        ("--limit 10", "that the process holds already; 10GiB is a size with its unit, and -l 10 shows 10 lines\n"),
        ("--limit 100GiB --no-lines", "--no-lines measures the heap alone, which cannot be done under a limit"),
    ],
)
def test_bad_input_is_one_line_and_the_body_is_not_run(kernel: Kernel, options: str, message: str) -> None:
    reply = kernel.run(f"%%memprofile {options}\nwas_run = 1")
    assert (reply.status, reply.reports) == ("error", [])
    said = reply.stderr + reply.stdout
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert kernel.value("'was_run' in globals()") == "False"


# %memlimit


@pytest.fixture
def session_limited(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel whose cells may take 80 MB more."""
    reply = kernel.run(f"%memlimit {int(kernel.value(RSS)) + 80_000_000}")
    assert "a cell may make the process hold" in reply.stdout
    yield kernel
    assert "no limit" in kernel.run("%memlimit off").stdout


def test_every_cell_is_limited_and_nothing_between_them(session_limited: Kernel) -> None:
    kernel = session_limited
    state = kernel.value(STATE)
    for _ in range(2):
        reply = kernel.run("before = 'kept'\nheld = np.ones(300_000_000, 'u1')")
        assert (reply.status, [error["ename"] for error in reply.errors]) == ("error", ["MemoryError"])
        assert "%memlimit: the limit of" in reply.stderr
        assert "line 2" in reply.stderr
        assert kernel.value("before") == "'kept'"
        assert kernel.value(STATE) == state
    assert kernel.value("len(np.ones(300_000_000, 'u1'))") == "300000000"  # no cell
    assert kernel.run("held = np.ones(20_000_000, 'u1')\nlen(held)").value == "20000000"


def test_small_steps_are_limited_too(session_limited: Kernel) -> None:
    reply = session_limited.run("grow()")
    assert [error["ename"] for error in reply.errors] == ["MemoryError"]
    assert reply.stderr.count("%memlimit: the limit of") == 1


def test_a_measured_cell_keeps_the_limit_and_marks_its_line(session_limited: Kernel) -> None:
    reply = session_limited.run("%%memprofile\nx = 1\nheld = np.ones(300_000_000, 'u1')")
    assert (reply.status, len(reply.reports)) == ("error", 1)
    assert "held = np.ones" in marked(reply.reports[0])
    assert "%memlimit: the limit of" in reply.stderr


def test_the_lower_of_two_limits_is_the_one_that_is_told(session_limited: Kernel) -> None:
    kernel = session_limited
    reply = limited(kernel, "held = np.ones(60_000_000, 'u1')", room=40_000_000)
    assert reply.status == "error"
    assert "was reached" in reply.reports[0]
    assert "%memlimit" not in reply.stderr
    reply = limited(kernel, "held = np.ones(150_000_000, 'u1')", room=200_000_000)
    assert reply.status == "error"
    assert "%memlimit: the limit of" in reply.stderr


def test_it_holds_for_the_rest_of_the_cell_that_sets_it_and_can_be_changed_there(kernel: Kernel) -> None:
    size = int(kernel.value(RSS)) + 80_000_000
    reply = kernel.run(f"%memlimit {size}\n%memlimit {size + 1_000_000_000}\nheld = np.ones(300_000_000, 'u1')")
    assert (reply.status, kernel.value("len(held)")) == ("ok", "300000000")
    reply = kernel.run(f"held = None\n%memlimit {size}\nheld = np.ones(300_000_000, 'u1')")
    assert reply.status == "error"
    assert kernel.run("%memlimit off\nheld = np.ones(300_000_000, 'u1')").status == "ok"


def test_the_state_is_shown_and_auto_says_where_it_comes_from(kernel: Kernel) -> None:
    assert "%memlimit auto would set" in kernel.run("%memlimit").stdout
    said = kernel.run("%memlimit auto").stdout
    assert "8/10 of the" in said or "9/10 of" in said
    assert "are left" in kernel.run("%memlimit").stdout
    kernel.run("%memlimit off")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("-1GiB", "%memlimit takes a size above 0 like 4GiB, auto or off, not '-1GiB'"),
        ("lots", "%memlimit takes a size above 0 like 4GiB, auto or off, not 'lots'"),
        ("0", "%memlimit takes a size above 0 like 4GiB, auto or off, not '0'"),
        ("5MiB", "that the process holds already\n"),
        ("4", "that the process holds already; 4GiB is a size with its unit\n"),
    ],
)
def test_a_session_limit_that_is_none_is_one_line(kernel: Kernel, size: str, message: str) -> None:
    reply = kernel.run(f"%memlimit {size}")
    said = reply.stderr + reply.stdout
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert "no limit" in kernel.run("%memlimit").stdout


def test_unloading_ends_the_session_limit(kernel: Kernel) -> None:
    kernel.run(f"%memlimit {int(kernel.value(RSS)) + 80_000_000}")
    kernel.run("%unload_ext jupyter_profkit")
    assert kernel.run("held = np.ones(300_000_000, 'u1')").status == "ok"
    kernel.run("%load_ext jupyter_profkit")
    assert "no limit" in kernel.run("%memlimit").stdout


def test_memory_over_time_has_the_limit_too(kernel: Kernel) -> None:
    reply = limited(kernel, "held = np.ones(300_000_000, 'u1')", magic="mprof_plot")
    assert (reply.status, len(reply.reports)) == ("error", 1)
    assert "was reached" in unwrapped(reply.reports[0])
    reply = kernel.run("%%mprof_plot --limit 1TiB --attach 1\nx = 1")
    assert reply.status == "error"


SCRIPT = """
from jupyter_profkit import memprofile
from jupyter_profkit.errors import OptionError

def grow():
    held = []
    while True:
        held.append([0] * 1000)

try:
    with memprofile(limit="400MB") as p:
        grow()
except MemoryError as error:
    print("MemoryError", p.session.outcome, p.session.error_at.lineno)
try:
    memprofile(limit=10_000)._measurement(__import__("sys")._getframe())
except OptionError as error:
    print(error)
"""


def test_the_keyword_of_the_python_api_and_the_option_of_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    lines = done.stdout.splitlines()
    assert lines[0] == "MemoryError MemoryError 8"
    assert "a limit of 9.8 KiB is below" in lines[1]
    script.write_text("held = []\nwhile True:\n    held.append(bytearray(100_000))\n")
    command = [sys.executable, "-m", "jupyter_profkit", "memprofile", "--limit", "300MB", script]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "COLUMNS": "200"})
    assert done.returncode == 1
    assert "held.append(bytearray(100_000))  ← MemoryError" in done.stdout
    assert done.stderr.splitlines()[-1] == "MemoryError"
    assert "jupyter_profkit" not in done.stderr
