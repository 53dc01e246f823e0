"""Two runs by line: what each line took before and after, matched by text.

    comparison = before.diff(after)
    comparison.changes[0].change("self_increment")      bytes; None if not both runs have it
    sum(change.change("self_increment") for change in comparison.changes) == comparison.change

A line is known by its text within its function, and a function of the notebook by
its name, whatever cell it was in: an edited, moved or renumbered cell lines up.
"""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile, LineRecord
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Session
from jupyter_profkit.source import place_of

__all__ = ["FIGURES", "LineChange", "LineMemoryComparison", "MemoryRun", "compare_lines"]

Figure = Literal["self_increment", "increment", "peak", "kept"]

FIGURES: tuple[Figure, ...] = get_args(Figure)
"""The figures of a line that are compared."""

_MOST_EQUAL_PAIRS = 50_000
"""SequenceMatcher's time grows with the pairs of equal lines; 1,000 times the same line would take minutes."""

Line = tuple[FunctionLines, LineRecord]
Pair = tuple[Line | None, Line | None]


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """One of the two runs, in figures of the whole."""

    session: Session
    increment: int
    """Bytes, net."""
    peak: int
    """Bytes above the start."""
    kept: int | None
    """Bytes of the heap held at the end; None if the heap was not measured."""
    noise: int
    """Bytes: smaller changes were measured on lines that do nothing."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line in both runs, or in one of them: `before` is None for a new line, `after` for one that is gone."""

    function: str
    """Its qualified name; ``<module>`` for a cell's own lines; empty for what belongs to no line."""
    label: str
    """How a reader knows the file, of the later run where it has the line."""
    before: LineRecord | None
    after: LineRecord | None

    @property
    def source(self) -> str:
        record = self.after or self.before
        return record.source if record is not None else ""

    @property
    def is_residue(self) -> bool:
        """Whether it is what no line of the two runs accounts for."""
        return not self.function

    @property
    def status(self) -> str:
        """``new``, ``gone``, or empty for a line of both runs."""
        if self.before is None:
            return "new"
        return "gone" if self.after is None else ""

    def change(self, figure: str) -> int | None:
        """Bytes more than before; a line that a run does not have took nothing there. None if neither has a figure."""
        before, after = (getattr(record, figure, None) for record in (self.before, self.after))
        return None if before is None and after is None else (after or 0) - (before or 0)


