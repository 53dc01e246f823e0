import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.model.timeline import thin
from jupyter_profkit.units import MIB
from tests.timelines import timeline


def test_the_exact_peak_counts_when_no_sample_was_as_high():
    assert timeline(peak=(0.9, 812.4)).peak.rss == round(812.4 * MIB)
    assert timeline(peak=(0.9, 150)).peak.rss == 200 * MIB


def test_children_are_kept_apart_from_the_process_itself():
    recorded = timeline(children={41: [(0.5, 900)], 42: [(0.6, 10), (0.7, 20)]})
    assert len(recorded.main) == 3
    assert [sample.rss // MIB for sample in recorded.children[42]] == [10, 20]
    assert recorded.peak.rss == 200 * MIB
    assert (0.5, 900 * MIB, 41) in list(recorded.rows())


def test_the_table_has_time_rss_and_pid():
    table = timeline(children={41: [(0.5, 900)]}).to_dataframe()
    assert list(table.columns) == ["time", "rss", "pid"]
    assert table.rss.max() == 900 * MIB
    assert set(table.pid) == {0, 41}


def test_a_recording_without_samples_has_no_peak():
    with pytest.raises(ValueError):
        timeline([]).peak


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=400), st.integers(1, 30))
def test_thinning_loses_neither_the_extremes_nor_the_ends(values, n_columns):
    times = [index / 100 for index in range(len(values))]
    kept = thin(times, values, n_columns)
    assert kept == sorted(set(kept))
    assert {kept[0], kept[-1]} == {0, len(values) - 1}
    assert len(kept) <= 2 * n_columns + 4
    assert max(values) == max(values[index] for index in kept)
    assert min(values) == min(values[index] for index in kept)


def test_thinned_points_stay_evenly_spread_over_time():
    values = [0] * 5000 + list(range(5000))
    times = [index / 1000 for index in range(10_000)]
    kept = thin(times, values, 100)
    n_first_half = sum(times[index] < 5 for index in kept)
    assert n_first_half == pytest.approx(len(kept) / 2, abs=3)
