"""What an object is, in a few words, safely."""

from __future__ import annotations

import signal
import sys
import time
import types

import pytest

from jupyter_profkit.engines.safe_repr import WIDEST, describe, printable, type_name, user_repr


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ([], "0 items"),
        ({1: 2}, "1 item"),
        ((1,) * 1000, "1,000 items"),
        ("abc", "'abc'"),
        (None, "None"),
        (3.5, "3.5"),
        (1 << 9999, "10,000 bits"),
        (len, "len()"),
        (int, "int"),
        (signal, "signal"),
        (ValueError("why"), "'why'"),
        (object(), ""),
    ],
    ids=range(12),
)
def test_built_in_values_are_written(obj, text):
    assert describe(obj) == text


def test_long_values_are_cut_before_they_are_written():
    text = describe("a" * 10**8)
    assert text.startswith("'aaaa")
    assert text.endswith("…' 100,000,000 characters")
    assert len(text) <= WIDEST
    assert describe(b"\x00" * 1000).endswith("…' 1,000 bytes")


def test_nothing_unprintable_comes_out():
    assert printable("a\x00b\ud800\u202e\n") == "a\\x00b\\ud800\\u202e\\n"


class Named: ...


def test_types_are_named_with_their_module_on_request():
    assert type_name(Named) == "Named"
    assert type_name(Named, short=False) == f"{__name__}.Named"
    assert type_name(dict, short=False) == "dict"


without_timer = pytest.mark.timeout(0)  # pytest-timeout holds the interval timer


def made(repr_):
    return type("Made", (), {"__repr__": repr_})()


def failing(error):
    def fail(_):
        raise error

    return fail


@without_timer
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_repr_that_raises_is_no_repr(error):
    assert user_repr(made(lambda _: "ready")) == "ready"
    assert user_repr(made(failing(error))) is None


@without_timer
def test_a_repr_that_is_no_text_is_no_repr():
    assert user_repr(made(lambda _: 42)) is None


@without_timer
def test_a_slow_repr_is_ended():
    assert user_repr(made(lambda _: time.sleep(60) or "slept")) is None


@without_timer
def test_a_repr_that_swallows_its_end_is_ended_all_the_same():
    def stubborn(_):
        for _ in range(3):
            try:
                time.sleep(60)
            except BaseException:
                continue
        return "done"

    assert user_repr(made(stubborn)) != "'done'"


@without_timer
def test_a_huge_or_dirty_repr_is_cut_and_cleaned():
    assert len(user_repr(made(lambda _: "x" * 10**7)) or "") <= WIDEST
    assert user_repr(made(lambda _: "a\x00b")) == "a\\x00b"


@without_timer
def test_signals_are_as_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    user_repr(made(lambda _: time.sleep(60)))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@without_timer
def test_an_interrupt_of_the_user_goes_on():
    def interrupted(_):
        signal.raise_signal(signal.SIGINT)
        return ""

    with pytest.raises(KeyboardInterrupt):
        user_repr(made(interrupted))


def test_nothing_is_called_while_somebody_else_uses_the_timer():
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert user_repr(made(failing(AssertionError))) is None


def test_what_tables_consist_of_is_told_by_length_and_type():
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    numbers = arrow.array(range(1000))
    frame = pandas.DataFrame({"n": range(1000), "t": "x"})
    assert describe(frame) == "1,000 × 2"
    assert describe(frame.index) == "1,000 labels"
    assert describe(frame["t"].array) == "1,000 str"
    assert describe(frame["t"].astype("category").array) == "1,000 category"
    assert describe(numbers) == describe(arrow.chunked_array([numbers])) == "1,000 int64"
    assert describe(arrow.table({"n": numbers})) == describe(arrow.record_batch({"n": numbers})) == "1,000 × 1"
    assert describe(object.__new__(pandas.Index)) == describe(object.__new__(pandas.MultiIndex)) == ""


def test_a_tensor_is_told_by_shape_and_type(monkeypatch):
    class Tensor:
        shape = (1000, 3)
        dtype = type("dtype", (), {"__repr__": lambda _: "torch.float32"})()

        def __getattr__(self, name):
            raise AssertionError(f"{name} is asked for")

    class Users(Tensor):
        shape = dtype = property(lambda self: 1 / 0)

    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(Tensor=Tensor))
    assert describe(Tensor()) == "1,000 × 3 float32"
    assert describe(Users()) == ""


def test_a_users_index_or_array_is_not_asked():
    pandas = pytest.importorskip("pandas")

    class Users(pandas.Index):
        def __len__(self):
            raise AssertionError("a user's method is called")

    assert describe(object.__new__(Users)) == ""