@dataclass(frozen=True, slots=True)
class LineMemoryComparison(Result):
    """The memory of two runs, line beside line."""

    kind: ClassVar[str] = "line_memory_comparison"
    columns: ClassVar[tuple[str, ...]] = (
        "function",
        "filename",
        "lineno_before",
        "lineno_after",
        "status",
        *(f"{figure}_{when}" for figure in FIGURES for when in ("before", "after", "change")),
        "source",
    )

    before: MemoryRun
    after: MemoryRun
    figures: tuple[Figure, ...]
    """Those of `FIGURES` that both runs have."""
    changes: tuple[LineChange, ...]
    """The lines in the order of the later run, those that are gone where they were; the residue last."""

    @property
    def change(self) -> int:
        """Bytes by which the later run's net change is more than the earlier one's; the changes add up to it."""
        return self.after.increment - self.before.increment

    @property
    def noise(self) -> int:
        """Bytes: a smaller change is none."""
        return max(self.before.noise, self.after.noise)

    @property
    def n_common(self) -> int:
        """How many lines the two runs have in common."""
        return sum(not change.status and not change.is_residue for change in self.changes)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The lines, in the order of `columns`; figures that only one of the runs has are left out."""
        for change in self.changes:
            linenos = (record.lineno if record is not None else None for record in (change.before, change.after))
            yield (change.function, change.label, *linenos, change.status, *self._figures(change), change.source)

    def _figures(self, change: LineChange) -> Iterator[int | None]:
        for figure in FIGURES:
            if figure in self.figures:
                yield getattr(change.before, figure, None)
                yield getattr(change.after, figure, None)
                yield change.change(figure)
            else:
                yield from (None, None, None)


def compare_lines(before: LineMemoryProfile, after: LineMemoryProfile) -> LineMemoryComparison:
    """What changed from `before` to `after`."""
    earlier, later = _by_function(before), _by_function(after)
    pairs = [pair for key in {**later, **earlier} for pair in _matched(earlier.get(key, []), later.get(key, []))]
    changes = (*(_change(*pair) for pair in pairs), LineChange("", "", _residue(before), _residue(after)))
    return LineMemoryComparison(_run(before), _run(after), tuple(_common_figures(before, after)), changes)


def _run(profile: LineMemoryProfile) -> MemoryRun:
    return MemoryRun(profile.session, profile.increment, profile.peak, profile.kept, profile.noise)


def _common_figures(before: LineMemoryProfile, after: LineMemoryProfile) -> Iterator[Figure]:
    both = (before, after)
    if all(profile.has_lines for profile in both):
        yield from ("self_increment", "increment")
        if all(profile.exact_peak for profile in both):
            yield "peak"
    if all(profile.has_heap for profile in both):
        yield "kept"


def _residue(profile: LineMemoryProfile) -> LineRecord:
    lines = profile.residue if profile.has_lines else None
    kept = profile.heap_residue[1] if profile.has_heap else None
    return LineRecord(0, "", increment=lines, self_increment=lines, kept=kept)


def _by_function(profile: LineMemoryProfile) -> dict[tuple[str, str], list[Line]]:
    """The lines that ran, by what their function is known by in every run."""
    found: dict[tuple[str, str], list[Line]] = {}
    for function, record in profile.lines():
        found.setdefault((place_of(function.label), function.function), []).append((function, record))
    return found


def _change(before: Line | None, after: Line | None) -> LineChange:
    functions = [line[0] for line in (after, before) if line is not None]
    return LineChange(
        functions[0].function,
        functions[0].label,
        before[1] if before is not None else None,
        after[1] if after is not None else None,
    )


def _matched(before: Sequence[Line], after: Sequence[Line]) -> list[Pair]:
    """Each line of both beside its partner, in the order of `after`; what is gone stands where it was."""
    partner = dict(_partners([_text(line) for line in before], [_text(line) for line in after]))
    rows: list[tuple[tuple[int, int], Pair]] = []
    place = -1
    for n, line in enumerate(before):
        if n in partner:
            place = partner[n]
            rows.append(((place, 0), (line, after[place])))
        else:
            rows.append(((place, 1), (line, None)))
    new = set(range(len(after))) - set(partner.values())
    rows += [((n, 0), (None, after[n])) for n in new]
    return [pair for _, pair in sorted(rows, key=lambda row: row[0])]


def _text(line: Line) -> str:
    """What a line is known by: its indentation changes when it is put into a loop."""
    return line[1].source.strip()


def _partners(before: list[str], after: list[str]) -> Iterator[tuple[int, int]]:
    """Positions of equal texts: those in the same order first, then those that were moved.

    SequenceMatcher finds other pairs when its two sides change places; they are
    put in an order of their own, so that there and back is the same.
    """
    first, second = sorted((before, after))
    swapped = first is not before
    pairs = _in_order(first, second)
    taken_first, taken_second = {a for a, _ in pairs}, {b for _, b in pairs}
    left: defaultdict[str, list[int]] = defaultdict(list)
    for n in range(len(second) - 1, -1, -1):
        if n not in taken_second:
            left[second[n]].append(n)
    pairs += [(n, left[text].pop()) for n, text in enumerate(first) if n not in taken_first and left[text]]
    yield from ((b, a) if swapped else (a, b) for a, b in pairs)


def _in_order(first: list[str], second: list[str]) -> list[tuple[int, int]]:
    """Positions of equal texts that stand in the same order; none where so many are equal that order says little."""
    counts, others = Counter(first), Counter(second)
    if sum(count * others[text] for text, count in counts.items()) > _MOST_EQUAL_PAIRS:
        return []
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]
