"""Profiles as pstats.Stats and .prof files; a .prof file from a stranger is data."""

from __future__ import annotations

import cProfile
import gc
import io
import json
import marshal
import os
import pstats
import random
import struct
from pathlib import Path

import pytest

from jupyter_profkit import load
from jupyter_profkit.cells.functions import TimeMeasurement
from jupyter_profkit.errors import RecordingError
from jupyter_profkit.export.pstats import read_pstats, to_pstats, write_pstats
from jupyter_profkit.model.session import Session
from jupyter_profkit.options.cprofile import CPROFILE


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work():
    fib(9)
    json.loads(json.dumps({"a": [1, 2]}))
    sorted([3, 1, 2], key=lambda value: -value)


def measured(**options):
    measurement = TimeMeasurement(CPROFILE.from_keywords(options))
    measurement.start()
    work()
    measurement.stop()
    return measurement.result(Session("block", 0.0, 1.0))


def printed(stats, how="print_stats"):
    """What pstats prints, less the figures of the clock."""
    stats.stream = io.StringIO()
    getattr(stats.sort_stats("stdname"), how)()
    lines = stats.stream.getvalue().splitlines()
    times = r"\d+\.\d{3}"
    import re

    return [
        re.sub(r"\s+", " ", re.sub(times, "t", line))
        for line in lines
        if "_lsprof" not in line and "calls (" not in line
    ]


@pytest.mark.parametrize("how", ["print_stats", "print_callers", "print_callees"])
def test_pstats_prints_of_it_what_it_prints_of_cprofile(how):
    gc.collect()  # what other tests have the collector call must not fall into one of the two runs
    work()
    plain = cProfile.Profile()
    plain.enable()
    work()
    plain.disable()
    expected, found = printed(pstats.Stats(plain), how), printed(measured().stats, how)
    assert [line for line in found if line.strip()] == [line for line in expected if line.strip()]


def test_a_written_file_opens_with_pstats(tmp_path: Path):
    profile = measured()
    path = profile.save(tmp_path / "run.prof")
    stats = pstats.Stats(str(path))
    assert stats.stats == to_pstats(profile).stats
    assert stats.total_calls == profile.ncalls


def test_a_written_file_reads_back_with_the_same_figures(tmp_path: Path):
    profile = measured()
    write_pstats(profile, tmp_path / "run.prof")
    found = read_pstats(tmp_path / "run.prof")
    assert to_pstats(found).stats == to_pstats(profile).stats
    assert found.session.title == "run.prof"
    assert found.report().headline


def test_a_file_of_cprofile_s_own_is_read(tmp_path: Path):
    plain = cProfile.Profile()
    plain.enable()
    work()
    plain.disable()
    plain.dump_stats(tmp_path / "own.prof")
    found = read_pstats(tmp_path / "own.prof")
    assert to_pstats(found).stats == pstats.Stats(str(tmp_path / "own.prof")).stats
    assert next(record.ncalls for record in found.functions if record.function == "fib") == 109


@pytest.mark.parametrize("version", [2, marshal.version])
@pytest.mark.parametrize("name", ["profile.out", "stats", "run.json"])
def test_a_file_of_cprofile_is_known_by_its_content(tmp_path: Path, name, version):
    (tmp_path / name).write_bytes(marshal.dumps({KEY: (2, 3, 0.5, 1.0, {})}, version))
    (found,) = load(tmp_path / name).functions
    assert (found.key, found.pcalls, found.ncalls) == (KEY, 2, 3)


KEY = ("file.py", 1, "f")


def written(tmp_path: Path, value, version=marshal.version) -> Path:
    path = tmp_path / "x.prof"
    path.write_bytes(marshal.dumps(value, version))
    return path


