"""Memory over time: samples of a process, and marks of what it was doing.

    timeline = MemoryTimeline(session, method, samples=(MemorySample(0.0, rss=31_000_000),))
    timeline.peak.rss, timeline.peak.time

Times count from the start of the session.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Location, Method, Session

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ChildProcess", "Mark", "MemorySample", "MemoryTimeline", "thin"]


@dataclass(frozen=True, slots=True)
class MemorySample:
    """What was resident at one moment."""

    time: float
    """Seconds since the recording's session started."""
    rss: int
    """Bytes."""
    pid: int = 0
    """The process; 0 is the one that the recording is about."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time with a name: a cell, a profiled call, a labelled region."""

    label: str
    start: float
    """Seconds since the session started."""
    end: float
    rss_start: int | None = None
    """Bytes resident as it began, where that was recorded."""
    rss_end: int | None = None
    level: int = 0
    """How many marks enclose it."""
    kind: str = "function"
    """``function``, ``cell`` or ``region``."""

    @property
    def duration(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """A process that the measured one started, or one of its children did."""

    pid: int
    command: str
    """As much of its name as the operating system tells."""


@dataclass(frozen=True, slots=True)
class MemoryTimeline(Result):
    """One recording: curves, marks and the peak."""

    kind: ClassVar[str] = "timeline"
    columns: ClassVar[tuple[str, ...]] = ("time", "rss", "pid")

    session: Session
    method: Method
    samples: tuple[MemorySample, ...]
    """In the order they were taken; the process itself and its children mixed."""
    marks: tuple[Mark, ...] = ()
    exact_peak: MemorySample | None = None
    """The operating system's own high-water mark; its time is that of the nearest sample."""
    peak_at: Location | None = None
    """The line that was running at the peak, where lines were traced too."""
    interval: float | None = None
    """Seconds between samples, as asked for."""
    command: str = ""
    """What was run, where that was a command."""
    processes: tuple[ChildProcess, ...] = ()
    """Who the child processes were."""
    summed: bool = False
    """Whether the memory of the children is in that of the process."""

    # A long recording has hundreds of thousands of samples: they are sorted out once.
    _curves: dict[int, tuple[MemorySample, ...]] = field(init=False, repr=False, compare=False)
    _highest: MemorySample | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        curves: dict[int, list[MemorySample]] = {0: []}
        for sample in self.samples:
            curves.setdefault(sample.pid, []).append(sample)
        object.__setattr__(self, "_curves", {pid: tuple(curve) for pid, curve in curves.items()})
        object.__setattr__(self, "_highest", max(curves[0], key=attrgetter("rss"), default=None))

    @property
    def main(self) -> tuple[MemorySample, ...]:
        """The samples of the process itself."""
        return self._curves[0]

    @property
    def children(self) -> dict[int, tuple[MemorySample, ...]]:
        """The samples of each child process, by pid."""
        return {pid: curve for pid, curve in self._curves.items() if pid}

    @property
    def peak(self) -> MemorySample:
        """The highest moment of the process itself.

        Raises
        ------
        ValueError
            If the recording holds no sample of it.
        """
        highest, exact = self._highest, self.exact_peak
        if highest is None:
            raise ValueError("the recording holds no sample of the process itself")
        return exact if exact is not None and exact.rss > highest.rss else highest

    @property
    def peak_together(self) -> MemorySample:
        """The highest moment of the process and its children together; pages that they share count for each.

        Raises
        ------
        ValueError
            If the recording holds no sample of the process itself.
        """
        if self.summed:
            return self.peak
        sums = (MemorySample(time, rss) for time, rss in _sums(self.samples, self._curves))
        return max(self.peak, max(sums, key=attrgetter("rss")), key=attrgetter("rss"))

    @property
    def duration(self) -> float:
        """Seconds from the first sample to the last."""
        main = self.main
        return main[-1].time - main[0].time if main else 0.0

    def rows(self) -> Iterator[tuple[float, int, int]]:
        """Every sample, in the order of `columns`."""
        for sample in self.samples:
            yield sample.time, sample.rss, sample.pid

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the recording with matplotlib.

        Parameters
        ----------
        ax : where to draw; a new figure by default.

        Returns
        -------
        The Axes, with MiB over seconds.

        Raises
        ------
        ValueError
            If the recording holds no sample.
        """
        from jupyter_profkit.render.timeline import draw
        from jupyter_profkit.views.timeline import plot_view

        return draw(plot_view(self), ax)


def _sums(samples: Sequence[MemorySample], curves: Mapping[int, Sequence[MemorySample]]) -> Iterator[tuple[float, int]]:
    """What all processes hold at the moment of each sample; one holds nothing after its last."""
    ends = sorted(((curve[-1].time, pid) for pid, curve in curves.items() if curve), reverse=True)
    held: dict[int, int] = {}
    total = 0
    for time, together in groupby(samples, key=attrgetter("time")):
        while ends and ends[-1][0] < time:
            total -= held.pop(ends.pop()[1], 0)
        for sample in together:
            total += sample.rss - held.get(sample.pid, 0)
            held[sample.pid] = sample.rss
        yield time, total


def thin(times: Sequence[float], values: Sequence[int], n_columns: int) -> list[int]:
    """Indices of the points that a picture of `n_columns` columns needs.

    Of each column of time the lowest and the highest value stay, and the two ends
    of the whole: no peak is lost. Few points all stay.
    """
    n_points = len(times)
    if n_points <= 2 * n_columns:
        return list(range(n_points))
    start = times[0]
    width = (times[-1] - start) / n_columns or 1.0
    kept = [0]
    first, last = 1, n_points - 1
    while first < last:
        edge = start + (int((times[first] - start) / width) + 1) * width
        after = bisect_left(times, edge, first + 1, last)
        column = values[first:after]
        low, high = min(column), max(column)
        if low != high:
            kept += sorted((first + column.index(low), first + column.index(high)))
        else:  # a level column keeps its two ends, so that points stay evenly spread over time
            kept += sorted({first, after - 1})
        first = after
    return [*kept, n_points - 1]
