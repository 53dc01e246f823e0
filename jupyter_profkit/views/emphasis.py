"""Which rows of a table stand out: one rule for all of them.

    heaviest(records, lambda record: record.time, whole=duration)

A row that stands out has a mark, bold figures and a tint; few do, or none would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

__all__ = ["LEAST_MEMORY", "heaviest"]

LEAST_MEMORY: Final = 64 * 1024
"""Bytes: less is shown as 0.0 or 0.1 MiB, and is no finding."""

_MOST: Final = 3
_LEAST_SHARE: Final = 0.05

T = TypeVar("T")


def heaviest(items: Iterable[T], weight: Callable[[T], float], whole: float | None = None, noise: float = 0) -> list[T]:
    """Those that the reader came for: at most three, each more than noise and a twentieth of the whole or more.

    Parameters
    ----------
    items : what the rows are about.
    weight : of an item, in any unit.
    whole : what the weights are parts of, in that unit; all of them together by default.
    noise : up to here a weight is none.

    Returns
    -------
    The heaviest first; of equal ones that which comes first.
    """
    weighed = [(weight(item), item) for item in items]
    if whole is None:
        whole = sum(max(each, 0) for each, _ in weighed)
    heavy = [(each, item) for each, item in weighed if each > noise and each >= _LEAST_SHARE * whole]
    return [item for _, item in sorted(heavy, key=lambda pair: -pair[0])[:_MOST]]
