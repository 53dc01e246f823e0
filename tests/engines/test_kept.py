"""A recording outlives the process that was recorded, if that died; otherwise nothing stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

import jupyter_profkit
from jupyter_profkit.engines import kept, sampler
from jupyter_profkit.errors import RecordingError
from jupyter_profkit.export import load
from jupyter_profkit.units import MIB

ROOT = str(Path(jupyter_profkit.__file__).parent.parent)

DIES = textwrap.dedent(
    """
    import os, signal, sys, time
    from jupyter_profkit.engines.timeline import TimelineEngine
    engine = TimelineEngine(interval=0.002, title="In [7]", **eval(sys.argv[2]))
    engine.start()
    time.sleep(0.2)
    block = bytearray(80 << 20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.1)
    exec(sys.argv[1])
    engine.stop()
    """
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def run_until_death(how: str, settings: str = "{}") -> tuple[int, list[Path]]:
    """Run the dying process; its exit code, and what was kept once its helper had time for it."""
    command = [sys.executable, "-c", DIES, how, settings]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": ROOT}, check=False, timeout=60)
    deadline = time.monotonic() + 10
    while done.returncode and not kept.paths() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done.returncode, kept.paths()


@pytest.mark.process
@pytest.mark.parametrize(
    "how",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(3)",
        "if os.fork() == 0: time.sleep(3), os._exit(0)\nos.kill(os.getpid(), signal.SIGKILL)",
    ],
    ids=["segmentation fault", "killed", "_exit", "killed while a forked child lives"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_was_recorded_until_a_death_can_be_opened(how: str) -> None:
    code, (path,) = run_until_death(how)
    assert code != 0
    timeline = load(path)
    assert timeline.session.title == "In [7]"
    assert timeline.session.partial
    assert " died at " in timeline.session.outcome
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(80 * MIB, rel=0.1)
    assert timeline.main[-1].rss - timeline.main[0].rss == pytest.approx(80 * MIB, rel=0.1)
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.process
def test_a_death_after_the_sampling_was_over_keeps_what_there_is() -> None:
    _, (path,) = run_until_death("os._exit(3)", "{'seconds': 0.02}")
    assert load(path).duration < 0.09


@pytest.mark.process
def test_an_ordinary_end_leaves_nothing(temporary: Path) -> None:
    assert run_until_death("pass") == (0, [])
    assert list(temporary.iterdir()) == []


RUNS = textwrap.dedent(
    """
    import sys
    from jupyter_profkit.cells.script import run_script
    from jupyter_profkit.options.mprof import MPROF_RUN
    run_script(sys.argv[1:], MPROF_RUN.from_keywords({"quiet": True}))
    """
)
ENDLESS = """\
import os, signal, time
with profile.timestamp("end"):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_script_does_not_outlive_who_ran_it_and_its_temporary_files_go(temporary: Path, tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{ENDLESS}")
    command = ["nohup", sys.executable, "-c", RUNS, str(script)]  # which ignores hangups
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(command, env={**os.environ, "PYTHONPATH": ROOT}, check=False, timeout=60, **nowhere)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while (is_running(pid) or not kept.paths()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)
    assert [load(path).session.title for path in kept.paths()] == [str(script)]
    assert list(temporary.iterdir()) == [kept.folder()]


def records(path: Path, *found: tuple[float, int, int]) -> int:
    path.write_bytes(b"".join(sampler.RECORD.pack(*record) for record in found))
    return os.open(path, os.O_RDONLY)


def kept_from(path: Path, *found: tuple[float, int, int], pid: int = 1) -> Path | None:
    descriptor = records(path, *found)
    try:
        return kept.keep(kept.folder(), title="a test", pid=pid, descriptor=descriptor)
    finally:
        os.close(descriptor)


def test_children_and_the_exact_peak_are_kept(tmp_path: Path) -> None:
    rows = [
        (1.0, 10 * MIB, sampler.MAIN),
        (1.0, 90 * MIB, sampler.HIGH_WATER),  # of what was before
        (1.1, 12 * MIB, sampler.HIGH_WATER),
        (1.2, 10 * MIB, sampler.MAIN),
        (1.2, 5 * MIB, 77),
        (1.3, 40 * MIB, sampler.HIGH_WATER),
        (1.4, 11 * MIB, sampler.MAIN),
    ]
    timeline = load(kept_from(tmp_path / "records", *rows))
    assert timeline.exact_peak.rss == 40 * MIB
    assert timeline.exact_peak.time == pytest.approx(0.3, abs=0.001)
    assert [sample.rss for sample in timeline.children[77]] == [5 * MIB]


def test_only_the_newest_stay(tmp_path: Path) -> None:
    for pid in range(1, kept.MAX_KEPT + 3):
        kept_from(tmp_path / "records", (1.0, MIB, 0), pid=pid)
    assert len(kept.paths()) == kept.MAX_KEPT
    assert [load(path).session.outcome.split()[1] for path in kept.paths()][-1] == str(kept.MAX_KEPT + 2)


def test_nothing_is_written_without_samples(tmp_path: Path) -> None:
    assert kept_from(tmp_path / "records") is None
    assert not kept.folder().exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    kept.folder().mkdir()
    kept.folder().chmod(0o777)
    (kept.folder() / "died_20260101000000_1.dat").write_text("MEM 1.0 1.0\n")
    assert kept.paths() == []
    assert kept_from(tmp_path / "records", (1.0, MIB, 0)) is None


def test_a_damaged_death_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    path.write_text("DIED today\nMEM 1.0 1.0\n")
    with pytest.raises(RecordingError, match="line 1 is no DIED record"):
        load(path)
