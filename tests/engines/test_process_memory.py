"""Where resident memory is: what the system and the allocators tell, held against known allocations."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psutil
import pytest

from jupyter_profkit.engines.process_memory import bytes_free_to_reuse, read_process_memory, resident_bytes

glibc = pytest.mark.skipif(sys.platform != "linux", reason="the C library of GNU")
MB = 1_000_000


def test_resident_memory_is_what_the_system_says() -> None:
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, abs=4 * MB)


@glibc
def test_what_the_allocator_holds_free_is_known() -> None:
    before = bytes_free_to_reuse()
    assert before is not None
    blocks = [bytearray(100_000) for _ in range(200)]
    hold = bytearray(100_000)
    del blocks
    assert bytes_free_to_reuse() - before > 10_000_000
    del hold


@glibc
def test_every_part_is_known_and_a_part() -> None:
    memory = read_process_memory()
    assert 0 < memory.files < memory.rss
    assert 0 < memory.free_python < memory.rss
    assert 0 < memory.free_c < memory.rss


FREE_SOME = """
import json, os
from jupyter_profkit.engines.process_memory import can_give_back, give_back, read_process_memory

assert can_give_back()
give_back()
free = [read_process_memory().free_c]
blocks = [os.urandom(100_000) for _ in range(400)]
free.append(read_process_memory().free_c)
last = blocks[-1]  # the end of the heap stays in use
del blocks
free.append(read_process_memory().free_c)
given = give_back()
free.append(read_process_memory().free_c)
print(json.dumps([free, given]))
"""


@glibc
@pytest.mark.process
def test_what_is_freed_between_others_is_told_and_given_back():
    # in a process of its own, whose heap holds nothing of other tests
    (before, held, freed, after), given = json.loads(subprocess.check_output([sys.executable, "-c", FREE_SOME]))
    assert held < before + 20 * MB
    assert freed > before + 30 * MB
    assert given > 25 * MB
    assert after < before + 15 * MB


def test_standard_error_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    read_process_memory()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before
