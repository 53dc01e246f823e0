"""At which places in code calls are heard in Python, so that no built-in method is called unheard.

    places = CallPlaces()
    places.look()
    places.is_heard_on(code, offset, called)    whether the next call at that place is to be heard as well
    CallPlaces.hear_all()

The first call at each place is heard, and more where what was called may stand in for such a method: matplotlib's
figures are laid out by the code that draws them then.
"""

from __future__ import annotations

import dis
from types import CodeType, MethodType
from typing import ClassVar, Final

from jupyter_profkit.engines.builtin_methods import StandIns, is_builtin_method

__all__ = ["CallPlaces", "is_told_unbound"]

_MOST: Final = 1000
"""Calls that are heard at a place where the first one was of a stand-in."""
_CALL_FUNCTION_EX: Final = dis.opmap["CALL_FUNCTION_EX"]


class CallPlaces:
    """The places of one run; what may stand in for such methods, and whether one was lost, is known to all of them."""

    _hears_all: ClassVar = False
    _stand_ins: Final = StandIns()

    def __init__(self) -> None:
        self._n_heard: dict[tuple[int, int], int] = {}

    def look(self) -> None:
        """Get to know the methods that were loaded since the last time."""
        self._stand_ins.look()

    @classmethod
    def hear_all(cls) -> None:
        """From now on every call at every place is heard, in every run: a method was called at a place that was not."""
        cls._hears_all = True

    def is_heard_on(self, code: CodeType, offset: int, called: object) -> bool:
        """Whether calls at that place, where `called` is about to be called, are to be heard from now on."""
        if self._hears_all:
            return True
        place = id(code), offset
        n_calls = self._n_heard.get(place, 0)
        if n_calls or self._stand_ins.may_be(called, code):
            self._n_heard[place] = n_calls = n_calls + 1
        return 0 < n_calls < _MOST


def is_told_unbound(method: MethodType, code: CodeType, offset: int) -> bool:
    """Whether the end of its call is told of a built-in function, for which cProfile takes no bound method."""
    return is_builtin_method(method) and code.co_code[offset] != _CALL_FUNCTION_EX
