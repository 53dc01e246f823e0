"""Callbacks of the garbage collector by which no interrupt is lost.

    listen(on_collection)           on_collection(phase, info), as in gc.callbacks
    stop_listening(on_collection)

* What such a callback raises is told to `sys.unraisablehook`, and goes no further. A signal
  that comes while the collector works is handled as soon as Python code runs: where the
  callback begins. So `KeyboardInterrupt` would end there, and the user's code go on.
* Here the hook hears of it. It sends the interrupt once more, from a function of C that is
  put behind the callback in the collector's list, so that the next Python code to run is the
  user's. What the callback did not do, it does then.
* The hook is put back when nobody listens, unless somebody else has put another one there.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["Callback", "forget_interrupt", "listen", "stop_listening"]

Callback: TypeAlias = Callable[[str, dict[str, int]], None]

_interrupt_again: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object, ctypes.py_object)(
    ("PyErr_SetInterrupt", ctypes.pythonapi)
)
"""Called as a callback; what it is given is of no use to the function."""

_listening: list[Callback] = []
_hooks_before: list[Callable[[Any], object]] = []


def listen(callback: Callback) -> None:
    """Call `callback` at the beginning and end of each collection; its parameters are ``phase`` and ``info``."""
    if not _listening:
        _hooks_before[:] = [sys.unraisablehook]
        sys.unraisablehook = _on_unraisable
        _add(forget_interrupt)
    _add(callback)


def stop_listening(callback: Callback) -> None:
    """Call it no more; a second call does nothing."""
    _remove(callback)
    if _listening == [forget_interrupt]:
        _remove(forget_interrupt)
        _remove(_interrupt_again)
        if sys.unraisablehook is _on_unraisable:
            sys.unraisablehook = _hooks_before[0]


def _add(callback: Callback) -> None:
    _listening.append(callback)
    gc.callbacks.append(callback)


def _remove(callback: Any) -> None:
    for callbacks in (_listening, gc.callbacks):
        while callback in callbacks:
            callbacks.remove(callback)


def forget_interrupt(phase: str, info: dict[str, int]) -> None:  # noqa: ARG001 - the names are read from the frame
    """First of all callbacks: what was sent once more has been heard."""
    while _interrupt_again in gc.callbacks:
        gc.callbacks.remove(_interrupt_again)


def _on_unraisable(unraisable: Any) -> None:
    if not issubclass(unraisable.exc_type, KeyboardInterrupt) or unraisable.object not in _listening:
        _hooks_before[0](unraisable)
        return
    given = unraisable.exc_traceback.tb_frame.f_locals
    try:
        unraisable.object(given["phase"], given["info"])
    finally:
        gc.callbacks.append(_interrupt_again)
