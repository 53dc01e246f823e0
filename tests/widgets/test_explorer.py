"""Controls on a result: what a reader does to them, and what the view shows then."""

from __future__ import annotations

import re
import threading
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.result import Measuring
from jupyter_profkit.render.scripts import page_script, widget_module
from jupyter_profkit.widgets.explorer import Explorer
from jupyter_profkit.widgets.pictures import FlameWidget, GraphWidget
from tests.builders import cell_lines, line_profile, session
from tests.timelines import timeline
from tests.views.test_functions import profile as time_profile

EVIL = "<img src=x onerror=alert(1)></script>$x$'\"&\x1b[31m"


def memory(label: str = "In [7]", large: int = 9) -> LineMemoryProfile:
    """Three lines: one that does nothing, a small one, a large one; and a row for what belongs to no line."""
    source = "a = 1\nsmall = [0] * 1000\nlarge = [0] * 9000"
    figures = {1: (1, 0, 0, 0), 2: (1, 3, 3, 3), 3: (1, large, large, large)}
    return line_profile(cell_lines(source, figures, label), session=session(title=label))


def words(explorer: Explorer) -> str:
    """The text of the view's tables."""
    html = "".join(widget.value for widget in explorer.view.children if hasattr(widget, "value"))
    html += explorer.head.value
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html).split())


def control(explorer: Explorer, name: str):
    return next(each.widget for each in explorer.options if each.name == name)


def test_a_control_stands_for_each_option_of_the_magic_that_changes_what_is_shown():
    explorer = Explorer(memory())
    assert control(explorer, "sort").value == "line"
    assert [choice for _, choice in control(explorer, "sort").options] == [
        *("line", "increment", "peak", "occurrences", "at_peak", "kept")
    ]
    assert control(explorer, "rows").value == "all"
    assert control(explorer, "precision").value == 1
    assert control(explorer, "hide_unchanged").value is False


def test_controls_begin_as_the_report_was_shown():
    explorer = Explorer(memory(), display={"sort": "peak", "precision": 3, "rows": 2})
    assert control(explorer, "sort").value == "peak"
    assert "9.000" in words(explorer)
    assert control(explorer, "rows").value == 2
    assert "small" in words(explorer)
    assert "a = 1" not in words(explorer)


def test_sorting_changes_the_order_of_the_rows():
    explorer = Explorer(memory())
    assert words(explorer).index("small") < words(explorer).index("large")
    control(explorer, "sort").value = "increment"
    assert words(explorer).index("large") < words(explorer).index("small")


def test_unchanged_lines_are_hidden_and_shown_again():
    explorer = Explorer(memory())
    control(explorer, "hide_unchanged").value = True
    assert "a = 1" not in words(explorer)
    control(explorer, "hide_unchanged").value = False
    assert "a = 1" in words(explorer)


def test_a_filter_leaves_rows_that_hold_the_text_and_counts_them():
    explorer = Explorer(memory())
    explorer.text.value = "LARGE"
    assert "large = " in words(explorer)
    assert "small = " not in words(explorer)
    assert "1 of 4 rows" in explorer.status.value
    explorer.text.value = ""
    assert "small = " in words(explorer)
    assert "rows" not in explorer.status.value


def test_a_filter_looks_at_all_rows_not_only_at_those_that_are_shown():
    explorer = Explorer(memory(), display={"rows": 1, "sort": "peak"})
    assert "small" not in words(explorer)
    explorer.text.value = "small"
    assert "small" in words(explorer)


def test_more_digits_are_shown_without_running_again():
    explorer = Explorer(memory())
    control(explorer, "precision").value = 4
    assert "9.0000" in words(explorer)


def test_orders_of_pstats_are_offered_for_time():
    explorer = Explorer(time_profile())
    assert [choice for _, choice in control(explorer, "sort").options][:3] == ["", "tottime", "cumulative"]
    control(explorer, "sort").value = "ncalls"
    found = words(explorer)
    assert found.index("time.sleep") < found.index("Model.clean")


def test_a_function_of_a_call_graph_tells_who_calls_it_and_what_it_calls():
    graph = time_profile().graph()
    explorer = Explorer(graph)
    picture = next(widget for widget in explorer.view.children if isinstance(widget, GraphWidget))
    edge = graph.edges[0]
    caller, callee = graph.nodes[edge.source].function, graph.nodes[edge.target].function
    for node, told in ((edge.target, f"called by {caller} ("), (edge.source, f"calls {callee} (")):
        picture._handle_custom_msg({"choose": node}, [])
        assert told in picture.words


def test_an_order_that_the_magic_was_asked_for_is_among_the_choices():
    explorer = Explorer(time_profile(), display={"sort": ("nfl",), "limit": ("30", "decode")})
    assert control(explorer, "sort").value == "nfl"
    assert control(explorer, "limit").value == 30


def test_another_run_is_offered_and_compared_and_let_go_again():
    before, after = Explorer(memory("In [3]", large=4)), Explorer(memory("In [4]", large=9))
    name = next(name for name, _ in after.compare.options if "In [3]" in name)
    after.compare.value = name
    assert "Compared with In [3]" in words(after)
    after.compare.value = ""
    assert "Compared with" not in words(after)
    assert before.result is not after.result


def test_the_run_that_the_magic_compared_with_is_chosen_at_first():
    explorer = Explorer(memory("In [4]"), before=memory("In [3]"))
    assert "In [3]" in explorer.compare.value
    assert "Compared with In [3]" in words(explorer)


