"""Who may own memory in a notebook, in the order of their claims.

    cast = notebook_owners(shell, namespace)
    cast.owners[0]          NotebookOwner("variable", Owner("df", [df]))
    cast.blocked            containers that belong to nobody: the namespace, those of modules

Variables come first, then what IPython keeps (outputs, the last error, history, itself),
then modules with their classes and code, then every other object the collector knows.
The shell is any object with IPython's attributes; nothing of IPython is imported.
"""

from __future__ import annotations

import gc
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_profkit.engines.advice import is_users_class
from jupyter_profkit.engines.holdings import Owner
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import exact_name, module_dict, mro_dicts
from jupyter_profkit.source import is_user_file

__all__ = ["Cast", "NotebookOwner", "notebook_owners"]

_OUTPUT: Final = re.compile(r"_{1,3}|_\d+")
_INPUT: Final = re.compile(r"_i{1,3}|_i\d+|_ih|_dh|In")
_BUILT_IN: Final = (types.BuiltinFunctionType, types.MethodWrapperType)


@dataclass
class NotebookOwner:
    kind: str
    """``variable``, ``output``, ``IPython``, ``modules`` or ``other``."""
    owner: Owner
    subject: Any = None
    """The object that a reader knows by this name; None where it is not one."""


@dataclass
class Cast:
    owners: list[NotebookOwner] = field(default_factory=list)
    blocked: list[Any] = field(default_factory=list)
    n_left_out: int = 0
    """Variables that name something of a library."""


def notebook_owners(shell: Any, namespace: dict[str, Any]) -> Cast:
    """Everybody who owns memory here.

    Parameters
    ----------
    shell : the InteractiveShell, or None in a script.
    namespace : the variables.
    """
    objects = gc.get_objects()  # before anything of ours is made
    cast = Cast()
    hidden = getattr(shell, "user_ns_hidden", None)
    out = namespace.get("_oh") if shell is not None else None
    cast.blocked = [
        *(one for one in (namespace, hidden, out, shell, getattr(shell, "kernel", None)) if one is not None),
        *_second_places(shell),
        *(module_dict(module) for module in list(sys.modules.values()) if issubclass(type(module), types.ModuleType)),
    ]
    _add_variables(cast, namespace, hidden, is_shell=shell is not None)
    if shell is not None:
        cast.owners += _outputs(shell, namespace, hidden, out)
        cast.owners += _shells_own(shell, namespace)
    cast.owners.append(
        NotebookOwner("modules", Owner("modules, classes, their code", _of_modules(objects, namespace), is_system=True))
    )
    rest = [one for one in objects if not issubclass(type(one), (type, types.ModuleType))]
    cast.owners.append(NotebookOwner("other", Owner("other objects", rest, is_system=True, takes_left=True)))
    return cast


def _second_places(shell: Any) -> Iterator[Any]:
    """Where IPython has an output once more; an output is not shared with these."""
    for name in ("displayhook", "last_execution_result"):
        place = getattr(shell, name, None)
        if place is not None:
            yield from (place, vars(place))


def _add_variables(cast: Cast, namespace: dict[str, Any], hidden: Any, *, is_shell: bool) -> None:
    names: dict[int, list[str]] = {}
    values: dict[int, Any] = {}
    for name, value in list(namespace.items()):
        if type(name) is not str or name.startswith("__") or (is_shell and _is_ipythons(name, value, hidden)):
            continue
        if _is_of_library(value, namespace):
            cast.n_left_out += 1
            continue
        names.setdefault(id(value), []).append(name)
        values[id(value)] = value
    for key, value in values.items():
        roots = _class_content(value) if issubclass(type(value), type) else [value]
        cast.owners.append(NotebookOwner("variable", Owner(", ".join(names[key]), roots), value))


def _is_ipythons(name: str, value: Any, hidden: Any) -> bool:
    if _OUTPUT.fullmatch(name) or _INPUT.fullmatch(name) or name in {"_oh", "Out"}:
        return True
    return type(hidden) is dict and name in hidden and hidden[name] is value


def _is_of_library(value: Any, namespace: dict[str, Any]) -> bool:
    kind = type(value)
    if issubclass(kind, types.ModuleType) or kind in _BUILT_IN:
        return True
    if issubclass(kind, type):
        return not is_users_class(value)
    if kind is types.FunctionType:
        return value.__globals__ is not namespace and not is_user_file(value.__code__.co_filename)
    return False


def _class_content(cls: type) -> list[Any]:
    return list(next(mro_dicts(cls)).values())


def _outputs(shell: Any, namespace: dict[str, Any], hidden: Any, out: Any) -> Iterator[NotebookOwner]:
    """The displayed objects that IPython keeps, each under all its names."""
    names: dict[int, dict[str, None]] = {}
    values: dict[int, Any] = {}
    hook = getattr(shell, "displayhook", None)
    for name, value in _output_names(namespace, hidden, out, hook):
        if value is not None and not (type(value) is str and not value):  # IPython begins with '' for _
            names.setdefault(id(value), {})[name] = None
            values[id(value)] = value
    for key, value in values.items():
        label = ", ".join(sorted(names[key], key=lambda name: (not name.startswith("Out["), name)))
        yield NotebookOwner("output", Owner(label, [value]), value)


def _output_names(namespace: dict[str, Any], hidden: Any, out: Any, hook: Any) -> Iterator[tuple[str, Any]]:
    if type(out) is dict:
        yield from ((f"Out[{number}]", value) for number, value in list(out.items()))
    for names in (namespace, hidden):
        if type(names) is dict:
            yield from ((name, value) for name, value in list(names.items()) if _OUTPUT.fullmatch(exact_name(name)))
    if hook is not None:
        yield from ((name, vars(hook).get(name)) for name in ("_", "__", "___"))


def _shells_own(shell: Any, namespace: dict[str, Any]) -> Iterator[NotebookOwner]:
    error = [getattr(sys, name, None) for name in ("last_traceback", "last_value", "last_exc")]
    error.append(getattr(getattr(shell, "InteractiveTB", None), "tb", None))
    yield _ipythons("the last error", [one for one in error if one is not None])
    inputs = [value for name, value in list(namespace.items()) if _INPUT.fullmatch(exact_name(name))]
    yield _ipythons("history", [*inputs, *filter(None, [getattr(shell, "history_manager", None)])])
    own = [shell, *filter(None, [getattr(shell, "kernel", None)])]
    yield _ipythons("IPython itself", [part for one in own for part in referents(one)])


def _ipythons(name: str, roots: list[Any]) -> NotebookOwner:
    return NotebookOwner("IPython", Owner(name, roots, is_system=True))


def _of_modules(objects: list[Any], namespace: dict[str, Any]) -> list[Any]:
    """What modules and classes have in their namespaces; the module of the notebook's variables has nothing more."""
    roots: list[Any] = []
    for module in list(sys.modules.values()):
        if issubclass(type(module), types.ModuleType) and module_dict(module) is not namespace:
            roots += list(module_dict(module).values())
    for one in objects:
        if issubclass(type(one), type):
            roots += _class_content(one)
    return roots
