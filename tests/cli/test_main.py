"""``python -m jupyter_profkit``: exit codes, output, and what bad input gets."""

from __future__ import annotations

import os
import pstats
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import jupyter_profkit
from jupyter_profkit.cells.program import read_program
from jupyter_profkit.cli import main
from jupyter_profkit.export import load

ROOT = str(Path(jupyter_profkit.__file__).parent.parent)
SCRIPT = '''"""A script."""
from __future__ import annotations
import sys

@profile
def work(n: Unknown) -> None:
    block = bytearray(n)
    return len(block)

"a string in the middle"
if __name__ == "__main__":
    print("sum", work(20_000_000), sys.argv[1:], __doc__)
    sys.exit(int(sys.argv[1]))
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


RECORDING = """\
CMDLINE python train.py
FUNC f 10.0 1750000000.1 20.0 1750000000.2 0
MEM 10.0 1750000000.0
MEM 25.0 1750000000.15
MEM 40.0 1750000000.3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files; among the temporary files nothing is kept."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.dat").write_text(RECORDING)
    (tmp_path / "notes.txt").write_text("these are notes\n")
    (tmp_path / "empty.dat").write_text("")
    return tmp_path


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_profkit", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": ROOT, "COLUMNS": "140"}
    )


@pytest.mark.process
def test_memory_of_a_script_by_line(script: Path, tmp_path: Path) -> None:
    answer = call("memprofile", "-p", "2", "-D", tmp_path / "run.json", script, "3", "x")
    assert answer.returncode == 3
    assert "sum 20000000 ['3', 'x'] A script." in answer.stdout
    (line,) = [line for line in answer.stdout.splitlines() if "block = bytearray" in line]
    assert "19.0" in line
    assert jupyter_profkit.load(tmp_path / "run.json").session.title == "script.py"
    assert not answer.stderr


@pytest.mark.process
@pytest.mark.parametrize(("code", "n_runs"), [("0", 3), ("4", 1)])
def test_a_script_is_repeated_until_it_fails(script: Path, code: str, n_runs: int) -> None:
    done = call("memprofile", "--no-heap", "--repeat", "3", str(script), code)
    assert done.returncode == int(code)
    assert done.stdout.count("sum 20000000") == n_runs
    (row,) = [line.lstrip("▸ ") for line in done.stdout.splitlines() if "block = bytearray(n)" in line]
    assert row.split()[5] == str(n_runs)


WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(60_000_000); print(1, flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
own = bytearray(40_000_000)
child.communicate(b"\\n")
done = 1
"""


@pytest.mark.process
@pytest.mark.parametrize("options", [(), ("-c",)])
def test_children_are_counted_on_the_line_that_runs_meanwhile(tmp_path: Path, options: tuple[str, ...]) -> None:
    script = tmp_path / "family.py"
    script.write_text(WITH_CHILD)
    answer = call("memprofile", "--no-heap", *options, "-o", tmp_path / "run.json", script)
    assert answer.returncode == 0, answer.stderr
    profile = jupyter_profkit.load(tmp_path / "run.json")
    found = {record.source.split(" =")[0]: record.increment / 1e6 for _, record in profile.lines()}
    children = sum(found[text] for text in ("child", "child.stdout.readline()"))
    assert found["own"] == pytest.approx(40, abs=2)
    if options:
        assert 62 < children < 90  # the interpreter of the child, too
        assert found['child.communicate(b"\\n")'] == pytest.approx(-children, abs=5)
        assert "children added" in profile.method.engine
    else:
        assert children < 2


IMPORTING = """
from memory_profiler import profile

@profile
def plain(n):
    block = bytearray(n)
    return block

@profile(precision=4)
def precise(n):
    other = bytearray(n)
    return other

kept = plain(20_000_000), precise(30_000_000)
print("done")
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "first", ["from memory_profiler import profile", "import memory_profiler; profile = memory_profiler.profile", ""]
)
def test_scripts_written_for_memory_profiler_run_unchanged(tmp_path: Path, first: str) -> None:
    script = tmp_path / "old.py"
    script.write_text(IMPORTING.replace("from memory_profiler import profile", first))
    answer = call("memprofile", "--no-heap", script)
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr
    assert answer.stdout.startswith("done")
    assert "Filename:" not in answer.stdout  # memory_profiler's own table
    lines = [line.lstrip("▸ ") for line in answer.stdout.splitlines()]
    assert float(next(line for line in lines if "block = bytearray" in line).split()[2]) == pytest.approx(19.1, abs=0.5)
    assert float(next(line for line in lines if "other = bytearray" in line).split()[2]) == pytest.approx(28.6, abs=0.5)


def test_a_script_is_compared_with_an_earlier_run(script: Path, tmp_path: Path) -> None:
    assert call("memprofile", "--no-heap", "-q", "-D", tmp_path / "run.json", script, "0").returncode == 0
    answer = call("memprofile", "--no-heap", "--compare", tmp_path / "run.json", script, "0")
    assert "Compared with script.py: peak" in answer.stdout
    assert "19.1 → 19.1" in answer.stdout
    assert call("memprofile", "--compare", "nothing.json", script, "0").returncode == 2


@pytest.mark.process
def test_time_of_a_script_by_statement_and_function(script: Path) -> None:
    answer = call("cprofile", "-l", "5", script, "0")
    assert answer.returncode == 0
    assert "if __name__" in answer.stdout
    assert "(work)" in answer.stdout


@pytest.mark.process
def test_a_module_is_run_as_python_does(tmp_path: Path) -> None:
    package = tmp_path / "tools"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("def work(n):\n    return sum(range(n))\n")
    (package / "__main__.py").write_text(
        "import sys\nfrom .helper import work\nprint(__name__, __package__, sys.argv[1:], work(1000))\nsys.exit(5)\n"
    )
    (tmp_path / "in.json").write_text('{"a": 1}')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jupyter_profkit", "cprofile", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": ROOT}
        )

    answer = run("-n", "2", "-D", "it's a run.prof", "-m", "tools", "--epochs", "2")
    assert answer.returncode == 5
    assert answer.stdout.startswith("__main__ tools ['--epochs', '2'] 499500\n")
    assert "(work)" in answer.stdout
    assert any(key[2] == "work" for key in pstats.Stats(str(tmp_path / "it's a run.prof")).stats)
    answer = run("-q", "-m", "json.tool", "--compact", "in.json")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, '{"a":1}\n', "")
    (tmp_path / "main.py").write_text("from tools.helper import work\nwork(10)\n")
    answer = run("-m", "tools.*", "main.py")
    assert answer.returncode == 0
    table = answer.stdout.split("\nFunctions by own time")[1].split("\n\n")[0]
    assert "(work)" in table
    assert "⋯" in table
    (tmp_path / "script").write_text("import sys\nprint(sys.argv[1:])\n")
    assert run("-q", "script", "-m", "tools").stdout == "['-m', 'tools']\n"
    answer = run("-m", "no_such_module")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "jupyter_profkit: -m no_such_module: there is no module of that name to run\n"


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("-m tools", "tools []"),
        ("-m tools main.py -m x", "tools ['main.py', '-m', 'x']"),
        ("-l 9 -m tools -s time --file=in.py", "tools ['-s', 'time', '--file=in.py']"),
        ("-x main.py -m tools", "tools []"),
        ("-m t*s main.py -m x", "main ['-m', 'x']"),
        ("--module tools main.py", "main []"),
        ("--module tools -m tools", "tools []"),
        ("main.py -m tools", "main ['-m', 'tools']"),
        ("-m main", "main []"),
    ],
)
@pytest.mark.parametrize("command", ["cprofile", "memprofile"])
def test_minus_m_is_what_it_is_to_python_and_the_filter_is_called_module(
    tmp_path: Path, command: str, words: str, printed: str
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__main__.py").write_text("import sys\nprint('tools', sys.argv[1:])\n")
    (tmp_path / "main.py").write_text("import sys\nprint('main', sys.argv[1:])\n")
    own = ["--no-heap"] if command == "memprofile" else []
    answer = subprocess.run(
        [sys.executable, "-m", "jupyter_profkit", command, "-q", *own, *words.split()],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": ROOT},
    )  # fmt: skip
    assert (answer.stdout, answer.stderr) == (f"{printed}\n", "")


@pytest.mark.process
def test_coroutines_of_a_script_that_starts_a_loop(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import asyncio\nasync def job(n):\n    await asyncio.sleep(0.02)\n    return n\n"
        "async def main():\n    return await asyncio.gather(*map(job, range(3)))\nasyncio.run(main())\n"
    )
    answer = call("cprofile", "-q", "-D", tmp_path / "run.json", tmp_path / "s.py")
    assert (answer.returncode, answer.stderr) == (0, "")
    found = jupyter_profkit.load(tmp_path / "run.json").coroutines
    assert [(each.function, each.calls, len(each.tasks)) for each in found] == [("main", 1, 1), ("job", 3, 3)]
    assert found[1].awaiting > 0.03  # three times 0.02 s, less what a busy machine takes before they wait


@pytest.mark.process
def test_every_option_of_the_time_magic_works_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import threading, time\ndef f(): return sum(range(99))\nf()\n"
        "t = threading.Thread(target=f, name='loader')\nt.start()\nt.join()\ntime.sleep(0.01)\nraise SystemExit('no')\n"
    )
    files = [
        tmp_path / f"run{suffix}"
        for suffix in (".prof", ".speedscope.json", ".collapsed.txt", ".csv", ".html", ".svg", ".json")
    ]
    dumps = [word for path in files for word in ("-D", path)]
    options = ["-s", "cumtime", "-l", "9", "-x", "abc", "--threads", "--no-builtins", "--interval", "0.0005", *dumps]
    answer = call("cprofile", *options, "-T", tmp_path / "run.txt", tmp_path / "s.py")
    assert (answer.returncode, answer.stderr) == (1, "no\n")
    assert "Thread loader: functions by cumulative time" in answer.stdout
    assert "built-in" not in answer.stdout
    assert all(path.stat().st_size > 0 for path in files)
    assert (tmp_path / "run.txt").read_text().strip() in answer.stdout
    assert "Functions by cumulative time" in (tmp_path / "run.html").read_text()
    page = tmp_path / "again.html"
    again = call("cprofile", "--no-flame", "--compare", tmp_path / "run.json", "-D", page, tmp_path / "s.py")
    assert "Compared with s.py" in again.stdout
    assert "Compared with s.py" in page.read_text()
    assert "Flame graph" not in again.stdout.split("Statements")[1]


@pytest.mark.process
def test_memory_of_a_script_over_time(script: Path, tmp_path: Path) -> None:
    answer = call("run", "-o", tmp_path / "run.dat", script, "4")
    assert answer.returncode == 4
    assert "sum 20000000" in answer.stdout
    assert "work" in answer.stdout
    shown = call("plot", "-o", tmp_path / "run.png", tmp_path / "run.dat")
    assert shown.returncode == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
def test_a_terminal_sees_how_long_a_script_has_run_and_then_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "rests.py").write_text("import time\ntime.sleep(1.4)\nprint('over')\n")
    command = [sys.executable, "-m", "jupyter_profkit", "run", "-o", "run.dat", "rests.py"]
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        answer = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": ROOT}, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        shown = terminal.read(10_000).decode()
    first, *more, last = shown.split("\r\x1b[K")[1:]
    assert re.fullmatch(r"rests\.py  1 s  \d+\.\d MiB", first)
    assert len(more) <= 4
    assert last == ""
    assert answer.stdout.decode().startswith("over\n")


@pytest.mark.process
def test_an_error_of_the_script_is_its_own_traceback(tmp_path: Path) -> None:
    path = tmp_path / "fails.py"
    path.write_text("x = 1\nx / 0\n")
    answer = call("memprofile", path)
    assert answer.returncode == 1
    assert answer.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "jupyter_profkit" not in answer.stderr
    assert "partial" in answer.stdout


@pytest.mark.parametrize("source", [b"def f(:\n", b"x = 1\x00\n", b"x = 'caf\xe9'\n"])
@pytest.mark.parametrize("command", ["memprofile", "cprofile"])
def test_a_script_that_is_not_python_is_refused_as_python_does(
    command: str, source: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.py").write_bytes(source)
    assert main([command, str(tmp_path / "s.py")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "Error: " in told.err
    assert "Traceback" not in told.err


def test_run_takes_a_module_or_leaves_that_option_to_the_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown.py").write_text(
        "import sys\n@profile\ndef f(): pass\nf()\nprint(__spec__ is not None, *sys.argv[1:])\n"
    )
    assert main(["run", "-q", "-o", "a.dat", "-m", "shown", "-m", "x"]) == 0
    assert main(["run", "-q", "-o", "b.dat", "shown.py", "-m", "x"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if "wrote" not in line] == ["True -m x", "False -m x"]
    assert load(tmp_path / "a.dat").marks[0].label == "__main__.f"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["memprofile"], "takes a script"),
        (["memprofile", "no_such.py"], "no_such.py: No such file"),
        (["cprofile", "-m"], "-m needs a value"),
        (["cprofile", "-m", "foo.py"], "-m foo.py: a module's name has no suffix; a script goes without -m"),
        (["cprofile", "-m", "json", "s.py"], "figures of json in s.py: --module json s.py"),
        (["cprofile", "-m", "json*"], "takes a script"),
        (["memprofile", "--wrong", "x.py"], "memprofile has no option --wrong; it has --function"),
        (["memprofile", "--pdb-mmem", "100", "x.py"], "memprofile has no option --pdb-mmem: --limit SIZE raises"),
        (["cprofile", "-v", "p", "x.py"], "cprofile has no option -v: a result of a shell's command is kept in a file"),
        (["run", "-r", "x.py"], "run has no option -r: a result of a shell's command is kept in a file, -D FILE"),
        (["run", "--python", "x.py"], "run has no option --python: leave it out"),
        (["run"], "run takes a script and its arguments: python -m jupyter_profkit run train.py --epochs 2"),
        (["run", "-q", "-m"], "run takes a script and its arguments: "),
        (["run", "--attach", "4711"], "in a shell by attach PID"),
        (["plot", "--backend", "Agg"], "plot has no option --backend: "),
        (["clean"], "there is no command 'clean'; rm --all removes what list shows"),
        (["x.py"], "there is no command 'x.py'; there are memprofile, cprofile, run, attach, plot, peak"),
        (["plot"], "no recording here yet"),
        (["plot", "no_such.dat"], "No such file"),
        (["plot", "7"], "there is no recording 7; in the list there are 0 recordings"),
        (["plot", "-o", "x.csv", "run.dat", "run.dat"], "x.csv: several recordings"),
        (["plot", "-o", "x.xyz", "-o", "x.svg", "run.dat"], "--dump x.xyz: the suffix must be one of .dat, .png"),
        (["plot", "-T", "1", "run.dat"], "plot has no option -T; it has --title"),
        (["peak", "notes.txt"], "this is no recording"),
        (["peak", "empty.dat"], "the file is empty"),
        (["peak", "--func", "g", "run.dat"], "run.dat has no function 'g'; it has f"),
        (["list", "x"], "takes no arguments"),
        (["rm"], "rm takes recordings"),
        (["rm", "run.dat", "notes.txt"], "this is no recording"),
        (["rm", "--all", "run.dat"], "rm takes recordings"),
        (["attach"], "attach takes the number of a process"),
        (["attach", "python"], "attach takes the number of a process"),
        (["attach", "999999999"], "there is no process 999999999"),
        (["attach", "99999999999999999999"], "there is no process"),
        (["run", "no_such.py"], "there is no script"),
        (["doctor", "now"], "takes no arguments"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not captured.out
    assert Path("run.dat").exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing/x.png", "x.png: No such file"),
        ("missing/x.dat", "x.dat: No such file"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_written_costs_the_file_only(
    path: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", "run.dat", "-o", path, "-o", "good.svg"]) == 2
    captured = capsys.readouterr()
    assert "wrote good.svg" in captured.out
    assert "%mprof_plot" in captured.out
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1


@pytest.mark.process
def test_a_recording_is_kept_where_its_file_cannot_be_written(folder: Path) -> None:
    (folder / "short.py").write_text("block = bytearray(30 << 20)\n")
    assert main(["run", "-q", "-o", "missing/x.dat", "short.py"]) == 2
    (path,) = folder.glob("mprofile_*.dat")
    assert jupyter_profkit.load(path).main


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "cprofile [options] script.py" in capsys.readouterr().out


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"jupyter_profkit {jupyter_profkit.__version__}\n"


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "memory by line" in text
    assert "graphviz-pure" in text


def test_doctor_says_how_the_heap_and_limits_are_had(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    rows = capsys.readouterr().out.splitlines()
    (heap,) = [row for row in rows if row.startswith("heap by line")]
    assert "memray" in heap
    (limit,) = [row for row in rows if row.startswith("limit on memory")]
    assert "auto is" in limit


def test_each_statement_of_a_script_is_compiled_by_itself(script: Path) -> None:
    codes = read_program(script)
    assert [min(line for _, _, line in code.co_lines() if line) for code in codes] == [1, 2, 3, 5, 11]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("memprofile", "cprofile", "run", "attach", "plot", "peak", "list", "rm"):
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"usage: python -m jupyter_profkit {command}" in text
        assert "[statement]" not in text


def test_recordings_are_known_by_number_and_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stamp in ("20260102030405", "20260102030406"):
        (folder / f"mprofile_{stamp}.dat").write_text(RECORDING)
    assert main(["peak", "-1", "run.dat"]) == 0
    assert capsys.readouterr().out == "mprofile_20260102030406.dat\t40.000 MiB\nrun.dat\t40.000 MiB\n"
    assert main(["peak", "--func", "f"]) == 0
    assert capsys.readouterr().out.endswith("mprofile_20260102030406.dat\t25.000 MiB\n")
    assert main(["list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  0  mprofile_20260102030405.dat")
    assert "peak 40.0 MiB: python train.py" in second
    assert main(["plot", "0", "1", "-o", "both.png"]) == 0
    assert "2 recordings" in capsys.readouterr().out
    assert (folder / "both.png").read_bytes().startswith(b"\x89PNG")


def test_removing_takes_what_was_named_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stamp in ("20260102030405", "20260102030406", "20260102030407"):
        (folder / f"mprofile_{stamp}.dat").write_text(RECORDING)
    assert main(["rm", "--dry-run", "0", "run.dat"]) == 0
    assert "would remove mprofile_20260102030405.dat" in capsys.readouterr().out
    assert len(list(folder.glob("*.dat"))) == 5
    assert main(["rm", "-1", "run.dat"]) == 0
    assert sorted(path.name for path in folder.glob("*.dat")) == [
        "empty.dat", "mprofile_20260102030405.dat", "mprofile_20260102030406.dat",
    ]  # fmt: skip
    assert main(["rm", "--all"]) == 0
    assert [path.name for path in folder.glob("*.dat")] == ["empty.dat"]


@pytest.mark.process
def test_a_running_process_is_recorded_until_it_ends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import time; x = bytearray(60 << 20); x[::4096] = b'x' * len(x[::4096]); time.sleep(1)"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert main(["attach", str(process.pid), "-T", "0.01"]) == 0
    finally:
        assert process.wait(10) == 0
    (path,) = folder.glob("mprofile_*.dat")
    assert f"wrote {path.name}" in capsys.readouterr().out
    assert jupyter_profkit.load(path).peak.rss >= 60 * 2**20


@pytest.mark.process
def test_the_recorded_process_lives_on_when_time_is_over(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        assert main(["attach", "-q", "--timeout", "0.2", "-o", "a.dat", str(process.pid)]) == 0
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(10)
    assert jupyter_profkit.load(folder / "a.dat").main
