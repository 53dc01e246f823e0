"""Scripts as processes of their own: output, marks, exit codes, interrupts, nothing left behind."""

from __future__ import annotations

import _thread
import os
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from jupyter_profkit.cells.script import run_script
from jupyter_profkit.errors import OptionError, TargetError
from jupyter_profkit.options.mprof import MPROF_RUN
from jupyter_profkit.units import MIB

pytestmark = pytest.mark.process


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Write a script, run it, and see that no temporary file stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def run(source, *arguments, name="script.py", **options):
        path = tmp_path / name
        path.write_text(source)
        return run_script([str(path), *arguments], MPROF_RUN.from_keywords(options))

    yield run
    assert not list((tmp_path / "temporary").iterdir())


def labels(run):
    return [(mark.label, mark.level) for mark in run.timeline.marks]


def test_memory_of_the_script_is_recorded_not_ours(script):
    ours = bytearray(200 * MIB)
    run = script("import time\nx = bytearray(80 << 20)\ntime.sleep(0.2)\n", interval=0.005)
    assert 80 * MIB <= run.timeline.peak.rss <= 130 * MIB
    assert len(run.timeline.main) > 10
    assert run.returncode == 0
    del ours


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the exact peak")
def test_the_exact_peak_of_a_short_spike_is_known_at_the_end(script):
    run = script("x = bytearray(150 << 20); del x\n", interval=1.0)
    assert run.timeline.peak.rss >= 150 * MIB
    assert run.timeline.exact_peak is not None


def test_both_ways_of_using_profile_are_marked(script):
    run = script(
        "from memory_profiler import profile as imported\n"
        "@imported(precision=4)\ndef one():\n    return bytearray(30 << 20)\n"
        "@profile\ndef two():\n    return one()\n"
        "kept = two()\n"
    )
    assert labels(run) == [("__main__.two", 0), ("__main__.one", 1)]
    one = run.timeline.marks[1]
    assert one.rss_end - one.rss_start == pytest.approx(30 * MIB, rel=0.1)


def test_the_line_table_of_memory_profiler_is_not_printed(script, capsys):
    script("from memory_profiler import profile\n@profile\ndef f(): pass\nf()\nprint('done')\n")
    assert capsys.readouterr().out == "done\n"


def test_timestamps_coroutines_generators_and_methods_are_marked(script):
    run = script(
        "import asyncio\n"
        "class A:\n"
        "    @profile\n    def method(self): pass\n"
        "    @profile\n    @staticmethod\n    def static(): pass\n"
        "@profile\nasync def co():\n    await asyncio.sleep(0.01)\n    return 5\n"
        "@profile\ndef gen():\n    got = yield 1\n    return got\n"
        "with profile.timestamp('a block'):\n    A().method(); A.static()\n"
        "assert asyncio.run(co()) == 5\n"
        "assert list(gen()) == [1]\n"
    )
    assert run.returncode == 0
    assert labels(run) == [
        ("a block", 0), ("__main__.A.method", 1), ("__main__.A.static", 1), ("__main__.co", 0), ("__main__.gen", 0),
    ]  # fmt: skip
    assert next(mark for mark in run.timeline.marks if mark.label == "__main__.co").duration >= 0.01


def test_the_script_runs_as_python_would_run_it(script, capsys):
    run = script(
        "import sys, __main__, pickle\n"
        "from pathlib import Path\n"
        "class C: pass\n"
        "assert __name__ == '__main__' and __main__.C is C\n"
        "assert Path(__file__).name == 'script.py' and __spec__ is None\n"
        "assert sys.path[0] == str(Path(__file__).parent), sys.path\n"
        "assert isinstance(pickle.loads(pickle.dumps(C())), C)\n"
        "assert 'jupyter_profkit' not in sys.modules\n"
        "def annotated(x: C): pass\n"
        "assert annotated.__annotations__['x'] is C  # no __future__ of ours\n"
        "print(sys.argv[1:])\n",
        "a", "--flag", "b c",
    )  # fmt: skip
    assert capsys.readouterr().out == "['a', '--flag', 'b c']\n"
    assert run.returncode == 0


