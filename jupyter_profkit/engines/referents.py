"""What an object refers to: `gc.get_referents`, where it can be asked safely.

    referents([1, 2])            [1, 2]
    referents(math)              [math.__dict__]

* A module written in C may show the garbage collector objects that it keeps for
  reuse and that have no owner. To hold one of them for a moment is enough to free it
  a second time: on Python 3.12, `gc.get_referents(_asyncio)` breaks the list of spare
  iterators, and the next collection never ends. So of a module, only its namespace
  counts, which is all that a reader of the answer could name anyway.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Sequence
from typing import Any

from jupyter_profkit.engines.safe_repr import module_dict

__all__ = ["referents", "referents_of_all"]


def referents(obj: Any) -> list[Any]:
    """The objects that `obj` itself refers to; of a module, its namespace alone."""
    if issubclass(type(obj), types.ModuleType):
        return [module_dict(obj)]
    return gc.get_referents(obj)


def referents_of_all(objects: Sequence[Any]) -> list[Any]:
    """What any of `objects`, none of them a module, refers to; once for each reference."""
    return gc.get_referents(*objects)
