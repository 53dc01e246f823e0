"""What a reader takes for one thing: a class with what Python makes for it, a table of pandas with its blocks.

    wholes = Wholes(objects)
    wholes.note(id(method), id(Point))      each object after the one from which it was reached
    wholes.of(id(method))                   id(Point)

What a class keeps for its user (a registry, a default, a constant) is no part of it, nor
what a table has among its objects, or as ``attrs``.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Mapping
from typing import Any, Final

from jupyter_profkit.engines.advice import is_users_class
from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.library_readers import keeps_to_itself
from jupyter_profkit.engines.safe_repr import exact_name, is_array, type_name

__all__ = ["Wholes"]


def _ids(*kinds: type) -> frozenset[int]:
    return frozenset(map(id, kinds))


_DEFINED: Final = _ids(
    *(types.FunctionType, types.CellType, property, classmethod, staticmethod, functools.cached_property),
    *(types.GetSetDescriptorType, types.MemberDescriptorType),
)
_HOLD_PARTS: Final = _ids(types.FunctionType, property, classmethod, staticmethod)
_INSIDE_TABLES: Final = _ids(dict, list, tuple, slice, range, weakref.ReferenceType)
_LIBRARIES: Final = ("pandas.", "numpy.", "pyarrow.")


class Wholes:
    """Tells of what objects are parts.

    Parameters
    ----------
    objects : what may be one, by id; this very dictionary is used as long as objects are noted.
    """

    def __init__(self, objects: Mapping[int, Any]) -> None:
        self._objects = objects
        self._whole: dict[int, int] = {}
        self._deep: set[int] = set()
        """Parts of classes of which all that is behind them is the class's: ``__dataclass_fields__`` and the like."""

    def note(self, key: int, parent: int | None) -> None:
        """Find out what an object, by id, is a part of; `parent` was noted before."""
        if parent is None:
            return
        holder, obj = self._objects[parent], self._objects[key]
        whole = self._whole.get(parent, parent)
        thing = self._objects[whole]
        if issubclass(type(thing), type):
            is_part = self._is_part_of_class(key, parent)
        else:
            is_part = keeps_to_itself(type(thing)) and _is_part_of_table(thing, holder, obj)
        if is_part:
            self._whole[key] = whole

    def of(self, key: int) -> int | None:
        """The id of that of which an object is a part."""
        return self._whole.get(key)

    def _is_part_of_class(self, key: int, parent: int) -> bool:
        obj, whole = self._objects[key], self._objects[self._whole.get(parent, parent)]
        if issubclass(type(obj), type):
            return False
        is_deep = parent in self._deep or _has_name_of_pythons(whole, obj)
        if is_deep and not is_users_class(type(obj)):
            self._deep.add(key)
            return True
        return _is_defined(whole, self._objects[parent], obj)


def _has_name_of_pythons(whole: type, obj: Any) -> bool:
    """Whether the class has an object under a name with underscores before it, as Python gives; of methods only one."""
    namespace = list(type.__dict__["__dict__"].__get__(whole).items())
    names = [exact_name(name) for name, value in namespace if value is obj]
    is_function = type(obj) is types.FunctionType
    return any(name == "__repr__" if is_function else name.startswith("__") for name in names)


def _is_defined(whole: type, holder: Any, obj: Any) -> bool:
    kind = id(type(obj))
    if kind in _DEFINED:
        return True
    if kind == id(dict):
        return is_own_dict(whole, obj) or id(type(holder)) in _HOLD_PARTS
    return kind == id(tuple) and (issubclass(type(holder), type) or id(type(holder)) in _HOLD_PARTS)


def _is_part_of_table(table: Any, holder: Any, obj: Any) -> bool:
    if type(obj) is dict and obj is _attrs_of(table):
        return False
    if id(type(obj)) in _INSIDE_TABLES:
        return not is_array(type(holder))
    return type_name(type(obj), short=False).startswith(_LIBRARIES)


def _attrs_of(table: Any) -> Any:
    try:
        return object.__getattribute__(table, "_attrs")
    except AttributeError:  # an index has none
        return None
