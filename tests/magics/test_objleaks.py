"""`%%objleaks` in a real kernel: exact, quiet, and the cell stays a cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = [pytest.mark.kernel]

SETUP = """
import gc, functools, threading
class Node: pass
cache = {}
def ring():
    node = Node()
    node.itself = node
"""
STATE = "(gc.isenabled(), gc.get_debug(), gc.get_threshold(), len(gc.callbacks), len(gc.garbage))"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with running_kernel() as running:
        assert running.run(SETUP).status == "ok"
        yield running


def found(kernel: Kernel, name: str = "left") -> list[tuple[str, int, str, str]]:
    told = kernel.value(f"[(r.type, r.count, r.kind, r.holder) for r in {name}.records]")
    kernel.run(f"del {name}")
    return eval(told or "")


def test_empty_cells_leave_nothing(kernel):
    for number in range(10):
        body = ["pass", "# a comment", "1 + 1", "n = 1; n"][number % 4]
        (report,) = kernel.run(f"%%objleaks\n{body}").reports
        assert "Nothing that was made here is still alive." in report, report


def test_a_thousand_dropped_and_a_thousand_made_are_a_thousand_new(kernel):
    kernel.run("kept = [[n] for n in range(1_000)]")
    reply = kernel.run("%%objleaks -q -v left\ndel kept[:]\nkept += [[n] for n in range(1_000)]")
    assert reply.status == "ok"
    assert found(kernel) == [("list", 1_000, "variable", "kept")]


def test_what_is_held_by_something_hidden_is_told_apart_from_variables(kernel):
    kernel.run("import colorsys; colorsys.kept = []\n@functools.lru_cache\ndef cached(n):\n    return [Node()]")
    kernel.run("%%objleaks -q -v left\nx = {'a': []}\ncolorsys.kept.append({'b': []})\ncached(1);\n[[]]")
    assert sorted(found(kernel))[:3] == sorted(
        [("Node", 1, "variable", "cached"), ("dict", 1, "module", "colorsys .kept"), ("dict", 1, "variable", "x")]
    )
    kernel.run("%%objleaks -q -v left\n[Node()]")
    (told, *_) = {holder for kind, _, _, holder in found(kernel) if kind == "Node"}
    assert told.startswith("Out[")
    kernel.run("del colorsys.kept; cached.cache_clear(); del x")


def test_cycles_are_named_with_size_and_finalizers(kernel):
    kernel.run("class Ending:\n    def __del__(self): pass")
    count = "sum(type(one).__name__ in ('Ending', 'Node') for one in gc.get_objects())"
    before = kernel.value(count)
    kernel.run("%%objleaks -q -v left\nfor _ in range(3): ring()\ne = Ending(); e.me = [e]; del e")
    cycles = kernel.value("[([(e.type, e.label) for e in c.edges], c.n_cycles, c.n_finalizers) for c in left.cycles]")
    assert sorted(eval(cycles)) == [
        ([("Ending", ".me"), ("list", "[0]")], 1, 1),
        ([("Node", ".itself")], 3, 0),
    ]
    assert kernel.value("[c.size > 100 for c in left.cycles]") == "[True, True]"
    kernel.run("del left")
    assert kernel.value(count) == before


def test_a_leak_is_told_from_a_cache_that_warms_up(kernel):
    kernel.run("leak = []\n@functools.lru_cache\ndef warm(n):\n    return [n, []]")
    body = "warm(1); leak.append(Node()); fresh = [[] for _ in range(5)]\nring()"
    (report,) = kernel.run(f"%%objleaks --repeat 4 -v left\n{body}").reports
    assert kernel.value("[(r.type, r.holder, r.growth, r.counts) for r in left.leaks]") == (
        "[('Node', 'leak', 1.0, (1, 2, 3, 4))]"
    )
    assert "A leak: each run after the first leaves 1 more Node object held by variable leak." in report
    (report,) = kernel.run("%%objleaks --repeat 3\nwarm(2); fresh = [[] for _ in range(5)]").reports
    assert "No leak: nothing grows with each of 3 runs." in report
    kernel.run("del leak[:], left, fresh; warm.cache_clear()")


def test_one_more_in_the_first_runs_only_is_no_leak(kernel):
    kernel.run("count = 0; slow = []")
    kernel.run("%%objleaks -q --repeat 5 -v left\ncount += 1\nif count < 3: slow.append([])")
    assert kernel.value("left.leaks") == "()"
    kernel.run("del left, slow[:]")


ENDS = {
    "ok": ("kept_here = [[]]", "ok"),
    "error": ("kept_here = [[]]\n1 / 0", "error"),
    "exit": ("kept_here = [[]]\nraise SystemExit", "error"),
    "collects": ("kept_here = [[]]\ngc.collect()", "ok"),
    "await": ("import asyncio\nkept_here = [[]]\nawait asyncio.sleep(0.01)", "ok"),
    "stacked": ("%%cprofile -q\nkept_here = [[]]", "ok"),
    "over timeit": ("%%timeit -n 1 -r 1\nkept_here = [[]]", "ok"),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_collector_and_the_cell_are_as_without_it(kernel, case):
    body, status = ENDS[case]
    before = kernel.value(STATE), kernel.value("gc.get_freeze_count() > 0")
    reply = kernel.run(f"%%objleaks -q -v left\n{body}")
    assert reply.status == status
    assert (kernel.value(STATE), kernel.value("gc.get_freeze_count() > 0")) == before
    if case != "over timeit":
        assert ("list", 2, "variable", "kept_here") in found(kernel)
    kernel.run("globals().pop('kept_here', None)")


def test_after_an_interrupt_the_collector_is_as_before_and_the_report_is_partial(kernel):
    before = kernel.value(STATE)
    code = "%%objleaks\nimport time\nkept_here = [[]]\nwhile True: time.sleep(0.01); more = [[]]"
    reply = kernel.run(code, interrupt_after=1.0)
    assert reply.status == "error"
    assert kernel.value(STATE) == before
    (report,) = reply.reports
    assert "stopped by KeyboardInterrupt" in report
    assert "variable kept_here" in report
    kernel.run("del kept_here, more")


def test_the_last_error_is_named_as_holder(kernel):
    kernel.run("def fails():\n    local = Node()\n    1 / 0")
    kernel.run("%%objleaks -q -v left\nfails()")
    assert ("Node", 1, "last error", "the last error") in found(kernel)


def test_nothing_is_kept_alive_by_the_report(kernel):
    kernel.run("import weakref")
    kernel.run("%%objleaks -v left\nnode = Node(); node.me = [1]; dead = weakref.ref(node)")
    kernel.run("del node")
    assert kernel.value("dead()") == "None"


def test_a_pending_task_is_named(kernel):
    kernel.run("import asyncio\nasync def wait(value):\n    await asyncio.sleep(60)")
    kernel.run(
        "%%objleaks -q -v left\ntask_name = asyncio.create_task(wait(Node())).get_name()\nawait asyncio.sleep(0)"
    )
    assert [holder for type_, _, kind, holder in found(kernel) if (type_, kind) == ("Node", "task")] == [
        f"{kernel.value('task_name')[1:-1]} of wait()"
    ]
    kernel.run("[t.cancel() for t in asyncio.all_tasks() if t.get_name() == task_name];")


def test_bad_options_stop_the_cell(kernel):
    for line, message in (("--nope", "--nope"), ("--repeat 0", "1 or more"), ("some words", "takes options only")):
        reply = kernel.run(f"%%objleaks {line}\nran_it = 1")
        assert (reply.status, reply.content["ename"]) == ("error", "UsageError")
        assert message in reply.content["evalue"]
        assert kernel.value("'ran_it' in globals()") == "False"


def test_the_line_form_runs_a_statement_or_shows_the_last_once_more(kernel):
    kernel.run("r = %objleaks -r -q by_line = [[1]]")
    assert kernel.value("[(one.type, one.count, one.holder) for one in r.records]") == "[('list', 2, 'by_line')]"
    (report,) = kernel.run("%objleaks -l 1").reports
    assert "variable by_line" in report


def test_the_result_is_written_and_read(kernel, tmp_path):
    kernel.run(f"%%objleaks -q -v left -D {tmp_path / 'left.json'} -D {tmp_path / 'left.csv'}\nw = [[]]; ring()")
    assert kernel.value(f"__import__('jupyter_profkit').load({str(tmp_path / 'left.json')!r}) == left") == "True"
    lines = (tmp_path / "left.csv").read_text().splitlines()
    assert lines[0] == "type,count,size,kind,holder,path,growth,is_leak"
    assert "list,2," in lines[1] + lines[2]
    kernel.run("del left, w")


def test_a_heap_of_a_million_costs_a_second_or_two(kernel):
    kernel.run("heap = [[n] for n in range(1_000_000)]")
    kernel.run("%%objleaks -q -v left\nx = [1]")
    assert found(kernel) == [("list", 1, "variable", "x")]
    kernel.run("del heap, x")
