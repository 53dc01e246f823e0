"""When repetitions are called a leak."""

from __future__ import annotations

import dataclasses

import pytest

from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.repetitions import GrowingLine, Repetition, Repetitions
from jupyter_profkit.model.session import Location
from tests.builders import MB, cell_lines, line_profile


def repetitions(*left: int, resident: int = 0) -> Repetitions:
    return Repetitions(len(left), tuple(Repetition(0.1, resident, n_bytes) for n_bytes in left))


def test_a_leak_is_what_every_repetition_after_the_first_leaves_behind() -> None:
    assert repetitions(0, MB, MB, MB).leaks is True
    assert repetitions(0, MB, MB, MB).growth == MB
    assert repetitions(9 * MB, 0, 0, 0).leaks is False
    assert repetitions(0, MB, 0, MB).leaks is False
    assert repetitions(0, MB, -MB, MB).leaks is False


def test_what_the_interpreter_leaves_behind_is_no_leak() -> None:
    assert repetitions(0, 16 * 1024, 16 * 1024).leaks is False
    assert repetitions(0, 16 * 1024 + 1, 16 * 1024 + 1).leaks is True


@pytest.mark.parametrize("left", [(), (MB,), (MB, MB)])
def test_fewer_than_three_say_nothing(left: tuple[int, ...]) -> None:
    assert repetitions(*left).leaks is None


def test_resident_memory_decides_only_where_nothing_else_is_known() -> None:
    assert repetitions(0, 0, 0, resident=MB).leaks is False
    assert repetitions(0, 0, 0, resident=MB).only_resident_grew
    unknown = tuple(Repetition(0.1, MB) for _ in range(3))
    assert Repetitions(3, unknown).leaks is True
    assert Repetitions(3, unknown).growth == MB


def test_they_survive_a_recording() -> None:
    line = GrowingLine(Location("cell", 2, "", "In [7]"), 3 * MB, "x = 1")
    found = dataclasses.replace(repetitions(0, MB, MB), growing=(line,))
    profile = line_profile(cell_lines("x = 1", {1: (1, 0, 0, 0)}), repetitions=found)
    assert LineMemoryProfile.from_json(profile.to_json()) == profile
