"""Marks of the cells that run while memory over time is recorded.

    cells = CellMarks(shell, engine)
    cells.start()
    ...                      other cells, or code that runs cells
    cells.stop()             after the engine has stopped, before its `timeline`

A recording of one cell has none: its title says as much.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from jupyter_profkit.engines.timeline import TimelineEngine, read_own_rss
from jupyter_profkit.views.words import clip

__all__ = ["CellMarks"]

_LONGEST = 40


class _Cell(NamedTuple):
    words: str
    """What it is known by if it has no number."""
    start: float
    """The clock's."""
    rss: int | None


class CellMarks:
    """The cells of one recording.

    Parameters
    ----------
    shell : the InteractiveShell that runs them.
    engine : what records; it has started.
    """

    def __init__(self, shell: Any, engine: TimelineEngine) -> None:
        self._shell = shell
        self._engine = engine
        self._open: list[_Cell] = []
        self._closed: list[tuple[str, _Cell, float | None, int | None, int]] = []
        self._is_needed = False
        """Whether a cell has begun in it."""
        self._is_listening = False

    def start(self) -> None:
        self._open = [_Cell("", time.monotonic(), read_own_rss())]
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)
        self._is_listening = True

    def _begin(self, info: Any) -> None:
        self._is_needed = True
        words = "" if info.store_history else clip(" ".join(info.raw_cell.split()), _LONGEST)
        self._open.append(_Cell(words, time.monotonic(), read_own_rss()))

    def _end(self, result: Any) -> None:
        if self._open:
            self._close(result.execution_count, time.monotonic(), read_own_rss())

    def _close(self, number: int, end: float | None, rss: int | None) -> None:
        cell = self._open.pop()
        self._closed.append((cell.words or f"In [{number}]", cell, end, rss, len(self._open)))

    def stop(self) -> None:
        """Listen no more, and give the engine its marks; a second call does nothing."""
        if not self._is_listening:
            return
        self._is_listening = False
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)
        running = len(self._shell.user_ns.get("In", ())) - 1  # `execution_count` may be ahead of it
        while self._open:
            self._close(running, None, None)
        for label, cell, end, rss, level in self._closed if self._is_needed else ():
            self._engine.mark(label, cell.start, end, rss_start=cell.rss, rss_end=rss, level=level, kind="cell")
