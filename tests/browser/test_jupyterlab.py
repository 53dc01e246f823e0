"""The quickstart in a real JupyterLab, in a real browser: run, seen, saved, and seen by someone who trusts nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.front_ends import IN_A_BROWSER, Reader, jupyterlab, keep_pictures, reader
from tests.kernels import ROOT

NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
REPORTS = ("%%memprofile", "%mprof_plot", "%%cprofile", "%objrefs")
"""What the four reports of the quickstart begin with."""

pytestmark = IN_A_BROWSER


def of_the_quickstart(someone: Reader) -> dict[str, dict[str, Any]]:
    """What is on the page of each report, by the magic it belongs to."""
    return {magic: seen for seen in someone.reports() for magic in REPORTS if seen["text"].startswith(magic)}


def the_four_reports_are_seen(seen: dict[str, dict[str, Any]]) -> None:
    """By their text, their size, their rows and pictures, in colours that can be read."""
    assert set(seen) == set(REPORTS)
    for magic, report in seen.items():
        assert report["width"] > 400, magic
        assert report["height"] > 80, magic
        assert report["contrast"] > 3, magic
        assert not report["typeset"], magic
        assert all(image["drawn"] and image["width"] > 100 and image["alt"] for image in report["images"]), magic
    assert seen["%%memprofile"]["rows"] >= 4
    assert "flights = load_flights(FLIGHTS)" in seen["%%memprofile"]["text"]
    assert seen["%%cprofile"]["rows"] >= 4
    assert "is_late" in seen["%%cprofile"]["text"]
    assert len(seen["%mprof_plot"]["images"]) == 1
    assert len(seen["%objrefs"]["images"]) == 1


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart, run from the menu of JupyterLab and saved there."""
    state, folder = tmp_path_factory.mktemp("light"), tmp_path_factory.mktemp("notebooks")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    path = folder / NOTEBOOK.name
    nbformat.write(notebook, path)
    with jupyterlab(folder, state, "JupyterLab Light") as url, reader("light") as someone:
        someone.open(url.format(name=path.name))
        someone.clear_outputs()
        someone.run_all()
        the_four_reports_are_seen(of_the_quickstart(someone))
        keep_pictures(someone, [f"{magic.strip('%')}-light" for magic in REPORTS])
        someone.save()
        assert someone.complaints == []
        assert someone.requests == []
    return path


def test_the_four_reports_are_seen_after_run_all_cells(saved: Path) -> None:
    cells = {cell["id"]: cell for cell in nbformat.read(saved, as_version=4).cells}
    for name in ("memprofile", "mprof_plot", "cprofile", "objrefs"):
        (bundle,) = [
            output.data for output in cells[name].outputs if "jpk" in str(output.get("data", {}).get("text/html"))
        ]
        assert bundle["text/plain"].startswith("%")


@pytest.mark.parametrize(("theme", "colours"), [("JupyterLab Dark", "light"), ("JupyterLab Light", "dark")])
def test_they_are_still_seen_by_someone_who_did_not_run_it(
    saved: Path, tmp_path: Path, theme: str, colours: str
) -> None:
    """The system's colours are the opposite of the theme's, which breaks whoever looks at the system."""
    state = tmp_path / "state"
    state.mkdir()
    with jupyterlab(saved.parent, state, theme) as url, reader(colours) as someone:
        someone.open(url.format(name=saved.name))
        seen = of_the_quickstart(someone)
        keep_pictures(someone, [f"{magic.strip('%')}-untrusted-{theme.split()[1].lower()}" for magic in REPORTS])
        assert [report["styles"] for report in seen.values()] == [0, 0, 0, 0], "the notebook was trusted"
        the_four_reports_are_seen(seen)
        assert someone.complaints == []
        assert someone.requests == []
