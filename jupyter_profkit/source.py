"""Source lines, notebook cells included: whose they are, what a reader calls them.

    label_of("/tmp/ipykernel_7/123.py")     'In [7]'
    is_user_file("/home/me/clean.py")       True; the standard library and site-packages are not
    Statements.of(parse_lines(lines)).start(12)     the line on which the statement that holds line 12 begins

Nothing here runs or imports anybody's code; the shell is only asked what it knows.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import re
import site
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Final, TypeAlias

__all__ = [
    "CALLED_IN_BETWEEN",
    "Statements",
    "as_typed",
    "cut_traceback",
    "forget_timed",
    "header_end",
    "is_cell_file",
    "is_timed_without_source",
    "is_user_file",
    "label_of",
    "line_range",
    "parse_lines",
    "place_of",
    "refresh_lines",
    "register_lines",
    "register_timed",
    "running_shell",
    "source_line",
    "source_lines",
]

_PACKAGE = str(Path(__file__).parent) + os.sep


CALLED_IN_BETWEEN = frozenset(
    _PACKAGE + os.path.join("engines", f"{name}.py")
    for name in (
        *("await_tracer", "awaits", "blocks", "collector_calls", "line_ledger", "line_tracers", "memory_limit"),
        *("pauses", "relief", "return_points", "scoped_profiler", "stacks", "thread_filters", "timers"),
    )
)
"""Files whose functions the interpreter calls in the middle of the user's code, where an interrupt may find them."""
_REPEATS = _PACKAGE + os.path.join("cells", "repeat.py")


def cut_traceback(error: BaseException | None) -> None:
    """Take frames of ours out of an exception's traceback.

    What comes out of a handler ends in the code that was interrupted; a repeated
    cell has no prologue above the line that failed.
    """
    entry = error.__traceback__ if error is not None else None
    while entry is not None:
        following = entry.tb_next
        if following is not None and _file_of(following) in CALLED_IN_BETWEEN:
            entry.tb_next = None
        elif following is not None and following.tb_next is not None and _file_of(following.tb_next) == _REPEATS:
            entry.tb_next = following.tb_next.tb_next or following
        entry = entry.tb_next


def _file_of(entry: TracebackType) -> str:
    return entry.tb_frame.f_code.co_filename


def source_lines(filename: str) -> list[str]:
    """The lines of a file or cell without their line ends; empty when they are not to be had."""
    return [line.rstrip("\r\n") for line in linecache.getlines(filename)]


def source_line(filename: str, lineno: int) -> str:
    """A line of a file or cell as it was typed, without its indentation; empty if it is not to be had."""
    lines = source_lines(filename)
    return as_typed(lines[lineno - 1].strip()) if 0 < lineno <= len(lines) else ""


_IPYTHONS_CALL: Final = re.compile(
    r"get_ipython\(\)\.(run_line_magic|run_cell_magic|system|getoutput)(\(['\"].*['\"]\))$"
)


def as_typed(line: str) -> str:
    """A line of a cell as its author typed it: ``!ls``, ``%time f()``, where IPython keeps the call it made of that."""
    found = _IPYTHONS_CALL.search(line)
    try:
        arguments = ast.literal_eval(found[2]) if found is not None else ()
    except (SyntaxError, ValueError):
        return line
    if found is None:
        return line
    before = line[: found.start()]
    match found[1], arguments:
        case "run_line_magic", ("pinfo" | "pinfo2" as name, str(about)):
            return f"{before}{about}{'??' if name == 'pinfo2' else '?'}"
        case "run_line_magic", (str(name), str(rest)):
            return f"{before}%{name} {rest}".rstrip()
        case "run_cell_magic", (str(name), str(rest), str()):
            return f"{before}%%{name} {rest}".rstrip()
        case (("system" | "getoutput" as name), str(command)):
            return f"{before}{'!' if name == 'system' or before.strip() else '!!'}{command}"
    return line


def refresh_lines(filename: str) -> None:
    """Read a file anew if it has changed since its lines were last asked for."""
    linecache.checkcache(filename)


def register_lines(filename: str, text: str) -> None:
    """Make `text` the source that tracebacks and `inspect` find under `filename`."""
    lines = [line + "\n" for line in text.splitlines()]
    linecache.cache[filename] = (len(text), None, lines, filename)


_TIMED: Final = "<timed exec>"
"""Where IPython says that the body of ``%%time`` stands; its text it keeps nowhere."""


def register_timed(filename: str) -> None:
    """Let the body of a ``%%time`` in a cell be found, until `forget_timed`."""
    calls = [line for line in source_lines(filename) if line.startswith("get_ipython().run_cell_magic('time'")]
    tree = parse_lines(calls)
    match tree.body if tree is not None else []:
        case [ast.Expr(ast.Call(_, [_, _, ast.Constant(str(body))]))]:
            register_lines(_TIMED, running_shell().transform_cell(body))


def is_timed_without_source(filename: str) -> bool:
    """Whether a file's lines are those of some ``%time``, of which nobody can tell which."""
    return filename.startswith("<timed ") and filename not in linecache.cache


def forget_timed() -> None:
    """Functions that another cell's ``%%time`` defined have not this source."""
    linecache.cache.pop(_TIMED, None)


def line_range(code: CodeType) -> tuple[int, int]:
    """The first and last line of a statement of a cell; its co_firstlineno is 1, whichever it is."""
    numbers = {line for _, _, line in code.co_lines() if line}
    if code.co_flags & inspect.CO_COROUTINE:  # the making of the coroutine stands on co_firstlineno
        numbers = numbers - {code.co_firstlineno} or numbers
    return min(numbers, default=0), max(numbers, default=0)


