"""The measurements as context managers and decorators, as a script uses them."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import pickle
import pstats
import re
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path

import pytest

import jupyter_profkit
from jupyter_profkit import cprofile, last, memprofile, mprof, objleaks, objrefs, profile
from jupyter_profkit.api import Profiler
from jupyter_profkit.cells.comparison import find_earlier
from jupyter_profkit.errors import EngineBusyError, OptionError, TargetError
from tests.builders import MB

SLACK = 600_000


def about(n_megabytes: float) -> object:
    return pytest.approx(n_megabytes * MB, abs=SLACK)


def make(n: int) -> bytearray:
    block = bytearray(n)
    return block


def test_every_public_name_is_there() -> None:
    for name in jupyter_profkit.__all__:
        assert getattr(jupyter_profkit, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        jupyter_profkit.nothing


@pytest.mark.parametrize("options", [{}, {"no_heap": True}, {"no_lines": True, "heap": True}], ids=str)
def test_the_curve_of_a_block_is_that_of_the_block_alone(options: dict[str, bool]) -> None:
    with memprofile(**options) as p:
        time.sleep(0.2)
    times = [sample.time for sample in p.timeline.main]
    assert times[0] == 0.0
    assert 0.2 <= times[-1] < p.result.session.duration + 5


def test_a_block_has_its_peak_and_increment_and_the_lines_of_what_it_calls() -> None:
    with memprofile(precision=2) as p:
        kept = make(20_000_000)
        gone = len(make(30_000_000))
    assert p.increment == about(20)
    assert p.peak == about(50)
    table = p.to_dataframe().set_index("source")
    assert table.loc["        kept = make(20_000_000)", "increment"] == about(20)
    assert table.loc["    block = bytearray(n)", "increment"] == about(50)
    assert p.timeline.samples
    assert last() is p.result
    del kept, gone


def test_a_block_that_raises_has_a_partial_result_and_the_error_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), memprofile() as p:
        1 / 0
    assert p.session.outcome == "ZeroDivisionError"


def test_a_result_before_the_end_of_its_block_says_what_is_missing() -> None:
    with cprofile() as p, pytest.raises(TargetError, match="when the with block has ended"):
        p.stats


def test_time_of_a_block() -> None:
    with cprofile(s="cumtime") as p:
        sorted(range(1000), key=lambda x: -x)
    assert isinstance(p.stats, pstats.Stats)
    calls = {row.function: row.ncalls for row in p.to_dataframe().itertuples()}
    assert next(count for name, count in calls.items() if "lambda" in name) == 1000


def test_memory_over_time_of_a_block(tmp_path: Path) -> None:
    with mprof(interval=0.001) as p:
        sum([1] * 10_000_000)
    assert p.peak.rss - p.main[0].rss == pytest.approx(80 * MB, rel=0.1)
    assert {"time", "rss", "pid"} <= set(p.to_dataframe().columns)
    path = p.save(tmp_path / "run.dat")
    assert jupyter_profkit.load(path).peak.rss == pytest.approx(p.peak.rss, abs=1)


def test_references_of_an_object() -> None:
    x: list[object] = []
    y = [x, [x], {"x": x}]
    graph = objrefs(x, back=True, max_depth=3)
    assert len(graph.nodes) >= 4
    assert graph.to_dot().startswith("digraph")
    assert graph.to_svg().lstrip().startswith("<")
    assert graph.to_png().startswith(b"\x89PNG")
    del y


def test_references_take_the_options_of_the_magic_and_no_others() -> None:
    x = [[[1.5]]]
    assert len(objrefs(x, max_depth=1).nodes) == len(objrefs(x, d=1, extra_ignore=[x[0][0]]).nodes) == 2
    with pytest.raises(OptionError, match="objrefs has no option 'bad'"):
        objrefs(x, bad=1)
    with pytest.raises(OptionError, match="--max-depth takes"):
        objrefs(x, max_depth="deep")
    taught = objrefs(x, x, teach=True)
    assert taught.after.variables[0].target == taught.after.variables[1].target
    for refused in ({"diff": True}, {"teach": True, "back": True}):
        with pytest.raises(OptionError):
            objrefs(x, **refused)


@pytest.mark.parametrize("profiler", [memprofile, cprofile, mprof])
def test_an_unknown_keyword_is_refused(profiler: type) -> None:
    with pytest.raises(OptionError, match="has no option 'lmit'"):
        profiler(lmit=3)


def test_a_decorated_function_is_measured_at_each_call() -> None:
    measured = memprofile()
    function = measured(make)
    assert len(function(8_000_000)) == 8_000_000
    assert measured.peak == about(8)
    assert function.__name__ == "make"


def test_profile_prints_the_line_table_when_the_function_returns() -> None:
    stream = io.StringIO()

    @profile(stream=stream, precision=4)
    def foo():
        block = bytearray(10_485_760)
        return sum(range(10000)) + 0 * len(block)

    assert foo() == 49995000
    text = stream.getvalue()
    (line,) = [line.lstrip("▸ ") for line in text.splitlines() if "block = bytearray" in line]
    assert "10.0" in line
    assert len(line.split()[1].split(".")[1]) == 4
    assert "Line Contents" in text


def test_profile_works_on_generators_coroutines_and_methods() -> None:
    stream = io.StringIO()

    class Worker:
        @profile(stream=stream)
        def method(self):
            return "method"

    @profile(stream=stream)
    def generate():
        received = yield 1
        return received

    @profile(stream=stream)
    async def run():
        await asyncio.sleep(0)
        return "coroutine"

    assert Worker().method() == "method"
    generator = generate()
    assert next(generator) == 1
    with pytest.raises(StopIteration) as ended:
        generator.send("sent")
    assert ended.value.value == "sent"
    assert asyncio.run(run()) == "coroutine"
    assert stream.getvalue().count("%%memprofile") == 3


def test_a_profiled_function_inside_another_is_in_the_same_report() -> None:
    stream = io.StringIO()

    @profile(stream=stream)
    def inner():
        return bytearray(3_000_000)

    @profile(stream=stream)
    def outer():
        return [inner(), inner()]

    outer()
    assert stream.getvalue().count("%%memprofile") == 1
    assert "return bytearray(3_000_000)" in stream.getvalue()


@pytest.mark.process
def test_a_profiled_function_runs_also_where_it_cannot_be_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: object) -> None:
        raise EngineBusyError("sys.settrace is held by pdb; stop it and run again")

    monkeypatch.setattr("jupyter_profkit.cells.line_memory.LineMemoryMeasurement.start", refuse)

    @profile
    def foo() -> int:
        return 42

    assert foo() == 42
    assert capsys.readouterr().err.endswith(
        "runs without @profile: sys.settrace is held by pdb; stop it and run again\n"
    )


def test_a_plain_script_needs_nothing_but_the_import(tmp_path: Path) -> None:
    script = tmp_path / "memory_test.py"
    script.write_text(
        textwrap.dedent(
            """
            from jupyter_profkit import profile

            @profile(precision=4)
            def foo():
                total = sum(range(10000))
                return total

            print("answer", foo())
            """
        )
    )
    root = str(Path(jupyter_profkit.__file__).parent.parent)
    answer = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env={"PYTHONPATH": root}, cwd=tmp_path
    )
    assert "answer 49995000" in answer.stdout
    assert "total = sum(range(10000))" in answer.stdout
    assert answer.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory_test.py"]


def test_a_block_and_a_profiled_function_are_shown_beside_an_earlier_run() -> None:
    def run(stream: io.StringIO, **options: object) -> None:
        profile(make, stream=stream, **options)(1_000_000)

    with memprofile(no_heap=True) as before:
        make(1_000_000)
    with memprofile(no_heap=True, compare=before.result) as after:
        make(3_000_000)
    assert "Compared with" in after._repr_mimebundle_()["text/plain"]
    text = io.StringIO()
    run(text, no_heap=True, compare=before.result)
    assert "Compared with" in text.getvalue()
    with pytest.raises(OptionError, match="there is no variable and no file of that name"):
        memprofile(compare="nothing")


@pytest.mark.parametrize("profiler", [cprofile, memprofile])
def test_a_block_stands_for_its_result_wherever_another_run_is_asked_for(profiler: type[Profiler]) -> None:
    options = {"no_heap": True} if profiler is memprofile else {}
    before = profiler(**options)
    assert str(before) == repr(before)
    with pytest.raises(OptionError, match="nothing is measured yet"):
        profiler(compare=before)
    with before:
        make(1_000_000)
    with profiler(**options, compare=before) as after:
        make(3_000_000)
    expected = before.result.diff(after.result)
    assert before.diff(after) == before.result.diff(after) == before.diff(after.result) == expected
    assert "Compared with" in after._repr_mimebundle_()["text/plain"]
    assert "Compared with" in str(after)
    assert str(before) == str(before.result) == str(before.report())
    assert find_earlier("p", {"p": before}, profiler.kind) is before.result
    with mprof() as other:
        pass
    with pytest.raises(OptionError, match="not with MemoryTimeline"):
        before.diff(other)


def test_a_function_is_repeated_and_its_last_value_returned() -> None:
    seen: list[int] = []

    def work(step: int) -> int:
        seen.append(step)
        return len(seen)

    p = memprofile(repeat=3, no_heap=True)
    assert p.run(work, 7) == 3
    assert memprofile(repeat=2, no_heap=True)(work)(8) == 5
    assert seen == [7, 7, 7, 8, 8]
    (row,) = [record for _, record in p.result.lines() if "seen.append" in record.source]
    assert row.occurrences == 3


def test_a_with_block_cannot_be_repeated_and_says_what_can() -> None:
    with pytest.raises(OptionError, match=r"a with block runs once.*\.run\(function"):
        with memprofile(repeat=3):
            raise AssertionError("the block was entered")
    with pytest.raises(OptionError, match="measures each call"):
        profile(repeat=3)


def test_a_block_tells_what_it_leaves_behind():
    with objleaks() as left:
        kept = [[n] for n in range(100)]
        cycle = [1]
        cycle.append(cycle)
        del cycle
    assert [(one.type, one.count) for one in left.records if one.kind != "cycle"] == [("list", 101)]
    assert [(one.n_cycles, one.edges[0].label) for one in left.cycles] == [(1, "[1]")]
    assert len(kept) == 100
    assert last() is left.result


def test_a_decorated_function_is_repeated_and_its_leaks_are_told():
    kept = []

    @objleaks(repeat=4)
    def work():
        kept.append([1])
        fresh = [[] for _ in range(10)]
        fresh.clear()

    work()
    assert [(one.type, one.counts) for one in last("leaks").leaks] == [("list", (1, 2, 3, 4))]


def test_a_block_with_nothing_in_it_leaves_nothing():
    for _ in range(3):
        with objleaks() as left:
            pass
        assert left.records == ()


CAUSES = """
import mmap
import numpy as np
from jupyter_profkit import memprofile

