"""A Python script that is measured inside this process, as ``python script.py`` would run it.

    run_program(Path("train.py"), ["--epochs", "2"], measurement)

    path, spec = find_module("json.tool")           as ``python -m json.tool``
    run_program(path, [], measurement, spec)

The script sees its own arguments, folder and ``__main__``, and they are put back.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import contextlib
import functools
import importlib
import importlib.util
import io
import operator
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from jupyter_profkit.cells.repeat import repetitions
from jupyter_profkit.cells.session import OpenMeasurement
from jupyter_profkit.errors import TargetError
from jupyter_profkit.source import cut_traceback

__all__ = ["find_module", "read_program", "run_program"]

_FEATURES = (getattr(__future__, name) for name in __future__.all_feature_names)
_FUTURE = functools.reduce(operator.or_, (feature.compiler_flag for feature in _FEATURES))


def read_program(path: Path) -> list[types.CodeType]:
    """The code of a script, a code object for each top-level statement, as a notebook's cell has it.

    Raises
    ------
    TargetError
        If there is no such file.
    SyntaxError, ValueError
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


def find_module(name: str) -> tuple[Path, ModuleSpec]:
    """The file that ``python -m name`` would run, and its place among the packages.

    Raises
    ------
    TargetError
        If there is none, or it is not written in Python.
    """
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, AttributeError, TypeError, ValueError):
        spec = None
    if spec is None or not isinstance(spec.loader, SourceLoader) or spec.origin is None:
        raise TargetError(f"-m {name}: there is no module of that name to run")
    return Path(spec.origin), spec


def run_program(
    path: Path, arguments: Sequence[str], measurement: OpenMeasurement, spec: ModuleSpec | None = None
) -> BaseException | None:
    """Run a script, or the module of `spec`, as ``__main__``, measured; returns what ended it before its end.

    Raises what `read_program` does, before anything runs.

    ``@profile`` is a builtin meanwhile, since scripts written for memory_profiler
    rely on it, and so is memory_profiler's own while a script imports that; it changes
    nothing, as the script's functions are followed anyway.
    Each repetition of ``--repeat`` has a ``__main__`` of its own.
    """
    statements = read_program(path)
    saved = sys.argv, sys.path[0], sys.modules["__main__"], getattr(builtins, "profile", None)
    sys.argv = [str(path), *arguments]
    if spec is None:
        sys.path[0] = str(path.absolute().parent)
    builtins.profile = _unchanged  # type: ignore[attr-defined]
    theirs = _silence_memory_profiler(path)
    measurement.start()
    try:
        with contextlib.closing(repetitions(measurement.opened.repeat, measurement.lap)) as earlier:
            for _ in earlier:
                _run_to_its_end(statements, path, spec)
        _run_once(statements, path, spec)
    except BaseException as error:
        cut_traceback(error)
        return error
    finally:
        measurement.stop()
        theirs()
        sys.argv, sys.path[0], sys.modules["__main__"], profile = saved
        if profile is None:
            del builtins.profile  # type: ignore[attr-defined]
        else:
            builtins.profile = profile  # type: ignore[attr-defined]
    return None


def _run_once(statements: Sequence[types.CodeType], path: Path, spec: ModuleSpec | None) -> None:
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    module.__file__ = str(path.absolute())
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    if spec is not None:
        module.__spec__, module.__package__ = spec, spec.parent
    for code in statements:
        exec(code, vars(module))  # noqa: S102 - the user's own script


def _run_to_its_end(statements: Sequence[types.CodeType], path: Path, spec: ModuleSpec | None) -> None:
    """The same, with another repetition to follow: ``sys.exit()`` without a failure ends this one only."""
    try:
        _run_once(statements, path, spec)
    except SystemExit as end:
        if end.code:
            raise


def _silence_memory_profiler(path: Path) -> Callable[[], None]:
    """Let its decorator change nothing, if it is there or the script names it; returns what puts it back.

    It would trace each line itself, a thousand times slower, and print a table of its own.
    """
    module = sys.modules.get("memory_profiler")
    if module is None and "memory_profiler" in path.read_text(encoding="utf-8", errors="replace"):
        with contextlib.suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module("memory_profiler")
    if module is None:
        return lambda: None
    before = module.profile
    module.profile = _unchanged  # type: ignore[attr-defined]

    def put_back() -> None:
        module.profile = before  # type: ignore[attr-defined]

    return put_back


def _unchanged(function: Callable[..., Any] | None = None, **_: Any) -> Any:
    return function if function is not None else lambda decorated: decorated
