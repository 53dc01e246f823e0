"""``--repeat N``: the body runs N times, and the last time it is the cell's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, running_kernel
from tests.terminals import Terminal, running_terminal

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=[running_kernel, running_terminal], ids=["kernel", "terminal"])
def front(request: pytest.FixtureRequest) -> Iterator[Kernel | Terminal]:
    with request.param() as front:
        front.run("import asyncio")
        yield front


@pytest.fixture
def kernel(front: Kernel) -> Kernel:
    front.run("runs = 0; seen = []")
    return front


REPEATED = "%%memprofile --no-heap --repeat 4\n"


def test_the_body_runs_as_often_as_asked_and_only_the_last_value_is_shown(kernel: Kernel) -> None:
    names = kernel.value("sorted(globals())")
    reply = kernel.run(f"{REPEATED}runs += 1\nprint('run', runs)\nruns")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "4", 1)
    assert [line for line in reply.stdout.splitlines() if line.startswith("run ")] == [f"run {n}" for n in range(1, 5)]
    assert kernel.run("print(_, Out[max(Out)])").stdout == "4 4\n"
    assert kernel.value(f"[n for n in globals() if n not in {names} and not n.startswith('_')]") == "[]"


def test_a_semicolon_silences_the_last_value_too(kernel: Kernel) -> None:
    assert kernel.run(f"{REPEATED}runs += 1\nruns;").value is None
    assert kernel.value("runs") == "4"


def test_values_of_all_expressions_are_shown_of_the_last_run_alone(kernel: Kernel) -> None:
    kernel.run("get_ipython().ast_node_interactivity = 'all'")
    reply = kernel.run(f"{REPEATED}runs += 1\nruns\nif runs:\n    runs * 10")
    kernel.run("get_ipython().ast_node_interactivity = 'last_expr'")
    assert reply.value == "40"
    assert reply.stdout.count("Out[") in {0, 2}  # a kernel sends them as messages


def test_awaits_work_in_every_repetition(kernel: Kernel) -> None:
    reply = kernel.run(
        f"{REPEATED}runs += await asyncio.sleep(.001, 1)\nasync with asyncio.Lock():\n    seen += [runs]\nruns"
    )
    assert (reply.status, reply.value) == ("ok", "4")
    assert kernel.value("seen") == "[1, 2, 3, 4]"
    assert reply.reports[0].count("await") == 1


def test_an_error_ends_the_repetitions_with_the_cells_own_traceback(kernel: Kernel) -> None:
    body = "runs += 1\ndef check():\n    assert runs < 3\n\ncheck()"
    reply = kernel.run(f"{REPEATED}{body}")
    assert (reply.status, [error["ename"] for error in reply.errors]) == ("error", ["AssertionError"])
    assert "jupyter_profkit" not in reply.traceback
    assert "--repeat" not in reply.traceback
    assert "line 6" in reply.traceback
    assert kernel.value("runs") == "3"
    assert len(reply.reports) == 1


@pytest.mark.parametrize("code", ["1 / 0", "await asyncio.sleep(0)\n1 / 0"])
def test_an_error_in_the_first_repetition_is_like_one_without(kernel: Kernel, code: str) -> None:
    plain, repeated = (kernel.run(f"{line}\n{code}").traceback for line in ("%%memprofile --no-heap", REPEATED.strip()))
    repeated = repeated.replace(" --repeat 4", "")
    assert [line for line in repeated.splitlines() if "Cell" not in line] == [
        line for line in plain.splitlines() if "Cell" not in line
    ]


def test_magics_and_shell_commands_are_repeated(kernel: Kernel) -> None:
    reply = kernel.run(f"{REPEATED}runs += 1\nq = !echo $runs\nseen += q\n%time x = 1")
    assert reply.status == "ok"
    assert kernel.value("seen") == "['1', '2', '3', '4']"
    assert reply.stdout.count("Wall time") == 4


def test_a_cell_magic_below_is_repeated(kernel: Kernel) -> None:
    reply = kernel.run(f"{REPEATED}%%time\nruns += 1")
    assert reply.stdout.count("Wall time") == 4
    assert kernel.value("runs") == "4"


@pytest.mark.parametrize("other", ["time", "capture --no-display"])
def test_it_repeats_under_another_magic(kernel: Kernel, other: str) -> None:
    assert kernel.run(f"%%{other}\n{REPEATED}runs += 1").status == "ok"
    assert kernel.value("runs") == "4"


def test_inside_a_magics_function_it_runs_once_and_says_so(kernel: Kernel) -> None:
    reply = kernel.run(f"%%timeit -n1 -r1\n{REPEATED}seen.append(1)")
    assert kernel.value("seen") == "[1]"
    assert "the body runs once" in reply.stderr


def test_with_another_magic_of_ours_the_body_runs_as_often_as_the_greater_number(kernel: Kernel) -> None:
    for cell in (f"%%cprofile\n{REPEATED}runs += 1", f"{REPEATED}%%cprofile\nruns += 1"):
        kernel.run("runs = 0")
        assert len(kernel.run(cell).reports) == 2
        assert kernel.value("runs") == "4"


def test_functions_of_the_cell_have_their_source_and_one_row(kernel: Kernel) -> None:
    reply = kernel.run(
        f"{REPEATED}import inspect\n\ndef told():\n    return 'told'\n\nseen += [told(), inspect.getsource(told)]"
    )
    assert kernel.value("seen[1::2] == ['def told():\\n    return \\'told\\'\\n'] * 4") == "True"
    (row,) = [line for line in reply.reports[0].splitlines() if "return 'told'" in line]
    assert row.split()[5] == "4"


@pytest.mark.parametrize("body", ["", "# a remark", "'''a docstring'''", "pass"])
def test_a_body_that_does_nothing_is_no_trouble(kernel: Kernel, body: str) -> None:
    reply = kernel.run(f"{REPEATED}{body}")
    assert (reply.status, len(reply.reports)) == ("ok", 1)


def test_a_future_statement_holds_in_every_repetition(kernel: Kernel) -> None:
    reply = kernel.run(
        f"{REPEATED}from __future__ import annotations\ndef f(x: nobody): ...\nseen += [f.__annotations__['x']]"
    )
    kernel.run("get_ipython().compile.reset_compiler_flags()")
    assert reply.status == "ok"
    assert kernel.value("seen") == "['nobody', 'nobody', 'nobody', 'nobody']"


@pytest.mark.parametrize("body", ["runs += 1\nbreak", "runs += 1\nreturn 1", "runs += 1\nfor"])
def test_a_body_that_cannot_be_compiled_is_reported_once_and_not_repeated(kernel: Kernel, body: str) -> None:
    reply = kernel.run(REPEATED + body)
    assert (reply.status, [error["ename"] for error in reply.errors]) == ("error", ["SyntaxError"])
    assert kernel.value("runs") in {"0", "1"}


@pytest.mark.parametrize("n", ["0", "-2", "many", "1.5"])
def test_a_wrong_number_is_one_line_and_the_body_is_not_run(kernel: Kernel, n: str) -> None:
    reply = kernel.run(f"%%memprofile --repeat={n}\nruns += 1")
    assert "--repeat takes a whole number, 1 or more" in reply.stderr
    assert kernel.value("runs") == "0"


def test_config_sets_the_number(kernel: Kernel) -> None:
    kernel.run("%config MemoryMagics.repeat = 3")
    kernel.run("%%memprofile --no-heap\nruns += 1")
    assert kernel.value("runs") == "3"
    kernel.run("%config MemoryMagics.repeat = 'often'")
    reply = kernel.run("%%memprofile --no-heap\nruns += 1")
    kernel.run("%config MemoryMagics.repeat = 1")
    assert "--repeat takes a whole number, 1 or more, not 'often'" in reply.stderr
    assert kernel.value("runs") == "3"


def test_the_line_form_repeats_its_statement(kernel: Kernel) -> None:
    reply = kernel.run("%memprofile --no-heap --repeat 3 runs += 1")
    assert (reply.status, kernel.value("runs")) == ("ok", "3")


def test_a_program_that_calls_the_magic_repeats_too(kernel: Kernel) -> None:
    kernel.run("answer = get_ipython().run_cell_magic('memprofile', '--no-heap --repeat 3', 'runs += 1\\nruns')")
    assert kernel.value("(answer, runs)") == "(3, 3)"


def test_a_measurement_that_cannot_start_repeats_nothing(kernel: Kernel) -> None:
    kernel.run(
        "import sys, threading\ndef tracer(*_): return None\n"
        "def busy():\n    raise __import__('jupyter_profkit.errors', fromlist=('x',)).EngineBusyError('taken')\n"
        "from jupyter_profkit.engines.line_memory import LineMemoryEngine as engine\n"
        "start, engine.start = engine.start, lambda self, frame=None: busy()"
    )
    reply = kernel.run(f"{REPEATED}runs += 1")
    kernel.run("engine.start = start")
    assert "Not measured: taken" in reply.reports[0]
    assert kernel.value("runs") == "1"


def test_unloading_takes_the_transformer_away(kernel: Kernel) -> None:
    ours = "[t for t in get_ipython().ast_transformers if 'profkit' in repr(t)]"
    assert "RepeatTransformer" in kernel.value(ours)
    kernel.run("%unload_ext jupyter_profkit")
    assert kernel.value(ours) == "[]"
    kernel.run("%load_ext jupyter_profkit")
    kernel.run(f"{REPEATED}runs += 1")
    assert kernel.value("runs") == "4"


LEAK = "leaked = []\ndef leak(n):\n    temporary = [x * 2 for x in range(200_000)]\n    leaked.append(bytearray(n))\n    return len(temporary)"


def test_a_leak_is_told_with_its_size_and_line(kernel: Kernel) -> None:
    kernel.run(LEAK)
    reply = kernel.run("%%memprofile --repeat 6 -v found\nfresh = bytearray(5_000_000)\nleak(1_000_000)")
    assert kernel.value("found.repetitions.leaks") == "True"
    left = kernel.value("[r.left for r in found.repetitions.done[1:-1]]")
    assert [
        n for n in ast.literal_eval(left) if not 990_000 <= n < 1_200_000
    ] == []  # threads of the kernel take some, too
    assert kernel.value("round(found.repetitions.growth / 1_000_000, 1)") == "1.0"
    assert "Leak: each of the 5 repetitions after the first" in reply.reports[0]
    if kernel.value("found.has_heap") == "True":
        assert kernel.value("[line.source for line in found.repetitions.growing]") == "['leaked.append(bytearray(n))']"
        assert kernel.value("6_000_000 <= found.repetitions.growing[0].n_bytes < 6_100_000") == "True"


def test_the_time_is_that_of_the_repetitions_without_the_collections_in_between(kernel: Kernel) -> None:
    kernel.run("import gc, time\nslow = lambda phase, info: time.sleep(.05)\ngc.callbacks.append(slow)")
    for form in ("%%memprofile --no-heap --repeat 3 -v found\nrun = 1", "%memprofile --no-heap --repeat 3 -v found 1"):
        kernel.run("found = None")
        reply = kernel.run(form)
        took = "sum(repetition.duration for repetition in found.repetitions.done)"
        assert kernel.value(f"len(found.repetitions.done), found.session.duration == {took}") == "(3, True)"
        assert "; 3 repetitions took " in reply.reports[0]
    kernel.run("gc.callbacks.remove(slow)")


@pytest.mark.parametrize("options", ["", "--no-heap", "--no-lines"])
@pytest.mark.parametrize(
    "body",
    [
        "x = bytearray(3_000_000)",
        "x = {i: str(i) for i in range(20_000)}\ny = [object() for _ in range(30_000)]\ndel y",
        "class A: pass\nfor _ in range(2000):\n    a = A(); a.me = a",
    ],
)
def test_what_is_made_anew_or_waits_to_be_collected_is_no_leak(kernel: Kernel, body: str, options: str) -> None:
    reply = kernel.run(f"%%memprofile --repeat 5 {options} -v found\n{body}")
    if "Not measured" not in reply.reports[0]:  # no heap on this Python
        assert kernel.value("found.repetitions.leaks") == "False"
        assert "No leak: " in reply.reports[0]


def test_a_leak_of_small_objects_is_told(kernel: Kernel) -> None:
    kernel.run("leaked = []")
    kernel.run("%%memprofile --no-heap --repeat 5 -q -v found\nleaked.append([object() for _ in range(6000)])")
    assert kernel.value("found.repetitions.leaks") == "True"
    assert kernel.value("140_000 < found.repetitions.done[2].left < 170_000") == "True"


def test_the_repetition_that_failed_is_told(kernel: Kernel) -> None:
    reply = kernel.run(f"{REPEATED}runs += 1\nassert runs < 4")
    assert "3 of 4 repetitions came to their end" in reply.reports[0]


def test_repetitions_that_take_long_show_how_far_they_are_and_leave_nothing(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile --no-heap --repeat 5\nimport time; time.sleep(.4)")
    shown = [bundle["text/plain"] for bundle in reply.displays if "text/plain" in bundle]
    if isinstance(kernel, Kernel):  # a terminal's line is on standard error, which is none here
        assert any("repetitions" in text and "of 5" in text for text in shown)
    assert len(reply.reports) == 1
