"""The objects that were made while something ran, and are still there: each of them, and no other.

    new = NewObjects()
    new.start()
    run_something()
    new.look()                      as often as wanted; the last time is
    new.stop()
    new.alive, new.garbage          what is held; what only the collector could free
    new.release()

* An address says nothing: that of an object that died is soon used again. But the
  collector keeps its objects in the order in which they came: young generations are
  appended to older ones. So all that stands behind a mark, which is set when the
  younger generations are empty, was made after it. Nothing is held, frozen or counted.
* Only a full collection shuffles that order. A callback sees it come, notes the
  addresses of what is new until then, and sets another mark when it is over. What is
  found at such an address later is new in any case.
* In the end a collection with ``DEBUG_SAVEALL`` shows what nobody holds but itself.
  Debug flags, callbacks and ``gc.garbage`` are as before afterwards, also after an
  interrupt; frozen objects and whether the collector is enabled are not touched.
* Where the collector works in another way (Python 3.14, builds without the GIL),
  addresses from before are noted, and an object at one of them passes for old:
  `is_exact` is False.
"""

from __future__ import annotations

import gc
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from jupyter_profkit.engines.collector_calls import listen, stop_listening
from jupyter_profkit.engines.large_atoms import LargeAtoms
from jupyter_profkit.engines.safe_repr import module_dict

__all__ = ["NewObjects"]

T = TypeVar("T")

_HAS_GIL: Final = "t" not in getattr(sys, "abiflags", "") and getattr(sys, "_is_gil_enabled", lambda: True)()
_KEEPS_ORDER: Final = sys.version_info < (3, 14) and _HAS_GIL


