"""By what name one object refers to another: attribute, key, index, closure variable.

    namer = ReferenceNamer(names=["name", "big"])
    for reference in namer.references(obj):
        reference.label, reference.target

* What built-in types hold is read by `reference_readers`.
* Since Python 3.11 an instance keeps its attributes without a ``__dict__``, and
  the collector tells their values only. Reading ``__dict__`` would build one, for
  good. So names are guessed from the class, its code and the notebook's, and each
  guess is checked with ``object.__getattribute__``, which builds nothing. Names that
  would run a descriptor are not tried. ``__dict__`` is read only if the collector
  tells more references than were named; `n_touched` counts those objects.
* The local variables of a generator or frame: the collector tells their values, in
  order, but not which variables are unbound, nor where the values end that are only
  being worked with. Where that leaves a doubt, the frame is asked; `n_asked` counts.
* An object's class, a function's globals and code are not followed; `n_hidden` counts.
"""

from __future__ import annotations

import dis
import itertools
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any, Final

from jupyter_profkit.engines.instance_dicts import (
    class_value,
    has_dict,
    has_inline_values,
    is_own_dict,
    is_plain,
    members,
    own_dict_of,
)
from jupyter_profkit.engines.library_readers import keeps_to_itself
from jupyter_profkit.engines.reference_readers import (
    READERS,
    Reference,
    attribute,
    bare,
    content,
    getters,
    local,
    place,
    variables,
)
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import mro_dicts

__all__ = ["Reference", "ReferenceNamer", "names_in_code"]

_RUNNING: Final = {
    id(types.GeneratorType): ("gi_frame", "gi_yieldfrom"),
    id(types.CoroutineType): ("cr_frame", "cr_await"),
    id(types.AsyncGeneratorType): ("ag_frame", "ag_await"),
    id(types.FrameType): ("", ""),
}
"""What has local variables; where its frame is, and what it waits for."""

_N_HIDDEN: Final = {id(types.FunctionType): len(("globals", "builtins", "code"))}

_PYTHONS_OWN: Final = ("_name_", "_value_", "_sort_order_", "__objclass__", "__orig_class__", "__wrapped__")
"""Attributes that Python's own machinery sets, and no code of the class tells."""


