"""Controls in a real JupyterLab: sorted, filtered, zoomed, clicked, by mouse and by keyboard; then without a kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.front_ends import DARK, IN_A_BROWSER, LIGHT, FrontEnds, Reader
from tests.notebook_files import notebook_of

pytestmark = IN_A_BROWSER

CELLS = {
    "load": "%load_ext jupyter_profkit",
    "time": """%%cprofile --explore
import json
def parse(text):
    return [json.loads(text) for _ in range(4000)]
def clean(rows):
    return sorted(rows, key=str)
rows = parse('{"a": [1, 2, 3], "b": "<b>bold</b>"}')
rows = clean(rows * 3)""",
    "memory": "%%mprof_plot --explore\nimport time\nx = [0] * 3_000_000\ntime.sleep(0.3)\ndel x",
    "objects": """class Node:
    def __init__(self, name, n=0):
        self.name, self.children = name, [Node(f"{name}.{i}") for i in range(n)]
root = Node("<i>root</i>", 15)
%objrefs --explore -d 2 root""",
}
SERIOUS = {"serious", "critical"}


class Cell:
    """One cell's outputs, as its reader finds them."""

    def __init__(self, someone: Reader, name: str) -> None:
        self.node = someone.page.locator(".jp-CodeCell").nth(list(CELLS).index(name))
        self.controls = self.node.locator(".jupyter-widgets").first
        self.page = someone.page

    def wait(self, script: str, argument: Any = None) -> None:
        """Until `script`, a function of the widget's element, is true."""
        handle = self.controls.element_handle()
        self.page.wait_for_function(
            f"([el, argument]) => ({script})(el, argument)", arg=[handle, argument], timeout=20_000
        )

    def rows(self) -> list[str]:
        return self.controls.locator("table").last.locator("tbody tr").all_inner_texts()


def frame(cell: Cell, name: str) -> Any:
    return cell.controls.locator(f"svg g[role=button][aria-label^='{name}']").first


@pytest.fixture(scope="module")
def path(front_ends: FrontEnds) -> Path:
    return front_ends.put(notebook_of(CELLS.values()), "explore.ipynb")


@pytest.fixture(scope="module")
def someone(front_ends: FrontEnds, path: Path) -> Iterator[Reader]:
    """Someone who has run the notebook; it is saved when the tests are done with it."""
    with front_ends.reader("light") as someone:
        someone.open(front_ends.lab(path, DARK))
        someone.run_all()
        someone.wait_for_controls(3)
        yield someone
        picture(someone, "left")
        someone.save()
        assert someone.complaints == []
        assert someone.requests == []


def picture(someone: Reader, name: str) -> None:
    folder = os.environ.get("PROFKIT_PICTURES")
    if folder:
        for cell in list(CELLS)[1:]:
            Cell(someone, cell).node.screenshot(path=Path(folder) / f"explore-{cell}-{name}.png")


def test_the_report_above_is_folded_while_its_controls_live_and_unfolds(someone: Reader) -> None:
    cell = Cell(someone, "time")
    static = cell.node.locator("details.jpk-static")
    assert not static.locator("table").first.is_visible()
    static.locator("> summary").click()
    assert static.locator("table").first.is_visible()
    assert static.locator("svg g[role=button]").count() > 3, "the script of the report itself"
    static.locator("> summary").click()


def test_rows_are_sorted_and_filtered_and_nothing_jumps(someone: Reader) -> None:
    cell = Cell(someone, "time")
    top = cell.controls.locator("table").first.bounding_box()
    cell.controls.get_by_label("Sort by").select_option("ncalls")
    cell.wait("el => el.innerText.includes('Functions by calls')")
    counts = [int(row.split()[0].split("/")[0]) for row in cell.rows() if row[0].isdecimal()]
    assert counts[:-1] == sorted(counts[:-1], reverse=True)
    cell.controls.get_by_label("Filter").fill("PARSE")
    cell.wait("el => / of \\\\d+ rows/.test(el.innerText)".replace("\\\\", "\\"))
    assert all("parse" in row for row in cell.rows())
    assert cell.controls.locator("table").first.bounding_box()["y"] == top["y"]
    cell.controls.get_by_label("Filter").fill("")
    cell.wait("el => !/ of \\d+ rows/.test(el.innerText)")


def test_a_flame_graph_is_zoomed_by_mouse_and_left_by_a_button(someone: Reader) -> None:
    cell = Cell(someone, "time")
    before = frame(cell, "parse").locator("rect").bounding_box()
    frame(cell, "parse").click()
    after = frame(cell, "parse").locator("rect").bounding_box()
    assert after["width"] > before["width"]
    assert after["y"] == before["y"]
    assert "parse" in cell.controls.locator("output").inner_text()
    cell.controls.get_by_role("button", name="Show all").click()
    assert frame(cell, "parse").locator("rect").bounding_box()["width"] == pytest.approx(before["width"], abs=1)


