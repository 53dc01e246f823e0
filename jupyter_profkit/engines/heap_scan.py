"""Which containers refer to some objects: a question to the collector, or one read of the heap.

    read_referrers([x], own={id(starts)})       [the namespace that has x, a list with x in it]

* For a few objects `gc.get_referrers` is quickest. It compares every reference of the
  heap with each of them, so for more the heap is read here: a thousand objects'
  references in one call, and only where one of them hits, each object by itself.
* That read takes 0.2 s for a million objects, however many are looked for, and ends
  when `stop` says so, or at an interrupt.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.engines.referents import referents, referents_of_all

__all__ = ["read_referrers", "referring"]

_FEW: Final = 16
_CHUNK: Final = 1024
_PART: Final = 32


def _never() -> bool:
    return False


def read_referrers(
    targets: list[Any], own: Collection[int] = frozenset(), stop: Callable[[], bool] = _never
) -> list[Any]:
    """The tracked containers that refer to any of `targets`.

    Parameters
    ----------
    targets : the objects; this list itself is not told.
    own : ids of containers that are not to be told, either.
    stop : asked now and then whether to end the read early, with what it has found.
    """
    if len(targets) <= _FEW:
        arguments = tuple(targets)  # since Python 3.13 the call itself copies it, and finds it
        found = gc.get_referrers(*arguments) if arguments else []
        mine = {id(arguments), id(targets)}
    else:
        tracked = gc.get_objects()
        found = list(referring(tracked, frozenset(map(id, targets)), stop))
        mine = {id(targets), id(tracked)}
    return [one for one in found if id(one) not in own and id(one) not in mine]


def referring(objects: Sequence[Any], ids: Collection[int], stop: Callable[[], bool] = _never) -> Iterator[Any]:
    """Those of `objects` that refer to an object whose id is among `ids`."""
    wanted = frozenset(ids)
    plain: set[int] = set()
    for start in range(0, len(objects), _CHUNK):
        if stop():
            return
        chunk = objects[start : start + _CHUNK]
        if not _hits(chunk, wanted, plain):
            continue
        for place in range(0, len(chunk), _PART):
            part = chunk[place : place + _PART]
            if _hits(part, wanted, plain):
                yield from [one for one in part if not wanted.isdisjoint(map(id, referents(one)))]


def _hits(objects: Sequence[Any], wanted: frozenset[int], plain: set[int]) -> bool:
    """Whether any of `objects` refers to one that is wanted; `plain` are the ids of types that are no modules'."""
    if not plain.issuperset(map(id, map(type, objects))):
        plain.update(id(type(one)) for one in objects if not issubclass(type(one), types.ModuleType))
        modules = [one for one in objects if id(type(one)) not in plain]
        if any(not wanted.isdisjoint(map(id, referents(one))) for one in modules):
            return True
        objects = [one for one in objects if id(type(one)) in plain]
    return not wanted.isdisjoint(map(id, referents_of_all(objects)))
