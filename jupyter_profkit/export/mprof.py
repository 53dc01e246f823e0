r"""Recordings in the format of memory_profiler's `mprof`, both ways.

    CMDLINE python train.py
    MEM 85.203125 1750000000.0003
    CHLD 4711 21.500000 1750000000.1003
    FUNC train.load 85.2031 1750000000.0103 214.5000 1750000000.9021 0
    PEAK 812.400000 1750000001.2400
    DIED 4711 1750000001.2500
    PROC 4711 python -m worker
    SUM children

A record is a line, its fields parted by single spaces; memory is in MiB, times are
Unix seconds. ``PEAK`` is ours: the exact peak, which `mprof` passes over as it does
any line it does not know; for its sake the same peak stands as a ``MEM`` line too.
So are ``PROC``, the command of a child, and ``DIED``, in what `engines.kept` has
kept: the process, and when it was gone. ``SUM`` says that ``MEM`` has the children's
memory in it; what `mprof` adds it does not tell.
Spaces in a label are written as no-break spaces. `mprof` itself writes ``MEM 0.0``
while the process is not there yet and when it is gone; these are no memory, and are
left out.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from jupyter_profkit.errors import RecordingError
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.model.timeline import ChildProcess, Mark, MemorySample, MemoryTimeline
from jupyter_profkit.units import MIB

__all__ = ["read_mprof", "write_mprof"]

_TAGS = frozenset({"MEM", "CHLD", "FUNC", "CMDLINE", "PEAK", "DIED", "PROC", "SUM"})
_FOREIGN = 100
"""A file with so many lines before the first record is of another kind."""
_LONGEST_LINE = 100_000
_BIGGEST = 2**50
"""Bytes; more than any memory holds."""


def write_mprof(timeline: MemoryTimeline, path: str | Path) -> None:
    """Write a recording so that ``mprof plot`` and ``mprof peak`` open it.

    Raises
    ------
    RecordingError
        If it holds no samples, which `mprof` cannot open.
    OSError
        If the file cannot be written.
    """
    if not timeline.main:
        raise RecordingError(f"{path}: there are no samples to write")
    text = "".join(f"{line}\n" for line in _lines(timeline))
    Path(path).write_text(text, encoding="utf-8")


def _lines(timeline: MemoryTimeline) -> Iterator[str]:
    started = timeline.session.started
    yield f"CMDLINE {_printable(timeline.command or timeline.session.title)}"
    for mark in timeline.marks:
        first, last = ((rss or 0) / MIB for rss in (mark.rss_start, mark.rss_end))
        start, end = started + mark.start, started + mark.end
        yield f"FUNC {_label(mark.label)} {first:.4f} {start:.4f} {last:.4f} {end:.4f} {mark.level}"
    if timeline.summed:
        yield "SUM children"
    for process in timeline.processes:
        yield f"PROC {process.pid} {_printable(process.command)}"
    samples = timeline.samples
    if timeline.exact_peak is not None:
        samples = tuple(sorted((*samples, timeline.exact_peak), key=attrgetter("time")))
        yield f"PEAK {timeline.exact_peak.rss / MIB:.6f} {started + timeline.exact_peak.time:.4f}"
    for sample in samples:
        tag = f"CHLD {sample.pid}" if sample.pid else "MEM"
        yield f"{tag} {sample.rss / MIB:.6f} {started + sample.time:.4f}"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _label(text: str) -> str:
    return _printable(" ".join(text.split())).replace(" ", "\N{NO-BREAK SPACE}") or "?"


def read_mprof(path: str | Path) -> MemoryTimeline:
    """The recording in a file that `mprof` or `write_mprof` wrote.

    Lines that were cut off are left out, and a note says so, unless they are half of it.

    Raises
    ------
    RecordingError
        If the file cannot be read, is no such recording, or is damaged.
    """
    source = Path(path).expanduser()
    contents = _Contents(source.name)
    try:
        with source.open("rb") as file:
            for number in itertools.count(1):
                line = file.readline(_LONGEST_LINE)
                if not line:
                    break
                contents.add(number, line)
    except OSError as error:
        raise RecordingError(f"{source}: {error.strerror or error}") from None
    return contents.timeline()


@dataclass
class _Contents:
    """What has been read of a file; times are Unix seconds."""

    name: str
    samples: list[MemorySample] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    command: str = ""
    peak: MemorySample | None = None
    died: tuple[int, float] | None = None
    processes: list[ChildProcess] = field(default_factory=list)
    summed: bool = False
    damage: str = ""
    """The first line that is wrong."""
    damaged_at: int = 0
    n_damaged: int = 0
    n_lines: int = 0
    n_records: int = 0

    def add(self, number: int, line: bytes) -> None:
        """Take one line; one that was cut off is left out."""
        self.n_lines = number
        if len(line) >= _LONGEST_LINE or b"\0" in line:
            raise self._foreign()
        tag, _, rest = line.decode(errors="replace").rstrip("\r\n").partition(" ")
        if tag not in _TAGS:
            if not self.n_records and number >= _FOREIGN:
                raise self._foreign()
            return
        self.n_records += 1
        try:
            self._take(tag, rest)
        except (ValueError, OverflowError):
            self._damage(f"line {number} is no {tag} record: {_printable(rest[:60])!r}", number)
        else:
            if not line.endswith(b"\n") and tag != "CMDLINE":
                self._drop_last(tag, number)

    def _damage(self, what: str, number: int) -> None:
        self.n_damaged += 1
        if not self.damage:
            self.damage, self.damaged_at = what, number

    def _notes(self) -> tuple[str, ...]:
        if not self.damage:
            return ()
        if self.damaged_at == self.n_lines:
            return (f"the file was cut off: {self.damage}; it is left out",)
        lines = "1 damaged line is" if self.n_damaged == 1 else f"{self.n_damaged} damaged lines are"
        return (f"{lines} left out; {self.damage}",)

    def _drop_last(self, tag: str, number: int) -> None:
        """Do not trust a number that may have lost its last digits."""
        self._damage(f"line {number} has no end", number)
        if tag in {"MEM", "CHLD"}:
            self.samples.pop()
        elif tag == "FUNC":
            self.marks.pop()
        elif tag == "DIED":
            self.died = None
        elif tag == "PROC":
            self.processes.pop()
        elif tag == "SUM":
            self.summed = False
        else:
            self.peak = None

    def _take(self, tag: str, rest: str) -> None:
        fields = rest.split(" ")
        if tag == "MEM":
            self.samples.append(_sample(*fields[:2]))
        elif tag == "CHLD":
            self.samples.append(_sample(*fields[1:3], pid=fields[0]))
        elif tag == "PEAK":
            self.peak = _sample(*fields[:2])
        elif tag == "FUNC":
            self.marks.append(_mark(rest))
        elif tag == "DIED":
            pid, moment = rest.split(" ")
            self.died = _count(pid), _seconds(moment)
        elif tag == "PROC":
            pid, _, command = rest.partition(" ")
            self.processes.append(ChildProcess(_count(pid), _printable(command)))
        elif tag == "SUM":
            self.summed = True
        else:
            self.command = _printable(rest.strip())

    def _foreign(self) -> RecordingError:
        return RecordingError(f"{self.name}: this is no recording, neither of jupyter_profkit nor of mprof")

    def timeline(self) -> MemoryTimeline:
        if not self.n_records:
            raise self._foreign()
        if self.n_damaged and self.damaged_at < self.n_lines and 2 * self.n_damaged >= self.n_records:
            raise RecordingError(f"{self.name}: {self.damage}")
        samples = sorted((sample for sample in self.samples if sample.rss), key=attrgetter("time"))
        if not any(sample.pid == 0 for sample in samples):
            raise RecordingError(
                f"{self.name}: it holds no memory samples; the recording was too short, or was cut off"
            )
        started = min([samples[0].time, *(mark.start for mark in self.marks)])
        ended = max([samples[-1].time, *(mark.end for mark in self.marks)])
        return MemoryTimeline(
            session=Session(self._title(), started, ended - started, self._outcome()),
            method=Method(f"Read from {self.name}", self.peak is not None, len(samples), notes=self._notes()),
            samples=tuple(_shifted(sample, started) for sample in samples),
            marks=tuple(
                sorted((_shifted_mark(mark, started) for mark in self.marks), key=attrgetter("start", "level"))
            ),
            exact_peak=_shifted(self.peak, started) if self.peak is not None else None,
            command=self.command,
            processes=tuple(self.processes),
            summed=self.summed,
        )

    def _title(self) -> str:
        """The file's name; what was recorded, where that was the file's reason to be."""
        return self.command if self.died is not None and self.command else self.name

    def _outcome(self) -> str:
        if self.died is None:
            return "ok"
        pid, moment = self.died
        return f"process {pid} died at {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(moment))}"


def _sample(memory: str = "", moment: str = "", *, pid: str = "0") -> MemorySample:
    return MemorySample(_seconds(moment), _bytes(memory), _count(pid))


_MARK = re.compile(
    r"(?P<label>.+?) (?P<rss_start>\S+) (?P<start>\S+) (?P<rss_end>\S+) (?P<end>\S*\.\S+)(?: (?P<level>\d+))?"
)


def _mark(rest: str) -> Mark:
    """A label may hold spaces in what `mprof` writes; the level may be missing."""
    match = _MARK.fullmatch(rest)
    if match is None:
        raise ValueError(rest)
    start, end = _seconds(match["start"]), _seconds(match["end"])
    if end < start:
        raise ValueError(rest)
    label = match["label"].replace("\N{NO-BREAK SPACE}", " ")
    rss_start, rss_end = _bytes(match["rss_start"]), _bytes(match["rss_end"])
    return Mark(_printable(label), start, end, rss_start or None, rss_end or None, _count(match["level"] or "0"))


def _bytes(text: str) -> int:
    n_bytes = round(float(text) * MIB)
    if not 0 <= n_bytes < _BIGGEST:
        raise ValueError(text)
    return n_bytes


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds) or abs(seconds) > 1e12:
        raise ValueError(text)
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 10:
        raise ValueError(text)
    return int(text)


def _shifted(sample: MemorySample, started: float) -> MemorySample:
    return MemorySample(sample.time - started, sample.rss, sample.pid)


def _shifted_mark(mark: Mark, started: float) -> Mark:
    start, end = mark.start - started, mark.end - started
    return Mark(mark.label, start, end, mark.rss_start, mark.rss_end, mark.level)
