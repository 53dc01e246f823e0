"""What a reader of a flame graph is told, and how it is drawn."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

import pytest

from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.functions import StatementProfile, TimeProfile
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.render.html import render_report
from jupyter_profkit.render.mimebundle import MAX_BYTES, mimebundle
from jupyter_profkit.render.scripts import page_script
from jupyter_profkit.render.tree import render_svg
from jupyter_profkit.views.call_tree import flame_view

EVIL = "<script>alert('x')</script>]]>\x00\x1b&\u202e$x$;\n"


def own(name, weight=0.0, *children, label="In [1]", lineno=3):
    return Frame(name, "/tmp/1.py", lineno, label, is_user=True, weight=weight, n_samples=1, children=children)


def library(name, weight=0.0, *children, package="json"):
    return Frame(name, f"/lib/{package}.py", 9, package, weight=weight, n_samples=1, children=children)


TREE = CallTree((own("clean(df)", 0.1, own("Model.fit", 0.1, library("dumps", 0.6))), own("x = f()", 0.2)), 0.001, "us")


def profile(tree):
    session = Session("In [7]", 1.0, 1.0)
    return TimeProfile(session, Method("cProfile"), (), StatementProfile((), 1.0), tree)


def wide(n):
    return CallTree((own("main", 0.0, *(own(f"f{i}", 1.0 + i, lineno=i) for i in range(n))),))


def picture(html):
    return base64.b64decode(re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)[1]).decode()


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_boxes_are_as_wide_as_their_time_and_lie_under_their_callers():
    boxes = {box.label: box for box in flame_view(TREE, "In [7]").boxes}
    assert (boxes["In [7]"].width, boxes["In [7]"].level, boxes["In [7]"].figure) == (1.0, 0, "1.00 s")
    assert boxes["clean(df)"].width == pytest.approx(0.8)
    assert boxes["[json] dumps"].width == pytest.approx(0.6)
    assert boxes["x = f()"].start == pytest.approx(0.8)
    assert [boxes[name].level for name in ("clean(df)", "Model.fit", "[json] dumps")] == [1, 2, 3]
    assert boxes["Model.fit"].place == "In [1]:3"
    assert [boxes[name].kind for name in ("In [7]", "Model.fit", "[json] dumps")] == ["whole", "own", "library"]


def test_siblings_never_overlap_and_stay_within_their_caller():
    for tree in (TREE, wide(30)):
        boxes = flame_view(tree, "x").boxes
        for level in {box.level for box in boxes}:
            row = sorted((box for box in boxes if box.level == level), key=lambda box: box.start)
            ends = [0.0, *(box.start + box.width for box in row)]
            assert all(box.start >= end - 1e-9 for box, end in zip(row, ends, strict=False))
            assert ends[-1] <= 1 + 1e-9


def test_the_finding_names_the_heaviest_path_of_the_users_code():
    assert flame_view(TREE, "In [7]").alt == "70 % of 1.00 s in clean(df) → Model.fit"


def test_the_words_have_the_same_figures():
    assert flame_view(TREE, "In [7]").words == (
        "    total   share  itself",
        " 800.0 ms    80 %    10 %  clean(df)  In [1]:3",
        " 700.0 ms    70 %    10 %    Model.fit  In [1]:3",
        " 600.0 ms    60 %    60 %      [json] dumps",
        " 200.0 ms    20 %    20 %  x = f()  In [1]:3",
    )


def test_light_frames_are_left_out_and_it_says_so():
    view = flame_view(wide(500), "In [7]", 50)
    assert len(view.boxes) <= 51
    assert view.footer.endswith("lighter or deeper frames count on their callers")
    assert "f499" in {box.label for box in view.boxes}
    assert "f1" not in {box.label for box in view.boxes}


def test_one_that_is_left_out_is_told_in_the_singular():
    n_frames = sum(1 for _ in TREE.walk())
    assert flame_view(TREE, "In [7]", n_frames + 1).footer == ""
    assert flame_view(TREE, "In [7]", n_frames).footer == "1 lighter or deeper frame counts on its caller"


def test_frames_of_equal_weight_do_not_break_the_bound():
    tree = CallTree((own("main", 0.0, *(own(f"f{i}", 1.0, lineno=i) for i in range(300))),))
    assert len(flame_view(tree, "x", 50).boxes) <= 51


def test_the_report_shows_it_after_the_tables_and_without_it_on_request():
    report = profile(TREE).report()
    assert report.parts[-1].caption == "Flame graph: call paths that were sampled"
    assert any(line.startswith("flame graph: 4 stacks sampled by us, every 1.0 ms") for line in report.method)
    assert profile(TREE).report(no_flame=True).parts == ()


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (CallTree((own("f", 1.0),), 0.001, "us"), "flame graph: 1 stack sampled by us"),
        (CallTree((), 0.001, "us"), "flame graph: none, since the run was over before us took a sample"),
    ],
)
def test_it_is_said_how_many_stacks_were_sampled(tree, said):
    assert profile(tree).report().method[-1].startswith(said)


def test_a_run_without_stacks_says_why_there_is_no_flame_graph():
    for tree in (None, CallTree()):
        assert profile(tree).report().parts == ()
        with pytest.raises(TargetError, match="no stack was sampled in this run"):
            profile(tree).flame()


def test_the_html_has_the_picture_with_its_finding_and_the_words():
    html = render_report(profile(TREE).flame())
    assert 'alt="70 % of 1.00 s in clean(df) → Model.fit"' in html
    assert "The same in words" in html
    assert "clean(df)  In [1]:3  80 %" in texts(picture(html))


def test_a_name_is_cut_to_what_its_box_holds():
    tree = CallTree((own("a" * 90, 1.0), own("名" * 60, 1.0), own("b", 60.0), own("c", 0.2)))
    boxes = {text[0]: text for text in texts(render_svg(flame_view(tree, "x"))) if text}
    assert boxes["b"] == "b  In [1]:3  96 %"
    assert "c" not in boxes
    assert all(len(boxes[name]) <= 4 for name in boxes if name in "a名")


def test_own_code_differs_by_more_than_colour():
    svg = render_svg(flame_view(TREE, "x"))
    assert ".o text{fill:#3a1c06;font-weight:bold}" in svg
    assert "stroke:none" in svg
    assert "your code: outlined, bold" in texts(svg)
    assert "prefers-color-scheme:dark" in svg


@pytest.mark.filterwarnings("error")
def test_hostile_names_are_inert_everywhere():
    tree = CallTree((own(EVIL, 1.0, library(EVIL, 1.0, package=EVIL), label=EVIL),))
    report = profile(tree).flame()
    html = render_report(report)
    svg = picture(html)
    ET.fromstring(svg)
    assert "<script" not in html.replace(f"<script>{page_script('flame')}</script>", "") + svg
    assert "\x1b" not in str(report) + html + svg
    assert "\n;" not in str(report)


def test_a_report_of_many_paths_stays_small():
    tree = CallTree(
        tuple(
            own(
                f"root{i} " + "名" * 60,
                0.0,
                *(own(f"child{i}_{j} <&>" * 6, 1.0, lineno=j) for j in range(30)),
                lineno=i,
            )
            for i in range(30)
        )
    )
    for report in (profile(tree).flame(), profile(tree).report()):
        assert sum(len(form.encode()) for form in mimebundle(report).values()) <= MAX_BYTES / 2


def test_nothing_but_idle_time_is_drawn_as_such():
    tree = CallTree((Frame("(waiting)", "", 0, weight=1.0, n_samples=3),))
    view = flame_view(tree, "In [1]")
    assert view.alt == "100 % of 1.00 s in waiting, or outside of the cell's code"
    assert [box.kind for box in view.boxes] == ["whole", "outside"]
