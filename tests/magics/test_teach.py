"""``%objrefs --teach``, and ``%%objrefs`` around a cell, in a real kernel."""

from __future__ import annotations

import re

import pytest

from tests.kernels import kernel_with

pytestmark = [pytest.mark.kernel]


kernel = kernel_with("import math\na = [1, [2]]; b = a; n = 5\ndef function(): pass", scope="function")


def test_boxes_are_drawn_in_every_form(kernel):
    (bundle,) = kernel.run("%objrefs --teach a b").displays
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert bundle["text/plain"].startswith("%objrefs --teach a b\n`a` and `b` are the same list: a change through")
    assert bundle["text/html"].count("data:image/svg+xml") == 1
    assert "<svg" not in bundle["text/html"]
    assert kernel.report("%objrefs a b --teach").startswith("%objrefs --teach a b\n")


def test_without_names_the_variables_are_drawn_and_no_function_or_module(kernel):
    assert kernel.report("%objrefs --teach").startswith("%objrefs --teach a b n\n")


def test_before_and_after_a_cell_are_shown_and_the_cell_stays_a_cell(kernel):
    reply = kernel.run("%%objrefs --teach a c --diff\nb.append(3)\nc = list(a)\nlen(c)")
    (report,) = reply.reports
    assert re.match(r"%%objrefs  In \[\d+\]  --teach a c --diff\n", report)
    assert "`c` is new: a list of its own." in report
    assert "The list `a` changed: `[2]` is new, 3." in report
    assert "Now `c` is a copy of `a` whose items are shared (`a[1]` and `c[1]` are the same list)." in report
    assert reply.value == "3"
    assert kernel.value("c") == "[1, [2], 3]"
    assert reply.displays[0]["text/html"].count("data:image/svg+xml") == 2


def test_what_is_made_and_dropped_in_the_cell_is_no_object_that_was_there_before(kernel):
    report = kernel.report("%%objrefs --diff a\na = [1, [2]]")
    assert "`a` was a list and is now a new list." in report


def test_of_many_variables_none_is_gone_because_others_were_made(kernel):
    kernel.run("\n".join(f"many_{number} = {number}" for number in range(30)))
    report = kernel.report("%%objrefs --diff\nmade = 1\nmade_too = 2")
    assert "`made` is new: 1." in report
    assert "gone" not in report
    assert "many_0 " not in report
    assert "`many_29` is gone." in kernel.report("%%objrefs --diff\ndel many_29")


def test_a_cell_can_end_with_a_graph(kernel):
    report = kernel.report("%%objrefs -b a\nc = {'k': a}")
    assert "a is referred to by variable a, variable b" in report
    assert "['k'] of dict c" in report


def test_a_cell_that_fails_shows_what_it_changed_and_its_error(kernel):
    reply = kernel.run("%%objrefs --diff a\na.append(0)\n1 / 0")
    assert reply.status == "error"
    assert len(reply.errors) == 1
    assert "The list `a` changed: `[2]` is new, 0." in reply.reports[0]
    assert "stopped by ZeroDivisionError" in reply.reports[0]


def test_nothing_is_held_after_the_report(kernel):
    kernel.run("import weakref\nclass Kept: pass\nk = Kept(); alive = weakref.ref(k)")
    kernel.report("%%objrefs --diff k\ndel k")
    assert kernel.value("alive()") == "None"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%objrefs --teach nope", "nope: NameError: name 'nope' is not defined"),
        ("%objrefs --teach x = 3", "x = 3 is a statement; give variables or expressions: %objrefs x"),
        ("%objrefs --diff a", "--diff shows before and after a cell; make %%objrefs --diff its first line"),
        ("%objrefs --teach -b a", "--teach draws values and what they share; it does not go with --back"),
        ("%%objrefs --teach x =\nran = True", "= is not an expression"),
        ("%%objrefs\nran = True", "give the objects to draw"),
        ("%%objrefs -d two a\nran = True", "--max-depth takes a whole number"),
    ],
)
def test_bad_input_is_one_line_and_the_body_is_not_run(kernel, line, message):
    reply = kernel.run(line)
    assert reply.status == "error"
    assert message in reply.stderr
    assert reply.stderr.strip().count("\n") == 0
    assert kernel.value("'ran' in globals()") == "False"


def test_a_name_that_is_not_there_after_the_cell_is_said_and_the_cell_ran(kernel):
    assert "Not drawn: nope: NameError" in kernel.report("%%objrefs --teach a nope\nran = True")
    assert "Not measured: nope: NameError" in kernel.report("%%objrefs nope\nran = True")
    assert kernel.value("ran") == "True"


def test_the_result_is_bound_written_and_shown_again(kernel, tmp_path):
    reply = kernel.run(
        f"%objrefs --teach -v taught -q -D {tmp_path}/a.svg -D {tmp_path}/a.png -D {tmp_path}/a.json a b"
    )
    assert reply.displays == []
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert kernel.value("[slot.label for slot in taught.after.variables]") == "['a', 'b']"
    kernel.run(f"import jupyter_profkit\nagain = jupyter_profkit.load('{tmp_path}/a.json')")
    assert kernel.value("again == taught") == "True"
