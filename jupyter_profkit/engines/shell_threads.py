"""The threads of IPython and of the kernel: which they are, whether one is awake, and where they wake up.

threads = shell_threads()
is_any_awake(threads)
is_of_kernel(filename)          whether such a thread wakes up in that code
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Final

from jupyter_profkit.source import label_of

__all__ = ["frames_of", "is_any_awake", "is_of_kernel", "is_shell_thread", "library_of", "shell_threads"]

_SHELL_THREADS: Final = (
    "IPython.core.history",
    "ipykernel.control",
    "ipykernel.heartbeat",
    "ipykernel.parentpoller",
    "ipykernel.shellchannel",
)


_KERNEL: Final = {
    *("IPython", "ipykernel", "jupyter_client", "tornado", "traitlets", "zmq"),
    *("_weakrefset.py", "asyncio", "contextlib.py", "queue.py", "selectors.py", "threading.py", "weakref.py"),
}
"""Libraries that the threads of a kernel sleep in, and wake up in: their first call is one of these."""

_WAITING: Final = {"queue.py", "selectors.py", "threading.py", "zmq"}
"""Where a thread that is asleep has its innermost frame."""


@functools.lru_cache(maxsize=4096)
def library_of(filename: str) -> str:
    """The package or module that a file belongs to, as this module lists them."""
    return label_of(filename).replace("\\", "/").partition("/")[0]


def is_of_kernel(filename: str) -> bool:
    """Whether it belongs to a library in which a thread of the shell wakes up."""
    return library_of(filename) in _KERNEL


def is_shell_thread(thread: threading.Thread) -> bool:
    """Whether it is one of IPython's or of the kernel's, in which no code of the user's runs."""
    return type(thread).__module__ in _SHELL_THREADS or thread.name == "IOPub"


def shell_threads() -> frozenset[int]:
    """The numbers of the threads of IPython and of the kernel."""
    return frozenset(
        thread.ident for thread in threading.enumerate() if thread.ident is not None and is_shell_thread(thread)
    )


def is_any_awake(threads: Collection[int]) -> bool:
    """Whether one of these threads does anything but wait."""
    # In a variable, the frames would hold their own, and those of the user below it, until garbage is collected.
    return any(ident in threads and not _sleeps(top) for ident, top in sys._current_frames().items())


def _sleeps(frame: FrameType) -> bool:
    """Whether a thread with this innermost frame waits for something; one of the shell's only ever polls."""
    filename = frame.f_code.co_filename
    return library_of(filename) in _WAITING or filename.endswith("parentpoller.py")


def frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
