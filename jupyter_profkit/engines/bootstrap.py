"""What a script's process runs before the script, so that its marks are recorded.

    python bootstrap.py MARKS script.py [argument ...]
    python bootstrap.py MARKS -m module [argument ...]

* The script finds ``profile`` among the builtins, as under ``mprof run``, and
  ``from memory_profiler import profile`` gives it the same: calls are marked
  instead of traced line by line, so they cost microseconds. ``profile.timestamp``
  marks a block.
* So do its workers, whichever way they start: forked ones have all of it, what
  multiprocessing or joblib start anew is told with its first orders (`follow_workers`).
* It runs as ``python script.py`` in a terminal would run it: ``__main__``,
  ``sys.argv``, ``sys.path``, exit code and tracebacks are its own, and output is
  written line by line.
* It waits for the end of its standard input, by which the recorder says that it is
  ready; there is nobody who could type in a cell.
* Marks are appended to the file MARKS as they happen, so that a crash loses none:
  ``+ pid number level time bytes label`` on entering, ``- pid number time bytes``
  on leaving, and at an ordinary end ``P pid time bytes``, the high-water mark.
  Times are those of ``time.monotonic``; 0 bytes are unknown.

It is a program of its own, on the standard library alone; nothing imports it.
"""

# ruff: noqa: PTH100, PTH120, PTH123, SIM105
# (what pathlib and contextlib take would count as the script's; some parameters are other people's)

from __future__ import annotations

import atexit
import builtins
import contextvars
import itertools
import os
import sys
import time

TYPE_CHECKING = False  # the script's memory is measured: what is imported here counts as its own
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator
    from importlib.machinery import ModuleSpec
    from types import TracebackType
    from typing import Any

_NAME, _IN_WORKER = "_jupyter_profkit_bootstrap", "_jupyter_profkit_worker"
_MAX_MARKS = 10_000
_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200

_level: contextvars.ContextVar[int] = contextvars.ContextVar("level", default=0)


class Marks:
    """Writes marks to a file as they happen; processes that the script starts write there too."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:  # a worker that outlived the recording: its own work goes on
            self._file = -1
        self._numbers = itertools.count()
        self._statm = (0, -1)

    def enter(self, label: str, level: int) -> int:
        """The number of a new mark, or -1 when there are too many."""
        number = next(self._numbers)
        if number >= _MAX_MARKS:
            return -1
        label = label.encode("unicode_escape").decode("ascii")
        self._write(f"+ {os.getpid()} {number} {level} {time.monotonic()} {self.rss()} {label}\n")
        return number

    def leave(self, number: int) -> None:
        if number >= 0:
            self._write(f"- {os.getpid()} {number} {time.monotonic()} {self.rss()}\n")

    def note_high_water(self) -> None:
        """Write how high memory has been; the last deed of the process."""
        try:
            with open("/proc/self/status", "rb") as file:
                status = file.read()
        except OSError:  # another system: samples have to do
            return
        start = status.find(b"VmHWM:") + 6
        kilobytes = int(status[start : status.index(b"kB", start)])
        self._write(f"P {os.getpid()} {time.monotonic()} {kilobytes * 1024}\n")

    def _write(self, line: str) -> None:
        try:
            os.write(self._file, line.encode())
        except OSError:  # the script has closed it, or the disk is full: its own work goes on
            pass

    def rss(self) -> int:
        """Bytes resident, 0 where that cannot be told."""
        if sys.platform != "linux":
            return _psutil_rss()
        pid, descriptor = self._statm
        try:
            if pid != os.getpid():  # a descriptor inherited by a fork tells of the parent
                descriptor = os.open("/proc/self/statm", os.O_RDONLY)
                self._statm = (os.getpid(), descriptor)
            return int(os.pread(descriptor, 128, 0).split(b" ", 2)[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            return 0


def _psutil_rss() -> int:
    try:
        import psutil

        return int(psutil.Process().memory_info().rss)
    except Exception:  # psutil is not there, or has its own troubles; the mark is good without it
        return 0


class Timestamp:
    """A marked block: what ``profile.timestamp("label")`` gives, and what a marked call runs in."""

    def __init__(self, marks: Marks, label: str) -> None:
        self._marks = marks
        self._label = label
        self._open: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        level = _level.get()
        _level.set(level + 1)
        self._open.append((self._marks.enter(self._label, level), level))

    def __exit__(self, *_: object) -> None:
        number, level = self._open.pop()
        _level.set(level)
        self._marks.leave(number)


class Marker:
    """Makes the marks of one function; a copy of it in another process writes to the same file."""

    def __init__(self, marks: Marks, label: str) -> None:
        self._marks = marks
        self._label = label

    def __call__(self) -> Timestamp:
        return Timestamp(self._marks, self._label)

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"{_there(self._marks)}.Marker({_there(self._marks)}.MARKS, {self._label!r})",)


def _there(marks: Marks) -> str:
    """An expression that gives this program in another process, where it may have to be run first."""
    run = f"__import__('runpy').run_path({__file__!r}, {{'MARKS_PATH': {marks.path!r}}}, {_IN_WORKER!r})"
    modules = "__import__('sys').modules"
    return f"({modules}.get({_NAME!r}) or {run} and {modules}[{_NAME!r}])"


class Profile:
    """What the script knows as ``profile``, with memory_profiler's parameters."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def __call__(self, func: Any = None, stream: object = None, precision: int = 1, backend: str = "psutil") -> Any:
        if func is None:
            return self
        if isinstance(func, (classmethod, staticmethod)):
            return type(func)(self(func.__func__))
        if not callable(func):
            raise TypeError(f"profile takes a function, not {type(func).__name__}")
        import functools

        label = f"{getattr(func, '__module__', '')}.{getattr(func, '__qualname__', type(func).__name__)}"
        return functools.wraps(func)(self._wrap(func, Marker(self._marks, label)))

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"{_there(self._marks)}.PROFILE",)

    def timestamp(self, name: str = "<block>") -> Timestamp:
        """A context manager that marks its block."""
        return Timestamp(self._marks, name)

    @staticmethod
    def _wrap(func: Callable[..., Any], mark: Callable[[], Timestamp]) -> Callable[..., Any]:
        flags = getattr(getattr(func, "__code__", None), "co_flags", 0)

        if flags & _CO_COROUTINE:

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with mark():
                    return await func(*args, **kwargs)

            return coroutine
        if flags & _CO_ASYNC_GENERATOR:

            async def async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
                with mark():
                    async for item in func(*args, **kwargs):
                        yield item

            return async_generator
        if flags & _CO_GENERATOR:

            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                with mark():
                    return (yield from func(*args, **kwargs))

            return generator

        def function(*args: Any, **kwargs: Any) -> Any:
            with mark():
                return func(*args, **kwargs)

        return function


