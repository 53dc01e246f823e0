"""What variables refer to, read for a picture in which values stand inside of boxes.

    reader = BoxReader(BoxLimits())
    before = reader.read({"a": a, "b": b})
    ...
    after = reader.read({"a": a, "b": b})       the same object has the same number
    reader.release()

* A value that cannot change (a number, a text, a function) is words in its slot; any
  other object is a box, and a slot that refers to it is an arrow.
* Until `release`, every object that has a box is held: so a number stays one
  object's, though Python uses addresses again.
* Nothing of the user's is called; bounds are counted in notes.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.reference_names import ReferenceNamer
from jupyter_profkit.engines.safe_repr import describe, exact_name, is_array, printable, type_name, user_repr
from jupyter_profkit.model.object_boxes import BoxPicture, BoxSlot, ObjectBox

__all__ = ["BoxLimits", "BoxReader"]

_MAX_BOXES: Final = 24
_WIDEST_VALUE: Final = 26
_WIDEST_LABEL: Final = 80
_CUT: Final = "…"


@dataclass(frozen=True)
class BoxLimits:
    """How much is read."""

    max_depth: int = 8
    too_many: int = 10
    """Slots of one object; the others are counted."""
    max_boxes: int = _MAX_BOXES
    shortnames: bool = True
    call_repr: bool = False
    """Whether the user's own ``repr`` stands beside a type."""


class BoxReader:
    """Reads pictures of objects, which it numbers.

    Parameters
    ----------
    limits : bounds.
    names : attribute names that objects may have; see `ReferenceNamer`.
    """

    def __init__(self, limits: BoxLimits, names: Iterator[str] | tuple[str, ...] = ()) -> None:
        self._limits = limits
        self._namer = ReferenceNamer(names)
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []
        self._n_deep = 0
        self._n_left_out = 0

    def release(self) -> None:
        """Let go of every object."""
        self._objects.clear()

    def notes(self) -> Iterator[str]:
        """What the pictures leave out."""
        if self._n_deep:
            depth = self._limits.max_depth
            who = "1 object lies" if self._n_deep == 1 else f"{self._n_deep:,} objects lie"
            yield f"{who} deeper than {depth} references and {_CUT} stands for it; -d {depth + 4} goes further."
        if self._n_left_out:
            yield f"A picture has at most {self._limits.max_boxes} boxes; {_CUT} stands for what is left out."
        yield from self._namer.notes()

    def read(self, variables: Mapping[str, Any]) -> BoxPicture:
        """What `variables` refer to now."""
        self._n_deep = self._n_left_out = 0
        picture = _Picture()
        slots = tuple(self._slot(name, value, 1, picture) for name, value in variables.items())
        while picture.waiting:
            number, depth = picture.waiting.popleft()
            picture.boxes[number] = self._box(number, depth, picture)
        return BoxPicture(slots, tuple(picture.boxes.values()))

    def _slot(self, label: str, value: Any, depth: int, picture: _Picture) -> BoxSlot:
        text = _inline(value)
        if text is not None:
            return BoxSlot(label, printable(text, _WIDEST_VALUE))
        number = self._numbers.get(id(value))
        if number is None or number not in picture.known:
            if depth > self._limits.max_depth:
                self._n_deep += 1
                return BoxSlot(label, _CUT)
            if len(picture.known) >= self._limits.max_boxes:
                self._n_left_out += 1
                return BoxSlot(label, _CUT)
            number = self._number(value)
            picture.known.add(number)
            picture.waiting.append((number, depth))
        return BoxSlot(label, target=number)

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    def _box(self, number: int, depth: int, picture: _Picture) -> ObjectBox:
        obj = self._objects[number]
        shape, n_items = _shape(obj)
        slots: list[BoxSlot] = []
        n_more = n_seen = 0
        for label, value in self._parts(obj):
            n_seen += not label.startswith(".")
            if len(slots) < self._limits.too_many:
                slots.append(self._slot(printable(label, _WIDEST_LABEL), value, depth + 1, picture))
                continue
            n_more += 1
            if n_seen < n_items:
                n_more += n_items - n_seen
                break
        kind = type_name(type(obj), short=self._limits.shortnames)
        return ObjectBox(number, kind, self._text(obj, n_items), shape, tuple(slots), n_more, _is_fixed(obj))

    def _parts(self, obj: Any) -> Iterator[tuple[str, Any]]:
        """The slots of an object: a label, and what it refers to."""
        if type(obj) is dict:
            yield from ((f"[{_short(key)}]", value) for key, value in dict.items(obj))
            return
        for reference in self._namer.references(obj):
            label = reference.label
            if label != "key":
                yield label, reference.target
        if is_array(type(obj)) and not obj.dtype.hasobject and obj.ndim == 1:
            yield from ((f"[{number}]", _number(obj[number])) for number in range(obj.size))

    def _text(self, obj: Any, n_items: int) -> str:
        if self._limits.call_repr and n_items < 0:
            text = user_repr(obj)
            if text is not None:
                return text
        if is_array(type(obj)):
            return describe(obj)
        return f"{n_items:,} items" if n_items > self._limits.too_many else ""


