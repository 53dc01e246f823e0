"""Who refers to whom: a breadth-first walk from some objects, forward or backward.

    walk = walk_references([x], Holders(shell), WalkOptions(back=True))
    walk.nodes, walk.edges, walk.notes

* Forward, a level is what `reference_names` reads from each object. Backward, it is
  one read of the heap for all objects of the level (`heap_scan`), not one for each.
* The walk is bounded in depth, fan-out, nodes and seconds, and counts what it
  leaves out: in a node ``41 more``, or in a note.
* Names end a backward walk (`reference_holders`). A dictionary of attributes and
  the cell of a closure are replaced by what owns them.
* While the heap is read, users' objects are held only by lists that the walk knows
  as its own; no generator or closure of it may hold one then.
* What is returned is strings and numbers; nothing of it refers to an object.
"""

from __future__ import annotations

import functools
import gc
import sys
import time
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.array_holders import ArrayHolders, contents
from jupyter_profkit.engines.heap_scan import read_referrers
from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.reference_anchors import Anchor, anchor_of
from jupyter_profkit.engines.reference_draft import LABELS_SHOWN, MAX_NODES, GraphDraft, Predicates
from jupyter_profkit.engines.reference_holders import Holder, Holders
from jupyter_profkit.engines.reference_names import ReferenceNamer
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import printable
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.model.references import ReferenceEdge, ReferenceNode

__all__ = ["Walk", "WalkOptions", "walk_references"]

_FOLD_AT_MOST: Final = 64
"""Referrers looked behind at once: reading the heap takes longer with each of them."""

_LABEL_WIDTH: Final = 32
_ENDS: Final = (type, types.ModuleType)
"""A class is held by its instances, a module by half the interpreter: not followed."""


@dataclass(frozen=True)
class WalkOptions:
    """What to walk, and what to tell of it; the names are those of ``%objrefs``."""

    back: bool = False
    max_depth: int = 3
    too_many: int = 10
    """Referrers or referents drawn for one object; the others are counted."""
    keep: Callable[[Any], Any] | None = None
    """Objects for which it is false are left out, with what lies behind them."""
    ignore: Collection[int] = frozenset()
    """Ids of objects to leave out."""
    highlight: Callable[[Any], Any] | None = None
    refcounts: bool = False
    sizes: bool = False
    retained: bool = False
    """Whether to tell what would be freed if an object went."""
    shortnames: bool = True
    call_repr: bool = False
    time_limit: float = 5.0
    """Seconds after which nothing more is followed."""


@dataclass(frozen=True)
class Walk:
    """What a walk found, described."""

    nodes: tuple[ReferenceNode, ...]
    edges: tuple[ReferenceEdge, ...]
    notes: tuple[str, ...]
    n_references: int
    """References that were looked at."""
    n_hidden: int = 0
    """References to classes, and to the globals and code of functions, which are not drawn."""
    anchors: tuple[Anchor | None, ...] = ()
    """How to find the object of each node again."""


def walk_references(
    starts: Sequence[Any],
    holders: Holders,
    options: WalkOptions,
    names: Sequence[str] = (),
    clock: Callable[[], float] = time.perf_counter,
    *,
    step: Step = no_step,
) -> Walk:
    """Follow the references of some objects.

    Parameters
    ----------
    starts : the objects. This very sequence is not counted among what holds them; any
        other container that the caller made for them is.
    holders : who has names here.
    options : bounds, and what to tell.
    names : what the objects are called by those who ask.
    clock : seconds, for the time limit.
    step : told now and then how many references were read.
    """
    walker = (_BackwardWalker if options.back else _ForwardWalker)(starts, holders, options, clock, step=step)
    try:
        walker.run(names)
        notes = tuple(walker.notes())
        anchors = tuple(map(anchor_of, walker.draft.objects))
        return Walk(walker.draft.nodes(), walker.draft.edges(), notes, walker.n_references, walker.n_hidden, anchors)
    finally:
        walker.release()


