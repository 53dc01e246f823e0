"""Who keeps an object alive: the shortest chain from a name, then the next one without it, and so on.

    found = find_holders([x], Holders(shell), "x")
    found.chains[0]                 HolderChain("variable", "x", free="del x")

* A search goes breadth first, backward, from the object to the first name. What
  the statement that ends this chain would cut is then taken out of the graph, and
  the next search finds what would still hold the object. So the chains together
  are what must go, and none is told twice.
* A level is one read of the heap (`heap_scan`). What was read stays known to the next search.
* Of a level of thousands the first of each type are followed, the others wait. When no
  chain is left, those of them that hang on an object that nothing holds any more are
  done with; more of the others follow.
* More than three ways from one name are told as one: then the name has to go.
* While the heap is read, users' objects are held only by lists that are known here;
  no generator, closure or dictionary of this module may hold one then.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jupyter_profkit.engines.advice import Link, cut_inside, is_users_module
from jupyter_profkit.engines.array_holders import ArrayHolders, contents
from jupyter_profkit.engines.heap_scan import hanging_on, read_referrers
from jupyter_profkit.engines.keepers import Keepers
from jupyter_profkit.engines.paths import PathNamer
from jupyter_profkit.engines.reference_holders import Holder, Holders
from jupyter_profkit.engines.releases import Release, Releases
from jupyter_profkit.engines.roots import Root, registries, roots_of, thread_name
from jupyter_profkit.engines.safe_repr import describe, printable, type_name
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.model.objects import ChainStep, HolderChain

__all__ = ["Found", "find_holders"]

MAX_CHAINS: Final = 10
_MAX_OBJECTS: Final = 2_000_000
_WAYS_TOLD: Final = 3
_MANY: Final = 1_000
_FIRST: Final = 16
"""Of more than so many objects, so many of each type are followed first."""
_UNSEEN_NOTE: Final = (
    "the collector cannot look there: maybe a callback of atexit (atexit.unregister), or a call that runs"
)
_ENDS: Final = (type, types.ModuleType)
"""A class is held by its instances, a module by its functions: only their names count, if they have any."""

_IMMORTAL: Final = 2**29


@dataclass
class Found:
    """What a search found."""

    chains: list[HolderChain] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    in_cycle: bool = False
    n_unseen: int = 0
    n_read: int = 0
    """Objects whose referrers were read."""


def find_holders(
    starts: Sequence[Any],
    holders: Holders,
    name: str = "",
    time_limit: float = 5.0,
    clock: Callable[[], float] = time.perf_counter,
    *,
    step: Step = no_step,
) -> Found:
    """The chains that keep the one object in `starts` alive, shortest first.

    Parameters
    ----------
    starts : a list or tuple with the object. This very sequence is not counted among
        what holds it; any other container that the caller made for it is.
    holders : who has names here.
    name : what the object is called by those who ask.
    time_limit : seconds after which nothing more is followed.
    clock : seconds.
    step : told now and then how many objects were looked behind.
    """
    search = _HolderSearch(starts, holders, name, clock() + time_limit, clock, step=step)
    try:
        return search.run()
    finally:
        search.release()


class _HolderSearch:
    def __init__(
        self,
        starts: Sequence[Any],
        holders: Holders,
        name: str,
        deadline: float,
        clock: Callable[[], float],
        *,
        step: Step,
    ) -> None:
        self._starts = starts
        self._holders = holders
        self._deadline = deadline
        self._clock = clock
        self._step_on = step
        self._late = False
        self._registries = dict(registries())
        self._keepers = Keepers(holders)
        self._releases = Releases(holders, name)
        self._frames = frozenset(_running_frames())
        self._objects: list[Any] = [starts[0]]
        self._numbers: dict[int, int] = {id(starts[0]): 0}
        self._owners: dict[int, list[int]] = {}
        self._roots: dict[int, list[Root]] = {}
        self._waiting: dict[int, None] = {}
        """Objects of which it is not known yet what holds them."""
        self._first = _FIRST
        self._let_go: list[int] = []
        """Objects whose name is to be taken away."""
        self._cut_edges: set[tuple[int, int]] = set()
        self._cut_roots: set[tuple[Root, int]] = set()
        self._lost: list[int] = []
        """Objects of which nothing is seen to hold them."""
        self._looked_at: set[int] = set()
        """Those of them for which every object of the heap was asked."""
        self._n_seen = 0
        self._namer: PathNamer | None = None
        self._ways: dict[Root, list[HolderChain]] = {}
        self._arrays = ArrayHolders()

    def run(self) -> Found:
        found = Found()
        while len(found.chains) < MAX_CHAINS:
            hit, found.in_cycle = self._shortest(0)
            if hit is not None:
                self._add(found.chains, *hit)
            elif not self._follow_waiting() and not self._look_closer():
                break
        else:
            found.notes.append(f"There are more than {MAX_CHAINS} chains; ask again when these are gone.")
        if len(found.chains) > 1:  # what goes by itself, and has gone when this is read
            found.chains = [chain for chain in found.chains if chain.kind != "last result"] or found.chains[:1]
        _let_go_from_the_end(found.chains)
        if not found.chains and not found.in_cycle and not self._late:
            found.chains += self._dead_ends()
        if self._late:
            found.notes.append("The search was stopped by its time limit; what was found until then is shown.")
        else:
            found.n_unseen = self._unseen()
        found.n_read = len(self._owners)
        return found

    def release(self) -> None:
        """Let go of every object, also when an exception keeps this search in its traceback."""
        self._objects.clear()
        self._arrays.release()
        self._starts = ()

    # one search

    def _shortest(self, start: int) -> tuple[tuple[Root, list[int]] | None, bool]:
        """The nearest name and the objects from there to `start`; and whether that was met again."""
        towards: dict[int, int] = {start: -1}
        level, in_cycle = [start], False
        while level and not self._is_late():
            self._read(level)
            for node in level:
                for root in self._roots.get(node, ()):
                    if (root, node) not in self._cut_roots and (root, -1) not in self._cut_roots:
                        return (root, _path(towards, node)), in_cycle
            behind: list[int] = []
            for node in level:
                for owner in self._owners.get(node, ()):
                    in_cycle = in_cycle or owner == start
                    if owner not in towards and (owner, node) not in self._cut_edges:
                        towards[owner] = node
                        behind.append(owner)
            level = behind
        return None, in_cycle

    def _dead_ends(self) -> Iterator[HolderChain]:
        """The nearest container that nothing is seen to hold, if any container has the object."""
        towards: dict[int, int] = {0: -1}
        level = [0]
        while level:
            behind: list[int] = []
            for node in level:
                if node and not self._owners.get(node, [0]):
                    path = _path(towards, node)
                    links, ends = self._links(path)
                    steps = (self._step("", node), *self._steps(links, ends, path))
                    yield HolderChain("unseen", "a running function or C code", steps, "", _UNSEEN_NOTE)
                    return
                for owner in self._owners.get(node, ()):
                    if owner not in towards:
                        towards[owner] = node
                        behind.append(owner)
            level = behind

    def _is_late(self) -> bool:
        """Whether to end; asked about each thousand of objects."""
        self._step_on(len(self._owners))
        self._late = self._late or self._clock() > self._deadline or len(self._objects) > _MAX_OBJECTS
        return self._late

    def _read(self, level: list[int]) -> None:
        """Find out what holds the objects of a level."""
        unread = self._first_of([node for node in level if node not in self._owners and node not in self._waiting])
        for node in unread:
            self._owners[node] = []
        self._note_holders(unread, self._containers([self._objects[node] for node in unread]))
        if unread[:1] == [0]:
            self._roots.setdefault(0, []).extend(self._frame_roots(self._objects[0]))

    def _note_holders(self, nodes: list[int], containers: list[Any]) -> None:
        """Note who of `containers` holds which of `nodes`, and which of these nobody holds."""
        wanted = {id(self._objects[node]): node for node in nodes}
        names: dict[int, list[Holder]] = {}
        for number, container in enumerate(containers):
            if number % 1024 == 0 and self._is_late():
                break
            self._note(container, wanted, names)
        for node, found in names.items():
            self._roots.setdefault(node, []).extend(roots_of(found))
        for node in nodes:
            self._end_at(node)
        self._lost += [node for node in nodes if not self._owners[node] and not self._roots.get(node)]

    def _look_closer(self) -> bool:
        """Read the whole heap for what seems to be held by nobody; whether anybody was found.

        `gc.get_referrers` misses some that types written in C hold: the results of tasks on
        Python 3.11, attributes of futures on 3.13.
        """
        if self._is_late():
            return False
        lost = [node for node in dict.fromkeys(self._lost) if node not in self._looked_at]
        if 0 not in self._looked_at and self._unseen():
            lost = [0, *filter(None, lost)]
            self._n_seen, self._owners[0] = 0, []
            self._roots[0] = [root for root in self._roots.get(0, ()) if root.kind == "thread"]
        self._looked_at |= {*lost, 0}
        self._lost.clear()
        if lost:
            objects = [self._objects[node] for node in lost]
            self._note_holders(lost, self._containers(objects, reads_all=True))
        return len(self._lost) < len(lost)

    def _end_at(self, node: int) -> None:
        """Follow no further what has a name that a reader knows it by, or is kept without one."""
        obj, roots = self._objects[node], self._roots.get(node, [])
        kept = self._keepers.root_of(obj, is_held=bool(self._owners[node] or roots))
        owners = [one for one in self._owners[node] if self._keepers.counts(self._objects[one], obj)]
        self._owners[node] = owners
        if kept is not None:
            is_all = node == 0 or kept.kind == "task"
            self._owners[node] = owners if is_all else []
            self._roots[node] = [kept, *(roots if is_all else ())]
        elif node and roots and issubclass(type(obj), _ENDS):  # it is but a place to find the object in
            self._owners[node], self._roots[node] = [], roots[:1]

    def _first_of(self, nodes: list[int]) -> list[int]:
        """Those that are followed now; the others wait."""
        if len(nodes) <= _MANY:
            return nodes
        first: dict[int, list[int]] = {}
        for node in nodes:
            alike = first.setdefault(id(type(self._objects[node])), [])
            if len(alike) < self._first:
                alike.append(node)
            else:
                self._waiting[node] = None
        return [node for alike in first.values() for node in alike]

    def _follow_waiting(self) -> bool:
        """Go on with what waits, unless it goes with what was let go of; whether there is any."""
        numbers = self._numbers
        for node in self._let_go if self._waiting else ():
            if self._shortest(node)[0] is None and not self._is_late():
                for hanging in hanging_on(self._objects[node], numbers, self._is_late):
                    for number in filter(None, map(numbers.get, hanging)):
                        if number in self._waiting:
                            del self._waiting[number]
                            self._owners[number] = []
        self._let_go.clear()
        is_more = bool(self._waiting)
        self._first *= _FIRST
        self._waiting.clear()
        return is_more and not self._is_late()

    def _containers(self, targets: list[Any], *, reads_all: bool = False) -> list[Any]:
        """What refers to any of `targets`, without what belongs to this search."""
        own = {id(self._starts), id(self._objects), id(self._arrays.arrays)}
        found = read_referrers(targets, own, self._is_late, reads_all=reads_all)
        return [one for one in found if id(one) not in self._frames] + self._arrays.holding(targets, self._is_late)

    def _note(self, container: Any, wanted: dict[int, int], names: dict[int, list[Holder]]) -> None:
        """Note of which objects `container` is the owner, or the name."""
        is_registry = id(container) in self._registries
        is_namespace = is_registry or self._holders.is_namespace(container)
        number = None if is_namespace else self._number(container)
        for held in contents(container):
            node = wanted.get(id(held))
            if node is None:
                continue
            self._n_seen += node == 0
            if is_registry:
                names.setdefault(node, []).append(self._registries[id(container)](container, held))
            elif is_namespace:
                names.setdefault(node, []).extend(self._holders.of(container, held))
            elif number is not None and self._owners[node][-1:] != [number] and not _is_its_own(held, container):
                self._owners[node].append(number)

    def _number(self, container: Any) -> int:
        number = self._numbers.setdefault(id(container), len(self._objects))
        if number == len(self._objects):
            self._objects.append(container)
        return number

    def _frame_roots(self, obj: Any) -> Iterator[Root]:
        """Local variables of functions that run in other threads, where they can be read without a trace."""
        if sys.hexversion < 0x030D0000:
            return  # before 3.13, reading them makes a copy that lives as long as the frame
        tops = sys._current_frames()
        tops.pop(threading.get_ident(), None)  # to keep this function's own frame would make a cycle with the object
        for thread_id, top in tops.items():
            frame: types.FrameType | None = top
            while frame is not None:
                if frame.f_locals is not self._holders.namespace:
                    for name, value in frame.f_locals.items():
                        if value is obj:
                            label = f"local {name} of {frame.f_code.co_qualname}() in {thread_name(thread_id)}"
                            yield Root("thread", (label,))
                frame = frame.f_back

    # from a path to words

    def _add(self, chains: list[HolderChain], root: Root, path: list[int]) -> None:
        """Tell a chain, and cut what its statement cuts."""
        links, ends = self._links(path)
        for start, end in zip([0, *ends], ends, strict=False):
            if (path[start], path[end]) in self._cut_edges:  # met again through a dictionary of attributes
                self._cut_edges.add((path[end - 1], path[end]))
                return
        told = self._ways.setdefault(root, [])
        release, is_inside = self._release(root, path, links, is_last=len(told) == _WAYS_TOLD)
        if release.link >= 0:
            self._cut(links, ends, path, release.link)
        else:
            self._cut_roots.add((root, path[0] if root.kind in {"IPython", "event loop"} else -1))
            self._let_go.append(path[0])
        steps = self._steps(links, ends, path)
        chain = HolderChain(root.kind, printable(root.name, 80), steps, release.statement, release.note)
        if is_inside and len(told) == _WAYS_TOLD:
            chain = replace(told[0], free=chain.free, note=chain.note, n_ways=_WAYS_TOLD + 1)
            place = chains.index(told[0])
            chains[:] = [one for one in chains if one not in told]
            chains.insert(min(place, len(chains)), chain)
            return
        if chain.free and any(one.free == chain.free for one in chains):
            return  # a cache that holds it twice, say: what ends the other chain ends this one
        told.append(chain)
        chains.append(chain)

    def _release(self, root: Root, path: list[int], links: list[Link], *, is_last: bool) -> tuple[Release, bool]:
        """The statement that ends a chain, and whether the chain could be cut inside; if `is_last`, the name goes."""
        hook = self._releases.hook(root)
        if hook is not None:
            return hook, False
        prefix, expression = self._releases.expression(root)
        is_users = root.kind != "module" or is_users_module(sys.modules.get(root.name.partition(" .")[0]))
        cut = cut_inside(expression, links, keeps_places=is_users)
        if cut is not None and not is_last:
            return Release(prefix + cut.statement, "", cut.link), True
        return self._releases.of(root, [self._objects[node] for node in path], links), cut is not None

    def _cut(self, links: list[Link], ends: list[int], path: list[int], number: int) -> None:
        end = ends[number]
        start = ends[number - 1] if number else 0
        self._cut_edges |= {(path[end - 1], path[end]), (path[start], path[end])}

    def _links(self, path: list[int]) -> tuple[list[Link], list[int]]:
        if self._namer is None:
            self._namer = PathNamer(self._holders.attribute_names())
        return self._namer.links([self._objects[node] for node in path])

    def _steps(self, links: list[Link], ends: list[int], path: list[int]) -> tuple[ChainStep, ...]:
        pairs = zip(links, ends, strict=True)
        return tuple(self._step(link.labels[0] if link.labels else "", path[end]) for link, end in pairs)

    def _step(self, label: str, node: int) -> ChainStep:
        target = self._objects[node]
        return ChainStep(printable(label), type_name(type(target)), describe(target))

    def _unseen(self) -> int:
        """References to the object that no container told of."""
        self._objects.append(object())
        ours = sys.getrefcount(self._objects[-1])
        self._objects.pop()
        count = sys.getrefcount(self._objects[0])
        in_starts = sum(one is self._objects[0] for one in self._starts)
        n_locals = sum(root.kind == "thread" and root.name.startswith("local ") for root in self._roots.get(0, ()))
        return 0 if count > _IMMORTAL else max(0, count - ours - in_starts - self._n_seen - n_locals)


_ENTRY: Final = re.compile(r"(.*\bdel .*\[)(\d+)\]")


def _let_go_from_the_end(chains: list[HolderChain]) -> None:
    """Of several entries of one list that are deleted, put the last first: the others then stay where they are."""
    places: dict[str, list[int]] = {}
    for place, chain in enumerate(chains):
        entry = _ENTRY.fullmatch(chain.free)
        if entry is not None:
            places.setdefault(entry[1], []).append(place)
    for here in places.values():
        alike = [chains[place] for place in here]
        for place, chain in zip(here, sorted(alike, key=lambda one: -_number_in(one.free)), strict=True):
            chains[place] = chain


def _number_in(statement: str) -> int:
    entry = _ENTRY.fullmatch(statement)
    return int(entry[2]) if entry is not None else 0


def _is_its_own(held: Any, container: Any) -> bool:
    """Whether `container` is but a part of a class: what describes its slots, the order of its bases."""
    if not issubclass(type(held), type):
        return False
    kind = type(container)
    if kind is tuple:
        return container is type.__dict__["__mro__"].__get__(held) or container is type.__dict__["__bases__"].__get__(
            held
        )
    return kind in _DESCRIPTIONS and container.__objclass__ is held


_DESCRIPTIONS: Final = (types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType)


def _path(towards: dict[int, int], node: int) -> list[int]:
    path = []
    while node >= 0:
        path.append(node)
        node = towards[node]
    return path


def _running_frames() -> Iterator[int]:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        yield id(frame)
        frame = frame.f_back