class _Picture:
    """One picture while it is read."""

    def __init__(self) -> None:
        self.known: set[int] = set()
        self.waiting: collections.deque[tuple[int, int]] = collections.deque()
        self.boxes: dict[int, ObjectBox] = {}


# What stands inside a slot


_ATOMS: Final = frozenset(
    map(id, (str, int, float, complex, bool, bytes, range, type(None), type(...), type(NotImplemented)))
)
_NAMED: Final = {
    id(types.FunctionType): "function ",
    id(types.BuiltinFunctionType): "function ",
    id(types.MethodDescriptorType): "function ",
}
_TOLD_BY_REPR: Final = frozenset(
    map(
        id,
        (
            decimal.Decimal,
            fractions.Fraction,
            dt.date,
            dt.datetime,
            dt.time,
            dt.timedelta,
        ),
    )
)
"""Values of the standard library whose ``repr`` runs nobody else's code."""

_MODULE_PREFIX: Final = re.compile(r"^\w+\.(?=[\w(])")


def _inline(value: Any) -> str | None:
    """The words for a value that cannot change; None for what has a box."""
    kind = type(value)
    if id(kind) in _ATOMS:
        return repr(value) if kind is range else describe(value)
    if id(kind) in _NAMED:
        return _NAMED[id(kind)] + describe(value)
    if issubclass(kind, type):
        return f"class {describe(value)}"
    if issubclass(kind, types.ModuleType):
        return f"module {describe(value)}"
    if id(kind) in _TOLD_BY_REPR or _is_numpy_scalar(kind):
        return _MODULE_PREFIX.sub("", repr(value))
    return None


_PLAIN_NUMBERS: Final = re.compile(r"bool|u?int\d+|float64|complex128")


def _number(item: Any) -> Any:
    """An item of an array, which says its type already: as Python's own number, if that is the same to the digit."""
    return item.item() if _PLAIN_NUMBERS.fullmatch(item.dtype.name) else item


def _is_numpy_scalar(kind: type) -> bool:
    generic: Any = getattr(sys.modules.get("numpy"), "generic", None)
    return generic is not None and issubclass(kind, generic) and exact_name(kind.__module__) == "numpy"


def _short(key: Any) -> str:
    """A dictionary's key: its value, or that of a tuple of plain values."""
    text = _inline(key)
    if text is not None:
        return text
    if type(key) is tuple and len(key) <= 4:
        return f"({', '.join(map(_short, key))}{',' * (len(key) == 1)})"
    return type_name(type(key))


_SHAPES: Final[tuple[tuple[type, str], ...]] = (
    (dict, "mapping"),
    (list, "sequence"),
    (tuple, "sequence"),
    (collections.deque, "sequence"),
    (set, "set"),
    (frozenset, "set"),
)


def _shape(obj: Any) -> tuple[str, int]:
    """How an object is drawn, and how many items it has; -1 if it has none to count."""
    for base, shape in _SHAPES:
        if issubclass(type(obj), base):
            return shape, int(base.__len__(obj))  # type: ignore[attr-defined]
    if is_array(type(obj)) and obj.ndim == 1:
        return "sequence", int(obj.size)
    return "object", -1


def _is_fixed(obj: Any) -> bool:
    return type(obj) is tuple or type(obj) is frozenset
