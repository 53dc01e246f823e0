"""--threads: a profile for each thread that the block starts, exact, and none of anybody else's."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from jupyter_profkit import cprofile
from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.model.functions import TimeProfile


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def clean(n):
    return [json.dumps([k]) for k in range(n)]


def counts(profile, *names):
    found = {record.function: (record.ncalls, record.pcalls) for record in profile.functions}
    return tuple(found.get(name) for name in names)


def by_name(profile):
    return {thread.session.title: thread for thread in profile.threads}


def start(target, *args, name):
    thread = threading.Thread(target=target, args=args, name=name)
    thread.start()
    return thread


def test_each_thread_has_its_own_exact_counts():
    with cprofile(threads=True) as p:
        threads = [start(fib, n, name=f"fib-{n}") for n in (12, 13)]
        threads.append(start(clean, 40, name="cleaner"))
        fib(10)
        for thread in threads:
            thread.join()
    assert counts(p, "fib", "clean") == ((177, 1), None)
    found = by_name(p)
    assert list(found) == ["fib-12", "fib-13", "cleaner"]
    assert counts(found["fib-12"], "fib") == ((465, 1),)
    assert counts(found["fib-13"], "fib") == ((753, 1),)
    assert counts(found["cleaner"], "clean", "dumps", "fib") == ((1, 1), (40, 40), None)


def test_threads_that_follow_one_another_are_told_apart():
    with cprofile(threads=True) as p:
        for n in range(5):
            start(fib, n, name=f"t{n}").join()
    assert [(name, counts(thread, "fib")[0][0]) for name, thread in by_name(p).items()] == [
        ("t0", 1), ("t1", 1), ("t2", 3), ("t3", 5), ("t4", 9),
    ]  # fmt: skip


def test_the_threads_of_a_pool_are_named():
    with cprofile(threads=True) as p, ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
        list(pool.map(fib, [10] * 6))
    assert all(name.startswith("pool_") for name in by_name(p))
    assert sum(counts(thread, "fib")[0][0] for thread in p.threads if counts(thread, "fib")[0]) == 6 * 177


def test_threads_that_were_there_before_and_those_of_the_shell_are_left_out():
    over, begun = threading.Event(), threading.Event()

    def work():
        begun.set()
        while not over.is_set():
            fib(5)
            time.sleep(0.001)

    old = start(work, name="old")
    begun.wait()
    try:
        with cprofile(threads=True) as p:
            start(fib, 6, name="new").join()
            start(fib, 7, name="IOPub").join()
    finally:
        over.set()
        old.join()
    assert list(by_name(p)) == ["new"]
    assert counts(p, "fib") == (None,)


def test_errors_in_a_thread_leave_its_counts_right(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)

    def fails(n):
        if n:
            fails(n - 1)
        raise ValueError(n)

    def work():
        for _ in range(3):
            try:
                fails(4)
            except ValueError:
                fib(3)
        fails(2)

    with cprofile(threads=True) as p:
        start(work, name="failing").join()
    assert counts(by_name(p)["failing"], "fails", "fib") == ((18, 4), (15, 3))


def test_a_thread_that_goes_on_is_counted_up_to_the_end_of_the_block():
    over, begun = threading.Event(), threading.Event()

    def work():
        fib(10)
        begun.set()
        over.wait()

    with cprofile(threads=True, no_flame=True) as p:
        thread = start(work, name="long")
        begun.wait()
        time.sleep(0.02)
    over.set()
    thread.join()
    assert counts(by_name(p)["long"], "fib", "work") == ((177, 1), (1, 1))
    assert threading.getprofile() is None
    assert sys.getprofile() is None


def test_several_runs_do_not_disturb_one_another():
    for _ in range(3):
        with cprofile(threads=True) as p:
            fib(10)
            start(fib, 8, name="t").join()
            fib(10)
        assert counts(p, "fib") == ((354, 2),)
        assert counts(p.threads[0], "fib") == ((67, 1),)


def test_a_thread_is_a_time_profile_of_its_own():
    with cprofile(threads=True) as p:
        start(fib, 8, name="t").join()
    thread = p.threads[0]
    assert isinstance(thread, TimeProfile)
    assert any(key[2] == "fib" for key in thread.stats.stats)
    assert "fib" in set(thread.to_dataframe().function)
    assert TimeProfile.from_json(p.result.to_json()) == p.result
    text = str(p.report())
    assert "Thread t: your own functions" in text
    assert "Thread t: functions by cumulative time" in str(p.report(sort="cumtime"))
    assert "Thread t: your own functions" in p._repr_mimebundle_()["text/html"]


def test_many_threads_are_a_small_report():
    with cprofile(threads=True) as p:
        for n in range(40):
            start(fib, 3, name=f"t{n}").join()
    text = str(p.report())
    assert text.count("Functions: your own") == 1
    assert text.count(": your own functions") == 6
    assert "Other threads" in text
    assert all(f"t{n}" in text for n in range(40))


def test_without_the_option_they_are_left_out_and_the_option_is_named():
    with cprofile() as p:
        start(fib, 8, name="t").join()
    assert p.threads == ()
    assert any("--threads measures them too" in note for note in p.method.notes)


def test_a_hook_for_new_threads_that_is_taken_is_named():
    engine = FunctionEngine(scoped=False, threads=True)
    threading.setprofile(lambda *_: None)
    try:
        engine.start()
        engine.stop()
    finally:
        threading.setprofile(None)
    notes = " ".join(engine.notes())
    expected = "profiles new threads already" if sys.version_info < (3, 12) else "cannot tell threads apart"
    assert expected in notes
