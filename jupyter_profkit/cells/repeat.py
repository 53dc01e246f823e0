"""``--repeat N``: a cell's body runs N times, and the last run is the cell's own.

* An AST transformer finds a cell whose prologue asks for repetitions (``%config``
  counts too). It puts a call of `run_before` beside the prologue's own, and leaves
  the body as it stands: the last repetition is run by IPython, so that the last
  value, ``Out``, ``;``, ``await``, line numbers and tracebacks are its business.
* `run_before` runs the N - 1 repetitions before that. Their statements are compiled
  one by one under the cell's file name, once, before anything is measured. So all
  engines see them as they see a cell's: code objects named ``<module>``, at the
  same lines as those of the last repetition. Values are not shown.
* It stands in the prologue's statement, not in one of its own, because that frame
  is older than the measurement: no engine follows it. `cut_traceback` takes it
  out of tracebacks.
* A body that cannot be compiled is left to IPython, which says why.

What a measurement has to do with it (see `Opened.repeat` and `Repeatable`)::

    Opened(measurement, present, repeat=values.repeat)

    class TimeMeasurement:
        def lap(self) -> None: ...      called after each repetition but the last, while it is
                                        measured; the last one ends with `stop`

With several measurements in a cell the greatest N counts, and each hears every lap.
After an error in repetition k there were k - 1 laps. A measurement that could not
start repeats nothing. What is no cell (a magic's statement, a script, a function)
is repeated with `repetitions`, by the same protocol::

    with contextlib.closing(repetitions(n, run.lap)) as earlier:
        for _ in earlier:
            function()
    function()
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any, Protocol

from jupyter_profkit.cells.progress import Progress
from jupyter_profkit.cells.prologue import prologue_of

__all__ = ["RepeatTransformer", "Repeater", "prepare", "repetitions", "run_before", "run_before_async", "set_repeater"]


class Repeater(Protocol):
    """Who knows the measurements of the cell that runs; `CellSessions` does."""

    def repetitions(self) -> int:
        """How often the body is to run."""

    def lap(self) -> None:
        """A repetition is over, and another one begins."""

    def complain(self, message: str) -> None:
        """One line to the user."""


_repeaters: list[Repeater] = []
_waiting: dict[int, _Body] = {}
_tokens = itertools.count(1)
_MOST_WAITING = 8


def set_repeater(repeater: Repeater | None) -> None:
    """Say who knows the measurements; the loaded extension does."""
    _repeaters[:] = [] if repeater is None else [repeater]
    _waiting.clear()


class RepeatTransformer:
    """The AST transformer; one is registered while the extension is loaded.

    Parameters
    ----------
    shell : the InteractiveShell that compiles.
    counts : for each magic, the repetitions that its options ask for; 1 if they are wrong.
    """

    def __init__(self, shell: Any, counts: Mapping[str, Callable[[str], int]]) -> None:
        self._shell = shell
        self._counts = counts

    def visit(self, tree: ast.AST) -> ast.AST:
        """`tree`, with the repetitions beside its prologue if it asks for some."""
        body = tree.body if isinstance(tree, ast.Module) else []
        prologues = [asked for asked in map(prologue_of, body) if asked is not None]  # they stand together, on top
        if not any(self._counts[name](line) > 1 for name, line in prologues if name in self._counts):
            return tree
        statements = body[len(prologues) :]
        try:
            codes = _compile_each(self._shell, statements, "<repeated>")
        except Exception:  # IPython says what is wrong, where it comes to it
            return tree
        token = next(_tokens)
        _waiting[token] = _Body(self._shell, statements)
        _waiting.pop(token - _MOST_WAITING, None)  # its cell ended before it came to it
        is_async = any(code.co_flags & inspect.CO_COROUTINE for code in codes)
        last = body[len(prologues) - 1]
        assert isinstance(last, ast.Expr)
        last.value = _beside(last.value, token, is_async)
        body.insert(0, ast.copy_location(ast.Expr(_call("prepare", token)), last))
        ast.fix_missing_locations(tree)
        return tree


def _beside(prologue: ast.expr, token: int, is_async: bool) -> ast.expr:
    """The prologue's call, then that of the repetitions, in one expression that is None as each of them."""
    call: ast.expr = _call("run_before_async" if is_async else "run_before", token)
    both = ast.BoolOp(ast.Or(), [prologue, ast.Await(call) if is_async else call])
    return ast.copy_location(both, prologue)


def _call(name: str, token: int) -> ast.Call:
    found = ast.parse(f"__import__({__name__!r}, fromlist=({name!r},)).{name}({token})", mode="eval").body
    assert isinstance(found, ast.Call)
    return found


def _compile_each(shell: Any, statements: Sequence[ast.stmt], filename: str) -> list[CodeType]:
    """Each statement by itself, as the shell compiles it."""
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0):
        return [shell.compile(ast.Module([statement], []), filename, "exec") for statement in statements]


class _Body:
    """A body that waits for its repetitions."""

    def __init__(self, shell: Any, statements: Sequence[ast.stmt]) -> None:
        self._shell = shell
        self._statements = list(statements)
        self.codes: list[CodeType] = []

    def compile(self, filename: str) -> None:
        self.codes = _compile_each(self._shell, self._statements, filename)


def prepare(token: int) -> None:
    """Compile the body; stands before the prologue, so that it is not measured."""
    if token in _waiting:
        _waiting[token].compile(sys._getframe(1).f_code.co_filename)


def run_before(token: int) -> None:
    """Run the repetitions before the last one, in the namespace of the caller."""
    __tracebackhide__ = True
    frame = sys._getframe(1)
    with contextlib.closing(_repetitions(token, frame)) as codes:
        for code in codes:
            eval(code, frame.f_globals, frame.f_locals)  # noqa: S307 - the user's own code


async def run_before_async(token: int) -> None:
    """The same for a body that awaits."""
    __tracebackhide__ = True
    frame = sys._getframe(1)
    with contextlib.closing(_repetitions(token, frame)) as codes:
        for code in codes:
            value = eval(code, frame.f_globals, frame.f_locals)  # noqa: S307 - the user's own code
            if code.co_flags & inspect.CO_COROUTINE:
                await value


def _repetitions(token: int, frame: FrameType) -> Generator[CodeType]:
    """The codes to run, one after the other; in between the measurements hear of the laps."""
    body = _waiting.pop(token, None)
    if body is None or not _repeaters:  # a loop around the prologue, or unloaded in between
        return
    repeater = _repeaters[0]
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        repeater.complain("--repeat is for the top level of a cell; inside another magic's function the body runs once")
        return
    for _ in repetitions(repeater.repetitions(), repeater.lap):
        yield from body.codes


def repetitions(n: int, lap: Callable[[], None]) -> Generator[None]:
    """The `n` repetitions but the last; after each `lap` is called. Closing it wipes the line on the progress."""
    with Progress("repetitions", total=n) as progress:
        for _ in range(n - 1):
            yield
            progress.advance()
            lap()
