"""Two runs by function: calls, own and cumulative time before and after.

    comparison = before.diff(after)
    comparison.changes[0].change("tottime")         seconds
    sum(change.change("tottime") for change in comparison.changes)      the change of the whole

A function is known by its module and its qualified name, one of the notebook by its
name, whatever cell it was in. Those of one name are added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jupyter_profkit.model.functions import FunctionRecord, TimeProfile
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Session
from jupyter_profkit.source import place_of

__all__ = ["FunctionChange", "FunctionFigures", "TimeComparison", "compare_times"]

_DISPLAY = ("IPython", "display of the last value")
"""What IPython calls to show a last value: one function, which else would be a hundred that are new or gone."""


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """What pstats says of a function, or of several together."""

    ncalls: int = 0
    tottime: float = 0.0
    """Seconds in the function itself."""
    cumtime: float = 0.0
    """Seconds in it and all it called."""

    def plus(self, record: FunctionRecord) -> FunctionFigures:
        """These figures with those of `record`."""
        return FunctionFigures(
            self.ncalls + record.ncalls, self.tottime + record.tottime, self.cumtime + record.cumtime
        )


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """One function in both runs, or in one: `before` is None for a new function, `after` for one that is gone."""

    function: str
    """Its qualified name."""
    label: str
    """How a reader knows its file; ``notebook`` for a function of any cell, ``~`` for a builtin."""
    before: FunctionFigures | None
    after: FunctionFigures | None

    @property
    def status(self) -> str:
        """``new``, ``gone``, or empty for a function of both runs."""
        if self.before is None:
            return "new"
        return "gone" if self.after is None else ""

    def change(self, figure: str) -> Any:
        """How much more than before: calls, or seconds; a run without the function spent nothing there."""
        before, after = (getattr(each or FunctionFigures(), figure) for each in (self.before, self.after))
        return after - before


@dataclass(frozen=True, slots=True)
class TimeComparison(Result):
    """The time of two runs, function beside function."""

    kind: ClassVar[str] = "functions_comparison"
    columns: ClassVar[tuple[str, ...]] = (
        "function",
        "filename",
        "status",
        *(f"{figure}_{when}" for figure in ("ncalls", "tottime", "cumtime") for when in ("before", "after", "change")),
    )

    before: Session
    after: Session
    changes: tuple[FunctionChange, ...]
    """Every function, the one whose own time changed most first."""

    @property
    def n_common(self) -> int:
        """How many functions the two runs have in common."""
        return sum(not change.status for change in self.changes)

    def total(self, run: str) -> FunctionFigures:
        """Calls and own time of all functions of the run ``before`` or ``after``; cumulative times do not add up."""
        found = [figures for change in self.changes if (figures := getattr(change, run)) is not None]
        return FunctionFigures(sum(each.ncalls for each in found), sum(each.tottime for each in found))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The functions, in the order of `columns`."""
        for change in self.changes:
            figures = (
                value
                for figure in ("ncalls", "tottime", "cumtime")
                for value in (
                    getattr(change.before, figure, None),
                    getattr(change.after, figure, None),
                    change.change(figure),
                )
            )
            yield (change.function, change.label, change.status, *figures)


def compare_times(before: TimeProfile, after: TimeProfile) -> TimeComparison:
    """What changed from `before` to `after`."""
    # A .prof file has no qualified names; then both go by the plain ones.
    qualified = all(any(record.qualname for record in profile.functions) for profile in (before, after))
    earlier, later = _by_name(before, qualified=qualified), _by_name(after, qualified=qualified)
    changes = [FunctionChange(*key[::-1], earlier.get(key), later.get(key)) for key in {**later, **earlier}]
    changes.sort(key=lambda change: (-abs(change.change("tottime")), change.label, change.function))
    return TimeComparison(before.session, after.session, tuple(changes))


def _by_name(profile: TimeProfile, *, qualified: bool) -> dict[tuple[str, str], FunctionFigures]:
    from jupyter_profkit.views.display_hook import with_display_folded

    listed = with_display_folded(profile)
    shown = {record.key for record in listed.records} - {listed.row}
    found: dict[tuple[str, str], FunctionFigures] = {}
    for record in profile.functions:
        if record.key not in shown:  # showing the last value: its cumulative time is that of the hook
            part = record if record.key == listed.row else replace(record, cumtime=0.0)
            found[_DISPLAY] = found.get(_DISPLAY, FunctionFigures()).plus(part)
            continue
        name = (record.qualname if qualified else "") or record.function
        place = "~" if record.filename == "~" else place_of(record.label or record.filename)
        found[place, name] = found.get((place, name), FunctionFigures()).plus(record)
    return found