class _Walker:
    """What both directions share: the levels, the bounds, the notes."""

    def __init__(
        self, starts: Sequence[Any], holders: Holders, options: WalkOptions, clock: Callable[[], float], *, step: Step
    ) -> None:
        self._starts = starts
        self._holders = holders
        self._options = options
        self._clock = clock
        self._step_on = step
        self._deadline = clock() + options.time_limit
        self._late = False
        self._predicates = Predicates(options.keep, options.highlight)
        self._namer = ReferenceNamer(holders.attribute_names())
        self._n_open = 0
        self.n_references = 0
        self.draft = GraphDraft(
            holders,
            self._predicates,
            sizes=options.sizes,
            shortnames=options.shortnames,
            call_repr=options.call_repr,
        )

    @property
    def n_hidden(self) -> int:
        return 0 if self._options.back else self._namer.n_hidden

    def run(self, names: Sequence[str]) -> None:
        level = self._add_starts(names)
        for depth in range(1, self._options.max_depth + 1):
            followed = level if depth == 1 else [node for node in level if self._is_followed(node)]
            level = self._step(followed, depth) if followed and not self._is_late() else []
        self._n_open = sum(map(self._goes_on, level))
        if self._options.refcounts:
            self.draft.tell_refcounts(self._starts)
        if self._options.retained:
            self.draft.tell_retained(self._starts, self._holders.namespace_ids())

    def release(self) -> None:
        """Let go of every object, also when an exception keeps this walker in its traceback."""
        self.draft.objects.clear()
        self._starts = ()

    def notes(self) -> Iterator[str]:
        """What was left out, and why."""
        depth = self._options.max_depth
        if self._n_open:
            who = "1 object" if self._n_open == 1 else f"{self._n_open} objects"
            yield f"Not followed beyond depth {depth}: {who}; -d {depth + 1} goes further."
        if self._late:
            yield f"Stopped after {self._options.time_limit:g} s; what was found until then is shown."
        if self.draft.is_full:
            yield f"A graph shows at most {MAX_NODES} objects; the others are counted. --filter or -n draws fewer."
        if self.draft.n_unknown:
            who = "1 object" if self.draft.n_unknown == 1 else f"{self.draft.n_unknown} objects"
            yield f"What {who} would free is not told: too much lies behind to look at."
        yield from self._predicates.notes()
        yield from self._namer.notes()

    def _add_starts(self, names: Sequence[str]) -> list[int]:
        for number, start in enumerate(self._starts):
            if self.draft.id_of(start) is None:
                self.draft.add(start, 0, "start", names[number] if number < len(names) else "")
        return list(range(len(self.draft.objects)))

    def _step(self, level: list[int], depth: int) -> list[int]:
        """Draw what is one reference away from `level`; the new nodes are the next level."""
        raise NotImplementedError

    def _goes_on(self, node: int) -> bool:
        """Whether an object at the edge of the graph has references that are not drawn."""
        raise NotImplementedError

    def _is_followed(self, node: int) -> bool:
        return not issubclass(type(self.draft.objects[node]), _ENDS)

    def _is_kept(self, obj: object) -> bool:
        return id(obj) not in self._options.ignore and self._predicates.keeps(obj)

    def _is_late(self) -> bool:
        self._step_on(self.n_references)
        self._late = self._late or self._clock() > self._deadline
        return self._late


@dataclass
class _Link:
    """The references from one object to another."""

    target: Any
    labels: list[str]
    count: int = 0


