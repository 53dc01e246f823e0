"""The functions and statements of a source file, found by line where no code object is at hand.

source = SourceFile(filename)
source.statement(12)            the line where the statement begins that line 12 is part of
source.function(12).qualname    "Box.make.<locals>.inner"
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_profkit.source import Statements, parse_lines, source_lines

__all__ = ["SourceFile", "SourceFunction"]


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
        self.lines = source_lines(filename)
        self._statements = Statements.of(self.lines)
        tree = parse_lines(self.lines)
        self._functions = list(_functions(tree, "")) if tree is not None else []

    def statement(self, lineno: int) -> int:
        return self._statements.start(lineno)

    def function(self, lineno: int) -> SourceFunction:
        """The innermost function whose body holds the line."""
        inside = [function for header, function in self._functions if header < lineno <= function.last]
        return inside[-1] if inside else _NO_FUNCTION

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
