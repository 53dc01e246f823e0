"""Which statement ends a chain of references: the closest cut that harms nothing else.

    cut = cut_inside("x", [Link(dict_, ["['k']"], obj)])      Cut("del x['k']", 0)
    forget_outputs(["_3"], [3], ["_3"], [])                 '%xdel _3'

* A cut inside a container or an instance of the user's own class is preferred: it
  loses one entry, not the whole variable. Parts of a library's object are not
  suggested: they belong to the library.
* Only if there is none, the name itself goes. Which statement does that differs:
  ``del x`` for a variable; ``%xdel _3`` for what was displayed, since IPython keeps
  it in up to seven places and ``%reset out`` misses some of them.
"""

from __future__ import annotations

import ast
import collections
import functools
import keyword
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from jupyter_profkit.engines.instance_dicts import class_value, has_dict
from jupyter_profkit.engines.safe_repr import exact_name, module_dict, mro_dicts
from jupyter_profkit.source import is_user_file

__all__ = [
    "Cut",
    "Link",
    "cut_inside",
    "forget_last_error",
    "forget_outputs",
    "is_users_class",
    "is_users_module",
    "module_expression",
    "written",
]

_DELETE: Final = frozenset(map(id, (dict, collections.OrderedDict, collections.defaultdict)))
_REPLACE: Final = frozenset(map(id, (list, collections.deque)))
_TRANSPARENT: Final = (tuple,)
_UNWRAPPED: Final = (classmethod, staticmethod)
"""A class gives the function in them under their own name."""
_GIVE_THEMSELVES: Final = (
    types.FunctionType,
    property,
    functools.cached_property,
    functools._lru_cache_wrapper,
    *_UNWRAPPED,
)
"""What a class gives as it stands, although it is a descriptor."""
_GIVE_FIELDS: Final = (types.MemberDescriptorType, types.GetSetDescriptorType, functools.cached_property)
"""What gives of an instance what it keeps."""
_MANY: Final = 3
_type_module = type.__dict__["__module__"].__get__


@dataclass
class Link:
    """One step of a chain, with the live owner."""

    owner: Any
    labels: list[str]


class Cut(NamedTuple):
    """A statement, and the number of the link that it cuts."""

    statement: str
    link: int


def cut_inside(root: str, links: Sequence[Link], *, keeps_places: bool = True) -> Cut | None:
    """The cut closest to the object, None if only the name itself can go.

    Parameters
    ----------
    root : the expression that names the owner of the first link; empty if there is none.
    links : the chain, from the named object to the one that should go.
    keeps_places : whether what goes out of a list leaves None behind, so that the others
        stay where they are; a list of a library's, whose items are called, cannot have that.
    """
    found: Cut | None = None
    expression = root
    for number, link in enumerate(links):
        if not expression or not _may_be_changed(link.owner):
            break
        statement = _statement(expression, link, keeps_places=keeps_places)
        if statement:
            found = Cut(statement, number)
        accessor = written(link.labels[0]) if link.labels and _reads_back(link) else ""
        if type(link.owner) not in _UNWRAPPED:
            expression = f"{expression}{accessor}" if accessor else ""
    return found


def _statement(expression: str, link: Link, *, keeps_places: bool) -> str:
    kind = type(link.owner)
    if kind is functools._lru_cache_wrapper:
        return f"{expression}.cache_clear()"
    accessors = [written(label) for label in link.labels]
    if not accessors or not all(accessors) or len(accessors) > _MANY:
        return ""
    places = [f"{expression}{accessor}" for accessor in accessors]
    if id(kind) in _REPLACE and not keeps_places:
        return f"del {', '.join(reversed(places))}"
    if id(kind) in _REPLACE or _is_writable_array(link.owner):
        return f"{' = '.join(places)} = None"
    if id(kind) in _DELETE or all(_is_own_attribute(link.owner, label) for label in link.labels):
        return f"del {', '.join(places)}"
    return ""


def _reads_back(link: Link) -> bool:
    """Whether the label, written behind an expression for the owner, gives what the owner keeps there."""
    label = link.labels[0]
    if not label.startswith(".") or type(link.owner) in _UNWRAPPED:
        return True
    owner, is_class = link.owner, issubclass(type(link.owner), type)
    if _is_overridden("__getattribute__", type(owner)):
        return False
    value = class_value(owner if is_class else type(owner), label[1:])
    known = _GIVE_THEMSELVES if is_class else _GIVE_FIELDS
    return type(value) in known or not any("__get__" in names for names in mro_dicts(type(value)))


