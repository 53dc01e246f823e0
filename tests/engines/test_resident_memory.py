"""Where resident memory is read, and how far each way of reading can be trusted."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

import jupyter_profkit
from jupyter_profkit.engines.resident_memory import PsutilMeter, resident_memory_meter
from tests.builders import MB, trace

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset a process's high-water mark")


def test_the_meter_agrees_with_psutil() -> None:
    meter = resident_memory_meter()
    meter.open()
    try:
        rss, high = meter.read()
        assert rss == pytest.approx(psutil.Process().memory_info().rss, abs=2 * MB)
        assert high >= rss
    finally:
        meter.close()


@linux
def test_a_peak_between_two_looks_is_seen_once() -> None:
    meter = resident_memory_meter()
    meter.open()
    try:
        before, _ = meter.read()
        sum([1] * 5_000_000)
        _, high = meter.read()
        assert high - before == pytest.approx(40 * MB, abs=MB)
        rss, later = meter.read()
        assert later - rss < MB
    finally:
        meter.close()


@linux
def test_a_peak_of_another_thread_is_seen_too() -> None:
    meter = resident_memory_meter()
    meter.open()
    try:
        before, _ = meter.read()
        thread = threading.Thread(target=lambda: sum([1] * 5_000_000))
        thread.start()
        thread.join()
        assert not meter.is_unchanged()
        _, high = meter.read()
        assert high - before == pytest.approx(40 * MB, abs=MB)
    finally:
        meter.close()


@linux
def test_that_nothing_happened_is_known_without_a_look() -> None:
    meter = resident_memory_meter()
    meter.open()
    try:
        assert any(meter.read() and meter.is_unchanged() for _ in range(100))
        block = bytearray(9_000_000)
        assert not meter.is_unchanged()
        assert any(meter.read() and meter.is_unchanged() for _ in range(100))
        del block
        assert not meter.is_unchanged()
    finally:
        meter.close()


CHILD = """
import resource
from jupyter_profkit.engines.resident_memory import LinuxMeter

meter = LinuxMeter()
meter.open()
before, _ = meter.read()
quiet = any(meter.read() and meter.is_unchanged() for _ in range(100))
sum([1] * 5_000_000)
noticed = not meter.is_unchanged()
_, high = meter.read()
print(high - before, quiet, noticed)
"""

PARENT = """
import subprocess, sys

block = bytearray(400_000_000)
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


@linux
@pytest.mark.process
def test_what_a_large_parent_had_is_no_peak_of_its_child() -> None:
    """`ru_maxrss` never falls below what the parent had as it started the child."""
    root = str(Path(jupyter_profkit.__file__).parent.parent)
    command = [sys.executable, "-c", PARENT, CHILD]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": root})
    peak, quiet, noticed = answer.stdout.split()
    assert int(peak) == pytest.approx(40 * MB, abs=2 * MB)
    assert (quiet, noticed) == ("True", "True")


def test_without_an_exact_peak_increments_are_still_right_and_the_report_says_so() -> None:
    traced = trace("kept = bytearray(9_000_000)\ngone = sum([1] * 5_000_000)", PsutilMeter())
    assert traced.line("kept").increment == pytest.approx(9 * MB, abs=MB)
    assert traced.line("gone").peak < MB
    assert not traced.engine.exact_peak
    assert "not seen on this system" in traced.engine.description
