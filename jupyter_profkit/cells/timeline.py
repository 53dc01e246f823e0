"""The measurement behind ``%%mprof_plot``: memory over time of a cell, statement or block.

measurement = TimelineMeasurement(MPROF_PLOT.from_keywords({"interval": 0.001}))
record_alongside(0.005)       the recording beside another measurement
last_timeline()               that of the last run, whichever magic recorded it
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_profkit.cells.cell_marks import CellMarks
from jupyter_profkit.cells.live import LiveCurve
from jupyter_profkit.cells.meanwhile import Meanwhile, Show
from jupyter_profkit.cells.memory_limit import limit_of, with_limit
from jupyter_profkit.cells.statement_clock import StatementClock
from jupyter_profkit.engines.timeline import TimelineEngine, check_process
from jupyter_profkit.errors import OptionError, RecordingError, TargetError
from jupyter_profkit.export import load
from jupyter_profkit.model.result import Result, result_of
from jupyter_profkit.model.session import Session
from jupyter_profkit.model.timeline import MemoryTimeline
from jupyter_profkit.options import Values
from jupyter_profkit.results import last
from jupyter_profkit.source import running_shell
from jupyter_profkit.views.words import with_article

__all__ = ["TimelineMeasurement", "find_timeline", "last_timeline", "record_alongside", "record_process"]


class TimelineMeasurement:
    """One recording of this process.

    Parameters
    ----------
    values : the options of ``%mprof_plot``.
    title : what is measured, for those who find the recording if this process dies.
    live : shows the curve meanwhile.
    statements : tells in which statement of the cell memory was highest.

    Raises
    ------
    TargetError
        If the process of ``--attach`` is gone, or not ours to look at.
    """

    def __init__(
        self,
        values: Values,
        title: str = "",
        live: LiveCurve | None = None,
        statements: StatementClock | None = None,
    ) -> None:
        self._engine = _engine_for(values, title)
        self._live = live
        # The peak of another process, or of a sum, belongs to no statement here.
        self._statements = None if values.attach is not None or values.children else statements
        shell = running_shell()
        self._cells = CellMarks(shell, self._engine) if shell is not None and values.attach is None else None
        self._limit = limit_of(values.limit)
        if self._limit is not None and values.attach is not None:
            raise OptionError("--limit is for this process; --attach records another one")

    def start(self) -> None:
        self._engine.start()
        if self._cells is not None:
            self._cells.start()
        if self._limit is not None:
            self._limit.start()
        if self._statements is not None:
            self._statements.start()
        if self._live is not None:
            self._live.begin(self._engine)

    def stop(self) -> None:
        if self._limit is not None:
            self._limit.lift()
        if self._statements is not None:
            self._statements.stop()
        if self._live is not None:
            self._live.end()
        self._engine.stop()
        if self._cells is not None:
            self._cells.stop()
        if self._limit is not None:
            self._limit.stop()

    def result(self, session: Session) -> MemoryTimeline:
        timeline = self._engine.timeline(session)
        if self._statements is not None and timeline.peak.rss > timeline.main[0].rss:
            where = self._statements.place_of_peak(self._engine.started + timeline.peak.time)
            timeline = replace(timeline, peak_at=where)
        if self._limit is None:
            return timeline
        return replace(timeline, method=with_limit(timeline.method, self._limit, session))


def _engine_for(values: Values, title: str) -> TimelineEngine:
    if values.attach is not None:
        check_process(values.attach)
    return TimelineEngine(
        values.attach,
        interval=values.interval,
        children=values.children,
        per_child=values.per_child,
        seconds=values.timeout,
        title=title,
    )


def record_process(values: Values) -> tuple[MemoryTimeline, Show]:
    """Record the process of ``--attach`` until it ends, ``--timeout`` is over, or somebody interrupts.

    Returns the recording, and what shows its report.

    Raises
    ------
    TargetError
        If it is gone, or not ours to look at.
    """
    title = f"process {values.attach} ({check_process(values.attach)})"
    engine = _engine_for(values, title)
    last = float("inf") if values.timeout is None else time.monotonic() + values.timeout
    started = time.time()
    engine.start()
    meanwhile = Meanwhile(engine, title, values)
    try:
        while engine.is_sampling and time.monotonic() < last:
            time.sleep(0.05)
            meanwhile.update()
    except KeyboardInterrupt:  # how one ends what has no end of its own
        pass
    finally:
        meanwhile.end()
        engine.stop()
    return engine.timeline(Session(title, started, engine.stopped - engine.started)), meanwhile.show


def record_alongside(interval: float, title: str = "", *, children: bool = False) -> TimelineEngine:
    """An engine for a measurement that reads the high-water mark itself, and so resets it all the time."""
    return TimelineEngine(interval=interval, reset_peak=False, title=title, children=children)


def last_timeline() -> MemoryTimeline:
    """The recording of the last run that has one.

    Raises
    ------
    TargetError
        If nothing was recorded yet.
    """
    timelines = [timeline for kind in ("timeline", "line_memory") if (timeline := _last_of(kind)) is not None]
    if not timelines:
        raise TargetError(
            "no recording yet; run a cell with %%mprof_plot or %%memprofile, a script with %mprof_run, "
            "or name a recording: %mprof_plot file.dat"
        )
    return max(timelines, key=lambda timeline: timeline.session.started)


def _last_of(kind: str) -> MemoryTimeline | None:
    try:
        return _timeline_in(last(kind))
    except TargetError:
        return None


def find_timeline(name: str, namespace: Mapping[str, Any]) -> MemoryTimeline:
    """The recording that `name` stands for: a variable, or else a file.

    Raises
    ------
    TargetError
        If there is neither.
    RecordingError
        If it is none, or holds none.
    """
    found = namespace[name] if name in namespace else _load(name)
    timeline = _timeline_in(found)
    if timeline is None:
        raise RecordingError(f"{name} is no recording of memory over time, it is {with_article(type(found).__name__)}")
    if not timeline.main:
        raise RecordingError(f"{name} holds no memory samples")
    return timeline


def _load(name: str) -> Any:
    if not Path(name).expanduser().exists():
        raise TargetError(
            f"{name!r} is neither a file nor a variable; %mprof_plot takes recordings, "
            "and %%mprof_plot on the first line of a cell records the cell"
        )
    return load(name)


def _timeline_in(result: Any) -> MemoryTimeline | None:
    """A recording itself, or the one that a result or a profiler of this package holds."""
    found = result_of(result)
    if isinstance(found, MemoryTimeline):
        return found
    timeline = (
        getattr(found, "timeline", None) if isinstance(found, Result) else None
    )  # others' attributes may do anything
    return timeline if isinstance(timeline, MemoryTimeline) else None
