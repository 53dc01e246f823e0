"""Options of ``%%memprofile``."""

from __future__ import annotations

from dataclasses import replace

from jupyter_profkit.options.common import COMPARE, LIMIT, OUTPUT, REPEAT
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["DISPLAY", "MEMPROFILE"]


def _also_o(option: Option) -> Option:
    """``-o`` beside ``-D``, as memory_profiler has it."""
    return replace(option, flags=("-o", "--output", *option.flags)) if option.name == "dump" else option


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
        *(_also_o(option) for option in OUTPUT),
    ),
    rest="[statement]",
)

DISPLAY = ("precision", "sort", "rows", "hide_unchanged", "flame")
"""The options that only change what is shown."""
