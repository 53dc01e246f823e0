"""Running a script as its own process, and recording its memory.

    run = run_script(["train.py", "--epochs", "2"], MPROF_RUN.from_keywords({}))
    run.timeline, run.returncode

* Its output comes into the cell as it is written, both streams, in their order.
* It is a group of its own, so that an interrupt is passed on by us: first as
  SIGINT, so that it can end as it likes, then, if it does not, less politely.
  No other process is ever sent a signal.
* Python scripts, and what ``python script.py`` and ``python -m module`` run, stand
  behind `engines.bootstrap`, which records what they mark with memory_profiler's
  ``@profile``; other programs run as they are.
"""

from __future__ import annotations

import codecs
import contextlib
import locale
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from jupyter_profkit.cells.meanwhile import Meanwhile, Show
from jupyter_profkit.engines import bootstrap
from jupyter_profkit.engines.timeline import TimelineEngine
from jupyter_profkit.errors import OptionError, TargetError
from jupyter_profkit.model.session import Session
from jupyter_profkit.model.timeline import ChildProcess, MemoryTimeline
from jupyter_profkit.options import Values
from jupyter_profkit.units import format_seconds

__all__ = ["ScriptRun", "run_script"]

_PYTHON = re.compile(r"python(3(\.\d+)?)?(\.exe)?")
_FLAGS = re.compile(r"-[bBdEIOPqsSuv]+")
_POLITE = ((signal.SIGINT, 5.0), (signal.SIGTERM, 2.0))
_LAST_WAIT = 2.0
_FLUSH_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A script that has run."""

    timeline: MemoryTimeline
    returncode: int
    """As `subprocess` has it: negative for a signal."""
    show: Show
    """Displays a report of it, where the curve of ``--live`` stood if there was one."""
    interrupted: bool = False


def run_script(arguments: Sequence[str], values: Values) -> ScriptRun:
    """Run a script to its end, pass its output on, and record its memory.

    Parameters
    ----------
    arguments : the script, or a program on the PATH, and what is passed to it.
    values : the options of ``%mprof_run``.

    Raises
    ------
    OptionError
        If nothing is named.
    TargetError
        If there is no such script or program, or it cannot be started.
    """
    if not arguments:
        raise OptionError("%mprof_run takes a script and its arguments: %mprof_run train.py --epochs 2")
    with tempfile.TemporaryDirectory(prefix="jupyter_profkit-", ignore_cleanup_errors=True) as folder:
        marks = Path(folder) / "marks"
        program = _program(arguments, marks)
        process = _start(program.command)
        engine = TimelineEngine(
            process.pid,
            interval=values.interval,
            children=values.children,
            per_child=values.per_child,
            title=shlex.join(arguments),
            script=marks,
        )
        follower = _Follower(process, values.timeout)
        try:
            engine.start()
            started = time.time()
            meanwhile = Meanwhile(engine, program.title, values)
            try:
                follower.follow(meanwhile)
            finally:
                follower.end()
                meanwhile.end()
        finally:
            follower.end()
            engine.stop()
        _add_marks(engine, marks, process.pid)
    outcome = follower.outcome(program.name)
    session = Session(program.title, started, engine.stopped - engine.started, outcome)
    timeline = _as_started_by_the_user(engine.timeline(session, command=shlex.join(arguments)), marks)
    return ScriptRun(timeline, process.returncode, meanwhile.show, follower.interrupted)


def _as_started_by_the_user(timeline: MemoryTimeline, marks: Path) -> MemoryTimeline:
    """A forked worker has the script's command line, where the bootstrap stands before it."""
    ours = f"{Path(bootstrap.__file__).name} {marks.name} "
    processes = tuple(ChildProcess(each.pid, each.command.replace(ours, "")) for each in timeline.processes)
    return replace(timeline, processes=processes)


@dataclass(frozen=True, slots=True)
class _Program:
    """What to execute."""

    command: list[str]
    name: str
    """As the user typed it: the script, the module, or the program."""
    title: str


def _program(arguments: Sequence[str], marks: Path) -> _Program:
    """A Python script or module behind the bootstrap, another program as it is."""
    name, *rest = arguments
    path = Path(name).expanduser()
    if _is_script(path):
        return _Program([sys.executable, bootstrap.__file__, str(marks), str(path), *rest], name, path.name)
    found = shutil.which(path)
    if found is None:
        raise TargetError(f"there is no script or program {name!r} (looked in {Path.cwd()} and on the PATH)")
    n_flags = _n_flags(rest) if _PYTHON.fullmatch(path.name) else len(rest)
    flags, run = rest[:n_flags], rest[n_flags:]
    if run[:1] == ["-m"] and len(run) > 1:
        return _Program([found, *flags, bootstrap.__file__, str(marks), *run], f"-m {run[1]}", run[1])
    if run and _is_script(Path(run[0]).expanduser()):
        return _Program([found, *flags, bootstrap.__file__, str(marks), *run], run[0], Path(run[0]).name)
    return _Program([found, *rest], name, path.name)


def _is_script(path: Path) -> bool:
    return path.is_file() and (path.suffix in {".py", ".pyw"} or not os.access(path, os.X_OK))


def _n_flags(words: Sequence[str]) -> int:
    """How many of the words after ``python`` are flags of its own that take no value."""
    return next((n for n, word in enumerate(words) if not _FLAGS.fullmatch(word)), len(words))


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    settings: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        settings = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        return subprocess.Popen(  # noqa: S603 - what the user asked for
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings
        )
    except OSError as error:
        raise TargetError(f"{command[0]} cannot be started: {error.strerror or error}") from None


class _Stream:
    """One of the script's streams, on its way to one of ours."""

    def __init__(self, pipe: Any, target: TextIO) -> None:
        self._pipe = pipe
        self._target = target
        self._decoder = codecs.getincrementaldecoder(locale.getpreferredencoding(do_setlocale=False))("replace")

    def fileno(self) -> int:
        return int(self._pipe.fileno())

    def pass_on(self, make_way: Callable[[str], None]) -> bool:
        """Pass on what is there, to which others then make way; False at its end."""
        chunk = os.read(self.fileno(), 65536)
        text = self._decoder.decode(chunk, final=not chunk)
        if text:
            make_way(text)
            self._target.write(text)
        return bool(chunk)

    def flush(self) -> None:
        self._target.flush()

    def close(self) -> None:
        self._pipe.close()


class _Follower:
    """Passes a process's output on until it ends, or is ended."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float | None) -> None:
        self.interrupted = False
        self._process = process
        self._timeout = timeout
        self._timed_out = False
        self._next_flush = 0.0
        self._meanwhile: Meanwhile | None = None
        self._streams = [_Stream(process.stdout, sys.stdout), _Stream(process.stderr, sys.stderr)]

    def follow(self, meanwhile: Meanwhile) -> None:
        """Until it has ended; an interrupt of ours becomes one of its."""
        self._meanwhile = meanwhile
        try:
            self._let_go()
            self._timed_out = not self._pass_on(self._timeout)
        except KeyboardInterrupt:
            self.interrupted = True
        if self.interrupted or self._timed_out:
            self._end_politely()

    def _let_go(self) -> None:
        """The end of its input: what the bootstrap waits for, so that not even a short script is missed."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _end_politely(self) -> None:
        for signal_number, patience in _POLITE[0 if self.interrupted else 1 :]:
            self._send(signal_number)
            try:
                if self._pass_on(patience):
                    return
            except KeyboardInterrupt:  # a second one: no patience left
                continue

    def end(self) -> None:
        """Make sure that it has ended, whatever happened."""
        if self._process.poll() is None:
            self._send(getattr(signal, "SIGKILL", signal.SIGTERM))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_WAIT)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _pass_on(self, patience: float | None) -> bool:
        """Pass output on until the process has ended, or `patience` seconds are over: then False."""
        last = float("inf") if patience is None else time.monotonic() + patience
        while self._process.poll() is None:
            if time.monotonic() > last:
                return False
            self._pass_on_once(0.05)
            if self._meanwhile is not None:
                self._meanwhile.update()
        while self._pass_on_once(0):  # what a child of it writes later is nobody's
            pass
        return True

    def _pass_on_once(self, wait: float) -> bool:
        ready = list(_readable(self._streams, wait))
        for stream in ready:
            if not stream.pass_on(self._make_way):
                stream.flush()
                self._streams.remove(stream)
        now = time.monotonic()
        if now > self._next_flush:  # each flush is a message to the front end
            self._next_flush = now + _FLUSH_EVERY
            for stream in self._streams:
                stream.flush()
        return bool(ready)

    def _make_way(self, text: str) -> None:
        if self._meanwhile is not None:
            self._meanwhile.make_way(text)

    def _send(self, signal_number: int) -> None:
        """To the script's own group, while it is there."""
        if self._process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                interrupt = signal_number == signal.SIGINT
                self._process.send_signal(signal.CTRL_BREAK_EVENT if interrupt else signal.SIGTERM)
            else:
                os.killpg(self._process.pid, signal_number)

    def outcome(self, name: str) -> str:
        """How it ended, as `Session` says it."""
        if self.interrupted:
            return "KeyboardInterrupt"
        if self._timed_out:
            return f"{name} was ended after {format_seconds(self._timeout or 0)}, as asked (--timeout)"
        returncode = self._process.returncode
        if returncode < 0:
            return f"{name} was ended by {_signal_name(-returncode)}"
        return f"{name} ended with exit code {returncode}" if returncode else "ok"


def _readable(streams: Sequence[_Stream], wait: float) -> Iterator[_Stream]:
    """The streams that have something, or are at their end; waits for the first, at most `wait` seconds."""
    if not streams:
        time.sleep(wait)
    elif sys.platform == "win32":
        time.sleep(min(wait, 0.005))
        yield from filter(_has_data, streams)
    else:
        import select

        yield from select.select(streams, [], [], wait)[0]


def _has_data(stream: _Stream) -> bool:
    """Whether a read would not block, on Windows, where pipes cannot be selected."""
    import _winapi
    import msvcrt

    try:
        handle = msvcrt.get_osfhandle(stream.fileno())  # type: ignore[attr-defined]
        return bool(_winapi.PeekNamedPipe(handle, 0)[0])  # type: ignore[attr-defined]
    except OSError:  # the other end is closed
        return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# Marks


def _add_marks(engine: TimelineEngine, path: Path, pid: int) -> None:
    """Give the engine what `engines.bootstrap` wrote; the script may have written there too, so nothing is believed."""
    if not path.exists():
        return
    opened: dict[tuple[str, str], tuple[str, int, float, int]] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                _add_mark(engine, line, opened, pid)
    for label, level, start, rss in opened.values():  # it was killed within these
        engine.mark(label, start, None, rss_start=rss or None, level=level)


def _add_mark(
    engine: TimelineEngine, line: str, opened: dict[tuple[str, str], tuple[str, int, float, int]], pid: int
) -> None:
    what, owner, *fields = line.rstrip("\n").split(" ", 6)
    if what == "+":
        number, level, start, rss, label = fields
        name = label.encode().decode("unicode_escape")
        own = name if owner == str(pid) else f"{name} (process {owner})"
        opened[owner, number] = (own, int(level), float(start), int(rss))
    elif what == "-":
        number, end, rss = fields
        if (owner, number) in opened:
            name, depth, begun, rss_start = opened.pop((owner, number))
            engine.mark(name, begun, float(end), rss_start=rss_start or None, rss_end=int(rss) or None, level=depth)
    elif what == "P" and owner == str(pid):
        moment, rss = fields
        engine.note_peak(int(rss), float(moment))
