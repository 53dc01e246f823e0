"""cProfile's own C engine, kept to one thread and to the code that the measured block reaches.

    profiler = ScopedProfiler(filename="/tmp/ipykernel_7/123.py")
    profiler.start()
    ...
    profiler.stop()
    profiler.getstats()         as `cProfile.Profile.getstats`

Since Python 3.12 an enabled cProfile hears every thread and keeps one call stack
for all of them, so background threads end up in the figures as callers and callees
of code that they never met. Here a `cProfile.Profile` is never enabled. Its C
callbacks are registered with `sys.monitoring` under tool ids of our own:

* *Scouting*: one tool sees every function's start, in Python. Code that the measured
  thread enters on behalf of the block is enrolled, and not looked at again.
* *Fast*: the events of enrolled code, and of no other, go straight to cProfile's C
  callbacks. This costs what cProfile costs; other code runs at its own speed.
* *Filtered*: events cannot be had for one thread only. While another thread is awake, those of enrolled code go
  through a line of Python that drops those of other threads. What wakes is heard by the scout, before it runs
  anything that is enrolled.
* *Checked*: events are looked at one by one. That is the code of roots and coroutines, the libraries in which the
  kernel's threads wake up, and all code if threads are measured each by itself.
* *Roots*: in a cell, and in a block that awaits, recording is on only while the cell's own code runs, or the user's
  other code that the event loop calls (tasks). They switch it on when they are entered
  and off when they are left, so that what the shell does in between is never seen.
* *Coroutines* of the user's are checked as well: whether a call begins or goes on, and
  how long it waited, cProfile does not tell.

* *Methods of built-in functions*, as pybind11 makes them: cProfile hears the end, but not the beginning, of their
  calls, and would take the end for that of the function around them. Code that calls one is checked, and the
  beginning told. To find it, the first call at each place is heard in Python, and more where a stand-in was called.
* *Statements* of a ``with`` block: its frame is entered and left anew with each of them.
* *Threads* that the block starts have profilers of their own if they are asked for.

Exceptions that leave a frame have no event per function, so they are always checked.
"""

from __future__ import annotations

import cProfile
import dis
import inspect
import operator
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import starmap
from types import CodeType, FrameType, MethodType
from typing import Any, Final

from jupyter_profkit.engines.awaits import AwaitLedger
from jupyter_profkit.engines.blocks import StatementSwitch, WithBlock
from jupyter_profkit.engines.call_places import CallPlaces, is_told_unbound
from jupyter_profkit.engines.other_threads import OtherThreads
from jupyter_profkit.engines.return_points import are_told_after, is_return_point
from jupyter_profkit.engines.shell_threads import frames_of, is_of_kernel
from jupyter_profkit.engines.thread_filters import ThreadFilters
from jupyter_profkit.engines.thread_profilers import CheckedThreads
from jupyter_profkit.engines.tool_slots import MONITORING, claim_tool, release_tool
from jupyter_profkit.source import is_user_file

__all__ = ["ScopedProfiler", "is_own_code"]

_PACKAGE: Final = __name__.partition(".")[0]
_OWN_FOLDER: Final = __file__.removesuffix("engines/scoped_profiler.py").removesuffix("engines\\scoped_profiler.py")
_PROLOGUE: Final = f"{_PACKAGE}.cells.prologue"
_NEEDED: Final = ("_pystart_callback", "_pyreturn_callback", "_ccall_callback", "_creturn_callback")
_THROW: Final = "_pythrow_callback" if hasattr(cProfile.Profile, "_pythrow_callback") else "_pystart_callback"

_STRANGE_CALLS: Final = 100
"""Calls of code that is not the block's, after which it is no longer listened to until the block goes on."""

_RESUME: Final = dis.opmap["RESUME"]
_INTERRUPTS_COME_BEFORE_STARTS: Final = sys.version_info >= (3, 13)
"""Whether a function may be interrupted on its first instruction before its start is told; its end is told anyway."""


def is_own_code(code: CodeType) -> bool:
    """Whether it is this package's code, or the statement that stands for a magic's line in a cell."""
    return code.co_filename.startswith(_OWN_FOLDER) or _PROLOGUE in code.co_consts


