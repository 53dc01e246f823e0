"""The helper process: it samples the memory of another process until it is told to stop.

    python -I -S sampler.py PID INTERVAL [--children [--proportional]] [--high-water] [--for SECONDS]
                                         [--keep FOLDER TITLE] [--script MARKS] [--path FOLDER]
    python -I -S sampler.py PID INTERVAL --limit BYTES SIGNAL [--path FOLDER]     a watcher, which records nothing

* It runs by itself, on the standard library alone (psutil where there is no /proc,
  from FOLDER), so that it starts in about 10 ms. Nothing imports it.
* Samples go to standard output, a file that the kernel keeps: what was recorded
  is there whatever becomes of this process. Each is a `RECORD`: the time of
  ``time.monotonic`` (one clock for all processes), bytes, and whose they are: the
  pid of a child, or one of the codes below.
* It says ``ready`` on standard error when it begins, or ``gone`` if the process has
  ended already, and there, at the end, the seconds of CPU that it used, or what went
  wrong.
* It ends when a byte, or the end of file, comes on standard input; when the
  process is gone; when its own parent is gone. Another process may have inherited
  the far end of standard input, so each of these is needed. After SECONDS it
  only waits.
* When its parent died without having sent that byte, what was recorded goes into
  FOLDER, as `kept` says. A script that the parent had started is then told that its
  terminal is gone, as a shell's would be, and its file MARKS is removed.
"""

# ruff: noqa: PTH106, PTH108, PTH120, PTH123, PTH208
# (pathlib would take half of the start)

from __future__ import annotations

import _thread
import os
import struct
import sys
import time

TYPE_CHECKING = False  # the typing module would take a third of the start
if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = struct.Struct("=dqq")
"""Time, bytes, pid or code."""
NAME = struct.Struct("=?15sq")
"""A piece of a child's command, whether it is the first, and the pid as a negative number."""
MAIN = 0
"""Bytes resident in the process itself."""
HIGH_WATER = -1
"""The operating system's own high-water mark of it, each time it has changed."""
PROPORTION = -(2**62)
"""What is to be added to its resident memory so that pages shared with children count once."""

_FLUSH_EVERY = 0.05
_HIGH_WATER_EVERY = 0.02
_LONGEST_COMMAND = 14 * 15
_CHILDREN_EVERY = 0.01
_SEARCH_EVERY = 0.03
_FULL_SEARCH_EVERY = 0.5
"""A container may have a /proc/loadavg of its own, where new processes show late."""
_PROPORTIONS_EVERY, _ALONE_EVERY = 0.03, 0.5
"""How often shared pages are counted, which takes long; the second without children."""
_UNMAPPING = 0.1
"""Seconds in which the pages of a process that has ended may still be counted as shared."""
_YOUNG = 0.3
"""Seconds in which a new process may become another program."""
_SHARE, _SHARE_OF_PROPORTIONS = 0.01, 0.03
"""Of its time the helper may spend on looking for children, on looking at them; and on counting shared pages."""
_PATIENCE = 0.5
_LONGEST_SLEEP = 0.02
"""Of the order to stop nothing is heard meanwhile."""


