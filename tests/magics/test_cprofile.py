"""``%%cprofile`` and ``%cprofile`` in a real kernel: what they measure, show, keep and refuse."""

from __future__ import annotations

import ast
import json
import pstats
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = [pytest.mark.kernel]

DEFINITIONS = """
import json, threading, time

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def foo():
    total = sum(range(10_000))
    time.sleep(0.02)
    return total
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with running_kernel(cwd=tmp_path_factory.mktemp("cprofile")) as kernel:
        assert kernel.run(DEFINITIONS).status == "ok"
        yield kernel


def figures(kernel: Kernel, name: str = "p") -> dict[str, list]:
    """Calls and seconds of each function of the result that is bound to `name`."""
    expression = f"__import__('json').dumps([[f.function, f.ncalls, f.pcalls, f.tottime] for f in {name}.functions])"
    text = kernel.value(expression)
    assert text is not None
    return {row[0]: row[1:] for row in json.loads(text[1:-1].replace("\\\\", "\\").replace("\\'", "'"))}


def test_counts_of_a_cell_are_exact_and_nothing_of_the_kernel_is_counted(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile -v p\nfib(15)\nfor n in range(3):\n    json.dumps([n])\nprint('done')")
    assert (reply.status, reply.stdout) == ("ok", "done\n")
    found = figures(kernel)
    assert found["fib"][:2] == [1973, 1]
    assert found["dumps"][:2] == [3, 3]
    assert not {"run_code", "run_ast_nodes", "writeout_cache", "_run_once", "execute_request", "begin"} & set(found)
    assert all(ncalls > 0 for ncalls, *_ in found.values())


def test_statements_have_the_cells_own_lines(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile -v p\n\nx = 1\ntime.sleep(0.03)\nfor n in range(2):\n    time.sleep(0.01)\n")
    rows = re.findall(r"^[▸ ] +(\d+) .* (\S.*)$", reply.reports[0].split("\nFunctions")[0], re.MULTILINE)
    assert [int(lineno) for lineno, _ in rows] == [3, 4, 5]
    statements = "[s for s in p.statements.records if s.kind == 'statement']"
    assert kernel.value(f"[(s.lineno, s.calls) for s in {statements}]") == "[(3, 0), (4, 1), (5, 2)]"
    total = "sum(s.time for s in p.statements.records if s.lineno == {})"
    assert kernel.value(f"{total.format(4)} > 0.03, {total.format(5)} > 0.02") == "(True, True)"
    assert "in line 4: time.sleep(0.03)" in reply.reports[0]


def test_waiting_imports_and_collections_are_rows_and_all_rows_add_up(kernel: Kernel) -> None:
    kernel.run("import sys, asyncio, gc\nsys.modules.pop('wave', None)")
    reply = kernel.run(
        "%%cprofile -v p\nimport wave\ntime.sleep(0.05)\nawait asyncio.sleep(0.05)\ngc.collect();\nfoo()"
    )
    assert reply.status == "ok"
    kinds = "sorted({(s.lineno, s.kind) for s in p.statements.records} - {(n, 'statement') for n in range(7)})"
    found = kernel.value(kinds)
    assert found is not None
    assert {(0, "collections"), (0, "display"), (3, "waiting"), (4, "awaiting")} <= set(ast.literal_eval(found))
    share = kernel.value("sum(s.time for s in p.statements.records) / p.statements.duration")
    assert share is not None
    assert 0.8 < float(share) < 1.1


def test_display_of_the_last_value_is_a_row_of_its_own(kernel: Kernel) -> None:
    kernel.run("class Slow:\n    def __repr__(self):\n        time.sleep(0.05)\n        return 'slow'")
    reply = kernel.run("%%cprofile -v p\nslow = Slow()\nslow")
    assert reply.value == "slow"
    assert "in the display of the last value" in reply.reports[0]
    assert kernel.value("[s.lineno for s in p.statements.records if s.kind != 'collections']") == "[2, 3, 0]"
    kernel.run("%%cprofile -v p\ntime.sleep(0)")
    assert kernel.value("[(s.lineno, s.calls) for s in p.statements.records if s.kind == 'statement']") == "[(2, 1)]"
    kernel.run("%%cprofile -v p\nNone")
    assert kernel.value("[s.lineno for s in p.statements.records if s.kind != 'collections']") == "[2]"
    kernel.run("%%cprofile -v p\nslow;")
    assert kernel.value("[s.lineno for s in p.statements.records if s.kind != 'collections']") == "[2]"


@pytest.mark.parametrize("cell", ["x = fib(5)", "fib(5);", "None if fib(5) else 1"])
def test_where_nothing_is_displayed_nothing_of_ipythons_is_in_the_table(kernel: Kernel, cell: str) -> None:
    kernel.run(f"%%cprofile -v p\n{cell}")
    assert kernel.value("sorted(f.function for f in p.functions)") == "['<module>', 'fib']"


def test_the_display_of_a_value_is_no_part_of_what_its_statement_took_in_a_run(kernel: Kernel) -> None:
    kernel.run("class Slow:\n    def __repr__(self):\n        time.sleep(0.2)\n        return 'shown'")
    assert kernel.run("%%cprofile -n 3 -v p\nSlow()").value == "shown"
    assert kernel.value("[max(s.runs) < 0.2 for s in p.statements.records if s.kind == 'statement']") == "[True]"
    assert kernel.value("[s.time >= 0.2 for s in p.statements.records if s.kind == 'display']") == "[True]"


def test_a_file_that_cannot_be_written_is_named_in_one_line(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile -q -D no/folder.prof -D no/other.json\npass")
    assert reply.status == "ok"
    missing = "No such file or directory"
    assert reply.stderr.splitlines() == [
        f"jupyter_profkit: no/{name}: {missing}" for name in ("folder.prof", "other.json")
    ]


def test_a_cell_without_a_call_is_written_too(kernel: Kernel, tmp_path: Path) -> None:
    reply = kernel.run(f"%%cprofile -q -D {tmp_path}/empty.prof -D {tmp_path}/empty.csv\n# nothing")
    assert (reply.status, reply.stderr) == ("ok", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.csv", "empty.prof"]


def test_awaiting_statements_keep_their_lines_and_the_users_tasks_count(kernel: Kernel) -> None:
    cell = (
        "%%cprofile -v p\nimport asyncio\nasync def work(n):\n    await asyncio.sleep(0.02)\n    return fib(n)\n"
        "one = await work(5)\nall_of_them = await asyncio.gather(*(work(n) for n in (5, 5)))"
    )
    assert kernel.run(cell).status == "ok"
    found = figures(kernel)
    assert found["fib"][:2] == [3 * 15, 3]
    assert not {"_run_once", "select", "dispatch_shell", "run_forever"} & set(found)
    lines = "[s.lineno for s in p.statements.records if s.kind == 'statement']"
    assert kernel.value(lines) == "[2, 3, 6, 7]"
    awaiting = "[s.lineno for s in p.statements.records if s.kind == 'awaiting']"
    assert kernel.value(awaiting) == "[6, 7]"
    coroutines = "[(c.function, c.calls, c.awaiting > 0.05, len(c.tasks)) for c in p.coroutines]"
    assert kernel.value(coroutines) == "[('work', 3, True, 2)]"


def test_a_task_of_an_earlier_cell_has_its_name_and_its_awaiting_time(kernel: Kernel) -> None:
    kernel.run(
        "import asyncio\nasync def later(n):\n    await asyncio.sleep(n)\n    return n\n"
        "task = asyncio.create_task(later(1), name='the early one')\nawait asyncio.sleep(0)"
    )
    reply = kernel.run("%%cprofile -v p\nfrom time import sleep\nsleep(0.05)\nawait task")
    assert reply.value == "1"
    coroutines = "[(c.function, c.calls, c.awaiting > 0.05, c.tasks) for c in p.coroutines]"
    assert kernel.value(coroutines) == "[('later', 1, True, ('the early one',))]"


def test_an_interrupt_while_awaiting_leaves_the_figures_of_the_coroutines(kernel: Kernel) -> None:
    kernel.run("import asyncio\nasync def forever():\n    while True:\n        await asyncio.sleep(0.1)")
    reply = kernel.run("%%cprofile -v p\nawait forever()", interrupt_after=1.5)
    assert reply.status == "error"
    coroutines = "[(c.function, c.calls, c.awaiting > 0.1) for c in p.coroutines]"
    assert kernel.value(coroutines) == "[('forever', 1, True)]"
    assert kernel.value("__import__('sys').gettrace()") == "None"


def test_a_busy_thread_is_invisible(kernel: Kernel) -> None:
    kernel.run(
        "over = threading.Event()\n"
        "def background():\n    while not over.is_set():\n        fib(5)\n"
        "thread = threading.Thread(target=background)\nthread.start()"
    )
    kernel.run("%%cprofile -v p\ntime.sleep(0.1)\nvalue = fib(10)")
    kernel.run("over.set()\nthread.join()\ndel thread, over")
    found = figures(kernel)
    assert found["fib"][:2] == [177, 1]
    assert found["<built-in method time.sleep>"][0] == 1
    assert not {"background", "is_set"} & set(found)


def test_threads_that_the_cell_starts_are_told(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile\nts = [threading.Thread(target=fib, args=(5,)) for _ in range(2)]\n"
                       "for t in ts: t.start()\nfor t in ts: t.join()\ndel t, ts")  # fmt: skip
    assert "2 threads started here left out" in reply.reports[0]


def test_a_failing_cell_has_a_partial_report_without_the_traceback_in_it(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile -v p\nfib(10)\n1 / 0\nfib(12)")
    assert reply.status == "error"
    assert "stopped by ZeroDivisionError" in reply.reports[0]
    found = figures(kernel)
    assert found["fib"][0] == 177
    assert "structured_traceback" not in found


def test_the_line_form_returns_the_profile(kernel: Kernel) -> None:
    reply = kernel.run(
        "p = %cprofile -r -q foo()\nprint(type(p).__name__, type(p.stats).__name__, len(p.to_dataframe()) > 2)"
    )
    assert (reply.stdout, reply.reports) == ("TimeProfile Stats True\n", [])
    assert figures(kernel)["foo"][0] == 1


def test_the_line_form_shows_a_table_by_own_time(kernel: Kernel) -> None:
    report = kernel.run("%cprofile -s tottime foo()").reports[0]
    table = report.split("Functions by own time, seconds\n")[1].splitlines()
    assert table[0].split() == ["ncalls", "tottime", "percall", "cumtime", "percall", "filename:lineno(function)"]
    assert table[2].endswith("{built-in method time.sleep}")


def test_the_last_result_is_shown_again_in_another_order_without_running(kernel: Kernel) -> None:
    kernel.run("n_runs = 0\ndef once():\n    global n_runs\n    n_runs += 1\n")
    kernel.run("%cprofile -q once()")
    report = kernel.run("%cprofile -s cumulative -l 1").reports[0]
    assert "Functions by cumulative time" in report
    assert "⋯ 1 other function" in report
    assert kernel.value("n_runs") == "1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-s nonsense", "--sort: 'nonsense' is not one of calls, cumtime, cumulative"),
        ("-l -1", "--limit"),
        ("-l (", "is not a pattern"),
        ("--nonsense", "%cprofile has no option --nonsense; it has --sort"),
        ("-D run.prof -D nothing.xyz", "--dump nothing.xyz: the suffix must be one of .prof, .pstats"),
        ("-v 'not a name'", "-v takes a variable's name"),
        ("-s time fib(9)", "%%cprofile takes options only, not 'fib(9)'; the code goes below (%cprofile?)"),
    ],
)
def test_a_wrong_option_is_one_line_and_the_body_does_not_run(kernel: Kernel, options: str, message: str) -> None:
    reply = kernel.run(f"%%cprofile {options}\nbody_ran = True")
    assert reply.status == "error"
    assert reply.reports == []
    assert message in reply.content["evalue"]
    assert "\n" not in reply.content["evalue"]
    assert kernel.value("'body_ran' in globals()") == "False"


def test_files_are_written_by_their_suffix(kernel: Kernel, tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a b.prof", "run.json", "run.csv", "run.html", "run.txt")]
    options = " ".join(f"-D '{name}'" for name in names)
    reply = kernel.run(f"%cprofile -q -T '{tmp_path / 'report.txt'}' {options} foo()")
    assert (reply.status, reply.stderr) == ("ok", "")
    assert any(key[2] == "foo" for key in pstats.Stats(str(names[0])).stats)
    assert "(foo)" in (tmp_path / "report.txt").read_text()
    assert all(name.stat().st_size > 100 for name in names)


def test_names_with_spaces_quotes_and_a_tilde_are_names(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(f"import os; home = os.environ['HOME']; os.environ['HOME'] = {str(tmp_path)!r}")
    reply = kernel.run(
        """%cprofile -q -D "~/it's a run.prof" -D '~/a "b" $c.json' foo("it's ~ \\"this\\"")""".replace("foo(", "len(")
    )
    assert reply.status == "ok"
    assert reply.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} >= {"it's a run.prof", 'a "b" $c.json'}
    again = kernel.run('import jupyter_profkit\njupyter_profkit.load("~/it\'s a run.prof").report(limit=1)')
    assert "all together" in again.value
    kernel.run("os.environ['HOME'] = home")


def test_the_last_result_is_filtered_without_running(kernel: Kernel) -> None:
    kernel.run("n_runs = 0\ndef once():\n    global n_runs\n    n_runs += 1\n    return json.dumps([1])\n")
    kernel.run("%cprofile -q once()")
    assert "(dumps)" in kernel.run("%cprofile -m json").reports[0]
    report = kernel.run("%cprofile -f onse").reports[0]
    assert "no function of this run is chosen by onse; there is once" in report
    assert kernel.value("n_runs") == "1"


def test_threads_of_a_cell_have_tables_of_their_own_and_the_kernels_have_none(kernel: Kernel) -> None:
    cell = """%%cprofile --threads -v p
