from __future__ import annotations

from jupyter_profkit.render.sparkline import aligned_sparklines, sparkline
from jupyter_profkit.views.timeline import plot_view
from tests.timelines import timeline


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block():
    assert sparkline((0, 50, 100), 10) == "▁▅█"
    assert sparkline((5, 5, 5), 10) == "▁▁▁"
    assert sparkline((), 10) == ""


def test_a_range_that_is_noise_is_level():
    assert sparkline((0, 50, 100), 10, 100) == "▁▁▁"
    assert sparkline((0, 50, 101), 10, 100) == "▁▄█"


def test_a_sparkline_keeps_a_peak_of_one_value():
    strip = sparkline((0,) * 500 + (9,) + (0,) * 499, 50)
    assert len(strip) == 50
    assert strip.count("█") == 1


def test_the_sparklines_of_several_curves_are_over_the_same_time():
    view = plot_view(timeline([(0, 10), (10, 10.1)], children={7: [(5, 1), (6, 9), (8, 9)]}))
    main, child = aligned_sparklines(view, 11)
    assert main == "▁" * 11
    assert child == "     ▁███"
