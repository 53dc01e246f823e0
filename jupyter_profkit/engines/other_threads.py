"""Whether threads are awake that may run the code which one thread is measured in.

    others = OtherThreads()
    others.start()                  on the measured thread
    others.have_begun()             once more, when each that begins is heard
    others.are_awake
    others.meet(ident)              whether one that runs is news
    others.have_fallen_asleep()     asked now and then; whether that is news

The kernel's own threads sleep but for a millisecond now and then. One of the user's, once seen, is taken to be
awake from then on.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

from jupyter_profkit.engines.shell_threads import frames_of, is_any_awake, shell_threads
from jupyter_profkit.source import is_user_file

__all__ = ["OtherThreads"]

_ASKED_BETWEEN_LOOKS: Final = 1000
_ASKED_AT_MOST: Final = 8000
"""Times to be asked until it is looked whether the kernel's threads sleep: the first time, and after some times."""


class OtherThreads:
    """All threads but the one that starts it."""

    def __init__(self) -> None:
        self.is_shell_awake = False
        """Whether one of the kernel's is."""
        self._is_user_awake = False
        self._measured = 0
        self._shell: frozenset[int] = frozenset()
        self._n_until_look = self._n_between_looks = _ASKED_BETWEEN_LOOKS

    def start(self) -> None:
        self._measured = threading.get_ident()
        self._shell = shell_threads()
        self.is_shell_awake = is_any_awake(self._shell)
        self._is_user_awake = self._user_code_runs()

    def have_begun(self) -> bool:
        """Whether one of the user's is awake that was not when it was looked for the first time."""
        was_awake, self._is_user_awake = self._is_user_awake, self._is_user_awake or self._user_code_runs()
        return self._is_user_awake and not was_awake

    @property
    def are_awake(self) -> bool:
        return self._is_user_awake or self.is_shell_awake

    @property
    def are_shells(self) -> bool:
        """Whether there are threads of a kernel."""
        return bool(self._shell)

    def _user_code_runs(self) -> bool:
        """Whether one stands in the user's code, from where it may call what the measured thread calls."""
        return any(
            is_user_file(frame.f_code.co_filename)
            for ident, top in sys._current_frames().items()
            if ident != self._measured and ident not in self._shell
            for frame in frames_of(top)
        )

    def meet(self, ident: int) -> bool:
        """The thread of that number runs: whether that was not known."""
        if ident in self._shell:
            was_known, self.is_shell_awake = self.is_shell_awake, True
        else:
            was_known, self._is_user_awake = self._is_user_awake, True
        return not was_known

    def have_fallen_asleep(self) -> bool:
        """Whether those of the kernel, which were awake, sleep by now; it is not looked each time that it is asked."""
        self._n_until_look -= 1
        if self._n_until_look:
            return False
        self._n_until_look = self._n_between_looks
        self.is_shell_awake = False  # one that wakes from here on sets it again
        if is_any_awake(self._shell):
            self.is_shell_awake = True
            return False
        self._n_between_looks = min(2 * self._n_between_looks, _ASKED_AT_MOST)
        return True
