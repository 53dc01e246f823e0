"""What keeps an object alive, and what the names of a notebook hold; no live object is held.

    ObjectHolders(session, method, "df", "DataFrame", chains=(HolderChain("variable", "df", free="del df"),))
    NamespaceMemory(session, method, holders=(MemoryHolder("variable", "df", "DataFrame", exclusive=7_600_000),))

A chain without steps is a name of the object itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session

__all__ = ["ChainStep", "HolderChain", "MemoryHolder", "MemoryPart", "NamespaceMemory", "ObjectHolders"]


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One reference on the way from a holder to the object."""

    label: str
    """An attribute, key, index or variable, as written in code; empty where it has no name."""
    type: str
    """The type of what it leads to."""
    text: str = ""
    """What that is, short: ``3 items``."""


@dataclass(frozen=True, slots=True)
class HolderChain:
    """A name that keeps an object alive, and the way from there to the object."""

    kind: str
    """``variable``, ``IPython``, ``last error``, ``module``, ``thread``, ``matplotlib``, ``widgets``…"""
    name: str
    """``df``, ``Out[3], _3``, ``functools``."""
    steps: tuple[ChainStep, ...] = ()
    """From what is named to the object; empty if the object itself is named."""
    free: str = ""
    """The statement that ends this chain; empty if there is none."""
    note: str = ""
    n_ways: int = 1
    """How many chains from this name were found; the shortest is told."""


@dataclass(frozen=True, slots=True)
class ObjectHolders(Result):
    """Who keeps an object alive, shortest chain first."""

    kind: ClassVar[str] = "holders"
    columns: ClassVar[tuple[str, ...]] = ("holder", "name", "path", "free", "note")

    session: Session
    method: Method
    name: str
    """The expression that was asked about."""
    type: str
    text: str = ""
    chains: tuple[HolderChain, ...] = ()
    in_cycle: bool = False
    """Whether the object refers to itself, maybe through others: then the collector has to free it."""
    n_unseen: int = 0
    """References that no container known to the collector accounts for."""

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for chain in self.chains:
            yield chain.kind, chain.name, "".join(step.label for step in chain.steps), chain.free, chain.note


@dataclass(frozen=True, slots=True)
class MemoryHolder:
    """A name, and the memory of all that it reaches."""

    kind: str
    """``variable``, ``output``, ``IPython``, ``modules`` or ``other``."""
    name: str
    """``df``; several names of one object stand together: ``a, b``."""
    type: str = ""
    text: str = ""
    """What it is, short: ``1,000 × 3 float64``."""
    exclusive: int = 0
    """Bytes that nothing else here reaches: what goes when this name goes."""
    shared: int | None = 0
    """Bytes that others reach as well; None where they were too many to count."""
    n_objects: int = 0
    """Objects that nothing else here reaches."""
    also: str = ""
    """Other holders of the very same object: ``Out[3], _``."""


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """A piece of the resident memory."""

    name: str
    size: int
    """Bytes; below 0 for what is counted above and not resident."""
    tip: str = ""
    """What is in it."""


@dataclass(frozen=True, slots=True)
class NamespaceMemory(Result):
    """Whose the memory of this process is."""

    kind: ClassVar[str] = "namespace_memory"
    columns: ClassVar[tuple[str, ...]] = ("kind", "name", "type", "exclusive", "shared", "n_objects")

    session: Session
    method: Method
    holders: tuple[MemoryHolder, ...]
    rss: int = 0
    """Bytes resident."""
    parts: tuple[MemoryPart, ...] = ()
    """They add up to `rss`."""
    given_back: int | None = None
    """Bytes less resident after ``--trim``; None if it was not asked for."""

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for holder in self.holders:
            yield holder.kind, holder.name, holder.type, holder.exclusive, holder.shared, holder.n_objects
