"""Reference cycles among some objects, edge by edge.

    cycles = find_cycles(garbage, names)
    cycles[0].edges             [("Parent", ".child"), ("Child", ".parent")]

* Objects that reach each other are one knot (Tarjan, without recursion); of each kind
  of knot the shortest way round is told, and how many there are of it.
* What hangs on a knot without being part of it is counted with it.
* Nothing of the users' is called, and nothing is held afterwards.
"""

from __future__ import annotations

import types
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.object_sizes import ObjectKinds
from jupyter_profkit.engines.paths import PathNamer
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import mro_dicts, type_name

__all__ = ["Cycle", "find_cycles"]

_MAX_LENGTH: Final = 12
"""Edges that are told of one cycle."""


@dataclass
class Cycle:
    """A kind of cycle, and how many there are of it."""

    edges: tuple[tuple[str, str], ...]
    """For each object on the way round: its type, and how it refers to the next."""
    n_cycles: int = 0
    n_objects: int = 0
    """Objects in all of them, with what hangs on them."""
    size: int = 0
    n_finalizers: int = 0
    """Objects of those whose class has a ``__del__``."""


def find_cycles(objects: Sequence[Any], namer: PathNamer) -> list[Cycle]:
    """The cycles among `objects`, the heaviest first.

    Parameters
    ----------
    objects : what may be part of one; references to others are not followed.
    namer : writes the edges.
    """
    places = {id(one): place for place, one in enumerate(objects)}
    ahead = [[places[id(one)] for one in referents(obj) if id(one) in places] for obj in objects]
    knots = list(_knots(ahead))
    parts = _with_hangers(ahead, knots)
    kinds = ObjectKinds()
    found: dict[tuple[tuple[int, int], ...], Cycle] = {}
    for knot, part in zip(knots, parts, strict=True):
        sort = tuple(sorted(Counter(id(type(objects[place])) for place in knot).items()))
        cycle = found.get(sort)
        if cycle is None:
            way = [objects[place] for place in _shortest(ahead, knot)]
            cycle = found[sort] = Cycle(tuple(_edges(way, namer)))
        cycle.n_cycles += 1
        cycle.n_objects += len(part)
        cycle.size += sum(kinds.size_of(objects[place]) for place in part)
        cycle.n_finalizers += sum(has_finalizer(objects[place]) for place in part)
    return sorted(found.values(), key=lambda cycle: -cycle.size)


def has_finalizer(obj: Any) -> bool:
    """Whether the class of `obj` has a ``__del__``."""
    return any("__del__" in namespace for namespace in mro_dicts(type(obj)))


def _knots(ahead: list[list[int]]) -> Iterator[list[int]]:
    """The groups of objects that reach each other; an object alone only if it refers to itself."""
    order = [-1] * len(ahead)
    low = [0] * len(ahead)
    is_open = [False] * len(ahead)
    waiting: list[int] = []
    number = 0
    for start in range(len(ahead)):
        if order[start] >= 0:
            continue
        work = [(start, 0)]
        while work:
            place, edge = work.pop()
            if edge == 0:
                order[place] = low[place] = number
                number += 1
                waiting.append(place)
                is_open[place] = True
            for edge in range(edge, len(ahead[place])):  # noqa: B020 - goes on where it was
                other = ahead[place][edge]
                if order[other] < 0:
                    work += [(place, edge + 1), (other, 0)]
                    break
                if is_open[other]:
                    low[place] = min(low[place], low[other])
            else:
                if low[place] == order[place]:
                    yield from _closed(ahead, waiting, is_open, place)
                if work:
                    before = work[-1][0]
                    low[before] = min(low[before], low[place])


def _closed(ahead: list[list[int]], waiting: list[int], is_open: list[bool], place: int) -> Iterator[list[int]]:
    cut = len(waiting) - 1
    while waiting[cut] != place:
        cut -= 1
    knot = waiting[cut:]
    del waiting[cut:]
    for one in knot:
        is_open[one] = False
    if len(knot) > 1 or place in ahead[place]:
        yield knot


def _with_hangers(ahead: list[list[int]], knots: list[list[int]]) -> list[list[int]]:
    """Each knot with the objects that it alone reaches first."""
    taken = {place for knot in knots for place in knot}
    parts = []
    for knot in knots:
        part, waiting = list(knot), list(knot)
        while waiting:
            for other in ahead[waiting.pop()]:
                if other not in taken:
                    taken.add(other)
                    part.append(other)
                    waiting.append(other)
        parts.append(part)
    return parts


def _shortest(ahead: list[list[int]], knot: list[int]) -> list[int]:
    """The shortest way round through some object of the knot, that object at both ends."""
    members = set(knot)
    best: list[int] = []
    for start in knot[:_MAX_LENGTH]:
        towards: dict[int, int] = {}
        level = deque([start])
        while level and start not in towards:
            place = level.popleft()
            for other in ahead[place]:
                if other in members and other not in towards:
                    towards[other] = place
                    level.append(other)
        way = [start]
        while len(way) == 1 or way[-1] != start:
            way.append(towards[way[-1]])
        if not best or len(way) < len(best):
            best = way[::-1]
    return best


def _edges(way: list[Any], namer: PathNamer) -> Iterator[tuple[str, str]]:
    """The edges of a way round, begun at an object that a reader knows: an instance rather than its dictionary."""
    ring = way[:-1]
    first = next((n for n, one in enumerate(ring) if type(one) not in _PARTS), 0)
    links, _ = namer.links([*ring[first:], *ring[: first + 1]])
    for link in links[:_MAX_LENGTH]:
        yield type_name(type(link.owner)), link.labels[0] if link.labels else ""


_PARTS: Final = (dict, tuple, types.CellType)
