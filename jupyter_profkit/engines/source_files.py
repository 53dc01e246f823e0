"""The functions and statements of a source file, as it is now, by line and by code.

source = SourceFile(filename)
source.statement(12)            the line where the statement begins that line 12 is part of
source.function(12).qualname    "Box.make.<locals>.inner"
source.shift(code)              lines by which code stands further down than it says

IPython's ``%autoreload`` compiles a function that was edited by itself, so that its code
counts lines from its own beginning, and leaves other functions' code as it was, wherever
they have moved to. `Shifts` knows that of the functions of a module, where no code is at hand.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from jupyter_profkit.source import Statements, parse_lines, refresh_lines, source_lines

__all__ = ["Shifts", "SourceFile", "SourceFunction"]


@dataclass(frozen=True)
class SourceFunction:
    """The lines from a function's first decorator to its end."""

    qualname: str
    first: int
    last: int


_NO_FUNCTION = SourceFunction("<module>", 1, 0)


class SourceFile:
    """The statements of a file or cell, and the functions that they are part of."""

    def __init__(self, filename: str) -> None:
        refresh_lines(filename)
        self.lines = source_lines(filename)
        tree = parse_lines(self.lines)
        self._statements = Statements.of(tree)
        self._functions = list(_functions(tree, "")) if tree is not None else []

    def statement(self, lineno: int) -> int:
        return self._statements.start(lineno)

    def function(self, lineno: int) -> SourceFunction:
        """The innermost function whose body holds the line."""
        inside = [function for header, function in self._functions if header < lineno <= function.last]
        return inside[-1] if inside else _NO_FUNCTION

    def shift(self, code: CodeType) -> int:
        """Lines by which `code` stands further down than it says; 0 where that cannot be told."""
        if not code.co_flags & CO_OPTIMIZED:
            return 0
        named = [function for _, function in self._functions if function.qualname == code.co_qualname]
        if len(named) != 1:  # the getter and the setter of a property have one name
            return 0
        return named[0].first - code.co_firstlineno

    def block(self, function: SourceFunction) -> range:
        if function is _NO_FUNCTION:
            return range(1, len(self.lines) + 1)
        return range(function.first, function.last + 1)


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[int, SourceFunction]]:
    """The last line of each function's header, and the function; outer ones first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            header = min(node.lineno, node.body[0].lineno - 1)
            yield header, SourceFunction(prefix + node.name, first, node.end_lineno or node.lineno)
            yield from _functions(node, f"{prefix}{node.name}.<locals>.")
        else:
            inner = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
            yield from _functions(node, inner)


class Shifts:
    """Where lines of functions stand that ``%autoreload`` compiled by themselves, or left behind.

    Parameters
    ----------
    source : the file.
    filename : its name.
    """

    def __init__(self, source: SourceFile, filename: str) -> None:
        self._moved: dict[str, list[tuple[range, int]]] = {}
        for code in _codes_of_file(filename):
            shift = source.shift(code)
            for part in _with_inner(code) if shift else ():
                lines = [lineno for _, _, lineno in part.co_lines() if lineno]
                found = (range(min(lines, default=0), max(lines, default=0) + 1), shift)
                self._moved.setdefault(part.co_name, []).append(found)

    def line(self, function: str, lineno: int) -> int:
        """The line of the file that code of `function` calls `lineno`."""
        return next((lineno + shift for lines, shift in self._moved.get(function, ()) if lineno in lines), lineno)


def _codes_of_file(filename: str) -> Iterator[CodeType]:
    """The code of functions and methods of the modules that were imported from a file."""
    for module in list(sys.modules.values()):
        if _is_a(module, ModuleType) and vars(module).get("__file__") == filename:
            for function in _functions_in(module):
                if function.__code__.co_filename == filename:
                    yield function.__code__


_HOLDERS: Final[dict[type, tuple[str, ...]]] = {
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
}
"""Where what stands in a class has its functions."""


def _functions_in(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module and of its classes, behind wrappers and properties; nothing of the user's runs."""
    name, seen = vars(module).get("__name__"), set[int]()
    waiting: list[Any] = list(vars(module).values())
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if _is_a(value, FunctionType):
            yield value
            waiting.append(vars(value).get("__wrapped__"))
        elif _is_a(value, type):
            if vars(value).get("__module__") == name:
                waiting += vars(value).values()
        else:
            names = next((names for kind, names in _HOLDERS.items() if _is_a(value, kind)), ())
            waiting += [getattr(value, each) for each in names]


def _is_a(value: object, kind: type) -> bool:
    """`isinstance`, but it does not ask the value, and so wakes none that is lazy."""
    return issubclass(type(value), kind)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)
