"""The ledger's figures as a reader looks for them: by function, with the source of every line.

functions_of(followed.all(), block)         FunctionLines, the measured block first

* A cell's statements are compiled one by one, and a class' body by itself: all of
  them are the cell's (the file's) own lines.
* A statement that several code objects are written in is shown once: with the
  function, where that stands on one line; with the code around it, if it has a lambda.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import CodeType
from typing import TypeAlias

from jupyter_profkit.engines.line_ledger import CodeLines, LineStats
from jupyter_profkit.model.line_memory import FunctionLines, LineRecord
from jupyter_profkit.source import as_typed, label_of, source_lines

__all__ = ["function_name", "functions_of"]

_Function: TypeAlias = tuple[str, str, int]
"""File name, qualified name, first line; code objects with the same are shown as one."""


def functions_of(followed: Iterable[CodeLines], block: str | None) -> tuple[FunctionLines, ...]:
    """The figures of every line that ran: the lines of `block` first, then in order of first call."""
    members: dict[_Function, list[CodeLines]] = {}
    for lines in followed:
        members.setdefault(_function_of(lines), []).append(lines)
    figures = _figures_by_owner(members)
    blocks = [
        _function_lines(function, figures[function], members[function]) for function in members if figures[function]
    ]
    return tuple(sorted(blocks, key=lambda lines: not (lines.is_cell and lines.filename == block)))


def function_name(code: CodeType) -> str:
    """What `code` is listed under: its qualified name, or ``<module>``."""
    return "<module>" if _is_module_level(code) else code.co_qualname


def _is_module_level(code: CodeType) -> bool:
    """Whether `code` is a module's, a cell's or a class' body: its lines belong to the file's own."""
    return not code.co_flags & inspect.CO_OPTIMIZED


def _function_of(lines: CodeLines) -> _Function:
    code, name = lines.code, function_name(lines.code)
    return code.co_filename, name, 0 if name == "<module>" else code.co_firstlineno + lines.shift


def _figures_by_owner(members: dict[_Function, list[CodeLines]]) -> dict[_Function, dict[int, LineStats]]:
    """The figures of each function's lines; those of a line that several share are its who comes first by `_claim`."""
    figures: dict[_Function, dict[int, LineStats]] = {function: {} for function in members}
    taken: set[tuple[str, int]] = set()
    for function in sorted(members, key=_claim):
        filename = function[0]
        for lines in members[function]:
            for lineno, stats in lines.stats.items():
                stats.is_sampled = stats.is_sampled or (lines.is_hot and lines.counts)
                if (filename, lineno) not in taken or lineno in figures[function]:
                    taken.add((filename, lineno))
                    figures[function][lineno] = stats
    return figures


def _claim(function: _Function) -> tuple[bool, int]:
    """Inner functions come before outer ones, and these before the file's own lines; lambdas come last."""
    _, name, _ = function
    depth = 0 if name == "<module>" else 1 + name.count("<locals>")
    return name.endswith("<lambda>"), -depth


def _function_lines(function: _Function, stats: dict[int, LineStats], members: list[CodeLines]) -> FunctionLines:
    filename, name, first = function
    text = source_lines(filename)
    linenos = range(1, _last_line(text) + 1) if name == "<module>" else _block_of(text, first, stats)
    records = tuple(
        _record(lineno, as_typed(text[lineno - 1]) if lineno <= len(text) else "", stats.get(lineno))
        for lineno in sorted({*linenos, *stats})
    )
    return FunctionLines(name, filename, label_of(filename), records, sum(lines.n_calls for lines in members))


def _last_line(text: list[str]) -> int:
    """The number of the last line that says anything; a cell that is typed in a terminal ends in an empty one."""
    return max((lineno for lineno, line in enumerate(text, 1) if line.strip()), default=0)


def _block_of(text: list[str], first: int, stats: dict[int, LineStats]) -> range:
    """The line numbers of the function whose code begins at `first`."""
    try:
        n_lines = len(inspect.getblock([line + "\n" for line in text[first - 1 :]])) if text else 0
    except (SyntaxError, IndentationError):
        n_lines = 0
    return range(first, max([first + n_lines - 1, *stats]) + 1)


def _record(lineno: int, source: str, stats: LineStats | None) -> LineRecord:
    if stats is None:
        return LineRecord(lineno, source)
    return LineRecord(
        lineno,
        source,
        occurrences=stats.occurrences,
        mem_usage=stats.mem_usage,
        increment=stats.increment,
        self_increment=stats.self_increment,
        peak=stats.peak,
        sampled=stats.is_sampled,
    )