class NewObjects:
    """What is made between `start` and `stop`."""

    def __init__(self) -> None:
        self.alive: list[Any] = []
        """New objects that somebody holds."""
        self.garbage: list[Any] = []
        """New objects that only each other held; with this list gone, a collection frees them."""
        self.atoms: list[Any] = []
        """New data of a kilobyte and more that the collector does not track."""
        self.is_exact = _KEEPS_ORDER
        self.is_known = True
        """Whether anything can be told: not if the code itself froze or unfroze objects."""
        self.is_interrupted = False
        """Whether that is because a look was interrupted."""
        self.n_before = 0
        """Objects that were there."""
        self.n_collected = 0
        """Objects that the collector freed meanwhile."""
        self.collecting = 0.0
        """Seconds that it took."""
        self._is_running = False
        self._watcher: Any = None
        self._mark: list[Any] = []
        self._known_new: set[int] = set()
        self._known_old: frozenset[int] = frozenset()
        self._n_frozen = 0
        self._began = 0.0
        self._untracked: list[tuple[tuple[str, str], int]] = []
        self._atoms = LargeAtoms()

    def start(self) -> None:
        """Begin; what waits to be collected is collected first."""
        try:
            self._start()
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # a shell keeps them, and they have lists of all objects
            self._end()
            raise

    def _start(self) -> None:
        self._atoms.note()
        self._untracked = list(_untracked_by_name())  # a dictionary of numbers would be large data of ours
        self._n_frozen = gc.get_freeze_count()
        self._is_running = True
        self._watcher = self._on_collection  # made before the mark
        gc.collect()
        self._mark = [self]  # the first object of the young generations
        listen(self._watcher)
        before = gc.get_objects()
        self.n_before = len(before)
        if not self.is_exact:
            self._known_old = frozenset(map(id, before))

    def look(self) -> None:
        """Find what is new until now, and go on; nothing is known any more if that is interrupted."""
        try:
            self._look()
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)
            self.is_known, self.is_interrupted = False, True
            self.release()
            raise

    def _look(self) -> None:
        self._drop()
        if self._n_frozen > 0 and not gc.get_freeze_count():
            self.is_known = False  # the code unfroze what it found, and that stands behind the mark now
        ids = self._ids() if self.is_known else None
        if ids is None:
            self.is_known = False  # the code froze the mark
            return
        found = self._unwatched(_collected)
        own = {id(self), id(self._mark), id(found), id(ids), *self._tracked_since()}
        _split(found, ids, own, self.garbage, self.alive)
        self.atoms += self._atoms.new()

    def stop(self) -> None:
        """Find what is new, and end; safe to call twice."""
        if not self._is_running:
            return
        self._is_running = False
        try:
            self.look()
        finally:
            self._end()

    def _end(self) -> None:
        self._is_running = False
        self._unwatch()
        self._watcher = None

    def release(self) -> None:
        """Let go of every object; the collector frees what nobody held."""
        self._drop()
        self._mark.clear()
        self._atoms = LargeAtoms()

    def _unwatched(self, collect: Callable[[], T]) -> T:
        """A collection of our own, which is not told as one of the code's."""
        is_watched = self._is_running
        self._unwatch()
        if self.is_exact and self._mark:
            self._known_new |= self._ids() or set()
        try:
            return collect()
        finally:
            self._mark = [self]
            if is_watched:
                listen(self._watcher)

    def _unwatch(self) -> None:
        stop_listening(self._watcher)

    def _drop(self) -> None:
        had_garbage = bool(self.garbage)
        for objects in (self.alive, self.garbage, self.atoms):
            objects.clear()
        if had_garbage:
            self._unwatched(gc.collect)

    def _ids(self) -> set[int] | None:
        """The addresses at which something new is or was; None if the mark is nowhere."""
        if not self.is_exact:
            return {id(one) for one in gc.get_objects() if id(one) not in self._known_old}
        ids = set(self._known_new)
        for generation in (0, 1, 2):
            objects = gc.get_objects(generation)
            place = len(objects) - 1
            while place >= 0 and objects[place] is not self._mark:
                place -= 1
            ids.update(map(id, objects[place + 1 :]))
            if place >= 0:
                return ids
        return None

    def _tracked_since(self) -> list[int]:
        """Addresses of dictionaries from before that got their first container: they come like new ones."""
        now = dict(_untracked_by_name(is_tracked=True))
        return [address for name, address in self._untracked if now.get(name) == address]

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        now = time.perf_counter()
        if info["generation"] == 2 and self.is_exact:
            if phase == "stop":
                self._mark = [self]
            elif self._mark:
                self._known_new |= self._ids() or set()
                now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:  # last, and without a call, where an interrupt could come: it may be called again
            self.n_collected += info["collected"]
            self.collecting += now - self._began


def _untracked_by_name(*, is_tracked: bool = False) -> Iterator[tuple[tuple[str, str], int]]:
    """The addresses of dictionaries of plain values that variables and modules have, by module and name."""
    for module_name, module in list(sys.modules.items()):
        if issubclass(type(module), types.ModuleType):
            for name, value in list(module_dict(module).items()):
                if type(value) is dict and gc.is_tracked(value) is is_tracked:
                    yield (module_name, name), id(value)


def _split(found: list[Any], ids: set[int], own: set[int], garbage: list[Any], alive: list[Any]) -> None:
    """Put what is new into `garbage` if it was unreachable, and else into `alive`.

    No closure here: until Python 3.11 its cell would be a new object at an address that has just become free.
    """
    for one in found:
        own.add(id(one))
        if id(one) in ids:
            garbage.append(one)
    own |= {id(own), id(garbage), id(alive)}
    for one in gc.get_objects():
        if id(one) in ids and id(one) not in own:
            alive.append(one)  # noqa: PERF401 - see above


def _collected() -> list[Any]:
    """What a collection finds unreachable, kept from being freed."""
    flags, n_before = gc.get_debug(), len(gc.garbage)
    found: list[Any] = []
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = gc.garbage[n_before:]
    finally:
        try:
            gc.set_debug(flags)
        finally:  # an interrupt may come between the two
            if not flags & gc.DEBUG_SAVEALL:
                del gc.garbage[n_before:]
    return found
