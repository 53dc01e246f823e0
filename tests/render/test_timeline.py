from __future__ import annotations

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from PIL import Image

from jupyter_profkit.model.session import Location
from jupyter_profkit.model.timeline import ChildProcess, Mark
from jupyter_profkit.render.mimebundle import MAX_BYTES, mimebundle
from jupyter_profkit.render.plot_text import FONT_SIZE, text_width
from jupyter_profkit.render.strip import render_svg
from jupyter_profkit.render.timeline import draw, render_figure, render_png
from jupyter_profkit.render.timeline_marks import lanes_of
from jupyter_profkit.units import MIB
from jupyter_profkit.views.timeline import overlay_report, overlay_view, plot_view, report, small_view
from tests.timelines import timeline

LINE = Location("/tmp/7.py", 3, "<module>", "In [7]")
MARKS = [
    Mark("m.load", 0.1, 0.9),
    Mark("m.clean", 0.95, 1.5),
    Mark("m.inner_function_with_a_long_name", 1.0, 1.02, level=1),
    Mark("late", 1.9, 1.99),
    Mark("$x$ <b>", 1.95, 1.98, level=1),
]


def busy(n_points=2000, n_marks=30):
    points = [(index / 100, 100 + (index * 7919 % 500)) for index in range(n_points)]
    marks = [Mark(f"function_{index}", index / 3, index / 3 + 4) for index in range(n_marks)]
    return timeline(points, marks=marks, peak=(9.0, 812.4), peak_at=LINE)


def pixels(png):
    image = Image.open(io.BytesIO(png))
    return image.convert("RGBA"), image.size


def test_the_png_is_transparent_wide_and_small():
    image, (width, height) = pixels(render_png(plot_view(busy())))
    assert (width, image.getpixel((2, 2))[3]) == (1800, 0)
    assert 640 <= height <= 960
    assert len(render_png(plot_view(busy()))) < 60_000


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_text_and_curve_stand_out_from_the_page(background):
    image, size = pixels(render_png(plot_view(timeline(marks=MARKS))))
    page = Image.new("RGBA", size, background)
    page.alpha_composite(image)
    opaque = [pixel for _, pixel in image.getcolors(10_000_000) if pixel[3] == 255]
    paper = _luminance(page.getpixel((2, 2)))
    inks = {pixel[:3] for pixel in opaque}
    legible = [ink for ink in inks if _contrast(_luminance(ink), paper) >= 3]
    assert len(legible) >= 0.9 * len(inks)


