"""Which containers refer to some objects: a question to the collector, or one read of the heap.

    read_referrers([x], own={id(starts)})       [the namespace that has x, a list with x in it]

* For a few objects `gc.get_referrers` is quickest. It compares every reference of the
  heap with each of them, so for more the heap is read here: a thousand objects'
  references in one call, and only where one of them hits, each object by itself, type by type.
* The collector's own answer leaves out what some types of C do not pass on: results of
  tasks (Python 3.11), attributes of futures (3.13). Each object's references are all told.
* That read takes 0.2 s for a million objects, however many are looked for, and ends
  when `stop` says so, or at an interrupt.
* Forward it is quicker: what has a single reference, and that from a container, goes
  with the container, and nothing else has to be asked (`hanging_on`).
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.engines.referents import referents, referents_of_all

__all__ = ["hanging_on", "read_referrers", "referring"]

_FEW: Final = 16
_CHUNK: Final = 1024
_PART: Final = 32


def _never() -> bool:
    return False


def read_referrers(
    targets: list[Any],
    own: Collection[int] = frozenset(),
    stop: Callable[[], bool] = _never,
    *,
    reads_all: bool = False,
) -> list[Any]:
    """The tracked containers that refer to any of `targets`.

    Parameters
    ----------
    targets : the objects; this list itself is not told.
    own : ids of containers that are not to be told, either.
    stop : asked now and then whether to end the read early, with what it has found.
    reads_all : whether to read the heap for a few targets, too.
    """
    if len(targets) <= _FEW and not reads_all:
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
        if not plain.issuperset(map(id, map(type, chunk))):
            plain.update(id(type(one)) for one in chunk if not issubclass(type(one), types.ModuleType))
            yield from [one for one in chunk if id(type(one)) not in plain and _refers(referents(one), wanted)]
            chunk = [one for one in chunk if id(type(one)) in plain]
        if _refers(referents_of_all(chunk), wanted):
            yield from _narrowed(chunk, wanted)


def _narrowed(chunk: Sequence[Any], wanted: frozenset[int]) -> Iterator[Any]:
    """Those of `chunk`, which has no module, that refer to what is wanted; most often they are of one type."""
    by_type: dict[int, list[Any]] = {}
    for one in chunk:
        by_type.setdefault(id(type(one)), []).append(one)
    for alike in by_type.values():
        for place in range(0, len(alike), _PART):
            part = alike[place : place + _PART]
            if _refers(referents_of_all(part), wanted):
                yield from [one for one in part if _refers(referents_of_all((one,)), wanted)]


def _refers(held: Sequence[Any], wanted: frozenset[int]) -> bool:
    return not wanted.isdisjoint(map(id, held))


def hanging_on(container: Any, noted: Container[int] = (), stop: Callable[[], bool] = _never) -> Iterator[list[int]]:
    """The ids of what only `container` keeps: each has one reference, from there or from another of them.

    Parameters
    ----------
    container : it is not told itself.
    noted : ids of objects to which the caller has one more reference, in a list of its own.
    stop : asked now and then whether to end.
    """
    one = _one_reference()
    held = referents_of_all((container,)) if not issubclass(type(container), types.ModuleType) else []
    while held:
        behind: list[Any] = []
        while held and not stop():
            chunk = held[-_CHUNK:]
            del held[-_CHUNK:]
            counts = list(map(sys.getrefcount, chunk))
            single = [obj for obj, count in zip(chunk, counts, strict=True) if count == one + (id(obj) in noted)]
            yield [id(obj) for obj in single]
            behind += referents_of_all(single)
        held = behind if not stop() else []


def _one_reference() -> int:
    """What `sys.getrefcount` says of an object in a list of referents, if a container has the only reference to it."""
    container = [object()]
    return next(map(sys.getrefcount, referents_of_all((container,))))