def show(name, p):
    print(name, "|", " ".join(p.result.report().notes))

with memprofile() as p:
    array = np.zeros(60_000_000, "u1")
show("untouched", p)
with memprofile() as p:
    region = mmap.mmap(-1, 60_000_000)
    region.write(b"x" * 60_000_000)
show("no heap", p)
with memprofile() as p:
    blocks = [bytearray(100_000) for _ in range(600)]
    last = bytearray(100_000)  # above them, so that they cannot be given back
    del blocks
show("kept by the allocator", p)
with memprofile() as p:
    again = [bytearray(100_000) for _ in range(500)]
show("reused", p)
with memprofile() as p:
    both = bytearray(60_000_000)
show("agree", p)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="not tried on Windows or macOS")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="this memray can crash Python 3.12 as it stops")
def test_each_cause_of_a_difference_between_heap_and_resident_memory_is_named(tmp_path: Path) -> None:
    script = tmp_path / "causes.py"
    script.write_text(CAUSES)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    said = dict(line.split(" | ") for line in done.stdout.splitlines())
    assert "57.2 MiB of the heap never became resident: its pages have not been touched yet" in said["untouched"]
    assert "57.2 MiB became resident without being on the run's heap" in said["no heap"]
    assert "stayed resident though it was freed: the allocator keeps it" in said["kept by the allocator"]
    assert "47.7 MiB of the heap needed no new memory: it reused memory that was freed before" in said["reused"]
    assert said["agree"] == ""


