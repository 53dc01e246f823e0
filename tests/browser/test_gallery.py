"""Every report in every front end: what is on the page is what the notebook holds, light and dark, trusted or not.

The gallery is run once, in JupyterLab, and saved there. Its reports are then looked at as other
readers see them: in JupyterLab without trust, in Jupyter Notebook, as a web page, and in Voila.
`PROFKIT_PICTURES` keeps pictures of all of it.
"""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.front_ends import IN_A_BROWSER, Reader, jupyterlab, keep_page, notebook_7, reader, voila
from tests.kernels import ROOT
from tests.sanitizer import Sanitized

NOTEBOOK = ROOT / "notebooks" / "90_gallery.ipynb"
SERIOUS = {"serious", "critical"}

pytestmark = IN_A_BROWSER


def kept(path: Path) -> list[dict[str, Any]]:
    """Of each report in a saved notebook: what a page must show of it."""
    bundles = [
        output.data["text/html"]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if 'class="jpk ' in output.get("data", {}).get("text/html", "")
    ]
    return [
        {
            "begins": "".join(Sanitized(html).text.split())[:40],
            "allRows": html.count("<tr") - html.count("<thead>"),
            "bars": html.count("background-image:linear-gradient"),
            "marks": html.count("border-left:3px"),
            "alts": [attributes["alt"] for attributes in Sanitized(html).all("img")],
            "code": [
                unescape(re.sub("<[^>]+>", "", cell))
                for cell in re.findall('<td class="jpk-c highlight"[^>]*>(.*?)</td>', html)
                if "<details" not in cell
            ],
        }
        for html in bundles
    ]


def all_is_seen(someone: Reader, path: Path) -> None:
    """Each report that `path` holds, whole, with its bars and pictures, in colours that can be read."""
    shown, expected = someone.reports(), kept(path)
    assert len(shown) == len(expected) > 25
    for report, should in zip(shown, expected, strict=True):
        about = report["text"][:80]
        assert "".join(report["text"].split()).startswith(should["begins"]), about
        for figure in ("allRows", "bars", "marks", "code"):
            assert report[figure] == should[figure], (figure, about)
        assert [image["alt"] for image in report["images"]] == should["alts"], about
        assert all(image["drawn"] and image["width"] > 100 for image in report["images"]), about
        assert report["contrast"] > 3, about
        assert not report["wider"], about
        assert not report["typeset"], about
    assert max(report["inks"] for report in shown) > 3, "code has no colours"
    assert someone.complaints == []


def nobody_is_kept_out(someone: Reader, *, but: frozenset[str] = frozenset()) -> None:
    """By axe-core: contrast, names of controls, roles, keyboard."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(someone.page, context=".jp-OutputArea-output .jpk").response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]
    assert [one for one in serious if one[0] not in but] == []


STRIPPED = frozenset({"scrollable-region-focusable"})
"""What an untrusted page cannot have: JupyterLab's sanitizer removes ``tabindex``."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery, run from the menu of JupyterLab and saved there."""
    state, folder = tmp_path_factory.mktemp("light"), tmp_path_factory.mktemp("notebooks")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    path = folder / NOTEBOOK.name
    nbformat.write(notebook, path)
    n_errors = sum("raises-exception" in cell.metadata.get("tags", ()) for cell in notebook.cells)
    with jupyterlab(folder, state, "JupyterLab Light") as url, reader("light") as someone:
        someone.open(url.format(name=path.name))
        someone.clear_outputs()
        someone.run_all(n_errors)
        someone.save()
        keep_page(someone, "gallery-light")
        all_is_seen(someone, path)
        nobody_is_kept_out(someone)
        tables_sort_and_filter(someone)
        assert someone.requests == []
    return path


