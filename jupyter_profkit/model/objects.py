"""What keeps an object alive, described; no live object is held.

    ObjectHolders(session, method, "df", "DataFrame", chains=(HolderChain("variable", "df", free="del df"),))

A chain without steps is a name of the object itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session

__all__ = ["ChainStep", "HolderChain", "ObjectHolders"]


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