def _luminance(pixel):
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in pixel[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("moment", [0.0, 0.01, 1.0, 1.99, 2.0])
def test_the_peak_s_label_is_inside_the_picture_wherever_the_peak_is(moment):
    view = plot_view(timeline(peak=(moment, 812.4), peak_at=LINE, marks=MARKS))
    ax = draw(view)
    figure = ax.figure
    figure.canvas.draw()
    (label,) = [text for text in ax.texts if text.get_text().startswith("812.4 MiB")]
    box = label.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


def test_the_peak_s_label_touches_neither_curve_nor_marks():
    ax = draw(plot_view(busy()))
    ax.figure.canvas.draw()
    (label,) = [text for text in ax.texts if text.get_text().startswith("812.4 MiB")]
    box = label.get_window_extent()
    curve_top = ax.transData.transform((0, 812.4))[1]
    assert box.y0 >= curve_top
    others = [text.get_window_extent() for text in ax.texts if text is not label and text.get_text()]
    assert not any(box.overlaps(other) for other in others)


@pytest.mark.parametrize("flame", [False, True])
def test_no_mark_lies_on_another(flame):
    marks = MARKS if flame else [*MARKS, *(Mark(f"n{index}", index / 20, index / 20 + 0.3) for index in range(40))]
    for lane in lanes_of(plot_view(timeline(marks=marks), flame=flame), 600.0):
        ends = 0.0
        for bar in lane:
            left = min(bar.text_left, (bar.span.start / 2) * 600)
            assert left >= ends - 5
            ends = max(bar.text_left + text_width(bar.text, FONT_SIZE - 1), bar.span.end / 2 * 600 - 8)


def test_marks_that_follow_each_other_share_a_lane():
    marks = [Mark("first", 0.1, 0.9), Mark("second", 0.9, 1.7)]
    assert len(lanes_of(plot_view(timeline(marks=marks)), 600.0)) == 1


def test_calls_of_one_name_that_follow_each_other_share_a_lane_and_keep_their_name():
    marks = [Mark("m.epoch", 0.5 + index / 5, 0.69 + index / 5) for index in range(5)]
    (lane,) = lanes_of(plot_view(timeline(marks=marks)), 600.0)
    assert [bar.text for bar in lane] == ["epoch"] * 4 + ["epoch 190.0 ms"]


@pytest.mark.parametrize("flame", [False, True])
def test_a_name_that_is_cut_keeps_its_time_while_it_can_be_known(flame):
    long = "load_the_training_data_from_every_shard"
    marks = [Mark(f"m.{long}", 0.2, 0.8), Mark("m.short_and_narrow", 1.0, 1.2), Mark("m.save", 1.7, 1.9)]
    (lane,) = lanes_of(plot_view(timeline(marks=marks), flame=flame), 600.0)
    first, second, third = (bar.text for bar in lane)
    assert re.fullmatch(r"load_the_trainin\w*… 600\.0 ms", first)
    assert second == ("short_and…" if flame else "short_and_narrow 200.0 ms")
    assert third.startswith("save")


def test_a_level_curve_has_its_label_on_it():
    drawn = draw(plot_view(timeline([(0, 203.6), (1, 203.6)])))
    low, top = drawn.get_ylim()
    (label,) = drawn.texts
    assert label.xy[1] == pytest.approx(203.6)
    assert low < 203.6 < top
    assert max(drawn.get_yticks()) <= 203.7
    assert len(drawn.lines) == 2  # the curve and the dot: no line leads from it to a label far off


WIDE = {
    "a level curve": plot_view(timeline([(0, 194.6), (0.00027, 194.61)])),
    "12 GiB, hardly changed": plot_view(timeline([(0, 12345.1), (18000, 12345.3)])),
    "2 TiB": plot_view(timeline([(0, 2_000_000), (3, 2_050_000)])),
    "a figure at the end": plot_view(timeline([(n / 1000, 100) for n in range(1000)]), window=(0.1, 0.3)),
    "a narrow window": plot_view(timeline([(n / 1000, 100) for n in range(30_000)]), window=(20.0005, 20.003)),
}


@pytest.mark.parametrize("view", WIDE.values(), ids=WIDE)
def test_the_figures_of_the_axes_are_whole_and_plain(view):
    image, (width, height) = pixels(render_png(view))
    alpha = image.getchannel("A")
    for edge in ((0, 0, width, 2), (0, 0, 2, height), (width - 2, 0, width, height), (0, height - 2, width, height)):
        assert alpha.crop(edge).getextrema() == (0, 0)
    axes = draw(view)
    axes.figure.canvas.draw()
    assert [axis.get_offset_text().get_text() for axis in (axes.xaxis, axes.yaxis)] == ["", ""]


@pytest.mark.parametrize("names", [["a", "b"], ["a_rather_long_name_of_a_recording.dat", "b", "c"]])
def test_a_title_stands_beside_or_above_the_legend(names):
    view = overlay_view([timeline() for _ in names], names, title="Before and after the change to Arrow", slope=True)
    render_figure.__wrapped__(view, "png")
    ax = draw(view)
    ax.figure.canvas.draw()
    title = next(text for text in (ax._left_title, ax.title, ax._right_title) if text.get_text())
    assert not title.get_window_extent().overlaps(ax.get_legend().get_window_extent())


def test_twelve_curves_and_a_slope_have_their_names():
    children = {pid: [(0.5, pid / 1000), (1.0, pid / 1000)] for pid in range(40_000, 40_011)}
    names = tuple(ChildProcess(pid, f"python worker.py --rank {pid}") for pid in children)
    ax = draw(plot_view(replace(timeline(children=children), processes=names), slope=True))
    assert len(ax.get_legend().get_texts()) == 13
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines[:12]}) == 12


