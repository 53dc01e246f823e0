"""Measuring goes on where the process may have no more memory: it is lent what was kept back for it.

    callback = relieved(callback, data_limit.lend)

An event takes some hundred bytes. Where even these are refused, the code's own
`MemoryError` is next; it is to be raised at its own line, and not in a callback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["Lend", "relieved"]

P = ParamSpec("P")
T = TypeVar("T")

Lend = Callable[[bool], None]
"""Makes room when called with True, and takes it back when called with False; asks for no memory itself."""


def relieved(callback: Callable[P, T], lend: Lend) -> Callable[P, T]:
    """`callback`, called once more with some room when it ran out of memory.

    Python would give an arena back as soon as nothing is left in it, and the next
    event would have to be lent the same again; so something stays there.
    """
    stays: list[list[bytes]] = []

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return callback(*args, **kwargs)
        except MemoryError:
            lend(True)
        try:
            stays.append([bytes(size) for size in range(1, 480, 16)])  # one of each size that Python keeps apart
            return callback(*args, **kwargs)
        finally:
            lend(False)

    return call