def is_cell_file(filename: str) -> bool:
    """Whether `filename` is what the shell calls a cell of this session."""
    return _cell_name(filename) is not None


def label_of(filename: str) -> str:
    """How a reader knows a file: ``In [7]``, ``pandas/core/frame.py``, ``~/work/clean.py``."""
    cell = _cell_name(filename)
    if cell is not None:
        return cell
    if not os.path.isabs(filename):
        return filename
    for folder in _library_folders():
        if filename.startswith(folder):
            return filename[len(folder) :]
    return _short_path(filename)


def place_of(label: str) -> str:
    """What a file is known by from run to run: its label, and one word for all that is typed into the notebook."""
    typed = label.startswith(("In [", "%", "<%", "<ipython-input-", "<timed ")) or f"{os.sep}ipykernel_" in label
    return "notebook" if typed else label


def _short_path(filename: str) -> str:
    for start, prefix in ((os.getcwd(), ""), (os.path.expanduser("~"), f"~{os.sep}")):
        if start not in {"", os.sep} and filename.startswith(start + os.sep):
            return prefix + filename[len(start) + 1 :]
    return filename


def running_shell() -> Any:
    """The IPython shell of this process, None if there is none; IPython is not imported for it."""
    get_ipython = getattr(sys.modules.get("IPython.core.getipython"), "get_ipython", None)
    return get_ipython() if get_ipython is not None else None  # absent while IPython is being imported


def _cell_name(filename: str) -> str | None:
    shell = running_shell()
    if shell is None:
        return None
    named = shell.compile.format_code_name(filename)
    if named is None:
        return None
    number = str(named[1]).removeprefix("In[").removesuffix("]")
    return f"In [{number}]"


_COMPILED = (".pyx", ".pxd", ".pxi")
"""Sources of Cython: in tracebacks, where they have the path that they had when the library was built."""


@functools.lru_cache(maxsize=4096)
def is_user_file(filename: str) -> bool:
    """Whether code from `filename` is the user's own: no library, no part of Python, not ours.

    Code without a file (``<string>``, ``<frozen importlib>``) is nobody's: what it
    takes counts on the line that called it. So is what Cython compiled. A cell in a terminal has such a name
    too; `is_cell_file` knows it.
    """
    if filename.startswith("<"):
        return filename.startswith(("<ipython-input-", "<timed "))
    if filename.endswith(_COMPILED):
        return False
    path = os.path.abspath(filename)
    return not path.startswith((_PACKAGE, *_library_folders()))


@functools.cache
def _library_folders() -> tuple[str, ...]:
    """Folders of libraries, the longest first, each with a separator at its end."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {sysconfig.get_path(name) for name in names}
    found |= {*site.getsitepackages(), site.getusersitepackages(), os.path.dirname(os.__file__)}
    real = {os.path.realpath(folder) for folder in found if folder}
    return tuple(sorted((folder + os.sep for folder in {*filter(None, found), *real}), key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Statements:
    """Which statement a line belongs to, as a reader sees it.

    A statement over several lines is one; the header of a block (``for …:``, a
    ``def`` with its decorators, ``case …:``) is one; a block's body is not part of it.
    """

    starts: dict[int, int]

    @classmethod
    def of(cls, tree: ast.Module | None) -> Statements:
        """The statements of a source that `parse_lines` read; lines of one that it could not stand for themselves."""
        if tree is None:
            return cls({})
        starts: dict[int, int] = {}
        for header in _headers(tree):
            first = _header_start(header)
            for lineno in range(first + 1, header_end(header) + 1):
                starts.setdefault(lineno, first)
        return cls(starts)

    def start(self, lineno: int) -> int:
        """The first line of the statement that `lineno` is part of."""
        return self.starts.get(lineno, lineno)


def parse_lines(lines: Iterable[str]) -> ast.Module | None:
    """The syntax tree of a source, None if it cannot be parsed; the ``%%`` lines on top of a cell count as empty."""
    at_top = True
    text = []
    for line in lines:
        at_top = at_top and line.startswith("%%")
        text.append("" if at_top else line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse("\n".join(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_Header: TypeAlias = ast.stmt | ast.excepthandler | ast.match_case


def _headers(tree: ast.AST) -> Iterator[_Header]:
    """Every statement, ``except`` and ``case``, inner ones after those that hold them."""
    for node in ast.walk(tree):
        if isinstance(node, _Header):
            yield node


_BODIES = ("body", "orelse", "finalbody", "handlers", "cases", "decorator_list")


def _header_start(header: _Header) -> int:
    """The first line of a statement: that of its first decorator, unless its body stands beside it."""
    decorators: list[ast.expr] = getattr(header, "decorator_list", [])
    body = _body_of(header)
    if not decorators or _header_start(body[0]) <= header_end(header):
        return _lineno(header)
    return min(decorator.lineno for decorator in decorators)


def _body_of(header: _Header) -> list[_Header]:
    return getattr(header, "body", None) or getattr(header, "cases", [])


def _lineno(node: _Header) -> int:
    return node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno


def header_end(header: _Header) -> int:
    """The last line of a statement, of its header only if it has a body."""
    body = _body_of(header)
    if not body:
        return getattr(header, "end_lineno", None) or _lineno(header)
    ends = [_lineno(header)]
    for name, value in ast.iter_fields(header):
        if name in _BODIES:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                ends += [getattr(node, "end_lineno", 0) or 0 for node in ast.walk(child)]
    return max(ends) if _header_start(body[0]) > max(ends) else _lineno(header)
