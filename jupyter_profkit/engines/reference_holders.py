"""Who holds an object in a notebook, by the name a reader knows: variables, ``Out[5]``, modules.

    holders = Holders(shell=get_ipython(), namespace=user_ns)
    holders.of(container, obj)      [Holder("variable", "x"), Holder("IPython", "Out[5]")]

A name of the notebook is an entry in a dictionary of a thousand others, which is
itself held by the shell, the completer and every function of the notebook. To
draw that helps nobody; so the containers that hold names are known here by
identity, and a search for referrers ends at them.

The shell is any object with IPython's attributes; nothing of IPython is imported.
"""

from __future__ import annotations

import gc
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.reference_names import names_in_code
from jupyter_profkit.engines.safe_repr import exact_name, module_dict

__all__ = ["Holder", "Holders"]


class Holder(NamedTuple):
    """A name that keeps an object alive."""

    type: str
    """``variable``, ``module`` or ``IPython``."""
    label: str
    edge: str = ""
    """What is written on the arrow from it."""


_OUTPUT_NAME = re.compile(r"_{1,3}|_\d+")
_LAST_ERROR = ("last_traceback", "last_value", "last_exc")
_ATTRIBUTE_USED = re.compile(r"\.\s*([^\W\d]\w*)")


class Holders:
    """The named holders of this process.

    Parameters
    ----------
    shell : the InteractiveShell, or None in a script.
    namespace : the variables that are called so; the shell's, or those of ``__main__``, by default.
    """

    def __init__(self, shell: Any = None, namespace: dict[str, Any] | None = None) -> None:
        main = sys.modules.get("__main__")
        default = vars(main) if type(main) is types.ModuleType else {}
        self._shell = shell
        self.namespace = namespace if namespace is not None else getattr(shell, "user_ns", default)
        self._hidden = getattr(shell, "user_ns_hidden", None)
        self._out = self.namespace.get("_oh") if shell is not None else None
        self._modules = dict(_module_namespaces())
        self._last_error = frozenset(map(id, self._last_tracebacks()))
        self._parts = {id(part): (name, attributes) for name, part, attributes in self._shell_parts()}
        own = (one for one in (self.namespace, self._hidden, self._out) if one is not None)
        self._namespaces = frozenset({*map(id, own), *self._modules, *self._parts, *self._last_error})

    def _shell_parts(self) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
        """Objects of the shell that hold on to results and errors, and under which attributes."""
        shell = self._shell
        for label, part, names in (
            ("display hook", getattr(shell, "displayhook", None), ("_", "__", "___")),
            ("last result", getattr(shell, "last_execution_result", None), ("result", "error_in_exec")),
        ):
            yield label, part, names
            for own in gc.get_referents(part):  # it may keep its attributes in a dictionary, which then has them
                if is_own_dict(part, own):
                    yield label, own, names

    def _last_tracebacks(self) -> Iterator[types.TracebackType]:
        """The tracebacks that Python and the shell keep of the last error: one object for each of its frames."""
        sources = [getattr(sys, name, None) for name in _LAST_ERROR]
        sources.append(getattr(getattr(self._shell, "InteractiveTB", None), "tb", None))
        for source in sources:
            is_error = issubclass(type(source), BaseException)
            link = BaseException.__dict__["__traceback__"].__get__(source) if is_error else source
            while type(link) is types.TracebackType:
                yield link
                link = link.tb_next

    @property
    def has_shell(self) -> bool:
        """Whether this is a notebook or a terminal of IPython."""
        return self._shell is not None

    @property
    def context(self) -> Any:
        """The context in which a kernel runs cells, if it keeps one."""
        return getattr(getattr(self._shell, "kernel", None), "_shell_context", None)

    def is_shell(self, obj: object) -> bool:
        """Whether `obj` is the shell itself, or its kernel."""
        return obj is not None and (obj is self._shell or obj is getattr(self._shell, "kernel", None))

    def is_namespace(self, container: object) -> bool:
        """Whether `container` is a dictionary of names, or keeps results or the last error for the shell."""
        return id(container) in self._namespaces

    def namespace_ids(self) -> frozenset[int]:
        """The ids of the dictionaries that hold names, for a walk that must not enter them."""
        own = (self.namespace, self._hidden, self._out)
        return frozenset([*map(id, own), *self._modules])

    def of(self, container: Any, target: object) -> list[Holder]:
        """The names under which `container`, one that `is_namespace` knows, holds `target`."""
        if id(container) in self._parts:
            return self._in_part(container, target)
        if id(container) in self._last_error:
            return [Holder("Python", "the last error")]
        names = [name for name, value in list(container.items()) if value is target]
        if container is self.namespace:
            outputs = [name for name in names if _is_output(name)]
            variables = [Holder("variable", exact_name(name)) for name in names if not _is_output(name)]
            return [*variables, *_joined(outputs)]
        if container is self._out:
            return _joined([f"Out[{number}]" for number in names])
        if container is self._hidden:
            return [Holder("IPython", "hidden names", f".{', .'.join(map(exact_name, names))}")]
        return self._in_module(container, [exact_name(name) for name in names])

    def _in_part(self, part: Any, target: object) -> list[Holder]:
        name, attributes = self._parts[id(part)]
        held = [attribute for attribute in attributes if _value(part, attribute) is target]
        return [Holder("IPython", name, ", ".join(f".{attribute}" for attribute in held))] if held else []

    def _in_module(self, namespace: Any, names: list[str]) -> list[Holder]:
        module = self._modules[id(namespace)]
        if module == "sys" and set(names) & set(_LAST_ERROR):
            return [Holder("Python", "the last error")]
        return [Holder("module", module, ", ".join(f".{name}" for name in names))]

    def names_by_id(self) -> dict[int, str]:
        """The variables, by the id of what they name; of several names the first."""
        named: dict[int, str] = {}
        for name, value in list(self.namespace.items()):
            if type(name) is str and not name.startswith("_"):
                named.setdefault(id(value), name)
        return named

    def attribute_names(self) -> Iterator[str]:
        """Attribute names that the notebook's code uses: guesses for what its objects have."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            yield from names_in_code(frame.f_code)
            frame = frame.f_back
        for value in list(self.namespace.values()):
            if type(value) is types.FunctionType:
                yield from names_in_code(value.__code__)
        for text in list(self.namespace.get("_ih") or ()):
            if type(text) is str:
                yield from _ATTRIBUTE_USED.findall(text)


def _module_namespaces() -> Iterator[tuple[int, str]]:
    for name, module in list(sys.modules.items()):
        if issubclass(type(module), types.ModuleType):
            yield id(module_dict(module)), name


def _is_output(name: object) -> bool:
    return _OUTPUT_NAME.fullmatch(exact_name(name)) is not None


def _joined(names: list[str]) -> list[Holder]:
    return [Holder("IPython", ", ".join(names))] if names else []


def _value(part: Any, attribute: str) -> object:
    if type(part) is dict:
        return part.get(attribute)
    try:
        return object.__getattribute__(part, attribute)
    except AttributeError:
        return None
