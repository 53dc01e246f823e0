"""Who is billed for the heap, against allocations of known size."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

from jupyter_profkit.engines.heap_mappings import _mapped_in
from tests.heaps import about, measure


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


def test_address_space_that_is_mapped_directly_is_no_heap() -> None:
    run = measure("import mmap\nspace = mmap.mmap(-1, 1 << 30)\nkept = bytearray(3_000_000)")
    assert run.bill.mapped == 1 << 30
    assert run.bill.peak == about(3_000_000)
    run.namespace["space"].close()


def test_address_space_that_is_mapped_beside_allocations_of_one_stack_is_no_heap() -> None:
    pytest.importorskip("pyarrow")
    code = """
        import sys
        sys.path[:] = {paths!r}
        from tests.heaps import measure
        import numpy, pandas
        run = measure("frame = pandas.DataFrame({{'k': numpy.arange(10)}})", pandas=pandas, numpy=numpy)
        print(run.bill.mapped, run.bill.peak, run.bill.kept)
    """
    command = [sys.executable, "-c", textwrap.dedent(code).format(paths=sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mapped, peak, kept = map(int, done.stdout.split())
    assert mapped >= 1 << 30  # pyarrow's allocator reserves that in its first call
    assert max(peak, kept) < 50_000_000


def test_mapped_memory_is_told_from_what_was_allocated_by_the_same_stack() -> None:
    text = (
        "AGGREGATED_ALLOCATION tid=1 allocator=mmap native_frame_id=0 python_frame_id=14 native_segment_generation=0 "
        "n_allocations_in_high_water_mark=2 n_allocations_leaked=1 bytes_in_high_water_mark=70000000 bytes_leaked=60000000\n"
        "AGGREGATED_ALLOCATION tid=2 allocator=malloc native_frame_id=0 python_frame_id=14 native_segment_generation=0 "
        "n_allocations_in_high_water_mark=3 n_allocations_leaked=2 bytes_in_high_water_mark=500 bytes_leaked=300\n"
        "AGGREGATED_ALLOCATION tid=1 allocator=mmap native_frame_id=0 python_frame_id=15 native_segment_generation=0 "
        "n_allocations_in_high_water_mark=2 n_allocations_leaked=2 bytes_in_high_water_mark=2097152 bytes_leaked=2097152\n"
    )
    assert _mapped_in(text) == {70_000_500: 70_000_000, 60_000_300: 60_000_000, 2_097_152: 0}


def test_small_objects_count_as_arenas() -> None:
    run = measure("kept = [(n, n) for n in range(1_000_000)]")  # more than other tests have left free
    assert run.line("kept").kept == pytest.approx(1_000_000 * 80, rel=0.35)


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