def test_output_comes_while_the_script_runs(script, monkeypatch):
    seen = []

    class Watch:
        def write(self, text):
            seen.append((time.monotonic(), text))

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Watch())
    script("import time\nprint('first')\ntime.sleep(1)\nprint('last')\n")
    moments = {text.strip(): moment for moment, text in seen}
    assert moments["last"] - moments["first"] > 0.7, seen


def test_both_streams_arrive_whole_and_undamaged(script, capsys):
    script("import sys\nprint('é' * 100_000)\nprint('problem', file=sys.stderr)\nsys.stdout.write('no newline')\n")
    out, err = capsys.readouterr()
    assert out == "é" * 100_000 + "\nno newline"
    assert err == "problem\n"


def test_a_failing_script_keeps_its_exit_code_traceback_and_recording(script, capsys):
    run = script("@profile\ndef f():\n    raise KeyError('gone')\nf()\n")
    assert run.returncode == 1
    assert run.timeline.session.outcome.endswith("ended with exit code 1")
    assert labels(run) == [("__main__.f", 0)]
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith("KeyError: 'gone'\n")
    assert "bootstrap" not in error
    assert run.timeline.main


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("import sys; sys.exit(3)", 3, "exit code 3"),
        ("raise SystemExit", 0, "ok"),
        ("def :", 1, "exit code 1"),
        ("import os; os._exit(7)", 7, "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, "SIGKILL"),
    ],
)
def test_exit_codes_are_kept_and_said(script, source, code, words):
    run = script(source + "\n")
    assert run.returncode == code
    assert words in run.timeline.session.outcome


def test_a_script_that_is_killed_keeps_the_mark_it_was_in(script):
    run = script("import os, time\n@profile\ndef f():\n    time.sleep(0.05)\n    os.kill(os.getpid(), 9)\nf()\n")
    (mark,) = run.timeline.marks
    assert mark.duration >= 0.05
    assert mark.rss_end is None


def test_reading_input_ends_at_once_instead_of_waiting(script):
    assert script("input()\n").returncode == 1


def interrupt_after(seconds):
    timer = threading.Timer(seconds, _thread.interrupt_main)
    timer.start()
    return timer


def test_an_interrupt_is_passed_on_and_the_report_is_kept(script, capsys):
    timer = interrupt_after(0.6)
    run = script(
        "import time\nprint('ready')\ntry:\n    time.sleep(20)\nexcept KeyboardInterrupt:\n    print('cleaned up')\n"
    )
    timer.join()
    assert run.interrupted
    assert run.timeline.session.outcome == "KeyboardInterrupt"
    assert "cleaned up" in capsys.readouterr().out
    assert run.timeline.main


def test_a_script_that_ignores_the_interrupt_is_ended_all_the_same(script, monkeypatch):
    monkeypatch.setattr("jupyter_profkit.cells.script._POLITE", ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2)))
    timer = interrupt_after(0.6)
    began = time.monotonic()
    run = script(
        "import signal, time\nfor s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\ntime.sleep(30)\n"
    )
    timer.join()
    assert time.monotonic() - began < 5
    assert run.returncode == -signal.SIGKILL


def test_a_script_is_ended_after_the_timeout(script):
    run = script("import time\nprint('x')\ntime.sleep(30)\n", timeout=0.4)
    assert run.returncode == -signal.SIGTERM
    assert "was ended after 400.0 ms, as asked" in run.timeline.session.outcome


def test_a_process_that_the_script_leaves_behind_does_not_hold_us_up_and_lives_on(script, capsys):
    began = time.monotonic()
    script(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(10)'])\n"
        "print(child.pid)\n"
    )
    assert time.monotonic() - began < 4
    child = psutil.Process(int(capsys.readouterr().out))
    assert child.is_running()  # it is the user's, and no business of ours
    child.kill()


