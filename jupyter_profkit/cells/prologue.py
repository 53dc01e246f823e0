"""The cell stays a cell: a magic on its first line becomes one statement.

* An input transformer replaces ``%%memprofile -p 3`` on the first line by a call
  of `begin`, and touches nothing else: line numbers, multi-line strings, ``await``,
  ``!cmd`` and the last value stay IPython's business, because it runs the cell.
* The transformer is pure, since IPython applies it two or three times to a cell.
* Under it may stand another cell magic (ours or not): it stays a magic, and is
  called by the statement after the prologue.
* Under ``%%time``, which runs its body as one piece of code, ours stay magics, too.
* `begin` parses the options, so that a wrong one stops the cell before its body
  runs, and opens the measurement; the end is `session`'s business.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Callable, Collection

__all__ = ["PrologueTransformer", "begin", "prologue_of", "restore_first_line"]

_MAGIC_LINE = re.compile(r"%%(?P<name>\w+)(?![\w?])(?P<line>.*)")

_openers: dict[str, Callable[[str, str], None]] = {}


class PrologueTransformer:
    """The input transformer; one is registered while the extension is loaded."""

    has_side_effects = True
    """Not so, but it makes IPython's ``check_complete`` skip it: a terminal then goes on
    reading the body until a blank line, as after any cell magic."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    def __call__(self, lines: list[str]) -> list[str]:
        if _is_asked_by_time():
            return lines
        prologues: list[str] = []
        for line in lines:
            match = _MAGIC_LINE.fullmatch(line.rstrip("\r\n"))
            if match is None or match["name"] not in self._names:
                break
            prologues.append(_statement(match["name"], match["line"].strip()))
        if not prologues:
            return lines
        return prologues + self._rest(lines[len(prologues) :])

    @staticmethod
    def _rest(lines: list[str]) -> list[str]:
        """The body; a foreign magic on top of it stays one."""
        from IPython.core.inputtransformer2 import cell_magic

        return list(cell_magic(lines))


def _is_asked_by_time() -> bool:
    """Whether it is ``%time`` that has its body transformed: no statement of that can be told from the others."""
    frame = sys._getframe(2)
    while frame.f_code.co_name == "transform_cell" and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_qualname == "ExecutionMagics.time"


def _statement(name: str, line: str) -> str:
    return f"__import__({__name__!r}, fromlist=('begin',)).begin({name!r}, {line!r})\n"


def prologue_of(statement: ast.stmt) -> tuple[str, str] | None:
    """The magic's name and its options, if `statement` is what the transformer wrote."""
    match statement:
        case ast.Expr(
            ast.Call(
                ast.Attribute(ast.Call(ast.Name("__import__"), [ast.Constant(module), *_]), "begin"),
                [ast.Constant(str(name)), ast.Constant(str(line))],
            )
        ) if module == __name__:
            return name, line
    return None


def set_openers(openers: dict[str, Callable[[str, str], None]]) -> None:
    """Say who opens the measurement of each magic; the loaded extension does."""
    _openers.clear()
    _openers.update(openers)


def begin(name: str, line: str) -> None:
    """The prologue's statement: open the measurement of the cell that is running.

    Parameters
    ----------
    name : the magic's name.
    line : its options, as typed.

    Raises
    ------
    UsageError
        If an option is wrong, or the extension is no longer loaded.
    """
    opener = _openers.get(name)
    if opener is None:
        from IPython.core.error import UsageError

        raise UsageError(f"%%{name} is not loaded; run %load_ext jupyter_profkit first")
    filename = sys._getframe(1).f_code.co_filename
    restore_first_line(filename, name, line)
    opener(line, filename)


def restore_first_line(filename: str, name: str, line: str) -> None:
    """Let tracebacks and views show the magic's line where the prologue stands.

    IPython keeps the transformed text under the cell's file name; only the lines
    that this module wrote there are put back.
    """
    entry = linecache.cache.get(filename)
    if entry is None or len(entry) != 4:
        return
    written = _statement(name, line)
    for index, text in enumerate(entry[2]):
        if text == written:
            entry[2][index] = f"%%{name} {line}".rstrip() + "\n"
            return
