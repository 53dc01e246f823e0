"""What each repetition of a run left behind, and which lines grew in every one.

    laps = Laps()
    laps.start()                      before anything is measured
    laps.begin()
    ...                               a repetition
    laps.end()
    laps.add(4096, {key: 4096})       resident since the beginning, in all and by line
    laps.records, laps.growing()

Garbage is collected at the end of each, and what is in use is asked of the
allocators: resident memory does not show what was put where memory was free. The
first repetition warms up, so growth counts from the second on; a line is remembered
only while it grows in each.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import TypeAlias

from jupyter_profkit.engines.process_memory import bytes_in_use
from jupyter_profkit.model.repetitions import Repetition

__all__ = ["Laps", "LineKey"]

LineKey: TypeAlias = tuple[str, int]
"""File and first line of a statement."""


class Laps:
    """The account of repetitions, bytes and seconds."""

    def __init__(self) -> None:
        self.records: list[Repetition] = []
        self._so_far = 0
        self._in_use: int | None = None
        self._began = self._seconds = 0.0
        self._lines: dict[LineKey, int] = {}
        self._growing: dict[LineKey, int] = {}

    def start(self) -> None:
        """Get ready: what is in use now, garbage not counted, was there before the first."""
        self.collect()
        self._in_use = bytes_in_use()

    def begin(self) -> None:
        """The clock of the next one starts."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """The clock of this one stops."""
        self._seconds = time.perf_counter() - self._began

    @property
    def duration(self) -> float:
        """Seconds of all of them; collections in between are not theirs."""
        return sum(repetition.duration for repetition in self.records)

    @staticmethod
    def collect() -> None:
        """Free what only waits to be found, so that it is not taken for what was left behind."""
        gc.collect()

    def add(self, so_far: int, lines: Mapping[LineKey, int] | None = None) -> None:
        """What a repetition left behind.

        Parameters
        ----------
        so_far : bytes, the change of resident memory since the run began.
        lines : bytes, the part of it that each line has.
        """
        in_use = bytes_in_use()
        allocated = None if in_use is None or self._in_use is None else in_use - self._in_use
        self.records.append(Repetition(self._seconds, so_far - self._so_far, allocated))
        lines = lines or {}
        if len(self.records) > 1:
            self._keep_growing({key: n_bytes - self._lines.get(key, 0) for key, n_bytes in lines.items()})
        self._so_far, self._in_use, self._lines = so_far, in_use, dict(lines)

    def _keep_growing(self, growth: Mapping[LineKey, int]) -> None:
        if len(self.records) == 2:
            self._growing = dict.fromkeys(growth, 0)
        self._growing = {key: grown + growth[key] for key, grown in self._growing.items() if growth.get(key, 0) > 0}

    def growing(self) -> dict[LineKey, int]:
        """Bytes that each line added in all repetitions but the first, of those that added some in every one."""
        return dict(self._growing)
