"""Options of ``%%cprofile``, with the letters of ``%prun`` and the sort keys of `pstats`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Final

from jupyter_profkit.errors import OptionError
from jupyter_profkit.options.common import COMPARE, REPEAT, output
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["CPROFILE", "DISPLAY", "SORT_KEYS", "Limit", "limits", "sort_keys"]

SORT_KEYS: Final = {
    "calls": "ncalls",
    "cumtime": "cumtime",
    "cumulative": "cumtime",
    "file": "filename",
    "filename": "filename",
    "line": "lineno",
    "module": "filename",
    "name": "function",
    "ncalls": "ncalls",
    "nfl": "nfl",
    "pcalls": "pcalls",
    "stdname": "stdname",
    "time": "tottime",
    "tottime": "tottime",
}
"""The words of pstats, and what each one means."""

CPROFILE = OptionSet(
    "cprofile",
    "Time: the cell's statements, and every function it called, with exact counts.",
    (
        Option(
            "sort",
            ("-s", "--sort"),
            Kind.TEXT,
            (),
            f"order of the functions, by keys of pstats: {' '.join(SORT_KEYS)}; own time if not given",
            "KEY",
            suggestions=tuple(SORT_KEYS),
            repeat=True,
        ),
        Option(
            "limit",
            ("-l", "--limit"),
            Kind.TEXT,
            (),
            "show N functions, a fraction of them (0.1), or those whose line matches a text",
            "N|FRACTION|TEXT",
            repeat=True,
        ),
        Option(
            "functions", ("-f", "--function"), Kind.TEXT, (), "show only functions of this name", "GLOB", repeat=True
        ),
        Option("modules", ("-m", "--module"), Kind.TEXT, (), "show only functions of this module", "GLOB", repeat=True),
        Option("exclude", ("-x", "--exclude"), Kind.TEXT, (), "leave functions or modules out", "GLOB", repeat=True),
        Option(
            "threads",
            ("--threads",),
            Kind.FLAG,
            False,
            "a table for each thread that is started here, too",
        ),
        Option("no_builtins", ("--no-builtins",), Kind.FLAG, False, "count functions written in C on their caller"),
        Option("no_flame", ("--no-flame",), Kind.FLAG, False, "no flame graph: do not sample stacks"),
        Option("interval", ("--interval",), Kind.SECONDS, 0.001, "sample the stack every so many seconds", "SECONDS"),
        dataclasses.replace(REPEAT, flags=("-n", *REPEAT.flags)),
        COMPARE,
        *output(".prof", ".pstats", ".speedscope.json", ".collapsed.txt", ".svg"),
    ),
    rest="[statement]",
    cell_rest="",
    examples=(
        ("%%cprofile", "this cell"),
        ("%cprofile -s cumulative -l 10 train(5)", "a statement, and the list that pstats would print"),
        ("%cprofile -f fit*", "the last report again, those functions alone; nothing runs"),
        ("%%cprofile -n 5 --compare slow", "five runs, beside an earlier result (-v slow)"),
    ),
    elsewhere={"--outfile": "-o FILE writes the result"},
)

DISPLAY: Final = ("sort", "limit", "functions", "modules", "exclude", "no_flame")
"""The options that only change what is shown."""

Limit = int | float | str
"""How many rows, which fraction of them, or what they must match."""


def sort_keys(words: Iterable[str]) -> tuple[str, ...]:
    """What each of `words` means, in their order; the start of a word will do if it is clear.

    Raises
    ------
    OptionError
        For a word that is none of pstats'; the message lists them.
    """
    return tuple(_sort_key(word) for word in words)


def _sort_key(word: str) -> str:
    meanings = {meaning for key, meaning in SORT_KEYS.items() if key.startswith(word)}
    exact = SORT_KEYS.get(word)
    if exact is not None:
        return exact
    if len(meanings) == 1 and word:
        return meanings.pop()
    fault = "may mean several of" if meanings and word else "is not one of"
    raise OptionError(f"--sort: {word!r} {fault} {', '.join(SORT_KEYS)}")


def limits(words: Iterable[object]) -> tuple[Limit, ...]:
    """Each limit as the number, fraction or pattern that it is.

    Raises
    ------
    OptionError
        For a number below 0, a fraction above 1, or a pattern that is none.
    """
    return tuple(_limit(word) for word in words)


def _limit(word: object) -> Limit:
    text = str(word)
    try:
        number = int(text)
    except ValueError:
        return _fraction_or_pattern(text)
    if number < 0:
        raise OptionError(f"--limit takes a number of rows, 0 or more, not {text}")
    return number


def _fraction_or_pattern(text: str) -> float | str:
    try:
        fraction = float(text)
    except ValueError:
        return _pattern(text)
    if not 0 <= fraction <= 1:
        raise OptionError(f"--limit takes a whole number of rows, or a fraction from 0 to 1, not {text}")
    return fraction


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise OptionError(f"--limit: {text!r} is not a pattern ({error})") from None
    return text