class _ForwardWalker(_Walker):
    """What objects refer to."""

    def _step(self, level: list[int], depth: int) -> list[int]:
        reached: list[int] = []
        for node in level:
            if not self._is_late():
                self._draw_children(node, depth, reached)
        return reached

    def _draw_children(self, node: int, depth: int, reached: list[int]) -> None:
        links, n_more = self._children(self.draft.objects[node])
        for link in links:
            child = self.draft.place(link.target, depth, reached)
            if child is None:
                n_more += link.count
            else:
                self.draft.connect(node, child, link.labels, link.count)
        if n_more:
            self.draft.connect(node, self.draft.add_more(n_more, depth), (), n_more, dashed=True)

    def _children(self, obj: Any) -> tuple[list[_Link], int]:
        """The first objects that `obj` refers to, and how many references lead to others."""
        links: dict[int, _Link] = {}
        n_more = n_seen = 0
        for reference in self._namer.references(obj):
            if n_seen % 1024 == 0 and self._is_late():
                break
            n_seen += 1
            link = links.get(id(reference.target))
            if link is None:
                if not self._is_kept(reference.target):
                    continue
                if len(links) >= self._options.too_many:
                    n_more += 1
                    if self._predicates.keeps_all and n_seen < _length(obj):
                        n_more += _length(obj) - n_seen
                        break
                    continue
                link = links[id(reference.target)] = _Link(reference.target, [])
            link.count += 1
            if len(link.labels) < LABELS_SHOWN:
                link.labels.append(printable(reference.label, _LABEL_WIDTH))
        self.n_references += n_seen
        return list(links.values()), n_more

    def _goes_on(self, node: int) -> bool:
        obj = self.draft.objects[node]
        return self._is_followed(node) and any(self.draft.id_of(r.target) is None for r in self._namer.references(obj))


def _length(obj: Any) -> int:
    """The number of items of an exact built-in container, 0 of anything else."""
    for kind in (list, dict, tuple, set, frozenset):
        if type(obj) is kind:
            return int(kind.__len__(obj))
    return 0


@dataclass
class _Holding:
    """An object that refers to a target, and how often."""

    owner: Any
    count: int = 0


class _BackwardWalker(_Walker):
    """What refers to objects."""

    def __init__(self, *args: Any, step: Step) -> None:
        super().__init__(*args, step=step)
        self._own: list[list[Any]] = []  # every list of users' objects that this level made
        self._frames = frozenset(_running_frames())
        self._n_seen: dict[int, int] = {}
        self._arrays = ArrayHolders()

    def release(self) -> None:
        super().release()
        self._own.clear()
        self._arrays.release()

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self._late or self._options.max_depth == 0:
            return
        for node, seen in self._n_seen.items():
            refcount = self.draft.refcount(node, self._starts)
            if refcount is not None and refcount > seen:
                yield _unseen_note(self.draft.nodes()[node], refcount - seen, gc.is_tracked(self.draft.objects[node]))

    def _step(self, level: list[int], depth: int) -> list[int]:
        targets = self._mine([self.draft.objects[node] for node in level])
        holdings = self._holdings(targets)
        reached: list[int] = []
        for node, target in zip(level, targets, strict=True):
            held = list(holdings[id(target)].values())
            if depth == 1:
                self._n_seen[node] = sum(holding.count for holding in held)
            self._draw_names(node, target, held, depth)
            self._draw_owners(node, target, held, depth, reached)
        self._own.clear()
        return reached

    def _holdings(self, targets: list[Any]) -> dict[int, dict[int, _Holding]]:
        """By the id of a target, what refers to it, by the id of that."""
        holdings: dict[int, dict[int, _Holding]] = {id(target): {} for target in targets}
        self._note(self._referrers(targets) + self._arrays.holding(targets, self._is_late), holdings)
        lost = self._mine([target for target in targets if not holdings[id(target)]])
        if lost and not self._is_late():  # the collector does not tell of all when it is asked who refers to them
            self._note(self._referrers(lost, reads_all=True), holdings)
        return holdings

    def _note(self, found: list[Any], holdings: dict[int, dict[int, _Holding]]) -> None:
        """Note what of `found` refers to what, and how often."""
        owners = self._owners(self._mine(found))
        for number, container in enumerate(found):
            if number % 256 == 0 and self._is_late():
                break
            owner = owners.get(id(container), container)
            for held in contents(container):
                if id(held) in holdings:
                    holdings[id(held)].setdefault(id(owner), _Holding(owner)).count += 1
                    self.n_references += 1

    def _draw_names(self, node: int, target: Any, held: list[_Holding], depth: int) -> None:
        holders = [
            holder
            for holding in held
            if self._holders.is_namespace(holding.owner)
            for holder in self._holders.of(holding.owner, target)
        ]
        for holder in _merged(holders):
            self.draft.connect(self.draft.add_named(holder, depth), node, [holder.edge])

    def _draw_owners(self, node: int, target: Any, held: list[_Holding], depth: int, reached: list[int]) -> None:
        n_drawn = n_more = 0
        for holding in held:
            if self._holders.is_namespace(holding.owner) or not self._is_kept(holding.owner):
                continue
            owner = self.draft.place(holding.owner, depth, reached) if n_drawn < self._options.too_many else None
            if owner is None:
                n_more += holding.count
                continue
            n_drawn += 1
            self.draft.connect(owner, node, self._labels(holding.owner, target), holding.count)
        if n_more:
            self.draft.connect(self.draft.add_more(n_more, depth), node, (), n_more, dashed=True)

    def _labels(self, owner: Any, target: Any) -> list[str]:
        """How `owner` refers to `target`; nothing where the collector tells only that it does."""
        labels: list[str] = []
        for reference in self._namer.references(owner):
            if reference.target is target:
                labels.append(printable(reference.label, _LABEL_WIDTH))
                if len(labels) == LABELS_SHOWN:
                    break
        return labels

    def _goes_on(self, node: int) -> bool:
        return self._is_followed(node)

    # reading the heap

    def _mine(self, objects: list[Any]) -> list[Any]:
        self._own.append(objects)
        return objects

    def _referrers(self, targets: list[Any], *, reads_all: bool = False) -> list[Any]:
        """What refers to any of `targets`, without this walk's own lists and the frames that run."""
        own = {id(self._starts), id(self.draft.objects), id(self._arrays.arrays), *map(id, self._own)}
        found = read_referrers(targets, own, self._is_late, reads_all=reads_all)
        return self._mine([one for one in found if id(one) not in self._frames])

    def _owners(self, containers: list[Any]) -> dict[int, Any]:
        """What stands behind dictionaries of attributes, cells and tuples of arguments, by the id of these."""
        hidden = self._mine([one for one in containers if self._is_foldable(one)][:_FOLD_AT_MOST])
        if not hidden:
            return {}
        owners: dict[int, Any] = {}
        ids = frozenset(map(id, hidden))
        behind = self._referrers(hidden)
        for owner in behind:
            for part in referents(owner):
                if id(part) in ids and (is_own_dict(owner, part) or _is_part(owner, part)):
                    owners[id(part)] = owner
        closures = self._mine([one for one in behind if type(one) is tuple])
        for function in self._referrers(closures) if closures else ():
            if type(function) is types.FunctionType:
                owners.update((id(cell), function) for cell in function.__closure__ or () if id(cell) in ids)
        return owners

    def _is_foldable(self, obj: Any) -> bool:
        kind = type(obj)
        return kind is types.CellType or kind is tuple or (kind is dict and not self._holders.is_namespace(obj))