@pytest.mark.parametrize("version", [2, 3, 4])
def test_shared_and_unshared_objects_of_marshal_are_read(tmp_path: Path, version):
    stats = {
        KEY: (1, 2, 0.5, 0.75, {("g.py", 3, "é\ud800" * 300): (5 * 10**9, 1, 0.1, 0.2)}),
        ("~", 0, "x"): (1, 1, 0, 0, {KEY: 3}),
    }
    found = read_pstats(written(tmp_path, stats, version))
    first, second = found.functions
    assert (first.ncalls, first.pcalls, first.tottime, first.cumtime) == (2, 1, 0.5, 0.75)
    assert first.callers[0].ncalls == 5 * 10**9
    assert second.callers[0].ncalls == 3


def test_an_empty_recording_is_one(tmp_path: Path):
    empty = read_pstats(written(tmp_path, {}))
    assert empty.functions == ()
    assert empty.stats.stats == {}
    assert read_pstats(empty.save(tmp_path / "again.prof")).functions == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {"f": 1},
        {KEY: (1, 1, 0.0, 0.0)},
        {KEY: (1, 1, 0.0, 0.0, [])},
        {KEY: (1, 1, "0.0", 0.0, {})},
        {KEY: (-1, 1, 0.0, 0.0, {})},
        {KEY: (True, 1, 0.0, 0.0, {})},
        {KEY: (1, 1, float("nan"), 0.0, {})},
        {KEY: (1, 1, float("inf"), 0.0, {})},
        {KEY: (1, 1, 0.0, 0.0, {KEY: (1, 1)})},
        {KEY: (10**60, 1, 0.0, 0.0, {})},
        {("file.py", "1", "f"): (1, 1, 0.0, 0.0, {})},
        {(b"file.py", 1, "f"): (1, 1, 0.0, 0.0, {})},
        {KEY: (1, 1, 0.0, 0.0, {KEY: {KEY: 1}})},
        compile("1 / 0", "code", "exec"),
        {KEY: (1, 1, 0.0, 0.0, {}), ("g", 1, "g"): compile("1 / 0", "code", "exec")},
    ],
)
def test_anything_else_in_marshal_is_refused(tmp_path: Path, value):
    with pytest.raises(RecordingError, match="not a cProfile recording"):
        read_pstats(written(tmp_path, value))


def int32(number):
    return struct.pack("<i", number)


HOSTILE = {
    "empty": b"",
    "text": b"hello, world\n",
    "pickle": b"\x80\x04\x95cos\nsystem\n",
    "a tuple of two thousand million": b"{(" + int32(2**31 - 1),
    "a text longer than the file": b"{)\x03u" + int32(2**31 - 1),
    "a negative length": b"{)\x03u" + int32(-5),
    "a reference to nothing": b"{)\x03r" + int32(7),
    "a reference to what it is in": b"\xfb\xa9\x03r" + int32(0) * 3,
    "nested without end": b"(" + int32(1) + (b"(" + int32(1)) * 200_000,
    "dictionaries without end": b"{" * 200_000,
    "no end": b"{",
    "more behind the end": marshal.dumps({}) + b"x",
    "the end alone": b"0",
    "keys that hash for ever": b"{\xa9\x00" + b"".join(b"\xa9\x02r" + int32(n) + b"r" + int32(n) for n in range(500)),
    "an unknown type": b"{\xff",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_costs_one_clear_line(tmp_path: Path, content):
    path = tmp_path / "x.prof"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"x\.prof: not a cProfile recording") as caught:
        read_pstats(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path: Path):
    profile, path = measured(), tmp_path / "x.prof"
    write_pstats(profile, path)
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.choice([len(content), chance.randrange(len(content))])])
        try:
            read_pstats(path).report()
        except RecordingError:
            continue


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecordingError, match="No such file"):
        read_pstats(tmp_path / "missing.prof")


@pytest.mark.skipif(os.name == "nt", reason="folders open differently on Windows")
def test_a_folder_is_no_recording(tmp_path: Path):
    with pytest.raises(RecordingError, match="directory"):
        read_pstats(tmp_path)
