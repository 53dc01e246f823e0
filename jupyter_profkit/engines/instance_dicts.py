"""Where an instance keeps its attributes, found out without building anything.

    has_dict(type(obj))             may it have a ``__dict__`` at all
    is_own_dict(obj, value)         is this dictionary the one
    own_dict_of(obj)                the dictionary, built if need be

* Since Python 3.11 the attributes of an instance of a class written in Python stand
  in an array of values, and its ``__dict__`` is built when it is first read, for good.
* Other types have a place for a dictionary, which the collector shows once it is there.
* A name is asked of an object only where that runs no descriptor.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any, Final

from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import module_dict, mro_dicts

__all__ = ["class_value", "has_dict", "has_inline_values", "is_own_dict", "is_plain", "members", "own_dict_of"]

_ABSENT: Final = object()
_INLINE_VALUES: Final = 1 << 2 if sys.version_info >= (3, 13) else 1 << 4
"""Py_TPFLAGS_INLINE_VALUES; before 3.13, Py_TPFLAGS_INLINE_VALUES meant the same."""

_type_flags = type.__dict__["__flags__"].__get__


def has_dict(kind: type) -> bool:
    """Whether instances of `kind` may have a ``__dict__``."""
    return bool(type.__dict__["__dictoffset__"].__get__(kind))


def has_inline_values(kind: type) -> bool:
    """Whether instances of `kind` may have attributes without a dictionary."""
    return bool(_type_flags(kind) & _INLINE_VALUES)


def is_own_dict(obj: Any, value: Any) -> bool:
    """Whether `value` is the dictionary in which `obj` keeps its attributes, as far as one can tell.

    Nothing is built to find out: every entry must be an attribute of `obj`, or have the name
    of a descriptor that is not asked. An empty dictionary could be either, and counts as no; so
    does one with nothing but names that the class computes, and stores elsewhere.
    """
    if type(value) is not dict or not value or not has_dict(type(obj)):
        return False
    kind = type(obj)
    if issubclass(kind, type):
        return any(value is held for held in referents(type.__dict__["__dict__"].__get__(obj)))
    if issubclass(kind, types.ModuleType):
        return value is module_dict(obj)
    try:
        found = [_is_attribute(obj, kind, name, held) for name, held in dict.items(value)]
    except RuntimeError:  # another thread changes it
        return False
    return any(found) and False not in found


def _is_attribute(obj: Any, kind: type, name: Any, value: Any) -> bool | None:
    """Whether `obj` keeps `value` under a name; None if that cannot be asked without running a descriptor."""
    if type(name) is not str:
        return False
    if not is_plain(kind, name):  # a cached property stands in the dictionary, a trait of traitlets does not
        return None if any("__set__" in mine for mine in mro_dicts(type(class_value(kind, name)))) else True
    try:
        return object.__getattribute__(obj, name) is value
    except AttributeError:
        return False


def own_dict_of(obj: Any) -> dict[str, Any]:
    """The ``__dict__`` of `obj`, built if need be, past any property of that name."""
    for namespace in mro_dicts(type(obj)):
        descriptor = namespace.get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType:
            found = descriptor.__get__(obj)
            return found if issubclass(type(found), dict) else {}
    return {}


def is_plain(kind: type, name: str) -> bool:
    """Whether getting `name` from an instance of `kind` runs no descriptor."""
    for namespace in mro_dicts(kind):
        if name in namespace:
            return not any("__get__" in mine for mine in mro_dicts(type(namespace[name])))
    return True


def class_value(kind: type, name: str) -> object:
    """What the class has under `name`; its instances then need not have it themselves."""
    return next((namespace[name] for namespace in mro_dicts(kind) if name in namespace), _ABSENT)


def members(obj: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The slots of `obj`, those of built-in types included."""
    for namespace in mro_dicts(kind):
        for name, descriptor in list(namespace.items()):
            if type(descriptor) is types.MemberDescriptorType and name != "__dict__":
                try:
                    yield name, descriptor.__get__(obj)
                except AttributeError:
                    continue
