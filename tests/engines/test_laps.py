"""What repetitions left behind, against blocks of known size."""

from __future__ import annotations

import sys

import pytest

from jupyter_profkit.engines.laps import Laps
from jupyter_profkit.engines.process_memory import bytes_in_use

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc tells what is in use")


@linux
@pytest.mark.parametrize("n_bytes", [300_000, 3_000_000, 60_000_000])
def test_bytes_in_use_are_those_allocated_whether_memory_was_free_or_not(n_bytes: int) -> None:
    bytes_in_use()
    for _ in range(2):  # the second time in what the first has freed
        before = bytes_in_use()
        block = bytearray(n_bytes)
        held = bytes_in_use() - before
        del block
        assert n_bytes <= held < n_bytes + 9000  # a page, and what malloc puts in front
        assert abs(bytes_in_use() - before) < 2000


@linux
def test_bytes_in_use_count_small_objects() -> None:
    before = bytes_in_use()
    objects = [object() for _ in range(10_000)]
    held = bytes_in_use() - before
    size = 10_000 * sys.getsizeof(objects[0]) + sys.getsizeof(objects)
    assert abs(held - size) < 4000


def test_a_line_is_named_while_it_grows_in_every_repetition_after_the_first() -> None:
    laps = Laps()
    steady, once, first = ("cell", 1), ("cell", 2), ("cell", 3)
    for n in range(1, 5):
        laps.add(n * 100, {steady: n * 60, once: 40 * (n > 2), first: 500})
    assert laps.growing() == {steady: 180}
    assert [record.increment for record in laps.records] == [100, 100, 100, 100]


def test_garbage_that_only_waits_to_be_found_is_not_left_behind() -> None:
    laps = Laps()
    laps.start()
    for _ in range(4):
        for _ in range(3):
            block: list[object] = [bytearray(1_000_000)]
            block.append(block)
        del block
        laps.collect()
        laps.add(0)
    assert all(abs(record.left) < 5000 for record in laps.records[1:])
