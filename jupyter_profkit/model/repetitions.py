"""The repetitions of a run: what each left behind, and whether that is a leak.

    repetitions = Repetitions(asked=5, done=(Repetition(0.2, increment=1_000_000, allocated=1_000_000), ...))
    repetitions.leaks, repetitions.growth

The first repetition warms up: imports, caches and pools are its. There is a leak if
each of the others left more than can be told from noise.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Final

from jupyter_profkit.model.session import Location

__all__ = ["GrowingLine", "Repetition", "Repetitions"]

LEAST_GROWTH: Final = 16 * 1024
"""Bytes: caches and dictionaries of the interpreter come and go by as much."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """One of them; garbage is collected at its end."""

    duration: float
    """Seconds."""
    increment: int
    """Bytes resident more than at its beginning."""
    allocated: int | None = None
    """Bytes in use more than at its beginning, whether from new memory or from what was free; None if unknown."""

    @property
    def left(self) -> int:
        """Bytes that it left behind.

        Resident memory misses what was put where memory was free, and has what was
        freed and is kept for later; it counts where nothing else is known.
        """
        return self.increment if self.allocated is None else self.allocated


@dataclass(frozen=True, slots=True)
class GrowingLine:
    """A line that has some of what the repetitions left behind."""

    at: Location
    n_bytes: int
    """All that it added after the first repetition, or holds at the end."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Repetitions:
    """All of a run's repetitions."""

    asked: int
    done: tuple[Repetition, ...]
    """Those that reached their end."""
    growing: tuple[GrowingLine, ...] = ()
    """The lines that grew in every repetition after the first, the greatest first."""
    noise: int = LEAST_GROWTH
    """Bytes: growth up to here is none."""

    @property
    def after_first(self) -> tuple[Repetition, ...]:
        return self.done[1:]

    @property
    def leaks(self) -> bool | None:
        """Whether every repetition after the first left more than noise; None with fewer than three."""
        if len(self.done) < 3:
            return None
        return all(repetition.left > self.noise for repetition in self.after_first)

    @property
    def growth(self) -> float:
        """Bytes that a repetition after the first left behind, the median; 0 if there is none.

        The last one has also what the notebook took to show its value.
        """
        return statistics.median(repetition.left for repetition in self.after_first) if self.after_first else 0

    @property
    def only_resident_grew(self) -> bool:
        """Whether resident memory grew in every repetition after the first, but what is in use did not."""
        grew = [repetition.increment > self.noise for repetition in self.after_first]
        return self.leaks is False and all(grew)
