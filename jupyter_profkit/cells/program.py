"""A Python script that is measured inside this process, as ``python script.py`` would run it.

    run_program(Path("train.py"), ["--epochs", "2"], measurement)

The script sees its own arguments, folder and ``__main__``, and they are put back.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import contextlib
import functools
import io
import operator
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jupyter_profkit.cells.repeat import repetitions
from jupyter_profkit.cells.session import OpenMeasurement
from jupyter_profkit.errors import TargetError
from jupyter_profkit.source import cut_traceback

__all__ = ["read_program", "run_program"]

_FEATURES = (getattr(__future__, name) for name in __future__.all_feature_names)
_FUTURE = functools.reduce(operator.or_, (feature.compiler_flag for feature in _FEATURES))


def read_program(path: Path) -> list[types.CodeType]:
    """The code of a script, a code object for each top-level statement, as a notebook's cell has it.

    Raises
    ------
    TargetError
        If there is no such file.
    SyntaxError
        If it is not Python.
    """
    filename = str(path.absolute())
    try:
        with io.open_code(filename) as file:
            source = file.read()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror or error}") from None
    features = compile(source, filename, "exec", dont_inherit=True).co_flags & _FUTURE
    body = ast.parse(source, filename).body
    # A string that is not the first statement would become the docstring of its own module.
    statements = body[:1] + [statement for statement in body[1:] if not _is_string(statement)]
    return [
        compile(ast.Module([statement], []), filename, "exec", features, dont_inherit=True) for statement in statements
    ]


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def run_program(path: Path, arguments: Sequence[str], measurement: OpenMeasurement) -> BaseException | None:
    """Run a script as ``__main__``, measured, and return what ended it before its end.

    ``@profile`` is a builtin meanwhile, since scripts written for memory_profiler
    rely on it; it changes nothing, as the script's functions are followed anyway.
    Each repetition of ``--repeat`` has a ``__main__`` of its own.
    """
    statements = read_program(path)
    saved = sys.argv, sys.path[0], sys.modules["__main__"], getattr(builtins, "profile", None)
    sys.argv, sys.path[0] = [str(path), *arguments], str(path.absolute().parent)
    builtins.profile = _unchanged  # type: ignore[attr-defined]
    measurement.start()
    try:
        with contextlib.closing(repetitions(measurement.opened.repeat, measurement.lap)) as earlier:
            for _ in earlier:
                _run_to_its_end(statements, path)
        _run_once(statements, path)
    except BaseException as error:
        cut_traceback(error)
        return error
    finally:
        measurement.stop()
        sys.argv, sys.path[0], sys.modules["__main__"], profile = saved
        if profile is None:
            del builtins.profile  # type: ignore[attr-defined]
        else:
            builtins.profile = profile  # type: ignore[attr-defined]
    return None


def _run_once(statements: Sequence[types.CodeType], path: Path) -> None:
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    module.__file__ = str(path.absolute())
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    for code in statements:
        exec(code, vars(module))  # noqa: S102 - the user's own script


def _run_to_its_end(statements: Sequence[types.CodeType], path: Path) -> None:
    """The same, with another repetition to follow: ``sys.exit()`` without a failure ends this one only."""
    try:
        _run_once(statements, path)
    except SystemExit as end:
        if end.code:
            raise


def _unchanged(function: Callable[..., Any] | None = None, **_: Any) -> Any:
    return function if function is not None else lambda decorated: decorated
