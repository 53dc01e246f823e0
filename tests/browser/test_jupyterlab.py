"""The quickstart in a real JupyterLab, in a real browser: run, seen, saved, and seen by someone who trusts nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.front_ends import DARK, IN_A_BROWSER, LIGHT, FrontEnds, Reader, keep_pictures
from tests.kernels import ROOT
from tests.notebook_files import read

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
def saved(front_ends: FrontEnds) -> Path:
    """The quickstart, run from the menu of JupyterLab and saved there."""
    path = front_ends.put(read(NOTEBOOK), NOTEBOOK.name)
    with front_ends.reader("light") as someone:
        someone.open(front_ends.lab(path, LIGHT))
        someone.clear_outputs()
        someone.run_all()
        the_four_reports_are_seen(of_the_quickstart(someone))
        keep_pictures(someone, [f"{magic.strip('%')}-light" for magic in REPORTS])
        someone.save()
        assert someone.complaints == []
        assert someone.requests == []
    return path


def test_the_four_reports_are_seen_after_run_all_cells(saved: Path) -> None:
    cells = {cell["id"]: cell for cell in read(saved).cells}
    for name in ("memprofile", "mprof_plot", "cprofile", "objrefs"):
        (bundle,) = [
            output.data for output in cells[name].outputs if "jpk" in str(output.get("data", {}).get("text/html"))
        ]
        assert bundle["text/plain"].startswith("%")


def test_they_are_still_seen_by_someone_who_did_not_run_it(saved: Path, front_ends: FrontEnds) -> None:
    """In both themes; the system's colours are the opposite, which breaks whoever looks at the system."""
    with front_ends.reader("dark") as someone:
        someone.look(front_ends.lab(front_ends.from_elsewhere(saved), LIGHT), len(REPORTS))
        for theme in (LIGHT, DARK):
            someone.turn(theme)
            seen = of_the_quickstart(someone)
            keep_pictures(someone, [f"{magic.strip('%')}-untrusted-{theme.split()[1].lower()}" for magic in REPORTS])
            assert [report["styles"] for report in seen.values()] == [0, 0, 0, 0], "the notebook was trusted"
            the_four_reports_are_seen(seen)
        assert someone.complaints == []
        assert someone.requests == []