class ImportHook:
    """Does something to modules as they are imported; nothing is imported for it.

    Parameters
    ----------
    actions : by the module's name, what is called with it once it has been executed.
    """

    def __init__(self, actions: dict[str, Callable[[Any], None]]) -> None:
        self._actions = actions

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        action = self._actions.pop(name, None)
        if action is None:
            return None
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                action(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class Orders:
    """Comes with the first data that a worker reads, before it imports the script: it then has ``profile``, too."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (_there(self._marks),)


def follow_workers(spawn: Any, marks: Marks) -> None:
    """Let processes that a module like `multiprocessing.spawn` prepares have ``profile``."""
    prepare = spawn.get_preparation_data

    def get_preparation_data(name: str, *args: Any, **kwargs: Any) -> Any:
        data = prepare(name, *args, **kwargs)
        if name == "ignore":  # for the fork server, which reads no orders: its workers import the script then
            data.pop("init_main_from_path", None)
        data["jupyter_profkit"] = Orders(marks)
        return data

    spawn.get_preparation_data = get_preparation_data


def install(marks: Marks) -> None:
    """Let this process have ``profile``, and what it imports and starts."""
    profile = Profile(marks)
    builtins.profile = profile  # type: ignore[attr-defined]
    ours = type(sys)(_NAME)
    vars(ours).update(globals(), MARKS=marks, PROFILE=profile)
    sys.modules[_NAME] = ours

    def replace_profile(module: Any) -> None:
        module.profile = profile

    def follow(module: Any) -> None:
        follow_workers(module, marks)

    spawners = ("multiprocessing.spawn", "joblib.externals.loky.backend.spawn", "loky.backend.spawn")
    for name in {*spawners} & {*sys.modules}:
        follow(sys.modules[name])
    sys.meta_path.insert(0, ImportHook({"memory_profiler": replace_profile, **dict.fromkeys(spawners, follow)}))


def show_without_our_frames(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """The excepthook: a traceback as it would be without this program."""
    kept = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__:
            kept.append(traceback)
        traceback = traceback.tb_next
    for entry, following in zip(kept, [*kept[1:], None]):  # noqa: B905 - one longer by design
        entry.tb_next = following
    first = kept[0] if kept else None
    sys.__excepthook__(kind, error.with_traceback(first), first)


def main() -> None:
    ours = sys.modules["__main__"]
    marks = Marks(sys.argv[1])
    sys.argv = sys.argv[2:]
    install(marks)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # as in a terminal
    sys.excepthook = show_without_our_frames
    atexit.register(marks.note_high_water)
    sys.modules[_NAME].ours = ours  # type: ignore[attr-defined]  # which keeps this module's names alive
    run = ready_module() if sys.argv[0] == "-m" else ready_script(sys.argv[0], marks)
    os.read(0, 1)
    run()


def ready_script(script: str, marks: Marks) -> Callable[[], object]:
    """What runs it, as ``python script.py`` does."""
    begin_path_with(os.path.dirname(os.path.realpath(script)))
    path = os.path.abspath(script)
    sys.modules["__main__"] = module = make_main(path)
    with open(path, "rb") as file:
        source = file.read()
    if sys.platform != "linux" and b"profile" in source:
        marks.rss()  # imports psutil, which the first mark would otherwise do
    return lambda: exec(compile(source, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - the user's own


def ready_module() -> Callable[[], object]:
    """What runs the module that the arguments name, as ``python -m`` does, by the same function."""
    import runpy

    begin_path_with(os.getcwd())  # noqa: PTH109
    _, name, *arguments = sys.argv
    sys.argv = [name, *arguments]
    module: Any = type(sys)("__main__")
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    return lambda: runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def begin_path_with(folder: str) -> None:
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder


def make_main(path: str) -> Any:
    """A ``__main__`` as Python makes it for a script."""
    from importlib.machinery import SourceFileLoader

    module: Any = type(sys)("__main__")
    module.__file__ = path
    module.__builtins__ = builtins
    module.__cached__ = None
    module.__loader__ = SourceFileLoader("__main__", path)
    return module


if __name__ == "__main__":
    main()
elif __name__ == _IN_WORKER:
    install(Marks(MARKS_PATH))  # type: ignore[name-defined]  # noqa: F821 - whoever runs it there says so
