"""A reference graph while it grows: objects become numbered descriptions, references edges.

    draft = GraphDraft(DraftOptions(sizes=True), holders)
    y = draft.add(obj, depth=0, role="start", name="y")
    draft.connect(y, draft.place(child, 1, reached), ["[0]"], 1)
    draft.nodes(), draft.edges()

The drawn objects stay in `objects`, one list, so that no address is used twice
while the walk lasts and so that a walk over the heap can leave that list out.
"""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jupyter_profkit.engines.reference_holders import Holder, Holders
from jupyter_profkit.engines.retained import RetainedSizes
from jupyter_profkit.engines.safe_repr import describe, printable, size_of, type_name, user_repr
from jupyter_profkit.model.references import ReferenceEdge, ReferenceNode

__all__ = ["MAX_NODES", "GraphDraft", "Predicates"]

MAX_NODES: Final = 60
"""Objects in a graph; a picture of more helps nobody."""

LABELS_SHOWN: Final = 3
_EDGE_WIDTH: Final = 40
_IMMORTAL: Final = 2**29
_KEPT: Final = (type, types.ModuleType)
"""What does not go when one object lets go of it."""

_NUMBERS: Final = frozenset(map(id, (int, float, complex, bool, type(None))))
"""What Python shares as it likes, and may never free."""

_NAMES_ITSELF: Final = frozenset(
    map(id, (str, int, float, complex, bool, bytes, type(None), types.FunctionType, types.BuiltinFunctionType))
)


class Predicates:
    """The user's own tests, which may fail: an object they fail on does not pass.

    Parameters
    ----------
    keep : objects for which it is false are left out; None keeps all.
    highlight : objects for which it is true stand out; None is none.
    """

    def __init__(self, keep: Callable[[Any], Any] | None = None, highlight: Callable[[Any], Any] | None = None) -> None:
        self._keep = keep
        self._highlight = highlight
        self._failures: dict[str, int] = {}

    @property
    def keeps_all(self) -> bool:
        return self._keep is None

    def keeps(self, obj: object) -> bool:
        return self._keep is None or self._test(self._keep, obj)

    def highlights(self, obj: object) -> bool:
        return self._highlight is not None and self._test(self._highlight, obj)

    def notes(self) -> Iterator[str]:
        for name, count in self._failures.items():
            objects = "1 object" if count == 1 else f"{count:,} objects"
            yield f"A filter or highlight raised {name} on {objects}; these did not pass."

    def _test(self, predicate: Callable[[Any], Any], obj: object) -> bool:
        try:
            return bool(predicate(obj))
        except Exception as error:  # the user's code; counted, and said in a note
            name = type_name(type(error))
            self._failures[name] = self._failures.get(name, 0) + 1
            return False


@dataclass
class _Edge:
    labels: list[str] = field(default_factory=list)
    count: int = 0
    dashed: bool = False

    @property
    def label(self) -> str:
        shown = list(dict.fromkeys(label for label in self.labels if label))[:LABELS_SHOWN]
        rest = f", +{self.count - len(shown):,}" if shown and self.count > len(shown) else ""
        return printable(", ".join(shown), _EDGE_WIDTH) + rest


