"""Memory over time: a helper process samples, so that a C call holding the lock hides nothing.

    engine = TimelineEngine(interval=0.001)
    engine.start()
    ...
    engine.stop()
    engine.timeline(session)          MemoryTimeline

* The exact peak is the operating system's: on Linux the high-water mark is reset
  at the start and read at the end; the helper looks at it too, which tells when
  it was reached. It is not claimed where the mark cannot be reset, or where
  somebody else has reset it meanwhile.
* Who traces lines resets the mark at each of them (``reset_peak=False``), and
  says what it found in `TimelineEngine.timeline`.
* `mark` names a stretch of time for every engine that runs.
"""

from __future__ import annotations

import contextlib
import operator
import os
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from jupyter_profkit.engines import sampler
from jupyter_profkit.engines.helper import Helper, HelperOutput
from jupyter_profkit.engines.records import Records
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.session import Location, Method, Session
from jupyter_profkit.model.timeline import ChildProcess, Mark, MemorySample, MemoryTimeline
from jupyter_profkit.units import MIB, format_seconds

__all__ = ["TimelineEngine", "check_process", "mark"]

_MAX_SAMPLES = 50_000
"""More are thinned out, without losing a peak: a recording must not weigh on the kernel it measures."""
_MAX_MARKS = 10_000
_LONGEST_GAP = 0.1
_LONGEST_NAME = 60


