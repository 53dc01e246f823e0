from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.errors import OptionError
from jupyter_profkit.units import MIB, format_change, format_mib, format_seconds, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("4GiB", 4 * 1024**3),
        ("200 MB", 200_000_000),
        ("1.5g", int(1.5 * 1024**3)),
        ("500MiB", 500 * MIB),
        ("64k", 64 * 1024),
        ("1000", 1000),
        ("12 B", 12),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, n_bytes: int) -> None:
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "-4GiB", "four", "4 apples", "4GiB 2", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (3174, "3.1 KiB"),
        (160_010_240, "152.6 MiB"),
        (-MIB, "-1.0 MiB"),
        (3 * 1024**3, "3.00 GiB"),
    ],
)
def test_sizes_take_the_unit_that_reads_best(n_bytes: int, text: str) -> None:
    assert format_size(n_bytes) == text


def test_a_change_has_its_sign() -> None:
    assert (format_change(MIB), format_change(-MIB), format_change(0)) == ("+1.0 MiB", "-1.0 MiB", "0 B")


def test_a_column_of_mib_shows_no_negative_zero() -> None:
    assert format_mib(-1) == "0.0"
    assert format_mib(-MIB, 3) == "-1.000"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (8e-6, "8.0 µs"),
        (0.0123, "12.3 ms"),
        (2.414, "2.41 s"),
        (135.0, "2 min 15 s"),
        (179.7, "3 min 0 s"),
    ],
)
def test_seconds_take_the_unit_that_reads_best(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@given(st.integers(0, 2**50))
def test_whole_bytes_are_read_back(n_bytes: int) -> None:
    assert parse_size(f"{n_bytes} B") == n_bytes