class GraphDraft:
    """Nodes and edges, added one by one.

    Parameters
    ----------
    holders : tells which variables name an object.
    predicates : tells which objects stand out.
    sizes, shortnames, call_repr : what to tell of an object.
    """

    def __init__(
        self,
        holders: Holders,
        predicates: Predicates,
        *,
        sizes: bool = False,
        shortnames: bool = True,
        call_repr: bool = False,
    ) -> None:
        self._predicates = predicates
        self._sizes, self._shortnames, self._call_repr = sizes, shortnames, call_repr
        self._variables = holders.names_by_id()
        self.objects: list[Any] = []
        """The object of each node; None for a node that is none."""
        self.is_full = False
        """Whether an object found no place any more."""
        self.n_unknown = 0
        """Objects of which it is not known what they retain."""
        self._nodes: list[ReferenceNode] = []
        self._ids: dict[int, int] = {}
        self._named: dict[tuple[str, str], int] = {}
        self._edges: dict[tuple[int, int], _Edge] = {}

    def nodes(self) -> tuple[ReferenceNode, ...]:
        return tuple(self._nodes)

    def edges(self) -> tuple[ReferenceEdge, ...]:
        return tuple(ReferenceEdge(*ends, edge.label, edge.dashed) for ends, edge in self._edges.items())

    def id_of(self, obj: object) -> int | None:
        return self._ids.get(id(obj))

    def add(self, obj: object, depth: int, role: str = "object", name: str = "") -> int:
        """A node for an object that has none yet."""
        node_id = self._ids[id(obj)] = len(self._nodes)
        self.objects.append(obj)
        self._nodes.append(
            ReferenceNode(
                node_id,
                type_name(type(obj), short=self._shortnames),
                self._label(obj),
                role,
                depth,
                size_of(obj) if self._sizes else None,
                highlight=self._predicates.highlights(obj),
                name=printable(name or self._name(obj)),
            )
        )
        return node_id

    def place(self, obj: object, depth: int, reached: list[int]) -> int | None:
        """The node of an object; a new one is put into `reached`. None if the graph is full."""
        node_id = self.id_of(obj)
        if node_id is None:
            if len(self._ids) >= MAX_NODES:
                self.is_full = True
                return None
            node_id = self.add(obj, depth)
            reached.append(node_id)
        return node_id

    def add_named(self, holder: Holder, depth: int) -> int:
        """The node of a named holder: one for a name, however often it is met."""
        key = (holder.type, holder.label)
        if key not in self._named:
            self._named[key] = self._add_other(holder.type, printable(holder.label, 2 * _EDGE_WIDTH), "holder", depth)
        return self._named[key]

    def add_more(self, count: int, depth: int) -> int:
        """A node that stands for references that are not drawn."""
        return self._add_other("", f"{count:,} more", "more", depth)

    def connect(self, source: int, target: int, labels: Sequence[str], count: int = 1, *, dashed: bool = False) -> None:
        """Note that `source` refers to `target` `count` times, by `labels`."""
        edge = self._edges.setdefault((source, target), _Edge(dashed=dashed))
        edge.labels += labels
        edge.count = max(edge.count, count)

    def refcount(self, node_id: int, starts: Sequence[Any]) -> int | None:
        """References to an object from outside of this walk; None if it is immortal.

        What the walk itself holds is not assumed but measured, on an object that
        nobody else knows.
        """
        self.objects.append(object())
        ours = sys.getrefcount(self.objects[-1])
        self.objects.pop()
        count = sys.getrefcount(self.objects[node_id])
        asked = sum(start is self.objects[node_id] for start in starts)
        return None if count > _IMMORTAL else count - ours - asked

    def tell_refcounts(self, starts: Sequence[Any]) -> None:
        for node in self._nodes:
            if node.role in {"start", "object"}:
                self._nodes[node.id] = replace(node, refcount=self.refcount(node.id, starts))

    def tell_retained(self, starts: Sequence[Any], blocked: Collection[int]) -> None:
        """Note for each object what would be freed if it went; the walk's own references do not count."""
        known = Counter(map(id, (*self.objects, *starts)))
        sizes = RetainedSizes(blocked, known)
        for node in self._nodes:
            kind = type(self.objects[node.id])
            if node.role in {"start", "object"} and not issubclass(kind, _KEPT) and id(kind) not in _NUMBERS:
                retained = sizes.of(self.objects[node.id])
                self.n_unknown += retained is None
                self._nodes[node.id] = replace(node, retained=retained)

    def _add_other(self, kind: str, label: str, role: str, depth: int) -> int:
        self.objects.append(None)
        self._nodes.append(ReferenceNode(len(self._nodes), kind, label, role, depth))
        return len(self._nodes) - 1

    def _label(self, obj: object) -> str:
        text = user_repr(obj) if self._call_repr else None
        return describe(obj) if text is None else text

    def _name(self, obj: object) -> str:
        """The variable that names an object, unless the object tells its own name or value."""
        if id(type(obj)) in _NAMES_ITSELF or issubclass(type(obj), (type, types.ModuleType)):
            return ""
        return self._variables.get(id(obj), "")
