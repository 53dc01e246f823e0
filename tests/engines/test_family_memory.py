"""The memory of this process and its children as one figure, against children of known size."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from jupyter_profkit.engines.family_memory import FamilyMeter
from jupyter_profkit.engines.resident_memory import resident_memory_meter
from jupyter_profkit.engines.sampler import ProcProcess, own_part, shared_part

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is shared"),
]

MB = 1_000_000


@pytest.fixture
def meter():
    meter = FamilyMeter(resident_memory_meter())
    meter.open()
    yield meter
    meter.close()


def test_what_a_child_had_while_one_line_waited_for_it_is_in_the_peak(meter: FamilyMeter) -> None:
    before, _ = meter.read()
    code = "import time; block = bytearray(200_000_000); time.sleep(0.5)"
    subprocess.run([sys.executable, "-c", code], check=True)
    rss, high = meter.read()
    assert high - before == pytest.approx(205 * MB, abs=20 * MB)
    assert rss - before < 20 * MB
    assert meter.read()[1] - before < 20 * MB


def test_a_child_that_became_another_program_is_counted_anew() -> None:
    told, telling = os.pipe()
    code = "import sys; block = bytearray(30_000_000); print(len(block), flush=True); sys.stdin.read()"
    wait = f"import os; os.read({told}, 1); os.execv(sys.executable, [sys.executable, '-c', {code!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; held = bytearray(100_000_000); print(len(held), flush=True); {wait}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[told],
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        process = ProcProcess(child.pid)
        assert child.stdout.readline() == b"100000000\n"
        assert process.private() > 100 * MB
        os.write(telling, b"!")
        assert child.stdout.readline() == b"30000000\n"
        assert 30 * MB < process.private() < 60 * MB
        assert 30 * MB < process.pss() < 70 * MB
        process.close()
        child.stdin.close()
    os.close(told)
    os.close(telling)


class Told:
    """A process whose figures a test gives; None for what the system does not tell."""

    def __init__(self, rss: int, private: int | None) -> None:
        self.rss, self._private = rss, private

    def look(self) -> bytes:
        return str(self.rss).encode()

    def size_in(self, seen: bytes) -> int:
        return int(seen)

    def private(self) -> int:
        if self._private is None:
            raise PermissionError
        return self._private


def test_a_child_that_still_runs_on_its_parents_memory_has_none_of_its_own() -> None:
    parent = Told(900 * MB, 800 * MB)
    assert own_part(900 * MB, *shared_part(Told(900 * MB, 800 * MB), parent)) == 0
    assert own_part(50 * MB, *shared_part(Told(50 * MB, 30 * MB), parent)) == 30 * MB
    assert own_part(50 * MB, *shared_part(Told(50 * MB, None), parent)) == 50 * MB


def test_pages_that_a_fork_shares_count_once(meter: FamilyMeter) -> None:
    held = bytearray(300 * MB)
    before, _ = meter.read()
    context = multiprocessing.get_context("fork")
    parent_end, child_end = context.Pipe()

    def child() -> None:
        own = bytearray(100 * MB)
        child_end.send(len(own))
        child_end.recv()

    process = context.Process(target=child)
    process.start()
    assert parent_end.recv() == 100 * MB
    rss, _ = meter.read()
    parent_end.send("end")
    process.join()
    assert rss - before == pytest.approx(110 * MB, abs=30 * MB)
    assert meter.read()[0] - before < 20 * MB
    assert len(held) == 300 * MB
