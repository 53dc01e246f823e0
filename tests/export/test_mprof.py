"""mprof's files, both ways, against the real mprof."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_profkit.cli import main
from jupyter_profkit.errors import RecordingError
from jupyter_profkit.export import load
from jupyter_profkit.export.mprof import read_mprof, write_mprof
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.model.timeline import ChildProcess, Mark, MemorySample, MemoryTimeline
from jupyter_profkit.units import MIB
from tests.timelines import timeline

REAL = """\
FUNC __main__.foo 36.2500 1750000000.5100 59.1406 1750000000.6100 1
FUNC __main__.outer 36.2500 1750000000.5000 59.1406 1750000000.7000 0
CMDLINE /usr/bin/python memory_test.py
MEM 0.000000 1750000000.0000
MEM 10.500000 1750000000.1000
CHLD 4711 21.500000 1750000000.1500
MEM 36.250000 1750000000.5000
MEM 59.140625 1750000000.6000
MEM 0.000000 1750000000.8000
"""


@pytest.fixture
def dat(tmp_path):
    def write(content):
        path = tmp_path / "run.dat"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def mprof(*arguments):
    command = [sys.executable, "-W", "ignore", "-m", "mprof", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"MPLBACKEND": "agg", "HOME": "/tmp"}
    )


def test_what_mprof_wrote_is_read(dat):
    recorded = read_mprof(dat(REAL))
    assert recorded.command == "/usr/bin/python memory_test.py"
    assert recorded.session.started == 1_750_000_000.1
    assert [(round(sample.time, 4), sample.rss / MIB) for sample in recorded.main] == [
        (0.0, 10.5), (0.4, 36.25), (0.5, 59.140625),
    ]  # fmt: skip
    assert [(mark.label, mark.level, round(mark.duration, 4)) for mark in recorded.marks] == [
        ("__main__.outer", 0, 0.2), ("__main__.foo", 1, 0.1),
    ]  # fmt: skip
    assert list(recorded.children) == [4711]


def test_the_zeros_that_mprof_writes_are_no_memory(dat):
    recorded = read_mprof(dat(REAL))
    assert min(sample.rss for sample in recorded.samples) > 0


def test_load_opens_it_too(dat):
    assert load(dat(REAL)).peak.rss == round(59.140625 * MIB)


@pytest.mark.process
def test_mprof_peak_tells_the_exact_peak_of_what_we_wrote(tmp_path):
    path = tmp_path / "ours.dat"
    write_mprof(timeline(peak=(0.9, 812.4), marks=[Mark("load data", 0.1, 0.5, MIB, MIB)]), path)
    done = mprof("peak", path)
    assert "812.400 MiB" in done.stdout, done.stderr


@pytest.mark.process
def test_mprof_plot_draws_what_we_wrote(tmp_path):
    path, picture = tmp_path / "ours.dat", tmp_path / "plot.png"
    marks = [Mark("load data", 0.1, 0.5, 80 * MIB, 90 * MIB), Mark("", 0.2, 0.3, level=1)]
    write_mprof(timeline(marks=marks, children={4711: [(0.5, 20)]}), path)
    done = mprof("plot", "-o", picture, path)
    assert picture.exists(), done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.process
@pytest.mark.parametrize("options", [["-f"], ["-s"], ["-w", "0,0.5"], ["-n"]], ids=" ".join)
def test_mprof_plot_draws_what_we_wrote_with_its_options(tmp_path, options):
    path, picture = tmp_path / "ours.dat", tmp_path / "plot.png"
    marks = [Mark("m.load", 0.1, 0.5, 80 * MIB, 90 * MIB), Mark("m.inner", 0.2, 0.3, MIB, MIB, level=1)]
    write_mprof(timeline(marks=marks, children={4711: [(0.5, 20)]}, peak=(0.9, 300.0)), path)
    done = mprof("plot", *options, "-o", picture, path)
    assert picture.exists(), done.stderr


@pytest.mark.process
def test_mprof_peak_of_a_function_agrees_with_ours(tmp_path, monkeypatch, capsys):
    path = tmp_path / "ours.dat"
    marks = [Mark("m.load", 0.4, 1.1, 80 * MIB, 90 * MIB), Mark("m.late", 1.4, 1.6, MIB, MIB)]
    write_mprof(timeline([(0, 50), (0.5, 120), (1.0, 70), (1.5, 200), (2, 60)], marks=marks), path)
    for name, peak in (("m.load", "120.000 MiB"), ("m.late", "200.000 MiB")):
        assert peak in mprof("peak", "--func", name, path).stdout
        assert main(["peak", "--func", name, str(path)]) == 0
        assert peak in capsys.readouterr().out


@pytest.mark.process
@pytest.mark.parametrize("option", ["-C", "-M"])
def test_what_the_real_mprof_records_of_children_opens_here(tmp_path, option):
    script, path = tmp_path / "script.py", tmp_path / "theirs.dat"
    child = "import time; x = b'x' * (50 << 20); time.sleep(0.5)"
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n")
    done = mprof("run", option, "-T", "0.02", "-o", path, script)
    recorded = read_mprof(path)
    curves = {"-C": [recorded.main], "-M": [*recorded.children.values()]}[option]
    assert any(max(sample.rss for sample in curve) >= 50 * MIB for curve in curves), done.stderr


@pytest.mark.process
def test_a_file_of_each_is_laid_over_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.dat").write_text(REAL)
    write_mprof(timeline(), tmp_path / "ours.dat")
    assert main(["plot", "theirs.dat", "ours.dat", "-o", "both.png"]) == 0
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    assert "%mprof_plot  2 recordings" in capsys.readouterr().out
    assert mprof("plot", "-o", tmp_path / "theirs.png", "theirs.dat", "ours.dat").returncode == 0
    assert (tmp_path / "theirs.png").exists()


def test_the_command_of_a_child_is_kept(tmp_path):
    recorded = replace(timeline(children={4711: [(0.5, 20)]}), processes=(ChildProcess(4711, "python -m worker\n"),))
    write_mprof(recorded, tmp_path / "run.dat")
    assert read_mprof(tmp_path / "run.dat").processes == (ChildProcess(4711, "python -m worker?"),)


@pytest.mark.parametrize("summed", [True, False])
def test_whether_children_are_in_the_sum_is_kept_and_nothing_to_mprof(tmp_path, summed):
    recorded = replace(timeline(children={4711: [(0.5, 20)]}), summed=summed)
    write_mprof(recorded, tmp_path / "run.dat")
    assert read_mprof(tmp_path / "run.dat").summed is summed
    assert "200.000 MiB" in mprof("peak", tmp_path / "run.dat").stdout


@pytest.mark.process
def test_what_the_real_mprof_records_opens_here(tmp_path):
    script, path = tmp_path / "script.py", tmp_path / "theirs.dat"
    script.write_text("import time\n@profile\ndef f():\n    x = bytearray(50 << 20)\n    time.sleep(0.3)\nf()\n")
    done = mprof("run", "-T", "0.02", "-o", path, script)
    recorded = read_mprof(path)
    assert [mark.label for mark in recorded.marks] == ["__main__.f"], done.stderr
    assert recorded.peak.rss - recorded.main[0].rss >= 50 * MIB
    assert str(script) in recorded.command


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no recording"),
        ("hello\nworld\n", "no recording"),
        ("import os\n" * 500, "no recording"),
        (bytes(range(256)) * 40, "no recording"),
        (b"x" * 200_000, "no recording"),
        ("CMDLINE python x.py\n", "holds no memory samples"),
        ("MEM 0.000000 1750000000.0000\n", "holds no memory samples"),
        ("MEM ten 1750000000.0\nMEM 1.0 1750000001.0\n", "line 1 is no MEM record"),
        ("MEM nan 1750000000.0\nMEM 1.0 1750000001.0\n", "line 1 is no MEM record"),
        ("MEM 1.0\nMEM 1.0 1750000001.0\n", "line 1 is no MEM record"),
        ("MEM 1e300 1.0\nMEM 1.0 1750000001.0\n", "line 1 is no MEM record"),
        ("FUNC f 1.0 2.0 3.0 inf\nMEM 1.0 1750000001.0\n", "line 1 is no FUNC record"),
        ("CHLD x 1.0 2.0\nMEM 1.0 1750000001.0\n", "line 1 is no CHLD record"),
    ],
)
def test_a_file_that_is_no_recording_gets_one_clear_line(dat, content, words):
    with pytest.raises(RecordingError, match=words) as caught:
        read_mprof(dat(content))
    assert "\n" not in str(caught.value)
    assert "run.dat" in str(caught.value)


def test_a_missing_file_gets_one_clear_line(tmp_path):
    with pytest.raises(RecordingError, match="No such file"):
        read_mprof(tmp_path / "none.dat")


@pytest.mark.parametrize("tail", ["MEM 99.", "MEM 99.0 17500000", "MEM", "ME", "FUNC f 1.0 2", "CHLD 4711 1.0 175"])
def test_a_last_line_that_was_cut_off_is_left_out(dat, tail):
    recorded = read_mprof(dat(REAL + tail))
    assert recorded.samples == read_mprof(dat(REAL)).samples
    assert len(recorded.marks) == 2
    if tail != "ME":  # which is a line that nobody knows
        assert "cut off" in recorded.method.notes[0]


def test_damaged_lines_among_good_ones_are_left_out_and_said(dat):
    recorded = read_mprof(dat(REAL.replace("MEM 36.25", "ME\nMEM\nMEM 3\nMEM 36.25")))
    assert recorded.samples == read_mprof(dat(REAL)).samples
    assert recorded.method.notes == ("2 damaged lines are left out; line 8 is no MEM record: ''",)


def test_labels_with_spaces_and_missing_levels_are_understood(dat):
    lines = "FUNC .my block 1.0 10.5 2.0 11.5 3\nFUNC mod.f 1.0 10.6 2.0 10.7\nMEM 1.0 10.0\nMEM 2.0 12.0\n"
    recorded = read_mprof(dat(lines))
    assert [(mark.label, mark.level) for mark in recorded.marks] == [(".my block", 3), ("mod.f", 0)]


def test_lines_that_mprof_does_not_know_either_are_passed_over(dat):
    assert len(read_mprof(dat("NOTE whatever\n" + REAL)).main) == 3


def test_a_recording_without_samples_is_not_written(tmp_path):
    with pytest.raises(RecordingError, match="no samples"):
        write_mprof(timeline([]), tmp_path / "x.dat")
    assert not (tmp_path / "x.dat").exists()


labels = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=30)
moments = st.floats(0, 10_000, allow_nan=False).map(lambda value: round(value, 3))
sizes = st.integers(1, 2**44)


@st.composite
def recordings(draw):
    points = draw(st.lists(st.tuples(moments, sizes, st.sampled_from([0, 0, 7, 4711])), max_size=20))
    samples = [MemorySample(0.0, draw(sizes)), *(MemorySample(*point) for point in points)]
    marks = [
        Mark(" ".join(label.split()) or "x", start, start + took, rss, rss, level)
        for label, start, took, rss, level in draw(
            st.lists(st.tuples(labels, moments, moments, st.integers(1000, 2**44), st.integers(0, 9)), max_size=5)
        )
    ]
    peak = draw(st.none() | st.builds(MemorySample, moments, st.integers(2**44, 2**45)))
    return MemoryTimeline(
        Session("x", 1_750_000_000.0, 1.0),
        Method("x"),
        tuple(sorted(samples, key=lambda sample: sample.time)),
        tuple(sorted(marks, key=lambda mark: (mark.start, mark.level))),
        peak,
    )


@settings(max_examples=60)
@given(recordings())
def test_what_is_written_is_read_again_to_the_printed_precision(tmp_path_factory, recorded):
    path = tmp_path_factory.mktemp("mprof") / "run.dat"
    write_mprof(recorded, path)
    again = read_mprof(path)
    assert again.peak.rss == pytest.approx(recorded.peak.rss, abs=2)
    for pid in (0, 7, 4711):
        expected = sorted((round(s.time, 3), s.rss) for s in recorded.samples if s.pid == pid)
        if pid == 0 and recorded.exact_peak is not None:
            expected = sorted([*expected, (recorded.exact_peak.time, recorded.exact_peak.rss)])
        found = sorted((round(s.time, 3), s.rss) for s in again.samples if s.pid == pid)
        assert [time for time, _ in found] == pytest.approx([time for time, _ in expected], abs=2e-3)
        assert [rss for _, rss in found] == pytest.approx([rss for _, rss in expected], abs=2)
    key = lambda mark: (mark.label, mark.start, mark.end, mark.level)
    for found, expected in zip(sorted(again.marks, key=key), sorted(recorded.marks, key=key), strict=True):
        assert (found.label, found.level) == (expected.label, expected.level)
        assert found.start == pytest.approx(expected.start, abs=2e-3)
        assert found.duration == pytest.approx(expected.duration, abs=2e-3)
        assert found.rss_start == pytest.approx(expected.rss_start, abs=60)
