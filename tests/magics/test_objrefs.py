"""The objects family in a real kernel."""

from __future__ import annotations

import re

import pytest

from tests.kernels import kernel_with, running_kernel

pytestmark = [pytest.mark.kernel]


kernel = kernel_with("x = []\ny = [x, [x], dict(x=x)]")


def test_what_an_object_refers_to_is_drawn(kernel):
    reply = kernel.run("%objrefs y")
    (bundle,) = reply.displays
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert "y refers to a list (x · 0 items), a list (1 item) and a dict (1 item)." in bundle["text/plain"]
    assert "data:image/svg+xml" in bundle["text/html"]
    assert "<svg" not in bundle["text/html"]
    assert reply.value is None


def test_what_refers_to_an_object_is_drawn_without_ipythons_own(kernel):
    text = kernel.report("%objrefs -b -d 5 x")
    assert "├─ variable x" in text
    assert "['x'] of dict 1 item" in text
    assert not re.search(r"Shell|Completer|frame|module|Not followed", text)


def test_an_expression_may_have_spaces_and_there_may_be_several(kernel):
    assert "[x, y] refers to" in kernel.report("%objrefs [x, y]")
    assert "y refers to" in kernel.report("%objrefs x y")


def test_objects_are_filtered_ignored_and_highlighted(kernel):
    assert "dict" not in kernel.report("%objrefs --filter list y")
    assert "dict" not in kernel.report("%objrefs --extra-ignore y[2] y")
    assert "dict 1 item *" in kernel.report('%objrefs --highlight "len(obj) == 1" y')
    assert re.search(r"x · 0 items · 56 B · \d+ refs", kernel.report("%objrefs --sizes --refcounts y"))


def test_what_a_cell_showed_is_held_by_its_output(kernel):
    kernel.run("shown = {'a': 1, 'b': []}")
    number = kernel.run("shown").value and kernel.value("max(Out)")
    text = kernel.report("%objrefs -b shown")
    assert re.search(
        rf"IPython Out\[{number}\], _, _{number}, display hook, hidden names, last result|IPython Out\[{number}\], _",
        text,
    )
    assert "variable shown" in text


def test_what_an_exception_holds_is_told(kernel):
    kernel.run("class Big: pass\nb = Big()\ndef fails():\n    local = b\n    1/0")
    assert kernel.run("fails()").status == "error"
    text = kernel.report("%objrefs -b b")
    assert "local local of frame fails(), line 5" in text
    assert "the last error" in text
    kernel.run("pass")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%objrefs nope", "nope: NameError: name 'nope' is not defined"),
        ("%objrefs", "give the objects to draw"),
        ("%objrefs --wrong x", "--wrong"),
        ("%objrefs -d three x", "--max-depth takes a whole number"),
        ("%objrefs --filter 3 x", "a filter is"),
        ("%objgrowth 5", "takes options only"),
        ("%objtypes -l many", "--limit takes a whole number"),
        ("%%objgrowth --wrong\nnever_run = 1", "--wrong"),
        ("%%objgrowth -l 3 f()\nnever_run = 1", "takes options only, not 'f()'; the code goes below (%objgrowth?)"),
    ],
)
def test_bad_input_is_one_line(kernel, line, message):
    reply = kernel.run(line)
    assert reply.status == "error"
    assert reply.content["ename"] == "UsageError"
    assert message in reply.content["evalue"]
    assert "\n" not in reply.content["evalue"]
    assert not reply.reports
    assert "NameError" in kernel.value("never_run")


def test_a_drawing_keeps_nothing_alive(kernel):
    kernel.run("import weakref, gc\nclass Mortal: pass\nm = Mortal(); alive = weakref.ref(m)")
    kernel.run("%objrefs m")
    kernel.run("%objrefs -b -v graph --refcounts m")
    kernel.run("del m")
    assert kernel.run("print(alive() is None)").stdout == "True\n"
    assert kernel.value("graph.nodes[0].refcount") == "1"


def test_the_result_is_returned_bound_and_written(kernel, tmp_path):
    files = {suffix: tmp_path / f"graph.{suffix}" for suffix in ("svg", "png", "dot", "json")}
    dumps = " ".join(f"-D {path}" for path in files.values())
    reply = kernel.run(f"g = %objrefs -r -q {dumps} y")
    assert reply.status == "ok"
    assert not reply.displays
    assert kernel.value("len(g.nodes)") == "4"
    assert files["svg"].read_text().startswith("<svg")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert files["dot"].read_text().startswith("digraph")
    assert kernel.run("import jupyter_profkit; print(jupyter_profkit.last('references') == g)").stdout == "True\n"


def test_growth_is_since_the_last_call(kernel):
    kernel.run("class Grown: pass")
    first = kernel.report("%objgrowth -l 3")
    assert "The first count, nothing to compare with yet" in first
    assert "The most common types" in first
    assert "Growth" not in first
    kernel.run("kept = [Grown() for _ in range(777)]")
    text = kernel.report("%objgrowth -l 4")
    assert re.search(r"Grown +777 +\+777", text)


def test_the_growth_that_a_cell_causes_is_told_and_its_value_shown(kernel):
    reply = kernel.run("%%objgrowth\nlists = [[i] for i in range(1000)]\nlen(lists)")
    assert reply.value == "1000"
    (report,) = reply.reports
    assert report.startswith("%%objgrowth  In [")
    ((growth, new),) = re.findall(r"^▸ list +[\d,]+ +\+([\d,]+) +([\d,]+)$", report, re.MULTILINE)
    assert new == "1,001"
    assert abs(int(growth.replace(",", "")) - 1001) <= 10  # lists of the kernel's own come and go


