"""The measurements from a shell.

    python -m jupyter_profkit memprofile [options] script.py [argument …]
    python -m jupyter_profkit cprofile [options] script.py [argument …]
    python -m jupyter_profkit memprofile|cprofile [options] -m module [argument …]
    python -m jupyter_profkit run [options] script.py [argument …]
    python -m jupyter_profkit run [options] -m module [argument …]
    python -m jupyter_profkit attach [options] PID
    python -m jupyter_profkit plot|peak [options] [recording …]
    python -m jupyter_profkit list
    python -m jupyter_profkit rm [--dry-run] [--all] recording …
    python -m jupyter_profkit doctor
    python -m jupyter_profkit --version

Options are those of the magics, and of mprof; COMMAND --help lists them. As python and
cProfile have it, -m ends the options and names a module to run, and what follows is its
arguments; the magics' -m GLOB is --module here, or -m with a wildcard: -m "numpy.*". A
recording is a file or its number in the list, -1 for the newest. The exit code is
the script's; 2 is a wrong call.
"""

from __future__ import annotations

import itertools
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from jupyter_profkit.cells.measurement import Measurement
from jupyter_profkit.cells.program import find_module, run_program
from jupyter_profkit.cli import mprof
from jupyter_profkit.cli.delivery import deliver
from jupyter_profkit.errors import OptionError, ProfkitError, TargetError
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import OptionSet, Values
from jupyter_profkit.options.common import for_shell
from jupyter_profkit.options.cprofile import CPROFILE
from jupyter_profkit.options.memprofile import MEMPROFILE
from jupyter_profkit.options.mprof import ATTACH, LIST, PEAK, PLOT, RM, RUN

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name, rest = words[0] if words else "--help", words[1:]
    command, options = _COMMANDS.get(name, (None, None))
    if (text := _asked_for(name, options, rest)) is not None:
        print(text)
        return 0
    try:
        if command is None:
            raise OptionError(f"there is no command {name!r}; {_ELSEWHERE.get(name, _WHAT_THERE_IS)}")
        return command(rest)
    except ProfkitError as error:
        print(f"jupyter_profkit: {error}", file=sys.stderr)
    except OSError as error:  # a file that cannot be written; a script's own errors are reported where it runs
        print(f"jupyter_profkit: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
    return 2


def _asked_for(name: str, options: OptionSet | None, rest: Sequence[str]) -> str | None:
    """The help or the version, if that is what somebody wants to read."""
    if name in {"-h", "--help"}:
        return (__doc__ or "").strip()
    if name == "--version":
        from jupyter_profkit.cli.doctor import version_of

        return f"jupyter_profkit {version_of('jupyter-profkit')}"
    if options is not None and rest[:1] in (["-h"], ["--help"]):
        return options.help("python -m jupyter_profkit ")
    return None


def _memprofile(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cells.line_memory import LineMemoryMeasurement
    from jupyter_profkit.options.memprofile import DISPLAY

    return _measure(_MEMPROFILE, DISPLAY, arguments, LineMemoryMeasurement, "line_memory")


def _cprofile(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cells.functions import TimeMeasurement
    from jupyter_profkit.options.cprofile import DISPLAY

    return _measure(
        _CPROFILE, DISPLAY, arguments, lambda values, path: TimeMeasurement(values, filename=path), "functions"
    )


def _measure(
    options: OptionSet,
    display: Sequence[str],
    arguments: Sequence[str],
    make: Callable[[Values, str], Measurement],
    kind: str,
) -> int:
    """Run a script in this process under a measurement, and print its report."""
    from jupyter_profkit.cells.comparison import find_earlier
    from jupyter_profkit.cells.session import Opened, OpenMeasurement

    own, module = _module_to_run(arguments)
    values, rest = options.from_arguments(own)
    spec = None
    if rest:  # a script stands before that -m, which is one of its own arguments
        values, rest = options.from_arguments(arguments)
    elif module:
        path, spec = _find(module)
        rest = [str(path), *module[1:]]
    if not rest:
        raise OptionError(f"{options.name} takes a script: python -m jupyter_profkit {options.name} script.py")
    path = Path(rest[0])
    before = find_earlier(values.get("compare"), {}, kind)
    opened = Opened(make(values, str(path.absolute())), _nothing, repeat=values.get("repeat", 1))
    run = OpenMeasurement(opened, path.name if spec is None else module[0], str(path))
    try:
        error = run_program(path, rest[1:], run, spec)
    except (SyntaxError, ValueError) as not_python:  # nothing ran
        return _exit_code(not_python.with_traceback(None))
    ended = isinstance(error, SystemExit)  # as scripts do
    deliver(run.finish(None if ended else error), values, display, before=before)
    return _exit_code(error)


def _module_to_run(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The options, and what the first ``-m`` without a wildcard begins: a module to run and its arguments."""
    for n, (word, following) in enumerate(itertools.pairwise(arguments)):
        if word == "-m" and not set("*?[") & set(following):
            return arguments[:n], arguments[n + 1 :]
    return arguments, ()


def _find(module: Sequence[str]) -> tuple[Path, ModuleSpec]:
    """The file of a module to run; an error tells who meant something else what to write."""
    name, *arguments = module
    if name.endswith((".py", ".pyw")):
        raise TargetError(f"-m {name}: a module's name has no suffix; a script goes without -m")
    try:
        return find_module(name)
    except TargetError as error:
        script = next((word for word in arguments if word.endswith((".py", ".pyw"))), None)
        hint = f"; for figures of {name} in {script}: --module {name} {script}" if script is not None else ""
        raise TargetError(f"{error}{hint}") from None


def _nothing(_: Result) -> None:
    """A shell command delivers its result itself."""


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)  # as Python does
        return 1
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == run_program.__code__.co_filename:
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _doctor(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cli.doctor import findings

    if arguments:
        raise OptionError("doctor takes no arguments")
    for name, finding in findings():
        print(f"{name:<18} {finding}")
    return 0


_MEMPROFILE = for_shell(MEMPROFILE)
_CPROFILE = for_shell(CPROFILE)

_COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], OptionSet | None]] = {
    "memprofile": (_memprofile, _MEMPROFILE),
    "cprofile": (_cprofile, _CPROFILE),
    "run": (mprof.run, RUN),
    "attach": (mprof.attach, ATTACH),
    "plot": (mprof.plot, PLOT),
    "peak": (mprof.peak, PEAK),
    "list": (mprof.show_list, LIST),
    "rm": (mprof.remove, RM),
    "doctor": (_doctor, None),
}

_WHAT_THERE_IS = f"there are {', '.join(_COMMANDS)}; --help tells what they take"

_ELSEWHERE = {"clean": "rm --all removes what list shows"}
"""mprof's commands of other names."""