class Big:
    """Something of the user's that is to go with the function."""


def measured_beside_something_big(tool: type[Profiler]) -> tuple[Profiler, weakref.ref[Big]]:
    big = Big()
    with tool() as p:
        n = sum(range(10))
    assert n == 45
    return p, weakref.ref(big)


@pytest.mark.parametrize("tool", [memprofile, cprofile, mprof, objleaks])
def test_a_result_keeps_none_of_the_variables_around_its_block(tool: type[Profiler]) -> None:
    gc.disable()
    try:
        p, big = measured_beside_something_big(tool)
        assert big() is None
    finally:
        gc.enable()
    assert p.result.session.outcome == "ok"


@pytest.mark.parametrize("tool", [memprofile, cprofile, mprof, objleaks])
def test_a_block_can_be_copied_and_pickled_for_its_result(tool: type[Profiler]) -> None:
    p, _ = measured_beside_something_big(tool)
    for other in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert other.result == p.result


def test_a_block_is_shown_as_its_options_say() -> None:
    with memprofile(precision=3, rows=1, no_heap=True) as p:
        kept = [0] * 100_000
        del kept
    assert "lines not shown" in str(p)
    assert re.search(r"^Peak \d\.\d{3} MiB above the start", str(p), re.MULTILINE)
    assert p._repr_mimebundle_()["text/plain"] == str(p)
    with cprofile(sort="cumulative", limit=1) as times:
        len(str(sum(range(10))))
    assert "Functions by cumulative time" in str(times)
    with mprof(title="what it is") as curve:
        time.sleep(0.01)
    assert "what it is" in str(curve)
    with objleaks(limit=1) as left:
        more = [[1], {2: []}]
    assert more
    assert "1 more row" in str(left)


