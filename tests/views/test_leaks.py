"""The verdict of repeated runs on what they leave behind, in words."""

from __future__ import annotations

import pytest

from jupyter_profkit.model.leaks import LeakRecord, ObjectLeaks
from jupyter_profkit.model.session import Method
from jupyter_profkit.views.leaks import report
from tests.builders import session


def leak(type: str, each_run: int, holder: str = "keep", kind: str = "variable") -> LeakRecord:  # noqa: A002
    return LeakRecord(type, 3 * each_run, 64, kind, holder, "", tuple(each_run * run for run in (1, 2, 3)))


def verdict(*records: LeakRecord) -> str:
    return report(ObjectLeaks(session(), Method("a test"), records, (), 3)).headline


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (leak("list", 10), "10 more list objects held by variable keep"),
        (leak("Node", 1), "1 more Node object held by variable keep"),
        (leak("Node", 1_200, "", "cycle"), "1,200 more Node objects in a reference cycle"),
        (leak("objects", 5, "json", "import"), "5 more objects held by import json"),
    ],
)
def test_a_leak_is_told_in_a_sentence(record: LeakRecord, words: str) -> None:
    assert verdict(record) == f"A leak: each run after the first leaves {words}."


def test_the_first_leaks_are_told_and_the_others_counted() -> None:
    records = [leak(name, 2) for name in "ABCDE"]
    assert verdict(*records) == (
        "A leak: each run after the first leaves 2 more A objects held by variable keep, "
        "2 more B objects held by variable keep, 2 more C objects held by variable keep and more of 2 other kinds."
    )