def test_a_flame_graph_is_zoomed_by_keys_alone(someone: Reader) -> None:
    cell = Cell(someone, "time")
    cell.controls.get_by_label("Find a frame").focus()
    someone.page.keyboard.press("Tab")  # the button that shows all is not to be reached before there is a zoom
    focused = "() => { let e = document.activeElement; while (e.shadowRoot) e = e.shadowRoot.activeElement; return e.getAttribute('aria-label'); }"
    assert someone.page.evaluate(focused).startswith("In [")
    someone.page.keyboard.press("ArrowDown")
    inner = someone.page.evaluate(focused)
    assert not inner.startswith("In [2],")
    someone.page.keyboard.press("Enter")
    assert not cell.controls.get_by_role("button", name="Show all").is_disabled()
    assert someone.page.evaluate(focused) == inner
    someone.page.keyboard.press("Escape")
    assert cell.controls.get_by_role("button", name="Show all").is_disabled()


def test_frames_are_found_by_name(someone: Reader) -> None:
    cell = Cell(someone, "time")
    cell.controls.get_by_label("Find a frame").fill("pars")
    assert "found" in cell.controls.locator("output").inner_text()
    assert cell.controls.locator("svg g.found").count() >= 1
    cell.controls.get_by_label("Find a frame").fill("no such thing")
    assert cell.controls.locator("output").inner_text() == "nothing found"
    cell.controls.get_by_label("Find a frame").fill("")


def test_on_paper_there_is_the_picture_without_its_controls(someone: Reader) -> None:
    cell = Cell(someone, "time")
    someone.page.emulate_media(media="print")
    try:
        assert frame(cell, "parse").is_visible()
        assert not cell.controls.get_by_label("Find a frame").is_visible()
    finally:
        someone.page.emulate_media(media="null")
    assert cell.controls.get_by_label("Find a frame").is_visible()


def test_a_window_of_time_is_zoomed_into_with_the_arrow_keys(someone: Reader) -> None:
    cell = Cell(someone, "memory")
    before = cell.controls.locator("img").get_attribute("src")
    cell.controls.locator(".noUi-handle-lower").focus()
    for _ in range(3):
        someone.page.keyboard.press("PageUp")
    cell.wait("(el, before) => el.querySelector('img').src !== before", before)


def test_a_click_on_an_object_shows_what_is_behind_it_and_keys_do_too(someone: Reader) -> None:
    cell = Cell(someone, "objects")
    told = "(el, words) => [...el.querySelectorAll('div')].some(e => e.shadowRoot?.querySelector('output')?.textContent.includes(words))"
    nodes = cell.controls.locator("svg g[data-node]")
    before = nodes.count()
    cell.controls.locator("svg g[data-node][aria-label^='list']").first.click()
    cell.wait(told, "more shown")
    assert nodes.count() > before
    someone.page.keyboard.press("Enter")  # the same node has the keyboard still
    cell.wait(told, "collapsed")
    assert nodes.count() == before


def test_names_of_the_readers_are_text_and_nothing_else(someone: Reader) -> None:
    assert (
        someone.page.locator(".jp-OutputArea-output i, .jp-OutputArea-output svg i").filter(has_text="root").count()
        == 0
    )
    assert "<i>root</i>" in Cell(someone, "objects").controls.locator("svg").first.text_content()


def test_controls_can_be_read_by_everybody(someone: Reader) -> None:
    """By axe-core: names of controls, contrast, roles."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(someone.page, context=".jp-OutputArea-output .jupyter-widgets").response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []


def test_without_the_kernel_the_report_is_whole_and_a_line_says_how_to_have_the_controls(
    someone: Reader, path: Path, front_ends: FrontEnds
) -> None:
    """Saved, and opened by someone who trusts nobody."""
    someone.save()
    with front_ends.reader("light") as other:
        other.look(front_ends.lab(front_ends.from_elsewhere(path), LIGHT), 3)
        cell = Cell(other, "time")
        assert cell.node.locator(".jpk table").first.is_visible()
        assert cell.node.locator(".jpk img").first.is_visible()
        assert cell.node.locator(".jpk svg").count() == 0
        assert cell.node.locator(".jupyter-widgets").count() == 0
        assert "run the cell again to have them back" in cell.node.inner_text()
        picture(other, "untrusted")


def test_dead_controls_make_way_for_the_report_when_the_kernel_begins_anew(front_ends: FrontEnds) -> None:
    path = front_ends.put(notebook_of([CELLS["load"], CELLS["time"]]), "restarted.ipynb")
    with front_ends.reader("light") as other:
        other.open(front_ends.lab(path, LIGHT))
        other.run_all()
        other.wait_for_controls(1)
        cell = Cell(other, "time")
        assert cell.controls.is_visible()
        other.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        other.wait_for_controls(0)
        assert not cell.controls.is_visible()
        assert cell.node.locator(".jpk table").first.is_visible()
        assert "run the cell again to have them back" in cell.node.inner_text()
        assert other.complaints == []
