"""The heap's figures on the lines that owe them, beside those of the line engine and alone."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.heaps import SLACK, about, measure


def test_what_the_line_engine_allocates_is_on_no_line_of_the_users() -> None:
    run = measure("n = 0\nfor i in range(20_000):\n    n += 1\nkept = bytearray(4_000_000)", lines=True)
    assert run.line("kept").kept == about(4_000_000)
    assert run.line("n += 1").kept < SLACK
    assert run.bill.peak == about(4_000_000)


def test_both_halves_meet_on_the_same_rows() -> None:
    run = measure(
        """
        def make(n):
            block = bytearray(n)
            return block
        kept = [
            make(3_000_000)
            for _ in range(4)
        ]
        """,
        lines=True,
    )
    cell, make = run.functions
    assert [(r.lineno, r.kept) for r in make.records if r.occurrences] == [(2, about(12_000_000)), (3, about(0))]
    assert make.records[1].increment == pytest.approx(12_000_000, abs=600_000)
    assert [r.lineno for r in cell.records if r.seen] == [1, 4]


def test_without_lines_the_functions_are_found_in_the_source() -> None:
    run = measure(
        """
        class Box:
            @staticmethod
            def make(n):
                def inner():
                    return bytearray(n)
                return inner()
        first = bytearray(2_000_000)
        kept = Box.make(3_000_000)
        """
    )
    heavy = {lines.function: lines for lines in run.functions if any((r.kept or 0) > 1_000_000 for r in lines.records)}
    assert list(heavy) == ["<module>", "Box.make.<locals>.inner"]
    assert [record.lineno for record in heavy["Box.make.<locals>.inner"].records] == [4, 5]
    assert len(heavy["<module>"].records) == 8


def test_a_lambda_from_another_file_has_its_heap(tmp_path: Path) -> None:
    library = tmp_path / "library.py"
    library.write_text("def other():\n    pass\nquick = lambda n: bytearray(n)\n")
    names = runpy.run_path(str(library))
    run = measure("kept = quick(5_000_000)", lines=True, quick=names["quick"])
    (record,) = [record for lines in run.functions[1:] for record in lines.records if record.seen]
    assert (record.lineno, record.kept) == (3, about(5_000_000))


def test_a_class_in_a_function_has_its_heap_where_its_body_ran() -> None:
    run = measure(
        """
        def make():
            class Box:
                held = bytearray(6_000_000)
            return Box
        kept = make()
        """,
        lines=True,
    )
    held = [record for lines in run.functions for record in lines.records if record.lineno == 3 and record.seen]
    assert [(record.occurrences, record.kept) for record in held] == [(1, about(6_000_000))]
