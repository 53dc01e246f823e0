"""The heap by line, against allocations of known size and memray's own totals."""

from __future__ import annotations

import itertools
import linecache
import os
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import parse as parse_version

from jupyter_profkit.engines.heap import HeapEngine, HeapFigures, bytes_free_to_reuse, with_heap
from jupyter_profkit.engines.line_memory import LineMemoryEngine
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError
from jupyter_profkit.source import register_lines

memray = pytest.importorskip("memray", reason="memray does not run on this system")

if sys.version_info[:2] == (3, 12) and parse_version(memray.__version__) <= parse_version("1.20.0"):
    pytest.skip("this memray can crash Python 3.12 as it stops", allow_module_level=True)

_numbers = itertools.count()
SLACK = 300_000  # headers, and what the interpreter itself asks for


def about(n_bytes: int) -> object:
    return pytest.approx(n_bytes, abs=SLACK)


def measure(source: str, scope: dict[str, Any] | None = None, *, lines: bool = False, **namespace: Any) -> Any:
    """Run `source` under the heap engine, and under the line engine if `lines` is given."""
    text = textwrap.dedent(source).strip() + "\n"
    filename = f"<%heap {next(_numbers)}>"
    register_lines(filename, text)
    code = compile(text, filename, "exec")
    scope_ = Scope(block=filename, **(scope or {}))
    heap = HeapEngine(scope_, insist=True)
    line_engine = LineMemoryEngine(scope_) if lines else None
    namespace = {"__name__": "__main__", **namespace}
    error = None
    heap.prepare()
    heap.start()
    if line_engine is not None:
        line_engine.start()
    try:
        exec(code, namespace)
    except Exception as raised:
        error = raised
    finally:
        if line_engine is not None:
            line_engine.stop()
        heap.stop()
    functions = with_heap(
        line_engine.functions() if line_engine is not None else (), heap.bill, filename, add=not lines
    )
    linecache.cache.pop(filename, None)

    def line(part: str) -> HeapFigures:
        lineno = next(n for n, written in enumerate(text.splitlines(), 1) if part in written)
        return heap.bill.lines.get((filename, lineno), HeapFigures())

    return SimpleNamespace(heap=heap, bill=heap.bill, line=line, functions=functions, error=error, namespace=namespace)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that run beside these have folders of their own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def temporary_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("jupyter_profkit_heap_*"))


def test_a_line_has_what_it_held_at_the_peak_and_what_it_kept() -> None:
    run = measure(
        """
        kept = bytearray(20_000_000)
        gone = bytearray(64_000_000)
        del gone
        late = bytearray(5_000_000)
        """
    )
    assert (run.line("kept").at_peak, run.line("kept").kept) == (about(20_000_000), about(20_000_000))
    assert (run.line("gone").at_peak, run.line("gone").kept) == (about(64_000_000), about(0))
    assert (run.line("late").at_peak, run.line("late").kept) == (about(0), about(5_000_000))
    assert run.bill.peak == about(84_000_000)
    assert run.bill.kept == about(25_000_000)


def test_arrays_are_billed_to_the_line_that_made_them_whether_touched_or_not() -> None:
    numpy = pytest.importorskip("numpy")
    run = measure(
        """
        ones = np.ones(8_000_000)
        untouched = np.zeros(2_000_000)
        mean = (ones * 2).mean()
        """,
        np=numpy,
    )
    assert run.line("ones = ").kept == pytest.approx(64_000_000, abs=20_000)
    assert run.line("untouched").kept == pytest.approx(16_000_000, abs=20_000)
    assert run.line("mean").at_peak == pytest.approx(64_000_000, abs=20_000)
    assert run.line("mean").kept < 100_000


def test_library_calls_count_on_the_innermost_line_of_the_users() -> None:
    run = measure(
        """
        import json
        def load(n):
            return json.loads('["' + 'x' * n + '"]')
        data = load(30_000_000)
        """
    )
    assert run.line("return json").kept == about(30_000_000)
    assert run.line("data = ").kept == about(0)


def test_a_statement_over_several_lines_has_its_figures_on_the_first() -> None:
    run = measure(
        """
        rows = [
            bytearray(1_000_000)
            for _ in range(24)
        ]
        """
    )
    assert run.line("rows = [").kept == about(24_000_000)


