"""How far a long piece of work is: one line, the same for everything of ours that takes its time.

    with Progress("repetitions", total=10) as progress:
        for number in range(10):
            ...
            progress.advance()
        progress.replace_by(report)             the report where the line stood

    with Progress("train.py") as progress:      no end in sight
        while running():
            progress.update(lambda: f"{memory()} MiB")

* Nothing is shown in the first second, so short work shows nothing at all. Then
  the line is drawn anew at most four times a second; a call that draws nothing
  costs well under a microsecond, and a text that is a function is only then asked for.
* In a notebook it is one display, a `Place`. At the end it is replaced by the report
  (`replace_by`), or wiped.
* In a terminal it is one line on standard error that is written over, and wiped
  before the end. Where standard error is no terminal nothing is shown. Who prints
  meanwhile says so first (`make_way`).
* The work may report from any thread, but only the thread that began creates the
  display: a new output of another thread may land in another cell. There is no
  thread of its own either, so it may stand beside a measurement, between its runs.
* A line that cannot be shown is given up silently. It never costs the work.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from jupyter_profkit.cells.place import Place
from jupyter_profkit.source import running_shell
from jupyter_profkit.units import format_seconds

__all__ = ["Progress"]

T = TypeVar("T")

_SHORT = 1.0
"""Seconds of work that nobody needs to be told about."""
_EVERY = 0.25
_BAR = 24


class Progress:
    """One line on how far the work is.

    Parameters
    ----------
    label : what is done, in a word or two.
    total : how many steps there are; 0 if nobody knows.
    enabled : False shows nothing, for ``-q``.
    patience : seconds until the line is shown first.
    clock : seconds.
    """

    def __init__(
        self,
        label: str,
        total: int = 0,
        *,
        enabled: bool = True,
        patience: float = _SHORT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total, self._done = label, total, 0
        self._clock = clock
        self._owner = threading.get_ident()
        self._drawing = threading.Lock()
        self._line = _line_for_here() if enabled else None
        self._started = clock()
        self._next = self._started + patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advance(self, n: int = 1, text: str | Callable[[], str] = "") -> None:
        """`n` more steps are done."""
        self._done += n
        self.update(text)

    def update(self, text: str | Callable[[], str] = "") -> None:
        """Draw the line if it is due; `text`, or what it returns, stands at its end."""
        if self._line is None or self._clock() < self._next:
            return
        if not self._drawing.acquire(blocking=False):  # another thread is at it
            return
        try:
            if self._line.is_there or threading.get_ident() == self._owner:
                self._line.draw(self._text(text if isinstance(text, str) else text()))
                self._next = self._clock() + _EVERY
        except Exception:  # a closed stream, a front end that is gone: the work goes on without a line
            self._line = None
        finally:
            self._drawing.release()

    def make_way(self, text: str) -> None:
        """Wipe a terminal's line before `text` is printed; it comes back when `text` has ended its own line."""
        self._safely(lambda line: line.make_way(text))

    def replace_by(self, report: Any) -> None:
        """Show `report` where the line stands, as the only output; in a terminal, and if there is no line, below."""
        replaced = self._safely(lambda line: line.replace_by(report))
        self._line = None
        if not replaced:
            from IPython.display import display

            display(report)

    def close(self) -> None:
        """Leave nothing of the line."""
        self._safely(lambda line: line.wipe())
        self._line = None

    def _safely(self, action: Callable[[_Line], T]) -> T | None:
        """Do it to the line while nobody else does; the line is given up if it fails."""
        with self._drawing:
            try:
                return action(self._line) if self._line is not None else None
            except Exception:  # as in `update`
                self._line = None
                return None

    def _text(self, text: str) -> str:
        took = self._clock() - self._started
        parts = [self._label, _in_words(took), text]
        if self._total:
            share = min(self._done / self._total, 1.0)
            parts[1:1] = [f"{_bar(share)} {self._done} of {self._total}"]
            if 0 < share < 1:
                parts.append(f"about {_in_words(took / share - took)} left")
        return "  ".join(filter(None, parts))


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else format_seconds(seconds)


def _bar(share: float) -> str:
    full = int(share * _BAR)
    return "█" * full + "░" * (_BAR - full)


class _Line:
    """Where the line is drawn; this one is nowhere."""

    is_there = False
    """Whether something of it is to be seen."""

    def draw(self, text: str) -> None: ...

    def wipe(self) -> None: ...

    def make_way(self, text: str) -> None: ...

    def replace_by(self, report: Any) -> bool:
        """Whether `report` now stands in its place; the line is wiped in any case."""
        self.wipe()
        return False


def _line_for_here() -> _Line | None:
    """A notebook's display, a terminal's line, or nothing."""
    try:
        shell = running_shell()
        if getattr(shell, "kernel", None) is not None:
            return _Display(shell)
        return _TerminalLine() if sys.stderr.isatty() else None
    except Exception:  # no standard error, or one that cannot say what it is
        return None


class _Display(_Line):
    """A display of a notebook."""

    def __init__(self, shell: Any) -> None:
        self._place = Place(shell)

    @property
    def is_there(self) -> bool:  # type: ignore[override]
        return self._place.is_there

    def draw(self, text: str) -> None:
        self._place.show({"text/plain": text})

    def wipe(self) -> None:
        self._place.wipe()

    def replace_by(self, report: Any) -> bool:
        if self.is_there:
            self._place.show_report(report)
            return True
        return False


class _TerminalLine(_Line):
    """The last line of a terminal, on standard error."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._at_start = True  # of a line: what others print may have left theirs open

    def draw(self, text: str) -> None:
        if self._at_start:
            width = shutil.get_terminal_size((80, 24)).columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
            self.is_there = True

    def wipe(self) -> None:
        if self.is_there:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self.is_there = False

    def make_way(self, text: str) -> None:
        self.wipe()
        self._at_start = text.endswith("\n")
