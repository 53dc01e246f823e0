"""From the beginning of a measurement to the end of the execution that it belongs to.

* `CellSessions` follows IPython's events. Executions nest (``run_cell`` inside a
  cell) and run side by side (subshells, one thread each), so there is a stack of
  them for each thread, and a measurement ends with the execution it began in.
* Measuring stops before a traceback is rendered: that would be most of what a
  short failing cell does. While a measurement is open, ``shell.showtraceback`` is
  shadowed on the instance, and put back at the end.
* The report is presented when the cell is over, after its last value.
* A failure of ours is said in one line; it never reaches the cell.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_profkit.cells.measurement import Measurement, Repeatable
from jupyter_profkit.cells.memory_limit import without_limit
from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Location, Session
from jupyter_profkit.source import (
    cut_traceback,
    forget_timed,
    is_cell_file,
    is_user_file,
    label_of,
    register_timed,
)

__all__ = ["CellSessions", "OpenMeasurement", "Opened", "complain"]


def complain(message: str) -> None:
    """One line to the cell's error stream."""
    print(f"jupyter_profkit: {message}", file=sys.stderr)  # noqa: T201


@dataclass(frozen=True)
class Opened:
    """A measurement ready to start, and what to do with its result."""

    measurement: Measurement
    present: Callable[[Result], None]
    decline: Callable[[str], None] = complain
    """Says why there is no result."""
    repeat: int = 1
    """How often the code is to run; see `cells.repeat`."""


@dataclass
class OpenMeasurement:
    """A measurement that runs."""

    opened: Opened
    title: str
    filename: str
    started: float = field(default_factory=time.time)
    _clock: float = field(default_factory=time.perf_counter)
    _duration: float | None = None
    _failure: Exception | None = None

    def start(self) -> None:
        """Start; getting ready (a helper process, a calibration) is not part of the run's time."""
        self.opened.measurement.start()
        self.started, self._clock = _now()

    def lap(self) -> None:
        """A repetition is over and another begins. A fault of ours waits for `finish`."""
        measurement = self.opened.measurement
        if isinstance(measurement, Repeatable) and self._duration is None and self._failure is None:
            try:
                measurement.lap()
            except Exception as failure:  # the user's repetitions go on
                self._failure = failure

    def stop(self) -> None:
        """Stop measuring; only the first call counts. A fault of ours waits for `finish`."""
        if self._duration is not None:
            return
        self._duration = _now()[1] - self._clock
        try:
            self.opened.measurement.stop()
        except Exception as failure:  # the user's traceback may be waiting to be shown
            self._failure = self._failure or failure

    def finish(self, error: BaseException | None) -> Result:
        """The result, once the code is over."""
        self.stop()
        if self._failure is not None:
            raise self._failure
        outcome = "ok" if error is None else type(error).__name__.lstrip("_")
        session = Session(self.title, self.started, self._duration or 0.0, outcome, _raised_at(error, self.filename))
        return self.opened.measurement.result(session)


def _raised_at(error: BaseException | None, filename: str) -> Location | None:
    """The innermost line of the measured code, or of the user's own, that an exception came through."""
    found = None
    for frame, lineno in traceback.walk_tb(error.__traceback__ if error is not None else None):
        code = frame.f_code
        if code.co_filename == filename or is_user_file(code.co_filename) or is_cell_file(code.co_filename):
            found = Location(code.co_filename, lineno, code.co_qualname, label_of(code.co_filename))
    return found


def _now() -> tuple[float, float]:
    """Unix time and the clock; a function of ours, so that a profiler that is on can tell whose calls these are."""
    return time.time(), time.perf_counter()


