"""Line events of the interpreter, passed on to a `LineLedger`.

* Python 3.12+: `sys.monitoring`. Every function's start is seen once; code that
  is not followed answers DISABLE and costs nothing from then on. Lines are switched
  on for followed code alone.
* Python 3.11: `sys.settrace` and `threading.settrace`, put back at the end.
  Code that is not followed gets no local trace function.

A statement that has run so often that its budget is spent is switched off, and on
again every 50 ms: a loop of ten million turns is then looked at now and then. So is
a function that was called that often; of its calls the first in each such nap is
told, if its return can be told too.

Both count a generator's or coroutine's suspension as leaving, and its resumption
as going on inside the line where it was suspended.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol

from jupyter_profkit.engines.line_ledger import CodeLines, LineLedger
from jupyter_profkit.engines.relief import Lend, relieved
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.engines.source_files import SourceFile
from jupyter_profkit.engines.tool_slots import claim_tool, claim_trace, release_tool
from jupyter_profkit.source import line_range, source_lines

__all__ = ["FollowedCode", "LineTracer", "MonitoringTracer", "SettraceTracer", "line_tracer"]


class FollowedCode:
    """The code objects that are followed, found by identity: their hash is slow."""

    def __init__(self, scope: Scope, do_uncredited: Callable[[Callable[[], SourceFile]], SourceFile]) -> None:
        self._scope = scope
        self._do_uncredited = do_uncredited
        self._sources: dict[str, SourceFile] = {}
        self._decided: dict[int, tuple[CodeType, CodeLines | None]] = {}

    def get(self, code: CodeType) -> CodeLines | None:
        """The lines of `code` if it is followed, as far as that is decided."""
        found = self._decided.get(id(code))
        return found[1] if found is not None else None

    def decide(self, code: CodeType, frame: FrameType) -> CodeLines | None:
        """The lines of `code` if it is followed; the decision is kept."""
        found = self._decided.get(id(code))
        if found is None:
            found = self._decided[id(code)] = (code, self._lines_if_wanted(code, frame))
        return found[1]

    def mute(self, code: CodeType) -> None:
        """Lines of `code` are left alone from here on: what runs again in it is seen, and told apart, only in part."""
        lines = self.get(code)
        if lines is not None:
            lines.is_muted = True
            for stats in list(lines.stats.values()):  # other threads may add some
                stats.is_sampled = stats.is_sampled or stats.occurrences > 1

    def _lines_if_wanted(self, code: CodeType, frame: FrameType) -> CodeLines | None:
        try:
            wanted = self._scope.wants(code, str(frame.f_globals.get("__name__", "")))
            return self._lines(code) if wanted and not _is_magic_line(code) else None
        except Exception:  # it would be raised into the user's call; code that nobody understands is left alone
            return None

    def _lines(self, code: CodeType) -> CodeLines:
        filename = code.co_filename
        if filename not in self._sources:
            # A parsed file takes memory, for good; it must not be billed to the line that led to it.
            self._sources[filename] = self._do_uncredited(lambda: SourceFile(filename))
        source = self._sources[filename]
        return CodeLines(code, source, source.shift(code))

    def all(self) -> list[CodeLines]:
        """Every followed code, in the order in which they were first met."""
        return [lines for _, lines in list(self._decided.values()) if lines is not None]


def _is_magic_line(code: CodeType) -> bool:
    """Whether `code` is the prologue of a cell, which goes on while it awaits the repetitions of the body."""
    if code.co_name != "<module>":
        return False
    above = source_lines(code.co_filename)[: line_range(code)[1]]
    return bool(above) and all(line.startswith("%%") for line in above)


class Waker:
    """A thread that calls a function every 50 ms, from the first time that it is wanted."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jupyter_profkit waker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_NAP):
            self._wake()


class LineTracer(Protocol):
    description: str
    was_replaced: bool
    """Whether the measured code has set a trace function in the tracer's place, and so ended it early."""

    def start(self, frame: FrameType | None) -> None:
        """Follow what begins from now on, and the rest of `frame` if one is given."""

    def stop(self) -> None: ...


