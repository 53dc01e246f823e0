"""Reading what the helper process writes, while it still writes or at the end.

    records = Records(started=clock())
    records.read(content)                     all of it, or what came since the last time
    records.main.times, records.main.values

Ten minutes at one sample a millisecond are 600,000 records. They are taken apart
column by column, without a step of Python for each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import not_, sub

from jupyter_profkit.engines import sampler
from jupyter_profkit.model.timeline import thin

__all__ = ["Points", "Records"]

_LAST_LOOK = 0.25
"""Seconds after the end in which the helper looks once more who is still there."""


@dataclass
class Points:
    """The samples of one process, 16 bytes each."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[int] = field(default_factory=lambda: array("q"))

    def append(self, moment: float, value: int) -> None:
        self.times.append(moment)
        self.values.append(value)

    def thinned(self, n_columns: int) -> list[tuple[float, int]]:
        """At most two for each column of time, the lowest and the highest."""
        return [(self.times[index], self.values[index]) for index in thin(self.times, self.values, n_columns)]


@dataclass
class Records:
    """The helper's records.

    Parameters
    ----------
    started, stopped : the clock's; times are counted from `started`, and what lies outside is left out.
    summed : whether the memory of the children is added to that of the process.
    """

    started: float
    stopped: float = float("inf")
    summed: bool = False
    main: Points = field(default_factory=Points)
    high_water: list[tuple[float, int]] = field(default_factory=list)
    children: dict[int, Points] = field(default_factory=dict)
    _commands: dict[int, bytes] = field(default_factory=dict)
    _of_child: dict[int, int] = field(default_factory=dict)
    _added: int = 0
    """Bytes of the children at the end of what has been read."""
    _added_at_start: int = 0
    _added_at_stop: int = 0

    @property
    def commands(self) -> dict[int, str]:
        """Of each child, by pid."""
        return {pid: command.decode(errors="replace") for pid, command in self._commands.items()}

    @property
    def proportional(self) -> bool:
        """Whether pages that processes share are counted once."""
        return sampler.PROPORTION in self._of_child

    def added_at(self, moment: float) -> int:
        """Bytes that the children add to the sum at `started`, and for any later moment at `stopped`."""
        if not self.summed:
            return 0
        return self._added_at_stop if moment > self.started else self._added_at_start

    def read(self, content: bytes) -> int:
        """Take in more records; the number of bytes used: one that was cut off is left for the next time."""
        used = len(content) - len(content) % sampler.RECORD.size
        whole = memoryview(content)[:used]
        times, integers = array("d"), array("q")
        times.frombytes(whole)
        integers.frombytes(whole)
        times, values, codes = times[::3], integers[1::3], integers[2::3]
        added = self._added
        steps = list(self._read_others(whole, times, values, codes))
        of_main = bytes(map(not_, codes))
        self._read_main(array("d", compress(times, of_main)), array("q", compress(values, of_main)), added, steps)
        return used

    def take_main(self) -> tuple[array[float], array[int]]:
        """Times and values of the process itself since the last call; for who follows them as they come."""
        taken, self.main = self.main, Points()
        return taken.times, taken.values

    def _read_others(
        self, whole: memoryview, times: array[float], values: array[int], codes: array[int]
    ) -> Iterator[tuple[float, int]]:
        """Read all but the samples of the process; yields what is to be added to these, from which moment on."""
        for index in compress(range(len(codes)), codes):
            moment, value, code = times[index], values[index], codes[index]
            if code < sampler.HIGH_WATER and code != sampler.PROPORTION:
                is_first, piece, _ = sampler.NAME.unpack_from(whole, index * sampler.RECORD.size)
                before = b"" if is_first else self._commands.get(-code, b"")
                self._commands[-code] = before + piece.rstrip(b"\0")
                continue
            within = self.started <= moment <= self.stopped
            if code == sampler.HIGH_WATER:
                if within:
                    self.high_water.append((moment - self.started, value))
                continue
            self._added += value - self._of_child.get(code, 0)
            self._of_child[code] = value
            if moment <= self.started:
                self._added_at_start = self._added
            if moment <= self.stopped + _LAST_LOOK:
                self._added_at_stop = self._added
            yield moment, self._added
            if value and within and code != sampler.PROPORTION:
                self.children.setdefault(code, Points()).append(moment - self.started, value)

    def _read_main(self, times: array[float], values: array[int], added: int, steps: list[tuple[float, int]]) -> None:
        first, last = bisect_left(times, self.started), bisect_right(times, self.stopped)
        self.main.times.extend(map(sub, times[first:last], repeat(self.started)))
        if self.summed:
            values = array("q", _with_steps(times, values, added, steps))
        self.main.values.extend(values[first:last])


def _with_steps(times: array[float], values: array[int], added: int, steps: list[tuple[float, int]]) -> Iterator[int]:
    """`values` plus what was to be added at each of `times`."""
    coming = iter(steps)
    following = next(coming, None)
    for moment, value in zip(times, values, strict=True):
        while following is not None and following[0] <= moment:
            added = following[1]
            following = next(coming, None)
        yield value + added