class ReferenceNamer:
    """Names the references that objects hold.

    Parameters
    ----------
    names : attribute names that objects may have, besides those that their classes tell.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = tuple(dict.fromkeys(itertools.chain(names, _PYTHONS_OWN)))
        self._names_of_class: dict[int, tuple[str, ...]] = {}
        self.n_touched = 0
        """Objects whose ``__dict__`` had to be read."""
        self.n_asked = 0
        """Suspended functions whose frame had to be asked for its variables."""
        self.n_numbered = 0
        """References that have no name, only a place."""
        self.n_hidden = 0
        """References to the class of an object, and to the globals and code of a function."""

    def notes(self) -> Iterator[str]:
        """What had to be touched, and what has no name."""
        if self.n_touched:
            who = "1 object" if self.n_touched == 1 else f"{self.n_touched:,} objects"
            yield f"To name all attributes, the __dict__ of {who} was read, which Python then keeps with them."
        if self.n_asked:
            who = "1 suspended function" if self.n_asked == 1 else f"{self.n_asked:,} suspended functions"
            yield f"To name local variables, the frame of {who} was asked for, which Python then keeps with them."
        if self.n_numbered:
            yield "An arrow with #0, #1, … has no name: C code holds it, in that place of gc.get_referents."

    def references(self, obj: object) -> Iterator[Reference]:
        """Every reference that `obj` holds, as far as the collector can see, in its own order."""
        kind = type(obj)
        try:
            read = READERS.get(id(kind))
            if read is not None:
                self.n_hidden += _N_HIDDEN.get(id(kind), 0)
                yield from read(obj)
            elif id(kind) in _RUNNING:
                yield from self._of_running(obj)
            else:
                yield from self._of_instance(obj, kind)
        except RuntimeError:  # another thread changed the container meanwhile: what was read stands
            return

    # instances

    def _of_instance(self, obj: Any, kind: type) -> Iterator[Reference]:
        if issubclass(kind, (type, types.ModuleType)) or keeps_to_itself(kind):
            yield from content(obj, kind)
            return
        unnamed = _Unnamed(obj)
        self.n_hidden += unnamed.take(kind)
        for reference in content(obj, kind):
            unnamed.take(reference.target)
            yield reference
        yield from self._attributes(obj, kind, unnamed)
        if unnamed:
            unnamed.take_keys(obj, kind)
        for number, target in unnamed.left():
            if target is not None:
                self.n_numbered += 1
                yield Reference(place, number, target)

    def _attributes(self, obj: Any, kind: type, unnamed: _Unnamed) -> Iterator[Reference]:
        """The attributes of `obj` whose values are among `unnamed`; its dictionary is taken out of there."""
        named: set[str] = set()
        for name, value in itertools.chain(members(obj, kind), getters(obj, kind), self._inline(obj, kind)):
            if name not in named and unnamed.take(value):
                named.add(name)
                yield Reference(attribute, name, value)
        for name, value in self._own_dict(obj, kind, unnamed).items():
            if name not in named:
                unnamed.take(value)
                yield Reference(attribute, name, value)

    def _own_dict(self, obj: Any, kind: type, unnamed: _Unnamed) -> dict[str, Any]:
        """The dictionary of `obj`, if names are missing; built only where there is no other way to them."""
        if not unnamed or not has_dict(kind):
            return {}
        dicts = [value for _, value in unnamed.left() if type(value) is dict]
        own = next((value for value in dicts if is_own_dict(obj, value)), None)
        if own is None:
            if not has_inline_values(kind) and not dicts:
                return {}  # a type that shows its dictionary to the collector, and has none yet
            own = own_dict_of(obj)
            self.n_touched += not any(own is one for one in dicts)
        unnamed.take(own)
        return dict(own)

    def _inline(self, obj: Any, kind: type) -> Iterator[tuple[str, Any]]:
        """Attributes that are there under a guessed name."""
        if not has_dict(kind):
            return
        for name in self._candidates(kind):
            try:
                value = object.__getattribute__(obj, name)
            except AttributeError:
                continue
            if value is not class_value(kind, name):
                yield name, value

    def _candidates(self, kind: type) -> tuple[str, ...]:
        """Names to try on instances of `kind`: those that run no descriptor."""
        found = self._names_of_class.get(id(kind))
        if found is None:
            names = dict.fromkeys(itertools.chain(_names_in_class(kind), self._names))
            found = self._names_of_class[id(kind)] = tuple(name for name in names if is_plain(kind, name))
        return found

    # local variables

    def _of_running(self, obj: Any) -> Iterator[Reference]:
        """The locals of a frame, generator or coroutine, then what it works with or waits for."""
        code, values = _values_of(obj)
        if code is None or not values:
            return
        names = variables(code)
        if _are_all_bound(code):
            known = dict(zip(names, map(_unpacked, values), strict=False))
            rest = values[len(names) :]
        else:
            known, rest = self._asked(obj, code), values
        told = set(map(id, known.values()))
        for name, value in known.items():
            if value is not _EMPTY:
                yield Reference(local, name, value)
        for value in map(_unpacked, rest):
            if id(value) not in told and value is not _EMPTY:
                yield Reference(bare, self._use(obj, value), value)

    def _asked(self, obj: Any, code: types.CodeType) -> dict[str, Any]:
        """The variables as the frame tells them; no copy of them is left in it."""
        frame = obj if type(obj) is types.FrameType else getattr(obj, _RUNNING[id(type(obj))][0])
        if frame is None:
            return {}
        kept = [one for one in referents(obj) if type(one) is dict and one]  # a debugger's copy stays
        self.n_asked += type(obj) is not types.FrameType
        found = frame.f_locals
        known = dict(found)
        is_copy = sys.version_info < (3, 13) and code.co_flags & _OPTIMIZED
        if is_copy and not any(found is one for one in kept):
            found.clear()  # it would keep every value as long as the frame lives
        return known

    def _use(self, obj: Any, value: Any) -> str:
        waits_for = _RUNNING[id(type(obj))][1]
        return f".{waits_for}" if waits_for and getattr(obj, waits_for) is value else "in use"


_OPTIMIZED: Final = 1
"""CO_OPTIMIZED: local variables stand in the frame, and not in a dictionary."""

_HAS_ARGUMENTS: Final = 4
_HAS_KEYWORDS: Final = 8
_DELETE_FAST: Final = dis.opmap["DELETE_FAST"]
_EMPTY: Final = object()


def _values_of(obj: Any) -> tuple[types.CodeType | None, list[Any]]:
    """The code of a frame or generator, and the values in it: variables first."""
    held = referents(obj)
    last = max((number for number, one in enumerate(held) if type(one) is types.CodeType), default=-1)
    if last < 0:
        return None, []
    return held[last], held[last + 1 :]


def _are_all_bound(code: types.CodeType) -> bool:
    """Whether no variable of `code` can be without a value: there are arguments only, and cells."""
    n_arguments = code.co_argcount + code.co_kwonlyargcount
    n_arguments += bool(code.co_flags & _HAS_ARGUMENTS) + bool(code.co_flags & _HAS_KEYWORDS)
    return len(code.co_varnames) == n_arguments and _DELETE_FAST not in code.co_code[::2]


def _unpacked(value: Any) -> Any:
    if type(value) is not types.CellType:
        return value
    return next(iter(referents(value)), _EMPTY)


class _Unnamed:
    """What the collector sees an object refer to, how often, and what of it has a name by now."""

    def __init__(self, obj: Any) -> None:
        self._held = referents(obj)
        self._counts: dict[int, int] = {}
        for target in self._held:
            self._counts[id(target)] = self._counts.get(id(target), 0) + 1
        self._n_left = len(self._held)

    def __bool__(self) -> bool:
        return self._n_left > 0

    def take(self, target: Any) -> bool:
        """Count one reference to `target` as named; False if all of them are, or there is none."""
        count = self._counts.get(id(target), 0)
        if not count:
            return False
        self._counts[id(target)] = count - 1
        self._n_left -= 1
        return True

    def take_keys(self, obj: Any, kind: type) -> None:
        """The keys of a dictionary: plain ones are told in the labels of their values."""
        if issubclass(kind, dict):
            for key in dict.keys(obj):
                self.take(key)

    def left(self) -> Iterator[tuple[int, Any]]:
        """What has no name, each with its place."""
        counts = dict(self._counts)
        for number, target in enumerate(self._held):
            if counts[id(target)]:
                counts[id(target)] -= 1
                yield number, target


def names_in_code(code: types.CodeType) -> Iterator[str]:
    """Attribute names that a piece of code, and the functions inside it, may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            yield from names_in_code(constant)


def _names_in_class(kind: type) -> Iterator[str]:
    """Names that the bodies and methods of a class tell, most reliable first."""
    for namespace in mro_dicts(kind):
        for key in ("__static_attributes__", "__annotations__"):
            declared = namespace.get(key)
            if type(declared) is tuple or type(declared) is dict:
                yield from (name for name in declared if type(name) is str)
    for namespace in mro_dicts(kind):
        for value in list(namespace.values()):
            for code in _codes(value):
                yield from names_in_code(code)
        yield from (name for name in namespace if type(name) is str)


def _codes(value: Any) -> Iterator[types.CodeType]:
    kind = type(value)
    if kind is types.FunctionType:
        yield value.__code__
    elif kind in {classmethod, staticmethod}:
        yield from _codes(value.__func__)
    elif kind is property:
        yield from itertools.chain(_codes(value.fget), _codes(value.fset))