def test_children_of_the_script_are_followed(script):
    source = (
        "import multiprocessing as mp, time\n"
        "def work():\n    x = bytearray(60 << 20); time.sleep(0.4)\n"
        "if __name__ == '__main__':\n"
        "    p = mp.get_context('spawn').Process(target=work); p.start(); p.join()\n"
    )
    summed = script(source, children=True)
    assert summed.timeline.peak.rss > 70 * MIB
    apart = script(source, per_child=True)
    assert max(max(s.rss for s in samples) for samples in apart.timeline.children.values()) > 60 * MIB
    assert apart.timeline.peak.rss < 60 * MIB


WORKERS = """\
import multiprocessing as mp, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor

def work(_=None):
    block = bytearray(40 << 20); block[::4096] = b"x" * len(block[::4096]); time.sleep(0.4)

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        worker = mp.get_context(method).Process(target=work); worker.start(); worker.join()
    source = "import time; block = b'x' * (40 << 20); time.sleep(0.4)"
    subprocess.run([sys.executable, "-c", source], check=True)
    import joblib
    joblib.Parallel(2)(joblib.delayed(work)() for _ in range(2))
    time.sleep(0.1)
"""


def test_children_of_every_kind_appear_have_a_curve_and_vanish(script):
    run = script(WORKERS, per_child=True)
    held = {pid: [s for s in curve if s.rss >= 40 * MIB] for pid, curve in run.timeline.children.items()}
    heavy = {pid: run.timeline.children[pid] for pid, samples in held.items() if len(samples) >= 3}
    commands = {process.pid: process.command for process in run.timeline.processes}
    joined = "\n".join(commands[pid] for pid in heavy)
    assert len(heavy) >= 5  # joblib starts as many as it sees fit, at least one
    assert "import time; block" in joined
    assert "multiprocessing.spawn" in joined
    assert "multiprocessing.forkserver" in joined
    assert "loky" in joined
    assert "python script.py" in joined
    first, second, *_ = sorted(heavy.values(), key=lambda curve: curve[0].time)
    assert first[-1].time < second[0].time + 0.1 < run.timeline.main[-1].time
    assert run.timeline.peak.rss < 40 * MIB + max(run.timeline.main[0].rss, 60 * MIB)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_marks_of_workers_name_their_process_however_it_starts(script, method):
    run = script(
        "import multiprocessing as mp\n"
        "@profile\ndef work(x): return x\n"
        "if __name__ == '__main__':\n"
        f"    with mp.get_context('{method}').Pool(1) as pool: assert pool.map(work, [1]) == [1]\n"
    )
    assert run.returncode == 0
    ((label, _),) = labels(run)
    assert re.fullmatch(r"__(mp_)?main__\.work \(process \d+\)", label)


@pytest.mark.parametrize("how", ["", "from memory_profiler import profile\n"])
def test_marks_of_joblibs_workers_too(script, how):
    run = script(
        f"import joblib\n{how}"
        "@profile\ndef work(x):\n    with profile.timestamp('inside'): return x + 1\n"
        "if __name__ == '__main__':\n"
        "    assert joblib.Parallel(2)(joblib.delayed(work)(n) for n in range(3)) == [1, 2, 3]\n"
    )
    assert run.returncode == 0
    names = [re.sub(r"\d+", "N", label) for label, _ in labels(run)]
    assert sorted(names) == ["__main__.work (process N)"] * 3 + ["inside (process N)"] * 3


def test_a_module_of_the_script_finds_profile_in_its_workers(script, tmp_path):
    (tmp_path / "helpers.py").write_text("@profile\ndef work(x): return x\n")
    run = script(
        "import joblib, helpers\n"
        "if __name__ == '__main__': joblib.Parallel(2)(joblib.delayed(helpers.work)(n) for n in range(2))\n"
    )
    assert run.returncode == 0
    assert [re.sub(r"\d+", "N", label) for label, _ in labels(run)] == ["helpers.work (process N)"] * 2


