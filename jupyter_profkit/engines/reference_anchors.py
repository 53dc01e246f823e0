"""Finding drawn objects again, without keeping one of them alive.

    anchor = anchor_of(obj)         a weak reference, or an address to be checked
    found = find_again(anchor, namespace)
    live_references(graph)          what can be walked further from a drawn graph, in this process

A weak reference tells surely. What takes none (lists, dictionaries) is looked for
among the variables and in what referred to it when it was drawn; only of what nothing
is known that did, among all objects that the collector tracks. It is there if something
of the same type is at that address: in the same place that is the same object, unless
another one has taken over both.
"""

from __future__ import annotations

import dataclasses
import gc
import types
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_profkit.engines.library_readers import library_reader
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import type_name
from jupyter_profkit.errors import TargetError

if TYPE_CHECKING:
    from jupyter_profkit.engines.references import Walk, WalkOptions
    from jupyter_profkit.model.references import ReferenceGraph

__all__ = ["Anchor", "LiveReferences", "anchor_of", "find_again", "keep_live", "live_references"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where an object was."""

    address: int
    type: str
    reference: Any = None
    """A weak reference, if it takes one."""


def anchor_of(obj: Any) -> Anchor | None:
    """How to find `obj` again; None where a node is no object."""
    if obj is None:
        return None
    try:
        reference = weakref.ref(obj)
    except TypeError:
        reference = None
    return Anchor(id(obj), type_name(type(obj), short=False), reference)


def find_again(anchor: Anchor, namespace: Mapping[str, Any], near: Collection[Anchor] = ()) -> list[Any]:
    """A list of the object, empty if it is gone; a list, since the object may be anything.

    Parameters
    ----------
    anchor : where it was.
    namespace : the variables, which are looked at first.
    near : what referred to it: a string or a number is known by that alone.
    """
    if anchor.reference is not None:
        found = anchor.reference()
        return [] if found is None else [found]
    for places in _places(namespace, near):
        for obj in places:
            if id(obj) == anchor.address and type_name(type(obj), short=False) == anchor.type:
                return [obj]
    return []


def _places(namespace: Mapping[str, Any], near: Collection[Anchor]) -> Iterator[list[Any]]:
    yield list(namespace.values())
    for neighbour in near:
        for found in find_again(neighbour, namespace):
            yield from _held(found)
    if not near:  # else it is not where it was, and what is at its address may be anything
        yield gc.get_objects()


def _held(obj: Any) -> Iterator[list[Any]]:
    """What an object refers to, and what it does through what a drawing leaves out: dictionaries, cells, tuples."""
    read = library_reader(type(obj))
    if read is not None:
        yield [target for _, target in read(obj)]
    direct = list(referents(obj))
    yield direct
    yield [one for inner in direct if id(type(inner)) in _FOLDED for one in referents(inner)]


_FOLDED = frozenset(map(id, (dict, tuple, types.CellType, types.MethodType)))
"""By id: comparing a type may ask its metaclass."""


@dataclass(frozen=True)
class LiveReferences:
    """What a graph was drawn from, as long as this process and the objects live."""

    anchors: tuple[Anchor | None, ...]
    """Of each node."""
    options: WalkOptions
    names: tuple[str, ...]
    """What the objects were called that were asked about; these are the first nodes."""
    n_starts: int = 1
    shell: Any = None
    """Whose names are told; a namespace that a caller passed is not kept."""

    def again(self, max_depth: int, too_many: int) -> Walk:
        """The same walk from the same objects, with other bounds.

        Raises
        ------
        TargetError
            If none of the objects is there any more.
        """
        starts = [anchor for anchor in self.anchors[: self.n_starts] if anchor is not None]
        return self._walk(starts, self.names, max_depth, too_many)

    def further(self, anchor: Anchor | None, too_many: int, near: Collection[Anchor] = ()) -> Walk:
        """One step on from an object; `near` are those that referred to it.

        Raises
        ------
        TargetError
            If it is gone, or the node is no object.
        """
        if anchor is None:
            raise TargetError("this is no object that can be followed")
        return self._walk([anchor], (), 1, too_many, near)

    def _walk(
        self,
        starts: Sequence[Anchor],
        names: Sequence[str],
        max_depth: int,
        too_many: int,
        near: Collection[Anchor] = (),
    ) -> Walk:
        from jupyter_profkit.engines.reference_holders import Holders
        from jupyter_profkit.engines.references import walk_references

        holders = Holders(self.shell)
        objects: list[Any] = []
        for start in starts:
            objects += find_again(start, holders.namespace, near)
        if not objects:
            what = starts[0].type.rpartition(".")[2] if starts else "object"
            raise TargetError(
                f"this {what} is gone: {'it is not where it was' if near else 'nothing keeps it alive'} any more"
            )
        options = dataclasses.replace(self.options, max_depth=max_depth, too_many=too_many)
        return walk_references(objects, holders, options, names if len(objects) == len(names) else ())


_live: dict[int, LiveReferences] = {}
"""By the id of a graph, as long as it is there."""


def keep_live(graph: ReferenceGraph, live: LiveReferences) -> None:
    """Remember, as long as `graph` is there, how to walk on from it."""
    _live[id(graph)] = live
    weakref.finalize(graph, _live.pop, id(graph), None).atexit = False


def live_references(graph: ReferenceGraph) -> LiveReferences | None:
    """How to walk on from `graph`; None for one of another process."""
    return _live.get(id(graph))
