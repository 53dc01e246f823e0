"""The heap's figures on the lines that owe them, beside those of the line engine.

with_heap(line_engine.functions(), heap.bill, filename)     FunctionLines with at_peak and kept
with_heap((), heap.bill, filename, add=True)                where lines were not followed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jupyter_profkit.engines.heap_bill import HeapBill, HeapFigures
from jupyter_profkit.engines.source_files import SourceFile, SourceFunction
from jupyter_profkit.model.line_memory import FunctionLines, LineRecord
from jupyter_profkit.source import as_typed, label_of

__all__ = ["with_heap"]

_WORTH_A_TABLE = 64 * 1024
"""Bytes: a function that only the heap engine knows of is added from here on; less is on no line."""


def with_heap(
    functions: Iterable[FunctionLines], bill: HeapBill, block: str | None = None, *, add: bool = False
) -> tuple[FunctionLines, ...]:
    """`functions` with the heap's figures on their lines.

    Parameters
    ----------
    functions : what the line engine found, if it ran.
    bill : what the heap engine found.
    block : file name of the measured block, which comes first.
    add : whether functions that only the heap engine knows of are added. Beside
        the line engine these ran before the measurement did: the callers of a
        measured function, other threads.
    """
    files: dict[str, SourceFile] = {}
    figures: dict[int, dict[int, HeapFigures]] = {}
    found = list(functions)
    index_of = _by_place(found)
    for (filename, lineno), owed in bill.lines.items():
        if filename not in files:
            files[filename] = SourceFile(filename)
        source = files[filename]
        function = source.function(lineno)
        places = (filename, "", lineno), (filename, function.qualname, lineno)
        index = next((index_of[place] for place in places if place in index_of), None)
        if index is None:
            if not add or max(owed.at_peak, owed.kept) < _WORTH_A_TABLE:
                continue
            index = len(found)
            added = _without_figures(source, filename, function, lineno)
            found.append(added)
            index_of |= {(filename, added.function, record.lineno): index for record in added.records}
        figures.setdefault(index, {})[lineno] = owed
    filled = [
        replace(lines, records=_filled(lines.records, figures.get(index, {}))) for index, lines in enumerate(found)
    ]
    return tuple(sorted(filled, key=lambda lines: not (lines.is_cell and lines.filename == block)))


def _by_place(functions: Iterable[FunctionLines]) -> dict[tuple[str, str, int], int]:
    """Which of the functions has a line: by file, function and number, and without a name where the line ran."""
    found: dict[tuple[str, str, int], int] = {}
    for index, lines in enumerate(functions):
        for record in lines.records:
            found[lines.filename, lines.function, record.lineno] = index
            if record.occurrences:
                found[lines.filename, "", record.lineno] = index
    return found


def _without_figures(source: SourceFile, filename: str, function: SourceFunction, lineno: int) -> FunctionLines:
    text = [as_typed(line) for line in source.lines]
    records = tuple(
        LineRecord(number, text[number - 1] if number <= len(text) else "")
        for number in sorted({*source.block(function), lineno})
    )
    return FunctionLines(function.qualname, filename, label_of(filename), records, n_calls=0)


def _filled(records: tuple[LineRecord, ...], figures: dict[int, HeapFigures]) -> tuple[LineRecord, ...]:
    """The records with their figures; a line that ran and owes nothing has zeros."""
    nothing = HeapFigures()
    return tuple(
        replace(record, at_peak=owed.at_peak, kept=owed.kept)
        if (owed := figures.get(record.lineno, nothing if record.occurrences else None)) is not None
        else record
        for record in records
    )
