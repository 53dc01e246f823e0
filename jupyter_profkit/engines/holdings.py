"""Whose memory it is: each object counts for the one name that keeps it, or as shared by several.

    counts = count_holdings([Owner("x", [x]), Owner("y", [y])], blocked=[namespace])
    counts.exclusive[0], counts.shared[0]       bytes that only x reaches; bytes that others reach as well

* Owners are walked one after the other. An object is labelled with the owner that
  reaches it; when a second one arrives, it and all behind it become shared. So no
  object is visited more than twice, however many owners there are.
* What an owner shares is then counted from the places where it met others.
* The keys of a dictionary count, too, although the collector does not tell of texts there.
* Classes and modules end a walk, and so do the containers in `blocked`.
* Objects are read some thousands at a time, and their sizes summed by type.
* A number or text with one reference can be met by nobody else, so it has no label.
  Labels are what costs most, in time and in memory.
* Nothing of the user's is called.
"""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

from jupyter_profkit.engines.object_sizes import ObjectKinds
from jupyter_profkit.engines.referents import referents_of_all
from jupyter_profkit.engines.walks import Step, no_step

__all__ = ["HoldingCounts", "Owner", "count_holdings"]

_SHARED: Final = -1
_BLOCKED: Final = -2
_CHUNK: Final = 4096
_FEW: Final = 8
_ATOMS: Final = frozenset(map(id, (int, float, complex, str, bytes)))
_SHARED_VISITS: Final = 2_000_000
"""Objects looked at to tell what each owner shares; beyond that, only the total is known."""


@dataclass
class Owner:
    """A name, and the objects it stands for."""

    name: str
    roots: list[Any]
    is_system: bool = False
    """Whether it is the interpreter's or IPython's: what two of these reach counts for the first."""
    takes_left: bool = False
    """Whether it begins at those of its roots that nobody has reached by then."""


@dataclass
class HoldingCounts:
    """Bytes and objects, by the number of the owner."""

    exclusive: list[int] = field(default_factory=list)
    shared: list[int | None] = field(default_factory=list)
    """Bytes that an owner reaches and others reach too; None where it was not counted."""
    n_objects: list[int] = field(default_factory=list)
    """Objects that only this owner reaches."""
    shared_total: int = 0
    """Bytes that several owners reach, each counted once."""
    n_shared: int = 0

    @property
    def n_all(self) -> int:
        return sum(self.n_objects) + self.n_shared


def count_holdings(owners: Sequence[Owner], blocked: Iterable[Any] = (), step: Step = no_step) -> HoldingCounts:
    """Count what each of `owners` holds.

    Parameters
    ----------
    owners : in the order of their claims; those of the system stand last.
    blocked : containers that nobody owns, and that no walk enters.
    step : told now and then how many objects were counted.
    """
    walk = _Walk(owners, blocked, step)
    for number in range(len(owners)):
        walk.claim(number)
    walk.count_shared()
    return walk.counts


