"""Options of ``%mprof_plot``, ``%%mprof_plot`` and ``%mprof_run``, with mprof's letters."""

from __future__ import annotations

from jupyter_profkit.options.common import LIMIT, for_shell, output
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["ATTACH", "DISPLAY", "LIST", "MPROF_PLOT", "MPROF_RUN", "PEAK", "PLOT", "RM", "RUN"]

_PLOT = (
    Option("title", ("-t", "--title"), Kind.TEXT, "", "words above the plot", "TEXT"),
    Option("no_functions", ("-n", "--no-function-ts"), Kind.FLAG, False, "leave the marks of functions out"),
    Option("window", ("-w", "--window"), Kind.TEXT, None, "show this part of the time axis, seconds", "FROM,TO"),
    Option("flame", ("-f", "--flame"), Kind.FLAG, False, "draw marks as boxes, one row for each level"),
    Option("slope", ("-s", "--slope"), Kind.FLAG, False, "fit a line, and say how fast memory grows"),
)

_SAMPLING = (
    Option(
        "interval", ("-T", "--interval"), Kind.INTERVAL, 0.005, "seconds between samples, 0.001 at least", "SECONDS"
    ),
    Option("children", ("-c", "-C", "--include-children"), Kind.FLAG, False, "add the memory of child processes"),
    Option("per_child", ("-M", "--multiprocess"), Kind.FLAG, False, "draw a curve for each child process"),
    Option("timeout", ("--timeout",), Kind.SECONDS, None, "stop sampling, and a script, after so long", "SECONDS"),
)

_LIVE = Option("live", ("--live",), Kind.FLAG, False, "let the curve grow while it is recorded")

_EXIT_CODE = Option(
    "exit_code", ("-E", "--exit-code"), Kind.FLAG, False, "fail if the script does; in a shell that is always so"
)

_ATTACH = Option("attach", ("-a", "--attach"), Kind.COUNT, None, "record that process instead of this one", "PID")

_OUTPUT = tuple(option for option in output(".dat", ".png", ".svg") if option.name != "text_file")

_NO_BACKEND = {"--backend": "memory is what the system says is resident, and pictures need no window"}

_ATTACH_OF_MPROF = "a running process is recorded by %mprof_plot --attach PID, or in a shell by attach PID"

_RUN_OF_MPROF = {
    **_NO_BACKEND,
    "--python": "leave it out; what Python runs has its @profile marked",
    "--nopython": "leave it out; -n shows no marks",
    "-m": "a module is run by Python: %mprof_run python -m package.module",
    "-a": _ATTACH_OF_MPROF,
    "--attach": _ATTACH_OF_MPROF,
}

MPROF_PLOT = OptionSet(
    "mprof_plot",
    "Memory over time: of a cell, of the last recorded run, or of recordings in files and variables.",
    (*_PLOT, *_SAMPLING, _LIVE, _ATTACH, LIMIT, *_OUTPUT),
    rest="[recording …]",
    cell_rest="",
    examples=(
        ("%mprof_plot", "the last run, of %%memprofile too"),
        ("%%mprof_plot --live", "this cell, drawn while it runs"),
        ("%mprof_plot -w 2,5 -o part.png", "the last run from second 2 to 5, and a picture of that"),
        ("%mprof_plot before.dat after.dat", "two recordings in one plot"),
        ("%mprof_plot --attach 4711", "a process that runs already"),
    ),
    elsewhere=_NO_BACKEND,
)

MPROF_RUN = OptionSet(
    "mprof_run",
    "Run a script as its own process, and record its memory over time.",
    (*_PLOT, *_SAMPLING, _LIVE, _EXIT_CODE, *_OUTPUT),
    rest="script.py [argument …]",
    examples=(
        ("%mprof_run train.py --epochs 2", "options of the script stand behind its name"),
        ("%mprof_run -c -o run.dat train.py", "with its child processes, and to a file"),
        ("%mprof_run python3.12 -m package.train", "a module, or another Python"),
    ),
    elsewhere=_RUN_OF_MPROF,
)

RUN = for_shell(MPROF_RUN, "run")
"""The same as a shell's command."""

_WRITTEN = tuple(option for option in _OUTPUT if option.name in {"dump", "quiet"})

ATTACH = OptionSet(
    "attach",
    "Record the memory of a running process, until it ends or Ctrl-C.",
    (*_PLOT, *_SAMPLING, _LIVE, *_WRITTEN),
    rest="PID",
    elsewhere=_NO_BACKEND,
)

PLOT = OptionSet(
    "plot",
    "Draw recordings; the newest one by default.",
    (*_PLOT, *_WRITTEN),
    rest="[recording …]",
    elsewhere=_NO_BACKEND,
)

PEAK = OptionSet(
    "peak",
    "The peak of recordings; of the newest one by default.",
    (Option("function", ("--func",), Kind.TEXT, "", "the peak within the calls of this function", "NAME"),),
    rest="[recording …]",
)

LIST = OptionSet("list", "The recordings in this folder, and those of processes that died.", ())

RM = OptionSet(
    "rm",
    "Remove recordings, by their number in the list or their name.",
    (
        Option("dry_run", ("--dry-run",), Kind.FLAG, False, "only say what would be removed"),
        Option("all", ("--all",), Kind.FLAG, False, "remove all that are listed"),
    ),
    rest="recording …",
)

DISPLAY = tuple(option.name for option in _PLOT)
"""The options that only change what is shown."""