def test_endless_marks_are_bounded(script):
    run = script("@profile\ndef f(): pass\nfor _ in range(30_000): f()\n")
    assert len(run.timeline.marks) == 10_000
    assert any("left out" in note for note in run.timeline.method.notes)


def test_a_script_that_writes_nonsense_into_its_marks_file_harms_nobody(script):
    run = script(
        "import os, sys\npath = sys.orig_argv[2]\nopen(path, 'ab').write(b'+ x\\n- 1 2\\n+ 1 1 a b c d\\n\\xff\\n')\n"
        "@profile\ndef f(): pass\nf()\n"
    )
    assert labels(run) == [("__main__.f", 0)]


MARKED = "import sys\n@profile\ndef f(): return bytearray(30 << 20)\nf()\nprint(sys.flags.optimize, *sys.argv)\n"


@pytest.mark.parametrize("python", ["python", "python3", "python3.11"])
def test_what_an_interpreter_runs_is_marked(python, tmp_path, capsys):
    (tmp_path / python).symlink_to(sys.executable)
    path = tmp_path / "script.py"
    path.write_text(MARKED)
    run = run_script([str(tmp_path / python), "-O", str(path), "-O", "a b"], MPROF_RUN.from_keywords({}))
    assert [mark.label for mark in run.timeline.marks] == ["__main__.f"]
    assert run.timeline.session.title == "script.py"
    assert capsys.readouterr().out.startswith(f"1 {path} -O a b\n")


def test_a_module_is_run_as_by_python(tmp_path, monkeypatch, capsys):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    code = "import sys, __main__\nfrom . import other\nprint(__name__, __spec__.name, __main__.f is f, *sys.argv[1:])\n"
    (tmp_path / "package" / "other.py").write_text("print(profile.__class__.__name__)\n")
    (tmp_path / "package" / "go.py").write_text(f"{MARKED}{code}sys.exit(4)\n")
    monkeypatch.chdir(tmp_path)
    run = run_script([sys.executable, "-m", "package.go", "x"], MPROF_RUN.from_keywords({}))
    assert [mark.label for mark in run.timeline.marks] == ["__main__.f"]
    assert run.timeline.session.title == "package.go"
    assert run.timeline.session.outcome == "-m package.go ended with exit code 4"
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == [f"0 {tmp_path / 'package' / 'go.py'} x", "Profile", "__main__ package.go True x"]


def test_a_module_that_is_missing_is_said_by_python(capfd):
    run = run_script([sys.executable, "-m", "no_such_module"], MPROF_RUN.from_keywords({"quiet": True}))
    assert run.returncode == 1
    assert "No module named no_such_module" in capfd.readouterr().err


def test_other_uses_of_an_interpreter_are_as_they_are(capfd):
    run = run_script([sys.executable, "-c", "print(6 * 7)"], MPROF_RUN.from_keywords({"quiet": True}))
    assert run.timeline.session.title == Path(sys.executable).name
    assert capfd.readouterr().out == "42\n"


def test_another_program_is_run_as_it_is(capfd):
    run = run_script([sys.executable, "-c", "print('hello')"], MPROF_RUN.from_keywords({}))
    assert run.returncode == 0
    assert run.timeline.session.title == Path(sys.executable).name
    assert run.timeline.command.endswith("-c 'print('\"'\"'hello'\"'\"')'")


@pytest.mark.parametrize("name", ["nope.py", "./nope", "no-such-program", os.sep])
def test_a_missing_script_gets_one_clear_line(name):
    with pytest.raises(TargetError, match="there is no script or program") as caught:
        run_script([name], MPROF_RUN.from_keywords({}))
    assert "\n" not in str(caught.value)


def test_no_script_at_all_says_how_it_is_used():
    with pytest.raises(OptionError, match="takes a script"):
        run_script([], MPROF_RUN.from_keywords({}))


def test_nothing_is_written_where_the_user_works(script, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    script("@profile\ndef f(): pass\nf()\n")
    assert not list(work.iterdir())
