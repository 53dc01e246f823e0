"""Every result about objects in every format, with text in it that no format likes."""

from __future__ import annotations

import csv
import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import jupyter_profkit
from jupyter_profkit.errors import OptionError
from jupyter_profkit.export import json as recordings
from jupyter_profkit.model.leaks import CycleEdge, CycleRecord, LeakRecord, ObjectLeaks
from jupyter_profkit.model.object_boxes import BoxPicture, BoxSlot, ObjectBox, ObjectBoxes
from jupyter_profkit.model.objects import (
    ChainStep,
    HolderChain,
    MemoryHolder,
    MemoryPart,
    NamespaceMemory,
    ObjectHolders,
)
from jupyter_profkit.model.references import (
    ReferenceEdge,
    ReferenceGraph,
    ReferenceNode,
    TypeCounts,
    TypeGrowth,
    TypeRecord,
)
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method
from tests.builders import session
from tests.dot_grammar import statements
from tests.hostile_text import HOSTILE
from tests.sanitizer import Sanitized


def _slots() -> tuple[BoxSlot, ...]:
    return tuple(BoxSlot(f"[{number}]", text) for number, text in enumerate(HOSTILE))


def _results() -> list[Result]:
    given = {"session": session(title=f"%objrefs {HOSTILE[1]}"), "method": Method("a test", notes=tuple(HOSTILE))}
    nodes = tuple(
        ReferenceNode(number, text, text, "object" if number else "start", 1, 8, 2, number == 2, text, 16)
        for number, text in enumerate(HOSTILE)
    )
    edges = tuple(ReferenceEdge(0, number, text) for number, text in enumerate(HOSTILE))
    types = tuple(TypeRecord(text, 5, 3, 2, is_floor=False) for text in HOSTILE)
    chains = tuple(
        HolderChain(text, text, (ChainStep(text, text, text),), free=text, note=text, n_ways=2) for text in HOSTILE
    )
    leaks = tuple(LeakRecord(text, 5, 500, text, text, text, counts=(1, 3, 5)) for text in HOSTILE)
    cycles = tuple(CycleRecord((CycleEdge(text, text), CycleEdge(text, "")), 2, 4, 800, 1) for text in HOSTILE)
    picture = BoxPicture(
        (BoxSlot(HOSTILE[0], target=0), BoxSlot("n", HOSTILE[1])),
        tuple(ObjectBox(number, text, text, "object", _slots(), 3) for number, text in enumerate(HOSTILE)),
    )
    memory = tuple(MemoryHolder("variable", text, text, text, 900, 100, 3, also=text) for text in HOSTILE)
    parts = tuple(MemoryPart(text, 100, text) for text in HOSTILE)
    return [
        ReferenceGraph(**given, nodes=nodes, edges=edges, back=True),
        ReferenceGraph(**given, nodes=nodes, edges=edges),
        TypeCounts(**given, records=types, n_objects=99),
        TypeGrowth(**given, records=types, since=HOSTILE[2]),
        ObjectHolders(**given, name=HOSTILE[0], type=HOSTILE[1], text=HOSTILE[2], chains=chains, n_unseen=1),
        NamespaceMemory(**given, holders=memory, rss=5_000, parts=parts, given_back=10),
        ObjectLeaks(**given, records=leaks, cycles=cycles, n_repetitions=3),
        ObjectLeaks(**given, records=leaks, cycles=cycles, n_collected=5),
        ObjectBoxes(**given, after=picture),
        ObjectBoxes(**given, after=picture, before=dataclasses.replace(picture, variables=picture.variables[:1])),
    ]


RESULTS = _results()
TABLES = [".csv", ".json", ".html", ".txt"]
PICTURES = [".svg", ".png"]


def formats(result: Result) -> list[str]:
    """What ``-D`` takes for it."""
    if isinstance(result, ReferenceGraph):
        return [*TABLES, *PICTURES, ".dot"]
    return [*TABLES, *PICTURES] if isinstance(result, ObjectBoxes) else TABLES


def named(result: Result) -> str:
    return f"{result.kind}-{RESULTS.index(result)}"


CASES = [(result, suffix) for result in RESULTS for suffix in formats(result)]


@pytest.mark.parametrize(("result", "suffix"), CASES, ids=[named(one) + suffix for one, suffix in CASES])
def test_what_is_written_is_well_formed_and_complete(result: Result, suffix: str, tmp_path: Path) -> None:
    path = result.save(tmp_path / f"x{suffix}")
    check = {
        ".csv": _check_csv,
        ".json": _check_json,
        ".html": _check_html,
        ".txt": _check_text,
        ".svg": _check_svg,
        ".png": _check_png,
        ".dot": _check_dot,
    }
    check[suffix](result, path)


def _check_csv(result: Result, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == result.columns
    expected = [["" if cell is None else _encodable(str(cell)) for cell in row] for row in result.rows()]
    assert rows == expected
    assert rows


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _check_json(result: Result, path: Path) -> None:
    assert jupyter_profkit.load(path) == result


def _check_html(result: Result, path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("<body>")[2].partition("</body>")[0]
    page = Sanitized(text)
    assert "<script>alert" not in text
    assert "alert(1)" in page.text
    for picture in page.all("img"):
        assert picture["alt"].isprintable()
        assert "alert" in picture["alt"] or "quotes" in picture["alt"]


def _check_text(result: Result, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert "quotes" in text


def _check_svg(result: Result, path: Path) -> None:
    root = ET.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {one.tag.partition("}")[2] for one in root.iter()} <= set(
        "svg title style g rect circle path polygon text".split()
    )
    assert "quotes" in "".join(root.itertext())
    assert "url" not in path.read_text(encoding="utf-8").partition("<style>")[0]


def _check_png(result: Result, path: Path) -> None:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")


def _check_dot(result: Result, path: Path) -> None:
    nodes, edges = statements(path.read_text(encoding="utf-8"))
    assert list(nodes) == [f"n{node.id}" for node in result.nodes]
    assert [(source, target) for source, target, _ in edges] == [
        (f"n{edge.source}", f"n{edge.target}") for edge in result.edges
    ]
    assert all(len(attributes["label"]) < 200 for attributes in nodes.values())


@pytest.mark.parametrize("result", RESULTS, ids=named)
def test_what_cannot_be_written_is_refused_with_what_can(result: Result, tmp_path: Path) -> None:
    others = {".csv", ".json", ".html", ".txt", ".svg", ".png", ".dot", ".prof", ".dat", ".pdf", ""} - set(
        formats(result)
    )
    for suffix in others:
        with pytest.raises(OptionError, match=r"x\S*: the suffix must be one of") as refused:
            result.save(tmp_path / f"x{suffix}")
        assert set(str(refused.value).partition("one of ")[2].split(", ")) == set(formats(result))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("result", RESULTS, ids=named)
def test_a_result_is_a_pandas_table_and_comes_back_from_json(result: Result) -> None:
    table = result.to_dataframe()
    assert tuple(table.columns) == result.columns
    assert len(table) == len(list(result.rows())) > 0
    assert type(result).from_json(result.to_json()) == result


@pytest.mark.parametrize("kind", recordings._KINDS.values(), ids=lambda kind: kind.kind)
def test_every_kind_of_result_has_columns_and_rows(kind: type[Result]) -> None:
    assert kind.columns
    assert kind.rows is not Result.rows