print("the kernel's own threads are busy with this")
threads = [threading.Thread(target=fib, args=(n,), name=f"t{n}") for n in (8, 9)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    report = kernel.run(cell).reports[0]
    assert "Thread t8: your own functions" in report
    found = kernel.value(
        "[(t.session.title, [f.ncalls for f in t.functions if f.function == 'fib']) for t in p.threads]"
    )
    assert found == "[('t8', [67]), ('t9', [109])]"


def test_builtins_can_be_left_out(kernel: Kernel) -> None:
    kernel.run("%cprofile -q --no-builtins -v p foo()")
    found = figures(kernel)
    assert set(found) == {"<module>", "foo"}
    assert found["foo"][2] >= 0.02


def test_a_cprofile_that_is_on_is_not_disturbed(kernel: Kernel) -> None:
    kernel.run("import cProfile\nother = cProfile.Profile()\nother.enable()")
    reply = kernel.run("%%cprofile -v p\nfib(10)")
    kernel.run("other.disable()")
    is_beside = kernel.value("__import__('sys').version_info >= (3, 12)") == "True"
    (report,) = reply.reports
    assert ("cProfile is profiling already" in report) is not is_beside
    assert (
        kernel.value("max(e.callcount for e in other.getstats() if getattr(e.code, 'co_name', '') == 'fib')") == "177"
    )


def test_the_extensions_own_profilers_stack(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile -v p\n%%memprofile -v m\nfib(5)\nblock = bytearray(1)")
    assert reply.status == "ok"
    assert len(reply.reports) == 2
    assert figures(kernel)["fib"][0] == 15
    assert kernel.value("sorted({s.lineno for s in p.statements.records if s.lineno})") == "[3, 4]"


def test_importing_a_large_library_makes_a_small_report(kernel: Kernel) -> None:
    # Without a cache of fonts, as on the very first import: pybind11's methods are called to make it.
    kernel.run("import os, tempfile\nos.environ['MPLCONFIGDIR'] = tempfile.mkdtemp()")
    reply = kernel.run("%%cprofile\nimport matplotlib.pyplot")
    (bundle,) = reply.displays
    assert sum(len(text.encode()) for text in bundle.values()) <= 200_000
    assert "in line 2: import matplotlib.pyplot" in " ".join(bundle["text/plain"].split())


def test_a_plot_is_drawn_and_its_statements_are_there(kernel: Kernel) -> None:
    kernel.run("%matplotlib inline")
    reply = kernel.run("%%cprofile -v p\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    assert any("image/png" in display for display in reply.displays)
    assert kernel.value("sorted({s.lineno for s in p.statements.records if s.lineno})") == "[2, 3, 4]"
    assert "lost track" not in reply.reports[-1]


@pytest.mark.parametrize("_", range(3))  # it comes now in one instruction, now in another
def test_an_interrupt_loses_no_statement(kernel: Kernel, tmp_path, _: int) -> None:
    mark = tmp_path / "begun"
    cell = f"%%cprofile -v p\nopen({str(mark)!r}, 'w').close()\nwhile True: fib(3)"
    reply = kernel.run(cell, interrupt_when=mark)
    assert reply.errors[0]["ename"] == "KeyboardInterrupt"
    assert kernel.value("sorted({s.lineno for s in p.statements.records if s.lineno})") == "[2, 3]"
    assert "lost track" not in reply.reports[-1]


def test_an_empty_and_a_trivial_cell_are_no_trouble(kernel: Kernel) -> None:
    assert kernel.run("%%cprofile\n").status == "ok"
    assert kernel.run("%%cprofile\n# nothing").status == "ok"
    assert kernel.run("%%cprofile\npass").status == "ok"


def test_the_flame_graph_has_the_paths_that_happened_below_the_cells_statements(kernel: Kernel) -> None:
    kernel.run(
        "clock = []\ndef nap(s): clock.append(-time.perf_counter()); time.sleep(s); clock.append(time.perf_counter())"
    )
    kernel.run("def apply(f): f()\ndef fast(): nap(.01)\ndef slow(): nap(.09)")
    kernel.run("def a(): apply(fast)\ndef b(): apply(slow)")
    reply = kernel.run("%%cprofile -v p\na()\nb()")
    assert "Flame graph: call paths that were sampled" in reply.reports[0]
    paths = json.loads(
        kernel.value("__import__('json').dumps([[f.function for f in path] for path, _ in p.stacks.stacks()])")[1:-1]
    )
    assert ["b()", "b", "apply", "slow", "nap"] in paths
    assert ["a()", "a", "apply", "fast", "nap"] in paths
    assert not any({"a", "slow"} <= set(path) or {"b", "fast"} <= set(path) for path in paths)
    within = "(lambda name: sum(w for path, w in p.stacks.stacks() if name in [f.function for f in path]))"
    assert float(kernel.value(f"{within}('slow') / {within}('nap')")) == pytest.approx(
        float(kernel.value("sum(clock[2:]) / sum(clock)")), abs=0.05
    )
    assert (kernel.run("p.flame()").value or "").startswith("Flame graph  In [")


def test_frames_of_the_shell_are_no_part_of_the_flame_graph(kernel: Kernel) -> None:
    kernel.run("%%cprofile -v p\nfor _ in range(3):\n    fib(18)\nnothing = time.sleep(0.02)")  # no value to display
    files = kernel.value("sorted({f.label for path, f in p.stacks.walk() if path or f.is_user})")
    assert re.fullmatch(r"\['In \[\d+\]'(, 'In \[\d+\]')*\]", files), files
    kernel.run("%cprofile -v q fib(20)")
    assert kernel.value("[root.function for root in q.stacks.roots if root.is_user]") == "['fib(20)']"


def test_what_is_awaited_is_waiting_and_tasks_are_the_users(kernel: Kernel) -> None:
    kernel.run("import asyncio\nasync def job(n):\n    await asyncio.sleep(0.05)\n    time.sleep(0.03)")
    kernel.run("%%cprofile -v p\nawait asyncio.gather(job(1), job(2))")
    totals = json.loads(kernel.value("__import__('json').dumps({r.function: r.total for r in p.stacks.roots})")[1:-1])
    assert totals["job"] > 0.05  # it sleeps twice, for 0.03 at least
    assert totals["await asyncio.gather(job(1), job(2))"] > 0.03


def test_no_flame_takes_no_samples_and_hides_those_that_were_taken(kernel: Kernel) -> None:
    reply = kernel.run("%%cprofile --no-flame -v p\nfoo()")
    assert "Flame graph" not in reply.reports[0]
    assert kernel.value("p.stacks is None") == "True"
    kernel.run("%%cprofile --interval 0.005 -v p\nfoo()")
    assert kernel.value("p.stacks.interval") == "0.005"
    assert "Flame graph" in kernel.run("%cprofile").reports[0]
    assert "Flame graph" not in kernel.run("%cprofile --no-flame").reports[0]
    assert "takes a number of seconds above 0" in kernel.run("%cprofile --interval 0 foo()").stderr


def test_signals_and_timers_of_the_kernel_are_as_before(kernel: Kernel) -> None:
    state = (
        "(lambda s: [[str(s.getsignal(n)) for n in s.valid_signals()], s.getitimer(s.ITIMER_REAL)])"
        "(__import__('signal')) + [__import__('sys').getswitchinterval()]"
    )
    before = kernel.value(state)
    kernel.run("%%cprofile\nfib(15)")
    kernel.run("%%cprofile\n1 / 0")
    assert kernel.value(state) == before


@pytest.mark.parametrize("magic", ["%cprofile -q", "%memprofile -q --no-heap"])
def test_a_statement_in_a_function_sees_its_variables_also_from_within(kernel: Kernel, magic: str) -> None:
    reply = kernel.run(f"def inner(n):\n    {magic} print([n + k for k in range(2)], max(n for _ in 'a'))\ninner(5)")
    assert (reply.status, reply.stdout) == ("ok", "[5, 6] 5\n")
    kernel.run(f"for outer_n in range(3):\n    {magic} kept_n = outer_n")
    assert kernel.value("kept_n") == "2"


def test_stacks_are_written_by_their_suffix(kernel: Kernel) -> None:
    reply = kernel.run("%cprofile -q -D run.speedscope.json -D run.collapsed.txt -D run.svg foo()")
    assert reply.stdout.splitlines() == ["wrote run.speedscope.json", "wrote run.collapsed.txt", "wrote run.svg"]
    assert kernel.value("json.load(open('run.speedscope.json'))['profiles'][0]['type']") == "'sampled'"


def test_a_run_is_compared_with_an_earlier_one_of_a_variable_or_a_file(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(f"%%cprofile -q -v few -D {tmp_path}/few.json -D {tmp_path}/few.prof\nfib(5)")
    for earlier in ("few", tmp_path / "few.json", tmp_path / "few.prof"):
        reply = kernel.run(f"%%cprofile --compare {earlier} -v many\nfib(8)")
        assert (reply.status, reply.value) == ("ok", "21")
        assert "Compared with " in reply.reports[0]
        (row,) = [line for line in reply.reports[0].splitlines() if "15 → 67" in line]
        assert "+52" in row
        assert row.endswith("notebook(fib)")
    files = (tmp_path / "shown.html", tmp_path / "shown.txt")
    kernel.run(f"%%cprofile -q --compare few -s ncalls -l 3 -D {files[0]} -D {files[1]}\nfib(8)")
    for file in files:  # as it would be shown
        assert "Compared with " in file.read_text()
        assert "Functions by calls" in file.read_text()
    change = "next(c for c in few.diff(many).changes if c.function == 'fib')"
    assert kernel.value(f"({change}.status, {change}.change('ncalls'))") == "('', 52)"


@pytest.mark.parametrize(
    ("earlier", "message"),
    [("no_such_run", "there is no variable and no file of that name"), ("json", "that is of the type module")],
)
def test_an_earlier_run_that_is_none_is_one_line_and_the_body_is_not_run(
    kernel: Kernel, earlier: str, message: str
) -> None:
    reply = kernel.run(f"%%cprofile --compare {earlier}\nwas_run_beside = 1")
    assert (reply.status, reply.content["ename"], reply.reports) == ("error", "UsageError", [])
    assert message in reply.stderr
    assert kernel.value("'was_run_beside' in globals()") == "False"


def test_what_libraries_do_for_the_shells_display_is_theirs(kernel: Kernel) -> None:
    """What IPython calls of the standard library is its own work; drawing a table is pandas'."""
    kernel.run("import pandas as pd\nfrom IPython.display import display\nframe = pd.DataFrame({'a': range(60)})")
    kernel.run("%%cprofile -v p\nfor _ in range(20): display(frame)")
    labels = ast.literal_eval(kernel.value("[[f.label for f in path] for path, _ in p.stacks.stacks()]") or "")
    beneath = {path[path.index("IPython") + 1] for path in labels if "IPython" in path[:-1]}
    assert "pandas" in beneath
    assert not beneath & sys.stdlib_module_names  # jupyter_client's use of dateutil may be seen
