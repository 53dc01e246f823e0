"""Names, labels and source that are made to be markup: nothing of them runs, or becomes an element, in any front end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.front_ends import IN_A_BROWSER, LIGHT, FrontEnds, Reader
from tests.notebook_files import notebook_of, read

pytestmark = IN_A_BROWSER

EVIL = (
    '<img src=x onerror="window.ran=1"><script>window.ran=2</script><svg onload=window.ran=3>'
    "</td></pre></div><style>body{display:none}</style>$$x$$ [x](javascript:window.ran=4) `y` *z* \x1b[31m\x07 \\\"'"
)
VISIBLE = "onerror=", "<script>window.ran=2</script>", "$$x$$", "[x](javascript:window.ran=4)"
"""Of it, what must be read as it was written."""

CELLS = [
    f"%load_ext jupyter_profkit\nimport time\nimport jupyter_profkit\nEVIL = {EVIL!r}",
    # names of functions, files and modules
    (
        "%%cprofile --explore\n"
        "code = compile('def f():\\n    return sorted(str(n) for n in range(20000))', EVIL, 'exec')\n"
        "exec(code, {'__name__': EVIL})\n"
        "def named(name):\n    def g():\n        return sorted(str(n) for n in range(20000))\n"
        "    g.__code__ = g.__code__.replace(co_name=name, co_qualname=name)\n    return g\n"
        "named(EVIL)();"
    ),
    # source
    f"%%memprofile\nx = [0] * 1_000_000; text = {EVIL!r}\ny = '''\n{EVIL.partition(chr(27))[0]}\n'''",
    # marks and titles
    "%%mprof_plot\nwith jupyter_profkit.mark(EVIL):\n    x = bytearray(20_000_000)\n    time.sleep(0.1)",
    # types, names, keys, values: in graphs, boxes and tables
    "kind = type(EVIL, (), {})\none = kind()\nsetattr(one, EVIL, {EVIL: [EVIL]})\nglobals()[EVIL] = one",
    "%objrefs --explore one",
    "%objrefs -b one.__dict__[EVIL]",
    "%objrefs --teach one",
    "%objwhy one.__dict__[EVIL]",
    "%%objleaks\nmany = [kind() for _ in range(100)]",
    "%%objgrowth\nmore = [kind() for _ in range(100)]",
    "%memwhos",
]
N_REPORTS = 10


@pytest.fixture(scope="module")
def ran(front_ends: FrontEnds) -> Path:
    """The notebook, run in JupyterLab, which trusts it then, and saved; nothing ran there but its cells."""
    path = front_ends.put(notebook_of(CELLS), "hostile.ipynb")
    with front_ends.reader("light") as someone:
        someone.open(front_ends.lab(path, LIGHT))
        someone.run_all()
        someone.wait_for_controls(2)
        nothing_ran(someone)
        someone.save()
    return path


def nothing_ran(someone: Reader) -> None:
    """No script of the notebook's, no element that it names; what is hostile stands there as text."""
    someone.page.wait_for_timeout(300)  # for an image that fails to load
    found: dict[str, Any] = someone.page.evaluate(
        "() => ({"
        " ran: window.ran ?? null,"
        " made: document.querySelectorAll('img[src=x], [onerror], [onload], a[href^=javascript]').length,"
        " typeset: document.querySelectorAll('.jpk mjx-container, .jpk .MathJax, .jpk em').length,"
        " hidden: getComputedStyle(document.body).display === 'none',"
        "})"
    )
    assert found == {"ran": None, "made": 0, "typeset": 0, "hidden": False}
    reports = someone.reports()
    assert len(reports) == N_REPORTS
    text = "\n".join(report["text"] for report in reports)
    for part in VISIBLE:
        assert part in text, part
    assert not {"\x1b", "\x07"} & set(someone.page.content())


def test_in_jupyterlab_where_it_ran(ran: Path) -> None:
    assert ran.exists()


@pytest.mark.parametrize("jupyter", ["lab", "notebook_7"])
def test_reopened_where_it_is_trusted(front_ends: FrontEnds, jupyter: str, ran: Path) -> None:
    with front_ends.reader("light") as someone:
        someone.look(getattr(front_ends, jupyter)(ran, LIGHT), N_REPORTS)
        assert all(report["styles"] for report in someone.reports()), "the notebook was not trusted"
        nothing_ran(someone)


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_converted(front_ends: FrontEnds, ran: Path, tmp_path: Path, form: str) -> None:
    """Markdown as a page that lets HTML through: more than most readers of it do."""
    import mistune
    from nbconvert import HTMLExporter, MarkdownExporter

    notebook = read(ran)
    notebook.metadata.pop("widgets", None)
    if form == "markdown":
        for cell in notebook.cells:
            cell.source = "# what the notebook's writer types is not ours"
    text, _ = (HTMLExporter if form == "html" else MarkdownExporter)().from_notebook_node(notebook)
    page = tmp_path / "hostile.html"
    if form == "markdown":
        text = (
            f"<meta charset=utf-8><div class=jp-OutputArea-output>{mistune.create_markdown(escape=False)(text)}</div>"
        )
    page.write_text(text, encoding="utf-8")
    with front_ends.reader("light") as someone:
        someone.look(page.as_uri(), N_REPORTS)
        nothing_ran(someone)
