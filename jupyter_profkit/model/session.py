"""The run that a result belongs to: what ran, how it ended, how it was measured.

    Session(title="In [7]", started=1_750_000_000.0, duration=2.4)
    Method(engine="sys.monitoring, RSS from /proc/self/statm", exact=True, n_events=1204)

Every result holds both, so that a report can say what it stands on.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Location", "Method", "Session"]


@dataclass(frozen=True, slots=True)
class Location:
    """A line of somebody's code."""

    filename: str
    lineno: int
    function: str = ""
    label: str = ""
    """How a reader knows the file: ``In [7]`` for a cell, a short path for a file."""

    def __str__(self) -> str:
        return f"{self.label or self.filename}, line {self.lineno}"


@dataclass(frozen=True, slots=True)
class Session:
    """What ran, when, and how it ended."""

    title: str
    """``In [7]``, ``memory_test.py``, or what the caller named it."""
    started: float
    """Unix time, seconds."""
    duration: float
    """Seconds."""
    outcome: str = "ok"
    """``ok``, or the name of the exception that ended it: ``ZeroDivisionError``."""
    error_at: Location | None = None
    """The line of the user's code that raised it."""

    @property
    def partial(self) -> bool:
        """Whether it ended before its end."""
        return self.outcome != "ok"


@dataclass(frozen=True, slots=True)
class Method:
    """How it was measured, and what that cost."""

    engine: str
    """What did the measuring, in words for the reader."""
    exact: bool = True
    n_events: int = 0
    overhead: float | None = None
    """Seconds that the measuring is estimated to have added."""
    notes: tuple[str, ...] = ()
    """What the reader must know to trust the figures: what was left out, and why."""