def test_a_block_writes_the_files_that_its_options_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with cprofile(dump=("a.prof", "a.html"), text_file="a.txt", sort="cumulative") as p:
        len(str(sum(range(10))))
    assert pstats.Stats("a.prof").total_calls == p.result.ncalls
    assert "Functions by cumulative time" in Path("a.html").read_text()
    assert Path("a.txt").read_text() == f"{p}\n"
    with mprof(dump="b.png"), memprofile(dump="c.json", no_heap=True) as lines:
        make(10 * MB)
    assert Path("b.png").read_bytes().startswith(b"\x89PNG")
    assert jupyter_profkit.load("c.json") == lines.result
    objrefs([1], dump="d.svg")
    assert "<svg" in Path("d.svg").read_text()

    @profile(dump="e.csv", stream=io.StringIO(), no_heap=True)
    def work() -> None:
        make(10 * MB)

    work()
    assert Path("e.csv").read_text().startswith("function,")
    assert capsys.readouterr() == ("", "")


def test_a_block_whose_file_cannot_be_written_ends_as_it_would(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), cprofile(dump="no/such/folder/run.json"):
        1 / 0
    assert capsys.readouterr().err == "jupyter_profkit: no/such/folder/run.json: No such file or directory\n"
    with pytest.raises(OptionError, match="the suffix must be one of"):
        cprofile(dump="run.xyz")


def test_what_only_a_notebook_has_is_no_keyword() -> None:
    for tool in (memprofile, cprofile, mprof, objleaks, objrefs, profile):
        with pytest.raises(OptionError, match="has no option 'variable'; it has "):
            tool(variable="p")


def test_the_help_of_a_tool_has_its_keywords() -> None:
    for tool in (memprofile, cprofile, mprof, objleaks):
        assert "\ndump : write the result in the format of the suffix" in (tool.__doc__ or "")
    assert "\nprecision : digits after the point of MiB (default 1)\n" in (memprofile.__doc__ or "")
