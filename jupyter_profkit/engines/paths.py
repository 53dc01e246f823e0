"""A way from one object to another, step by step, as a reader would write it.

    links, ends = PathNamer(names).links([x, x.__dict__, child])
    links[0].labels             [".child"]

* Hops that a reader does not know are folded into the step before them: the dictionary
  of an instance's attributes, the cell of a closure, the arguments of a ``partial``, the
  blocks in which a table of pandas has its columns.
"""

from __future__ import annotations

import contextvars
import functools
import types
from collections.abc import Iterable, Sequence
from typing import Any, Final

from jupyter_profkit.engines.advice import Link
from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.library_readers import keeps_to_itself
from jupyter_profkit.engines.reference_names import ReferenceNamer
from jupyter_profkit.engines.reference_readers import annotations_of
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import type_name

__all__ = ["LABELS_TOLD", "PathNamer"]

LABELS_TOLD: Final = 3
"""Labels of one step from which on more are not looked for."""

_RUNNING: Final = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.FrameType)

_INSIDE_PANDAS: Final = ("pandas.core.internals", "pandas._libs.internals")


class PathNamer:
    """Names the steps of paths.

    Parameters
    ----------
    names : attribute names that objects may have.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._namer = ReferenceNamer(names)

    def links(self, path: Sequence[Any]) -> tuple[list[Link], list[int]]:
        """The steps of a path that a reader knows, and where each of them ends in the path."""
        links: list[Link] = []
        ends: list[int] = []
        position = 0
        while position < len(path) - 1:
            end = _fold(path, position)
            links.append(Link(path[position], self.labels(path[position], path[end])))
            ends.append(end)
            position = end
        return links, ends

    def labels(self, owner: Any, target: Any) -> list[str]:
        """How `owner` refers to `target`; one more than `LABELS_TOLD` at most."""
        labels: list[str] = []
        for reference in self._namer.references(owner):
            if reference.target is target:
                labels.append(reference.label)
                if len(labels) > LABELS_TOLD:
                    break
        return labels or [".__class__"] * (target is type(owner))


def _fold(path: Sequence[Any], position: int) -> int:
    """Where the step from `position` ends: behind dictionaries of attributes, closures, arguments."""
    owner = path[position]
    end = position + 1
    while end < len(path) - 1 and _is_part(owner, path[end]):
        end += 1
    return end


def _is_part(owner: Any, part: Any) -> bool:
    """Whether `part` is but how `owner` keeps its attributes, variables, arguments or columns."""
    kind = type(owner)
    if type(part) is types.CellType:
        return kind is types.FunctionType or any(kind is one for one in _RUNNING)
    if kind is types.FunctionType:
        own = (owner.__closure__, owner.__defaults__, owner.__kwdefaults__, annotations_of(owner))
        return any(part is one for one in own) or is_own_dict(owner, part)
    if kind is functools.partial:
        return part is owner.args or part is owner.keywords
    if kind is functools._lru_cache_wrapper:
        return type(part) is dict and any(part is one for one in referents(owner))
    if kind is contextvars.Context:
        return type_name(type(part)).startswith("hamt")
    if keeps_to_itself(kind):
        return type(part) in {tuple, list} or type_name(type(part), short=False).startswith(_INSIDE_PANDAS)
    return is_own_dict(owner, part)
