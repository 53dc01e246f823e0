"""Callbacks of the garbage collector: an interrupt that comes while it works reaches the code that runs."""

from __future__ import annotations

import gc
import signal
import sys
from types import SimpleNamespace

import pytest

from jupyter_profkit.engines.collector_calls import listen, stop_listening
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.pauses import CollectionWatch

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupts itself by a timer of Unix")


@pytest.fixture
def heard():
    told = []

    def callback(phase, info):
        told.append(phase)

    yield SimpleNamespace(callback=callback, told=told)
    stop_listening(callback)


@pytest.fixture
def interrupt():
    """Interrupt what runs after some seconds of processor time, as Ctrl-C does while C code is at work."""
    before = signal.signal(signal.SIGVTALRM, signal.default_int_handler), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before[0])
    signal.signal(signal.SIGINT, before[1])


def collect_for_long():
    for _ in range(10_000):
        gc.collect()


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.09, 0.13, 0.2])
def test_an_interrupt_ends_the_code_and_not_a_callback(heard, interrupt, seconds, capsys):
    heap = [[n] for n in range(300_000)]
    listen(heard.callback)
    with pytest.raises(KeyboardInterrupt):
        interrupt(seconds)
        collect_for_long()
    gc.collect()
    assert set(zip(heard.told[::2], heard.told[1::2], strict=True)) == {("start", "stop")}, "each call was made"
    assert heard.told.count("start") > 1
    assert (len(heap), capsys.readouterr().err) == (300_000, "")


@pytest.mark.parametrize("watch", [NewObjects, lambda: CollectionWatch(None)], ids=["new objects", "pauses"])
def test_who_watches_collections_loses_no_interrupt(watch, interrupt):
    heap = [[n] for n in range(300_000)]
    watching = watch()
    for seconds in (0.03, 0.1):
        watching.start()
        with pytest.raises(KeyboardInterrupt):
            interrupt(seconds)
            collect_for_long()
        watching.stop()
    assert len(heap) == 300_000


def test_what_was_made_before_an_interrupt_is_still_known(interrupt):
    heap, kept = [[n] for n in range(300_000)], []
    new = NewObjects()
    new.start()
    kept += [[n] for n in range(1000)]
    with pytest.raises(KeyboardInterrupt):
        interrupt(0.05)
        collect_for_long()
    new.stop()
    found = {id(one) for one in new.alive}
    assert new.is_known
    assert all(id(one) in found for one in kept)
    assert not any(id(one) in found for one in heap)
    new.release()


def test_other_failures_go_where_they_went(heard, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def fails(phase, info):
        raise LookupError(phase)

    listen(fails)
    gc.collect()
    stop_listening(fails)
    assert [(one.exc_type, str(one.exc_value)) for one in told] == [(LookupError, "start"), (LookupError, "stop")]
    told.clear()


def test_the_hook_and_the_callbacks_are_as_before(heard):
    before = sys.unraisablehook, list(gc.callbacks)
    other = lambda phase, info: None
    listen(heard.callback)
    listen(other)
    stop_listening(heard.callback)
    stop_listening(heard.callback)
    assert other in gc.callbacks
    stop_listening(other)
    assert (sys.unraisablehook, gc.callbacks) == before


def test_a_hook_that_somebody_put_there_meanwhile_stays(heard, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    listen(heard.callback)
    sys.unraisablehook = mine = lambda _: None
    stop_listening(heard.callback)
    assert sys.unraisablehook is mine
