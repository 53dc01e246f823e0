"""Who holds the objects that something left behind.

    sorted_out = sort_out(new, Holders(shell))
    sorted_out.groups[0]        Group(root=Root("variable", ("keep",)), type=list, count=1_000, …)

* From old containers that refer to new objects, a search goes backward to names, all
  containers of a level in one read of the heap. From there names go forward through
  the new objects, nearest first, so that each object is told once, under the name
  that is closest to it.
* What no name reaches is held by a running function or by C code, if its reference
  count says that somebody holds it, and else by nobody: it ended meanwhile.
* What only the interpreter's and the shell's own machinery reaches is counted, not told.
"""

from __future__ import annotations

import gc
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_profkit.engines.heap_scan import read_referrers, referring
from jupyter_profkit.engines.machinery import OwnObjects, is_machinery, is_machinerys, is_ours, users_locals
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.object_sizes import ObjectKinds
from jupyter_profkit.engines.paths import PathNamer
from jupyter_profkit.engines.reference_holders import Holder, Holders
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.roots import Root, pending_tasks, registries, roots_of
from jupyter_profkit.engines.safe_repr import exact_name, printable
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.engines.wholes import Wholes

__all__ = ["Group", "SortedOut", "sort_out"]

_RANKS: Final = ("variable", "IPython", "last error", "last result", "matplotlib", "widgets", "thread", "module")
_UNSEEN: Final = Root("unseen", ("a running function or C code",))
_SHELL: Final = Root("shell", ("IPython itself",))
_MAX_DEPTH: Final = 12
_MAX_NAMED: Final = 2_000
"""Old containers that are followed to their names; what others hold is told with what these hold."""


@dataclass
class Group:
    """New objects of one type under one name."""

    root: Root
    cls: type
    count: int = 0
    size: int = 0
    path: tuple[str, ...] = ()
    """The labels from the name to the first of them."""


@dataclass
class SortedOut:
    groups: list[Group] = field(default_factory=list)
    types: dict[int, tuple[type, int]] = field(default_factory=dict)
    """By the id of a type, how many of all these objects are of it."""
    n_machinery: int = 0
    """Objects of the interpreter and the shell."""
    notes: list[str] = field(default_factory=list)


def sort_out(
    new: NewObjects,
    holders: Holders,
    ours: Sequence[Any] = (),
    time_limit: float = 10.0,
    clock: Callable[[], float] = time.perf_counter,
    *,
    step: Step = no_step,
) -> SortedOut:
    """Tell the new objects by name and type.

    Parameters
    ----------
    new : stopped, not released.
    holders : who has names here.
    ours : what was made to measure; it is not told, nor what it refers to.
    time_limit : seconds after which names are no longer looked for.
    clock : seconds.
    step : told now and then how many of the objects have a name.
    """
    sorter = _Sorter(new, holders, clock() + time_limit, clock, step=step)
    try:
        sorter.leave_out(ours)
        return sorter.run()
    finally:
        sorter.release()


@dataclass
class _Entry:
    """A reference from a name, or from an old container behind one, to a new object."""

    root: Root
    path: list[Any]
    """From what is named to the container that holds the object; empty if the name does."""