def tables_sort_and_filter(someone: Reader) -> None:
    """By a heading and by the line above, with the keyboard alone; a third press gives the first order back."""
    report = someone.page.locator(".jpk", has_text="%%cprofile").first
    table = report.locator("table", has_text="ncalls").first
    box = table.locator("xpath=../..")
    rows = table.locator("tbody tr")

    def figures() -> list[float]:
        return [float(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]

    before = rows.all_inner_texts()
    heading = table.locator("th", has_text="tottime")
    heading.locator("button").focus()
    someone.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert figures() == sorted(figures(), reverse=True)
    someone.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert figures() == sorted(figures())
    someone.page.keyboard.press("Enter")
    assert rows.all_inner_texts() == before

    box.get_by_label("Filter").first.focus()
    someone.page.keyboard.type("ENCODE")
    seen = rows.evaluate_all("rows => rows.filter(row => row.offsetHeight).map(row => row.textContent)")
    assert 0 < len(seen) < len(before)
    assert all("encode" in text.lower() for text in seen)  # in what is folded under a row, too
    assert re.search(r"\d+ of \d+ rows", box.inner_text())
    for _ in "ENCODE":
        someone.page.keyboard.press("Backspace")
    box.get_by_label("hide library code").first.check()
    assert not any(text.split("\t")[-1].startswith("[") for text in rows.all_inner_texts())
    box.get_by_label("hide library code").first.uncheck()
    assert rows.all_inner_texts() == before


def test_every_report_is_seen_where_it_was_run(saved: Path) -> None:
    assert len(kept(saved)) > 25


def test_in_the_dark_by_someone_who_trusts_nobody(saved: Path, tmp_path: Path) -> None:
    """The system's colours are the opposite of the theme's."""
    state = tmp_path / "state"
    state.mkdir()
    with jupyterlab(saved.parent, state, "JupyterLab Dark") as url, reader("light") as someone:
        someone.open(url.format(name=saved.name))
        keep_page(someone, "gallery-untrusted-dark")
        assert {report["styles"] + report["scripts"] for report in someone.reports()} == {0}, "the notebook was trusted"
        all_is_seen(someone, saved)
        nobody_is_kept_out(someone, but=STRIPPED)
        assert someone.requests == []


def test_in_jupyter_notebook_without_trust(saved: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with notebook_7(saved.parent, state, "JupyterLab Light") as url, reader("dark") as someone:
        someone.page.goto(url.format(name=saved.name), wait_until="domcontentloaded")
        someone.page.wait_for_function(f"() => document.querySelectorAll('.jpk').length >= {len(kept(saved))}")
        someone.page.wait_for_timeout(500)
        keep_page(someone, "gallery-notebook-7")
        all_is_seen(someone, saved)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_as_a_web_page_on_the_screen_and_on_paper(saved: Path, tmp_path: Path, theme: str) -> None:
    from nbconvert import HTMLExporter

    page = tmp_path / "gallery.html"
    page.write_text(HTMLExporter(theme=theme).from_filename(str(saved))[0], encoding="utf-8")
    with reader(theme) as someone:
        someone.page.goto(page.as_uri(), wait_until="domcontentloaded")
        someone.page.wait_for_function("() => [...document.images].every(image => image.complete)")
        someone.complaints.clear()  # what the page's own template asks of the network is not let through
        keep_page(someone, f"gallery-html-{theme}")
        all_is_seen(someone, saved)
        nobody_is_kept_out(someone)
        paper = someone.page.pdf(format="A4", print_background=True)
    assert paper.startswith(b"%PDF")
    if folder := os.environ.get("PROFKIT_PICTURES"):
        (Path(folder) / f"gallery-{theme}.pdf").write_bytes(paper)


def test_in_voila(tmp_path: Path) -> None:
    """It runs the notebook for its reader; a few cells are enough."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell["id"] in {"load", "memprofile", "mprof_plot", "cprofile"}]
    state, path = tmp_path / "state", tmp_path / "few.ipynb"
    state.mkdir()
    nbformat.write(notebook, path)
    with voila(path, state) as url, reader("light") as someone:
        someone.page.goto(url, wait_until="load", timeout=60_000)
        someone.page.wait_for_function("() => document.querySelectorAll('.jpk').length === 3", timeout=60_000)
        someone.page.wait_for_timeout(500)
        keep_page(someone, "gallery-voila")
        shown = someone.reports()
        assert [report["text"].split()[0] for report in shown] == ["%%memprofile", "%mprof_plot", "%%cprofile"]
        assert [bool(report["bars"]) for report in shown] == [True, False, True]
        assert all(image["drawn"] for report in shown for image in report["images"])
        assert all(report["contrast"] > 3 for report in shown)