@dataclass
class _Execution:
    """A run of a cell, and the measurements that began in it, outer ones first."""

    info: Any = None
    measurements: list[OpenMeasurement] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether no cell began in it, and nothing is measured."""
        return self.info is None and not self.measurements

    def is_of(self, result: Any) -> bool:
        """Whether `result` is of this execution.

        IPython makes a second info for a cell that an interrupt threw out of its
        event loop; the text is the same. A silent execution has none.
        """
        if self.info is None:
            return bool(result.info.silent)
        return result.info is self.info or result.info.raw_cell == self.info.raw_cell

    def stop(self) -> None:
        for measurement in reversed(self.measurements):
            measurement.stop()


class CellSessions:
    """The measurements of a shell's cells.

    Parameters
    ----------
    shell : the InteractiveShell whose events are followed between `attach` and `detach`.
    beside : what is to be measured in each cell, whether it has a prologue or not.
    """

    def __init__(self, shell: Any, beside: Callable[[], Opened | None] = lambda: None) -> None:
        self._shell = shell
        self._beside = beside
        self._stacks: dict[int, list[_Execution]] = {}
        self._n_open = 0
        self._shadow_lock = threading.Lock()

    def attach(self) -> None:
        for event, callback in self._callbacks():
            self._shell.events.register(event, callback)

    def detach(self) -> None:
        """Forget the shell; measurements that still run are stopped and dropped."""
        for event, callback in self._callbacks():
            self._shell.events.unregister(event, callback)
        for stack in self._stacks.values():
            for execution in stack:
                execution.stop()
                self._forget(execution)
        self._stacks.clear()

    def open(self, opened: Opened, filename: str) -> None:
        """Start a measurement in the execution that runs on this thread.

        A cell whose engine is busy runs all the same, and says afterwards why it
        was not measured. A second call from the same cell (a loop around the
        prologue) changes nothing.
        """
        stack = self._stack()
        if not stack:  # a thread that IPython knows nothing of
            stack.append(_Execution())
        execution = stack[-1]
        measurement = OpenMeasurement(opened, label_of(filename), filename)
        if any(type(other.opened.measurement) is type(opened.measurement) for other in execution.measurements):
            complain(f"{measurement.title} is measured already; this second beginning is ignored")
            return
        execution.measurements.append(measurement)
        register_timed(filename)
        self._shadow(+1)
        try:
            measurement.start()
        except Exception as error:  # whatever keeps us from measuring, the cell runs
            self._drop(execution, measurement)
            opened.decline(_in_one_line(error))

    def withdraw(self, kind: type[Measurement]) -> None:
        """End the measurements of that kind in the execution that runs here; nothing is said of them."""
        stack = self._stack()
        for measurement in list(stack[-1].measurements) if stack else ():
            if isinstance(measurement.opened.measurement, kind):
                measurement.stop()
                self._drop(stack[-1], measurement)

    def _drop(self, execution: _Execution, measurement: OpenMeasurement) -> None:
        execution.measurements.remove(measurement)
        self._shadow(-1)

    # what `cells.repeat` asks

    def repetitions(self) -> int:
        """How often the body of the cell that runs on this thread is to run."""
        return max((measurement.opened.repeat for measurement in self._open_here()), default=1)

    def lap(self) -> None:
        """One of its repetitions is over."""
        for measurement in self._open_here():
            measurement.lap()

    def _open_here(self) -> list[OpenMeasurement]:
        stack = self._stack()
        return stack[-1].measurements if stack else []

    @staticmethod
    def complain(message: str) -> None:
        complain(message)

    # IPython's events

    def _callbacks(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return (
            ("pre_execute", self._on_pre_execute),
            ("pre_run_cell", self._on_pre_run_cell),
            ("post_execute", self._on_post_execute),
            ("post_run_cell", self._on_post_run_cell),
        )

    def _stack(self) -> list[_Execution]:
        return self._stacks.setdefault(threading.get_ident(), [])

    def _on_pre_execute(self) -> None:
        self._stack().append(_Execution())

    def _on_pre_run_cell(self, info: Any) -> None:
        self._stack()[-1].info = info
        self.open_beside()

    def open_beside(self) -> None:
        """Start what is to be measured in each cell, in the one that runs on this thread."""
        opened = self._beside()
        if opened is not None:
            self.open(opened, "")

    def _on_post_execute(self) -> None:
        """Stop, before plots are flushed; a silent execution has no later event, so it ends here."""
        stack, done = self._stack(), self._shell.last_execution_result
        if stack and stack[-1].is_empty:  # a message to a widget, for which these events come too
            stack.pop()
            if not stack:
                del self._stacks[threading.get_ident()]
            return
        if not stack or done is None or not stack[-1].is_of(done):
            return
        stack[-1].stop()
        if stack[-1].info is None:
            self._end(stack.pop(), done)

    def _on_post_run_cell(self, result: Any) -> None:
        stack = self._stack()
        if result is not None and not any(execution.is_of(result) for execution in stack):
            return  # an empty cell, which never began; or the one that loaded the extension
        while stack:
            execution = stack.pop()
            self._end(execution, result)
            if result is None or execution.is_of(result):
                break
        if not stack:
            self._stacks.pop(threading.get_ident(), None)

    def _end(self, execution: _Execution, result: Any) -> None:
        execution.stop()
        self._forget(execution)
        error = getattr(result, "error_in_exec", None) if result is not None else KeyboardInterrupt()
        for measurement in reversed(execution.measurements):
            present_safely(measurement, error)
        if execution.measurements:
            forget_timed()

    def _forget(self, execution: _Execution) -> None:
        for _ in execution.measurements:
            self._shadow(-1)

    # stopping before a traceback is rendered

    def _shadow(self, change: int) -> None:
        with self._shadow_lock:
            before, self._n_open = self._n_open, self._n_open + change
            if before == 0 and self._n_open == 1:
                self._shell.showtraceback = self._stop_and_show(self._shell.showtraceback)
            elif self._n_open == 0:
                del self._shell.showtraceback

    def _stop_and_show(self, show: Callable[..., None]) -> Callable[..., None]:
        def showtraceback(*args: Any, **kwargs: Any) -> None:
            stack = self._stack()
            if stack:
                stack[-1].stop()
                cut_traceback(sys.exception())
            show(*args, **kwargs)

        return showtraceback


def present_safely(measurement: OpenMeasurement, error: BaseException | None) -> Result | None:
    """Show a measurement's report; a failure of ours costs the report, never the cell."""
    try:
        with without_limit():
            result = measurement.finish(error)
            measurement.opened.present(result)
    except Exception as failure:  # a fault of ours must not turn a good cell into a failed one
        measurement.opened.decline(_in_one_line(failure))
    else:
        return result
    return None


def _in_one_line(failure: Exception) -> str:
    """What went wrong; under ``PROFKIT_DEBUG=1`` a fault of this package is raised instead."""
    if isinstance(failure, ProfkitError):
        return str(failure)
    if os.environ.get("PROFKIT_DEBUG"):
        raise failure
    return (
        f"a fault in jupyter_profkit ({type(failure).__name__}: {failure}); "
        "set PROFKIT_DEBUG=1 to see where, and please report it"
    )
