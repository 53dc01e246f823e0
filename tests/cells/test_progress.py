"""The progress line: late, rare, wiped, and never in the way of the work."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import pytest

from jupyter_profkit.cells import progress as module
from jupyter_profkit.cells.place import NOTHING
from jupyter_profkit.cells.progress import Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal that says of itself that it is one."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        """What stands in its last line."""
        return self.getvalue().rpartition("\n")[2].rpartition("\r\x1b[K")[2]

    @property
    def n_drawn(self) -> int:
        return sum(bool(text) for text in self.getvalue().split("\r\x1b[K")[1:])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(module, "running_shell", lambda: None)
    screen = Screen()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=screen))  # pytest has sys.stderr itself
    monkeypatch.setenv("COLUMNS", "100")
    return screen


class Notebook:
    """A kernel's shell; it notes what was displayed, what replaced that, and what was displayed without an id."""

    kernel = display_pub = display_formatter = property(lambda self: self)

    def __init__(self) -> None:
        self.shown: list[object] = []
        self.ids: list[str] = []

    def publish(self, data: object, metadata: object, *, transient: dict[str, str], update: bool) -> None:
        assert update is bool(self.shown)
        self.shown.append(data)
        self.ids.append(transient["display_id"])

    def format(self, report: object) -> tuple[object, object]:
        return report, {}


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    shell = Notebook()
    monkeypatch.setattr(module, "running_shell", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda report: shell.shown.append(("below", report)))
    return shell


def test_short_work_shows_nothing(screen, clock):
    with Progress("work", total=9, clock=clock) as progress:
        for _ in range(9):
            clock.now += 0.1
            progress.advance()
    assert screen.getvalue() == ""


def test_it_says_how_far_the_work_is_and_how_long_it_will_take(screen, clock):
    with Progress("repetitions", total=4, clock=clock) as progress:
        clock.now = 10
        progress.advance(text="12 MiB")
        assert screen.shown == "repetitions  ██████░░░░░░░░░░░░░░░░░░ 1 of 4  10 s  12 MiB  about 30 s left"
    assert screen.shown == ""


def test_without_a_total_it_says_how_long_it_has_taken(screen, clock):
    with Progress("train.py", clock=clock) as progress:
        clock.now = 150
        progress.update("80.0 MiB")
        assert screen.shown == "train.py  2 min 30 s  80.0 MiB"


def test_it_is_drawn_at_most_four_times_a_second_and_a_text_is_made_only_then(screen, clock):
    made = []
    with Progress("work", clock=clock) as progress:
        for _ in range(3000):
            clock.now += 0.001
            progress.update(lambda: made.append(1) or "x")
    assert 7 <= screen.n_drawn == len(made) <= 9  # in the last two of three seconds


def test_a_terminals_line_makes_way_for_what_is_printed(screen, clock):
    with Progress("work", clock=clock) as progress:
        clock.now = 2
        progress.update()
        progress.make_way("half a")
        screen.write("half a")
        clock.now = 3
        progress.update()  # would write over it
        assert screen.shown == "half a"
        progress.make_way(" line\n")
        screen.write(" line\n")
        clock.now = 4
        progress.update()
        assert screen.getvalue().endswith("half a line\n\r\x1b[Kwork  4 s")


def test_where_nobody_would_see_it_it_is_not_written(monkeypatch, clock, capsys):
    monkeypatch.setattr(module, "running_shell", lambda: None)
    with Progress("work", clock=clock) as progress:
        clock.now = 5
        progress.update()
    assert capsys.readouterr() == ("", "")


def test_quiet_shows_nothing(screen, clock):
    with Progress("work", enabled=False, clock=clock) as progress:
        clock.now = 5
        progress.update()
    assert screen.getvalue() == ""


def test_a_notebooks_display_ends_as_an_empty_text(notebook, clock):
    with Progress("work", clock=clock) as progress:
        clock.now = 5
        progress.update("x")
        clock.now = 6
        progress.update("y")
    assert notebook.shown == [{"text/plain": "work  5 s  x"}, {"text/plain": "work  6 s  y"}, NOTHING]


def test_a_report_takes_the_place_of_the_line(notebook, clock):
    with Progress("work", clock=clock) as progress:
        clock.now = 5
        progress.update()
        progress.replace_by("the report")
    assert notebook.shown == [{"text/plain": "work  5 s"}, "the report"]
    assert len(set(notebook.ids)) == 1


def test_a_report_of_short_work_is_shown_as_ever(notebook, clock):
    with Progress("work", clock=clock) as progress:
        progress.replace_by("the report")
    assert notebook.shown == [("below", "the report")]


def test_only_the_thread_that_began_creates_the_display(notebook, clock):
    with Progress("work", clock=clock) as progress:
        clock.now = 5
        run_in_thread(progress.update)
        assert notebook.shown == []
        progress.update()
        clock.now = 6
        run_in_thread(progress.update)
        assert notebook.shown == [{"text/plain": "work  5 s"}, {"text/plain": "work  6 s"}]


def run_in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.mark.parametrize("fails_at", ["write", "flush"])
def test_a_line_that_cannot_be_shown_costs_nothing(screen, clock, monkeypatch, fails_at):
    def fail(*_):
        raise BrokenPipeError

    with Progress("work", clock=clock) as progress:
        monkeypatch.setattr(screen, fails_at, fail)
        clock.now = 5
        progress.update()
        progress.make_way("x")
        progress.advance()


def test_a_display_that_fails_costs_nothing(notebook, clock, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the front end is gone")

    with Progress("work", clock=clock) as progress:
        clock.now = 5
        progress.update()
        monkeypatch.setattr(progress._line._place, "_publish", fail)
        clock.now = 6
        progress.update()
        progress.replace_by("the report")
    assert notebook.shown == [{"text/plain": "work  5 s"}, ("below", "the report")]


def test_a_text_that_fails_costs_the_line_only(screen, clock):
    with Progress("work", clock=clock) as progress:
        clock.now = 5
        progress.update(lambda: 1 / 0)
    assert screen.getvalue() == ""
