"""Options of ``%objwhy``."""

from __future__ import annotations

from jupyter_profkit.options.common import OUTPUT
from jupyter_profkit.options.declare import Kind, Option, OptionSet

__all__ = ["OBJWHY"]

OBJWHY = OptionSet(
    "objwhy",
    "What keeps an object alive: every name it is held by, shortest chain first, and the statement that ends each.",
    (
        Option("time_limit", ("-t", "--time-limit"), Kind.SECONDS, 5.0, "search so long at most", "SECONDS"),
        *OUTPUT,
    ),
    rest="EXPR",
)
