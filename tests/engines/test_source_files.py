"""Lines of functions where the file has changed since they were compiled."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from jupyter_profkit.engines.source_files import Shifts, SourceFile

BEFORE = """import functools
def deco(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper
def left(n): return bytearray(n)
class Box:
    @deco
    def make(self, n):
        return [bytearray(n) for _ in range(2)]
    @property
    def both(self):
        def inner():
            return 1
        return inner
"""
AFTER = f"# a line\n# and another\n{BEFORE}".replace("        return [", "        first = n\n        return [")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module whose file has changed since it was imported, and whose `make` was compiled anew by itself."""
    path = tmp_path / "profkit_edited.py"
    path.write_text(BEFORE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("profkit_edited")
    SourceFile(str(path))  # its lines are known
    path.write_text(AFTER)
    os.utime(path, (1, 1))
    (box,) = [node for node in ast.parse(AFTER).body if isinstance(node, ast.ClassDef)]
    box.body = box.body[:1]
    alone = ast.parse(ast.unparse(ast.Module([box], [])))
    namespace = {"deco": lambda function: function}
    exec(compile(alone, str(path), "exec"), namespace)
    module.Box.make.__wrapped__.__code__ = namespace["Box"].make.__code__
    yield module
    sys.modules.pop("profkit_edited")


def test_the_lines_are_those_of_the_file_as_it_is_now(module: ModuleType) -> None:
    assert SourceFile(str(module.__file__)).lines == AFTER.splitlines()


def test_a_function_stands_where_the_file_has_it_now(module: ModuleType) -> None:
    source = SourceFile(str(module.__file__))

    def lines_of(code: CodeType) -> set[str]:
        numbers = {lineno + source.shift(code) for _, _, lineno in code.co_lines() if lineno}
        return {source.lines[lineno - 1].strip() for lineno in numbers}

    assert lines_of(module.left.__code__) == {"def left(n): return bytearray(n)"}
    assert {"first = n", "return [bytearray(n) for _ in range(2)]"} <= lines_of(module.Box.make.__wrapped__.__code__)
    assert "return inner" in lines_of(module.Box.both.fget.__code__)
    assert lines_of(module.Box.make.__code__) == {"@functools.wraps(f)", "return f(*args)"}


def test_what_was_compiled_as_it_stands_is_where_it_says(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text(BEFORE)
    code = compile(BEFORE, str(path), "exec")
    functions = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    assert [SourceFile(str(path)).shift(function) for function in [code, *functions]] == [0] * (1 + len(functions))


def test_a_lazy_object_of_a_module_is_not_woken(module: ModuleType) -> None:
    class Lazy:
        @property
        def __class__(self) -> type:  # type: ignore[override]
            raise RuntimeError("woken")

    module.lazy = Lazy()  # type: ignore[attr-defined]
    module.Box.again = module.Box
    module.left.__wrapped__ = module.left
    filename = str(module.__file__)
    assert Shifts(SourceFile(filename), filename).line("unknown", 3) == 3


def test_without_code_at_hand_lines_are_found_by_the_modules_functions(module: ModuleType) -> None:
    filename = str(module.__file__)
    source = SourceFile(filename)
    shifts = Shifts(source, filename)
    code = module.Box.make.__wrapped__.__code__
    (raw,) = {
        lineno
        for _, _, lineno in code.co_lines()
        if lineno and "first" in source.lines[lineno + source.shift(code) - 1]
    }
    assert source.lines[shifts.line("make", raw) - 1].strip() == "first = n"
    inner = next(constant for constant in module.Box.both.fget.__code__.co_consts if isinstance(constant, CodeType))
    assert source.lines[shifts.line("inner", inner.co_firstlineno + 1) - 1].strip() == "return 1"
    assert shifts.line("unknown", 3) == 3