def line_tracer(ledger: LineLedger, followed: FollowedCode, lend: Lend | None = None) -> LineTracer:
    """The cheapest tracer of this Python; `lend` makes room for its callbacks where memory has run out."""
    if sys.version_info >= (3, 12):
        return MonitoringTracer(ledger, followed, lend)
    else:  # noqa: RET505 - mypy takes what follows for unreachable otherwise
        return SettraceTracer(ledger, followed, lend)


_NAP = 0.05
"""Seconds for which a statement whose budget is spent is left alone."""

if sys.version_info >= (3, 12):
    _events = sys.monitoring.events
    _GLOBAL = _events.PY_START | _events.PY_RESUME | _events.PY_THROW | _events.PY_UNWIND
    _LOCAL = _events.LINE | _events.PY_RETURN | _events.PY_YIELD

    class MonitoringTracer:
        """Line events from `sys.monitoring`."""

        description = "line events from sys.monitoring"
        was_replaced = False

        def __init__(self, ledger: LineLedger, followed: FollowedCode, lend: Lend | None = None) -> None:
            self._ledger = ledger
            self._followed = followed
            self._lend = lend
            self._waker = Waker(self._wake)
            self._n_naps = 0
            self._tool_id = -1
            self._switched_on: list[CodeType] = []

        def start(self, frame: FrameType | None) -> None:
            self._tool_id = claim_tool("jupyter_profkit lines")
            monitoring, tool_id = sys.monitoring, self._tool_id
            for event, callback in self._callbacks().items():
                safe = callback if self._lend is None else relieved(callback, self._lend)
                monitoring.register_callback(tool_id, event, safe)
            if frame is not None:
                lines = self._lines_of(frame.f_code, frame)
                if lines is not None:
                    self._ledger.resume(lines, frame.f_lineno)
            monitoring.restart_events()  # an earlier run with this id may have switched code off that this one follows
            monitoring.set_events(tool_id, _GLOBAL)

        def stop(self) -> None:
            if self._tool_id < 0:
                return
            self._waker.stop()
            monitoring, tool_id = sys.monitoring, self._tool_id
            monitoring.set_events(tool_id, 0)
            for code in self._switched_on:
                monitoring.set_local_events(tool_id, code, 0)
            release_tool(tool_id)
            self._tool_id = -1

        def _wake(self) -> None:
            sys.monitoring.restart_events()
            self._n_naps += 1  # after that: a call is only told while returns are surely heard

        def _lines_of(self, code: CodeType, frame: FrameType) -> CodeLines | None:
            """The lines of a code that begins; the first time, its line events are switched on."""
            lines = self._followed.get(code)
            if lines is None:
                lines = self._followed.decide(code, frame)
                if lines is not None:
                    self._switched_on.append(code)
                    sys.monitoring.set_local_events(self._tool_id, code, _LOCAL)
            return lines

        def _callbacks(self) -> dict[int, Callable[..., Any]]:
            ledger, lines_of = self._ledger, self._lines_of
            get, enter, resume, leave = self._followed.get, ledger.enter, ledger.resume, ledger.leave
            disable = sys.monitoring.DISABLE
            line_event, mute, wake = ledger.line_callback(disable), self._followed.mute, self._waker.start
            depth = 1 if self._lend is None else 2  # of the code's frame, above that of `relieved`

            def on_start(code: CodeType, _offset: int) -> Any:
                lines = get(code) or lines_of(code, sys._getframe(depth))
                if lines is None or lines.muted_in == self._n_naps:
                    return disable
                enter(lines)
                return disable if lines.is_hot else None

            def on_resume(code: CodeType, _offset: int) -> Any:
                frame = sys._getframe(depth)
                lines = get(code) or lines_of(code, frame)
                if lines is None or lines.muted_in == self._n_naps:
                    return disable
                resume(lines, frame.f_lineno)
                return disable if lines.is_hot else None

            def on_throw(code: CodeType, _offset: int, _error: BaseException) -> None:
                frame = sys._getframe(depth)  # this event cannot be disabled
                lines = get(code) or lines_of(code, frame)
                if lines is not None and lines.muted_in != self._n_naps:
                    resume(lines, frame.f_lineno)

            def on_line(code: CodeType, lineno: int) -> Any:
                answer = line_event(code, lineno)
                if answer is disable:
                    mute(code)
                    wake()
                return answer

            def on_leave(code: CodeType, _offset: int, _value: object) -> Any:
                leave(code)
                lines = get(code)
                if lines is None or not lines.is_hot:
                    return None
                lines.muted_in = self._n_naps
                wake()
                return disable

            def on_unwind(code: CodeType, _offset: int, _error: BaseException) -> None:
                leave(code)  # this event cannot be disabled

            events = sys.monitoring.events
            return {
                events.PY_START: on_start,
                events.PY_RESUME: on_resume,
                events.PY_THROW: on_throw,
                events.LINE: on_line,
                events.PY_RETURN: on_leave,
                events.PY_YIELD: on_leave,
                events.PY_UNWIND: on_unwind,
            }


_RESUMABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class SettraceTracer:
    """Line events from `sys.settrace`, for Python 3.11."""

    description = "line events from sys.settrace"

    def __init__(self, ledger: LineLedger, followed: FollowedCode, lend: Lend | None = None) -> None:
        self._ledger = ledger
        self._followed = followed
        self._on_event = self._local_trace()
        if lend is not None:
            self._on_call = relieved(self._on_call, lend)  # type: ignore[method-assign]
            trace = relieved(self._on_event, lend)

            def on_event(frame: FrameType, event: str, arg: object) -> None:  # None leaves the frame its tracer
                trace(frame, event, arg)

            self._on_event = on_event
        self._waker = Waker(self._wake)
        self._n_naps = 0
        self._asleep: list[FrameType] = []
        self._active = False
        self.was_replaced = False
        self._frame: FrameType | None = None
        self._before: Any = None

    def start(self, frame: FrameType | None) -> None:
        claim_trace()
        self._active, self._before = True, threading.gettrace()
        if frame is not None:
            lines = self._followed.decide(frame.f_code, frame)
            if lines is not None:
                self._ledger.resume(lines, frame.f_lineno)
                frame.f_trace, self._frame = self._on_event, frame
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)

    def stop(self) -> None:
        if not self._active:
            return
        self._active = False
        self._waker.stop()
        if sys.gettrace() == self._on_call:
            sys.settrace(None)
        else:
            self.was_replaced = True
        if threading.gettrace() == self._on_call:
            threading.settrace(self._before)
        if self._frame is not None:
            self._frame.f_trace, self._frame = None, None

    def _on_call(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event != "call" or not self._active:
            return None
        code = frame.f_code
        lines = self._followed.get(code) or self._followed.decide(code, frame)
        if lines is None or lines.muted_in == self._n_naps:
            return None
        if lines.is_hot:
            lines.muted_in = self._n_naps
            self._waker.start()
        if code.co_flags & _RESUMABLE and lines.n_calls and frame.f_lineno not in {0, code.co_firstlineno}:
            self._ledger.resume(lines, frame.f_lineno)
        else:
            self._ledger.enter(lines)
        return self._on_event

    def _local_trace(self) -> Callable[[FrameType, str, object], Any]:
        """What takes the events of followed frames; a closure, since it runs for each line."""
        line, leave = self._ledger.line_callback(spent=True), self._ledger.leave

        def on_event(frame: FrameType, event: str, _arg: object) -> Any:
            if event == "line":
                if line(frame.f_code, frame.f_lineno):
                    self._put_to_sleep(frame)
            elif not self._active:
                return None
            elif event == "return":
                leave(frame.f_code)
            return on_event

        return on_event

    def _put_to_sleep(self, frame: FrameType) -> None:
        """No lines of this frame for a while; here that is for all of its lines at once."""
        frame.f_trace_lines = False
        self._asleep.append(frame)
        self._followed.mute(frame.f_code)
        self._waker.start()

    def _wake(self) -> None:
        self._n_naps += 1
        while self._asleep:
            self._asleep.pop().f_trace_lines = True
