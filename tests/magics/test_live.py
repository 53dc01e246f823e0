"""``--live`` in a real kernel: what a front end is sent while memory is recorded, and what stays."""

from __future__ import annotations

import base64
import itertools
import re
import time
from array import array
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest

from jupyter_profkit.cells.live import GrowingCurve, LiveCurve
from jupyter_profkit.views.timeline import live_report
from tests.kernels import Kernel, Reply, running_kernel

pytestmark = [pytest.mark.kernel]

STEPS = """\
%%mprof_plot --live{options}
import time
kept = []
for step in range(8):
    kept.append(b"x" * (10 << 20))
    time.sleep(0.4)
"shown"
"""
SAWTOOTH = """\
import mmap, time
while True:
    kept = []
    for step in range(8):
        kept.append(mmap.mmap(-1, 10 << 20))
        for page in range(0, 10 << 20, 4096):
            kept[-1][page] = 1
        time.sleep(0.2)
    for block in kept:
        block.close()
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "grows.py").write_text(
        "import time\nkept = []\nfor step in range(8):\n    kept.append(b'x' * (10 << 20)); time.sleep(0.4)\n"
        "print('over')\n"
    )
    (folder / "sawtooth.py").write_text(SAWTOOTH)
    with running_kernel(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_stays(kernel: Kernel) -> Iterator[None]:
    yield
    assert kernel.value("[c.name() for c in __import__('psutil').Process().children()]") == "[]"
    assert kernel.value("[t.name for t in __import__('threading').enumerate() if 'live' in t.name]") == "[]"


def mib_now(bundle: dict[str, str]) -> float:
    found = re.search(r"([\d.]+) MiB now", bundle["text/plain"])
    return float(found[1]) if found else 0.0


def is_live(bundle: dict[str, str]) -> bool:
    return bundle.get("text/plain", "").startswith("%mprof_plot --live  ")


def grown_and_replaced(kernel: Kernel, code: str) -> Reply:
    """Run `code`: of 80 MiB in eight steps, at least two are seen coming, however late the first drawing is."""
    started = time.monotonic()
    reply = kernel.run(code)
    seconds = time.monotonic() - started
    (first,) = reply.displays
    assert is_live(first)
    *drawings, last = reply.updates
    assert all(map(is_live, drawings))
    assert all(sum(map(len, bundle.values())) <= 20_000 for bundle in (first, *drawings))
    assert 3 <= len(drawings) <= 4 * seconds + 1  # four a second at most
    figures = [mib_now(bundle) for bundle in drawings if mib_now(bundle)]
    assert 20 <= max(figures) - min(figures) <= 81
    assert not is_live(last)
    assert base64.b64decode(last["image/png"]).startswith(b"\x89PNG")
    return reply


def test_the_curve_of_a_cell_grows_and_the_report_takes_its_place(kernel: Kernel) -> None:
    reply = grown_and_replaced(kernel, STEPS.format(options=""))
    assert reply.value == "'shown'"


def test_a_drawing_stays_small_however_long_the_run_and_loses_no_peak() -> None:
    curve, times, values = (
        GrowingCurve(),
        [n / 1000 for n in range(200)],
        [10**9 + n * 7919 % 10**8 for n in range(200)],
    )
    for step in range(300):
        values[57] = 3 * 10**9 if step == 123 else 10**9
        curve.add([step / 5 + time for time in times], values)
    assert curve.peak == (pytest.approx(123 / 5 + 0.057), 3 * 10**9)
    assert max(curve.values) == 3 * 10**9
    assert len(curve.times) < 410
    bundle = live_report("a title", curve.times, curve.values, curve.peak)._repr_mimebundle_()
    assert 10_000 < sum(map(len, bundle.values())) <= 20_000


def test_the_curve_of_a_script_grows_too(kernel: Kernel) -> None:
    assert grown_and_replaced(kernel, "%mprof_run --live grows.py").stdout == "over\n"


def test_so_does_that_of_another_process(kernel: Kernel) -> None:
    kernel.run("import subprocess, sys\nother = subprocess.Popen([sys.executable, 'sawtooth.py'])")
    try:
        grown_and_replaced(kernel, "%mprof_plot --live --attach {other.pid} -T 0.001 --timeout 5")
    finally:
        kernel.run("other.kill(); other.wait()")


def test_drawings_that_take_long_are_few_but_the_first_one_imports_and_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = itertools.count(step=10.0)  # each drawing takes ten seconds of a processor
    monkeypatch.setattr(time, "thread_time", lambda: next(busy))
    nowhere = SimpleNamespace(publish=lambda *_, **__: None, format=None)
    live = LiveCurve(SimpleNamespace(display_pub=nowhere, display_formatter=nowhere), "a title")
    live.begin(SimpleNamespace(new_samples=lambda: (array("d"), array("q"))), by_itself=False)
    assert live._next <= time.monotonic() + 0.25
    live._next = 0.0
    live.update()
    assert live._next > time.monotonic() + 100


def test_a_block_has_its_curve(kernel: Kernel) -> None:
    body = STEPS.format(options="").splitlines()[1:-1]
    block = "\n".join(f"    {line}" for line in body)
    grown_and_replaced(kernel, f"from jupyter_profkit import mprof\nwith mprof(live=True) as p:\n{block}")


def test_after_c_code_that_held_the_lock_the_curve_has_all_of_it(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%mprof_plot --live -T 0.001\nimport re, time\nblock = bytearray(64 << 20); block[::4096] = b'x' * len(block[::4096])"
        "\nbegan = time.monotonic(); re.match('(a*)*b', 'a' * 25); held = time.monotonic() - began\n"
        "del block; time.sleep(0.6)"
    )
    held = float(kernel.value("held") or 0)
    assert held > 0.5, "the lock was not held for long enough to show anything"
    *drawings, _ = reply.updates
    caught_up = drawings[-1]["text/html"]
    svg = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([^\"]+)", caught_up)[1]).decode()
    points = [float(x) for x in re.findall(r"(?:M|L)(\d+\.\d) ", svg.split("stroke=")[1])]
    assert max(after - before for before, after in pairwise(points)) < 640 / 20


def test_quiet_shows_nothing(kernel: Kernel) -> None:
    reply = kernel.run(STEPS.format(options=" -q"))
    assert not reply.displays
    assert not reply.updates


def test_an_error_leaves_the_partial_report_in_its_place(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot --live\nimport time; time.sleep(0.6)\n1 / 0")
    assert reply.errors[0]["ename"] == "ZeroDivisionError"
    assert len(reply.displays) == 1
    assert "stopped by ZeroDivisionError" in reply.updates[-1]["text/plain"]


def test_an_interrupt_does_so_too(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot --live\nimport time; time.sleep(30)", interrupt_after=1.2)
    assert reply.errors[0]["ename"] == "KeyboardInterrupt"
    assert "stopped by KeyboardInterrupt" in reply.updates[-1]["text/plain"]
    assert len(reply.displays) == 1


def test_a_capture_in_the_cell_catches_none_of_it(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot --live\n%%capture caught\nimport time; time.sleep(0.8); print('x')")
    assert kernel.value("caught.stdout, caught.outputs") == "('x\\n', [])"
    assert len(reply.displays) == 1
    assert not is_live(reply.updates[-1])


def test_the_cells_own_outputs_stay_where_they_are(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%mprof_plot --live\nimport time\nfor step in range(3): print(step); display(step); time.sleep(0.3)"
    )
    assert reply.stdout == "0\n1\n2\n"
    assert [bundle["text/plain"] for bundle in reply.displays[1:]] == ["0", "1", "2"]


def test_a_short_cell_has_one_output(kernel: Kernel) -> None:
    began = time.monotonic()
    reply = kernel.run("%%mprof_plot --live\npass")
    assert len(reply.displays) == 1
    assert not is_live(reply.updates[-1])
    assert time.monotonic() - began < 10


def test_a_process_that_is_gone_leaves_no_display(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot --live --attach 4194304\nran = True")
    assert "there is no process 4194304" in reply.stderr
    assert not reply.displays
