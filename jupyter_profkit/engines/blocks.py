"""The top-level statements of a ``with`` block, which is part of somebody's function.

    block = WithBlock.of(frame)         the frame that has just come to its ``with``
    block.statement(frame.f_lineno)     a code object that stands for the statement there

The shell compiles each statement of a cell by itself, so that engines tell them apart
by their code. A block has one code object in common with all of its function; here each
statement gets a copy of it, under which its time and calls are kept.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

from jupyter_profkit.engines.tool_slots import MONITORING
from jupyter_profkit.source import header_end, parse_lines, source_lines

__all__ = ["StatementSwitch", "WithBlock"]


class WithBlock:
    """A ``with`` block while its body runs.

    Parameters
    ----------
    frame : the frame that runs it.
    statements : first and last line of each statement, in their order.
    """

    def __init__(self, frame: FrameType, statements: list[tuple[int, int]]) -> None:
        self.frame: FrameType | None = frame
        self.code = frame.f_code
        self.is_async = bool(self.code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
        """Whether it may wait, and the event loop do other work meanwhile."""
        self._first_lines = [first for first, _ in statements]
        # Equal code objects are one key of a dictionary; these differ in their name and line.
        self.codes = {self.code.replace(co_name="<statement>", co_firstlineno=lines[0]): lines for lines in statements}
        self._ordered = list(self.codes)

    @classmethod
    def of(cls, frame: FrameType) -> WithBlock | None:
        """The block at whose ``with`` `frame` stands; None where its source is not to be had."""
        found = _with_at("\n".join(source_lines(frame.f_code.co_filename)), frame.f_lineno)
        return cls(frame, list(_lines(found.body))) if found is not None else None

    def statement(self, lineno: int) -> CodeType:
        """The copy that stands for the statement on that line; before the first one, and after the last, for that."""
        return self._ordered[max(bisect_right(self._first_lines, lineno) - 1, 0)]

    @property
    def running(self) -> CodeType:
        """That of the statement that the frame is at."""
        return self.statement(self.frame.f_lineno) if self.frame is not None else self._ordered[-1]

    def close(self) -> None:
        """Let go of the frame, and of the variables in it."""
        self.frame = None


class StatementSwitch:
    """Lets a profiler take the frame of a block for the statement that runs in it.

    Parameters
    ----------
    block : whose frame it is.
    enter, leave : the profiler's callbacks; a statement is entered and left like a function.
    """

    def __init__(self, block: WithBlock, enter: Callable[..., None], leave: Callable[..., None]) -> None:
        self._block = block
        self._enter, self._leave = enter, leave
        self._statement: CodeType | None = None

    def open(self) -> None:
        """The first statement begins."""
        self._statement = self._block.running
        self._enter(self._statement, 0)

    def close(self) -> None:
        """The block is over; whoever ends its open calls has ended the statement too."""
        self._statement = None

    def stands_for(self, code: CodeType, frame: FrameType) -> CodeType:
        """The statement that runs, if `frame` is the block's own, not another call of the same function."""
        return self._statement if self._statement is not None and frame is self._block.frame else code

    def on_line(self, code: CodeType, lineno: int) -> object:
        """The frame has come to another line, perhaps of another statement; no line is heard of twice."""
        if self._statement is None or sys._getframe(1) is not self._block.frame:
            return None
        statement = self._block.statement(lineno)
        if statement is not self._statement:
            self._leave(self._statement, 0, None)
            self._statement = statement
            self._enter(statement, 0)
        return MONITORING.DISABLE


def _with_at(source: str, lineno: int) -> ast.With | ast.AsyncWith | None:
    """The innermost ``with`` whose first lines, up to its body, hold that line."""
    found = [node for node in _withs(source) if node.lineno <= lineno <= max(header_end(node), node.lineno)]
    return max(found, key=lambda node: node.lineno, default=None)


@functools.lru_cache(maxsize=8)
def _withs(source: str) -> tuple[ast.With | ast.AsyncWith, ...]:
    """Every ``with`` of a source; a block in a loop comes here each time."""
    tree = parse_lines(source.split("\n"))
    return tuple(node for node in ast.walk(tree or ast.Module([], [])) if isinstance(node, ast.With | ast.AsyncWith))


def _lines(body: list[ast.stmt]) -> Iterator[tuple[int, int]]:
    """First and last line of each statement; those on one line are one."""
    last = 0
    for node in body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        end = node.end_lineno or first
        if first > last:
            yield first, end
        last = end