class ProcProcess:
    """A process as Linux' /proc has it; the descriptors stay with it if its pid is used again."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY)
        self._status = -1
        self._parents: dict[int, int] = {}

    def look(self) -> bytes:
        """What the system says of its memory; `size_in` makes a number of it."""
        return os.pread(self._statm, 128, 0)

    def size_in(self, seen: bytes) -> int:
        """Bytes resident; ProcessLookupError when it is gone, even if nobody has reaped it."""
        pages = int(seen.split(b" ", 2)[1])
        if not pages:
            raise ProcessLookupError
        return pages * self._page

    def rss(self) -> int:
        """Bytes resident; the errors of `look` and `size_in`."""
        return self.size_in(self.look())

    def high_water(self) -> int:
        if self._status < 0:
            self._status = os.open(f"/proc/{self.pid}/status", os.O_RDONLY)
        status = os.pread(self._status, 4096, 0)
        start = status.find(b"VmHWM:") + 6
        if start < 6:  # nobody has reaped it yet
            raise ProcessLookupError
        return int(status[start : status.index(b"kB", start)]) * 1024

    def pss(self) -> int:
        """Bytes resident, of shared pages its share; Linux 4.14."""
        return self._rolled_up(b"\nPss:")

    def private(self) -> int:
        """Bytes resident that no other process has; Linux 4.14."""
        return self._rolled_up(b"\nPrivate_Clean:", b"\nPrivate_Dirty:")

    def _rolled_up(self, *names: bytes) -> int:
        # Opened anew each time: a descriptor stays with the memory that the process had, its parent's before an exec.
        with open(f"/proc/{self.pid}/smaps_rollup", "rb", buffering=0) as file:
            text = file.read(4096)
        starts = [text.index(name) + len(name) for name in names]
        return sum(int(text[start : text.index(b"kB", start)]) for start in starts) * 1024

    def command(self) -> bytes:
        """The command line, files without their folders; the short name of a process that has none."""
        with open(f"/proc/{self.pid}/cmdline", "rb") as file:
            words = file.read(1024).rstrip(b"\0").split(b"\0")
        if words[0]:
            return _in_short(words)
        self.rss()  # raises for one that has ended, and so has no command line any more
        with open(f"/proc/{self.pid}/comm", "rb") as file:
            return file.read(16).strip()

    def descendants(self) -> list[int]:
        """Pids of its children, of theirs, and so on; only of new processes is the parent looked up."""
        there = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}
        for pid in self._parents.keys() - there:
            del self._parents[pid]
        for pid in there - self._parents.keys():
            self._parents[pid] = _parent_of(pid)
        children: dict[int, list[int]] = {}
        for pid, parent in self._parents.items():
            children.setdefault(parent, []).append(pid)
        found = [self.pid]
        for pid in found:  # which grows
            found += children.get(pid, [])
        return found[1:]

    def close(self) -> None:
        for descriptor in (self._statm, self._status):
            if descriptor >= 0:
                os.close(descriptor)


def _in_short(words: list[bytes]) -> bytes:
    """A command line, files without their folders."""
    return b" ".join([word.rpartition(b"/")[2] if word[:1] == b"/" else word for word in words])


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read(512).rpartition(b")")[2].split(None, 2)[1])
    except (OSError, IndexError, ValueError):  # it ended meanwhile
        return 0


class PsutilProcess:
    """A process as psutil has it, for the other systems."""

    def __init__(self, pid: int) -> None:
        import psutil

        self.pid = pid
        self._gone = psutil.Error
        try:
            self._process = psutil.Process(pid)
            self._process.memory_info()
        except psutil.AccessDenied:
            raise PermissionError from None
        except psutil.Error:
            raise ProcessLookupError from None

    def look(self) -> int:
        return self.rss()

    def size_in(self, seen: int) -> int:
        return seen

    def rss(self) -> int:
        try:
            size = int(self._process.memory_info().rss)
        except self._gone:
            raise ProcessLookupError from None
        if not size:  # nobody has reaped it yet
            raise ProcessLookupError
        return size

    def high_water(self) -> int:
        return self.rss()  # nobody tells

    def pss(self) -> int:
        raise OSError("this system does not tell the proportional size")

    def private(self) -> int:
        raise OSError("this system does not tell what is shared")

    def command(self) -> bytes:
        try:
            words = self._process.cmdline()
        except self._gone:  # it has ended, or is not ours to ask
            words = []
        try:
            return _in_short([os.fsencode(word) for word in words or [self._process.name()]])
        except self._gone:
            raise ProcessLookupError from None

    def descendants(self) -> list[int]:
        try:
            return [child.pid for child in self._process.children(recursive=True)]
        except self._gone:
            raise ProcessLookupError from None

    def close(self) -> None:
        pass


Process = ProcProcess | PsutilProcess


class NewProcesses:
    """Tells whether any process has begun since the last time, on Linux for the price of one small file."""

    def __init__(self) -> None:
        self._newest = b""
        self._next = 0.0
        try:
            self._loadavg = os.open("/proc/loadavg", os.O_RDONLY)
        except OSError:
            self._loadavg = -1

    def may_be_there(self, now: float) -> bool:
        newest = os.pread(self._loadavg, 128, 0).rpartition(b" ")[2] if self._loadavg >= 0 else b""
        if newest and newest == self._newest and now < self._next:
            return False
        self._newest = newest
        self._next = now + _FULL_SEARCH_EVERY
        return True


class Recorder:
    """Writes samples in small batches, and looks now and then after what need not be seen at each."""

    def __init__(
        self,
        process: Process,
        open_process: Callable[[int], Process],
        *,
        children: bool,
        proportional: bool,
        high_water: bool,
    ) -> None:
        self.samples: list[tuple[float, int]] = []
        """Of the process itself, since the last batch."""
        self._pending: list[bytes] = []
        self._process = process
        self._open_process = open_process
        self._parent = os.getppid()
        self._next_flush = 0.0
        self._high_water = 0
        self._next_high_water = 0.0 if high_water else float("inf")
        self._children: dict[int, Process] = {}
        self._new: dict[int, tuple[float, bytes]] = {}
        """When children were found, and their commands as they were then."""
        self._proportional = proportional and children
        self._next_proportions = self._soonest_proportions = 0.0
        self._more = 0
        self._more_alone: int | None = None
        """Bytes, 0 or less, of the process itself when pages were counted, and at most when no child was known."""
        self._shared: dict[int, tuple[int, int]] = {}
        """Of children, when their pages were counted: bytes resident, and what of these others have as well."""
        self._new_processes = NewProcesses()
        self._next_children = self._next_search = 0.0 if children else float("inf")
        if children:
            process.descendants()  # which takes long the first time; not to be held against the next

    def look_around(self, now: float) -> float:
        """Do what is due at `now`; return when to come again, or 0 when the parent is gone."""
        if now >= self._next_high_water:
            self._next_high_water = now + _HIGH_WATER_EVERY
            self._sample_high_water(now)
        if now >= self._next_search:
            self._search(now)
        if self._proportional and now >= self._next_proportions:
            self._count_shared_pages(now)
        if now >= self._next_children:
            used = time.process_time()
            self._sample_children(now)
            every = _CHILDREN_EVERY if self._children else _SEARCH_EVERY
            self._next_children = now + max(every, (time.process_time() - used) / _SHARE)
        if now >= self._next_flush:
            self._next_flush = now + _FLUSH_EVERY
            self.flush()
            if os.getppid() != self._parent:
                return 0.0
        return min(self._next_high_water, self._next_search, self._next_children, self._next_flush)

    def look_once_more(self, now: float) -> None:
        """A child that ended just before the recording did is no part of its end."""
        if self._children:
            self._sample_children(now)

    def flush(self) -> None:
        os.write(1, b"".join([*[RECORD.pack(moment, size, MAIN) for moment, size in self.samples], *self._pending]))
        self.samples.clear()
        self._pending.clear()

    def _sample_high_water(self, now: float) -> None:
        high_water = self._process.high_water()
        if high_water != self._high_water:
            self._high_water = high_water
            self._pending.append(RECORD.pack(now, high_water, HIGH_WATER))

    def _search(self, now: float) -> None:
        used = time.process_time()
        for pid, (found, command) in list(self._new.items()):  # found between its fork and the end of its exec?
            self._new[pid] = (found, self._name(self._children[pid], command))
            if now > found + _YOUNG:
                del self._new[pid]
        if self._new_processes.may_be_there(now):
            for pid in self._process.descendants():
                if pid not in self._children and pid != os.getpid():
                    self._add_child(pid, now)
        self._next_search = now + max(_SEARCH_EVERY, (time.process_time() - used) / _SHARE)

    def _add_child(self, pid: int, now: float) -> None:
        try:
            child = self._open_process(pid)
        except (OSError, ValueError, IndexError):  # it ended meanwhile
            return
        self._children[pid] = child
        self._next_children = now
        self._next_proportions = self._soonest_proportions
        self._new[pid] = (now, self._name(child))

    def _name(self, child: Process, known: bytes = b"") -> bytes:
        """Write the command of a child, unless it is the `known` one, and return it."""
        try:
            command = child.command()[:_LONGEST_COMMAND]
        except (OSError, ValueError, IndexError):  # it has ended
            return known
        if command != known:
            for start in range(0, len(command), 15):
                self._pending.append(NAME.pack(start == 0, command[start : start + 15], -child.pid))
        return command

    def _sample_children(self, now: float) -> None:
        sizes: dict[int, int] = {}
        for pid, child in list(self._children.items()):
            try:
                sizes[pid] = child.rss()
            except (OSError, ValueError, IndexError):  # it ended
                self._pending.append(RECORD.pack(now, 0, pid))
                self._children.pop(pid).close()
                self._new.pop(pid, None)
                if pid in self._shared:
                    self._share_among_fewer(now, pid)
        for pid, rss in sizes.items():
            if pid in self._shared or not self._proportional:  # else it waits for its pages to be counted
                self._pending.append(RECORD.pack(now, own_part(rss, *self._shared.get(pid, (1, 0))), pid))

    def _share_among_fewer(self, now: float, ended: int) -> None:
        """A child has ended, and the others have its part of what they shared: all of the same, until it is counted."""
        n_children = len(self._shared)
        del self._shared[ended]
        still = 1 - 1 / n_children**2  # of n + 1 processes each lacks n / (n + 1) of it, then (n - 1) / n
        self._shared = {pid: (rss, round(shared * still)) for pid, (rss, shared) in self._shared.items()}
        alone = self._more_alone or 0
        self._more = alone + round((self._more - alone) * still)
        self._pending.append(RECORD.pack(now, self._more, PROPORTION))
        self._next_proportions = max(now + _UNMAPPING, self._soonest_proportions)

    def _count_shared_pages(self, now: float) -> None:
        """What is counted holds until the next time: between these only resident sizes are looked at."""
        used = time.process_time()
        shared: dict[int, tuple[int, int]] = {}
        for pid, child in self._children.items():
            try:
                if pid in self._new and child.look() == self._process.look():
                    continue  # between vfork and exec it runs on this process' memory
                rss = child.rss()
                shared[pid] = (rss, rss - child.pss())
            except (OSError, ValueError, IndexError):  # it ended, or we may not know
                shared[pid] = (1, 0)
        try:
            more = self._process.pss() - self._process.rss()
        except (OSError, ValueError, IndexError):  # the system does not tell, or not us
            self._proportional = False
            return
        self._soonest_proportions = now + (time.process_time() - used) / _SHARE_OF_PROPORTIONS
        every = _PROPORTIONS_EVERY if self._children else _ALONE_EVERY
        self._next_proportions = max(now + every, self._soonest_proportions)
        if not all(map(_is_there, self._children.values())):  # pages of one that ends count as shared for a while
            self._next_children = now
            return
        self._more, self._shared = more, shared
        self._pending.append(RECORD.pack(now, more, PROPORTION))
        if not self._children:  # that are known: it may have forked just now
            self._more_alone = more if self._more_alone is None else max(self._more_alone, more)


def _is_there(process: Process) -> bool:
    try:
        return process.rss() > 0
    except (OSError, ValueError, IndexError):
        return False


def shared_part(child: Process, parent: Process) -> tuple[int, int]:
    """Bytes resident in a process, and how many of these others have as well; (1, 0) if the system does not tell.

    Between vfork and exec it runs on its parent's memory, and has none of its own.
    """
    seen = child.look()
    rss = child.size_in(seen)  # type: ignore[arg-type]
    if seen == parent.look():
        return rss, rss
    try:
        return rss, rss - child.private()
    except (OSError, ValueError):
        return 1, 0


def own_part(rss: int, then: int, shared: int) -> int:
    """Bytes that a process has for itself: `shared` of the `then` bytes were not when its pages were counted.

    What has come since is its own, and what has gone was so to the same share.
    """
    return rss - round(shared * min(rss / then, 1.0))


def record(process: Process, recorder: Recorder, stop: _thread.LockType, interval: float, last: float) -> None:
    """Sample every `interval` seconds until `stop` is released, a process is gone, or `last` has come.

    At 1 ms nearly all of the cost is waking up with cold caches: so few calls here,
    the names at hand, and the rest in batches.
    """
    clock, sleep, is_over = time.monotonic, time.sleep, stop.acquire
    look, keep = process.look, recorder.samples.append
    due = now = clock()
    next_look = 0.0
    before, size = None, 0
    while now < last:
        seen = look()
        if seen != before:
            before, size = seen, process.size_in(seen)  # type: ignore[arg-type]  # its own
        keep((now, size))
        if now >= next_look:
            next_look = recorder.look_around(now)
            if not next_look:
                return
        due = max(due + interval, now)
        while True:
            sleep(min(due - now, _LONGEST_SLEEP))  # a tenth less than to wait for `stop`
            if is_over(False):
                return
            now = clock()
            if now >= due:
                break


def watch(process: Process, stop: _thread.LockType, interval: float, limit: int, number: int) -> None:
    """Send the process a signal at each look that finds more than `limit` bytes resident in it."""
    parent = os.getppid()
    while not stop.acquire(True, interval) and os.getppid() == parent:
        if process.rss() > limit:
            os.kill(process.pid, number)


def wait_for_stop(stop: _thread.LockType, told: list[bytes]) -> None:
    """Release `stop` when standard input says so; `told` has the byte, if it was one."""
    told += filter(None, [os.read(0, 1)])
    stop.release()


def has_died(parent: int, process: Process) -> bool:
    """Whether the parent is gone; its end of standard input closes a moment before that shows."""
    for _ in range(50):
        if os.getppid() != parent:
            return True
        try:
            process.rss()
        except (OSError, ValueError, IndexError):
            return process.pid == parent
        time.sleep(0.01)
    return False


def keep(folder: str, title: str, parent: int) -> None:
    """Let the recording outlive the parent."""
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent))
    __import__("kept").keep(Path(folder), title=title, pid=parent, descriptor=1)


def end_script(process: Process, marks: str) -> None:
    """The end of a script whose starter is gone: nobody else would end it, or remove what it was given.

    Not by SIGHUP, which all that ``nohup`` started ignores: Jupyter on a server, often.
    """
    try:
        process.rss()  # else another process may have its pid by now
        os.killpg(process.pid, 15)  # SIGTERM
    except (OSError, ValueError, IndexError, AttributeError):  # it has ended; or this is Windows
        pass
    try:
        os.unlink(marks)
        os.rmdir(os.path.dirname(marks))
    except OSError:
        pass


def main(arguments: list[str]) -> None:
    pid, interval, *options = arguments
    parent = os.getppid()
    if "--path" in options:
        sys.path.append(options[options.index("--path") + 1])
    open_process: Callable[[int], Process] = ProcProcess if sys.platform == "linux" else PsutilProcess
    last = time.monotonic() + float(options[options.index("--for") + 1]) if "--for" in options else float("inf")
    stop = _thread.allocate_lock()
    stop.acquire()
    told: list[bytes] = []
    _thread.start_new_thread(wait_for_stop, (stop, told))
    process = open_process(int(pid))
    recorder = Recorder(
        process,
        open_process,
        children="--children" in options,
        proportional="--proportional" in options,
        high_water="--high-water" in options,
    )
    now = time.monotonic()
    recorder.samples.append((now, process.rss()))  # however long the next one takes, when the run has begun
    recorder.look_around(now)
    os.write(2, b"ready\n")
    try:
        if "--limit" in options:
            limit, number = options[options.index("--limit") + 1 :][:2]
            watch(process, stop, float(interval), int(limit), int(number))
        else:
            record(process, recorder, stop, float(interval), last)
    except (ProcessLookupError, ValueError, IndexError):  # the process is gone, or about to be
        pass
    finally:
        recorder.look_once_more(time.monotonic())
        recorder.flush()
    while time.monotonic() >= last and not stop.acquire(True, _PATIENCE) and os.getppid() == parent:
        pass
    if "--keep" in options and not told and has_died(parent, process):
        folder, title = options[options.index("--keep") + 1 :][:2]
        if "--script" in options:
            end_script(process, options[options.index("--script") + 1])
        keep(folder, title, parent)
    os.write(2, f"{time.process_time()}\n".encode())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ProcessLookupError, FileNotFoundError):
        os.write(2, b"gone\n")
    except Exception as error:  # the kernel reads this line and passes it on
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(0)  # the thread that waits for standard input would hold up an ordinary end
