"""Arrays that hold an object: those the garbage collector knows nothing of.

    arrays = ArrayHolders()
    arrays.holding([x])         [an array with x among its objects, a view into x]
    contents(arrays)            what any container refers to, an array too

An array is found where something that the collector tracks refers to it, or another
array, in one read of the heap that later questions share. Only views and arrays of objects count; there
are none before NumPy is loaded.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.engines.library_readers import array_contents
from jupyter_profkit.engines.referents import referents, referents_of_all

__all__ = ["ArrayHolders", "contents"]

_CHUNK: Final = 1024


def contents(container: Any) -> list[Any]:
    """What `container` refers to: as the collector tells, and of an array what it does not."""
    array = _array_type()
    if array is not None and issubclass(type(container), array):
        return [*referents(container), *array_contents(container)]
    return referents(container)


def _never() -> bool:
    return False


class ArrayHolders:
    """The views and arrays of objects in this process."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        """What was found; a list that a search has to leave out."""
        self._is_read = False

    def holding(self, targets: Sequence[Any], stop: Callable[[], bool] = _never) -> list[Any]:
        """The arrays that hold any of `targets`, or look into them; `stop` may end the read of the heap early."""
        array = _array_type()
        if array is None:
            return []
        if not self._is_read:
            self._read(array, stop)
            self._is_read = True
        wanted = frozenset(map(id, targets))
        return [one for one in self.arrays if not wanted.isdisjoint(map(id, array_contents(one)))]

    def release(self) -> None:
        self.arrays.clear()

    def _read(self, array: type, stop: Callable[[], bool]) -> None:
        tracked = gc.get_objects()
        kinds = frozenset(map(id, _with_subclasses(array)))
        found: dict[int, Any] = {}
        for start in range(0, len(tracked), _CHUNK):
            if stop():
                break
            plain = [one for one in tracked[start : start + _CHUNK] if not issubclass(type(one), types.ModuleType)]
            found.update((id(one), one) for one in referents_of_all(plain) if id(type(one)) in kinds)
        waiting = list(found.values())
        while waiting and not stop():  # what only another array has: a base, an array among objects
            inner = {id(one): one for one in array_contents(waiting.pop()) if id(type(one)) in kinds}
            waiting += [one for key, one in inner.items() if key not in found]
            found.update(inner)
        base, dtype = array.__dict__["base"].__get__, array.__dict__["dtype"].__get__  # no property of a subclass
        self.arrays += [one for one in found.values() if base(one) is not None or dtype(one).hasobject]


def _with_subclasses(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = type.__subclasses__(kind)
    for one in subclasses:
        yield from _with_subclasses(one)


def _array_type() -> Any:
    return getattr(sys.modules.get("numpy"), "ndarray", None)
