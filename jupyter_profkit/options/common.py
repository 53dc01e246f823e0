"""Options of several magics: where the result goes, which every magic with a report has; a limit; an earlier run."""

from __future__ import annotations

import dataclasses

from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["COMPARE", "LIMIT", "MEMLIMIT", "REPEAT", "SHORTNAMES", "for_scripts", "for_shell", "output"]

_DOCUMENTS = (".json", ".csv", ".txt", ".html")
"""The suffixes that every result can be written with."""


def output(*suffixes: str) -> tuple[Option, ...]:
    """Where a result goes; `suffixes` are those of its files, beside the ones that every result has."""
    return (
        Option("variable", ("-v", "--variable"), Kind.TEXT, None, "bind the result to this variable", "NAME"),
        Option("return_result", ("-r", "--return"), Kind.FLAG, False, "return the result (line form)"),
        Option(
            "dump",
            ("-o", "--output", "-D", "--dump"),
            Kind.TEXT,
            (),
            "write the result in the format of the suffix",
            "FILE",
            suffixes=(*suffixes, *_DOCUMENTS),
            repeat=True,
        ),
        Option("text_file", ("-T", "--text"), Kind.TEXT, None, "write the report as text", "FILE"),
        Option("quiet", ("-q", "--quiet"), Kind.FLAG, False, "show no report"),
        Option(
            "explore", ("--explore",), Kind.FLAG, False, "show controls under the report: sort, filter, zoom, compare"
        ),
    )


_KEPT_IN_A_FILE = "a result of a shell's command is kept in a file, -D FILE"


def for_scripts(options: OptionSet) -> OptionSet:
    """The options of a magic as keywords of a Python call, which has its result anyway."""
    kept = tuple(option for option in options.options if option.name not in {"variable", "return_result"})
    return dataclasses.replace(options, options=kept)


def for_shell(options: OptionSet, name: str = "") -> OptionSet:
    """The options of a magic that runs code, for a script: there is no notebook to give the result to."""
    elsewhere = dict.fromkeys(("-v", "--variable", "-r", "--return"), _KEPT_IN_A_FILE)
    return dataclasses.replace(
        for_scripts(options),
        name=name or options.name,
        rest="script.py [argument …]",
        elsewhere={**options.elsewhere, **elsewhere},
    )


LIMIT = Option(
    "limit",
    ("--limit",),
    Kind.SIZE,
    None,
    "MemoryError at the line that would make the process hold more; auto finds what there is",
    "SIZE",
    suggestions=("auto",),
)

COMPARE = Option(
    "compare",
    ("--compare",),
    Kind.TEXT,
    None,
    "show what changed from an earlier run, in a variable (-v) or a file (-D)",
    "NAME|FILE",
)

MEMLIMIT = Option(
    "limit", ("%memlimit",), Kind.LIMIT, None, "what the process may hold; auto finds what there is", "SIZE"
)

SHORTNAMES = Option(
    "shortnames",
    ("--shortnames", "--no-shortnames"),
    Kind.FLAG,
    True,
    "show types without their modules, which is the default, or with them",
)

REPEAT = Option("repeat", ("--repeat",), Kind.TIMES, 1, "run the code N times; only the last run's value is shown", "N")
