"""`--explore` where there is a kernel, and where there is none: the report is always there, the controls may be gone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import Kernel, running_kernel
from tests.notebook_files import notebook_of
from tests.sanitizer import Sanitized
from tests.terminals import running_terminal

WIDGET = "application/vnd.jupyter.widget-view+json"
CELL = "%%cprofile --explore\ndef work(n):\n    return sorted(str(i) for i in range(n))\nwork(1000);"
OPEN = "__import__('jupyter_profkit.widgets.explorer', fromlist=['_open'])._open"


@pytest.fixture(scope="module")
def kernel():
    with running_kernel() as started:
        yield started


def set_value(kernel: Kernel, model_id: str, **state: Any) -> list[dict[str, Any]]:
    """What a front end does when a control is touched; the updates that come back."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    message = kernel.client.session.msg("comm_msg", {"comm_id": model_id, "data": data})
    kernel.client.shell_channel.send(message)
    updates = []
    while True:
        answer = kernel.client.get_iopub_msg(timeout=30)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if answer["msg_type"] == "comm_msg":
            updates.append(answer["content"]["data"].get("state", {}))
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return updates


@pytest.mark.kernel
def test_the_controls_are_a_second_output_and_the_report_is_whole_without_them(kernel: Kernel) -> None:
    reply = kernel.run(CELL)
    report, note, controls = reply.displays
    assert reply.errors == []
    assert set(report) == {"text/plain", "text/html"}
    assert "work" in Sanitized(report["text/html"]).text
    assert "tottime" in report["text/plain"]
    assert WIDGET in controls
    for form in ("text/plain", "text/html"):
        assert "run the cell again" in note[form]
        assert controls[form] == "", "shown where there is no widget"


@pytest.mark.kernel
def test_a_front_end_that_touches_a_control_gets_the_view_drawn_anew(kernel: Kernel) -> None:
    kernel.run(CELL)
    model_id = kernel.value(f"[e.text.model_id for e in {OPEN}][-1]").strip("'")
    updates = set_value(kernel, model_id, value="work")
    assert any(re.search(r"\d+ of \d+ rows", str(state.get("value"))) for state in updates)


@pytest.mark.kernel
def test_messages_of_controls_leave_nothing_behind_and_the_next_cell_is_measured_as_ever(kernel: Kernel) -> None:
    kernel.run(CELL)
    model_id = kernel.run(f"print([e.text.model_id for e in {OPEN}][-1])").stdout.strip()
    for text in ("a", "b", "c"):
        set_value(kernel, model_id, value=text)
    sessions = "[s for f in get_ipython().events.callbacks['post_execute'] for s in [getattr(f, '__self__', None)] if type(s).__name__ == 'CellSessions'][0]"
    stacks = kernel.run(f"print([len(stack) for stack in {sessions}._stacks.values()])").stdout.strip()
    assert stacks == "[1]", "more than this very execution"
    report, *_ = kernel.run(CELL).displays
    assert "work(1000)" in report["text/plain"]


@pytest.mark.kernel
def test_a_cell_that_runs_again_closes_its_controls_and_no_others(kernel: Kernel) -> None:
    """ipywidgets keeps every widget that was not closed, and with it the result."""
    alive = f"(len(__import__('ipywidgets').widgets.widget._instances), len([*{OPEN}]))"
    steady = CELL.replace("--explore", "--explore --no-flame")  # the same widgets each time, however long it takes
    twice = f"{steady[:-1]}\n__import__('jupyter_profkit').last().explore(no_flame=True)"
    run_cell(kernel, "another", steady)
    run_cell(kernel, "this", twice)
    before = kernel.value(alive)
    run_cell(kernel, "this", twice)
    assert kernel.value(alive) == before
    run_cell(kernel, "this", "pass")
    assert kernel.value(alive) == before, "only new controls take the place of earlier ones"
    run_cell(kernel, "this", steady)
    n_widgets, n_explorers = eval(kernel.value(alive))
    assert n_explorers == eval(before)[1] - 1
    assert n_widgets < eval(before)[0]


def run_cell(kernel: Kernel, cell: str, code: str) -> None:
    """As JupyterLab runs it: with the cell's id."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = kernel.client.session.msg("execute_request", content, metadata={"cellId": cell})
    kernel.client.shell_channel.send(message)
    assert kernel.collect(message["header"]["msg_id"]).status == "ok"


@pytest.mark.kernel
def test_a_quiet_magic_shows_no_controls_either(kernel: Kernel) -> None:
    assert kernel.run(CELL.replace("--explore", "--explore -q")).displays == []


@pytest.mark.kernel
@pytest.mark.parametrize(
    "code",
    [
        "%%memprofile --explore\nx = [0] * 100_000",
        "%%mprof_plot --explore\nx = [0] * 100_000",
        "%objrefs --explore x",
        "%objwhy --explore x",
        "%memwhos --explore",
        "%objtypes --explore",
        "%objgrowth --explore",
        "%%objgrowth --explore\ny = [[] for _ in range(50)]",
        "import jupyter_profkit; jupyter_profkit.last('functions').explore(sort='cumulative')",
    ],
)
def test_every_magic_has_controls_for_its_report(kernel: Kernel, code: str) -> None:
    kernel.run(CELL)
    kernel.run("x = [[1], [2]]")
    reply = kernel.run(code)
    assert reply.errors == []
    assert reply.stderr == ""
    assert [WIDGET in display for display in reply.kept] == [False, False, True]


@pytest.mark.kernel
def test_a_config_trait_makes_controls_the_default(kernel: Kernel) -> None:
    kernel.run("%config TimeMagics.explore = True")
    try:
        assert len(kernel.run(CELL.replace(" --explore", "")).displays) == 3
    finally:
        kernel.run("%config TimeMagics.explore = False")


@pytest.mark.process
def test_a_terminal_is_told_what_to_do_instead() -> None:
    with running_terminal() as terminal:
        terminal.run("%load_ext jupyter_profkit")
        reply = terminal.run(CELL)
    lines = reply.stdout.splitlines()
    (n,) = [n for n, line in enumerate(lines) if line.startswith("jupyter_profkit: controls need a notebook")]
    assert lines[n + 1].startswith("  here the result's report(sort=")
    assert "tottime" in reply.stdout


@pytest.mark.kernel
def test_a_run_without_a_reader_keeps_the_report_and_converts_without_the_widget(tmp_path: Path) -> None:
    """nbclient runs it, nbconvert shows it: with the widget's state gone, as JupyterLab saves a notebook."""
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    notebook = notebook_of(["%load_ext jupyter_profkit", CELL])
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    report, _, controls = (output.data for output in notebook.cells[1].outputs)
    assert "tottime" in report["text/plain"]
    assert WIDGET in controls
    notebook.metadata.pop("widgets", None)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "run the cell again to have them back" in html
    assert "filename:lineno(function)" in html