def test_cells_that_leave_nothing_have_nothing_to_tell():
    with running_kernel() as fresh:
        for body in ("pass", "1 + 1", "# nothing", "1 + 1", "n = 1", "import time; time.sleep(0.01)"):
            (report,) = fresh.run(f"%%objgrowth\n{body}").reports
            assert "Nothing grew since the start of In [" in report, report


def test_as_many_dropped_as_made_are_new_without_growth(kernel):
    kernel.run("kept = [[n] for n in range(1_000)]")
    (report,) = kernel.run("%%objgrowth\ndel kept[:]\nkept += [[n] for n in range(1_000)]").reports
    ((growth, new),) = re.findall(r"^(?:▸ |  )?list +[\d,]+ +([+-][\d,]+) +([\d,]+)$", report, re.MULTILINE)
    assert new == "1,000"
    assert abs(int(growth.replace(",", ""))) <= 10


def test_ten_empty_cells_in_a_row_grow_nothing(kernel):
    kernel.run("%objgrowth")
    for body in ["pass", "1 + 1"] * 5:
        kernel.run(body)
        assert "Nothing grew since the last %objgrowth." in kernel.report("%objgrowth")


def test_a_cell_that_fails_has_a_report_and_its_error(kernel):
    reply = kernel.run("%%objgrowth\npartly = [[] for _ in range(50)]\n1/0")
    assert reply.status == "error"
    assert "stopped by ZeroDivisionError" in reply.reports[0]
    assert kernel.value("len(partly)") == "50"


def test_the_most_common_types_are_a_table(kernel):
    text = kernel.report("%objtypes -l 3")
    assert len(re.findall(r"^(?:▸ |  )\S+ +[\d,]+$", text, re.MULTILINE)) == 3
    kernel.run("class Common: pass")
    kernel.run("common = [Common() for _ in range(777)]")
    assert re.search(r"^▸ Common +777$", kernel.report("%objtypes --filter Common"), re.MULTILINE)


STATES = {
    "as ever": "pass",
    "disabled": "gc.disable()",
    "keeping what it finds": "gc.set_debug(gc.DEBUG_SAVEALL)",
    "with frozen objects": "gc.freeze()",
    "all of it": "gc.disable(); gc.set_debug(gc.DEBUG_UNCOLLECTABLE); gc.freeze()",
}
MAGICS = (
    *("%objrefs x", "%objrefs -b x", "%objrefs --retained --refcounts x", "%objrefs --teach x", "%objwhy x"),
    *("%objtypes", "%objgrowth", "%memwhos", "%objleaks made = [[]]", "%%objleaks --repeat 2\nmade = [[]]"),
    *("%%objgrowth\nmade = [[]]", "%%objgrowth\n1 / 0", "%%objleaks\n1 / 0", "%%objrefs --teach x --diff\n1 / 0"),
)


@pytest.mark.parametrize("state", STATES)
def test_the_collector_is_left_as_it_was_by_every_magic(kernel, state):
    kernel.run(f"import gc, sys; x = [[1]]; gc.collect(); {STATES[state]}")
    get = "(gc.isenabled(), gc.get_debug(), gc.get_threshold(), gc.get_freeze_count() > 0, gc.callbacks, sys.unraisablehook)"
    before = kernel.value(get)
    for code in MAGICS:
        kernel.run(code)
        assert kernel.value(get) == before, code
    kernel.run("gc.enable(); gc.set_debug(0); gc.unfreeze(); gc.garbage.clear()")


def test_nothing_of_ours_is_in_a_second_result(kernel):
    kernel.run("x = [[1]]")
    for _ in range(2):
        kernel.run("%objrefs -q -b -d 6 -v graph x")
        kernel.run("%objwhy -q -v why x")
        kernel.run("%objgrowth -q -v growth")
        kernel.run("%objtypes -q -v types")
        kernel.run("%%objgrowth -q -v made\npass")
        kernel.run("%%objleaks -q -v left\npass")
    told = kernel.value(
        "[*(n.type for n in graph.nodes), *(s.type for c in why.chains for s in c.steps), *(r.type for r in left.records)]"
        "+ [r.type for found in (growth, types, made) for r in found.records]"
    )
    own = kernel.value("{c.__name__ for c in object.__subclasses__() if c.__module__.startswith('jupyter_profkit')}")
    assert set(eval(told)).isdisjoint(eval(own)), "no type of ours"
    assert kernel.value("(made.records, left.records)") == "((), ())"
    kernel.run("del graph, why, growth, types, made, left")


def test_help_lists_the_options(kernel):
    help_text = kernel.value("get_ipython().magics_manager.magics['line']['objrefs'].__doc__")
    for flag in ("--back", "--max-depth", "--too-many", "--filter", "--highlight", "--refcounts", "--sizes"):
        assert flag in help_text


def test_graphs_are_drawn_with_an_empty_path():
    with running_kernel() as kernel:
        kernel.run("import os; os.environ['PATH'] = ''")
        (bundle,) = kernel.run("%objrefs [[1], {2: 3}]").displays
        assert "laid out by graphviz-pure" in bundle["text/html"]
        kernel.run("import jupyter_profkit.layout.dot as dot, jupyter_profkit.layout.ladder as ladder")
        kernel.run("ladder.find_engines = lambda: ()")
        (bundle,) = kernel.run("%objrefs [[1], {2: 4}]").displays
        assert "laid out by the built-in layout" in bundle["text/html"]
        assert "image/png" in bundle
        assert "[0] → list" in bundle["text/plain"]
