"""Options of ``%%memprofile``."""

from __future__ import annotations

from jupyter_profkit.options.common import COMPARE, LIMIT, REPEAT, output
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["DISPLAY", "MEMPROFILE"]

MEMPROFILE = OptionSet(
    "memprofile",
    "Memory by line: what each line of the cell, and of your own functions that it reaches, took.",
    (
        Option("functions", ("-f", "--function"), Kind.TEXT, (), "trace this function too", "FUNC", repeat=True),
        Option("modules", ("-m", "--module"), Kind.TEXT, (), "trace these modules too", "GLOB", repeat=True),
        Option("exclude", ("-x", "--exclude"), Kind.TEXT, (), "leave these out", "GLOB", repeat=True),
        Option("precision", ("-p", "--precision"), Kind.COUNT, 1, "digits after the point of MiB", "N"),
        Option(
            "sort",
            ("-s", "--sort"),
            Kind.TEXT,
            "line",
            "order of the lines",
            "KEY",
            choices=("line", "increment", "peak", "occurrences", "at_peak", "kept"),
        ),
        Option("rows", ("-l", "--rows"), Kind.COUNT, None, "show only the first N lines of each table", "N"),
        Option("hide_unchanged", ("-z", "--hide-unchanged"), Kind.FLAG, False, "leave lines out that changed nothing"),
        Option("no_heap", ("--no-heap",), Kind.FLAG, False, "measure resident memory only, not the heap"),
        Option("no_lines", ("--no-lines",), Kind.FLAG, False, "measure the heap only, without following lines"),
        Option("flame", ("--flame",), Kind.FLAG, False, "draw who called whom for the heap at its peak"),
        Option("exact", ("--exact",), Kind.FLAG, False, "look at every run of hot lines, however long that takes"),
        Option("heap", ("--heap",), Kind.FLAG, False, "measure the heap even where memray may crash Python"),
        Option("children", ("-c", "--include-children"), Kind.FLAG, False, "add the memory of child processes"),
        LIMIT,
        Option("interval", ("-i", "--interval"), Kind.INTERVAL, 0.005, "seconds between samples of the curve", "S"),
        REPEAT,
        COMPARE,
        *output(),
    ),
    rest="[statement]",
    cell_rest="",
    examples=(
        ("%%memprofile --limit 4GiB", "this cell, which gets MemoryError where it asks for more"),
        ("%memprofile -f pd.concat clean(df)", "a statement, and the lines of a library's function, too"),
        ("%memprofile -s increment -l 10", "the last report again, in another order; nothing runs"),
        ("%%memprofile -v plain", "keep the result, for --compare plain on a later cell"),
    ),
    elsewhere={
        "--backend": "resident memory is the system's own figure, and the heap has its columns anyway",
        "--pdb-mmem": "--limit SIZE raises MemoryError at that line, and %debug opens there",
        "--timestamp": "%mprof_run, run in a shell, tells when functions began and ended",
        "-t": "interrupt what takes too long; its report is shown",
        "--timeout": "interrupt what takes too long; its report is shown",
    },
)

DISPLAY = ("precision", "sort", "rows", "hide_unchanged", "flame")
"""The options that only change what is shown."""
