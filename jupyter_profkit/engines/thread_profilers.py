"""A cProfile for each thread that the measured block starts.

    threads = CheckedThreads()          with `sys.monitoring`: told of events by the engine that hears all threads
    threads = HookedThreads()           before Python 3.12: each thread has a profiler of its own
    threads.start()
    ...
    threads.stop()
    threads.named_stats()               [("worker-1", what `cProfile.Profile.getstats` gives)]

Threads that were there before are left out, and so are those of the kernel and of this package.
"""

from __future__ import annotations

import cProfile
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Final

from jupyter_profkit.engines.shell_threads import is_shell_thread

__all__ = ["CheckedThreads", "HookedThreads"]

_active: Final[Mapping[int, threading.Thread]] = getattr(threading, "_active", {})
"""The threads that run, by number; a number is used again when its thread has ended."""


def _is_ours(thread: threading.Thread) -> bool:
    package = __name__.partition(".")[0]
    target = getattr(thread, "_target", None)
    modules = (type(thread).__module__, getattr(target, "__module__", None) or "")
    return any(module.partition(".")[0] == package for module in modules)


class CheckedThreads:
    """The threads started since `start`, each with a profiler that is fed event by event.

    Parameters
    ----------
    builtins : whether calls of functions written in C are recorded.
    """

    def __init__(self, *, builtins: bool = True) -> None:
        self._builtins = builtins
        self._strangers: set[threading.Thread] = set()
        self._profiles: dict[threading.Thread, cProfile.Profile] = {}

    def start(self) -> None:
        self._strangers = set(threading.enumerate())

    def callback(self, name: str) -> Callable[..., None] | None:
        """The profiler's method of that name for the calling thread; None if it is not to be measured."""
        thread = _active.get(threading.get_ident())  # none while a thread begins or ends
        if thread is None or thread in self._strangers:
            return None
        profile = self._profiles.get(thread)
        if profile is None:
            if is_shell_thread(thread) or _is_ours(thread):
                self._strangers.add(thread)
                return None
            profile = self._profiles[thread] = cProfile.Profile(builtins=self._builtins)
        found: Callable[..., None] = getattr(profile, name)
        return found

    def open_frames(self) -> Iterator[tuple[Any, FrameType]]:
        """The profiler and the innermost frame of each thread that still runs."""
        tops = sys._current_frames()
        for thread, profile in self._profiles.items():
            if thread.ident in tops and _active.get(thread.ident) is thread:
                yield profile, tops[thread.ident]

    def named_stats(self) -> Iterator[tuple[str, list[Any]]]:
        """Each thread's name and figures, in the order in which they began."""
        for thread, profile in self._profiles.items():
            yield thread.name, list(profile.getstats())


class HookedThreads:
    """The threads started between `start` and `stop`, each with a profiler that it switches on itself."""

    def __init__(self, *, builtins: bool = True) -> None:
        self._builtins = builtins
        self._profiles: dict[threading.Thread, cProfile.Profile] = {}
        self._is_on = False
        self.holder = ""
        """Who profiles new threads already, so that nobody else can."""

    def start(self) -> None:
        hook = threading.getprofile()
        if hook is not None:
            self.holder = getattr(hook, "__module__", "") or type(hook).__module__
            return
        self._is_on = True
        threading.setprofile(self._on_new_thread)

    def stop(self) -> None:
        """Let later threads be, and end the calls that still run; a second call does nothing."""
        if self._is_on:
            self._is_on = False
            threading.setprofile(None)
            # A profiler that is switched off, or freed while it is on, takes the profiler of the
            # thread that does it: let that be a thread without one.
            ending = threading.Thread(target=self._switch_off)
            ending.start()
            ending.join()

    def _switch_off(self) -> None:
        for profile in self._profiles.values():
            profile.disable()

    @property
    def n_running(self) -> int:
        """Threads that still run: the profiler of another thread cannot be taken off."""
        return sum(thread.is_alive() for thread in self._profiles)

    def named_stats(self) -> Iterator[tuple[str, list[Any]]]:
        """Each thread's name and figures, in the order in which they began."""
        for thread, profile in self._profiles.items():
            yield thread.name, list(profile.getstats())

    def _on_new_thread(self, _frame: FrameType, _event: str, _argument: object) -> None:
        thread = threading.current_thread()
        if not self._is_on or is_shell_thread(thread) or _is_ours(thread):
            sys.setprofile(None)
            return
        profile = self._profiles[thread] = cProfile.Profile(builtins=self._builtins)
        profile.enable()
