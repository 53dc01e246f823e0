"""Another user's process: what the system shows of it is recorded, and it lives on."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import jupyter_profkit
from jupyter_profkit.engines import sampler
from jupyter_profkit.engines.timeline import check_process
from jupyter_profkit.errors import TargetError

pytestmark = pytest.mark.process

ROOT = str(Path(jupyter_profkit.__file__).parent.parent)
NOBODY = 65534


def drop_every_capability() -> Callable[[], None]:
    """What makes root a user like any other, in a program that is executed after it."""
    libc = ctypes.CDLL(None)
    return lambda: [libc.prctl(24, capability, 0, 0, 0) for capability in range(64)] and None  # PR_CAPBSET_DROP


@pytest.fixture
def theirs() -> Iterator[psutil.Process]:
    """A process of another user; for root one is started, for others init is one."""
    if sys.platform != "linux":
        pytest.skip("made for Linux' users and capabilities")
    if os.geteuid():
        if os.stat("/proc/1").st_uid == os.geteuid():
            pytest.skip("the first process belongs to this user here, and another one cannot be started without root")
        yield psutil.Process(1)
        return
    process = subprocess.Popen(["sleep", "60"], user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait(10)


def attach(pid: int, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As a user who has no rights over `pid`."""
    return subprocess.run(
        [sys.executable, "-m", "jupyter_profkit", "attach", "--timeout", "0.3", *options, str(pid)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ROOT, "COLUMNS": "140"},
        preexec_fn=None if os.geteuid() else drop_every_capability(),
    )


def helpers_of(pid: int) -> list[int]:
    found = [process for process in psutil.process_iter(["cmdline"]) if str(pid) in (process.info["cmdline"] or [])]
    return [process.pid for process in found if "sampler.py" in " ".join(process.info["cmdline"])]


@pytest.mark.parametrize("options", [(), ("-c",), ("-M",)], ids=["alone", "summed", "each child"])
def test_a_process_of_another_user_is_only_looked_at(
    theirs: psutil.Process, tmp_path: Path, options: tuple[str, ...]
) -> None:
    born = theirs.create_time()
    done = attach(theirs.pid, tmp_path, "-o", "theirs.dat", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"process {theirs.pid} (" in done.stdout
    recorded = jupyter_profkit.load(tmp_path / "theirs.dat")
    assert recorded.main[0].rss == pytest.approx(theirs.memory_info().rss, rel=0.5)
    assert len(recorded.main) > 5
    assert theirs.is_running()
    assert theirs.create_time() == born
    assert not helpers_of(theirs.pid)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.dat"]


def test_what_shared_pages_count_is_said_where_the_system_keeps_it_to_itself(
    theirs: psutil.Process, tmp_path: Path
) -> None:
    assert "shared pages counted for each" in attach(theirs.pid, tmp_path, "-c").stdout


def test_a_process_that_the_system_hides_gets_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(sampler, "ProcProcess", refuse)
    monkeypatch.setattr(sampler, "PsutilProcess", refuse)
    with pytest.raises(TargetError, match=r"^process 4711 is not yours to look at$"):
        check_process(4711)


def test_a_process_that_is_gone_gets_one_clear_line_and_nothing_is_left(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(10)
    done = attach(process.pid, tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"jupyter_profkit: there is no process {process.pid}, or it has ended\n"
    assert not done.stdout
    assert not helpers_of(process.pid)
    assert not list(tmp_path.iterdir())