def test_threads_are_billed_on_their_own_lines() -> None:
    run = measure(
        """
        import threading
        kept = []
        def work(n):
            kept.append(bytearray(n))
        threads = [threading.Thread(target=work, args=(n,)) for n in (6_000_000, 4_000_000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )
    assert run.line("kept.append").kept == about(10_000_000)


def test_a_thread_that_runs_already_is_billed_too() -> None:
    go, done = threading.Event(), threading.Event()
    kept: list[bytearray] = []

    def work() -> None:
        go.wait()
        kept.append(bytearray(9_000_000))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    run = measure("go.set()\ndone.wait()", go=go, done=done)
    thread.join()
    ((place, figures),) = [item for item in run.bill.lines.items() if item[1].kept > 5_000_000]
    assert place[0] == __file__
    assert figures.kept == about(9_000_000)


def test_generators_and_coroutines_are_billed_on_their_own_lines() -> None:
    run = measure(
        """
        import asyncio
        def gen():
            yield bytearray(3_000_000)
        async def wait():
            await asyncio.sleep(0.001)
            return bytearray(5_000_000)
        a = list(gen())
        b = asyncio.run(wait())
        """
    )
    assert run.line("yield").kept == about(3_000_000)
    assert run.line("return bytearray").kept == about(5_000_000)


def test_excluded_functions_count_on_the_line_that_calls_them() -> None:
    source = """
        class Box:
            def hidden(self):
                return bytearray(6_000_000)
        kept = Box().hidden()
        """
    assert measure(source, {"exclude": ("Box.hid*",)}).line("kept = ").kept == about(6_000_000)
    assert measure(source).line("return").kept == about(6_000_000)


def test_named_libraries_are_billed_by_themselves() -> None:
    run = measure("import textwrap\nkept = textwrap.indent('y' * 8_000_000, 'z')", {"modules": ("textwrap",)})
    assert any(filename.endswith("textwrap.py") for filename, _ in run.bill.lines)


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


def test_what_the_line_engine_allocates_is_on_no_line_of_the_users() -> None:
    run = measure("n = 0\nfor i in range(20_000):\n    n += 1\nkept = bytearray(4_000_000)", lines=True)
    assert run.line("kept").kept == about(4_000_000)
    assert run.line("n += 1").kept < SLACK
    assert run.bill.peak == about(4_000_000)


def test_both_halves_meet_on_the_same_rows() -> None:
    run = measure(
        """
        def make(n):
            block = bytearray(n)
            return block
        kept = [
            make(3_000_000)
            for _ in range(4)
        ]
        """,
        lines=True,
    )
    cell, make = run.functions
    assert [(r.lineno, r.kept) for r in make.records if r.occurrences] == [(2, about(12_000_000)), (3, about(0))]
    assert make.records[1].increment == pytest.approx(12_000_000, abs=600_000)
    assert [r.lineno for r in cell.records if r.seen] == [1, 4]


def test_without_lines_the_functions_are_found_in_the_source() -> None:
    run = measure(
        """
        class Box:
            @staticmethod
            def make(n):
                def inner():
                    return bytearray(n)
                return inner()
        first = bytearray(2_000_000)
        kept = Box.make(3_000_000)
        """
    )
    heavy = {lines.function: lines for lines in run.functions if any((r.kept or 0) > 1_000_000 for r in lines.records)}
    assert list(heavy) == ["<module>", "Box.make.<locals>.inner"]
    assert [record.lineno for record in heavy["Box.make.<locals>.inner"].records] == [4, 5]
    assert len(heavy["<module>"].records) == 8


def test_address_space_that_is_mapped_directly_is_no_heap() -> None:
    run = measure("import mmap\nspace = mmap.mmap(-1, 1 << 30)\nkept = bytearray(3_000_000)")
    assert run.bill.mapped == 1 << 30
    assert run.bill.peak == about(3_000_000)
    run.namespace["space"].close()


def test_small_objects_count_as_arenas() -> None:
    run = measure("kept = [(n, n) for n in range(1_000_000)]")  # more than other tests have left free
    assert run.line("kept").kept == pytest.approx(1_000_000 * 80, rel=0.35)


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


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc tells")
def test_what_the_allocator_holds_free_is_known() -> None:
    before = bytes_free_to_reuse()
    assert before is not None
    blocks = [bytearray(100_000) for _ in range(200)]
    hold = bytearray(100_000)
    del blocks
    assert bytes_free_to_reuse() - before > 10_000_000
    del hold


def paths(run) -> dict[tuple[str, ...], int]:
    """Bytes at the peak by call path."""
    return {tuple(frame.function for frame in path): round(weight) for path, weight in run.bill.stacks.stacks()}


def test_call_paths_say_who_asked_for_what_was_live_at_the_peak() -> None:
    run = measure(
        """
        import json
        def make(n):
            return bytearray(n)
        def twice(n):
            return [make(n), make(n)]
        small = make(8_000_000)
        large = twice(16_000_000)
        text = json.loads('["' + 'x' * 40_000_000 + '"]')
        """
    )
    found = paths(run)
    assert found["small = make(8_000_000)", "make"] == about(8_000_000)
    assert found["large = twice(16_000_000)", "twice", "make"] == about(32_000_000)
    (library,) = [path for path in found if path[0].startswith("text = ") and len(path) == 2]
    assert found[library] == about(40_000_000)
    assert sum(found.values()) == run.bill.peak
    assert run.bill.stacks.unit == "bytes"


def test_a_recursion_is_one_frame_of_the_call_paths() -> None:
    run = measure(
        """
        def nest(n, size):
            return nest(n - 1, size) if n else bytearray(size)
        kept = nest(50, 8_000_000)
        """
    )
    assert paths(run)["kept = nest(50, 8_000_000)", "nest"] == about(8_000_000)