class _Sorter:
    def __init__(
        self, new: NewObjects, holders: Holders, deadline: float, clock: Callable[[], float], *, step: Step
    ) -> None:
        self._new = new
        self._holders = holders
        self._deadline, self._clock, self._step_on = deadline, clock, step
        self._is_cut = False
        self._kinds = ObjectKinds()
        self._namer = PathNamer(holders.attribute_names())
        self._registries = dict(registries())
        self._tasks = pending_tasks()
        self._frames = frozenset(_running_frames())
        self._garbage = frozenset([id(new.garbage), *map(id, new.garbage)])
        self._objects: dict[int, Any] = {id(one): one for one in new.alive if one is not holders.namespace}
        self._objects.update((id(atom), atom) for atom in new.atoms)
        self._own = OwnObjects()
        self._is_told: dict[int, bool] = {}
        """By the id of a new object, whether it is the user's, or was reached from one that is."""
        self._entry_of: dict[int, _Entry] = {}
        """By the id of a new object, the entry that reaches it first."""
        self._parent: dict[int, int] = {}
        """By the id of a new object, that of the new object from which it was reached."""
        self._behind: dict[int, _Entry] = {}
        """By the id of an old container, the name behind it."""
        self._old: dict[int, Any] = {}

    def leave_out(self, ours: Sequence[Any]) -> None:
        """Forget what is reached from `ours`."""
        waiting = list(ours)
        while waiting:
            waiting += [one for one in referents(waiting.pop()) if self._objects.pop(id(one), None) is not None]

    def run(self) -> SortedOut:
        self._spread(self._imports())
        self._spread((key, _Entry(root, [])) for key, root in self._tasks.items() if key in self._objects)
        for entries in self._entries():
            self._spread(entries)
        self._spread(self._locals())
        self._spread(self._unseen())
        result = SortedOut()
        self._group(result)
        if self._is_cut:
            result.notes.append("Looking for names was stopped by its time limit; some holders are told less exactly.")
        return result

    def release(self) -> None:
        for held in (self._objects, self._entry_of, self._behind, self._old):
            held.clear()

    def _is_late(self) -> bool:
        self._step_on(len(self._entry_of))
        self._is_cut = self._is_cut or self._clock() > self._deadline
        return self._is_cut

    # from names to new objects

    def _imports(self) -> Iterator[tuple[int, _Entry]]:
        """Modules that were loaded: what they brought with them is told in one piece."""
        for name, module in list(sys.modules.items()):
            if id(module) in self._objects and issubclass(type(module), types.ModuleType):
                yield id(module), _Entry(Root("import", (printable(exact_name(name).partition(".")[0], 80),)), [])

    def _entries(self) -> Iterator[list[tuple[int, _Entry]]]:
        """What is held from outside: by names themselves first, then by old containers behind names."""
        containers = self._outer()
        names: dict[int, list[Holder]] = {}
        indirect: list[tuple[int, Any]] = []
        for container in containers:
            held = [one for one in referents(container) if id(one) in self._objects]
            if self._is_namespace(container):
                for one in {id(one): one for one in held}.values():
                    names.setdefault(id(one), []).extend(self._names(container, one))
            else:
                self._old[id(container)] = container
                indirect += [(id(container), one) for one in held]
        direct = [(key, _Entry(root, [])) for key, found in names.items() for root in roots_of(found)]
        yield sorted(direct, key=lambda found: _rank(found[1].root))
        self._name_old()
        found = [(id(one), entry) for number, one in indirect if (entry := self._behind.get(number)) is not None]
        yield sorted(found, key=lambda one: (len(one[1].path), _rank(one[1].root)))

    def _outer(self) -> list[Any]:
        """Old containers that refer to new objects."""
        own = {id(self._new.alive), id(self._new.atoms), id(self._objects), *self._garbage}
        tracked = gc.get_objects()
        own.add(id(tracked))
        old = [one for one in tracked if id(one) not in self._objects and id(one) not in own]
        own.add(id(old))
        found = list(referring(old, self._objects.keys(), self._is_late))
        return [one for one in found if id(one) not in self._frames and not self._is_ours(one)]

    def _is_ours(self, container: Any) -> bool:
        return any(container is one for one in (self._entry_of, self._parent, self._old))

    def _is_namespace(self, container: Any) -> bool:
        return id(container) in self._registries or self._holders.is_namespace(container)

    def _names(self, container: Any, held: Any) -> list[Holder]:
        if id(container) in self._registries:
            return [self._registries[id(container)](container, held)]
        return self._holders.of(container, held)

    def _name_old(self) -> None:
        """Find the names behind the old containers that hold new objects."""
        level = [one for one in self._old.values() if not self._holders.is_shell(one)][:_MAX_NAMED]
        objects: dict[int, Any] = {id(one): one for one in level}
        wanted = set(objects)
        owners: dict[int, list[int]] = {}
        named = [(id(one), Root("thread", (label,))) for one, label in users_locals() if id(one) in objects]
        own = {id(self._objects), id(objects), id(self._old)}
        for _ in range(_MAX_DEPTH):
            if not level or self._is_late() or not wanted:
                break
            found = read_referrers(level, own | {id(level)}, self._is_late)
            ids = {id(one) for one in level}
            behind: list[Any] = []
            for container in found:
                key = id(container)  # no closure in this function: its cell would be found here, too
                if key in self._frames or key in self._objects or key in self._garbage:
                    continue
                for held in referents(container):
                    if id(held) not in ids:
                        continue
                    if self._is_namespace(container):
                        named += self._named(container, held)
                    elif self._holders.is_shell(container):
                        named.append((id(held), _SHELL))
                    elif id(container) in self._tasks:
                        named.append((id(held), self._tasks[id(container)]))
                    elif not issubclass(type(held), (type, types.ModuleType)):
                        owners.setdefault(id(container), []).append(id(held))
                        if id(container) not in objects:
                            objects[id(container)] = container
                            behind.append(container)
            level = behind
            self._settle(named, owners, objects)
            wanted = {key for key in self._old if key not in self._behind and key in objects}
        objects.clear()
        for key, one in self._old.items():
            if self._holders.is_shell(one):
                self._behind[key] = _Entry(_SHELL, [one])
        self._share_names()

    def _named(self, container: Any, held: Any) -> list[tuple[int, Root]]:
        return [(id(held), root) for root in roots_of(self._names(container, held))]

    def _settle(self, named: list[tuple[int, Root]], owners: dict[int, list[int]], objects: dict[int, Any]) -> None:
        """Give each container the name that is nearest, forward from the names."""
        entries: dict[int, _Entry] = {}
        level: list[int] = []
        for key, root in sorted(named, key=lambda one: _rank(one[1])):
            if key not in entries:
                entries[key] = _Entry(root, [objects[key]])
                level.append(key)
        while level:
            ahead: list[int] = []
            for key in level:
                for held in owners.get(key, ()):
                    if held not in entries:
                        entries[held] = _Entry(entries[key].root, [*entries[key].path, objects[held]])
                        ahead.append(held)
            level = ahead
        self._behind = {key: entry for key, entry in entries.items() if key in self._old}

    def _share_names(self) -> None:
        """Where there were too many to follow, a container passes for one of its type that was followed."""
        if len(self._old) > _MAX_NAMED:
            by_type: dict[int, _Entry] = {}
            for key, entry in self._behind.items():
                by_type.setdefault(id(type(self._old[key])), entry)
            for key, one in self._old.items():
                if key not in self._behind and id(type(one)) in by_type:
                    self._behind[key] = by_type[id(type(one))]

    def _spread(self, entries: Iterable[tuple[int, _Entry]]) -> None:
        """Give what new objects refer to the name that reached them."""
        level: list[int] = []
        for key, entry in entries:
            if key not in self._entry_of:
                self._entry_of[key] = entry
                is_known = entry.root is not _UNSEEN or not self._holders.has_shell
                is_told = is_known and not is_machinery(entry.root, entry.path)
                obj = self._objects[key]
                self._is_told[key] = (is_told or self._own.has(obj)) and not is_ours(type(obj))
                level.append(key)
        while level:
            ahead: list[int] = []
            for key in level:
                is_told = self._is_told[key]
                for one in self._held_by(self._objects[key]):
                    other = id(one)
                    if other in self._objects and other not in self._entry_of:
                        self._entry_of[other] = self._entry_of[key]
                        self._parent[other] = key
                        self._is_told[other] = (is_told or self._own.has(one)) and not is_ours(type(one))
                        ahead.append(other)
            level = ahead

    def _held_by(self, obj: Any) -> list[Any]:
        more = self._kinds.of(obj).more
        return referents(obj) if more is None else [*referents(obj), *more(obj)]

    def _locals(self) -> Iterator[tuple[int, _Entry]]:
        """Local variables of the user's functions that run."""
        for value, label in users_locals():
            if id(value) in self._objects:
                yield id(value), _Entry(Root("thread", (label,)), [])

    # what no name reaches

    def _unseen(self) -> list[tuple[int, _Entry]]:
        """Those that somebody holds nevertheless; what nobody holds any more is taken out."""
        left = [key for key in self._objects if key not in self._entry_of]
        inner = dict.fromkeys(left, 0)
        for key in left:
            for one in self._held_by(self._objects[key]):
                if id(one) in inner:
                    inner[id(one)] += 1
        ours = self._our_references()
        held = [key for key in left if sys.getrefcount(self._objects[key]) > ours + inner[key]]
        return [(key, _Entry(_UNSEEN, [])) for key in held]

    def _our_references(self) -> int:
        """References to a new object that are this search's own, measured on one that nobody else has."""
        probe = object()
        self._objects[id(probe)] = probe
        lists = [probe]
        key = id(probe)
        del probe
        count = sys.getrefcount(self._objects[key])
        del self._objects[key]
        lists.clear()
        return count

    # groups

    def _group(self, result: SortedOut) -> None:
        groups: dict[tuple[Root, int], Group] = {}
        wholes = Wholes(self._objects)
        for key, entry in self._entry_of.items():
            obj = self._objects[key]
            cls = type(obj)
            wholes.note(key, self._parent.get(key))
            if not self._is_told[key] or (is_machinerys(cls) and entry.root.kind != "variable"):
                result.n_machinery += 1
                continue
            result.types[id(cls)] = cls, result.types.get(id(cls), (cls, 0))[1] + 1
            whole = wholes.of(key)
            if entry.root.kind == "import":
                cls = types.ModuleType
            elif whole is not None and self._is_told[whole]:  # that came before, and has a group
                cls = type(self._objects[whole])
            group = groups.get((entry.root, id(cls)))
            if group is None:
                path = () if entry.root.kind == "import" else tuple(self._labels(key))
                group = groups[entry.root, id(cls)] = Group(entry.root, cls, path=path)
            group.count += whole is None or entry.root.kind == "import"
            group.size += self._kinds.size_of(obj)
        result.groups = list(groups.values())

    def _labels(self, key: int) -> list[str]:
        entry, path = self._entry_of[key], [self._objects[key]]
        while key in self._parent:
            key = self._parent[key]
            path.insert(0, self._objects[key])
        links, _ = self._namer.links([*entry.path, *path])
        return [link.labels[0] if link.labels else "" for link in links]


def _rank(root: Root) -> int:
    return _RANKS.index(root.kind) if root.kind in _RANKS else len(_RANKS)


def _running_frames() -> Iterator[int]:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        yield id(frame)
        frame = frame.f_back
