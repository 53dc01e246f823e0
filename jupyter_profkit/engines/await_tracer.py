"""What the user's coroutines do, heard of by `sys.settrace`: for Python 3.11, which has no `sys.monitoring`.

    tracer = AwaitTracer("/tmp/ipykernel_7/123.py")
    tracer.start()
    ...
    tracer.stop()
    tracer.awaits.records(), tracer.missing

* A trace function slows each line of Python down, so that it is set only where coroutines may run: the measured
  code awaits, or no event loop runs yet and it names a library that has one.
* Coroutines alone have a local trace function, without lines. A call of theirs begins or goes on with "call", and
  is over or suspended with "return": the instruction tells.
* While a trace function runs, neither it nor what it calls is traced or profiled.
* There is one place for a trace function. Who holds it keeps it, and another engine of ours can have it at any time.
"""

from __future__ import annotations

import ast
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from opcode import opmap
from types import CodeType, FrameType
from typing import Any, Final

from jupyter_profkit.engines.awaits import AwaitLedger, is_loop_running
from jupyter_profkit.engines.scope import PART_OF_A_STATEMENT
from jupyter_profkit.engines.scoped_profiler import is_own_code
from jupyter_profkit.engines.shell_threads import frames_of
from jupyter_profkit.engines.tool_slots import trace_holder
from jupyter_profkit.source import is_user_file, parse_lines, source_lines

__all__ = ["AwaitTracer"]

_Trace = Callable[[FrameType, str, Any], Any]

_LOOPS: Final = {"anyio", "asyncio", "trio", "uvloop", "run_until_complete"}
"""Names in code that starts an event loop."""

_RESUME: Final = opmap["RESUME"]
_YIELD: Final = opmap["YIELD_VALUE"]


class AwaitTracer:
    """Traces the coroutines of the calling thread.

    Parameters
    ----------
    filename : file name of the measured cell or script; None for the block that calls `start`.
    """

    def __init__(self, filename: str | None = None) -> None:
        self._filename = filename
        self._on_call: _Trace | None = None
        self._thread = 0
        self._is_active = False
        self._frames: dict[int, FrameType] = {}
        self.awaits: AwaitLedger | None = None
        """What the coroutines did; None if that is not known."""
        self.missing = ""
        """Why it is not known."""

    @property
    def is_on(self) -> bool:
        """Whether calls were traced."""
        return self._on_call is not None

    def start(self) -> None:
        """Begin to trace, if there may be something to trace, and if the place is free."""
        if not _may_run_coroutines(self._filename):
            self.missing = "on this Python they are known where the measured code awaits, or names asyncio"
            return
        holder = trace_holder()
        if holder is not None:
            self.missing = f"{holder} holds sys.settrace"
            return
        self.begin()

    def begin(self) -> None:
        """Begin to trace whatever runs, in the place that is free."""
        self.awaits = AwaitLedger()
        self._thread = threading.get_ident()
        self._on_call = on_call = self._trace_function(self.awaits)
        self._is_active = True
        sys.settrace(on_call)

    def stop(self) -> None:
        """End tracing; a second call does nothing."""
        if not self._is_active:
            return
        self._is_active = False
        if threading.get_ident() == self._thread:  # on another, the trace function ends by itself
            if sys.gettrace() is self._on_call:
                sys.settrace(None)
            else:
                self._give_up()
        for frame in self._frames.values():
            frame.f_trace, frame.f_trace_lines = None, True
        self._frames.clear()
        if self.awaits is not None:
            self.awaits.close()

    def _make_way(self) -> None:
        """Leave the place to another engine; what was heard up to here would be half of the truth."""
        self.stop()
        self._give_up()

    def _give_up(self) -> None:
        self.awaits, self.missing = None, "another tool took sys.settrace meanwhile, or an exception ended it"

    def _trace_function(self, ledger: AwaitLedger) -> _Trace:
        """What hears of every call on this thread: closures, since they are in the way of all of them."""
        wanted: dict[int, tuple[CodeType, bytes]] = {}
        thrown: dict[int, int] = {}
        frames, is_coroutine, decide = self._frames, inspect.CO_COROUTINE, self._decide

        def on_call(frame: FrameType, _event: str, _arg: object) -> _Trace | None:
            code = frame.f_code
            if not code.co_flags & is_coroutine:
                return None
            if not self._is_active:
                sys.settrace(None)
                return None
            found = wanted.get(id(code))
            if found is None:  # keeping the code also keeps its id from being used again
                found = wanted[id(code)] = (code, decide(code))
            if not found[1]:
                return None
            if found[1][frame.f_lasti] != _RESUME:
                thrown[id(frame)] = frame.f_lasti
            elif thrown:
                thrown.pop(id(frame), None)
            frames[id(frame)] = frame
            frame.f_trace_lines = False
            ledger.begin(code, frame)
            return on_event

        def on_event(frame: FrameType, event: str, _arg: object) -> None:
            if event != "return" or id(frame) not in frames:
                return
            at = frame.f_lasti
            if wanted[id(frame.f_code)][1][at] == _YIELD and thrown.get(id(frame)) != at:
                ledger.pause(frame)
                return
            thrown.pop(id(frame), None)
            del frames[id(frame)]
            ledger.end(frame)

        vars(on_call)["make_way"] = self._make_way
        return on_call

    def _decide(self, code: CodeType) -> bytes:
        """The instructions of a coroutine function of the user's; nothing for other code."""
        if code.co_name == "<module>" or code.co_name in PART_OF_A_STATEMENT or is_own_code(code):
            return b""
        try:
            is_users = code.co_filename == self._filename or is_user_file(code.co_filename)
        except OSError:  # there is no current folder; it would be raised into the user's call
            return b""
        return code.co_code if is_users else b""


def _may_run_coroutines(filename: str | None) -> bool:
    """Whether the cell or script of that name, or the function that asks, awaits or may start an event loop."""
    code = _code_of(filename) if filename is not None else _code_of_caller()
    if code is None:
        return False
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        return True
    return not is_loop_running() and any(_hints(code))


def _code_of_caller() -> CodeType | None:
    outside = (frame.f_code for frame in frames_of(sys._getframe(1)) if not is_own_code(frame.f_code))
    return next(outside, None)


def _code_of(filename: str) -> CodeType | None:
    tree = parse_lines(source_lines(filename))
    if tree is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code: CodeType = compile(tree, filename, "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return code


def _hints(code: CodeType) -> Iterator[bool]:
    """For a code object and each inside of it, whether it is a coroutine's, or names what starts an event loop."""
    yield bool(code.co_flags & inspect.CO_COROUTINE)
    yield any(name.partition(".")[0] in _LOOPS for name in code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _hints(inner)
