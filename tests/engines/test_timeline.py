"""Memory over time against known allocations; the helper process never outlives what it watches."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from jupyter_profkit.engines import sampler
from jupyter_profkit.engines.helper import Helper, HelperOutput
from jupyter_profkit.engines.records import Records
from jupyter_profkit.engines.timeline import TimelineEngine, _running, mark
from jupyter_profkit.model.session import Session
from jupyter_profkit.model.timeline import MemorySample
from jupyter_profkit.units import MIB

pytestmark = pytest.mark.process

SESSION = Session("a test", 1_750_000_000.0, 1.0)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the exact peak")


def recorded(body, **settings):
    engine = TimelineEngine(**settings)
    engine.start()
    try:
        body()
    finally:
        engine.stop()
    return engine.timeline(SESSION)


def hold(n_bytes, seconds):
    block = bytearray(n_bytes)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(seconds)
    del block


def sampler_pids(of=None):
    """Helper processes, by what they run."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(word.endswith("sampler.py") for word in command) and (of is None or str(of) in command):
            found.append(process.pid)
    return found


def gone(pids, seconds=3.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_samples_follow_an_allocation_of_known_size():
    timeline = recorded(lambda: hold(100 * MIB, 0.15), interval=0.002)
    start = timeline.main[0].rss
    assert max(sample.rss for sample in timeline.main) - start == pytest.approx(100 * MIB, rel=0.05)
    assert timeline.main[-1].rss - start < 10 * MIB
    assert timeline.main[0].time == 0
    assert timeline.interval == 0.002


def test_samples_come_at_about_the_interval_that_was_asked_for():
    timeline = recorded(lambda: time.sleep(0.5), interval=0.005)
    assert 50 <= len(timeline.main) <= 110
    assert [sample.time for sample in timeline.main] == sorted(sample.time for sample in timeline.main)


@linux
def test_a_spike_inside_one_c_call_that_holds_the_lock_is_the_exact_peak():
    timeline = recorded(lambda: sum([1] * 20_000_000), interval=0.005)
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(160_000_000, rel=0.05)
    assert timeline.exact_peak is not None
    assert timeline.method.exact


@linux
def test_the_exact_peak_does_not_need_a_single_sample():
    def spike():
        block = bytearray(150 * MIB)
        del block

    timeline = recorded(spike, interval=30.0)
    assert len(timeline.main) <= 3
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(150 * MIB, rel=0.05)


@linux
def test_the_exact_peak_is_of_this_run_alone():
    hold(200 * MIB, 0)
    timeline = recorded(lambda: hold(20 * MIB, 0.05))
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(20 * MIB, rel=0.3)


@linux
def test_the_peak_does_not_stand_before_its_time():
    engine = TimelineEngine(interval=0.005)
    engine.start()
    time.sleep(0.2)
    spike = time.monotonic() - engine.started
    hold(120 * MIB, 0.03)
    time.sleep(0.2)
    engine.stop()
    assert engine.timeline(SESSION).peak.time >= spike - 0.005


def test_a_peak_that_is_read_later_stands_at_the_highest_sample_before():
    ticks = iter([100.0, 101.0])
    engine = TimelineEngine(clock=lambda: next(ticks), reset_peak=False)
    engine.start()
    engine.stop()
    pack = sampler.RECORD.pack
    sizes = [(0.10, 50), (0.12, 50), (0.21, 90), (0.22, 300), (0.23, 70), (0.31, 60)]
    rows = [pack(100 + moment, size * MIB, sampler.MAIN) for moment, size in sizes]
    rows += [pack(100 + moment, size * MIB, sampler.HIGH_WATER) for moment, size in [(0.1, 50), (0.2, 51), (0.3, 310)]]
    engine._ends, engine._high_water = [], []
    engine._output = HelperOutput(b"".join(rows), cpu=None)
    timeline = engine.timeline(SESSION)
    assert timeline.exact_peak == MemorySample(pytest.approx(0.22), 310 * MIB)


@linux
def test_no_exact_peak_is_claimed_when_somebody_else_resets_the_mark():
    def body():
        hold(60 * MIB, 0.03)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        time.sleep(0.05)

    timeline = recorded(body)
    assert timeline.exact_peak is None
    assert not timeline.method.exact


@linux
def test_a_peak_that_was_measured_elsewhere_is_taken_over():
    engine = TimelineEngine(reset_peak=False)
    engine.start()
    hold(30 * MIB, 0.05)
    engine.stop()
    peak = 10**12
    timeline = engine.timeline(SESSION, peak_rss=peak)
    assert timeline.peak.rss == peak
    assert 0 <= timeline.peak.time <= timeline.main[-1].time


def test_marks_have_the_block_s_times_memory_and_level():
    engine = TimelineEngine()
    engine.start()
    with mark("outer"):
        time.sleep(0.02)
        with mark("inner"):
            block = bytearray(20 * MIB)
            block[::4096] = b"x" * len(block[::4096])
    engine.stop()
    outer, inner = engine.timeline(SESSION).marks
    assert (outer.label, outer.level, inner.label, inner.level) == ("outer", 0, "inner", 1)
    assert outer.start <= inner.start <= inner.end <= outer.end
    assert outer.duration >= 0.02
    assert inner.rss_end - inner.rss_start == pytest.approx(20 * MIB, rel=0.2)
    assert outer.kind == "region"


def test_a_mark_outside_of_any_recording_does_nothing():
    with mark("nobody listens"):
        pass
    assert not _running


def test_a_mark_passes_the_block_s_exception_on():
    engine = TimelineEngine()
    engine.start()
    with pytest.raises(ZeroDivisionError), mark("fails"):
        1 / 0
    engine.stop()
    assert [found.label for found in engine.timeline(SESSION).marks] == ["fails"]


CHILD = textwrap.dedent(
    """
    import time
    block = bytearray(60 << 20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.5)
    """
)


def run_child():
    subprocess.run([sys.executable, "-c", CHILD], check=True)


def test_children_are_added_up():
    timeline = recorded(run_child, children=True)
    assert not timeline.children
    assert timeline.peak.rss - timeline.main[0].rss >= 60 * MIB
    assert timeline.exact_peak is None


def of_its_own(process):
    """Bytes resident; of pages that others have too, such as libraries that a second test process maps, its part."""
    return process.memory_full_info().pss if sys.platform == "linux" else process.memory_info().rss


@pytest.mark.parametrize("began_later", [False, True])
def test_a_recording_with_children_begins_and_ends_with_the_run(began_later):
    holder = "block = b'x' * (60 << 20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        engine = TimelineEngine(children=True, interval=10)  # a run that is over before the helper looks again
        engine.start()
        if began_later:
            engine.begin(time.monotonic(), psutil.Process().memory_info().rss + 60 * MIB)
        engine.stop()
        expected = sum(of_its_own(psutil.Process(pid)) for pid in (os.getpid(), child.pid))
        child.stdin.write(b"\n")
    first, *_, last = engine.timeline(SESSION).main
    assert (first.time, last.time) == (0, engine.stopped - engine.started)
    assert [first.rss, last.rss] == pytest.approx([expected] * 2, abs=25 * MIB)


@linux
def test_pages_that_a_forked_child_shares_count_once():
    block = bytearray(200 * MIB)
    block[::4096] = b"x" * len(block[::4096])
    release, keep = os.pipe()
    mine = psutil.Process()

    def fork():
        pid = os.fork()
        if not pid:
            own = bytearray(30 * MIB)
            own[::4096] = b"x" * len(own[::4096])
            os.close(keep)
            os.read(release, 1)
            os._exit(0)
        for _ in range(3):
            time.sleep(0.15)
            outside.append(sum(process.memory_full_info().pss for process in (mine, psutil.Process(pid))))
        os.write(keep, b"x")
        os.waitpid(pid, 0)
        time.sleep(0.1)

    outside: list[int] = []
    timeline = recorded(fork, children=True, interval=0.002)
    os.close(release)
    os.close(keep)
    assert min(outside) - 8 * MIB <= timeline.peak.rss <= max(outside) + 8 * MIB
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(30 * MIB, abs=10 * MIB)
    assert "shared pages counted once" in timeline.method.engine
    del block


CHILD_OF_60_MIB = "import time; block = b'x' * (60 << 20); print(flush=True); time.sleep(60)"


def highest_seen(engine, pid):
    """Bytes of a child, of what its recording has so far."""
    records = Records(engine.started)
    records.read(engine._helper.read(0))
    return max(records.children[pid].values, default=0) if pid in records.children else 0


def test_a_child_that_has_just_ended_is_no_part_of_the_end(monkeypatch):
    monkeypatch.setattr("jupyter_profkit.engines.records._LAST_LOOK", 60.0)  # the machine may be busy
    for _ in range(3):
        engine = TimelineEngine(children=True)
        engine.start()
        try:
            with subprocess.Popen([sys.executable, "-c", CHILD_OF_60_MIB], stdout=subprocess.PIPE) as child:
                child.stdout.readline()
                deadline = time.monotonic() + 30
                while highest_seen(engine, child.pid) < 60 * MIB and time.monotonic() < deadline:
                    time.sleep(0.01)
                child.kill()
        finally:
            engine.stop()
        timeline = engine.timeline(SESSION)
        assert timeline.peak.rss - timeline.main[0].rss >= 55 * MIB
        assert timeline.main[-1].rss - timeline.main[0].rss < 30 * MIB


class Counted:
    """A process whose sizes are what the test says."""

    def __init__(self, pid, sizes):
        self.pid, self.sizes = pid, sizes

    def look(self):
        return self.pid, self.rss()

    def rss(self):
        if self.pid not in self.sizes:
            raise ProcessLookupError
        return self.sizes[self.pid][0]

    def pss(self):
        return self.sizes[self.pid][1]

    def command(self):
        return b"x"

    def descendants(self):
        return [pid for pid in self.sizes if pid != self.pid]

    def close(self):
        pass


@pytest.mark.parametrize("counted_between", [False, True])
def test_what_ended_children_shared_is_the_others_at_once(counted_between, monkeypatch):
    """150 MiB that three processes share, and 10 MiB which the first shares with strangers."""
    monkeypatch.setattr(sampler, "_SHARE_OF_PROPORTIONS", 1e-9)  # it is counted when the test says so
    sizes = {1: (200 * MIB, 195 * MIB)}
    written = []
    monkeypatch.setattr(sampler.os, "write", lambda _, content: written.append(content))
    recorder = sampler.Recorder(
        Counted(1, sizes), lambda pid: Counted(pid, sizes), children=True, proportional=True, high_water=False
    )
    recorder.look_around(0.0)
    sizes[1] = (200 * MIB, 120 * MIB)  # it has forked, and nobody knows yet
    recorder._next_proportions = 0.0
    recorder.look_around(5.0)
    sizes |= {1: (200 * MIB, 95 * MIB), 2: (150 * MIB, 50 * MIB), 3: (160 * MIB, 60 * MIB)}
    recorder._next_proportions = recorder._soonest_proportions = 0.0
    sums = []
    for now, ended in ((10.0, 0), (20.0, 3), (30.0, 2)):
        sizes.pop(ended, None)
        if counted_between and ended == 3:
            sizes |= {1: (200 * MIB, 120 * MIB), 2: (150 * MIB, 75 * MIB)}
            recorder._next_proportions = 0.0
        recorder.look_around(now)
        recorder.flush()
        content = b"".join(written)
        latest = {code: value for _, value, code in sampler.RECORD.iter_unpack(content) if code >= sampler.PROPORTION}
        sums.append(sizes[1][0] + sum(latest.values()))
    assert sums == pytest.approx([205 * MIB, 195 * MIB, 195 * MIB], abs=2)


def test_each_child_has_its_own_curve_and_name():
    timeline = recorded(run_child, per_child=True)
    (samples,) = timeline.children.values()
    assert max(sample.rss for sample in samples) >= 60 * MIB
    assert timeline.peak.rss - timeline.main[0].rss < 30 * MIB
    assert [process.pid for process in timeline.processes] == list(timeline.children)
    assert re.match(r"python\S* -c .*import time block = bytearray", " ".join(timeline.processes[0].command.split()))


@linux
def test_the_processes_are_only_searched_when_one_has_begun(tmp_path):
    newest = tmp_path / "loadavg"
    newest.write_text("0.10 0.20 0.30 1/99 4711\n")
    new = sampler.NewProcesses()
    os.close(new._loadavg)
    new._loadavg = os.open(newest, os.O_RDONLY)
    try:
        assert new.may_be_there(1.0)
        assert not new.may_be_there(1.1)
        newest.write_text("0.10 0.20 0.30 1/99 4712\n")
        assert new.may_be_there(1.2)
        assert not new.may_be_there(1.3)
        assert new.may_be_there(1.2 + sampler._FULL_SEARCH_EVERY)  # in a container the file may be late
    finally:
        os.close(new._loadavg)


def test_two_recordings_at_once_both_see_everything():
    outer, inner = TimelineEngine(), TimelineEngine()
    outer.start()
    inner.start()
    hold(50 * MIB, 0.05)
    inner.stop()
    outer.stop()
    for engine in (inner, outer):
        timeline = engine.timeline(SESSION)
        assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(50 * MIB, rel=0.2)


def test_times_count_from_the_clock_s_start():
    ticks = iter([100.0, 103.5])
    engine = TimelineEngine(clock=lambda: next(ticks))
    engine.start()
    engine.stop()
    assert [sample.time for sample in engine.timeline(SESSION).main] == [0.0, 3.5]


def test_what_was_recorded_before_the_run_began_is_left_out():
    ticks = iter([100.0, 108.0, 120.0])
    engine = TimelineEngine(clock=lambda: next(ticks))
    engine.start()
    engine.begin(105.0, 5 * MIB)
    engine.end()
    engine.stop()
    main = engine.timeline(SESSION).main
    assert [sample.time for sample in main] == [0.0, 3.0]
    assert main[0].rss == 5 * MIB


def test_a_helper_that_cannot_start_costs_the_samples_only(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    timeline = recorded(lambda: hold(10 * MIB, 0))
    assert len(timeline.main) == 2
    assert "did not start" in timeline.method.notes[0]


def test_a_helper_that_is_killed_leaves_what_it_recorded_and_a_note():
    engine = TimelineEngine(interval=0.002)
    engine.start()
    time.sleep(0.2)
    os.kill(engine._helper.pid, signal.SIGKILL)
    time.sleep(0.02)
    engine.stop()
    timeline = engine.timeline(SESSION)
    assert len(timeline.main) > 10
    assert any("ended before the run did" in note for note in timeline.method.notes)


def test_a_record_that_was_cut_off_is_left_out():
    whole = sampler.RECORD.pack(1.0, 5, sampler.MAIN)
    records = Records(started=0.5)
    assert records.read(whole + whole[:7]) == len(whole)
    assert records.main.thinned(9) == [(0.5, 5)]


def test_records_read_piece_by_piece_add_up_to_the_same():
    pack, rows = sampler.RECORD.pack, []
    for step in range(40):
        rows.append(pack(step, 100, sampler.MAIN))
        if step % 3 == 0:
            rows.append(pack(step + 0.5, step, 4711))
        if step % 7 == 0:
            rows += [pack(step + 0.5, -10 * step, sampler.PROPORTION), pack(step + 0.5, 200, sampler.HIGH_WATER)]
    rows[5:5] = [sampler.NAME.pack(True, b"the parent's", -4711)]
    rows[9:9] = [sampler.NAME.pack(True, b"python -m worke", -4711), sampler.NAME.pack(False, b"r", -4711)]
    content = b"".join(rows)
    whole = Records(started=2, stopped=35, summed=True)
    whole.read(content)
    pieces, used = Records(started=2, stopped=35, summed=True), 0
    while used < len(content) - 23:
        used += pieces.read(content[used : used + 100])
    assert pieces == whole
    assert whole.commands == {4711: "python -m worker"}
    assert whole.proportional
    assert len(whole.main.times) == 34
    sums = [100 + last_of(3, step) - 10 * last_of(7, step) for step in range(2, 36)]
    assert [*whole.main.values] == sums


def last_of(period, step):
    """The last multiple of `period` whose record came before the sample at `step`."""
    return (step - 1) // period * period


def test_sampling_can_be_bounded_in_time():
    timeline = recorded(lambda: time.sleep(0.4), interval=0.005, seconds=0.1)
    assert any("stopped after 100.0 ms" in note for note in timeline.method.notes)
    assert sum(sample.time > 0.2 for sample in timeline.main) == 1


def test_a_long_recording_is_thinned_and_keeps_its_peak(monkeypatch):
    monkeypatch.setattr("jupyter_profkit.engines.timeline._MAX_SAMPLES", 20)
    timeline = recorded(lambda: hold(40 * MIB, 0.2), interval=0.001)
    assert len(timeline.main) <= 26
    assert max(sample.rss for sample in timeline.main) - timeline.main[0].rss == pytest.approx(40 * MIB, rel=0.1)
    assert any("thinned" in note for note in timeline.method.notes)


# the helper's life


def test_the_helper_is_gone_after_stop_and_leaves_no_zombie():
    engine = TimelineEngine()
    engine.start()
    (pid,) = sampler_pids(os.getpid())
    engine.stop()
    assert not psutil.pid_exists(pid)
    engine.stop()  # a second one changes nothing


def test_the_helper_is_gone_after_an_exception():
    with pytest.raises(ZeroDivisionError):
        recorded(lambda: 1 / 0)
    assert not sampler_pids(os.getpid())


@pytest.mark.timeout(60)
def test_a_frozen_helper_is_killed():
    helper = Helper(os.getpid(), 0.01)
    os.kill(helper.pid, signal.SIGSTOP)
    output = helper.stop()
    assert not psutil.pid_exists(helper.pid)
    assert output.cpu is None


def test_an_interrupt_of_the_process_group_does_not_reach_the_helper():
    helper = Helper(os.getpid(), 0.01)
    try:
        assert os.getpgid(helper.pid) != os.getpgid(0)
    finally:
        helper.stop()


WATCHED = textwrap.dedent(
    """
    import os, sys, time
    from jupyter_profkit.engines.timeline import TimelineEngine
    engine = TimelineEngine()
    engine.start()
    if "fork" in sys.argv and os.fork() == 0:
        time.sleep(30)  # holds the helper's standard input open
        os._exit(0)
    print(engine._helper.pid, flush=True)
    time.sleep(30)
    """
)


@pytest.mark.parametrize("arguments", [[], ["fork"]], ids=["alone", "while a forked child lives"])
def test_the_helper_ends_when_the_watched_process_is_killed(arguments, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        helper = int(process.stdout.readline())
        assert psutil.pid_exists(helper)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
        assert gone([helper])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait(5)


def test_the_helper_ends_when_another_process_that_it_watches_ends():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2)"])
    helper = Helper(process.pid, 0.01)
    process.wait(5)
    assert gone([helper.pid])
    assert helper.stop().failure == ""


def test_a_pid_that_is_gone_is_said_so():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(5)
    engine = TimelineEngine(process.pid)
    engine.start()
    engine.stop()
    timeline = engine.timeline(SESSION)
    assert not timeline.main
    assert timeline.method.notes == ("no samples: the process had ended before the first could be taken",)


@linux
def test_so_is_one_that_nobody_has_reaped():
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        with pytest.raises(ProcessLookupError):
            Helper(process.pid, 0.01, high_water=True)
    finally:
        process.wait(10)


def test_the_first_sample_is_there_when_the_run_begins():
    helper = Helper(os.getpid(), 60.0)
    try:
        records = Records(started=0.0)
        assert records.read(helper.read(0)) >= sampler.RECORD.size
        assert records.main.times[0] <= time.monotonic()
    finally:
        helper.stop()


def test_the_helper_says_what_it_used():
    output = Helper(os.getpid(), 0.001).stop()
    assert output.cpu is not None
