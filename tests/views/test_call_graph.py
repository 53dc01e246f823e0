"""The call graph: the heaviest functions, and nothing that was not measured."""

from __future__ import annotations

import dataclasses

import pytest

from jupyter_profkit import cprofile, load
from jupyter_profkit.errors import OptionError
from jupyter_profkit.export.pstats import write_pstats
from jupyter_profkit.model.call_graph import CallGraph
from jupyter_profkit.render.mimebundle import MAX_BYTES
from tests.views.test_functions import CLEAN, MODULE, call, function, profile


def by_name(graph):
    return {node.function: node for node in graph.nodes}


def test_functions_with_most_cumulative_time_are_drawn_and_the_others_are_summed_up():
    graph = profile().graph(limit=3)
    assert [node.function for node in graph.nodes] == ["<module>", "Model.clean", "time.sleep"]
    assert graph.n_left_out == 1
    assert "1 lighter function not drawn: 300.0 ms of their own" in graph.report().notes


def test_arrows_are_the_pairs_that_were_measured_the_heaviest_first():
    graph = profile().graph()
    names = [node.function for node in graph.nodes]
    assert [(names[edge.source], names[edge.target], edge.ncalls, edge.cumtime) for edge in graph.edges] == [
        ("<module>", "Model.clean", 1, 0.8),
        ("Model.clean", "Model.clean", 4, 0.3),
        ("Model.clean", "parse", 3, 0.3),
        ("<module>", "time.sleep", 6, 0.2),
        ("Model.clean", "time.sleep", 4, 0.2),
    ]


def test_the_words_are_the_whole_graph_and_tell_nothing_twice():
    assert str(profile().graph().report()).splitlines()[1:9] == [
        "80 % of the time in <module> → Model.clean",
        "",
        "<module>  1.00 s (100 %) · own 100.0 ms · In [7]:1",
        "├─ 1× 800.0 ms → Model.clean  800.0 ms (80 %) · own 200.0 ms · In [7]:3",
        "│  ├─ 4× 300.0 ms → Model.clean  (see above)",
        "│  ├─ 3× 300.0 ms → parse  300.0 ms (30 %) · own 300.0 ms · json/decoder.py:40",
        "│  └─ 4× 200.0 ms → time.sleep  400.0 ms (40 %) · own 400.0 ms",
        "└─ 6× 200.0 ms → time.sleep  (see above)",
    ]


def test_functions_that_only_call_each_other_are_told_as_well():
    ring = (
        function(MODULE, 1, 0.5, 1.0, callers=[call(CLEAN)]),
        function(CLEAN, 1, 0.5, 1.0, callers=[call(MODULE)]),
    )
    words = profile(ring).graph().report().parts[0].words
    assert [line.count("→") for line in words] == [0, 1, 1]


def test_it_is_drawn_as_svg_png_and_dot():
    graph = profile().graph()
    assert "<svg" in graph.to_svg()
    assert "Model.clean" in graph.to_svg()
    assert graph.to_png().startswith(b"\x89PNG")
    assert graph.to_dot().count("->") == len(graph.edges)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".dot", ".json", ".txt", ".html"])
def test_it_is_written_by_suffix(suffix, tmp_path):
    path = profile().graph().save(tmp_path / f"graph{suffix}")
    assert path.stat().st_size > 100


def test_a_profile_that_was_read_from_a_file_has_its_graph_too(tmp_path):
    with cprofile() as measured:
        sorted([3, 1], key=lambda n: -n)
    write_pstats(measured.result, tmp_path / "run.prof")
    graph = load(tmp_path / "run.prof").graph()
    assert by_name(graph)["sorted"].ncalls == 1
    assert len(graph.edges) == 1


def test_no_function_is_no_fault():
    graph = profile(()).graph()
    assert graph.nodes == ()
    assert "no function was called" in str(graph.report())


@pytest.mark.parametrize("limit", [0, -1, 201, "many", True, 2.5])
def test_a_limit_that_cannot_be_drawn_is_refused(limit):
    with pytest.raises(OptionError, match="from 1 to 200 functions"):
        profile().graph(limit)


def test_names_are_escaped_and_many_functions_make_a_bounded_report():
    hostile = "<img src=x onerror=alert(1)>\x1b$x$"
    many = [
        function(
            (f"/f/{n}.py", 1, hostile), 1, 0.001, 1.0, callers=[call((f"/f/{m}.py", 1, hostile)) for m in range(n)]
        )
        for n in range(300)
    ]
    graph = profile(many).graph(limit=40)
    bundle = graph._repr_mimebundle_()
    assert len(graph.edges) <= 3 * len(graph.nodes)
    assert sum(len(form) for form in bundle.values()) <= MAX_BYTES
    assert "<img src=x" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"]


def test_edges_of_a_damaged_recording_that_lead_nowhere_are_left_out():
    graph = profile().graph()
    nowhere = dataclasses.replace(graph.edges[0], target=99)
    damaged = CallGraph.from_json(dataclasses.replace(graph, edges=(nowhere,)).to_json())
    assert damaged.report().parts[0].edges == ()
