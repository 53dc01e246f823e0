"""Options of ``%objrefs``, ``%objgrowth`` and ``%objtypes``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.options.common import SHORTNAMES, output
from jupyter_profkit.options.declare import Kind, Option, OptionSet, Values

__all__ = [
    "OBJGROWTH",
    "OBJREFS",
    "OBJREFS_BOXES",
    "OBJREFS_GRAPH",
    "OBJTYPES",
    "refuse_with_teach",
    "with_trailing_flags",
]

OBJREFS = OptionSet(
    "objrefs",
    "Objects: what EXPR refers to, or with -b what refers to it. Several expressions are drawn in one graph.",
    (
        Option("back", ("-b", "--back"), Kind.FLAG, False, "draw what refers to the objects"),
        Option(
            "max_depth",
            ("-d", "--max-depth"),
            Kind.COUNT,
            None,
            "how many references to follow; 3, or 8 with --teach",
            "N",
        ),
        Option(
            "too_many",
            ("-n", "--too-many"),
            Kind.COUNT,
            10,
            "draw at most so many neighbours of an object, and each name that holds it",
            "N",
        ),
        Option(
            "filter",
            ("--filter",),
            Kind.TEXT,
            None,
            "leave out objects that do not pass: an expression over obj, a class, or a function",
            "EXPR",
        ),
        Option("extra_ignore", ("--extra-ignore",), Kind.TEXT, (), "leave out this object", "EXPR", repeat=True),
        Option(
            "highlight",
            ("--highlight",),
            Kind.TEXT,
            None,
            "make objects stand out that pass: an expression over obj, a class, or a function",
            "EXPR",
        ),
        Option("refcounts", ("--refcounts",), Kind.FLAG, False, "show how many references each object has"),
        Option("sizes", ("--sizes",), Kind.FLAG, False, "show the bytes of each object alone"),
        Option(
            "retained",
            ("--retained",),
            Kind.FLAG,
            False,
            "show what would be freed if each object went: it, and what nothing else keeps alive",
        ),
        SHORTNAMES,
        Option("call_repr", ("--repr",), Kind.FLAG, False, "call the objects' own repr, 50 ms each at most"),
        Option(
            "teach",
            ("--teach",),
            Kind.FLAG,
            False,
            "draw values inside boxes, and arrows where something is shared; of all variables if no EXPR is given",
        ),
        Option("diff", ("--diff",), Kind.FLAG, False, "with %%objrefs: --teach before and after the cell"),
        *output(".svg", ".png", ".dot"),
    ),
    rest="EXPR…",
    cell_rest="EXPR…",
    examples=(
        ("%objrefs -b df", "what refers to the object of this variable, up to the names that hold it"),
        ("%objrefs --filter 'not callable(obj)' model", "what it refers to, without some of it"),
        ("%%objrefs --teach a b --diff", "values in boxes, before and after this cell"),
    ),
    elsewhere={"--filename": "-D FILE writes the graph"},
)

_LIMIT = Option("limit", ("-l", "--limit"), Kind.COUNT, 10, "show so many types", "N")

OBJTYPES = OptionSet(
    "objtypes",
    "The most common types among the objects that the garbage collector tracks.",
    (
        _LIMIT,
        SHORTNAMES,
        Option(
            "filter",
            ("--filter",),
            Kind.TEXT,
            None,
            "count only objects that pass: an expression over obj, a class, or a function",
            "EXPR",
        ),
        *output(),
    ),
    examples=(("%objtypes --filter 'len(obj) > 1000'", "of some objects only"),),
)
OBJREFS_GRAPH = (
    *("back", "max_depth", "too_many", "filter", "highlight"),
    *("refcounts", "sizes", "retained", "shortnames", "call_repr"),
)
"""The options that say what is drawn; `extra_ignore` is beside them, since the magic has it as text."""

OBJREFS_BOXES = ("max_depth", "too_many", "shortnames", "call_repr")
"""Those that ``--teach`` heeds."""

_TRAILING = re.compile(r"(?:^|\s)--(teach|diff)\s*$")
_NOT_TAUGHT = ("back", "filter", "highlight", "refcounts", "sizes", "retained", "extra_ignore")


def with_trailing_flags(values: Values, *, in_cell: bool) -> Values:
    """`values` with ``--teach`` and ``--diff`` as they may stand after the expressions, checked.

    Raises
    ------
    OptionError
        For options that do not go together.
    """
    found, rest = dict(values), values.rest
    while (match := _TRAILING.search(rest)) is not None:
        found[match[1]], rest = True, rest[: match.start()]
    found["teach"] = found["teach"] or found["diff"]
    if found["diff"] and not in_cell:
        raise OptionError("--diff shows before and after a cell; make %%objrefs --diff its first line")
    if found["teach"]:
        refuse_with_teach(found)
    return Values(found, rest.strip())


def refuse_with_teach(values: Mapping[str, Any]) -> None:
    """Refuse what ``--teach`` has no place for.

    Raises
    ------
    OptionError
        If such an option is given.
    """
    defaults = OBJREFS.defaults()
    for option in OBJREFS.options:
        if option.name in _NOT_TAUGHT and values[option.name] != defaults[option.name]:
            raise OptionError(f"--teach draws values and what they share; it does not go with {option.flags[-1]}")


OBJGROWTH = OptionSet(
    "objgrowth",
    "Types of which there are more objects than at the last call; as a cell magic, more than before the cell.",
    (_LIMIT, SHORTNAMES, *output()),
    cell_rest="",
    examples=(
        ("%objgrowth", "once before, and once after what may leak"),
        ("%%objgrowth", "what this cell leaves more of"),
    ),
)
