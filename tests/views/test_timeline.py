from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.session import Location
from jupyter_profkit.model.timeline import ChildProcess, Mark
from jupyter_profkit.units import MIB
from jupyter_profkit.views.report import TableView, TimelineView
from jupyter_profkit.views.timeline import overlay_report, overlay_view, plot_view, report, small_view
from tests.timelines import timeline

LINE = Location("/tmp/7.py", 3, "<module>", "In [7]")


def tables(shown):
    return {part.caption: part for part in shown.parts if isinstance(part, TableView)}


def texts(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_the_headline_says_the_peak_its_time_and_its_line():
    shown = report(timeline(peak=(1.24, 812.4), peak_at=LINE))
    assert shown.headline == "Peak 812.4 MiB at 1.24 s, In [7] line 3, 732.4 MiB above the start; +20.0 MiB at the end"


def test_the_picture_s_words_say_start_peak_and_end():
    view = report(timeline()).parts[0]
    assert view.alt == "Memory over 2.00 s: starts at 80.0 MiB, peaks at 200.0 MiB at 1.00 s, ends at 100.0 MiB."


def test_memory_that_did_not_rise_has_no_peak_to_boast_of():
    shown = report(timeline([(0, 80), (1, 80)]))
    assert shown.headline == "Memory did not rise above the 80.0 MiB of the start; ends where it began"


def test_a_recording_without_samples_says_so_and_shows_no_zero():
    shown = report(timeline([], outcome="ok"))
    assert shown.headline == "No memory was recorded"
    assert not shown.parts


@pytest.mark.parametrize(
    ("outcome", "warning"),
    [
        ("ok", ""),
        ("ZeroDivisionError", "stopped by ZeroDivisionError; the report is partial"),
        ("x.py ended with exit code 3", "x.py ended with exit code 3; the report is partial"),
    ],
)
def test_how_the_run_ended_is_said(outcome, warning):
    assert report(timeline(outcome=outcome)).warning == warning


def test_a_long_recording_keeps_its_spike_in_few_points():
    points = [(index / 1000, 100.0) for index in range(60_000)]
    points[31_234] = (31.234, 900.0)
    view = plot_view(timeline(points))
    assert len(view.curves[0].times) < 2000
    assert max(view.curves[0].values) == 900 * MIB
    assert len(small_view(timeline(points)).curves[0].times) < 400


def test_the_window_shows_a_part_and_keeps_the_run_s_peak_in_words():
    view = plot_view(timeline(), window="0.5,2.5")
    assert view.window == (0.5, 2.5)
    assert view.alt == "Memory from 0.5 to 2.5 s: starts at 200.0 MiB, peaks at 200.0 MiB at 1.00 s, ends at 100.0 MiB."
    assert view.curves[0].times == (1.0, 2.0)
    assert plot_view(timeline(), window=(0, 1)).curves[0].times == (0.0, 1.0)


def test_a_window_beside_the_peak_has_its_own_highest_point():
    recorded = timeline([(0, 80), (1, 200), (2, 100), (3, 120)], peak=(1.1, 812.4), peak_at=LINE)
    view = plot_view(recorded, window=(1.5, 3.5), slope=True)
    assert view.peak == (3.0, 120 * MIB)
    assert view.peak_label == "120.0 MiB at 3.00 s, the highest here"
    assert view.alt == "Memory from 1.5 to 3.5 s: starts at 100.0 MiB, peaks at 120.0 MiB at 3.00 s, ends at 120.0 MiB."
    headline = report(recorded, window=(1.5, 3.5), slope=True).headline
    assert headline.startswith("Peak 812.4 MiB at 1.10 s, In [7] line 3, ")
    assert headline.endswith("; slope from 1.5 to 3.5 s +20.0 MiB/s")


def test_recordings_in_a_window_have_the_highest_point_there():
    other = timeline([(0, 900), (1, 50), (2, 70)])
    view = overlay_view([timeline(), other], ["a", "b"], window=(1.5, 2.5))
    assert (view.peak, view.peak_label) == ((2.0, 100 * MIB), "a: 100.0 MiB at 2.00 s")
    assert "b: Memory from 1.5 to 2.5 s: starts at 70.0 MiB" in view.alt
    assert "a: No sample of it is here." in overlay_view([timeline(), other], ["a", "b"], window=(7, 8)).alt


def test_children_that_are_in_the_sum_are_not_added_again():
    recorded = replace(timeline([(0, 80), (1, 200), (2, 100)], children={7: [(1, 60), (2, 5)]}), summed=True)
    assert recorded.peak_together == recorded.peak
    shown = report(recorded)
    assert shown.headline.startswith("2 processes together: peak 200.0 MiB at 1.00 s, 120.0 MiB above the start")
    view = shown.parts[0]
    assert view.alt.startswith("Memory of 2 processes over 2.00 s: starts at 80.0 MiB, peaks at 200.0 MiB at 1.00 s")
    assert [curve.label for curve in view.curves] == ["all together", "child 7"]
    assert not any("counted for each" in line for line in shown.method)


def test_the_highest_of_all_curves_is_labelled_with_its_name():
    recorded = replace(
        timeline([(0, 80), (1, 200), (2, 100)], children={7: [(0.5, 60), (1.5, 300)], 8: [(1, 5)]}, title="s.py"),
        processes=(ChildProcess(7, "python worker.py"),),
    )
    view = plot_view(recorded)
    assert (view.peak, view.peak_label) == ((1.5, 300 * MIB), "7 python worker.py: 300.0 MiB at 1.50 s")
    begin = plot_view(recorded, window=(0, 1.2))
    assert (begin.peak, begin.peak_label) == ((1.0, 200 * MIB), "s.py: 200.0 MiB at 1.00 s, the highest here")
    lower = plot_view(timeline(children={7: [(0.5, 60)]}, title="s.py"))
    assert lower.peak_label == "s.py: 200.0 MiB at 1.00 s"


def test_more_recordings_than_colours_are_said():
    assert overlay_report([timeline()] * 13, [f"{n}.dat" for n in range(13)]).notes == (
        "the plot has the first 12 of them",
    )


@pytest.mark.parametrize("window", ["1", "a,b", "2,1", "1,1", "", 5, "nan,1"])
def test_a_window_that_is_none_is_refused_in_one_line(window):
    with pytest.raises(OptionError, match="--window"):
        plot_view(timeline(), window=window)


def test_a_window_beside_the_recording_is_said():
    (note,) = report(timeline(), window="100,200").notes
    assert note == "nothing was recorded from 100 to 200 s; the last sample is at 2.00 s"
    assert not report(timeline(), window="1.5,200").notes
    both = overlay_report([timeline(), timeline([(0, 50), (150, 300)])], ["a", "b"], window=(160, 170))
    assert both.notes == ("nothing was recorded from 160 to 170 s; the last sample is at 2 min 30 s",)


def test_an_unknown_display_option_is_refused():
    with pytest.raises(OptionError, match="no option 'colour'"):
        report(timeline(), colour="red")


def test_the_slope_is_that_of_the_samples():
    view = plot_view(timeline([(0, 100), (1, 110), (2, 120)]), slope=True)
    rate, base = view.slope
    assert rate == pytest.approx(10 * MIB)
    assert base == pytest.approx(100 * MIB)
    assert "slope +10.0 MiB/s" in report(timeline([(0, 100), (1, 110)]), slope=True).headline


def test_marks_are_spans_with_their_duration():
    (span,) = plot_view(timeline(marks=[Mark("pkg.load", 0.5, 1.5)])).spans
    assert (span.label, span.start, span.end) == ("load 1.00 s", 0.5, 1.5)
    assert plot_view(timeline(marks=[Mark("load", 0.5, 1.5)]), no_functions=True).spans == ()


def test_many_short_calls_are_one_span_with_their_number():
    marks = [Mark("step", 0.1 + index * 0.001, 0.1005 + index * 0.001) for index in range(1000)]
    (span,) = plot_view(timeline(marks=marks)).spans
    assert span.label == "step ×1000 500.0 ms"


def test_two_calls_that_can_be_told_apart_are_two_spans():
    marks = [Mark("step", 0.1, 0.5), Mark("step", 0.5, 0.9)]
    assert len(plot_view(timeline(marks=marks)).spans) == 2


def test_spans_are_bounded():
    marks = [Mark(f"f{index}", index / 100, index / 100 + 0.5) for index in range(150)]
    assert len(plot_view(timeline(marks=marks)).spans) == 60


def test_the_marks_table_has_calls_time_change_and_the_highest_sample():
    marks = [Mark("m.outer", 0.5, 1.5, 100 * MIB, 150 * MIB), Mark("m.inner", 0.6, 0.7, 100 * MIB, 90 * MIB, 1)]
    (table,) = tables(report(timeline(marks=marks))).values()
    assert texts(table) == [
        ["m.outer", "1", "500.0 ms", "1.00 s", "100.0", "+50.0", "200.0"],
        ["  m.inner", "1", "600.0 ms", "100.0 ms", "100.0", "-10.0", "100.0"],
    ]


def test_each_child_has_a_curve_and_a_row():
    shown = report(timeline(children={41: [(0.5, 10), (1.0, 30)]}))
    assert [curve.label for curve in shown.parts[0].curves] == ["In [7]", "child 41"]
    assert texts(tables(shown)["Child processes"]) == [["child 41", "500.0 ms", "1.00 s", "30.0", "1.00 s"]]


def test_with_children_the_first_sentence_is_of_all_processes_together():
    children = {41: [(0.5, 10), (1.0, 30)], 42: [(0.9, 5), (1.0, 400), (1.2, 300)], 43: [(1.6, 500), (1.8, 500)]}
    recorded = timeline([(0, 80), (1, 100), (1.1, 90), (1.6, 80), (2, 80)], children=children)
    assert recorded.peak_together.rss == 580 * MIB  # not with what 41 and 42 once had
    shown = report(recorded)
    assert shown.headline == (
        "4 processes together peak at 580.0 MiB at 1.60 s. The process itself: "
        "peak 100.0 MiB at 1.00 s, 20.0 MiB above the start; ends where it began"
    )
    assert shown.parts[0].alt.endswith(
        " 4 processes together peak at 580.0 MiB at 1.60 s. child 43 peaks at 500.0 MiB at 1.60 s; "
        "child 42 peaks at 400.0 MiB at 1.00 s; child 41 peaks at 30.0 MiB at 1.00 s."
    )
    assert any("shared" in line or "share" in line for line in shown.method)


def test_a_peak_between_two_samples_is_one_of_all_processes_too():
    recorded = timeline([(0, 80), (1, 90)], peak=(0.4, 900), children={41: [(0.5, 10)]})
    assert recorded.peak_together == recorded.peak


def test_the_names_of_many_children_are_bounded_in_words_and_shortened():
    long = "python -m joblib.externals.loky.backend.popen_loky_posix --process-name LokyProcess-{}"
    recorded = replace(
        timeline(children={pid: [(0.5, 1000 - pid)] for pid in range(100, 140)}),
        processes=tuple(ChildProcess(pid, long.format(pid)) for pid in range(100, 140)),
    )
    view = report(recorded).parts[0]
    assert len(view.alt) < 1500
    assert view.alt.endswith("; 29 more.")
    assert view.curves[1].label.startswith("100 python -m jobli")
    assert view.curves[1].label.endswith("…cess-100")
    assert len(view.curves[1].label) <= 32


def test_several_recordings_are_one_plot_and_one_table():
    shown = overlay_report([timeline(), timeline([(0, 50), (1, 300)])], ["a.dat", "b.dat"])
    view = shown.parts[0]
    assert isinstance(view, TimelineView)
    assert [curve.label for curve in view.curves] == ["a.dat", "b.dat"]
    assert view.peak_label == "b.dat: 300.0 MiB at 1.00 s"
    assert shown.headline == "The highest peak is 300.0 MiB, of b.dat"
    assert [row[0] for row in texts(tables(shown)["Recordings"])] == ["a.dat", "b.dat"]


def test_a_recording_without_samples_cannot_be_laid_over_another():
    with pytest.raises(OptionError, match=r"b\.dat holds no memory samples"):
        overlay_report([timeline(), timeline([])], ["a.dat", "b.dat"])


def test_ten_minutes_at_a_millisecond_are_a_small_report_that_keeps_its_peak():
    values = [100 + n * 7919 % 50 for n in range(600_000)]
    values[345_678] = 2000
    long = timeline(
        [(n / 1000, value) for n, value in enumerate(values)], marks=[Mark("f", n * 3, n * 3 + 2) for n in range(200)]
    )
    shown = report(long)
    (curve,) = shown.parts[0].curves
    assert len(curve.times) <= 2000
    assert (345.678, 2000 * MIB) in zip(curve.times, curve.values, strict=True)
    assert sum(len(form) for form in shown._repr_mimebundle_().values()) < 200_000
