"""Options of ``%objrefs``, ``%objgrowth`` and ``%objtypes``."""

from __future__ import annotations

from jupyter_profkit.options.common import OUTPUT
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["OBJGROWTH", "OBJREFS", "OBJREFS_GRAPH", "OBJTYPES"]

OBJREFS = OptionSet(
    "objrefs",
    "Objects: what EXPR refers to, or with -b what refers to it. Several expressions are drawn in one graph.",
    (
        Option("back", ("-b", "--back"), Kind.FLAG, False, "draw what refers to the objects"),
        Option("max_depth", ("-d", "--max-depth"), Kind.COUNT, 3, "how many references to follow", "N"),
        Option("too_many", ("-n", "--too-many"), Kind.COUNT, 10, "draw at most so many neighbours of an object", "N"),
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
        Option("shortnames", ("--no-shortnames",), Kind.FLAG, True, "show the modules of types"),
        Option("call_repr", ("--repr",), Kind.FLAG, False, "call the objects' own repr, 50 ms each at most"),
        *OUTPUT,
    ),
    rest="EXPR…",
)

_LIMIT = Option("limit", ("-l", "--limit"), Kind.COUNT, 10, "show so many types", "N")
_SHORTNAMES = Option("shortnames", ("--no-shortnames",), Kind.FLAG, True, "show the modules of types")

OBJTYPES = OptionSet(
    "objtypes",
    "The most common types among the objects that the garbage collector tracks.",
    (
        _LIMIT,
        _SHORTNAMES,
        Option(
            "filter",
            ("--filter",),
            Kind.TEXT,
            None,
            "count only objects that pass: an expression over obj, a class, or a function",
            "EXPR",
        ),
        *OUTPUT,
    ),
)
OBJREFS_GRAPH = (
    *("back", "max_depth", "too_many", "filter", "highlight"),
    *("refcounts", "sizes", "shortnames", "call_repr"),
)
"""The options that say what is drawn; `extra_ignore` is beside them, since the magic has it as text."""

OBJGROWTH = OptionSet(
    "objgrowth",
    "Types of which there are more objects than at the last call; as a cell magic, more than before the cell.",
    (_LIMIT, _SHORTNAMES, *OUTPUT),
)
