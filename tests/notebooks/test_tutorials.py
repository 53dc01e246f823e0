"""The tutorials run, in a folder of their own, and what is kept in them is what they show today.

`pytest tests/notebooks --update-golden` executes them and keeps the new outputs.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernels import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[09]*.ipynb"))
MOST_BYTES = 200_000

pytestmark = [
    pytest.mark.notebook,
    pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem),
]


def execute(path: Path, folder: Path) -> Any:
    """Run a notebook in `folder`, as ``jupyter execute`` does."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    started = time.perf_counter()
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT), "PROFKIT_DEBUG": "1"})
    notebook.metadata["seconds"] = time.perf_counter() - started
    return notebook


def reports(cell: Any) -> list[dict[str, Any]]:
    """The bundles of our reports in a cell's outputs."""
    bundles = [output["data"] for output in cell.get("outputs", ()) if "data" in output]
    return [data for data in bundles if data.get("text/plain", "").startswith("%")]


def forms(notebook: Any) -> dict[str, list[list[str]]]:
    """Of each cell, the MIME types of its reports."""
    found = {cell["id"]: [sorted(data) for data in reports(cell)] for cell in notebook.cells}
    return {name: types for name, types in found.items() if types}


def promised(cell: Any) -> bool:
    """Whether a cell is one of our magics with a report."""
    magic = re.match(
        r"%%?(memprofile|cprofile|mprof_plot|mprof_run|objrefs|objwhy|objgrowth|objtypes|memwhos)\b(?!\?)(.*)",
        cell.source,
    )
    return magic is not None and " -q" not in magic[2]


def cleaned(notebook: Any) -> Any:
    """The notebook without what belongs to this machine and this run."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # its model is gone
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
    return notebook


def test_the_tutorial_runs_and_shows_its_reports(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    notebook = execute(path, tmp_path)
    seconds = notebook.metadata.pop("seconds")
    record_property("told", f"{path.name} ran in {seconds:.1f} s")
    for cell in notebook.cells:
        if cell.cell_type == "code" and promised(cell):
            assert reports(cell), f"cell {cell['id']} shows no report"
        for data in reports(cell):
            assert "text/html" in data
            assert data["text/plain"].count("\n") >= 2
            assert sum(len(part) for part in data.values()) <= MOST_BYTES
    assert not list(tmp_path.iterdir()), "the tutorial left files behind"
    if request.config.getoption("--update-golden"):
        nbformat.write(cleaned(notebook), path)
    assert forms(nbformat.read(path, as_version=4)) == forms(notebook)


def test_what_is_kept_belongs_to_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for place in (str(ROOT), str(Path.home()), tempfile.gettempdir(), "/root/", "/home/"):
        assert place not in text
    notebook = json.loads(text)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])


def test_no_output_is_an_error_and_every_code_cell_was_run(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    expected = [cell for cell in cells if "raises-exception" not in cell.metadata.get("tags", ())]
    assert not [output for cell in expected for output in cell.outputs if output.output_type == "error"]
