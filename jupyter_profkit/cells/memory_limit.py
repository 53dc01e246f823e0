"""A limit on a run's memory, as an option asks for it, and what is said of it.

    limit = limit_of("2GiB")        a MemoryLimit; None for None
    said_of_limit(limit, session)   one line, if it ended the run
    with without_limit(): ...       work of ours in the middle of a limited cell

The limit itself is `engines.memory_limit`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_profkit.model.session import Session
from jupyter_profkit.options.common import LIMIT
from jupyter_profkit.units import format_size

if TYPE_CHECKING:
    from jupyter_profkit.engines.memory_limit import MemoryLimit

__all__ = ["limit_of", "said_of_limit", "without_limit"]

_ENGINE = "jupyter_profkit.engines.memory_limit"


def limit_of(value: object) -> MemoryLimit | None:
    """The limit that an option asks for; None if it asks for none.

    Raises
    ------
    OptionError
        If `value` is no size, or less than the process holds already.
    """
    if value is None:
        return None
    from jupyter_profkit.engines.memory_budget import memory_budget
    from jupyter_profkit.engines.memory_limit import MemoryLimit

    size = LIMIT.check(value)  # what comes from %config has not been looked at
    if size != "auto":
        return MemoryLimit(size)
    budget = memory_budget()
    return MemoryLimit(budget.size, reason=budget.reason)


def said_of_limit(limit: MemoryLimit, session: Session) -> str:
    """One line on how a limit ended a run; nothing if it did not."""
    if not limit.interrupted and "Memory" not in session.outcome:
        return ""
    where = f" at {session.error_at}" if session.error_at is not None else ""
    return (
        f"the limit of {format_size(limit.size)} was reached{where}; "
        f"{format_size(limit.left)} of it were left at the start. Variables are kept"
    )


@contextlib.contextmanager
def without_limit() -> Iterator[None]:
    """For work of ours while a cell's limit holds."""
    engine = sys.modules.get(_ENGINE)  # without it there is none
    with engine.suspended() if engine is not None else contextlib.nullcontext():
        yield