class _Walk:
    def __init__(self, owners: Sequence[Owner], blocked: Iterable[Any], step: Step = no_step) -> None:
        self._step_on = step
        self._owners = owners
        self._kinds = ObjectKinds(divided=True)
        self._plain: dict[int, int] = {}
        """By the id of a type that is plain, the bytes to add for each instance."""
        self._label: dict[int, int] = {id(one): _BLOCKED for one in blocked}
        self._meetings: list[dict[int, Any]] = [{} for _ in owners]
        """Shared objects at which each owner met another, by id."""
        self._one = _one_reference()
        self.counts = HoldingCounts([0] * len(owners), [0] * len(owners), [0] * len(owners))

    def claim(self, number: int) -> None:
        """Walk all that one owner reaches."""
        roots = list(self._owners[number].roots)
        if self._owners[number].takes_left:
            roots = [one for one in roots if id(one) not in self._label]
        stack: list[Any] = []
        while roots:
            self._step_on(self.counts.n_all)
            stack += self._fresh(_cut_off(roots), number)
        while stack:
            chunk = _cut_off(stack)
            held = _seen_from(chunk)
            while held:  # one list may hold a million
                self._step_on(self.counts.n_all)
                stack += self._fresh(self._count_single(_cut_off(held), number), number)
            stack += self._fresh(self._told_by_libraries(chunk), number)

    def _count_single(self, held: list[Any], number: int) -> list[Any]:
        """Count the atoms that have no reference but the one in `held`, as `_seen_from` tells; returns the others."""
        is_one = list(map(self._one.__eq__, map(sys.getrefcount, held)))
        if not any(is_one):
            return held
        is_single = list(map(operator.and_, is_one, map(_ATOMS.__contains__, map(id, map(type, held)))))
        single = list(compress(held, is_single))
        self.counts.n_objects[number] += len(single)
        self.counts.exclusive[number] += sum(map(sys.getsizeof, single))
        return list(compress(held, map(operator.not_, is_single)))

    def _fresh(self, held: Sequence[Any], number: int) -> list[Any]:
        """Those of `held` that nobody had reached; now they are of this owner. What others have is shared."""
        fresh = dict(zip(map(id, held), held, strict=True))
        unknown = set(fresh).difference(self._label)  # sets of C throughout: this is done for every object
        if len(unknown) < len(fresh):
            self._meet_others(fresh, unknown, number)
            fresh = {key: obj for key, obj in fresh.items() if key in unknown}
        if not fresh:
            return []
        self._label.update(dict.fromkeys(fresh, number))
        self.counts.n_objects[number] += len(fresh)
        if len(fresh) <= _FEW:  # a long chain: looking at types would take longer than the objects
            self.counts.exclusive[number] += self._drop_ends(fresh, number)
            return list(fresh.values())
        kinds = set(map(id, map(type, fresh.values())))
        if not kinds <= self._plain.keys():
            self._learn(fresh, kinds)
        if kinds <= self._plain.keys():
            size = sum(map(sys.getsizeof, fresh.values())) + self._extra(fresh, kinds)
        else:
            size = self._drop_ends(fresh, number)
        self.counts.exclusive[number] += size
        return list(fresh.values())

    def _meet_others(self, held: dict[int, Any], unknown: set[int], number: int) -> None:
        label, mine = self._label, (number, _BLOCKED)
        met = {key: obj for key, obj in held.items() if key not in unknown and label[key] not in mine}
        if met:
            self._meet(met, number)

    def _extra(self, fresh: dict[int, Any], kinds: set[int]) -> int:
        """What the sizes of plain objects leave out."""
        if not any(self._plain[kind] for kind in kinds):
            return 0
        counted = Counter(map(id, map(type, fresh.values())))
        return sum(count * self._plain[kind] for kind, count in counted.items())

    def _learn(self, fresh: dict[int, Any], kinds: set[int]) -> None:
        """Find out of each type that is new whether it is plain."""
        unknown = kinds - self._plain.keys()
        for obj in fresh.values():
            if id(type(obj)) in unknown:
                unknown.remove(id(type(obj)))
                kind = self._kinds.of(obj)
                if kind.is_plain:
                    self._plain[id(type(obj))] = kind.extra

    def _drop_ends(self, fresh: dict[int, Any], number: int) -> int:
        """The size of `fresh` where some are not plain; classes and modules are taken out."""
        size = 0
        for key, obj in list(fresh.items()):
            kind = self._kinds.of(obj)
            if kind.is_end:
                self._label[key] = _BLOCKED
                self.counts.n_objects[number] -= 1
                del fresh[key]
            else:
                size += kind.size(obj) + kind.extra
        return size

    def _held_by(self, chunk: list[Any]) -> list[Any]:
        return _seen_from(chunk) + self._told_by_libraries(chunk)

    def _told_by_libraries(self, chunk: list[Any]) -> list[Any]:
        told: list[Any] = []
        if self._plain.keys() >= set(map(id, map(type, chunk))):
            return told
        for obj in chunk:
            if id(type(obj)) not in self._plain:
                more = self._kinds.of(obj).more
                if more is not None:
                    told += more(obj)
        return told

    # shared

    def _meet(self, met: dict[int, Any], number: int) -> None:
        """Make what two owners reached shared, with all that the first had behind it."""
        theirs: dict[int, list[Any]] = {}
        is_system = self._owners[number].is_system
        for key, obj in met.items():
            owner = self._label[key]
            if owner == _SHARED:
                self._meetings[number][key] = obj
            elif not (is_system and self._owners[owner].is_system):
                self._meetings[number][key] = obj
                self._meetings[owner][key] = obj
                theirs.setdefault(owner, []).append(obj)
        for owner, objects in theirs.items():
            self._share(objects, owner)

    def _share(self, stack: list[Any], owner: int) -> None:
        """Take the objects in `stack`, and all behind them, from `owner`."""
        label, counts = self._label, self.counts
        while stack:
            self._step_on(counts.n_all)
            taken = []
            for obj in _cut_off(stack):
                if label.get(id(obj), owner) != owner:  # single atoms have no label
                    continue
                size = self._kinds.size_of(obj)
                label[id(obj)] = _SHARED
                counts.exclusive[owner] -= size
                counts.n_objects[owner] -= 1
                counts.shared_total += size
                counts.n_shared += 1
                taken.append(obj)
            if taken:
                stack += [one for one in self._held_by(taken) if label.get(id(one), owner) == owner]

    def count_shared(self) -> None:
        """Tell for each owner how much it shares."""
        known: dict[frozenset[int], int] = {}
        n_left = _SHARED_VISITS
        for number, meetings in enumerate(self._meetings):
            if not meetings or self._owners[number].is_system:
                continue
            places = frozenset(meetings)
            if places not in known and n_left > 0:
                known[places], n_seen = self._reach(meetings)
                n_left -= n_seen
            self.counts.shared[number] = known.get(places)

    def _reach(self, meetings: dict[int, Any]) -> tuple[int, int]:
        """The bytes of all that is shared behind `meetings`, and the number of objects."""
        seen = set(meetings)
        stack = list(meetings.values())
        size = 0
        while stack:
            self._step_on(self.counts.n_all)
            chunk = _cut_off(stack)
            size += sum(map(self._kinds.size_of, chunk))
            for obj in self._held_by(chunk):
                key = id(obj)
                if key not in seen and self._label.get(key) == _SHARED:
                    seen.add(key)
                    stack.append(obj)
        return size, len(seen)


def _cut_off(stack: list[Any]) -> list[Any]:
    """The last thousands of `stack`, which has them no more."""
    chunk = stack[-_CHUNK:]
    del stack[-_CHUNK:]
    return chunk


def _seen_from(containers: list[Any]) -> list[Any]:
    """What `containers` refer to, as the collector tells, and the texts that are keys, of which it does not."""
    held = referents_of_all(containers)
    for one in containers:
        if issubclass(type(one), dict):
            held += dict.__iter__(one)
    return held


def _one_reference() -> int:
    """What `sys.getrefcount` says of an atom that `_seen_from` told, if a container has the only reference to it."""
    container = [float("0.1")]
    return next(map(sys.getrefcount, _seen_from([container])))
