"""The heap engine: memray's own totals, and other profilers, forks and faults beside it."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from jupyter_profkit.engines.heap import HeapEngine
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError
from tests.heaps import SLACK, about, measure, memray


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that run beside these have folders of their own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def temporary_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("jupyter_profkit_heap_*"))


def test_the_totals_are_memrays_own() -> None:
    path = Path(tempfile.mkdtemp()) / "own.bin"
    with memray.Tracker(path):
        ours = [bytearray(2_000_000) for _ in range(10)]
        del ours[3:]
    own = memray.FileReader(path).metadata.peak_memory
    path.unlink()
    path.parent.rmdir()
    run = measure("x = [bytearray(2_000_000) for _ in range(10)]\ndel x[3:]")
    assert run.bill.peak == pytest.approx(own, abs=SLACK)
    assert run.bill.kept == about(6_000_000)


def test_an_exception_keeps_the_figures() -> None:
    run = measure("kept = bytearray(7_000_000)\n1 / 0")
    assert isinstance(run.error, ZeroDivisionError)
    assert run.line("kept").kept == about(7_000_000)


def test_a_forked_child_changes_nothing_for_its_parent() -> None:
    run = measure(
        """
        import os
        pid = os.fork()
        if not pid:
            big = bytearray(50_000_000)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        kept = bytearray(4_000_000)
        """
    )
    assert run.namespace["status"] == 0
    assert run.bill.peak == about(4_000_000)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_an_engine_that_a_child_stops_leaves_the_parents_file_alone() -> None:
    heap = HeapEngine(Scope(), insist=True)
    heap.prepare()
    heap.start()
    pid = os.fork()
    if not pid:
        heap.stop()
        heap.discard()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    kept = bytearray(5_000_000)
    heap.stop()
    assert heap.bill.kept == about(len(kept))


def test_a_second_tracker_is_refused_and_the_first_goes_on() -> None:
    first, second = HeapEngine(Scope(), insist=True), HeapEngine(Scope(), insist=True)
    first.prepare()
    first.start()
    second.prepare()
    with pytest.raises(EngineBusyError, match="No more than one Tracker"):
        second.start()
    second.stop()
    kept = bytearray(3_000_000)
    first.stop()
    assert first.bill.kept == about(len(kept))
    assert temporary_folders() == []


def test_code_that_uses_memray_itself_is_left_to_it() -> None:
    with pytest.raises(EngineBusyError, match="uses memray itself"):
        measure("import memray")
    assert temporary_folders() == []


def test_a_profile_function_that_is_there_already_is_not_disturbed() -> None:
    def hook(*_: object) -> None: ...

    sys.setprofile(hook)
    try:
        with pytest.raises(EngineBusyError, match=r"sys\.setprofile is held by"):
            measure("x = 1")
        assert sys.getprofile() is hook
    finally:
        sys.setprofile(None)


def test_profile_functions_that_the_code_sets_stay_set() -> None:
    def hook(*_: object) -> None: ...

    measure("import sys, threading\nthreading.setprofile(hook)\nsys.setprofile(hook)", hook=hook)
    left = sys.getprofile(), threading.getprofile()
    sys.setprofile(None)
    threading.setprofile(None)
    assert left == (hook, hook)


def test_another_profiler_in_the_code_costs_lines_and_nothing_else() -> None:
    run = measure(
        "import cProfile\nwith cProfile.Profile() as p:\n    kept = [bytearray(4_000_000)]\np.create_stats()\nn = len(p.stats)"
    )
    assert run.error is None
    assert run.namespace["n"] > 0
    assert run.bill.kept == about(4_000_000)


def test_python_3_12_is_not_risked_with_a_memray_that_may_crash_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(memray, "__version__", "1.20.0")
    with pytest.raises(MissingDependencyError, match=r"can crash Python 3\.12"):
        HeapEngine(Scope()).prepare()


def test_where_memray_is_missing_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memray", None)
    with pytest.raises(MissingDependencyError, match="memray is not to be had here"):
        HeapEngine(Scope()).prepare()


def test_a_record_that_cannot_be_read_is_told_and_not_raised() -> None:
    heap = HeapEngine(Scope(), insist=True)
    heap.prepare()
    heap.start()
    for folder in temporary_folders():
        (folder / "heap.bin").unlink()
    heap.stop()
    assert "could not be read" in heap.failure
    assert temporary_folders() == []


def test_nothing_is_left_in_the_temporary_folder() -> None:
    measure("x = bytearray(1_000_000)")
    assert temporary_folders() == []
