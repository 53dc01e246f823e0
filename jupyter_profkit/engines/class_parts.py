"""What Python makes along with a class, and a reader takes for one thing with it: methods, descriptors, fields.

    parts = ClassParts(objects)
    parts.note(id(method), id(Point))       each object after the one from which it was reached
    parts.whole_of(id(method))              id(Point)

What the class keeps for its user (a registry, a default, a constant) is no part of it.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any, Final

from jupyter_profkit.engines.advice import is_users_class
from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.safe_repr import exact_name

__all__ = ["ClassParts"]

_DEFINED: Final = frozenset(
    map(
        id,
        (
            *(types.FunctionType, types.CellType, property, classmethod, staticmethod, functools.cached_property),
            *(types.GetSetDescriptorType, types.MemberDescriptorType),
        ),
    )
)
_HOLD_PARTS: Final = frozenset(map(id, (types.FunctionType, property, classmethod, staticmethod)))


class ClassParts:
    """Tells the parts of classes.

    Parameters
    ----------
    objects : what may be one, by id; this very dictionary is used as long as objects are noted.
    """

    def __init__(self, objects: Mapping[int, Any]) -> None:
        self._objects = objects
        self._whole: dict[int, int] = {}
        self._deep: set[int] = set()
        """Parts of which all that is behind them is the class's: ``__dataclass_fields__`` and the like."""

    def note(self, key: int, parent: int | None) -> None:
        """Find out what an object, by id, is a part of; `parent` was noted before."""
        if parent is None:
            return
        holder, obj = self._objects[parent], self._objects[key]
        whole = parent if issubclass(type(holder), type) else self._whole.get(parent)
        if whole is None or issubclass(type(obj), type):
            return
        is_deep = parent in self._deep or _has_name_of_pythons(self._objects[whole], obj)
        is_deep = is_deep and not is_users_class(type(obj))
        if is_deep:
            self._deep.add(key)
        if is_deep or _is_defined(self._objects[whole], holder, obj):
            self._whole[key] = whole

    def whole_of(self, key: int) -> int | None:
        """The id of the class of which an object is a part."""
        return self._whole.get(key)


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