class TimelineEngine:
    """Records the memory of a process.

    Parameters
    ----------
    pid : the process; this one by default.
    interval : seconds between samples.
    children : add up the memory of the process and of its children.
    per_child : keep the samples of each child apart.
    reset_peak : whether the high-water mark of this process may be reset.
    seconds : stop sampling after so long; None for no end.
    title : what is recorded; whoever finds the recording of a process that died reads it.
    script : where the process writes its marks, if it is a script that this process has started: when this
        process dies the script is terminated (SIGTERM), and the file is removed.
    clock : seconds of a clock that all processes share.

    A helper that cannot be started costs the samples, not the run: the recording
    then has its two ends and the exact peak, and a note.
    """

    def __init__(
        self,
        pid: int | None = None,
        *,
        interval: float = 0.005,
        children: bool = False,
        per_child: bool = False,
        reset_peak: bool = True,
        seconds: float | None = None,
        title: str = "",
        script: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pid = os.getpid() if pid is None else pid
        self.interval = interval
        self._children, self._per_child = children, per_child
        self._reset_peak = reset_peak and pid is None
        self._seconds = seconds
        self._title = title
        self._script = script
        self._clock = clock
        self._helper: Helper | None = None
        self._output = HelperOutput(b"", cpu=None)
        self._failure = ""
        self._ends: list[tuple[float, int]] = []
        self._high_water: list[tuple[float, int]] = []
        self._noted: list[tuple[float, int]] = []
        self._marks: list[Mark] = []
        self._said: list[str] = []
        self._live: Records | None = None
        self._n_read = 0
        self.started = self.stopped = 0.0

    def start(self) -> None:
        """Begin; times count from the moment when the helper is ready."""
        try:
            self._helper = Helper(
                self.pid,
                self.interval,
                children=self._children or self._per_child,
                proportional=self._children,
                high_water=sys.platform == "linux",
                seconds=self._seconds,
                title=self._title,
                script=self._script,
            )
        except ProcessLookupError:
            self._failure = "no samples: the process had ended before the first could be taken"
        except (OSError, ImportError) as error:
            self._failure = f"no samples: the helper process did not start ({error})"
        if self._reset_peak:
            _reset_high_water()
        _running.append(self)
        self.started = self.stopped = self._clock()
        self._look(self.started)

    def begin(self, moment: float, rss: int) -> None:
        """Leave out what was recorded before `moment`, the clock's, when the run began with `rss` bytes.

        Other engines get ready while this one records already.
        """
        self.started = self.stopped = moment
        self._ends.clear()
        self._high_water.clear()
        if self._children:  # those who measure may have added them to `rss`, and the records add them once more
            self._look(moment)
        else:
            self._ends.append((moment, rss))

    def end(self) -> None:
        """The run is over, whatever `stop` has to wait for; only the first call counts."""
        if self in _running:
            _running.remove(self)
            self.stopped = self._clock()
            self._look(self.stopped)

    def stop(self) -> None:
        """Stop recording and end the helper; only the first call counts."""
        self.end()
        if self._helper is not None:
            self._output = self._helper.stop()
            self._helper = None

    @property
    def is_sampling(self) -> bool:
        """Whether the helper process runs; it ends with the process that it watches."""
        return self._helper is not None and self._helper.is_alive

    def new_samples(self) -> tuple[array[float], array[int]]:
        """Times and bytes since the last call, while it records; times count from the start."""
        if self._live is None:
            self._live = Records(self.started, summed=self._children)
        if self._helper is not None:
            self._n_read += self._live.read(self._helper.read(self._n_read))
        return self._live.take_main()

    def _look(self, now: float) -> None:
        """A sample of our own, at each end."""
        with contextlib.suppress(OSError, ValueError, IndexError, ImportError):  # a process that is gone has none
            self._ends.append((now, read_rss(self.pid)))
            self._high_water.append((now, read_high_water(self.pid)))

    def mark(
        self,
        label: str,
        start: float,
        end: float | None,
        *,
        rss_start: int | None = None,
        rss_end: int | None = None,
        level: int = 0,
        kind: str = "function",
    ) -> None:
        """Add a mark; its times are the clock's, and an `end` of None is the end of the recording."""
        if len(self._marks) < _MAX_MARKS:
            last = self.stopped if end is None else end
            self._marks.append(Mark(label, start - self.started, last - self.started, rss_start, rss_end, level, kind))

    def note(self, text: str) -> None:
        """Something that the reader of the recording must know."""
        self._said.append(text)

    def note_peak(self, rss: int, time: float) -> None:
        """A high-water mark, bytes, that somebody else has read; `time` is the clock's."""
        self._noted.append((time, rss))

    def timeline(
        self, session: Session, *, peak_rss: int | None = None, peak_at: Location | None = None, command: str = ""
    ) -> MemoryTimeline:
        """The recording; call it after `stop`.

        Parameters
        ----------
        session : the run it belongs to; times count from its start.
        peak_rss : the exact peak, bytes, if somebody else has measured it.
        peak_at : the line that was running then.
        command : what was run, where that was a command.
        """
        records = Records(self.started, self.stopped, self._children)
        records.read(self._output.records)
        ends = [(moment - self.started, rss + records.added_at(moment)) for moment, rss in self._ends]
        main = sorted([*records.main.thinned(_MAX_SAMPLES // 2), *ends])
        samples = [MemorySample(moment, rss) for moment, rss in main]
        if self._per_child:
            samples += [
                MemorySample(*point, pid)
                for pid, curve in records.children.items()
                for point in curve.thinned(_MAX_SAMPLES // 2)
            ]
            samples.sort(key=lambda sample: sample.time)
        n_samples = len(records.main.times) + len(self._ends)
        peak = None if self._children else self._exact_peak(records, main, peak_rss)
        return MemoryTimeline(
            session=session,
            method=Method(self._description(records), peak is not None, n_samples, notes=tuple(self._notes(records))),
            samples=tuple(samples),
            marks=tuple(sorted(_below_cells(self._marks), key=lambda mark: (mark.start, mark.level))),
            exact_peak=peak,
            peak_at=peak_at,
            interval=self.interval,
            command=command,
            processes=tuple(
                ChildProcess(pid, name) for pid, name in records.commands.items() if pid in records.children
            ),
            summed=self._children,
        )

    def _exact_peak(self, records: Records, main: list[tuple[float, int]], peak_rss: int | None) -> MemorySample | None:
        """The highest of all marks, at the time of the highest that has one."""
        marks = [
            *records.high_water,
            *((moment - self.started, rss) for moment, rss in [*self._high_water, *self._noted]),
        ]
        marks.sort()
        known = _trusted(marks, main)
        if peak_rss is not None:
            known = [point for point in marks if point[1] <= peak_rss] or main
        if not known:
            return None
        moment, highest = max([*known, *main], key=_height)
        return MemorySample(_when(moment, marks, main), max(highest, peak_rss or 0))

    def _description(self, records: Records) -> str:
        what = "Resident memory"
        if self._children:
            shared = "shared pages counted once" if records.proportional else "shared pages counted for each"
            what += f", children added ({shared}),"
        return f"{what} sampled by a helper process every {format_seconds(self.interval)}{self._cost()}"

    def _cost(self) -> str:
        return f", which used {format_seconds(self._output.cpu)} of CPU" if self._output.cpu is not None else ""

    def _notes(self, records: Records) -> Iterator[str]:
        if self._failure:
            yield self._failure
        if self._output.failure:
            yield f"the helper process ended before the run did: {self._output.failure}"
        if self._seconds is not None and self.stopped - self.started > self._seconds:
            yield f"sampling stopped after {format_seconds(self._seconds)}, as asked"
        if len(records.main.times) > _MAX_SAMPLES:
            yield f"samples are thinned out to {_MAX_SAMPLES}; the lowest and highest of each stretch are kept"
        yield from self._said
        if len(self._marks) >= _MAX_MARKS:
            yield f"marks after the first {_MAX_MARKS} are left out"
        times = records.main.times
        gaps = list(map(operator.sub, times[1:], times))
        gap = max(gaps, default=0.0)
        if gap > max(_LONGEST_GAP, 10 * self.interval):
            yield f"no samples for {format_seconds(gap)} from {times[gaps.index(gap)]:.2f} s on: the machine was busy"


def _below_cells(marks: list[Mark]) -> Iterator[Mark]:
    """The marks of what ran in cells stand below those of the cells."""
    depth = 1 + max((mark.level for mark in marks if mark.kind == "cell"), default=-1)
    return (mark if mark.kind == "cell" else replace(mark, level=mark.level + depth) for mark in marks)


def _height(point: tuple[float, int]) -> tuple[int, float]:
    """What the highest point has most of; of several the first."""
    return point[1], -point[0]


def _when(read: float, marks: list[tuple[float, int]], main: list[tuple[float, int]]) -> float:
    """When a mark that was read at `read` was made: at the highest sample since the reading before, if there is one."""
    before = max((moment for moment, _ in marks if moment < read), default=-float("inf"))
    since = [point for point in main if before < point[0] <= read]
    return max(since, key=_height)[0] if since else read


def _trusted(marks: list[tuple[float, int]], main: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The readings of the high-water mark that are of this run; none if it cannot be told.

    The first reading may be of what was before the start. It says nothing unless
    memory was about as high when the run began. A mark that falls was reset by
    somebody else; it may fall by some pages, since the kernel counts them in batches.
    """
    if not marks or any(after < before - MIB for (_, before), (_, after) in pairwise(marks)):
        return []
    first = marks[0][1]
    if main and first <= main[0][1] + MIB:
        return marks
    return [point for point in marks if point[1] > first]


# What a process says of itself


def check_process(pid: int) -> str:
    """The command of a process whose memory can be read.

    Raises
    ------
    TargetError
        If it is gone, or not ours to look at.
    """
    try:
        process = sampler.ProcProcess(pid) if sys.platform == "linux" else sampler.PsutilProcess(pid)
        try:
            process.rss()
            command = " ".join(process.command().decode(errors="replace").split())
            return command if len(command) <= _LONGEST_NAME else f"{command[: _LONGEST_NAME - 1]}…"
        finally:
            process.close()
    except PermissionError:
        raise TargetError(f"process {pid} is not yours to look at") from None
    except (OSError, OverflowError, ValueError, IndexError):
        raise TargetError(f"there is no process {pid}, or it has ended") from None


def read_rss(pid: int) -> int:
    """Bytes resident in a process.

    Raises
    ------
    OSError
        If it is gone.
    """
    process = sampler.ProcProcess(pid) if sys.platform == "linux" else sampler.PsutilProcess(pid)
    try:
        return process.rss()
    finally:
        process.close()


def read_high_water(pid: int) -> int:
    """Bytes: the most that a process has had resident; on Linux alone.

    Raises
    ------
    OSError
        If it is gone, or the system does not tell.
    """
    if sys.platform != "linux":
        raise OSError("this system has no high-water mark that can be reset")
    process = sampler.ProcProcess(pid)
    try:
        return process.high_water()
    finally:
        process.close()


def read_own_high_water() -> int:
    """That of this process; 0 where the system does not tell."""
    try:
        return read_high_water(os.getpid())
    except (OSError, ValueError, IndexError):
        return 0


def _reset_high_water() -> None:
    """Let the high-water mark of this process begin anew; proc(5), Linux 4.0.

    Where that is not allowed the first reading tells: the mark is above memory as it is.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
        try:
            os.write(descriptor, b"5")
        finally:
            os.close(descriptor)


# Regions

_running: list[TimelineEngine] = []

_level: ContextVar[int] = ContextVar("jupyter_profkit_mark_level", default=0)


@contextlib.contextmanager
def mark(label: str) -> Iterator[None]:
    """Name what a ``with`` block does, in every recording of memory over time that runs meanwhile.

    Parameters
    ----------
    label : the name, shown above the curve with the block's duration.

    Examples
    --------
    ::

        with mark("load"):
            df = pd.read_csv(path)
    """
    engines = [engine for engine in _running if engine.pid == os.getpid()]
    if not engines:
        yield
        return
    level = _level.get()
    _level.set(level + 1)
    start, rss_start = time.monotonic(), read_own_rss()
    try:
        yield
    finally:
        end, rss_end = time.monotonic(), read_own_rss()
        _level.set(level)  # a token could not be used in another context, where a generator may go on
        for engine in engines:
            engine.mark(label, start, end, rss_start=rss_start, rss_end=rss_end, level=level, kind="region")


def read_own_rss() -> int | None:
    """Bytes resident in this process, None where that cannot be told."""
    try:
        return read_rss(os.getpid())
    except (OSError, ImportError, ValueError, IndexError):  # the mark is there without it
        return None
