"""Memory by line, as a reader sees it: the cell with its figures, then the functions it reached.

    report(profile, precision=1, sort="line", rows=None, hide_unchanged=False)

The cell's own source is one table: functions defined in it have their figures on
their own lines. Functions from elsewhere follow, a table each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile, LineRecord
from jupyter_profkit.options.memprofile import MEMPROFILE
from jupyter_profkit.units import format_change, format_mib, format_seconds, format_size
from jupyter_profkit.views.emphasis import LEAST_MEMORY, heaviest
from jupyter_profkit.views.heap_notes import heap_notes
from jupyter_profkit.views.report import Cell, Column, Report, Row, TableView, TextView, Unit, View, warning_of
from jupyter_profkit.views.words import clip, counted, headed

__all__ = ["report"]

_Show = Callable[[LineMemoryProfile], bool]


def _has_lines(profile: LineMemoryProfile) -> bool:
    return profile.has_lines


def _has_peaks(profile: LineMemoryProfile) -> bool:
    return profile.has_lines and profile.exact_peak


def _has_heap(profile: LineMemoryProfile) -> bool:
    return profile.has_heap


_FIGURES: tuple[tuple[str, Column, _Show], ...] = (
    ("mem_usage", Column("Mem usage", tip="MiB resident after the line last ran"), _has_lines),
    ("increment", Column("Increment", tip="MiB, net over all runs of the line, profiled callees included"), _has_lines),
    (
        "self_increment",
        Column("Self", tip="MiB, net over all runs, profiled callees left out; these add up to the run's change"),
        _has_lines,
    ),
    ("peak", Column("Peak", tip="MiB above the line's start while it ran, temporaries included"), _has_peaks),
    ("at_peak", Column("At peak", tip="MiB of the heap from this line, live when the heap was largest"), _has_heap),
    ("kept", Column("Kept", tip="MiB of the heap from this line, held when the run ended"), _has_heap),
)
"""Each column of bytes: the field of a record, the heading, and the profiles that have it."""
_MAX_FUNCTIONS = 30
_LONGEST_LINE = 140
_LEAST_RESIDUE = 64 * 1024
_LEAST_HEAP_RESIDUE = 1024 * 1024
"""Bytes: the tracker's own table and arenas leave that much."""

_SORT: dict[str, Callable[[LineRecord], float]] = {
    "line": lambda record: record.lineno,
    "increment": lambda record: -(record.increment or 0),
    "peak": lambda record: -(record.peak or 0),
    "occurrences": lambda record: -record.occurrences,
    "at_peak": lambda record: -(record.at_peak or 0),
    "kept": lambda record: -(record.kept or 0),
}


@dataclass(frozen=True)
class _Display:
    precision: int
    sort: str
    rows: int | None
    hide_unchanged: bool
    flame: bool


def report(profile: LineMemoryProfile, **display: object) -> Report:
    """The report of a line profile.

    Parameters
    ----------
    profile : what was measured.
    **display
        ``precision`` digits, ``sort`` order (line, increment, peak, occurrences, at_peak,
        kept), ``rows`` lines of each table, ``hide_unchanged`` lines left out, ``flame`` who called
        whom for the heap at its peak.
    """
    values = MEMPROFILE.from_keywords(display)
    shown = _Display(values.precision, values.sort, values.rows, values.hide_unchanged, values.flame)
    tables = list(_tables(profile))
    strong = _heaviest(profile, tables)
    parts = [_table(profile, title, records, strong, shown) for title, records in tables[:_MAX_FUNCTIONS]]
    if parts and _has_residue(profile):
        parts[0] = replace(parts[0], rows=(*parts[0].rows, _residue_row(profile, shown.precision)))
    return Report(
        title=headed("%%memprofile", profile.session.title),
        headline=_headline(profile, shown.precision),
        parts=(
            *_verdict(profile),
            *_curve(profile),
            *_repetitions(profile),
            *parts,
            *(_flame(profile) if shown.flame else ()),
        ),
        notes=tuple(_notes(profile, len(tables), shown)),
        method=tuple(_method(profile)),
        warning=warning_of(profile.session),
    )


def _verdict(profile: LineMemoryProfile) -> Iterator[View]:
    if profile.repetitions is not None:
        from jupyter_profkit.views.repetitions import verdict

        is_leak = profile.repetitions.leaks is True
        yield TextView("", tuple(verdict(profile.repetitions)), prose=True, alarm=is_leak)


def _repetitions(profile: LineMemoryProfile) -> Iterator[View]:
    if profile.repetitions is not None and profile.repetitions.done:
        from jupyter_profkit.views.repetitions import table

        yield table(profile.repetitions)


def _curve(profile: LineMemoryProfile) -> Iterator[View]:
    if profile.timeline is not None and profile.timeline.main:
        from jupyter_profkit.views.timeline import small_view

        yield small_view(profile.timeline)


def _flame(profile: LineMemoryProfile) -> Iterator[View]:
    if profile.heap_stacks is not None and profile.heap_stacks.roots:
        from jupyter_profkit.views.call_tree import flame_view

        yield flame_view(profile.heap_stacks, profile.session.title)


