"""``%memlimit``: a limit on the memory of every cell."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.magic import line_magic, magics_class

from jupyter_profkit.cells.memory_limit import LimitedCell, SessionLimit
from jupyter_profkit.cells.session import CellSessions, Opened, complain
from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.options.memlimit import MEMLIMIT

__all__ = ["LimitMagics"]


@magics_class
class LimitMagics(configurable_magics(MEMLIMIT)):  # type: ignore[misc]
    """A limit on memory."""

    kind: ClassVar = "limited"

    def __init__(self, shell: Any, **kwargs: Any) -> None:
        super().__init__(shell, **kwargs)
        self._limit = SessionLimit()
        self._sessions: CellSessions | None = None

    def serve(self, sessions: CellSessions) -> None:
        """Say whose cells are limited."""
        self._sessions = sessions

    def opened(self) -> Opened | None:
        """What limits the cell that begins; None while there is no limit."""
        measurement = self._limit.for_cell()
        return None if measurement is None else Opened(measurement, _say, self._decline)

    @staticmethod
    def _decline(reason: str) -> None:
        complain(f"the cell runs without the limit of %memlimit: {reason}")

    @line_magic
    def memlimit(self, line: str) -> None:
        word = line.strip()
        with usage_errors():
            if word:
                self._limit.set(word)
                if self._sessions is not None:  # the rest of this cell, too
                    self._sessions.withdraw(LimitedCell)
                    self._sessions.open_beside()
        print(self._limit.state())  # noqa: T201

    memlimit.__doc__ = MEMLIMIT.help()


def _say(result: Any) -> None:
    if result.words:
        complain(f"%memlimit: {result.words}")
