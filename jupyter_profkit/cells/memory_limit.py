"""A limit on a run's memory, as an option asks for it, and what is said of it.

    limit = limit_of("2GiB")        a MemoryLimit; None for None
    said_of_limit(limit, session)   one line, if it ended the run
    with without_limit(): ...       work of ours in the middle of a limited cell
    session = SessionLimit()        the limit of %memlimit, which each cell begins anew
    session.set(4 * 1024**3)

The limit itself is `engines.memory_limit`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.options import Option
from jupyter_profkit.options.common import LIMIT, MEMLIMIT
from jupyter_profkit.units import format_size

if TYPE_CHECKING:
    from jupyter_profkit.engines.memory_limit import MemoryLimit

__all__ = ["Limited", "LimitedCell", "SessionLimit", "limit_of", "said_of_limit", "with_limit", "without_limit"]

_NO_SIZE = 10_000
"""Whoever asks for fewer bytes means something else."""

_ENGINE = "jupyter_profkit.engines.memory_limit"


def limit_of(value: object, option: Option = LIMIT) -> MemoryLimit | None:
    """The limit that an option asks for; None if it asks for none.

    Raises
    ------
    OptionError
        If `value` is no size, or less than the process holds already.
    """
    size = option.check(value)  # what comes from %config has not been looked at
    if size is None:
        return None
    from jupyter_profkit.engines.memory_budget import memory_budget
    from jupyter_profkit.engines.memory_limit import MemoryLimit

    if size == "auto":
        budget = memory_budget()
        return MemoryLimit(budget.size, reason=budget.reason)
    try:
        return MemoryLimit(size)
    except OptionError as error:
        if size >= _NO_SIZE:
            raise
        rows = f", and -l {size} shows {size} lines" if option is LIMIT else ""
        raise OptionError(f"{error}; {size}GiB is a size with its unit{rows}") from None


def said_of_limit(limit: MemoryLimit, session: Session) -> str:
    """One line on how a limit ended a run; nothing if it did not."""
    if not limit.interrupted and "Memory" not in session.outcome:
        return ""
    where = f" at {session.error_at}" if session.error_at is not None else ""
    return (
        f"the limit of {format_size(limit.size)} was reached{where}; "
        f"{format_size(limit.left)} of it were left at the start. Variables are kept"
    )


def with_limit(method: Method, limit: MemoryLimit, session: Session) -> Method:
    """How a run was measured, with its limit: how it was held, and whether it ended the run."""
    said = said_of_limit(limit, session)
    notes = (*([f"{said}, and it is lifted"] if said else []), *limit.notes(), *method.notes)
    return replace(method, engine=f"{method.engine}; {limit.description}", notes=notes)


@dataclass(frozen=True, slots=True)
class Limited(Result):
    """How a cell fared under the session's limit."""

    kind: ClassVar[str] = "limited"
    words: str
    """What to say of it; nothing if the limit was not reached."""


class LimitedCell:
    """The measurement of a cell that only limits it."""

    def __init__(self, limit: MemoryLimit) -> None:
        self._limit = limit

    def start(self) -> None:
        self._limit.start()

    def stop(self) -> None:
        self._limit.stop()

    def result(self, session: Session) -> Limited:
        return Limited("" if self._limit.is_undercut else said_of_limit(self._limit, session))


class SessionLimit:
    """The limit that ``%memlimit`` sets: each cell has it from its beginning to its end.

    Between cells, and while a report or a traceback is drawn, nothing is limited:
    the kernel itself must not run out of memory.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        """Bytes that the process may have resident; None for no limit."""
        self.reason = ""

    def set(self, value: object) -> None:
        """Set it to a size, to ``auto``, or, with ``off``, to nothing.

        Raises
        ------
        OptionError
            If `value` is no size, or less than the process holds already.
        """
        limit = limit_of(value, MEMLIMIT)
        self.size, self.reason = (limit.size, limit.reason) if limit is not None else (None, "")

    def for_cell(self) -> LimitedCell | None:
        """What limits the cell that begins; None while there is no limit."""
        if self.size is None:
            return None
        from jupyter_profkit.engines.memory_limit import MemoryLimit

        return LimitedCell(MemoryLimit(self.size, reason=self.reason, insist=True))

    def state(self) -> str:
        """The limit and what is left of it, or what ``auto`` would set, in a line."""
        from jupyter_profkit.engines.memory_budget import memory_budget
        from jupyter_profkit.engines.timeline import read_rss

        held = read_rss(os.getpid())
        if self.size is None:
            budget = memory_budget()
            return (
                f"no limit; the process holds {format_size(held)}. "
                f"%memlimit auto would set {format_size(budget.size)} ({budget.reason})"
            )
        reason = f" ({self.reason})" if self.reason else ""
        left = self.size - held
        rest = f"{format_size(left)} are left" if left > 0 else "nothing is left"
        return (
            f"a cell may make the process hold {format_size(self.size)}{reason}; "
            f"it holds {format_size(held)}, {rest}. %memlimit off ends that"
        )


@contextlib.contextmanager
def without_limit() -> Iterator[None]:
    """For work of ours while a cell's limit holds."""
    engine = sys.modules.get(_ENGINE)  # without it there is none
    with engine.suspended() if engine is not None else contextlib.nullcontext():
        yield
