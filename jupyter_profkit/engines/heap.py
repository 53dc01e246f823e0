"""The heap by line: memray follows every allocation of a run.

    engine = HeapEngine(Scope(block=filename))
    engine.prepare()                imports memray, before anything is measured
    engine.start()
    ...
    engine.stop()
    engine.bill.lines[filename, 3]  HeapFigures(at_peak=64_000_000, kept=0)

* memray follows malloc, mmap and their kin, those of C libraries too, on every
  thread. It keeps sums by stack and writes them to a file when it stops; who is
  billed for what is `heap_bill`, and how lines come by it is `heap_lines`.
* A process has one `memray.Tracker`; where there is one already, or where memray is
  known to be dangerous, an error says so before anything has begun.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from jupyter_profkit.engines.heap_bill import HeapBill, read_bill
from jupyter_profkit.engines.process_memory import bytes_free_to_reuse, bytes_in_use_by_c
from jupyter_profkit.engines.scope import Scope
from jupyter_profkit.engines.tool_slots import profile_holder
from jupyter_profkit.errors import EngineBusyError, MissingDependencyError
from jupyter_profkit.source import source_lines

__all__ = ["HeapEngine"]

_SNAPSHOT_INTERVAL = 60_000
"""Milliseconds; snapshots are not needed, the peak is exact without them."""

_USES_MEMRAY = re.compile(r"^\s*(?:import|from)\s+memray\b|\bmemray\.Tracker\b|^%%memray_")


class HeapEngine:
    """One measurement of the heap.

    Parameters
    ----------
    scope : whose lines are billed.
    insist : measure even where memray is known to be dangerous.
    """

    description = "heap from memray (exact; objects up to 512 bytes count as arenas of 1 MiB)"

    def __init__(self, scope: Scope, *, insist: bool = False) -> None:
        self._scope = scope
        self._insist = insist
        self._tracker: Any = None
        self._folder: Path | None = None
        self._pid = os.getpid()
        self._running = False
        self.bill = HeapBill()
        self.failure = ""
        """Why there are no figures, if there are none."""
        self.free_start: int | None = None
        self.free_end: int | None = None
        self._in_use: int | None = None

    @property
    def block(self) -> str | None:
        """File name of the measured block."""
        return self._scope.block

    def prepare(self) -> None:
        """Do what takes time and memory: import memray, and open its file.

        Raises
        ------
        MissingDependencyError
            If memray is not installed, or not to be trusted here.
        EngineBusyError
            If another profiler holds the hook that memray needs.
        """
        memray = _import_memray()
        if not self._insist:
            _refuse_danger(memray.__version__)
        holder = profile_holder() if sys.getprofile() is not None else None
        if holder is not None:
            raise EngineBusyError(f"sys.setprofile is held by {holder}")
        if self._scope.block is not None and any(map(_USES_MEMRAY.search, source_lines(self._scope.block))):
            raise EngineBusyError("the code uses memray itself, and a process can have only one tracker")
        self._folder = Path(tempfile.mkdtemp(prefix="jupyter_profkit_heap_"))
        destination = memray.FileDestination(self._file, compress_on_exit=False)
        self._tracker = memray.Tracker(
            destination=destination,
            file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS,
            memory_interval_ms=_SNAPSHOT_INTERVAL,
        )

    def start(self) -> None:
        """Follow allocations from now on.

        Raises
        ------
        EngineBusyError
            If a tracker is active already.
        """
        self.free_start, self._in_use = bytes_free_to_reuse(), bytes_in_use_by_c()
        failure = _enter_on_a_thread(self._tracker)
        if failure is not None:
            self.discard()
            raise EngineBusyError(f"a memray Tracker could not start: {failure}")
        self._running = True

    def stop(self) -> None:
        """Stop, and read what was recorded; a second call does nothing."""
        if not self._running:
            return
        self._running = False
        hook, thread_hook = sys.getprofile(), threading.getprofile()
        self._tracker.__exit__(None, None, None)
        _put_back(hook, thread_hook)
        self._tracker = None
        try:
            if os.getpid() == self._pid:
                self.free_end, in_use = bytes_free_to_reuse(), bytes_in_use_by_c()
                rise = None if in_use is None or self._in_use is None else in_use - self._in_use
                self.bill = read_bill(self._file, self._scope, rise)
        except (OSError, RuntimeError) as error:  # the disk may be full; the other half of the figures is good
            self.failure = f"memray's record could not be read ({error})"
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was prepared; in a forked child the files are its parent's, and stay."""
        self._tracker = None
        if self._folder is not None and os.getpid() == self._pid:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    @property
    def _file(self) -> Path:
        return (self._folder or Path()) / "heap.bin"


def _import_memray() -> Any:
    try:
        import memray
    except ImportError as error:
        where = " (it does not run on Windows)" if sys.platform == "win32" else f" ({error})"
        raise MissingDependencyError(f"memray is not to be had here{where}") from None
    return memray


def _refuse_danger(version: str) -> None:
    """Do not risk the kernel where memray is known to end it.

    Raises
    ------
    MissingDependencyError
        With what to do about it.
    """
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    # https://github.com/bloomberg/memray/issues/999, mended after 1.20.0
    if sys.version_info[:2] == (3, 12) and numbers <= (1, 20, 0):
        raise MissingDependencyError(
            f"memray {version} can crash Python 3.12 as it stops; a later one does not, and --heap takes the risk"
        )
    # It warns on the user's screen, and ends the process if it cannot follow a switch.
    if "greenlet" in sys.modules:
        raise MissingDependencyError("memray follows greenlets, which are imported here, only as an experiment; "
                                     "--heap takes the risk")  # fmt: skip


def _enter_on_a_thread(tracker: Any) -> Exception | None:
    """Start a tracker; returns what kept it from starting.

    memray hides as many outer frames of the thread that starts it as there are
    then. A cell's frames are fewer than those of its prologue, so they would be
    hidden too; a thread of its own has nothing to hide. All threads are tracked.
    """
    failures: list[Exception] = []

    def enter() -> None:
        try:
            tracker.__enter__()
        except Exception as failure:  # told to the thread that waits
            failures.append(failure)

    thread = threading.Thread(target=enter, name="jupyter_profkit heap", daemon=True)
    thread.start()
    thread.join()
    return failures[0] if failures else None


def _put_back(hook: Any, thread_hook: Any) -> None:
    """Restore profile functions that the measured code set: memray puts back those from before its start."""
    if callable(hook):
        sys.setprofile(hook)
    elif hook is not None and hasattr(hook, "enable"):  # cProfile, which on 3.11 has no other place
        hook.enable()
    if getattr(thread_hook, "__name__", "") != "start_thread_trace":
        threading.setprofile(thread_hook)
