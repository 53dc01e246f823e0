"""Data that the garbage collector does not track, from a kilobyte on: what of it is new.

    atoms = LargeAtoms()
    atoms.note()
    kept.append(bytearray(1_000_000))
    atoms.new()                         [the bytearray]

* Texts, bytes, arrays and containers of only such are found where they are referred
  to: in tracked containers, which are read twice.
* Which of them is new is told by a weak reference where the type has them (NumPy's
  arrays), and else by address, type, size and both ends of the content.
* Nothing is held in between, and nothing of the user's is called.
"""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from jupyter_profkit.engines.object_sizes import ObjectKinds
from jupyter_profkit.engines.referents import referents_of_all

__all__ = ["LARGE", "LargeAtoms"]

LARGE: Final = 1024
"""Bytes."""

_CHUNK: Final = 1024
_END: Final = 32
_SMALL: Final = frozenset(map(id, (int, float, complex, bool, type(None), type)))
_TEXTS: Final = frozenset(map(id, (str, bytes, bytearray)))
_weak_offset = type.__dict__["__weakrefoffset__"].__get__


class LargeAtoms:
    """Tells new data from data that was there at `note`."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def note(self) -> None:
        """Remember what is there, holding none of it."""
        self._known = {id(obj): _trait(obj) for obj in self._all(is_note=True)}

    def new(self) -> list[Any]:
        """What has come since."""
        return list(
            {id(obj): obj for obj in self._all() if obj is not self._known and not self._is_known(obj)}.values()
        )

    def _is_known(self, obj: Any) -> bool:
        trait = self._known.get(id(obj))
        if type(trait) is weakref.ReferenceType:
            return trait() is obj
        return trait is not None and trait == _trait(obj)

    def _all(self, *, is_note: bool = False) -> Iterator[Any]:
        """Every large atom that is referred to, some of them several times.

        A collection may find out that a container holds but plain values, and track it
        no more; so containers are noted even while they are tracked.
        """
        is_tracked = gc.is_tracked
        kinds, sizes = ObjectKinds(), dict[int, Callable[[Any], int]]()  # anew: libraries may have come
        tracked = gc.get_objects()
        for start in range(0, len(tracked), _CHUNK):
            chunk = [one for one in tracked[start : start + _CHUNK] if not issubclass(type(one), types.ModuleType)]
            for obj in referents_of_all(chunk):
                kind = id(type(obj))
                if kind in _SMALL or (is_tracked(obj) and not (is_note and kind in _CONTAINERS)):
                    continue
                size = sizes.get(kind)
                if size is None:
                    size = sizes[kind] = _sizer(kinds, obj)
                if size(obj) >= LARGE:
                    yield obj
                    more = kinds.of(obj).more
                    yield from () if more is None else [one for one in more(obj) if type(one) is type(obj)]


def _sizer(kinds: ObjectKinds, obj: Any) -> Callable[[Any], int]:
    kind = kinds.of(obj)
    if kind.more is None:
        return kind.size
    more, size = kind.more, kind.size
    return lambda one: LARGE if more(one) else size(one)  # a view is as large as what it keeps


def _trait(obj: Any) -> Any:
    """Something that another object at the same address does not have."""
    kind = type(obj)
    if _weak_offset(kind):
        return weakref.ref(obj)
    if id(kind) in _TEXTS:
        return id(kind), len(obj), obj[:_END], obj[-_END:]
    return id(kind), sys.getsizeof(obj) if id(kind) in _CONTAINERS else 0


_CONTAINERS: Final = frozenset(map(id, (dict, tuple)))
