"""The pauses of garbage collection on one thread, and the statements in which they came.

    pauses = CollectionWatch("/tmp/ipykernel_7/123.py")
    pauses.start()
    ...
    pauses.stop()
    pauses.by_statement             {code of the statement: (seconds, how many)}

The collector calls back at its beginning and end, on the thread whose allocation set it
off. A pause while a module is loaded is left out: it counts as loading.
"""

from __future__ import annotations

import sys
import threading
import time
from types import CodeType, FrameType
from typing import Final

from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.collector_calls import listen, stop_listening
from jupyter_profkit.engines.stacks import is_import

__all__ = ["CollectionWatch"]

_FARTHEST: Final = 300
"""Frames to look through for the statement; deeper than that it is taken to be the last one found."""


class CollectionWatch:
    """Times the garbage collections of the calling thread, from `start` to `stop`.

    Parameters
    ----------
    filename : file name of the measured cell or script.
    block : the measured block, if it is none of these.
    """

    def __init__(self, filename: str | None, block: WithBlock | None = None) -> None:
        self.by_statement: dict[CodeType, tuple[float, int]] = {}
        self._filename = filename
        self._block = block
        self._thread = 0
        self._began = 0.0
        self._statement: CodeType | None = None

    def start(self) -> None:
        self._thread = threading.get_ident()
        listen(self._on_collection)

    def stop(self) -> None:
        """Watch no more; a second call does nothing."""
        stop_listening(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if threading.get_ident() != self._thread:
            return
        # What fails here (near the recursion limit, out of memory) would be printed into the
        # user's output; the pause is lost instead. No context manager: its calls would be counted.
        try:  # noqa: SIM105
            self._note(phase, time.perf_counter(), sys._getframe(1))
        except Exception:  # noqa: S110
            pass

    def _note(self, phase: str, now: float, frame: FrameType | None) -> None:
        if phase == "start":
            self._began = now
            return
        seconds, self._began = now - self._began if self._began else 0.0, 0.0
        statement = self._find(frame)
        if statement is not None:
            before, n_pauses = self.by_statement.get(statement, (0.0, 0))
            self.by_statement[statement] = before + seconds, n_pauses + 1

    def _find(self, frame: FrameType | None) -> CodeType | None:
        """The statement that runs; None while a module is loaded, and between statements."""
        for _ in range(_FARTHEST):
            if frame is None or is_import(frame.f_code):
                return None
            code = frame.f_code
            if code.co_filename == self._filename and code.co_name == "<module>":
                self._statement = code
                return code
            if self._block is not None and frame is self._block.frame:
                self._statement = self._block.running
                return self._statement
            frame = frame.f_back
        return self._statement