def test_a_block_in_a_variable_is_offered_and_one_that_is_not_over_is_not(monkeypatch):
    class Block(Measuring):
        def __init__(self, result: LineMemoryProfile | None) -> None:
            self._result = result

        @property
        def result(self) -> LineMemoryProfile:
            if self._result is None:
                raise TargetError("nothing is measured yet")
            return self._result

    shell = SimpleNamespace(user_ns={"over": Block(memory("In [3]", large=4)), "open": Block(None)})
    monkeypatch.setattr("jupyter_profkit.widgets.explorer.running_shell", lambda: shell)
    explorer = Explorer(memory("In [4]"))
    names = [name for name, _ in explorer.compare.options]
    assert "over (In [3])" in names
    assert not any(name.startswith("open") for name in names)


def test_a_result_that_cannot_be_compared_has_no_such_control():
    explorer = Explorer(time_profile().statements)
    assert explorer.compare not in explorer.bar.children


def tree() -> CallTree:
    library = Frame("merge", "frame.py", 9, label="pandas", weight=0.3)
    own = Frame("clean", "/tmp/7.py", 3, label="In [7]", is_user=True, weight=0.2, children=(library,))
    return CallTree((own,), engine="a test")


def with_stacks(stacks: CallTree):
    import dataclasses

    return dataclasses.replace(time_profile(), stacks=stacks)


def flame_of(explorer: Explorer) -> FlameWidget:
    return next(widget for widget in explorer.view.children if isinstance(widget, FlameWidget))


def test_a_flame_graph_is_a_widget_with_a_title_for_each_frame():
    flame = flame_of(Explorer(with_stacks(tree())))
    names = [title.text for title in ET.fromstring(flame.svg).iter("{http://www.w3.org/2000/svg}title")]
    assert "clean\nIn [7]:3\n100 %" in names
    assert "[pandas] merge\n\n60 %" in names
    assert flame.label.startswith("100 % of 500.0 ms")


def test_a_picture_has_its_caption_and_its_words_around_it_as_in_the_report():
    explorer = Explorer(with_stacks(tree()))
    above, flame, below = explorer.view.children
    assert flame is flame_of(explorer)
    assert "Flame graph: call paths that were sampled" in above.value
    assert "The same in words" in below.value
    assert "[pandas] merge" in below.value
    assert "The same in words" in words(Explorer(time_profile().graph()))


def test_library_code_is_hidden_from_the_flame_graph_and_its_words():
    explorer = Explorer(with_stacks(tree()))
    explorer.own_code.value = True
    assert "merge" not in flame_of(explorer).svg + words(explorer)
    assert "clean" in flame_of(explorer).svg


def test_the_flame_graph_is_switched_off_and_on():
    explorer = Explorer(with_stacks(tree()))
    control(explorer, "no_flame").value = False
    assert not any(isinstance(widget, FlameWidget) for widget in explorer.view.children)
    control(explorer, "no_flame").value = True
    assert flame_of(explorer).svg


def test_views_are_filled_anew_not_made_anew_so_that_nothing_jumps():
    explorer = Explorer(with_stacks(tree()))
    before = explorer.view.children
    control(explorer, "sort").value = "ncalls"
    assert explorer.view.children == before


def test_names_of_others_are_inert_wherever_they_are_shown():
    hostile = Frame(EVIL, EVIL, 3, label=EVIL, weight=0.2)
    explorer = Explorer(with_stacks(CallTree((hostile,), engine="a test")))
    explorer.text.value = EVIL
    other = Explorer(memory(EVIL))
    html = "".join(
        widget.value for each in (explorer, other) for widget in each.view.children if hasattr(widget, "value")
    )
    assert "<img src=x" not in html + explorer.status.value
    ET.fromstring(flame_of(explorer).svg)
    assert "<img" not in flame_of(explorer).svg


def test_a_fault_is_said_beside_the_controls_and_the_view_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PROFKIT_DEBUG", raising=False)
    explorer = Explorer(memory())
    before = words(explorer)
    monkeypatch.setattr("jupyter_profkit.widgets.explorer.report_beside", lambda *_, **__: 1 / 0)
    explorer.text.value = "large"
    assert "ZeroDivisionError" in explorer.status.value
    assert words(explorer) == before


def test_observers_may_be_called_in_several_threads():
    """As ipykernel does where widgets have subshells."""
    explorer = Explorer(memory())

    def turn(texts: list[str]) -> None:
        for text in texts:
            explorer.text.value = text

    threads = [threading.Thread(target=turn, args=(["large", "small", "a ="] * 20,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    explorer.text.value = ""
    assert "small = " in words(explorer)


def test_scripts_reach_for_nothing_outside():
    for script in (page_script("flame"), widget_module("flame"), widget_module("graph")):
        assert not re.search(r"https?:|\bimport\b|fetch\(|eval\(|innerHTML|</script", script)


def test_a_window_of_time_is_zoomed_into_and_left_again():
    explorer = Explorer(timeline())
    window = control(explorer, "window")
    assert window.value == (0.0, 2.0)
    whole = explorer.view.children[0].value
    window.value = (0.5, 1.5)
    assert explorer.view.children[0].value != whole
    window.value = (0.0, 2.0)
    assert explorer.view.children[0].value == whole


def test_the_window_that_the_magic_was_given_is_where_the_zoom_begins():
    assert control(Explorer(timeline(), display={"window": "0.5,1"}), "window").value == (0.5, 1.0)