_RUNNING: Final = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.FrameType)


def _is_part(owner: Any, part: Any) -> bool:
    """Whether `part` is but how `owner` keeps its locals, defaults or arguments."""
    if type(owner) is types.FunctionType:
        return part is owner.__defaults__ or part is owner.__kwdefaults__
    if type(owner) is functools.partial:
        return part is owner.args or part is owner.keywords
    return type(part) is types.CellType and any(type(owner) is kind for kind in _RUNNING)


def _merged(holders: list[Holder]) -> list[Holder]:
    """`holders`, all that IPython holds under one node."""
    others = [holder for holder in holders if holder.type != "IPython"]
    names = sorted({holder.label for holder in holders if holder.type == "IPython"}, key=_by_fame)
    return [*others, Holder("IPython", ", ".join(names))] if names else others


def _by_fame(name: str) -> tuple[bool, bool, str]:
    """``Out[5]`` first, then ``_``, ``_5``, then what only IPython knows."""
    return not name.startswith(("Out[", "_")), name.startswith("_"), name


def _running_frames() -> Iterator[int]:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        yield id(frame)
        frame = frame.f_back


def _unseen_note(node: ReferenceNode, count: int, is_tracked: bool) -> str:
    who = node.name or f"this {node.type}"
    references = "1 more reference" if count == 1 else f"{count:,} more references"
    places = (
        "a running function or C code" if is_tracked else "a running function, C code or a container of plain values"
    )
    return f"{who} has {references} that the garbage collector cannot see: {places}."
