"""``--repeat`` of the time profile: exact figures of all runs, mean and spread of each, and no change within it."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.model.functions import StatementProfile, StatementRecord, TimeProfile
from jupyter_profkit.model.spread import mean, spread
from tests.kernels import running_kernel


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def nap(seconds):
    time.sleep(seconds)


class Naps:
    """Sleeps of given lengths, one for each call, and how long they took by the clock."""

    def __init__(self, *lengths):
        self.lengths = list(lengths)
        self.took = []

    def __call__(self):
        start = time.perf_counter()
        nap(self.lengths.pop(0))
        self.took.append(time.perf_counter() - start)
        fib(8)


def repeated(*lengths):
    return profiled(Naps(*lengths))


def profiled(naps):
    profiler = cprofile(repeat=len(naps.lengths))
    profiler.run(naps)
    return profiler.result


def record(profile, name):
    (found,) = (each for each in profile.functions if each.function == name)
    return found


def test_figures_are_of_all_runs_and_those_of_each_run_add_up_to_them():
    naps = Naps(0.01, 0.02, 0.03)
    p = profiled(naps)
    assert len(p.runs) == 3
    assert sum(p.runs) == pytest.approx(p.session.duration)
    found = record(p, "fib")
    assert (found.ncalls, found.pcalls) == (3 * 67, 3)
    assert [run.ncalls for run in found.runs] == [67, 67, 67]
    for each in p.functions:
        assert len(each.runs) == 3
        assert sum(run.ncalls for run in each.runs) == each.ncalls
        assert sum(run.tottime for run in each.runs) == pytest.approx(each.tottime, abs=1e-3)
    assert [run.cumtime for run in record(p, "nap").runs] == pytest.approx(naps.took, abs=0.005)
    assert TimeProfile.from_json(p.to_json()) == p


def test_the_report_has_mean_and_spread_of_a_run():
    naps = Naps(0.01, 0.03)
    report = profiled(naps).report()
    assert " a run; 2 runs took " in report.headline
    assert any("of the 2 runs together" in note for note in report.notes)
    table = next(part for part in report.parts if part.caption.startswith("Functions"))
    assert [column.title for column in table.columns][5:7] == ["a run", "±"]
    row = next(row for row in table.rows if "[time]" in row.cells[-1].text)
    assert float(row.cells[5].text) == pytest.approx(statistics.mean(naps.took), abs=0.004)
    assert float(row.cells[6].text) == pytest.approx(statistics.stdev(naps.took), abs=0.004)
    assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_it_is_said_that_a_statements_mean_includes_its_waiting():
    p = repeated(0.01, 0.03)
    rest = StatementRecord(3, "nap()", 0.0, 2, runs=(0.01, 0.03))
    waits = StatementRecord(3, "waiting", 0.04, 0, kind="waiting")
    said = "include its rows in brackets"
    assert said in str(replace(p, statements=StatementProfile((rest, waits), 0.04)).report().notes)
    assert said not in str(replace(p, statements=StatementProfile((rest,), 0.04)).report().notes)


def test_one_run_has_no_such_columns():
    p = repeated(0.01)
    assert p.runs == ()
    assert "±" not in str(p.report())


def test_a_change_within_the_spread_is_none():
    # The spread is greater than what a busy machine adds.
    comparison = repeated(0.01, 0.2, 0.01, 0.2).diff(repeated(0.02, 0.2, 0.02, 0.2))
    report = comparison.report()
    assert "no change of time beyond the spread" in report.headline
    naps = next(row for row in report.parts[0].rows if "sleep" in row.cells[-1].text)
    assert naps.cells[3].muted
    assert not naps.strong


def test_a_change_beyond_the_spread_is_one_and_is_that_of_a_run():
    before, after = Naps(0.01, 0.01, 0.01), Naps(0.06, 0.06)
    comparison = profiled(before).diff(profiled(after))
    change = next(each for each in comparison.changes if "sleep" in each.function)
    expected = statistics.mean(after.took) - statistics.mean(before.took)
    assert change.change("tottime") == pytest.approx(expected, abs=0.005)
    assert change.change("ncalls") == 0
    report = comparison.report()
    assert "a run" in report.headline
    assert not next(row for row in report.parts[0].rows if "sleep" in row.cells[-1].text).cells[3].muted


def test_a_repeated_run_is_compared_with_a_single_one():
    comparison = repeated(0.01).diff(repeated(0.01, 0.01, 0.01))
    fibs = next(each for each in comparison.changes if each.function == "fib")
    assert (fibs.before.ncalls, fibs.after.ncalls) == (67, 67)


def test_mean_and_spread_are_those_of_statistics():
    assert (mean([]), spread([]), spread([1.0])) == (0.0, 0.0, 0.0)
    assert mean([1.0, 2.0, 3.0]) == 2.0
    assert spread([1.0, 2.0, 3.0]) == 1.0


@pytest.mark.kernel
def test_a_cell_is_repeated_and_each_statement_has_its_runs():
    with running_kernel() as kernel:
        kernel.run("import time\ndef f():\n    return 1\nseen = []")
        reply = kernel.run("%%cprofile -n 3 -v p\nseen.append(f())\ntime.sleep(0.01)\nlen(seen)")
        assert reply.status == "ok"
        assert reply.value == "3"
        (report,) = reply.reports
        assert "3 runs took" in report
        assert kernel.value("{r.function: r.ncalls for r in p.functions}['f']") == "3"
        assert kernel.value("[len(s.runs) for s in p.statements.records if s.kind == 'statement']") == "[3, 3, 3]"
        assert kernel.value("sum(s.runs[1] for s in p.statements.records if s.runs) <= p.runs[1]") == "True"
        line = kernel.run("%cprofile --repeat 2 f()")
        assert "2 runs took" in line.reports[0]
