"""The latest result of this process: ``jupyter_profkit.last()``."""

from __future__ import annotations

from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.result import Result

__all__ = ["last", "remember"]

_latest: dict[str, Result] = {}
"""By kind, the latest last."""


def remember(result: Result) -> None:
    """Make `result` the latest; the one of its kind before it is let go."""
    _latest.pop(result.kind, None)
    _latest[result.kind] = result


def last(kind: str | None = None) -> Result:
    """The latest result of any magic or profiler of this process.

    Parameters
    ----------
    kind : only of this kind: ``line_memory``, ``functions``, ``timeline``, ``references``, …

    Raises
    ------
    TargetError
        If nothing was measured yet.
    """
    if kind is None and _latest:
        return next(reversed(_latest.values()))
    if kind in _latest:
        return _latest[kind]
    raise TargetError("nothing was measured yet; run a cell with %%memprofile or %%cprofile first")
