"""Time in operators that take long is charged to the function they stand in, though none of Python's own checks follows."""

from __future__ import annotations

import _thread
import signal
import sys

import pytest

from jupyter_profkit import cprofile
from jupyter_profkit.engines import return_points
from jupyter_profkit.engines.return_points import ReturnPoints
from jupyter_profkit.engines.tool_slots import claim_tool, release_tool, tool_holders
from tests.engines.test_stacks import paths, seconds

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no sys.monitoring")

LONG = [None] * 10_000_000
SHORT = [None] * 50_000


def join():
    return LONG + LONG


def around():
    kept = join()
    return kept


def on_another_path():
    return join()


def join_short():
    return SHORT + SHORT


def many(n):
    kept = []
    for _ in range(n):
        kept.append(join_short())


def operator_first():
    kept = LONG + LONG
    begins_late()
    return kept


def begins_late():
    return 1


def exact(profile, name, caller=None):
    """The seconds that cProfile counted in the same run, of the calls by `caller` or all."""
    records = {record.function: record for record in profile.functions}
    if caller is None:
        return records[name].tottime
    return next(each.cumtime for each in records[name].callers if each.caller == records[caller].key)


def test_a_long_operator_before_a_return_is_its_functions_on_the_path_that_happened():
    with cprofile() as profile:
        around()
        on_another_path()
    for caller in ("around", "on_another_path"):
        assert seconds(profile.stacks, caller, "join") > exact(profile, "join", caller) / 2
    assert not any({"around", "on_another_path"} <= set(path) for path in paths(profile.stacks))


def test_what_begins_after_a_long_operator_is_not_charged_with_it():
    with cprofile() as profile:
        operator_first()
    assert seconds(profile.stacks, "operator_first") > exact(profile, "operator_first") / 2
    assert seconds(profile.stacks, "operator_first", "begins_late") < exact(profile, "operator_first") / 2


@needs_monitoring
def test_so_are_many_short_ones():
    with cprofile() as profile:
        many(200)
    assert seconds(profile.stacks, "many", "join_short") > exact(profile, "join_short") / 2


@needs_monitoring
def test_what_returns_too_often_is_listened_to_no_longer():
    refill, on_return = return_points._callbacks()
    heard = [on_return(join.__code__, 0, None) for _ in range(500)]
    n_heard = heard.index(sys.monitoring.DISABLE)
    assert n_heard == 200
    assert set(heard[n_heard:]) == {sys.monitoring.DISABLE}
    refill()
    assert on_return(join.__code__, 0, None) is None


@needs_monitoring
def test_without_a_free_tool_id_there_are_none():
    before = tool_holders()
    taken = [claim_tool(f"somebody {n}") for n in range(6 - len(before))]
    try:
        points = ReturnPoints()
        points.open()
        points.refill()
        points.close()
        assert "jupyter_profkit return points" not in tool_holders().values()
    finally:
        for tool in taken:
            release_tool(tool)
    assert tool_holders() == before


class Alarm(Exception):
    pass


class Bell:
    """``bell + signal`` is an operator in C during which the signal comes."""

    __add__ = _thread.interrupt_main


def ring():
    return Bell() + signal.SIGALRM


def wake_up():
    ring()


def raise_alarm(*_):
    raise Alarm


def claim_the_highest(name):
    sys.monitoring.use_tool_id(5, name)
    return 5


@needs_monitoring
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="Windows has no such signal")
@pytest.mark.parametrize("recorder", ["told first", "told last"])
def test_an_interrupt_of_an_operator_ends_each_call_once(recorder, monkeypatch):
    """It is raised where the function returns: between the tools that are told of the return, or before all of them."""
    if recorder == "told last":
        monkeypatch.setattr(return_points, "claim_tool", claim_the_highest)
    before = signal.signal(signal.SIGALRM, raise_alarm)
    try:
        with cprofile() as profile:
            with pytest.raises(Alarm) as raised:
                wake_up()
            begins_late()
            begins_late()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert raised.traceback[2].name == "ring"
    found = {record.function: record for record in profile.functions}
    assert (found["wake_up"].ncalls, found["ring"].ncalls, found["begins_late"].ncalls) == (1, 1, 2)
    assert [caller.caller for caller in found["ring"].callers] == [found["wake_up"].key]
    assert found["wake_up"].key not in {caller.caller for caller in found["begins_late"].callers}
