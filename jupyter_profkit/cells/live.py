"""The curve of a recording while it goes on: what ``--live`` shows in a notebook.

    live = LiveCurve.here("In [7]")          None where no display can be replaced
    live.begin(engine)                       on the thread that runs the cell
    ...                                      the cell
    live.end()                               before the engine stops
    live.replace_by(report)

* A thread redraws it at most four times a second, and never takes more than a
  twentieth of a processor for that. While C code holds the interpreter's lock it cannot;
  the helper process samples on, and the next drawing has all that it saw.
* The curve grows in a bounded room: no point that is higher or lower than its
  neighbours is lost, and a drawing stays below 20 kB however long the run is.
* Who has a loop of its own, as a script's run does, calls `update` there instead
  (``begin(engine, by_itself=False)``).
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Sequence
from typing import Any, Self

from jupyter_profkit.cells.place import Place
from jupyter_profkit.engines.timeline import TimelineEngine
from jupyter_profkit.model.timeline import thin
from jupyter_profkit.source import running_shell
from jupyter_profkit.views.timeline import live_report

__all__ = ["GrowingCurve", "LiveCurve"]

_EVERY = 0.25
_SHARE = 0.05
_COLUMNS = 200
_PATIENCE = 2.0


class GrowingCurve:
    """Points of a curve that goes on: at most two for each column of a picture."""

    def __init__(self, n_columns: int = _COLUMNS) -> None:
        self.times, self.values = array("d"), array("q")
        self.peak: tuple[float, int] | None = None
        """Seconds and bytes."""
        self._n_columns = n_columns

    def add(self, times: Sequence[float], values: Sequence[int]) -> None:
        self.times.extend(times)
        self.values.extend(values)
        kept = thin(self.times, self.values, self._n_columns)  # all of them while they are few
        if len(kept) < len(self.times):
            self.times = array("d", [self.times[index] for index in kept])
            self.values = array("q", [self.values[index] for index in kept])
        highest = max(values, default=0)
        if values and (self.peak is None or highest > self.peak[1]):
            self.peak = times[values.index(highest)], highest


class LiveCurve:
    """The display of a recording that goes on.

    Parameters
    ----------
    shell : a kernel's InteractiveShell.
    title : what is recorded.
    """

    def __init__(self, shell: Any, title: str) -> None:
        self._place = Place(shell)
        self._title = title
        self._curve = GrowingCurve()
        self._engine: TimelineEngine | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._next = 0.0

    @classmethod
    def here(cls, title: str) -> Self | None:
        """One for the shell of this process, if it is a kernel's."""
        shell = running_shell()
        return cls(shell, title) if getattr(shell, "kernel", None) is not None else None

    def begin(self, engine: TimelineEngine, *, by_itself: bool = True) -> None:
        """Create the display, and follow `engine`, which has started."""
        self._engine = engine
        self._redraw()
        self._next = time.monotonic() + _EVERY  # what draws was imported; the next drawings take much less
        if by_itself:
            self._thread = threading.Thread(target=self._follow, name="jupyter_profkit live", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        while not self._over.wait(max(self._next - time.monotonic(), 0.0)):
            self.update()

    def update(self, _: object = None) -> None:
        """Redraw it if that is due."""
        if time.monotonic() >= self._next:
            self._redraw()

    def _redraw(self) -> None:
        began = time.thread_time()
        try:
            if self._engine is not None:
                self._curve.add(*self._engine.new_samples())
                report = live_report(self._title, self._curve.times, self._curve.values, self._curve.peak)
                self._place.show(report._repr_mimebundle_())
        except Exception:  # a front end that is gone, a file that is: the recording goes on, and has its report
            self._engine = None
        self._next = time.monotonic() + max(_EVERY, (time.thread_time() - began) / _SHARE)

    def make_way(self, text: str) -> None:
        """Other outputs have places of their own; as `Progress` has it."""

    def end(self) -> None:
        """Follow no more; the curve stays until it is replaced."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._engine = None

    def replace_by(self, report: Any) -> None:
        """Show the final report in its place."""
        self.end()
        self._place.show_report(report)

    def wipe(self) -> None:
        """Leave nothing of it, since there is no report."""
        self.end()
        self._place.wipe()