def _is_overridden(method: str, kind: type) -> bool:
    """Whether a class written in Python does itself what `method`, which every object has, does."""
    return type(class_value(kind, method)) is not types.WrapperDescriptorType


def written(label: str) -> str:
    """`label` as it is written behind an expression, empty if it cannot be."""
    if label.startswith("."):
        return label if label[1:].isidentifier() and not keyword.iskeyword(label[1:]) else ""
    if not (label.startswith("[") and label.endswith("]")):
        return ""
    try:
        ast.literal_eval(label[1:-1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # a key that was cut, or is no plain value
        return ""
    return label


def _may_be_changed(owner: Any) -> bool:
    kind = type(owner)
    if id(kind) in _DELETE | _REPLACE or kind in _TRANSPARENT or kind is functools._lru_cache_wrapper:
        return True
    if _is_array(owner) or kind in _UNWRAPPED:
        return True
    return is_users_class(owner if issubclass(kind, type) else kind)


def _is_array(owner: Any) -> bool:
    """Whether it is an array of NumPy's own type, so that to put something in runs no code of the user's."""
    return type(owner) is getattr(sys.modules.get("numpy"), "ndarray", None)


def _is_writable_array(owner: Any) -> bool:
    return _is_array(owner) and bool(owner.flags.writeable)


def is_users_class(cls: type) -> bool:
    """Whether a class is defined in the notebook or in a file of the user's."""
    try:
        name = exact_name(_type_module(cls))
    except AttributeError:
        return False
    return name == "__main__" or is_users_module(sys.modules.get(name))


def is_users_module(module: object) -> bool:
    """Whether it is a module of a file of the user's."""
    if not issubclass(type(module), types.ModuleType):
        return False
    filename = module_dict(module).get("__file__")  # type: ignore[arg-type]
    return type(filename) is str and is_user_file(filename)


def _is_own_attribute(owner: Any, label: str) -> bool:
    """Whether ``del owner.name`` deletes an attribute, and runs no code of the class."""
    if not label.startswith("."):
        return False
    kind = type(owner)
    if _is_overridden("__delattr__", kind):
        return False
    if issubclass(kind, type):
        return True
    for namespace in mro_dicts(kind):
        if label[1:] in namespace:
            kind_of_value = type(namespace[label[1:]])
            if kind_of_value is types.MemberDescriptorType:
                return "__slots__" in namespace
            return not any("__set__" in mine for mine in mro_dicts(kind_of_value))
    return has_dict(kind)


def module_expression(module: str, attribute: str) -> tuple[str, str]:
    """What to import, and the expression for an attribute of a module."""
    if all(part.isidentifier() for part in module.split(".")):
        return f"import {module}; ", f"{module}{attribute}"
    return "import sys; ", f"sys.modules[{module!r}]{attribute}"


def forget_last_error() -> str:
    """The statement that lets go of the last error, and with it of the locals of its functions."""
    names = [name for name in ("last_exc", "last_value", "last_traceback") if hasattr(sys, name)]
    places = [*(f"sys.{name}" for name in names), "get_ipython().InteractiveTB.tb"]
    return f"import sys; {' = '.join(places)} = None"


def forget_outputs(names: Sequence[str], outputs: Sequence[int], hidden: Sequence[str], hooks: Sequence[str]) -> str:
    """The statement after which IPython holds a displayed object no more.

    Parameters
    ----------
    names : output names of the notebook that are bound to it, as ``_3``.
    outputs : numbers in ``Out``.
    hidden : names under which only IPython knows it.
    hooks : attributes of the display hook.
    """
    numbered = [name for name in names if name.strip("_")]
    if numbered:  # the one name that the next output does not change
        return f"%xdel {numbered[0]}"
    parts = [  # no expressions: their values would be displayed, and kept
        *(f"del {name}" for name in names),
        *(f"del _oh[{number}]" for number in outputs),
        *(f"del get_ipython().user_ns_hidden[{name!r}]" for name in hidden),
        *(f"get_ipython().displayhook.{name} = None" for name in hooks),
    ]
    return "; ".join(parts)
