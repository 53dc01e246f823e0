"""What the README, CHANGELOG and CONTRIBUTING say is so: links lead somewhere, spellings are accepted, code runs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jupyter_profkit
from jupyter_profkit.magics import FAMILIES
from jupyter_profkit.options import OptionSet
from jupyter_profkit.options.mprof import ATTACH, LIST, PEAK, PLOT, RM
from tests.kernels import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
OPTION_SETS: dict[str, OptionSet] = {options.name: options for family in FAMILIES for options in family.option_sets}
MAGIC = re.compile(r"`(%%?)(\w+)([^`]*)`")
COMMANDS = {
    "memprofile": OPTION_SETS["memprofile"],
    "cprofile": OPTION_SETS["cprofile"],
    "run": OPTION_SETS["mprof_run"],
    "attach": ATTACH,
    "plot": PLOT,
    "peak": PEAK,
    "list": LIST,
    "rm": RM,
}
"""For each word after ``python -m jupyter_profkit``, the options it takes."""


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def new_spellings() -> list[str]:
    """What stands on the right of the tables for those who come from another tool."""
    rows = [line.split(" | ") for line in section("Coming from …").splitlines() if line.startswith("| ")]
    return [row[1] for row in rows if row[0] != "| old"]


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_and_pictures_lead_somewhere(text: str) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if not target.startswith("http")]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_two_commands_stand_near_the_top_and_exist() -> None:
    top = README[: README.index("## The magics")]
    commands = re.findall(r"^python3 (\S+)$", top, re.MULTILINE)
    assert commands == ["notebooks/quickstart.py", "tests/run.py"]
    for command in commands:
        done = subprocess.run([sys.executable, ROOT / command, "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert f"python3 {command}" in done.stdout


def test_every_magic_is_in_the_table_and_nothing_else() -> None:
    named = {name for _, name, _ in MAGIC.findall(section("The magics")) if name in OPTION_SETS}
    assert named == set(OPTION_SETS)


def test_the_new_spellings_are_accepted() -> None:
    accepted = 0
    for text in (*new_spellings(), section("The magics")):
        for _, name, line in MAGIC.findall(text):
            if name in OPTION_SETS and line.startswith(" "):
                OPTION_SETS[name].from_line(line.strip())
                accepted += 1
        for word, line in re.findall(r"`python -m jupyter_profkit (\w+)([^`]*)`", text):
            options, names = COMMANDS[word].options_first(line.split())
            assert COMMANDS[word].from_arguments(options)[1] == []
            assert set(names) <= {"script.py", "4711", "-1"}
            accepted += 1
    assert accepted > 12


def test_letters_that_are_said_to_be_the_same_exist() -> None:
    for row in section("Coming from …").splitlines():
        if row.endswith("the same letters |"):
            letters = set(re.findall(r"-\w\b", row))
            flags = set(OPTION_SETS["mprof_run"].flags()) | set(OPTION_SETS["mprof_plot"].flags())
            assert letters
            assert letters <= flags


def test_the_names_for_scripts_are_those_of_the_package() -> None:
    (names,) = re.findall(r"from jupyter_profkit import ([\w, ]+)\n", section("The same in a script"))
    assert set(names.split(", ")) <= set(jupyter_profkit.__all__)


def test_the_code_for_scripts_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", section("The same in a script"), re.DOTALL)
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, "-W", "error", "script.py"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Occurrences" in done.stdout
    assert (tmp_path / "run.json").exists()


def test_the_map_of_the_package_names_what_exists() -> None:
    rows = [line for line in CONTRIBUTING.splitlines() if line.startswith("| ") and "`" in line][1:]
    assert len(rows) > 12
    for row in rows:
        _, _, files, tests, _ = row.split("|")
        for name in re.findall(r"`([^`<*]+)`", files):
            place = ROOT if name.startswith("notebooks") else ROOT / "jupyter_profkit"
            assert (place / name).exists(), name
        for name in re.findall(r"`([^`]+)`", tests):
            assert (ROOT / "tests" / name).exists(), name


def test_the_version_has_its_changes_and_the_wheel_has_its_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)$", changes, re.MULTILINE)[1] == jupyter_profkit.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == jupyter_profkit.__version__
    for entry in project["scripts"].values():
        module, _, function = entry.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