def _headline(profile: LineMemoryProfile, precision: int) -> str:
    kept = _change_in_words(profile.increment, precision)
    took = _duration(profile)
    heap = f"; {_heap_in_words(profile, precision)}" if profile.has_heap else ""
    if profile.peak <= profile.noise:
        return f"Memory did not rise above the start; {kept}{heap}; {took}"
    where = f", at {profile.peak_at}" if profile.peak_at is not None else ""
    return f"Peak {format_size(profile.peak, precision)} above the start{where}; {kept}{heap}; {took}"


def _duration(profile: LineMemoryProfile) -> str:
    took = format_seconds(profile.session.duration)
    done = len(profile.repetitions.done) if profile.repetitions is not None else 0
    return f"{done} repetitions took {took}" if done > 1 and not profile.session.partial else took


def _heap_in_words(profile: LineMemoryProfile, precision: int) -> str:
    peak, kept = (format_size(n_bytes or 0, precision) for n_bytes in (profile.heap_peak, profile.heap_kept))
    return f"peak heap {peak}, kept heap {kept}"


def _change_in_words(increment: int, precision: int) -> str:
    if increment > 0:
        return f"{format_size(increment, precision)} kept"
    return f"{format_size(-increment, precision)} released" if increment < 0 else "nothing kept"


def _tables(profile: LineMemoryProfile) -> Iterator[tuple[str, tuple[LineRecord, ...]]]:
    """The cell with the functions defined in it, then each other function."""
    rest = list(profile.functions)
    if rest and rest[0].is_cell:
        cell = rest.pop(0)
        inner = [function for function in rest if function.filename == cell.filename and not function.is_cell]
        rest = [function for function in rest if function not in inner]
        yield cell.label, _overlaid(cell, inner)
    for function in rest:
        name = "module level" if function.is_cell else f"{function.function}()"
        at_least = "at least " if any(record.sampled for record in function.records) else ""
        calls = f", {at_least}{function.n_calls} calls" if function.n_calls > 1 and not function.is_cell else ""
        yield f"{name} in {function.label}{calls}", function.records


def _overlaid(cell: FunctionLines, inner: Iterable[FunctionLines]) -> tuple[LineRecord, ...]:
    """The cell's lines, with the figures of functions on the lines where they are written."""
    records = {record.lineno: record for record in cell.records}
    for function in inner:
        for record in function.records:
            if record.seen and not records[record.lineno].seen:
                records[record.lineno] = record
    return tuple(records[lineno] for lineno in sorted(records))


def _heaviest(profile: LineMemoryProfile, tables: Sequence[tuple[str, tuple[LineRecord, ...]]]) -> set[LineRecord]:
    """The few lines that took most by themselves, or climbed highest."""
    ran = [record for _, records in tables for record in records if record.seen]

    def weight(record: LineRecord) -> int:
        return max(record.self_increment or 0, _own_peak(record), record.at_peak or 0, record.kept or 0)

    growing = profile.repetitions.growing if profile.repetitions is not None else ()
    leaking = {(line.at.filename, line.at.lineno) for line in growing}
    leaks = {record for function, record in profile.lines() if (function.filename, record.lineno) in leaking}
    least = max(profile.noise, LEAST_MEMORY)
    return {*heaviest(ran, weight, max(profile.peak, profile.heap_peak or 0), least), *leaks}


def _raised(profile: LineMemoryProfile) -> LineRecord | None:
    """The line that raised what ended the run; a statement of several lines is known by its first."""
    at = profile.session.error_at
    if at is None:
        return None
    seen = [record for function, record in profile.lines() if function.filename == at.filename]
    return max((record for record in seen if record.lineno <= at.lineno), key=lambda r: r.lineno, default=None)


