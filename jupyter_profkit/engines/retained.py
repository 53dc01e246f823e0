"""What would be freed if an object went: its own bytes, and all that nothing else keeps alive.

    reader = RetainedSizes(blocked={id(vars(module))}, known=Counter(map(id, objects)))
    reader.of(obj)          bytes; None if that is too much to look at

* All that can be reached from the object is collected, with the number of references
  from inside. What has more references than these is kept by somebody else, and so
  is all behind it; the rest would go. This is how the garbage collector itself tells
  what is alive, so rings of objects count as what they are.
* Data that Arrow or torch share between objects, with arrays of NumPy too, has no count of
  references: it is kept if any other object in the process refers to it.
* Classes, modules and the namespaces in `blocked` are always kept, and not entered.
* A search has bounds, and so have all of them together; nothing of the user's is called.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from jupyter_profkit.engines.object_sizes import Block, ObjectKinds
from jupyter_profkit.engines.referents import referents, referents_of_all

__all__ = ["RetainedSizes"]

_MAX_OBJECTS: Final = 300_000
_CHUNK: Final = 1024
_IMMORTAL: Final = 2**29


class RetainedSizes:
    """Tells for some objects what each retains.

    Parameters
    ----------
    blocked : ids of containers that everything is held by, and that are not entered.
    known : by id, the references that the caller holds itself, and that do not count.
    time_limit : seconds for all objects together.
    clock : seconds.
    """

    def __init__(
        self,
        blocked: Collection[int],
        known: Mapping[int, int],
        time_limit: float = 3.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._blocked = blocked
        self._known = known
        self._kinds = ObjectKinds(divided=True)
        self._sharers: dict[int, set[int]] | None = None
        self._clock = clock
        self._deadline = clock() + time_limit

    def of(self, obj: Any) -> int | None:
        """Bytes that would be freed if `obj` went; None if that is not known within the bounds."""
        if self._kinds.of(obj).is_end:
            return None
        reached: dict[int, Any] = {id(obj): obj}
        inside: Counter[int] = Counter()
        waiting = [obj]
        while waiting:
            if len(reached) > _MAX_OBJECTS or self._clock() > self._deadline:
                return None
            chunk = waiting[-_CHUNK:]
            del waiting[-_CHUNK:]
            waiting += self._step(chunk, reached, inside)
        del chunk
        kept = self._kept(obj, reached, inside)
        return sum(self._kinds.size_of(one) for key, one in reached.items() if key not in kept)

    def _step(self, chunk: list[Any], reached: dict[int, Any], inside: Counter[int]) -> list[Any]:
        """What `chunk` refers to: counted, and of it what is new."""
        held = self._held_by(chunk)
        inside.update(map(id, held))
        fresh = {id(one): one for one in held if id(one) not in reached and id(one) not in self._blocked}
        for key, one in list(fresh.items()):
            if self._kinds.of(one).is_end:
                del fresh[key]
        reached.update(fresh)
        return list(fresh.values())

    def _held_by(self, chunk: list[Any]) -> list[Any]:
        held = referents_of_all(chunk)
        for one in chunk:
            more = self._kinds.of(one).more
            if more is not None:
                held += more(one)
            if type(one) is dict and one and len(referents(one)) == len(one):
                held += dict.keys(one)  # of a dictionary with text for keys the collector sees the values only
        return held

    def _kept(self, obj: Any, reached: dict[int, Any], inside: Counter[int]) -> set[int]:
        """The ids of what something else keeps alive, directly or not."""
        reached[-1] = object()  # what a look itself adds is measured on an object that nobody else has
        counts = dict(zip(reached, map(sys.getrefcount, reached.values()), strict=True))
        ours = counts.pop(-1)
        del reached[-1]
        waiting = [
            reached[key]
            for key, count in counts.items()
            if self._is_shared(key, reached)
            or count > _IMMORTAL
            or (type(reached[key]) is not Block and count - ours - self._known.get(key, 0) > inside[key])
            if key != id(obj)
        ]
        kept = set(map(id, waiting))
        while waiting:
            chunk = waiting[-_CHUNK:]
            del waiting[-_CHUNK:]
            for one in self._held_by(chunk):
                if id(one) in reached and id(one) not in kept and one is not obj:
                    kept.add(id(one))
                    waiting.append(one)
        return kept

    def _is_shared(self, key: int, reached: dict[int, Any]) -> bool:
        """Whether it is data that an object refers to which was not reached."""
        if type(reached[key]) is not Block:
            return False
        if self._sharers is None:
            self._sharers = self._kinds.sharers()
        return not self._sharers.get(key, set()) <= reached.keys()
