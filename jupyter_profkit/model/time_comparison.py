"""Two runs by function: calls, own and cumulative time before and after.

    comparison = before.diff(after)
    comparison.changes[0].change("tottime")         seconds
    sum(change.change("tottime") for change in comparison.changes)      the change of the whole

A function is known by its module and its qualified name, one of the notebook by its
name, whatever cell it was in. Those of one name are added up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jupyter_profkit.model.functions import FunctionRecord, TimeProfile
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Session
from jupyter_profkit.model.spread import spread
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
    tottime_spread: float = 0.0
    """How much `tottime` differs from run to run, if there were several: the standard deviation."""
    cumtime_spread: float = 0.0

    @classmethod
    def of(cls, records: Sequence[FunctionRecord], n_runs: int = 1) -> FunctionFigures:
        """What `records` come to together, in a run."""
        runs = list(zip(*(record.runs for record in records), strict=False)) if n_runs > 1 else []
        return cls(
            round(sum(record.ncalls for record in records) / n_runs),
            sum(record.tottime for record in records) / n_runs,
            sum(record.cumtime for record in records) / n_runs,
            spread([sum(figures.tottime for figures in run) for run in runs]),
            spread([sum(figures.cumtime for figures in run) for run in runs]),
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

    def spread(self, figure: str) -> float:
        """The greater spread of the two runs: a change within it may be none."""
        return max(getattr(each, f"{figure}_spread", 0.0) for each in (self.before, self.after))

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
    runs: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """Seconds of each run, before and after, where it was repeated; all figures are then of a run, on average."""

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
    return TimeComparison(before.session, after.session, tuple(changes), (before.runs, after.runs))


def _by_name(profile: TimeProfile, *, qualified: bool) -> dict[tuple[str, str], FunctionFigures]:
    from jupyter_profkit.views.display_hook import with_display_folded

    listed = with_display_folded(profile)
    shown = {record.key for record in listed.records} - {listed.row}
    found: dict[tuple[str, str], list[FunctionRecord]] = defaultdict(list)
    for record in profile.functions:
        if record.key not in shown:  # showing the last value: its cumulative time is that of the hook
            found[_DISPLAY].append(record if record.key == listed.row else _without_cumtime(record))
            continue
        name = (record.qualname if qualified else "") or record.function
        place = "~" if record.filename == "~" else place_of(record.label or record.filename)
        found[place, name].append(record)
    n_runs = len(profile.runs) or 1
    # A value is displayed once, however often the code runs.
    return {name: FunctionFigures.of(records, 1 if name == _DISPLAY else n_runs) for name, records in found.items()}


def _without_cumtime(record: FunctionRecord) -> FunctionRecord:
    return replace(record, cumtime=0.0, runs=tuple(replace(run, cumtime=0.0) for run in record.runs))