@pytest.mark.parametrize("n_children", [1, 3, 11])
def test_the_legend_is_inside_the_picture(n_children):
    children = {pid: [(0.5, pid), (1.0, pid)] for pid in range(40_000, 40_000 + n_children)}
    names = tuple(ChildProcess(pid, "python -m joblib.externals.loky.backend --name LokyProcess") for pid in children)
    ax = draw(plot_view(replace(timeline(children=children), processes=names)))
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= ax.figure.bbox.x1
    assert len(ax.get_legend().get_texts()) >= min(n_children + 1, 4)


def test_the_slope_stays_below_the_labels():
    ax = plot_view(timeline([(0, 80), (1, 500), (1.1, 480), (2, 490)]), slope=True)
    drawn = draw(ax)
    (line,) = [line for line in drawn.lines if line.get_label().startswith("slope")]
    assert max(line.get_ydata()) <= 500.001
    assert line.get_xdata()[0] < line.get_xdata()[1]


def test_flame_boxes_stand_in_the_row_of_their_level():
    rows = lanes_of(plot_view(timeline(marks=MARKS), flame=True), 600.0)
    assert [bar.span.group for bar in rows[0]] == ["m.load", "m.clean", "late"]


def test_dollars_and_markup_in_names_are_drawn_as_they_are():
    marks = [Mark(r"$\frac{1}{0", 0.1, 1.0), Mark("<script>", 0.2, 0.8), Mark("漢字\n", 0.3, 0.9)]
    assert render_png(plot_view(timeline(marks=marks), title=r"$\bad{ title"))


def test_the_user_s_own_matplotlib_style_is_neither_used_nor_changed():
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        png = render_figure.__wrapped__(plot_view(timeline()), "png")
        assert mpl.rcParams["text.usetex"]
    assert png == render_figure.__wrapped__(plot_view(timeline()), "png")


def test_no_global_figure_is_made():
    code = (
        "import sys; from tests.timelines import timeline; from jupyter_profkit.views.timeline import plot_view;"
        "from jupyter_profkit.render.strip import render_svg; from jupyter_profkit.render.timeline import render_png;"
        "render_svg(plot_view(timeline()));"
        "assert 'matplotlib' not in sys.modules; render_png(plot_view(timeline()));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_axes_that_are_given_are_drawn_into():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert timeline(marks=MARKS).plot(ax) is ax
    assert ax.get_ylabel() == "MiB"
    assert max(ax.lines[0].get_ydata()) == 200
    assert timeline().plot().figure is not None


@pytest.mark.timeout(60)
def test_a_long_recording_stays_small():
    points = [(index / 1000, 100 + (index * 7919 % 500)) for index in range(600_000)]
    recorded = timeline(points)
    shown = report(recorded)
    png = render_png(shown.parts[0])
    assert len(png) < 60_000
    assert sum(map(len, mimebundle(shown).values())) < MAX_BYTES


def test_the_svg_of_the_plot_is_a_document_of_its_own():
    root = ET.fromstring(render_figure(plot_view(busy()), "svg"))
    assert root.tag.endswith("svg")


def test_one_sample_a_level_curve_and_several_recordings_can_be_drawn():
    for recorded in (timeline([(0, 80)]), timeline([(0, 80), (1, 80)]), timeline(children={4: [(0.5, 900)]})):
        assert render_png(plot_view(recorded, slope=True))
        assert ET.fromstring(render_svg(small_view(recorded))) is not None
    assert render_png(overlay_report([timeline(), timeline([(0, 900), (9, 1)])], ["a", "b" * 99]).parts[0])


def test_a_window_without_a_sample_is_an_empty_plot():
    assert render_png(plot_view(timeline(marks=MARKS), window=(50, 60)))


def test_the_axis_begins_near_the_curve_when_it_hardly_moves():
    low, high = timeline([(0, 500), (1, 520)]).plot().get_ylim()
    assert 490 < low < 500
    assert high > 520
    assert timeline([(0, 80), (1, 900)]).plot().get_ylim()[0] == 0


def test_the_report_shows_the_picture_with_its_words():
    bundle = mimebundle(report(timeline(peak=(0.9, 812.4))))
    assert {"text/plain", "text/html", "image/png"} <= set(bundle)
    assert "peaks at 812.4 MiB" in bundle["text/html"]
    assert 'alt="Memory over' in bundle["text/html"]
    assert MIB  # the unit that the words use