def _own_peak(record: LineRecord) -> int:
    """The peak of a line that did its work itself; a caller's peak is its callee's."""
    called = (record.increment or 0) - (record.self_increment or 0)
    return (record.peak or 0) if abs(called) < max(1, (record.peak or 0) // 10) else 0


def _table(
    profile: LineMemoryProfile, title: str, records: tuple[LineRecord, ...], strong: set[LineRecord], shown: _Display
) -> TableView:
    chosen = [record for record in records if not shown.hide_unchanged or _changed(record, profile.noise)]
    chosen.sort(key=_SORT[shown.sort])
    if shown.sort != "line":
        chosen = [record for record in chosen if record.seen]
    kept = chosen[: shown.rows]
    columns = (Column("Line #"), *(column for _, column, shows in _FIGURES if shows(profile)))
    if profile.has_lines:
        columns += (Column("Occurrences", tip="how often the line ran"),)
    columns += (Column("Line Contents", Unit.CODE, whole=True),)
    raised = _raised(profile)
    numbers = {record.lineno: number for number, record in enumerate(records)}
    rows = tuple(
        replace(
            _row(profile, record, record in strong or record is raised, shown.precision, raised),
            line=numbers[record.lineno],
        )
        for record in kept
    )
    source = tuple(record.source for record in records)
    return TableView(f"{title}, MiB", columns, rows, _footer(records, kept), source=source)


def _changed(record: LineRecord, noise: int) -> bool:
    figures = (
        record.increment or 0,
        record.self_increment or 0,
        record.peak or 0,
        record.at_peak or 0,
        record.kept or 0,
    )
    return any(abs(figure) > noise for figure in figures)


def _footer(records: Sequence[LineRecord], kept: Sequence[LineRecord]) -> str:
    left_out = [record for record in records if record not in set(kept)]
    if not left_out:
        return ""
    change = sum(record.self_increment or 0 for record in left_out)
    lines = counted(len(left_out), "line")
    return f"{lines} not shown, {format_change(change)} by {'itself' if len(left_out) == 1 else 'themselves'}"


def _row(
    profile: LineMemoryProfile, record: LineRecord, strong: bool, precision: int, raised: LineRecord | None = None
) -> Row:
    scale = max(profile.peak, abs(profile.increment), profile.heap_peak or 0, 1)
    figures = [Cell(str(record.lineno))]
    for name, _, shows in _FIGURES:
        if shows(profile):
            has_bar = name != "mem_usage"
            figure = _figure(getattr(record, name), precision, scale if has_bar else None, profile.noise)
            figures.append(_marked(figure) if record.sampled and name in _APPROXIMATE else figure)
    if profile.has_lines:
        at_least = "≥ " if record.sampled else ""
        figures.append(Cell(f"{at_least}{record.occurrences}" if record.occurrences else ""))
    figures.append(
        Cell(clip(record.source, _LONGEST_LINE) + (f"  ← {profile.session.outcome}" if record is raised else ""))
    )
    return Row(tuple(figures), strong)


_APPROXIMATE = ("increment", "self_increment", "peak")
"""The figures of a sampled line that another line may have a part of."""


def _marked(figure: Cell) -> Cell:
    return replace(figure, text=f"≈ {figure.text}")


def _has_residue(profile: LineMemoryProfile) -> bool:
    lines = profile.has_lines and abs(profile.residue) > max(profile.noise, _LEAST_RESIDUE)
    return lines or (profile.has_heap and max(profile.heap_residue) > _LEAST_HEAP_RESIDUE)


def _residue_row(profile: LineMemoryProfile, precision: int) -> Row:
    """What belongs to no line, so that the columns add up."""
    at_peak, kept = profile.heap_residue
    values = {"increment": profile.residue, "self_increment": profile.residue, "at_peak": at_peak, "kept": kept}
    figures = [_figure(values.get(name), precision, 1 << 62) for name, _, shows in _FIGURES if shows(profile)]
    occurrences = (Cell(),) if profile.has_lines else ()
    return Row((Cell(), *figures, *occurrences, Cell("⋯ other threads, and code that no line of yours called")))


def _figure(n_bytes: int | None, precision: int, scale: int | None = None, noise: int = 0) -> Cell:
    if n_bytes is None:
        return Cell()
    if scale is None:
        return Cell(format_mib(n_bytes, precision))
    shown = max(n_bytes, 0) / scale
    return Cell(format_mib(n_bytes, precision), shown if shown >= 0.005 else None, muted=abs(n_bytes) <= noise)


def _notes(profile: LineMemoryProfile, n_tables: int, shown: _Display) -> Iterator[str]:
    if not profile.functions:
        yield "no line of yours ran" if profile.has_lines else _no_heap_lines(profile, shown.precision)
        if profile.has_lines and abs(profile.residue) > max(profile.noise, _LEAST_RESIDUE):
            yield f"{format_change(profile.residue, shown.precision)} of the change belongs to no line"
    if any(record.sampled for _, record in profile.lines()):
        yield (
            "≈ these lines ran so often that after the first runs they were looked at 20 times a second only: "
            "which of them took memory is approximate, what they took together is right; --exact looks at every run"
        )
    if profile.repetitions is not None and profile.repetitions.done:
        yield "the figures of the lines are of all repetitions together"
    if shown.flame and not profile.has_heap:
        yield "there is no flame graph: it is of the heap, which was not measured in this run"
    if n_tables > _MAX_FUNCTIONS:
        yield f"{n_tables - _MAX_FUNCTIONS} more functions are in to_dataframe()"
    yield from heap_notes(profile, shown.precision)
    yield from profile.method.notes


def _no_heap_lines(profile: LineMemoryProfile, precision: int) -> str:
    elsewhere = profile.heap_residue[0]
    if elsewhere > _LEAST_HEAP_RESIDUE:
        return f"no line is shown; {format_size(elsewhere, precision)} of the heap belong to code that was not followed"
    return "no line of yours took much of the heap"


def _method(profile: LineMemoryProfile) -> Iterator[str]:
    method = profile.method
    yield method.engine
    cost = f", about {format_seconds(method.overhead)} of measuring" if method.overhead is not None else ""
    yield f"{counted(method.n_events, 'look')}{cost}"
    yield f"resident {format_size(profile.rss_start)} at the start, {format_size(profile.rss_end)} at the end"
