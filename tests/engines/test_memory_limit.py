"""A limit refuses what goes too far, lets the rest through, and leaves the process as it was."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

from jupyter_profkit.engines import memory_limit
from jupyter_profkit.engines.data_limit import data_of_process, lend, status_field
from jupyter_profkit.engines.memory_limit import MemoryLimit, Watcher, limits_hold, suspended
from jupyter_profkit.engines.relief import relieved
from jupyter_profkit.engines.timeline import read_rss
from jupyter_profkit.errors import MemoryLimitError, OptionError
from jupyter_profkit.units import MIB
from tests.builders import MB
from tests.kernels import ROOT

resource = pytest.importorskip("resource") if sys.platform != "win32" else None
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone refuses memory by RLIMIT_DATA")


def rss() -> int:
    return read_rss(os.getpid())


def data_limit() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_DATA)


@contextlib.contextmanager
def limited(room: int) -> Iterator[MemoryLimit]:
    """The process may take `room` bytes more."""
    limit = MemoryLimit(rss() + room)
    limit.start()
    try:
        yield limit
    finally:
        limit.stop()


def reserved(n_bytes: int) -> mmap.mmap:
    """Memory that is there and not resident."""
    return mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def touch(memory: mmap.mmap, pause: float = 0.01) -> None:
    """Make reserved memory resident, 10 MB at a time; then leave the watcher time for its look."""
    for start in range(0, len(memory), 10 * MB):
        memory[start : start + 10 * MB] = b"x" * 10 * MB
        time.sleep(pause)
    for _ in range(3000):
        time.sleep(pause)


@linux
def test_what_goes_too_far_is_refused_and_what_does_not_goes_through() -> None:
    with limited(100 * MB):
        kept = bytearray(50 * MB)
        thread = threading.Thread(target=kept.append, args=(1,))
        thread.start()
        thread.join()
        with pytest.raises(MemoryError):
            bytearray(100 * MB)
        more = bytearray(10 * MB)
    assert (len(kept), len(more)) == (50 * MB + 1, 10 * MB)
    assert len(bytearray(100 * MB)) == 100 * MB


@linux
def test_resident_memory_stays_below_the_size() -> None:
    held = []
    with limited(80 * MB) as limit, pytest.raises(MemoryError):
        while True:
            held.append([0] * 1000)
    assert limit.size - 20 * MB < rss() <= limit.size
    held.clear()


@linux
def test_the_old_limit_comes_back_and_the_hard_one_is_never_touched() -> None:
    before = data_limit()
    with limited(100 * MB) as limit:
        assert data_limit()[1] == before[1]
        assert data_limit() != before
        limit.lift()
        assert data_limit() == before
        limit.lift()
        limit.stop()
    assert data_limit() == before
    assert not limits_hold()


@linux
def test_of_nested_limits_the_lower_one_holds_whichever_ends_first() -> None:
    before = data_limit()
    outer, inner = MemoryLimit(rss() + 60 * MB), MemoryLimit(rss() + 500 * MB)
    outer.start()
    lower = data_limit()
    inner.start()
    assert data_limit() == lower
    outer.stop()
    assert len(bytearray(100 * MB)) == 100 * MB
    with pytest.raises(MemoryError):
        bytearray(600 * MB)
    inner.stop()
    assert data_limit() == before


@linux
def test_work_of_ours_in_between_is_not_limited_and_the_limit_counts_anew() -> None:
    before = data_limit()
    with limited(200 * MB):
        with suspended():
            assert data_limit() == before
            kept = b"x" * 150 * MB  # touched: a bytearray of zeros may not be
        with pytest.raises(MemoryError):
            bytearray(150 * MB)
    assert len(kept) == 150 * MB


@linux
def test_a_lower_limit_of_the_users_stays_and_is_named() -> None:
    before = data_limit()
    own = data_of_process() + 30 * MB
    resource.setrlimit(resource.RLIMIT_DATA, (own, before[1]))
    try:
        with limited(500 * MB) as limit:
            assert data_limit()[0] == own
            assert "RLIMIT_DATA" in next(limit.notes())
        assert data_limit()[0] == own
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@linux
def test_a_limit_that_the_code_sets_itself_stays() -> None:
    before = data_limit()
    try:
        with limited(500 * MB):
            resource.setrlimit(resource.RLIMIT_DATA, (10_000 * MB, before[1]))
        assert data_limit()[0] == 10_000 * MB
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@linux
def test_a_lower_limit_on_address_space_is_named() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = status_field(b"VmSize:") + 200 * MB
    with limited(800 * MB) as limit:
        resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
        try:
            notes = list(limit.notes())
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
        assert list(limit.notes()) == []
    assert "ulimit -v" in notes[0]


@linux
def test_measuring_is_lent_what_was_kept_back() -> None:
    with limited(100 * MB):
        tight = data_limit()[0]
        seen = []

        def event() -> str:
            seen.append(data_limit()[0])
            if len(seen) == 1:
                raise MemoryError
            return "done"

        assert relieved(event, lend)() == "done"
        assert seen == [tight, tight + 8 * MIB]
        assert data_limit()[0] == tight


def test_a_size_below_what_is_used_is_refused_with_the_figure() -> None:
    with pytest.raises(OptionError, match=r"a limit of 5\.0 MiB is below the \d+\.\d MiB that the process holds"):
        MemoryLimit(5 * MIB)


def test_memory_that_was_reserved_before_is_watched() -> None:
    memory = reserved(300 * MB)
    with limited(60 * MB) as limit, pytest.raises(MemoryLimitError, match=r"came to hold .*; its limit is"):
        touch(memory)
    assert limit.interrupted
    touch(memory, pause=0)
    memory.close()


def test_without_a_limit_of_the_systems_the_watcher_stops_an_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "data_limit_works", lambda: False)
    held = []
    with limited(60 * MB) as limit, pytest.raises(MemoryLimitError):
        while True:
            held.append(bytearray(1 * MB))
            time.sleep(0.001)
    assert "RLIMIT" not in limit.description


def test_without_signals_a_thread_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_SIGNAL", None)
    memory = reserved(300 * MB)
    with limited(60 * MB) as limit, pytest.raises(MemoryLimitError):
        touch(memory)
    assert limit.interrupted
    memory.close()


def test_code_on_another_thread_is_stopped_there() -> None:
    memory, outcome = reserved(300 * MB), []

    def work() -> None:
        try:
            with limited(60 * MB):
                touch(memory)
        except MemoryLimitError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(outcome) == 1
    memory.close()


def test_where_no_helper_starts_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Watcher:
        raise OSError("no more processes")

    monkeypatch.setattr(memory_limit, "Watcher", fail)
    with limited(100 * MB) as limit:
        assert any("no more processes" in note for note in limit.notes())
        assert "a watcher" not in limit.description


def test_a_handler_of_the_users_is_put_back_and_one_set_meanwhile_stays() -> None:
    before = signal.getsignal(signal.SIGURG)

    def own(*_: object) -> None: ...

    try:
        signal.signal(signal.SIGURG, own)
        with limited(100 * MB):
            assert signal.getsignal(signal.SIGURG) is not own
        assert signal.getsignal(signal.SIGURG) is own
        with limited(100 * MB):
            signal.signal(signal.SIGURG, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGURG) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGURG, before)


def test_a_process_that_is_full_already_may_take_a_little_to_put_things_away() -> None:
    limit = MemoryLimit(rss() + 2 * MB)
    filled = bytearray(10 * MB)
    limit.start()
    small = bytearray(4 * MB)
    limit.stop()
    assert limit.was_full
    assert any("before this began" in note for note in limit.notes())
    assert len(filled) + len(small) == 14 * MB


FORK = """
    import os, resource, sys
    from jupyter_profkit.engines.memory_limit import MemoryLimit
    from jupyter_profkit.engines.timeline import read_rss

    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MemoryLimit(read_rss(os.getpid()) + 80_000_000)
    limit.start()
    child = os.fork()
    if child == 0:
        try:
            bytearray(200_000_000)
        except MemoryError:
            limit.stop()
            os._exit(7 if resource.getrlimit(resource.RLIMIT_DATA) == before else 1)
        os._exit(2)
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print("watched", limit._watcher.is_alive)
    os.system(f"{sys.executable} -S -c 'import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])'")
    print(resource.getrlimit(resource.RLIMIT_DATA)[0], flush=True)
    limit.stop()
"""


@linux
@pytest.mark.process
def test_child_processes_keep_the_limit_and_ending_it_there_ends_it_only_there() -> None:
    command = [sys.executable, "-u", "-c", textwrap.dedent(FORK)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["child 7", "watched True"]
    assert lines[2] == lines[3]
