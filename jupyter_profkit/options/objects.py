"""Options of ``%objwhy``, ``%%objleaks`` and ``%memwhos``."""

from __future__ import annotations

from jupyter_profkit.options.common import REPEAT, SHORTNAMES, output
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["MEMWHOS", "MEMWHOS_DISPLAY", "OBJLEAKS", "OBJLEAKS_DISPLAY", "OBJWHY"]

OBJWHY = OptionSet(
    "objwhy",
    "What keeps an object alive: every name it is held by, shortest chain first, and the statement that ends each.",
    (
        Option("time_limit", ("-t", "--time-limit"), Kind.SECONDS, 5.0, "search so long at most", "SECONDS"),
        *output(),
    ),
    rest="EXPR",
    examples=(
        ("%objwhy df", "what else holds the object of this variable"),
        ("%objwhy cache['big']", "any expression will do"),
    ),
)

OBJLEAKS = OptionSet(
    "objleaks",
    "The objects that a cell made and that are still there after it, by type and holder, and its reference cycles. "
    "With --repeat, what grows with each run is a leak; what is made once is not.",
    (
        Option("limit", ("-l", "--limit"), Kind.COUNT, 20, "show so many rows, 0 for all", "N"),
        SHORTNAMES,
        REPEAT,
        *output(),
    ),
    rest="[statement]",
    cell_rest="",
    examples=(
        ("%%objleaks", "what this cell leaves"),
        ("%objleaks --repeat 5 handle(request)", "what each call leaves"),
    ),
)
OBJLEAKS_DISPLAY = ("limit",)

MEMWHOS = OptionSet(
    "memwhos",
    "Like %whos, for memory: what each variable holds, what IPython holds, and where the rest of the memory is.",
    (
        Option(
            "sort",
            ("-s", "--sort"),
            Kind.TEXT,
            "size",
            "the order of the variables; size is exclusive and shared together",
            "KEY",
            choices=("size", "exclusive", "shared", "objects", "name", "type"),
        ),
        Option("limit", ("-l", "--limit"), Kind.COUNT, 20, "show so many variables, 0 for all", "N"),
        Option("precision", ("-p", "--precision"), Kind.COUNT, 1, "digits after the point", "N"),
        Option("trim", ("--trim",), Kind.FLAG, False, "first give free memory back to the system"),
        *output(),
    ),
    examples=(
        ("%memwhos -s exclusive", "first what goes when its name goes"),
        ("%memwhos --trim", "free memory is given back before"),
    ),
)
MEMWHOS_DISPLAY = ("sort", "limit", "precision")
