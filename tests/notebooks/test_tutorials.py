"""The tutorials run without a reader, and what is kept in them is what they show today, also in Markdown and LaTeX.

`pytest tests/notebooks --update-golden` executes them and keeps the new outputs. Each is executed
once, in a folder of its own: by nbclient, as ``jupyter execute`` does, or by papermill.
"""

from __future__ import annotations

import copy
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_profkit.cells.place import NOTHING
from tests.kernels import ROOT
from tests.notebook_files import read, write
from tests.sanitizer import Sanitized

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[09]*.ipynb"))
BY_PAPERMILL = "01_quickstart"
MOST_BYTES = 200_000
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

pytestmark = pytest.mark.notebook


@dataclass(frozen=True)
class Executed:
    notebook: Any
    seconds: float
    folder: Path
    """Where it ran."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(path, id=path.stem) for path in NOTEBOOKS],
)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def executed(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executed]:
    """The notebook, run once for all tests of it."""
    folder = tmp_path_factory.mktemp(path.stem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("PROFKIT_DEBUG", "1")
        started = time.perf_counter()
        notebook = execute(path, folder)
        yield Executed(notebook, time.perf_counter() - started, folder)


def execute(path: Path, folder: Path) -> Any:
    if path.stem == BY_PAPERMILL:
        import papermill

        options = {"cwd": str(folder), "kernel_name": "python3", "progress_bar": False, "execution_timeout": 120}
        return papermill.execute_notebook(str(path), None, **options)
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(read(path), timeout=120, kernel_name="python3", resources=resources).execute()


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
        r"%%?(memprofile|cprofile|mprof_plot|mprof_run|objrefs|objwhy|objleaks|objgrowth|objtypes|memwhos)\b(?!\?)(.*)",
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
        if "outputs" in cell:  # lines on progress, which slow machines have, were wiped
            cell.outputs = [output for output in cell.outputs if output.get("data") != NOTHING]
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # its model is gone
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags" and value}
    return notebook


def test_the_tutorial_runs_and_shows_its_reports(
    path: Path, executed: Executed, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    notebook = copy.deepcopy(executed.notebook)
    record_property("told", f"{path.name} ran in {executed.seconds:.1f} s")
    for cell in notebook.cells:
        if cell.cell_type == "code" and promised(cell):
            assert reports(cell), f"cell {cell['id']} shows no report"
        for data in reports(cell):
            assert "text/html" in data
            assert data["text/plain"].count("\n") >= 2
            assert sum(len(part) for part in data.values()) <= MOST_BYTES
    assert not list(executed.folder.iterdir()), "the tutorial left files behind"
    if request.config.getoption("--update-golden"):
        write(cleaned(notebook), path)
    assert forms(read(path)) == forms(notebook)


def test_in_markdown_the_reports_are_whole(executed: Executed) -> None:
    """Blocks of HTML, which an empty line would end."""
    import mistune
    from nbconvert import MarkdownExporter

    text, _ = MarkdownExporter().from_notebook_node(executed.notebook)
    page = Sanitized(mistune.create_markdown(escape=False)(text))
    shown = "".join(page.text.split())
    for data in all_reports(executed.notebook):
        assert "".join(Sanitized(data["text/html"]).text.split()) in shown
        assert not CONTROL.search(data["text/html"])


def test_in_latex_the_reports_are_whole_or_a_picture(executed: Executed) -> None:
    """As source: nbconvert takes a picture before text. Markdown cells, which need pandoc, are left out."""
    from nbconvert import LatexExporter
    from nbconvert.filters import escape_latex

    notebook = copy.deepcopy(executed.notebook)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    source, resources = LatexExporter().from_notebook_node(notebook)
    shown = "".join(source.split())  # long lines of last values are broken
    found = all_reports(executed.notebook)
    for data in found:
        if "image/png" not in data:
            assert "".join(escape_latex(data["text/plain"]).split()) in shown
        assert not CONTROL.search(data["text/plain"])
    assert len(resources["outputs"]) >= sum("image/png" in data for data in found)
    assert all(f"{{{name}}}" in source for name in resources["outputs"])


def all_reports(notebook: Any) -> list[dict[str, Any]]:
    return [data for cell in notebook.cells for data in reports(cell)]


def test_what_is_kept_belongs_to_no_machine(path: Path) -> None:
    text = re.sub("[A-Za-z0-9+/]{200,}", "", path.read_text(encoding="utf-8"))  # in base64, any word may be found
    for place in (str(ROOT), str(Path.home()), tempfile.gettempdir(), "/root/", "/home/"):
        assert place not in text
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])


def test_no_output_is_an_error_and_every_code_cell_was_run(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    expected = [cell for cell in cells if "raises-exception" not in cell.metadata.get("tags", ())]
    assert not [output for cell in expected for output in cell.outputs if output.output_type == "error"]
