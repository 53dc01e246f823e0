"""The cell stays a cell: every row of the table, for each magic, in an ipykernel and in terminal IPython."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import Kernel, running_kernel
from tests.terminals import Terminal, running_terminal

pytestmark = [pytest.mark.kernel]

MAGICS = ("memprofile", "cprofile", "mprof_plot")
FRONTS = {"kernel": running_kernel, "terminal": running_terminal}


@pytest.fixture(scope="module", params=MAGICS)
def magic(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def shared_kernel(front: str, magic: str) -> Iterator[Kernel | Terminal]:
    with FRONTS[front]() as kernel:
        yield kernel


HOOKS = (
    "(lambda sys, threading, shell: [sys.gettrace(), sys.getprofile(), threading.gettrace(), "
    "[t and sys.monitoring.get_tool(t) for t in (3, 4, 5, 1)] if sys.version_info >= (3, 12) else None, "
    "'showtraceback' in vars(shell), [t.name for t in threading.enumerate() if 'profkit' in t.name.lower()], "
    "__import__('psutil').Process().children()])"
    "(__import__('sys'), __import__('threading'), get_ipython())"
)


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Iterator[Kernel]:
    """The magic's kernel; afterwards nothing of ours is left in it."""
    hooks, names = shared_kernel.value(HOOKS), shared_kernel.value("sorted(globals())")
    yield shared_kernel
    assert shared_kernel.value(HOOKS) == hooks
    new = shared_kernel.value(f"[n for n in globals() if n not in {names} and 'profkit' in n.lower()]")
    assert new == "[]"


