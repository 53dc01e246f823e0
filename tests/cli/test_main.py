"""``python -m jupyter_profkit``: exit codes, output, and what bad input gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_profkit
from jupyter_profkit.cells.program import read_program
from jupyter_profkit.cli import main

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
def test_memory_of_a_script_over_time(script: Path, tmp_path: Path) -> None:
    answer = call("run", "-o", tmp_path / "run.dat", script, "4")
    assert answer.returncode == 4
    assert "sum 20000000" in answer.stdout
    assert "work" in answer.stdout
    shown = call("plot", "-o", tmp_path / "run.png", tmp_path / "run.dat")
    assert shown.returncode == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.process
def test_an_error_of_the_script_is_its_own_traceback(tmp_path: Path) -> None:
    path = tmp_path / "fails.py"
    path.write_text("x = 1\nx / 0\n")
    answer = call("memprofile", path)
    assert answer.returncode == 1
    assert answer.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "jupyter_profkit" not in answer.stderr
    assert "partial" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["memprofile"], "takes a script"),
        (["memprofile", "no_such.py"], "no_such.py: No such file"),
        (["memprofile", "--wrong", "x.py"], "unrecognized arguments: --wrong"),
        (["plot"], "takes a recording"),
        (["plot", "no_such.dat"], "No such file"),
        (["run", "no_such.py"], "there is no script"),
        (["doctor", "now"], "takes no arguments"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "cprofile [options] script.py" in capsys.readouterr().out
    assert main(["prof"]) == 2


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "memory by line" in text
    assert "graphviz-pure" in text


def test_each_statement_of_a_script_is_compiled_by_itself(script: Path) -> None:
    codes = read_program(script)
    assert [min(line for _, _, line in code.co_lines() if line) for code in codes] == [1, 2, 3, 5, 11]
