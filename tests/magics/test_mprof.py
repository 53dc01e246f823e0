"""``%mprof_plot``, ``%%mprof_plot`` and ``%mprof_run`` in a real kernel."""

from __future__ import annotations

import ast
import base64
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_profkit.cells.place import NOTHING
from tests.kernels import Kernel, running_kernel

pytestmark = [pytest.mark.kernel]

SCRIPT = """\
@profile
def foo():
    block = bytearray(60 << 20)
    return sum(range(10000))

print("out", flush=True)
print(foo())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def kernel(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """With temporary files of its own, where no other kernel has died."""
    (folder / "memory_test.py").write_text(SCRIPT)
    (folder / "fails.py").write_text("import sys\nprint('before')\nsys.exit(3)\n")
    (folder / "slow.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    (folder / "rests.py").write_text("import time\ntime.sleep(1.8)\n")
    (folder / "notes.txt").write_text("these are notes\n")
    (folder / "empty.dat").write_text("")
    with running_kernel(folder, TMPDIR=str(tmp_path_factory.mktemp("temporary"))) as running:
        yield running


@pytest.fixture(autouse=True)
def no_helper_stays(kernel: Kernel) -> Iterator[None]:
    yield
    assert kernel.value("[c.name() for c in __import__('psutil').Process().children()]") == "[]"


def peak_above_start(report: str) -> float:
    return float(re.search(r"([\d.]+) MiB above the start", report)[1])


def test_nothing_recorded_yet_is_one_clear_line(kernel: Kernel) -> None:
    reply = kernel.run("%mprof_plot")
    assert "no recording yet; run a cell with %%mprof_plot" in reply.stderr
    assert not reply.displays


def test_a_cell_is_recorded_with_its_true_peak_and_drawn(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot\nx = sum([1] * 20_000_000)\nx")
    assert reply.value == "20000000"
    (report,) = reply.reports
    assert peak_above_start(report) == pytest.approx(152.6, rel=0.05)
    assert "high-water mark" in report
    (bundle,) = reply.displays
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "data:image/png;base64," in bundle["text/html"]
    assert sum(map(len, bundle.values())) < 200_000


def test_the_peak_has_its_line_however_short_it_was(kernel: Kernel) -> None:
    cell = "%%mprof_plot -T 1\nimport time\nx = [\n    0\n]\nfor _ in range(3):\n    y = bytearray(90 << 20); del y\ntime.sleep(0.05)\nz = 1"
    reply = kernel.run(cell)
    assert re.search(r"Peak [\d.]+ MiB at [\d.]+ m?s, In \[\d+\] line 6, ", reply.reports[0])
    assert kernel.value("'run_code' in vars(get_ipython())") == "False"
    failing = kernel.run("%%mprof_plot\na = 1\nb = bytearray(90 << 20); 1 / 0")
    assert re.search(r", In \[\d+\] line 3, ", failing.reports[0])
    assert len(failing.errors) == 1
    assert "statement_clock" not in failing.traceback
    assert kernel.value("'run_code' in vars(get_ipython())") == "False"


def test_the_last_run_is_shown_again_with_other_options(kernel: Kernel) -> None:
    kernel.run("%%mprof_plot -q\ny = bytearray(30 << 20); del y")
    reply = kernel.run("%mprof_plot -s -t 'a title' -n -f -w 0,10")
    assert "slope" in reply.reports[0]
    assert "a title" in reply.reports[0]


def test_a_profiled_cell_is_the_last_run_too(kernel: Kernel) -> None:
    kernel.run("%%memprofile\nz = sum([1] * 10_000_000)")
    (report,) = kernel.run("%mprof_plot").reports
    assert peak_above_start(report) == pytest.approx(76.3, rel=0.05)


def test_the_functions_of_a_profiled_cell_are_marked(kernel: Kernel) -> None:
    kernel.run(
        "def load(n):\n    return bytearray(n << 20)\ndef work():\n    kept = [load(40), load(60)]\n    return len(kept)"
    )
    kernel.run("%%memprofile -v run -q --no-heap\nwork()")
    marks = kernel.value("[(m.label, m.level, round((m.rss_end - m.rss_start) / 2**20)) for m in run.timeline.marks]")
    assert marks == "[('work', 0, 100), ('load', 1, 40), ('load', 1, 60)]"
    report = kernel.run("%mprof_plot").reports[0]
    assert re.search(r"^\W*work +1 ", report, re.MULTILINE)
    assert re.search(r"^\W*load +2 ", report, re.MULTILINE)
    assert re.search(r"at [\d.]+ m?s, In \[\d+\] line 2", report)


def test_options_bind_return_and_write(kernel: Kernel, folder: Path) -> None:
    reply = kernel.run("%%mprof_plot -v run -q -T 0.001 -o run.dat -o run.png -o run.svg -o run.json -o run.csv\npass")
    assert not reply.displays
    assert reply.stdout.count("wrote run.") == 5
    assert kernel.value("type(run).__name__, run.interval") == "('MemoryTimeline', 0.001)"
    assert (folder / "run.dat").read_text().startswith("CMDLINE ")
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "run.svg").read_text()
    kernel.run("again = %mprof_plot -r -q run.dat")
    assert kernel.value("abs(again.peak.rss - run.peak.rss) < 10") == "True"
    kernel.run("same = %mprof_plot -r -q run.json")
    assert kernel.value("same == run") == "True"


def test_a_script_runs_streams_is_recorded_and_marked(kernel: Kernel, folder: Path) -> None:
    before = sorted(folder.iterdir())
    reply = kernel.run("run = %mprof_run -r memory_test.py a b")
    assert reply.status == "ok"
    assert reply.stdout == "out\n49995000\n"
    (report,) = reply.reports
    assert peak_above_start(report) >= 60
    assert "__main__.foo" in report
    assert kernel.value("run.command") == "'memory_test.py a b'"
    assert sorted(folder.iterdir()) == before
    assert "__main__.foo" in kernel.run("%mprof_plot").reports[0]


def test_a_long_script_has_a_line_on_its_progress_that_leaves_nothing(kernel: Kernel) -> None:
    reply = kernel.run("%mprof_run rests.py")
    (first, *_) = reply.displays
    assert re.fullmatch(r"rests\.py  1 s  \d+\.\d MiB", first["text/plain"])
    assert 2 <= len(reply.updates) <= 6
    assert all(re.match(r"rests\.py  \d s", bundle["text/plain"]) for bundle in reply.updates[:-1])
    assert reply.updates[-1] == NOTHING
    assert len(reply.reports) == 1


def test_variables_of_the_notebook_can_be_arguments(kernel: Kernel) -> None:
    kernel.run("n = 3")
    assert "memory_test.py 3'" in kernel.run("run = %mprof_run -r -q memory_test.py {n}\nrun.command").value


def test_a_failing_script_is_reported_with_its_exit_code(kernel: Kernel) -> None:
    reply = kernel.run("%mprof_run fails.py")
    assert kernel.value("_exit_code") == "3"
    assert reply.status == "ok"
    assert reply.stdout == "before\n"
    assert "fails.py ended with exit code 3" in reply.reports[0]


def test_the_cell_fails_with_the_script_if_that_is_asked_for(kernel: Kernel) -> None:
    reply = kernel.run("%mprof_run -E fails.py")
    assert reply.status == "error"
    assert reply.traceback == "CalledProcessError: Command 'fails.py' returned non-zero exit status 3."
    assert "fails.py ended with exit code 3" in reply.reports[0]
    assert kernel.run("%mprof_run -E -q memory_test.py").status == "ok"
    assert kernel.value("_exit_code") == "0"


def test_an_interrupt_ends_the_script_and_the_report_is_shown(kernel: Kernel) -> None:
    reply = kernel.run("%mprof_run slow.py", interrupt_after=1.5)
    assert reply.status == "error"
    assert reply.errors[0]["ename"] == "KeyboardInterrupt"
    assert "stopped by KeyboardInterrupt" in reply.reports[-1]
    assert "ready" in reply.stdout
    assert reply.traceback == "KeyboardInterrupt: slow.py was interrupted"


def test_an_error_in_the_cell_leaves_a_partial_report(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot\nkept = 1\n1/0")
    assert reply.errors[0]["ename"] == "ZeroDivisionError"
    assert "stopped by ZeroDivisionError" in reply.reports[0]
    assert "jupyter_profkit" not in reply.traceback
    assert kernel.value("kept") == "1"


def test_a_cell_can_be_interrupted(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot\nimport time; time.sleep(30)", interrupt_after=1.0)
    assert reply.errors[0]["ename"] == "KeyboardInterrupt"
    assert "stopped by KeyboardInterrupt" in reply.reports[0]


def test_await_and_shell_commands_work_in_the_cell(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot\nimport asyncio\nawait asyncio.sleep(0.01)\n!echo shell\n'last'")
    assert reply.status == "ok"
    assert "shell" in reply.stdout
    assert reply.value == "'last'"
    assert len(reply.reports) == 1


def test_it_can_stand_over_memprofile(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot\n%%memprofile\nx = bytearray(10 << 20)")
    assert len(reply.reports) == 2


def test_several_recordings_are_laid_over_each_other(kernel: Kernel) -> None:
    kernel.run("%%mprof_plot -q -v one -o one.dat\nx = bytearray(20 << 20); del x")
    kernel.run("with __import__('jupyter_profkit').mprof() as two: pass")
    reply = kernel.run("%mprof_plot one.dat one two -o both.png")
    assert "%mprof_plot  3 recordings" in reply.reports[0]
    assert "wrote both.png" in reply.stdout
    reply = kernel.run("""%mprof_plot one -t "it's mine" two -q -v pair""")
    assert kernel.value("pair == [one, two.result]") == "True"


def test_cells_that_run_in_a_recording_are_marked(kernel: Kernel) -> None:
    before = kernel.value("{name: len(found) for name, found in get_ipython().events.callbacks.items()}")
    first = kernel.run("from jupyter_profkit import mark, mprof\nspan = mprof().__enter__()")
    second = kernel.run(
        "import mmap\nbig = mmap.mmap(-1, 30 << 20)\n"
        "with mark('inside'):\n    for page in range(0, 30 << 20, 4096): big[page] = 1"
    )
    third = kernel.run("get_ipython().run_cell('nested = 1')\nspan.__exit__(None, None, None)")
    one, two, three = (f"In [{reply.content['execution_count']}]" for reply in (first, second, third))
    marks = kernel.value("[(m.label, m.kind, m.level) for m in span.marks]")
    assert ast.literal_eval(marks) == [
        (one, "cell", 0),
        (two, "cell", 0),
        ("inside", "region", 2),
        (three, "cell", 0),
        ("nested = 1", "cell", 1),
    ]
    rises = kernel.value("[round((m.rss_end - m.rss_start) / 2**20) for m in span.marks if m.label == '" + two + "']")
    assert rises == "[30]"
    assert kernel.value("{name: len(found) for name, found in get_ipython().events.callbacks.items()}") == before
    alone = kernel.run("%%mprof_plot -v alone\npass")
    assert len(alone.reports) == 1
    assert kernel.value("alone.marks") == "()"


def test_children_have_curves_of_their_own(kernel: Kernel) -> None:
    kernel.run("import subprocess, sys")
    code = "import time; x = bytearray(40 << 20); x[::4096] = b'x' * len(x[::4096]); time.sleep(0.4)"
    reply = kernel.run(f"%%mprof_plot -M\nsubprocess.run([sys.executable, '-c', {code!r}])")
    assert "Child processes" in reply.reports[0]
    reply = kernel.run(f"%%mprof_plot -c\nsubprocess.run([sys.executable, '-c', {code!r}])")
    assert peak_above_start(reply.reports[0]) >= 40


OTHER = """\
import subprocess, sys
code = "import sys; x = bytearray(60 << 20); x[::4096] = b'x' * len(x[::4096]); print(flush=True); sys.stdin.read()"
other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
other.stdout.readline()
"""


def test_another_process_can_be_recorded(kernel: Kernel) -> None:
    kernel.run(OTHER)
    pid = kernel.value("other.pid")
    reply = kernel.run(f"%mprof_plot -v seen --timeout 0.2 --attach {pid}")
    assert f"process {pid}" in reply.reports[0]
    assert kernel.value("other.poll()") == "None"
    reply = kernel.run(f"%%mprof_plot -v until_its_end --attach {pid}\nother.communicate()[0]")
    assert reply.value == "b''"
    assert len(reply.reports) == 1
    for name in ("seen", "until_its_end"):
        assert kernel.value(f"60 <= {name}.main[0].rss / 2**20 <= 100") == "True"
    reply = kernel.run(f"%mprof_plot --attach {pid}")
    assert reply.stderr.startswith(f"UsageError: there is no process {pid}")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_next_kernel_shows_what_was_recorded_before_one_died(folder: Path, tmp_path: Path) -> None:
    block = "block = bytearray(300 << 20); block[::4096] = b'x' * len(block[::4096])"
    with running_kernel(folder, TMPDIR=str(tmp_path)) as first:
        first.client.execute(f"%%mprof_plot\nimport os, time\n{block}\ntime.sleep(0.2)\nos.kill(os.getpid(), 9)")
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("jupyter_profkit-*/died_*.dat")) and time.monotonic() < deadline:
            time.sleep(0.05)
    with running_kernel(folder, TMPDIR=str(tmp_path)) as second:
        reply = second.run("%mprof_plot")
        assert "no run here yet; this is In [2], whose process " in reply.stderr
        assert " died at " in reply.reports[0]
        assert float(re.search(r"Peak ([\d.]+) MiB", reply.reports[0])[1]) >= 300
        second.run("%%mprof_plot -q\npass")
        assert " died at " not in second.run("%mprof_plot").reports[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%mprof_plot -a 1 x.dat", "--attach records a process"),
        ("%mprof_plot nope.dat", "'nope.dat' is neither a file nor a variable"),
        ("%mprof_plot notes.txt", "notes.txt: this is no recording"),
        ("%mprof_plot empty.dat", "empty"),
        ("%mprof_plot sys", "sys is no recording of memory over time, it is a module"),
        ("%mprof_plot .", "."),
        ("%mprof_plot 'open", "No closing quotation"),
        ("%mprof_plot -w 2", "--window takes two numbers"),
        ("%mprof_plot -T 0", "--interval takes a number of seconds, 0.001 or more, not '0'"),
        ("%%mprof_plot -T 0.0005\npass", "--interval takes a number of seconds, 0.001 or more, not '0.0005'"),
        ("%%mprof_plot -T 0.01 work()\npass", "%%mprof_plot takes options only, not 'work()'; the code goes below"),
        ("%mprof_plot --bogus", "--bogus"),
        ("%mprof_run", "takes a script"),
        ("%mprof_run nope.py", "there is no script or program 'nope.py'"),
        ("%%mprof_plot --bogus\nraise SystemError", "--bogus"),
        ("%%mprof_plot -o x.xyz\nraise SystemError", "--dump x.xyz: the suffix must be one of .dat, .png"),
    ],
)
def test_bad_input_gets_one_clear_line(kernel: Kernel, line: str, words: str) -> None:
    kernel.run("%%mprof_plot -q\nimport sys")  # a recording to show
    reply = kernel.run(line)
    assert not reply.displays
    assert not reply.traceback
    assert words in reply.stderr
    assert reply.stderr.startswith("UsageError: ")
    assert reply.stderr.count("\n") == 1


def test_a_file_that_cannot_be_written_costs_the_file_only(kernel: Kernel) -> None:
    reply = kernel.run("%%mprof_plot -o /nonexistent/x.dat\nx = 1")
    assert len(reply.reports) == 1
    assert "/nonexistent/x.dat" in reply.stderr


@pytest.mark.parametrize("magic", ["mprof_plot", "mprof_run"])
def test_help_and_completion(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%{magic}?")
    text = reply.content["payload"][0]["data"]["text/plain"]
    assert "--interval" in text
    completed = kernel.client.complete(f"%{magic} --sl", reply=True, timeout=30)
    assert completed["content"]["matches"] == ["--slope"]


def test_controls_are_for_one_recording(kernel: Kernel) -> None:
    kernel.run("%%mprof_plot -q -v first\nx = [0] * 100_000")
    reply = kernel.run("%mprof_plot --explore first first")
    assert reply.displays == []
    assert "UsageError: --explore takes one recording" in reply.stderr + reply.traceback
