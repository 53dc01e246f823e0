"""The layers: imports point down, and the few that point up stand inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import ROOT

PACKAGE = ROOT / "jupyter_profkit"
UPWARD = {
    "model": ("views", "layout", "render", "export", "results", "widgets", "cells", "magics", "cli", "api", "engines"),
    "views": ("layout", "render", "export", "results", "widgets", "cells", "magics", "cli", "api"),
}
"""For each room, those above it; its results' conveniences may import them when they are called."""

HEAVY = {
    "matplotlib",
    "psutil",
    "objgraph",
    "graphviz",
    "pandas",
    "numpy",
    "memray",
    "memory_profiler",
    "ipywidgets",
    "anywidget",
    "cattrs",
}

WIDGETS = {path for path in (PACKAGE / "widgets").glob("*.py") if path.stem != "__init__"}
"""Subclasses of what ipywidgets and anywidget have: these modules import them, and are themselves heavy."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each import that runs when the module itself is imported."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_for_types_only(node):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("room", UPWARD)
def test_imports_that_point_up_stand_inside_functions(room: str) -> None:
    above = tuple(f"jupyter_profkit.{name}" for name in UPWARD[room])
    found = [
        f"{path.relative_to(ROOT)}:{lineno} {name}"
        for path in modules(PACKAGE / room)
        for lineno, name in imports(path)
        if name.startswith(above)
    ]
    assert found == []


def test_heavy_packages_are_imported_inside_functions() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{lineno} {name}"
        for path in modules(PACKAGE)
        for lineno, name in imports(path)
        if name.partition(".")[0] in HEAVY and path not in WIDGETS
    ]
    assert found == []


def test_widgets_are_imported_inside_functions_as_the_packages_that_they_are_made_of() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{lineno} {name}"
        for path in modules(PACKAGE)
        for lineno, name in imports(path)
        if name.startswith("jupyter_profkit.widgets.") and path not in WIDGETS
    ]
    assert WIDGETS
    assert found == []


def test_an_import_inside_a_function_is_not_taken_for_one_of_the_module(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text("import a\nclass C:\n    import b\n    def f(self):\n        import c\n")
    assert sorted(imports(path)) == [(1, "a"), (3, "b")]


def test_the_contract_of_the_layers_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout
