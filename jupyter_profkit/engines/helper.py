"""Starting and ending the helper process, whose program is `sampler`.

    helper = Helper(os.getpid(), 0.005, high_water=True)
    ...
    records = helper.stop()            the bytes it wrote, and what it had to say

It is a process of its own session, so that an interrupt of the kernel does not
reach it; it writes to a file without a name, which no crash can leave behind.
If this process dies, it keeps the recording, as `kept` says.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_profkit.engines import kept, sampler

__all__ = ["Helper", "HelperOutput"]

_PATIENCE = 1.0
"""Seconds that the helper has to end by itself; it needs about one millisecond."""


@dataclass(frozen=True, slots=True)
class HelperOutput:
    """What a helper left."""

    records: bytes
    """Records as `sampler` has them."""
    cpu: float | None
    """Seconds of CPU that it used, if it lived to say so."""
    failure: str = ""
    """Why it ended before it was told to."""


class Helper:
    """A running helper process.

    Parameters
    ----------
    pid : the process to watch.
    interval : seconds between samples.
    children : whether to watch its children too.
    proportional : whether pages that they share are to count once, where the system tells.
    high_water : whether to look at the operating system's high-water mark.
    seconds : end after so long; None for no end.
    limit : bytes and a signal's number: record nothing, and send that signal while more than that is resident.
    title : what is recorded, for those who find the recording after this process has died.
    script : where the process to watch, which this one has started, writes its marks: with this process
        both end.

    Raises
    ------
    ProcessLookupError
        If the process to watch is not there.
    OSError
        If it cannot be started, or ends at once.
    """

    def __init__(
        self,
        pid: int,
        interval: float,
        *,
        children: bool = False,
        proportional: bool = False,
        high_water: bool = False,
        seconds: float | None = None,
        limit: tuple[int, int] | None = None,
        title: str = "",
        script: Path | None = None,
    ) -> None:
        flags = {"--children": children, "--proportional": proportional, "--high-water": high_water}
        options = [flag for flag, is_set in flags.items() if is_set]
        options += ["--for", str(seconds)] if seconds is not None else []
        if limit is not None:
            options += ["--limit", *map(str, limit)]
        else:
            options += ["--keep", str(kept.folder()), _one_word(title)]
        options += ["--script", str(script)] if script is not None else []
        options += ["--path", _psutil_folder()] if sys.platform != "linux" else []
        self._watched = pid
        command = [sys.executable, "-I", "-S", sampler.__file__, str(pid), str(interval), *options]
        self._file = tempfile.TemporaryFile(prefix="jupyter_profkit-")  # noqa: SIM115 - open until `stop`
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.PIPE, stdout=self._file, stderr=subprocess.PIPE, **_own_session()
            )
        except BaseException:
            self._file.close()
            raise
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _wait_until_ready(self) -> None:
        """Until the first sample is about to be taken, some 15 ms; a helper that cannot start says why instead."""
        try:
            assert self._process.stderr is not None
            line = self._process.stderr.readline()
        except BaseException:  # an interrupt
            self.stop()
            raise
        if line != b"ready\n":
            self.stop()
            if line == b"gone\n":
                raise ProcessLookupError(f"there is no process {self._watched}")
            raise OSError(line.decode(errors="replace").strip() or "the helper process ended at once")

    def read(self, offset: int) -> bytes:
        """What it has written from `offset` on; nothing where the system cannot read without moving its place."""
        if not hasattr(os, "pread"):
            return b""
        return os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size - offset, offset)

    def stop(self) -> HelperOutput:
        """End it, within a second whatever happens, and return what it recorded."""
        process = self._process
        try:
            with contextlib.suppress(OSError):  # it has ended already
                _send_stop(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
        return self._collect()

    def _collect(self) -> HelperOutput:
        with self._file, self._process.stderr or contextlib.nullcontext() as errors:
            said = errors.read().decode(errors="replace").strip() if errors is not None else ""
            self._file.seek(0)
            records = self._file.read()
        try:
            return HelperOutput(records, cpu=float(said))
        except ValueError:
            return HelperOutput(records, cpu=None, failure=said or "it was killed")


def _send_stop(process: subprocess.Popen[bytes]) -> None:
    """The byte counts, not the end of file: a process forked meanwhile may hold the same pipe."""
    assert process.stdin is not None
    try:
        process.stdin.write(b"q")
    finally:
        process.stdin.close()


def _one_word(title: str) -> str:
    """`title` as an argument that can be mistaken for nothing else, and fits in a line of a file."""
    return "".join(character if character.isprintable() else "?" for character in title[:200]).lstrip("-") or "?"


def _own_session() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _psutil_folder() -> str:
    import psutil

    return str(Path(psutil.__file__).parent.parent)
