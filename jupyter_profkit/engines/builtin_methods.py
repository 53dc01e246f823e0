"""Methods written in C that come bound like those of Python, as pybind11 makes them, and what may stand in for them.

    is_builtin_method(called)           torch.Generator().seed, say
    stand_ins = StandIns()
    stand_ins.look()
    stand_ins.may_be(called, code)      whether such a method may be called at the same place another time

Code that calls ``renderer.draw_markers`` gets a function of Python from one class, and such a method from another:
the place in the code is the same.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from types import BuiltinFunctionType, CodeType, FunctionType, MethodDescriptorType, MethodType, ModuleType
from typing import Final

__all__ = ["StandIns", "is_builtin_method"]

_BASE: Final = "pybind11_object"
"""The base of all types that pybind11 makes; there is one for each version of its inner workings."""
_KIND: Final = "instancemethod"


def is_builtin_method(called: object) -> bool:
    return type(called) is MethodType and type(called.__func__) is BuiltinFunctionType


class StandIns:
    """Callables that may be called where such a method is called later: of the same name, or made on the spot."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._n_modules = 0
        self._loading: list[ModuleType] = []

    def look(self) -> None:
        """Get to know the types that were loaded since the last time; they come with modules written in C."""
        n_new, self._n_modules = len(sys.modules) - self._n_modules, len(sys.modules)
        if n_new > 0:
            newest = list(itertools.islice(reversed(sys.modules.values()), n_new))
            self._loading += filter(_is_extension, newest)
        if self._loading:
            self._names = frozenset(_names())
            self._loading = list(filter(_is_being_loaded, self._loading))

    def may_be(self, called: object, code: CodeType) -> bool:
        """Whether `called`, at a place in `code`, may stand in for such a method."""
        self.look()
        if type(called) is MethodType:
            called = called.__func__
        if isinstance(called, FunctionType | BuiltinFunctionType | MethodDescriptorType):
            if called.__name__ in self._names:
                return True
            if "<" not in called.__qualname__:
                return False
        elif type(called) is not functools.partial:
            return False
        return not self._names.isdisjoint(code.co_names)  # made on the spot: the name is where it is called


def _is_extension(module: object) -> bool:
    return type(module) is ModuleType and isinstance(vars(module).get("__loader__"), ExtensionFileLoader)


def _is_being_loaded(module: ModuleType) -> bool:
    return bool(getattr(vars(module).get("__spec__"), "_initializing", False))


def _names() -> Iterator[str]:
    """The names of all methods that pybind11 made; nobody's code is called for it."""
    waiting = [each for each in type.__subclasses__(object) if type.__dict__["__name__"].__get__(each) == _BASE]
    while waiting:
        kind = waiting.pop()
        waiting += type.__subclasses__(kind)
        for name, held in type.__dict__["__dict__"].__get__(kind).items():
            if type(held).__name__ == _KIND:
                yield name
