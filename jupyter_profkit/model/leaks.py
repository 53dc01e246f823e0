"""What something left behind: objects by type and holder, and cycles; no live object is held.

    ObjectLeaks(session, method, records=(LeakRecord("list", 1_000, 72_856, "variable", "keep"),))

With repetitions, a record whose count grows in each of them after the first is a leak.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session

__all__ = ["CycleEdge", "CycleRecord", "LeakRecord", "ObjectLeaks"]


@dataclass(frozen=True, slots=True)
class LeakRecord:
    """New objects of one type that one name holds."""

    type: str
    count: int
    """Objects that are there at the end."""
    size: int
    """Bytes of these objects alone."""
    kind: str
    """``variable``, ``IPython``, ``last error``, ``module``, ``import``, ``thread``, ``task``… or ``cycle``."""
    holder: str
    """``keep``, ``Out[3], _3``, ``colorsys .cache``."""
    path: str = ""
    """From there to the first of them, as written in code."""
    counts: tuple[int, ...] = ()
    """With repetitions: how many of them there were after each one."""

    @property
    def is_leak(self) -> bool:
        """Whether there were more after each repetition than after the one before."""
        return len(self.counts) > 1 and all(
            before < after for before, after in zip(self.counts, self.counts[1:], strict=False)
        )

    @property
    def growth(self) -> float:
        """Objects that a repetition after the first adds, on average."""
        return (self.counts[-1] - self.counts[0]) / (len(self.counts) - 1) if len(self.counts) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class CycleEdge:
    """An object on the way round, and how it refers to the next one."""

    type: str
    label: str


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """Reference cycles of one kind, which only the collector could free."""

    edges: tuple[CycleEdge, ...]
    n_cycles: int
    n_objects: int
    """Objects in all of them, with those that only they hold."""
    size: int
    """Bytes."""
    n_finalizers: int = 0
    """Objects with a ``__del__``."""


@dataclass(frozen=True, slots=True)
class ObjectLeaks(Result):
    """What a run made that is still there after it."""

    kind: ClassVar[str] = "leaks"
    columns: ClassVar[tuple[str, ...]] = ("type", "count", "size", "kind", "holder", "path", "growth", "is_leak")

    session: Session
    method: Method
    records: tuple[LeakRecord, ...]
    cycles: tuple[CycleRecord, ...] = ()
    n_repetitions: int = 1
    n_collected: int = 0
    """Objects in cycles that the collector freed while it ran."""
    collecting: float = 0.0
    """Seconds that this took."""

    @property
    def leaks(self) -> tuple[LeakRecord, ...]:
        """The records that grow with every repetition."""
        return tuple(record for record in self.records if record.is_leak)

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for one in self.records:
            yield one.type, one.count, one.size, one.kind, one.holder, one.path, one.growth, one.is_leak
