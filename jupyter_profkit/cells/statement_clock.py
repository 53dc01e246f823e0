"""Which statement of a cell ran when, and in which of them memory was highest: nothing is traced.

    clock = StatementClock(shell, filename)
    clock.start()
    ...                             the cell
    clock.stop()
    clock.place_of_peak(moment)     the statement's Location

* IPython compiles and runs each top-level statement of a cell by itself, through
  ``shell.run_code``. That method is shadowed on the instance meanwhile, so a look
  costs some microseconds for each statement, and nothing inside it.
* At each look the operating system's high-water mark is read. The statement in which
  it last rose is that of the peak, however short that was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from types import CodeType
from typing import Any, NamedTuple

from jupyter_profkit.engines.timeline import read_own_high_water
from jupyter_profkit.model.session import Location
from jupyter_profkit.source import label_of, line_range

__all__ = ["StatementClock"]

_MOST = 10_000


class _Look(NamedTuple):
    moment: float
    lineno: int
    """Of the statement that begins; 0 at the end."""
    high_water: int
    """Bytes, as it begins; 0 where the system does not tell."""


class StatementClock:
    """The statements of one cell.

    Parameters
    ----------
    shell : the InteractiveShell that runs it.
    filename : the cell's.
    """

    def __init__(self, shell: Any, filename: str) -> None:
        self._shell = shell
        self._filename = filename
        self._looks: list[_Look] = []
        self._shadow: Callable[..., Any] | None = None

    def start(self) -> None:
        run_code = self._shell.run_code

        def shadow(code: CodeType, *args: Any, **kwargs: Any) -> Any:
            self._look(code)
            return run_code(code, *args, **kwargs)

        self._shell.run_code = self._shadow = shadow

    def _look(self, code: CodeType | None) -> None:
        if code is None:
            self._looks.append(_Look(time.monotonic(), 0, read_own_high_water()))
        elif code.co_filename == self._filename and len(self._looks) < _MOST:
            self._looks.append(_Look(time.monotonic(), line_range(code)[0], read_own_high_water()))

    def stop(self) -> None:
        """Leave the shell as it was; a second call does nothing."""
        if self._shadow is None:
            return
        self._look(None)
        if vars(self._shell).get("run_code") is self._shadow:  # else somebody has shadowed it over us
            del self._shell.run_code
        self._shadow = None

    def place_of_peak(self, moment: float) -> Location | None:
        """The statement in which memory was highest, if that is known.

        Parameters
        ----------
        moment : when it was, seconds of `time.monotonic`; where the system has no mark, this decides.
        """
        highest = max((look.high_water for look in self._looks), default=0)
        for look, after in pairwise(self._looks):
            if look.high_water < highest == after.high_water if highest else look.moment <= moment < after.moment:
                return Location(self._filename, look.lineno, "<module>", label_of(self._filename))
        return None
