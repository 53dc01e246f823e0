"""The measurements from a shell.

    python -m jupyter_profkit memprofile [options] script.py [argument …]
    python -m jupyter_profkit cprofile [options] script.py [argument …]
    python -m jupyter_profkit run [options] script.py [argument …]
    python -m jupyter_profkit plot [options] recording …
    python -m jupyter_profkit doctor

Options are those of the magics. The exit code is the script's; 2 is a wrong call.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from jupyter_profkit.cells.measurement import Measurement
from jupyter_profkit.errors import OptionError, ProfkitError
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import OptionSet, Values

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    rest = rest[:-1] if rest else []
    command = _COMMANDS.get(name)
    if command is None:
        print((__doc__ or "").strip(), file=sys.stdout if name in {"", "-h", "--help"} else sys.stderr)
        return 0 if name in {"", "-h", "--help"} else 2
    try:
        return command(rest)
    except ProfkitError as error:
        print(f"jupyter_profkit: {error}", file=sys.stderr)
        return 2


def _memprofile(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cells.line_memory import LineMemoryMeasurement
    from jupyter_profkit.options.memprofile import DISPLAY, MEMPROFILE

    return _measure(MEMPROFILE, DISPLAY, arguments, LineMemoryMeasurement, "line_memory")


def _cprofile(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cells.functions import TimeMeasurement
    from jupyter_profkit.options.cprofile import CPROFILE, DISPLAY

    return _measure(
        CPROFILE, DISPLAY, arguments, lambda values, path: TimeMeasurement(values, filename=path), "functions"
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
    from jupyter_profkit.cells.program import run_program
    from jupyter_profkit.cells.session import Opened, OpenMeasurement

    values, rest = options.from_arguments(arguments)
    if not rest:
        raise OptionError(f"{options.name} takes a script: python -m jupyter_profkit {options.name} script.py")
    path = Path(rest[0])
    before = find_earlier(values.get("compare"), {}, kind)
    run = OpenMeasurement(Opened(make(values, str(path.absolute())), _nothing), path.name, str(path))
    error = run_program(path, rest[1:], run)
    ended = isinstance(error, SystemExit)  # as scripts do
    _deliver(run.finish(None if ended else error), values, display, before)
    return _exit_code(error)


def _nothing(_: Result) -> None:
    """A shell command delivers its result itself."""


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    frames = error.__traceback__.tb_next if error.__traceback__ is not None else None  # the first is ours
    traceback.print_exception(type(error), error, frames)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _deliver(result: Result, values: Values, display: Sequence[str], before: Result | None = None) -> None:
    from jupyter_profkit.views.beside import report_beside

    report = report_beside(result, before, **values.only(display))
    for path in values.get("dump", ()):
        print(f"wrote {result.save(path)}")
    if values.get("text_file"):
        Path(values.text_file).expanduser().write_text(f"{report}\n", encoding="utf-8")
    if not values.get("quiet"):
        print(report)


def _run(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cells.script import run_script
    from jupyter_profkit.options.mprof import DISPLAY, MPROF_RUN

    values, rest = MPROF_RUN.from_arguments(arguments)
    run = run_script(rest, values)
    _deliver(run.timeline, values, DISPLAY)
    return 128 - run.returncode if run.returncode < 0 else run.returncode


def _plot(arguments: Sequence[str]) -> int:
    from jupyter_profkit.export import load
    from jupyter_profkit.options.mprof import DISPLAY, MPROF_PLOT

    values, rest = MPROF_PLOT.from_arguments(arguments)
    if not rest:
        raise OptionError("plot takes a recording: python -m jupyter_profkit plot -o plot.png run.dat")
    for path in rest:
        _deliver(load(path), values, DISPLAY)
    return 0


def _doctor(arguments: Sequence[str]) -> int:
    from jupyter_profkit.cli.doctor import findings

    if arguments:
        raise OptionError("doctor takes no arguments")
    for name, finding in findings():
        print(f"{name:<18} {finding}")
    return 0


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "memprofile": _memprofile,
    "cprofile": _cprofile,
    "run": _run,
    "plot": _plot,
    "doctor": _doctor,
}
