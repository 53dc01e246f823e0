"""Every report in every front end: what is on the page is what the notebook holds, light and dark, trusted or not.

The gallery is run once, in JupyterLab, and saved there. Its reports are looked at where they were
run, and as other readers see them: reopened in JupyterLab and Jupyter Notebook by someone who ran
it and by someone who trusts nobody, and as a web page; Voila runs it anew. What comes of a run
without a reader, of Markdown and LaTeX is in `tests/notebooks`. `PROFKIT_PICTURES` keeps pictures
of all of it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.browser.front_ends import DARK, IN_A_BROWSER, LIGHT, FrontEnds, Reader, keep_page
from tests.kernels import ROOT
from tests.notebook_files import read
from tests.sanitizer import Sanitized

NOTEBOOK = ROOT / "notebooks" / "90_gallery.ipynb"
N_EXPLORED = 4
"""How many of its reports have controls."""
SERIOUS = {"serious", "critical"}

pytestmark = IN_A_BROWSER


def kept(path: Path) -> list[dict[str, Any]]:
    """Of each report in a saved notebook: what a page must show of it."""
    bundles = [
        output.data["text/html"]
        for cell in read(path).cells
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


def both_themes(someone: Reader, path: Path, name: str, *, but: frozenset[str] = frozenset()) -> None:
    """All is seen, by everybody, in light and in dark."""
    for theme in (LIGHT, DARK):
        someone.turn(theme)
        keep_page(someone, f"gallery-{name}-{theme.split()[1].lower()}")
        all_is_seen(someone, path)
        nobody_is_kept_out(someone, but=but)
    assert someone.requests == []


def nothing_is_missed_on_paper(someone: Reader) -> None:
    """What can be sorted, filtered and unfolded on a screen has its caption and its method there, and no controls."""
    someone.page.emulate_media(media="print")
    seen = someone.page.evaluate(
        """() => {
          const sizes = what => [...document.querySelectorAll(what)].map(node => node.getBoundingClientRect().height);
          const captions = [...document.querySelectorAll('.jpk caption:not(details caption)')].filter(n => n.textContent);
          return {
            captions: captions.map(node => node.getBoundingClientRect().width),
            methods: sizes('.jpk-how > div'),
            controls: sizes('.jpk-tools, .jpk-note, .jpk-controls'),
          };
        }"""
    )
    assert len(seen["captions"]) > 25
    assert min(seen["captions"]) > 40
    assert len(seen["methods"]) > 25
    assert min(seen["methods"]) > 10
    assert len(seen["controls"]) > 10
    assert max(seen["controls"]) == 0


@pytest.fixture(scope="module")
def path(front_ends: FrontEnds) -> Path:
    return front_ends.put(read(NOTEBOOK), NOTEBOOK.name)


@pytest.fixture(scope="module")
def live(front_ends: FrontEnds, path: Path) -> Iterator[Reader]:
    """Someone who ran the gallery from the menu of JupyterLab, and saved it there."""
    cells = read(path).cells
    with front_ends.reader("light") as someone:
        someone.open(front_ends.lab(path, LIGHT))
        someone.clear_outputs()
        someone.run_all(sum("raises-exception" in cell.metadata.get("tags", ()) for cell in cells))
        someone.wait_for_controls(N_EXPLORED)
        someone.save()
        yield someone


@pytest.fixture(scope="module")
def trusted(live: Reader, path: Path) -> Path:
    """The saved gallery under another name, so that its kernel is another one; the signature is of what is in it."""
    return Path(shutil.copy(path, path.with_name("gallery.ipynb")))


@pytest.fixture(scope="module")
def untrusted(trusted: Path, front_ends: FrontEnds) -> Path:
    return front_ends.from_elsewhere(trusted)


def test_every_report_is_seen_where_it_was_run(live: Reader, path: Path) -> None:
    both_themes(live, path, "live")


def test_tables_sort_and_filter_by_keyboard(live: Reader) -> None:
    """By a heading and by the line above, with the keyboard alone; a third press gives the first order back."""
    report = live.page.locator(".jpk", has_text="%%cprofile").first
    table = report.locator("table", has_text="ncalls").first
    box = table.locator("xpath=../..")
    rows = table.locator("tbody tr")

    def figures() -> list[float]:
        return [float(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]

    before = rows.all_inner_texts()
    heading = table.locator("th", has_text="tottime")
    heading.locator("button").focus()
    live.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert figures() == sorted(figures(), reverse=True)
    live.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert figures() == sorted(figures())
    live.page.keyboard.press("Enter")
    assert rows.all_inner_texts() == before

    box.get_by_label("Filter").first.focus()
    live.page.keyboard.type("ENCODE")
    seen = rows.evaluate_all("rows => rows.filter(row => row.offsetHeight).map(row => row.textContent)")
    assert 0 < len(seen) < len(before)
    assert all("encode" in text.lower() for text in seen)  # in what is folded under a row, too
    assert re.search(r"\d+ of \d+ rows", box.inner_text())
    for _ in "ENCODE":
        live.page.keyboard.press("Backspace")
    box.get_by_label("hide library code").first.check()
    assert not any(text.split("\t")[-1].startswith("[") for text in rows.all_inner_texts())
    box.get_by_label("hide library code").first.uncheck()
    assert rows.all_inner_texts() == before


JUPYTERS = pytest.mark.parametrize("jupyter", ["lab", "notebook_7"])


@JUPYTERS
def test_reopened_by_someone_who_ran_it(front_ends: FrontEnds, jupyter: str, trusted: Path) -> None:
    with front_ends.reader("light") as someone:
        someone.look(getattr(front_ends, jupyter)(trusted, LIGHT), len(kept(trusted)))
        assert all(report["styles"] for report in someone.reports()), "the notebook was not trusted"
        both_themes(someone, trusted, f"{jupyter}-trusted")


@JUPYTERS
def test_reopened_by_someone_who_trusts_nobody(front_ends: FrontEnds, jupyter: str, untrusted: Path) -> None:
    with front_ends.reader("light") as someone:
        someone.look(getattr(front_ends, jupyter)(untrusted, LIGHT), len(kept(untrusted)))
        assert {report["styles"] + report["scripts"] for report in someone.reports()} == {0}, "the notebook was trusted"
        both_themes(someone, untrusted, f"{jupyter}-untrusted", but=STRIPPED)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_as_a_web_page_on_the_screen_and_on_paper(
    front_ends: FrontEnds, trusted: Path, tmp_path: Path, theme: str
) -> None:
    from nbconvert import HTMLExporter

    page = tmp_path / "gallery.html"
    page.write_text(HTMLExporter(theme=theme).from_filename(str(trusted))[0], encoding="utf-8")
    with front_ends.reader(theme) as someone:
        someone.look(page.as_uri(), len(kept(trusted)))
        someone.complaints.clear()  # what the page's own template asks of the network is not let through
        keep_page(someone, f"gallery-html-{theme}")
        all_is_seen(someone, trusted)
        nobody_is_kept_out(someone)
        paper = someone.page.pdf(format="A4", print_background=True)
        nothing_is_missed_on_paper(someone)
    assert paper.startswith(b"%PDF")
    if folder := os.environ.get("PROFKIT_PICTURES"):
        (Path(folder) / f"gallery-{theme}.pdf").write_bytes(paper)


def test_in_voila(front_ends: FrontEnds, trusted: Path) -> None:
    """It runs the notebook anew, so that the reports are the same but for their figures."""
    with front_ends.reader("light") as someone:
        someone.look(front_ends.voila(trusted), len(kept(trusted)))
        someone.wait_for_controls(N_EXPLORED)
        keep_page(someone, "gallery-voila")
        for report, should in zip(someone.reports(), kept(trusted), strict=True):
            about = report["text"][:80]
            assert should["begins"].startswith(report["text"].split()[0]), about
            assert bool(report["bars"]) == bool(should["bars"]), about
            assert len(report["images"]) == len(should["alts"]), about
            assert all(image["drawn"] and image["width"] > 100 for image in report["images"]), about
            assert report["contrast"] > 3, about
            assert not report["wider"], about
        nobody_is_kept_out(someone)
