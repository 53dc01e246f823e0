"""What is to be seen while another process is recorded: a line on its progress, or with ``--live`` the curve.

    meanwhile = Meanwhile(engine, "train.py", values)
    while running():
        meanwhile.update()                  draws if that is due
        meanwhile.make_way(text)            before something is printed
    meanwhile.end()                         before the engine stops
    meanwhile.show(report)                  where the curve stood, or below

In a terminal ``--live`` puts the curve into the line, as blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_profkit.cells.live import GrowingCurve, LiveCurve
from jupyter_profkit.cells.progress import Progress
from jupyter_profkit.engines.timeline import TimelineEngine, read_rss
from jupyter_profkit.options import Values
from jupyter_profkit.render.sparkline import LEVEL, sparkline
from jupyter_profkit.units import format_size

__all__ = ["Meanwhile", "Show"]

Show = Callable[[Any], None]
"""Displays a report."""

_BLOCKS = 32


class Meanwhile:
    """The display of a recording of another process.

    Parameters
    ----------
    engine : what records it; it has started.
    title : what is recorded.
    values : the options: ``--live``, and ``-q``, which shows nothing.
    """

    def __init__(self, engine: TimelineEngine, title: str, values: Values) -> None:
        self._engine = engine
        wanted = values.live and not values.quiet
        self._live = LiveCurve.here(title) if wanted else None
        self._curve = GrowingCurve(_BLOCKS) if wanted and self._live is None else None
        self._progress = Progress(title, enabled=self._live is None and not values.quiet)
        if self._live is not None:
            self._live.begin(engine, by_itself=False)

    def update(self) -> None:
        """Draw what is new, if that is due."""
        if self._live is not None:
            self._live.update()
        else:
            self._progress.update(self._memory)

    def _memory(self) -> str:
        try:
            now = format_size(read_rss(self._engine.pid))
        except (OSError, ValueError, IndexError):  # it is ending
            return ""
        if self._curve is None:
            return now
        self._curve.add(*self._engine.new_samples())
        return f"{sparkline(self._curve.values, _BLOCKS, LEVEL)}  {now}"

    def make_way(self, text: str) -> None:
        """Something else is about to print `text`."""
        self._progress.make_way(text)

    def end(self) -> None:
        """The recording is over; a curve stays until the report is shown."""
        self._progress.close()
        if self._live is not None:
            self._live.end()

    def show(self, report: Any) -> None:
        """Display the report."""
        if self._live is not None:
            self._live.replace_by(report)
        else:
            self._progress.replace_by(report)
