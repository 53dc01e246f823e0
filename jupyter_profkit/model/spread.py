"""Mean and spread of the same figure in several runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["mean", "spread"]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return statistics.fmean(values) if values else 0.0


def spread(values: Sequence[float]) -> float:
    """The standard deviation of a sample; 0 where a single value says nothing of it."""
    return statistics.stdev(values) if len(values) > 1 else 0.0