class ScopedProfiler:
    """A cProfile of the calling thread.

    Parameters
    ----------
    filename : file name of the measured cell: what its code calls is recorded, and what
        the user's other code does that runs meanwhile. None: everything that this thread
        calls between `start` and `stop`, but this package itself.
    builtins : whether calls of functions written in C are recorded.
    block : the block that calls `start`, if its statements are to be told apart.
    threads : records those threads that the block starts.
    """

    def __init__(
        self,
        filename: str | None = None,
        *,
        builtins: bool = True,
        block: WithBlock | None = None,
        threads: CheckedThreads | None = None,
    ) -> None:
        self.duration = 0.0
        """Seconds from start to stop."""
        self.checks_all = threads is not None
        """Whether all events go through Python."""
        self.lost_track = False
        """Whether functions are missing."""
        self._filename = filename
        self._builtins = builtins
        self._threads = threads
        self._is_left = filename is not None or (block is not None and block.is_async)
        """Whether others run in between, from whom the user's code is to be told."""
        self._profile = cProfile.Profile(builtins=builtins)
        self._callbacks: Final = self._callbacks_of_cprofile()
        self._enter = self._callbacks.get("PY_START", _missing)
        self._throw: Callable[..., None] = getattr(self._profile, _THROW, _missing)
        self._leave = self._callbacks.get("PY_RETURN", _missing)
        self._statements = StatementSwitch(block, self._enter_outermost, self._leave) if block is not None else None
        self._block_code = block.code if block is not None else None
        self._statement_codes = set(map(id, block.codes)) if block is not None else set()
        self._filters = ThreadFilters(0, {})
        self._silence: Final = dict.fromkeys(self._callbacks)
        self._codes: dict[int, CodeType] = {}
        self._fast: set[int] = set()
        self._checked: set[int] = set()
        self._roots: set[int] = set()
        self._coroutines: set[int] = set()
        self._n_outermost = 0
        self._places = CallPlaces()
        self.awaits = AwaitLedger()
        """What the user's coroutines did."""
        self._n_roots_open = 0
        self._is_on = filename is None
        self.began = 0.0
        self._thread = 0
        self._others = OtherThreads()
        self._strange_calls: dict[CodeType, int] = {}
        self._tools: tuple[int, int] | None = None

    @staticmethod
    def is_available() -> bool:
        """Whether this Python's cProfile has the callbacks that are needed."""
        return MONITORING is not None and all(hasattr(cProfile.Profile, name) for name in _NEEDED)

    def _callbacks_of_cprofile(self) -> dict[str, Callable[..., None]]:
        """Those of cProfile, for the events for which it registers them itself."""
        callbacks: Any = self._profile
        if not self.is_available():
            return {}
        return {
            "PY_START": callbacks._pystart_callback,
            "PY_RESUME": callbacks._pystart_callback,
            "PY_RETURN": callbacks._pyreturn_callback,
            "PY_YIELD": callbacks._pyreturn_callback,
            "CALL": callbacks._ccall_callback,
            "C_RETURN": callbacks._creturn_callback,
            "C_RAISE": callbacks._creturn_callback,
        }

    def start(self) -> None:
        """Begin to record this thread.

        Raises
        ------
        EngineBusyError
            If there are no two free tool ids.
        """
        self._thread = threading.get_ident()
        self._filters = ThreadFilters(self._thread, self._callbacks)
        self._others.start()
        self._places.look()
        if self._threads is not None:
            self._threads.start()
        self._claim_tools()
        if self._filename is None:
            self._enroll_block(sys._getframe(1))
        MONITORING.restart_events()
        self.awaits = AwaitLedger()
        events = MONITORING.events
        MONITORING.set_events(self._scout, events.PY_START | events.PY_RESUME | events.PY_UNWIND | events.PY_THROW)
        if self._others.have_begun():  # before the scout could hear them
            self._register_recorder()
        if self._statements is not None:
            self._statements.open()
        self.began = time.perf_counter()

    def stop(self) -> None:
        """End recording, on whatever thread; a second call does nothing."""
        if self._tools is None:
            return
        MONITORING.set_events(self._scout, 0)
        self.duration = time.perf_counter() - self.began
        if threading.get_ident() == self._thread:
            self._leave_open_frames(sys._getframe(1))
        self._leave_open_threads()
        self._release_tools()
        self._look_for_losses()
        self.awaits.close()
        self._codes.clear()
        if self._statements is not None:
            self._statements.close()

    def getstats(self) -> list[Any]:
        """The figures, as `cProfile.Profile.getstats` gives them."""
        return list(self._profile.getstats())

    def is_checked(self, code: object) -> bool:
        """Whether recording a call of `code` cost a call of Python code besides."""
        return id(code) in self._checked

    # methods of built-in functions

    def _on_call(self, code: CodeType, offset: int, called: object, argument: object) -> object:
        """Code is about to call something: checked code any time, fast code once at each place, or a few times."""
        is_fast = id(code) in self._fast
        if is_fast and threading.get_ident() != self._thread:
            return None
        if type(called) is MethodType and is_told_unbound(called, code, offset):
            if is_fast:
                self._check(code)
            called = called.__func__
        elif is_fast:
            return None if self._places.is_heard_on(code, offset, called) else MONITORING.DISABLE
        self._call(code, offset, called, argument)
        return None

    def _enter_outermost(self, code: CodeType, offset: int) -> None:
        self._n_outermost += 1
        self._enter(code, offset)

    def _look_for_losses(self) -> None:
        """Whether such a method was called where something else had been before.

        Its end has then ended the function around it for cProfile, and so on outwards: in the end
        one of those that nobody but us begins is missing.
        """
        outermost = self._roots | self._statement_codes
        n_known = sum(entry.callcount for entry in self._profile.getstats() if id(entry.code) in outermost)
        self.lost_track = n_known < self._n_outermost
        if self.lost_track:
            CallPlaces.hear_all()

    # enrolling code

    def _is_wanted(self, code: CodeType) -> bool:
        return not is_own_code(code) and (self._is_on or self._is_users(code))

    def _is_users(self, code: CodeType) -> bool:
        return code.co_filename == self._filename or is_user_file(code.co_filename)

    def _enroll(self, code: CodeType) -> None:
        key = id(code)
        self._codes[key] = code  # also keeps the id from being used again
        is_root = self._may_be_root(code)
        if is_root:
            self._roots.add(key)
        is_coroutine = self._is_coroutine(code)
        if is_coroutine:
            self._coroutines.add(key)
        is_checked = is_root or is_coroutine or self._needs_check(code)
        (self._checked if is_checked else self._fast).add(key)
        for step in self._listening(code, is_checked=is_checked):
            MONITORING.set_local_events(*step)

    def _check(self, code: CodeType) -> None:
        """From now on its events go through Python."""
        self._fast.discard(id(code))
        self._checked.add(id(code))
        steps = [(MONITORING.set_local_events, *step) for step in self._listening(code, is_checked=True)]
        _in_one_go([*steps, (MONITORING.restart_events,)])  # the scout hears of its starts again

    def _listening(self, code: CodeType, *, is_checked: bool) -> Iterator[tuple[int, CodeType, int]]:
        """What each tool is to hear of enrolled code."""
        calls = MONITORING.events.CALL & self._fast_events
        scout, recorder = (self._checked_events, 0) if is_checked else (calls, self._fast_events)
        if code is self._block_code:  # its frame is entered and left by statements
            scout = self._checked_events | MONITORING.events.LINE
            recorder &= calls
        yield self._recorder, code, recorder
        yield self._scout, code, scout

    def _may_be_root(self, code: CodeType) -> bool:
        """Whether the shell or the event loop calls it: what they called once, and any coroutine."""
        if not self._is_left or not self._is_users(code):
            return False
        return not self._is_on or bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))

    def _is_coroutine(self, code: CodeType) -> bool:
        """Whether it is a coroutine function of the user's; the statement that awaits it is none."""
        return bool(code.co_flags & inspect.CO_COROUTINE) and code.co_name != "<module>" and self._is_users(code)

    def _enroll_block(self, frame: FrameType | None) -> None:
        """Enroll the code whose frame holds the measured block: it began before us."""
        while frame is not None and is_own_code(frame.f_code):
            frame = frame.f_back
        if frame is not None:
            self._enroll(frame.f_code)
            self._coroutines.discard(id(frame.f_code))  # that call is not ours
            self._n_roots_open += id(frame.f_code) in self._roots

    def _needs_check(self, code: CodeType) -> bool:
        return self.checks_all or (self._others.are_shells and is_of_kernel(code.co_filename))

    # other threads

    def _meet_other_thread(self, ident: int, code: CodeType) -> None:
        """Another thread is awake; what it runs next may be enrolled code."""
        if is_own_code(code) or not self._others.meet(ident):
            return  # our own are samplers, which call nothing that the block calls
        if self._others.is_shell_awake:
            MONITORING.restart_events()  # the scout hears fast code again, to see when they sleep
        self._register_recorder()

    def _register_recorder(self) -> None:
        """Have the events of fast code go where they belong now."""
        registered = None
        # Another thread may wake meanwhile, or be here while the measured one stops.
        while (tools := self._tools) is not None and registered is not self._recorder_callbacks:
            registered = self._recorder_callbacks
            self._register(tools[1], registered)

    @property
    def _recorder_callbacks(self) -> Mapping[str, Callable[..., object] | None]:
        if not self._is_on:
            return self._silence
        return self._filters.callbacks if self._others.are_awake else self._callbacks

    # what the scout hears

    def _on_start(self, code: CodeType, offset: int) -> object:
        ident = threading.get_ident()
        if ident != self._thread:
            if self._tools is not None:
                self._meet_other_thread(ident, code)
                self._begin_elsewhere(code, "_pystart_callback", offset)
        elif id(code) in self._fast and code is not self._block_code:
            return self._hear_of_fast_code()
        elif not self._begin(code, self._enter, offset):
            return self._may_be_disabled(code)
        return None

    def _hear_of_fast_code(self) -> object:
        """Its events are the recorder's; while a thread of the shell is awake, its calls tell when to look again."""
        if not self._others.is_shell_awake:
            return MONITORING.DISABLE
        self._look_around()
        return None

    def _look_around(self) -> None:
        if self._others.have_fallen_asleep():
            self._register_recorder()

    def _may_be_disabled(self, code: CodeType) -> object:
        """Code that runs while the block does not is not listened to for long, until the block goes on; nor is ours."""
        if self._threads is not None:
            return None  # in another thread the same code may be the block's
        if self._is_on:
            return MONITORING.DISABLE
        n_calls = self._strange_calls[code] = self._strange_calls.get(code, 0) + 1
        return MONITORING.DISABLE if n_calls > _STRANGE_CALLS else None

    def _on_throw(self, code: CodeType, offset: int, error: BaseException) -> None:
        if threading.get_ident() == self._thread:
            self._begin(code, self._throw, offset, error)
        else:
            self._begin_elsewhere(code, _THROW, offset, error)

    def _begin(self, code: CodeType, enter: Callable[..., None], *event: object) -> bool:
        """A call begins, if it is the block's.

        That of code met for the first time was dealt out before the code was enrolled.
        """
        key = id(code)
        if key not in self._codes:
            if not self._is_wanted(code):
                return False
            self._enroll(code)
        if key in self._roots:
            self._n_outermost += 1
            self._n_roots_open += 1
            if self._n_roots_open == 1:
                self._switch(on=True)
        if key in self._coroutines:
            self.awaits.begin(code, sys._getframe(2))
        if self._is_on:
            enter(self._recorded_as(code, sys._getframe(2)) if code is self._block_code else code, *event)
        if self._others.is_shell_awake:
            self._look_around()
        return True

    def _on_unwind(self, code: CodeType, offset: int, error: BaseException) -> None:
        if not self._was_interrupted(code, offset, error):
            self._ended(sys._getframe(1), code, offset, error)

    def _was_interrupted(self, code: CodeType, offset: int, error: BaseException) -> bool:
        """Whether an interrupt came before the start of a call was told, or after its end was."""
        came_from = error.__traceback__.tb_next if error.__traceback__ is not None else None
        is_over = self._filters.is_over(came_from) if came_from is not None else None
        if is_over is not None:
            return is_over
        if came_from is not None and is_return_point(came_from.tb_frame.f_code):
            return self._tools is None or are_told_after(self._recorder)
        return _INTERRUPTS_COME_BEFORE_STARTS and code.co_code[offset] == _RESUME

    def _on_leave(self, code: CodeType, offset: int, value: object) -> None:
        self._ended(sys._getframe(1), code, offset, value)

    def _ended(self, frame: FrameType, code: CodeType, offset: int, value: object) -> None:
        if id(code) in self._coroutines and threading.get_ident() == self._thread:
            self.awaits.end(frame)
        self._left(frame, code, offset, value)

    def _on_yield(self, code: CodeType, offset: int, value: object) -> None:
        frame = sys._getframe(1)
        if id(code) in self._coroutines and threading.get_ident() == self._thread:
            self.awaits.pause(frame)
        self._left(frame, code, offset, value)

    def _left(self, frame: FrameType, code: CodeType, offset: int, value: object) -> None:
        key = id(code)
        if key not in self._codes:
            return
        if threading.get_ident() != self._thread:
            self._tell_elsewhere("_pyreturn_callback", code, offset, value)
            return
        if not self._is_on:
            return
        self._leave(self._recorded_as(code, frame) if code is self._block_code else code, offset, value)
        if key in self._roots:
            self._n_roots_open -= 1
            if not self._n_roots_open:
                self._switch(on=False)

    def _recorded_as(self, code: CodeType, frame: FrameType) -> CodeType:
        """What the profiler takes a frame's code for."""
        return self._statements.stands_for(code, frame) if self._statements is not None else code

    # the threads that the block starts

    def _begin_elsewhere(self, code: CodeType, name: str, *event: object) -> None:
        if self._threads is None or is_own_code(code) or self._threads.callback(name) is None:
            return
        if id(code) not in self._codes:
            self._enroll(code)
        self._tell_elsewhere(name, code, *event)

    def _tell_elsewhere(self, name: str, *event: object) -> None:
        callback = self._threads.callback(name) if self._threads is not None else None
        if callback is not None:
            callback(*event)

    def _leave_open_threads(self) -> None:
        for profile, frame in self._threads.open_frames() if self._threads is not None else ():
            for open_frame in frames_of(frame):
                if id(open_frame.f_code) in self._codes:
                    profile._pyreturn_callback(open_frame.f_code, 0, None)

    def _switch(self, *, on: bool) -> None:
        self._is_on = on
        if on and any(n_calls > _STRANGE_CALLS for n_calls in self._strange_calls.values()):
            MONITORING.restart_events()
        self._strange_calls.clear()
        self._register_recorder()

    def _checked_callback(self, callback: Callable[..., None]) -> Callable[..., None]:
        thread, get_ident, fast = self._thread, threading.get_ident, self._fast
        tell_elsewhere = self._tell_elsewhere
        name = getattr(callback, "__name__", "")

        def check(code: CodeType, *event: object) -> None:
            if get_ident() != thread:
                tell_elsewhere(name, code, *event)
            elif self._is_on and id(code) not in fast:
                callback(code, *event)

        return check

    # tools

    @property
    def _scout(self) -> int:
        assert self._tools is not None
        return self._tools[0]

    @property
    def _recorder(self) -> int:
        assert self._tools is not None
        return self._tools[1]

    @property
    def _fast_events(self) -> int:
        events = MONITORING.events
        frames = events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
        return int(frames | (events.CALL if self._builtins else 0))

    @property
    def _checked_events(self) -> int:
        """As `_fast_events`, less the starts: the scout hears all of them already."""
        events = MONITORING.events
        return self._fast_events & ~int(events.PY_START | events.PY_RESUME)

    def _claim_tools(self) -> None:
        scout = claim_tool(f"{_PACKAGE} cprofile, scouting")
        try:
            recorder = claim_tool(f"{_PACKAGE} cprofile")
        except BaseException:
            release_tool(scout)
            raise
        self._tools = scout, recorder
        checked: dict[str, Callable[..., object]] = {
            event: self._checked_callback(callback) for event, callback in self._callbacks.items()
        }
        self._call, checked["CALL"] = checked["CALL"], self._on_call
        checked |= dict.fromkeys(("PY_START", "PY_RESUME"), self._on_start)
        checked |= {"PY_RETURN": self._on_leave, "PY_UNWIND": self._on_unwind}
        checked |= {"PY_YIELD": self._on_yield, "PY_THROW": self._on_throw}
        if self._statements is not None:
            checked["LINE"] = self._statements.on_line
        self._register(scout, checked)
        self._switch(on=self._is_on)

    @staticmethod
    def _register(tool_id: int, callbacks: Mapping[str, Callable[..., object] | None]) -> None:
        for event, callback in callbacks.items():
            MONITORING.register_callback(tool_id, getattr(MONITORING.events, event), callback)

    def _release_tools(self) -> None:
        codes = list(self._codes.values())
        _in_one_go(
            (MONITORING.set_local_events, tool, code, 0) for tool in (self._recorder, self._scout) for code in codes
        )
        release_tool(self._scout)
        release_tool(self._recorder)
        self._tools = None

    def _leave_open_frames(self, frame: FrameType | None) -> None:
        """End the calls that still run, as disabling a cProfile does."""
        for open_frame in frames_of(frame) if self._is_on else ():
            if id(open_frame.f_code) in self._codes:
                code = self._recorded_as(open_frame.f_code, open_frame)
                self._leave(code, 0, None)  # cProfile ignores it when no call is open


def _missing(*_: object) -> None:
    raise AssertionError("is_available() was not asked")


def _in_one_go(calls: Iterable[tuple[Any, ...]]) -> None:
    """Make calls of C functions with no other thread in between: no Python code runs there."""
    deque(starmap(operator.call, list(calls)), maxlen=0)