def test_the_last_expression_is_displayed_and_bound(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nx_last = 20\nx_last + 22")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "42", 1)
    assert kernel.run("print(_, Out[max(Out)])").stdout == "42 42\n"


def test_a_semicolon_silences_the_last_expression(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\n20 + 22;")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", None, 1)


def test_variables_stay_and_existing_ones_can_be_changed(kernel: Kernel, magic: str) -> None:
    kernel.run("n_kept = 1")
    kernel.run(f"%%{magic}\nn_kept = n_kept + 1\nfresh = [n_kept]")
    assert kernel.value("(n_kept, fresh)") == "(2, [2])"


def test_an_error_gives_one_clean_traceback_and_a_partial_report(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nbefore = 'kept'\n\ndef fail():\n    return 1 / 0\n\nfail()\nnever = 1")
    assert reply.status == "error"
    assert [error["ename"] for error in reply.errors] == ["ZeroDivisionError"]
    assert "line 7" in reply.traceback
    assert "line 5" in reply.traceback
    assert "jupyter_profkit" not in reply.traceback
    assert "__import__" not in reply.traceback
    assert "ZeroDivisionError" in reply.reports[0]
    assert "partial" in reply.reports[0]
    assert kernel.value("before") == "'kept'"
    assert kernel.value("'never' in globals()") == "False"


def test_the_traceback_shows_the_magic_on_the_first_line(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\n1 / 0")
    assert f"%%{magic}" in reply.traceback
    assert "__import__" not in reply.traceback


def test_an_interrupt_gives_a_partial_report_and_goes_on(kernel: Kernel, magic: str, tmp_path: Path) -> None:
    begin = f"%%{magic}\nimport time\nbegun = True\nopen({str(tmp_path / 'begun')!r}, 'w').close()\n"
    reply = kernel.run(f"{begin}time.sleep(30)", interrupt_when=tmp_path / "begun")
    assert (reply.status, reply.content["ename"]) == ("error", "KeyboardInterrupt")
    assert "KeyboardInterrupt" in reply.reports[0]
    assert kernel.value("begun") == "True"


def test_an_interrupt_while_awaiting_is_the_same(kernel: Kernel, magic: str, tmp_path: Path) -> None:
    """ipykernel sees it when its loop wakes, at the end of the sleep."""
    begin = f"%%{magic}\nimport asyncio\nopen({str(tmp_path / 'begun')!r}, 'w').close()\n"
    reply = kernel.run(f"{begin}await asyncio.sleep(3)", interrupt_when=tmp_path / "begun")
    assert reply.status == "error"
    assert len(reply.reports) == 1
    assert "partial" in reply.reports[0]
    assert kernel.run("1 + 1").value == "2"


def test_an_interrupt_raised_by_the_cell_is_the_same(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nraise KeyboardInterrupt")
    assert (reply.status, reply.content["ename"]) == ("error", "KeyboardInterrupt")
    assert "KeyboardInterrupt" in reply.reports[0]


def test_sys_exit_gives_a_partial_report(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nimport sys\nsys.exit(3)")
    assert (reply.status, reply.content["ename"]) == ("error", "SystemExit")
    assert "SystemExit" in reply.reports[0]


def test_a_syntax_error_is_reported_once_and_without_a_report(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nx = 1\nfor\n")
    assert (reply.status, len(reply.errors), reply.reports) == ("error", 1, [])
    assert reply.errors[0]["ename"] == "SyntaxError"


def test_await_works_on_the_notebooks_own_loop(kernel: Kernel, magic: str) -> None:
    kernel.run("import asyncio\nasync def later():\n    await asyncio.sleep(.01)\n    return 'done'")
    kernel.run("task = asyncio.ensure_future(later())\nawait asyncio.sleep(0)")
    reply = kernel.run(f"%%{magic}\nawaited = await task\nawait later()\nawaited * 2")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "'donedone'", 1)


def test_an_error_after_an_await_is_clean(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nimport asyncio\nawait asyncio.sleep(.01)\n1 / 0")
    assert (reply.status, [error["ename"] for error in reply.errors]) == ("error", ["ZeroDivisionError"])
    assert "jupyter_profkit" not in reply.traceback
    assert "partial" in reply.reports[0]


def test_shell_commands_and_line_magics_work_inside(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\n!echo from the shell\nq = !echo caught\n%time timed = 3\n%matplotlib inline")
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert "from the shell" in reply.stdout
    assert kernel.value("(list(q), timed)") == "(['caught'], 3)"


@pytest.mark.parametrize("front", ["kernel"], indirect=True)
def test_a_plot_in_the_cell_is_shown(kernel: Kernel, magic: str) -> None:
    kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt")
    reply = kernel.run(f"%%{magic}\nplt.plot([1, 2]);")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", None, 1)
    assert any("image/png" in bundle and "text/html" not in bundle for bundle in reply.displays)


def test_strings_over_several_lines_are_unchanged(kernel: Kernel, magic: str) -> None:
    text = "'''a\n  b\n\n%%time\n\tc\\\nd $x {y}'''"
    kernel.run(f"plain = {text}")
    kernel.run(f"%%{magic}\nmeasured = {text}")
    assert kernel.value("plain == measured") == "True"


def test_source_of_the_cells_functions_is_found_during_and_after(kernel: Kernel, magic: str) -> None:
    cell = f"%%{magic}\nimport inspect\ndef told():\n    return 'told'\nduring = inspect.getsource(told)"
    assert kernel.run(cell).status == "ok"
    expected = "'def told():\\n    return \\'told\\'\\n'"
    assert kernel.value("during == inspect.getsource(told)") == "True"
    assert kernel.value("during").replace('"', "'").replace("\\'", "'") == expected.replace("\\'", "'")


@pytest.mark.parametrize("other", ["time", "capture captured", "timeit -n1 -r1"])
def test_it_works_under_another_magic(kernel: Kernel, magic: str, other: str) -> None:
    reply = kernel.run(f"%%{other}\n%%{magic}\nstacked_under = 5\nstacked_under")
    assert reply.status == "ok"
    assert not reply.errors
    if other.startswith("capture"):
        assert reply.reports == []
        assert kernel.value("len(captured.outputs)") == "2"  # the value and the report
    else:
        assert len(reply.reports) == 1
    if not other.startswith("timeit"):
        assert kernel.value("stacked_under") == "5"


def test_time_may_stand_above_or_below(kernel: Kernel, magic: str) -> None:
    body = "big = [0] * 2_000_000\nsize = sum(range(9))"
    above = kernel.run(f"%%time\n%%{magic}\n{body}").reports[0]
    below = kernel.run(f"%%{magic}\n%%time\n{body}").reports[0]
    assert re.match(
        rf"%%?{magic}  big = \[0\] \* 2_000_000 …\n", above.replace(f"%mprof_plot  %%{magic}", f"%%{magic} ")
    )
    if magic != "mprof_plot":  # it has no lines
        assert re.search(r" 2  .* size = sum\(range\(9\)\)$", above, re.MULTILINE)
        assert re.search(r" 2  .* %%time$", below, re.MULTILINE)
    if magic == "memprofile":
        assert "In [" in kernel.run("%%memprofile\n%time one = [0] * 2_000_000").reports[0].splitlines()[1]
        assert re.search(r"^▸? +1 .* 1 +big = \[0\] \* 2_000_000$", below, re.MULTILINE)
        kernel.run("%%time\ndef later():\n    return 1")
        assert "size =" not in kernel.run("%%memprofile\nlater()").reports[0]


def test_magics_in_the_cell_are_shown_as_they_were_typed(kernel: Kernel, magic: str) -> None:
    body = "!echo from the shell\nq = !echo caught\n%time timed = [0] * 1_000_000"
    report = kernel.run(f"%%{magic}\n{body}").reports[0]
    assert "get_ipython" not in report
    assert (" %time timed = [0] * 1_000_000" in report) == (magic != "mprof_plot")


@pytest.mark.parametrize("code", ["%{} 1 / 0", "%%time\n%%{}\nx = 1\n1 / 0"])
def test_an_error_of_what_a_magic_runs_has_no_frame_of_ours(kernel: Kernel, magic: str, code: str) -> None:
    if code.startswith("%{}") and magic == "mprof_plot":  # it takes no statement
        return
    reply = kernel.run(code.format(magic))
    assert (len(reply.errors), reply.content["ename"]) == (1, "ZeroDivisionError")
    assert "jupyter_profkit" not in reply.traceback


@pytest.mark.parametrize("other", ["time", "capture captured"])
def test_it_works_over_another_magic(kernel: Kernel, magic: str, other: str) -> None:
    reply = kernel.run(f"%%{magic}\n%%{other}\nstacked_over = 6\nprint('inside')")
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert kernel.value("stacked_over") == "6"
    assert reply.stdout.startswith("inside") == (other == "time")


@pytest.mark.parametrize("other", MAGICS)
def test_it_works_with_another_magic_of_ours(kernel: Kernel, magic: str, other: str) -> None:
    reply = kernel.run(f"%%{magic}\n%%{other}\nboth = 7\nboth")
    assert (reply.status, reply.value) == ("ok", "7")
    assert len(reply.reports) == (1 if magic == other else 2)


def test_an_error_under_a_stack_of_magics_stays_one_error(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\n%%time\n1 / 0")
    assert (reply.status, [error["ename"] for error in reply.errors]) == ("error", ["ZeroDivisionError"])


def test_a_registered_magic_serves_programs(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"answer = get_ipython().run_cell_magic('{magic}', '', 'made = 8\\nmade + 1')\nprint(answer)")
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert reply.stdout.endswith("9\n")
    assert kernel.value("made") == "8"


def test_an_error_in_a_programs_body_is_raised_unchanged(kernel: Kernel, magic: str) -> None:
    code = (
        f"try:\n    get_ipython().run_cell_magic('{magic}', '', '1 / 0')\nexcept ZeroDivisionError as e:\n    print(e)"
    )
    reply = kernel.run(code)
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert reply.stdout.endswith("division by zero\n")


def test_a_nested_cell_does_not_end_the_outer_one(kernel: Kernel, magic: str) -> None:
    code = (
        f"%%{magic}\nip = get_ipython()\nip.run_cell('inner = 1')\nip.run_cell('')\n"
        "ip.run_cell('silently = 2', silent=True)\nouter = [0] * 3_000_000\ndef only_after(): return 1\nonly_after()"
    )
    reply = kernel.run(code)
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert kernel.value("(inner, silently, len(outer))") == "(1, 2, 3000000)"
    if magic != "mprof_plot":
        assert "only_after" in reply.reports[0]


def test_a_nested_measured_cell_has_its_own_report_or_says_why_not(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic}\nget_ipython().run_cell('%%{magic}\\nnested = 1')\nafter = 2")
    assert reply.status == "ok"
    assert len(reply.reports) == 2  # the inner one may say why it could not measure
    assert kernel.value("(nested, after)") == "(1, 2)"


def test_the_same_cell_runs_again(kernel: Kernel, magic: str) -> None:
    for _ in range(2):
        reply = kernel.run(f"%%{magic}\nagain = 1\nagain")
        assert (reply.status, reply.value, len(reply.reports)) == ("ok", "1", 1)


@pytest.mark.parametrize("body", ["", "\n", "# nothing but a remark", "\n\n   \n"])
def test_a_cell_without_statements_does_no_harm(kernel: Kernel, magic: str, body: str) -> None:
    reply = kernel.run(f"%%{magic}\n{body}")
    assert (reply.status, reply.errors, len(reply.reports)) == ("ok", [], 1)
    assert kernel.run("1 + 1").value == "2"


def test_a_wrong_option_is_one_line_and_the_body_is_not_run(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"%%{magic} --no-such-option\nmust_not_exist = 1")
    assert reply.status == "error"
    assert reply.content["ename"] == "UsageError"
    assert len(reply.stderr.strip().splitlines()) == 1
    assert "--no-such-option" in reply.stderr
    assert reply.reports == []
    assert kernel.value("'must_not_exist' in globals()") == "False"


def test_another_profiler_is_not_disturbed(kernel: Kernel, magic: str) -> None:
    kernel.run("import cProfile\nother = cProfile.Profile()")
    reply = kernel.run(f"other.enable()\nget_ipython().run_cell('%%{magic}\\nbeside = 1\\nlen([1])')\nother.disable()")
    assert reply.status == "ok"
    (report,) = reply.reports
    assert "Not measured" not in report or "cProfile" in report
    assert kernel.value("beside") == "1"
    assert "'" in kernel.value("str(len(other.getstats()) > 3)")


def test_another_tracer_is_not_disturbed(kernel: Kernel, magic: str) -> None:
    code = (
        "import sys\nseen = []\ndef tracer(frame, event, arg):\n    seen.append(event)\n    return tracer\n"
        f"sys.settrace(tracer)\nget_ipython().run_cell('%%{magic}\\ntraced = 1')\nheld = sys.gettrace() is tracer\n"
        "sys.settrace(None)"
    )
    reply = kernel.run(code)
    assert reply.status == "ok"
    (report,) = reply.reports
    assert "Not measured" not in report or "sys.settrace" in report
    assert kernel.value("(traced, held, len(seen) > 0)") == "(1, True, True)"


@pytest.mark.parametrize("front", ["kernel"], indirect=True)
def test_it_measures_in_a_subshell_thread(kernel: Kernel, magic: str) -> None:
    control = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(control)
    subshell = kernel.client.get_control_msg(timeout=10)["content"]["subshell_id"]
    message = kernel.client.session.msg(
        "execute_request",
        {"code": f"%%{magic}\nin_subshell = 4\nin_subshell"}
        | {"silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
    )
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    reply = kernel.collect(message["header"]["msg_id"])
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "4", 1)
    kernel.client.control_channel.send(kernel.client.session.msg("delete_subshell_request", {"subshell_id": subshell}))
    assert kernel.client.get_control_msg(timeout=10)["content"]["status"] == "ok"


def test_unloading_removes_every_trace_and_loading_again_works(kernel: Kernel, magic: str) -> None:
    assert kernel.run("%unload_ext jupyter_profkit").status == "ok"
    reply = kernel.run(f"%%{magic}\n1")
    assert "not found" in reply.stderr
    left = [
        f"ip.find_cell_magic('{magic}')",
        "[t for t in ip.input_transformers_cleanup if 'profkit' in repr(t)]",
        "[c for f in ip.events.callbacks.values() for c in f if 'profkit' in repr(c)]",
        "[m for m in ip.Completer.custom_matchers if 'profkit' in repr(m)]",
        "[c for c in ip.configurables if 'profkit' in type(c).__module__]",
    ]
    ours = f"(lambda ip: [{', '.join(left)}])(get_ipython())"
    assert kernel.value(ours) == "[None, [], [], [], []]"
    assert kernel.run("%load_ext jupyter_profkit").status == "ok"
    assert len(kernel.run(f"%%{magic}\n1").reports) == 1
