"""Stacks of the measured thread, sampled while the exact engine counts.

    sampler = StackSampler("/tmp/ipykernel_7/123.py")
    sampler.start()
    ...
    sampler.stop()
    sampler.tree()              a CallTree

* A sample weighs the time since the one before. A call of a C function that holds the
  interpreter delays the sample to its end, and so is charged with all it took. After an
  operator, `return_points` or `ended_calls` see to it that it is.
* The stack is read outward to the cell's statement, or to the frame that holds the
  block. Samples without either are of the event loop: if the user's code is on the
  stack it is a task, which begins there; if not, the cell waits.
* While the cell awaits, its frames are not on the stack: the coroutines are asked what
  they wait for, from the statement inward, and the time is theirs.
* Time in which the thread did not run, by its own doing, is waiting: a sleep, a lock, a
  read. That the machine had other work is not.
* What a reader sees is decided when the tree is made. This package's own frames, code
  without a file and comprehensions count on their caller; neighbouring frames of one
  library are one; recursion, also of several functions in turn, is folded.
"""

from __future__ import annotations

import dis
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from jupyter_profkit.engines.awaits import current_task
from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.ended_calls import EndedCalls
from jupyter_profkit.engines.idle import IdleMeter
from jupyter_profkit.engines.return_points import ReturnPoints
from jupyter_profkit.engines.scope import PART_OF_A_STATEMENT
from jupyter_profkit.engines.scoped_profiler import is_own_code
from jupyter_profkit.engines.timers import Pacer, ThreadPacer, Tick, pacer_for
from jupyter_profkit.model.call_tree import CallTree, Frame, merged
from jupyter_profkit.source import CALLED_IN_BETWEEN, is_user_file, label_of, line_range, source_line

__all__ = ["AWAITING", "OUTSIDE", "Meanwhile", "StackSampler", "fold", "package_of"]

OUTSIDE: Final = "(waiting, or work of the event loop and the shell)"
"""The frame that stands for the time in which nothing of the cell was on the stack."""

AWAITING: Final = "(awaiting)"
"""The frame that stands for the time in which a coroutine waited, and nothing of the cell ran."""

_SHELL: Final = frozenset({"IPython", "decorator", "ipykernel", "jupyter_client", "traitlets", "zmq"})
"""What these call of each other and of the standard library is the shell's work all the same."""

_MOST_NODES: Final = 50_000
_DEEPEST: Final = 64
_DEEPEST_RAW: Final = 400
_LONGEST_CYCLE: Final = 12
_MOST_OF_THE_TIME: Final = 0.05
_LONGEST_PAUSE: Final = 10
_LONGEST_SOURCE: Final = 80
_DEEPEST_CALLBACK: Final = 12

_RESUME: Final = dis.opmap["RESUME"]

_SUSPENDED: Final = (lambda: None).__code__
"""Stands between the coroutines that wait and what was on the stack meanwhile."""


class _Node:
    """A code object on one path of callers."""

    __slots__ = ("children", "idle", "n_samples", "weight")

    def __init__(self) -> None:
        self.children: dict[CodeType, _Node] = {}
        self.weight = 0.0
        self.idle = 0.0
        self.n_samples = 0


@dataclass(slots=True)
class Meanwhile:
    """What else went on while a statement ran, in seconds; none of it is part of another."""

    imports: float = 0.0
    """Modules that were loaded, but not at the statement's own request."""
    waiting: float = 0.0
    """The thread slept, or stood still for a lock or a device; the statement's own frames were on the stack."""
    awaiting: float = 0.0
    """The statement was suspended, and nothing of the user's ran."""
    tasks: float = 0.0
    """The statement was suspended, and the user's other tasks ran."""


class StackSampler:
    """Samples the calling thread's stack, from `start` to `stop`.

    Parameters
    ----------
    filename : file name of the measured cell or script; None for the block that calls `start`.
    interval : seconds between two samples.
    pacer : what ticks; by default the best one for the thread.
    block : the block that calls `start`, if its statements are to be told apart.
    ended : tells which calls have ended since a sample was due, where `ReturnPoints` are not to be had.
    """

    def __init__(
        self,
        filename: str | None = None,
        interval: float = 0.001,
        pacer: Callable[[Tick], Pacer] | None = None,
        block: WithBlock | None = None,
        ended: EndedCalls | None = None,
    ) -> None:
        self._filename = filename
        self._block = block
        self._interval = interval
        self._make_pacer: Callable[[Tick], Pacer] = pacer if pacer is not None else pacer_for
        self._pacer: Pacer | None = None
        self._points = ReturnPoints()
        self._ended = ended
        self._base: FrameType | None = None
        self._base_code: CodeType | None = None
        self._task: Any = None
        self._idle: IdleMeter | None = None
        self._last = 0.0
        self._due = 0.0
        self._took = 0.0
        self._root = _Node()
        self._n_nodes = 0
        self._engine = ""
        self.cost = 0.0
        """Seconds that the sampling itself took."""

    def start(self) -> None:
        """Begin to sample; on a system with neither timers nor threads there are no samples."""
        if self._filename is None:
            self._base = _outside_of_us(sys._getframe(1))
            self._base_code = self._base.f_code if self._base is not None else None
        self._task = current_task()
        self._points.open()
        self._idle = IdleMeter.of_this_thread()
        self._last = time.perf_counter()
        self._due = self._last + self._interval
        for make in (self._make_pacer, ThreadPacer):
            pacer = make(self._tick)
            try:
                pacer.start(self._interval)
            except (OSError, RuntimeError):  # no signal is free, or no thread to be had
                continue
            self._pacer, self._engine = pacer, pacer.description
            return

    def begin(self) -> None:
        """What is measured begins now; what has passed since `start` is nobody's."""
        self._last = time.perf_counter()

    def stop(self) -> None:
        """End sampling; a second call does nothing."""
        if self._pacer is not None:
            self._pacer.stop()
        self._points.close()
        self._pacer = self._base = self._task = None

    def _tick(self, frame: FrameType | None) -> float:
        """Take a sample; returns the seconds to the next one."""
        __tracebackhide__ = True
        now, began = time.perf_counter(), time.thread_time()  # the machine's other work is not this sample's cost
        passed, self._last = now - self._last, now
        idle = self._idle.read(passed) if self._idle is not None else 0.0
        frame = _looked_on(frame)
        is_late = now > self._due + self._interval
        if is_late and frame is not None and frame is not self._base and _has_just_begun(frame):
            frame = frame.f_back  # where most of it has passed
        self._add_up(self._codes(frame), passed, idle)
        self._points.refill()
        took = time.thread_time() - began
        self.cost += took
        usual, self._took = min(took, self._took), took  # one sample that took long, as the first, is no reason
        delay = min(max(self._interval, usual / _MOST_OF_THE_TIME), _LONGEST_PAUSE * self._interval)
        self._due = now + delay
        return delay

    def _add_up(self, codes: list[CodeType], passed: float, idle: float) -> None:
        """Charge the time to the stack, and to functions that were on it and have ended since."""
        ended, took = self._ended.within(passed, codes, self._begins_block) if self._ended is not None else ([], 0.0)
        if ended:
            self._add(ended if self._begins_block(ended[-1]) else [*ended, *codes], took, idle)
            passed, idle = passed - took, 0.0
        self._add(codes, passed, idle)

    def _codes(self, frame: FrameType | None) -> list[CodeType]:
        """The code of each frame, innermost first; a function that calls itself stands there once."""
        codes: list[CodeType] = []
        base, filename = self._base, self._filename
        while frame is not None:
            code = frame.f_code
            if frame is base and self._block is not None:
                return [*codes, self._block.running]
            if not codes or code is not codes[-1]:
                codes.append(code)
            if frame is base or (code.co_filename == filename and code.co_name == "<module>"):
                return codes
            frame = frame.f_back
        awaiting = self._awaiting()
        return [*codes, _SUSPENDED, *reversed(awaiting)] if awaiting else codes

    def _awaiting(self) -> list[CodeType]:
        """The coroutines that wait one for another, from the block inward; nothing if the block does not wait."""
        found: list[CodeType] = []
        waits = self._task.get_coro() if self._task is not None else None
        while type(waits) in _CODE_AND_AWAITED:  # of other awaitables nothing is asked: it might run the user's code
            code_name, awaited_name = _CODE_AND_AWAITED[type(waits)]
            code = getattr(waits, code_name)
            if self._block is not None and code is self._base_code:
                code = self._block.running
            if found or self._begins_block(code):
                found.append(code)
            waits = getattr(waits, awaited_name)
        return found

    def _add(self, codes: list[CodeType], weight: float, idle: float = 0.0) -> None:
        node = self._root
        for code in codes[: -_DEEPEST_RAW - 1 : -1]:
            child = node.children.get(code)
            if child is None:
                if self._n_nodes >= _MOST_NODES:
                    break
                child = node.children[code] = _Node()
                self._n_nodes += 1
            node = child
        node.weight += weight
        node.idle += idle
        node.n_samples += 1

    # what a reader sees

    def tree(self) -> CallTree | None:
        """The stacks; None if none could be sampled."""
        if not self._engine:
            return None
        paths = [self._path(codes, node) for codes, node in self._leaves()]
        return CallTree(merged(path for path in paths if path is not None), self._interval, self._engine)

    def _leaves(self) -> Iterator[tuple[list[CodeType], _Node]]:
        """Each node with samples, and its codes, outermost first."""
        codes: list[CodeType] = []
        if self._root.n_samples:
            yield codes, self._root
        waiting = [(0, code, child) for code, child in self._root.children.items()]
        while waiting:
            depth, code, node = waiting.pop()
            codes[depth:] = [code]
            if node.n_samples:
                yield codes, node
            waiting += [(depth + 1, code, child) for code, child in node.children.items()]

    def _path(self, codes: list[CodeType], node: _Node) -> Frame | None:
        """A stack as a tree of one branch; None for this package's own work around the cell."""
        awaiting, running = _split(codes)
        frames = self._frames(self._of_the_block(running))
        if not frames:
            if any(is_own_code(code) for code in running):
                return None
            frames = self._frames(awaiting)
            frames.append(Frame(AWAITING if frames else OUTSIDE, "", 0))
        return _branch(frames, node)

    def _frames(self, codes: Sequence[CodeType]) -> list[Frame]:
        frames: list[Frame] = []
        for code in codes:
            frame = self._frame(code, frames)
            if frame is not None and len(frames) < _DEEPEST:
                frames.append(frame)
                fold(frames)
        return frames

    def meanwhile(self) -> dict[CodeType, Meanwhile]:
        """What else went on during each statement of a cell or script."""
        found: dict[CodeType, Meanwhile] = {}
        for codes, node in self._leaves():
            awaiting, running = _split(codes)
            begun = [code for code in (awaiting or running)[:1] if self._begins_block(code)]
            if not begun:
                continue
            spent = found.setdefault(begun[0], Meanwhile())
            if awaiting:
                self._add_suspended(spent, running, node)
            elif not any(is_display_hook(code) for code in running):
                _add_running(spent, running, node)
        return found

    def by_statement(self) -> dict[CodeType, float]:
        """Seconds of each statement of a block, all that ran meanwhile included."""
        found: dict[CodeType, float] = {}
        for codes, node in self._leaves():
            if codes and self._block is not None and codes[0] in self._block.codes and _SUSPENDED not in codes:
                found[codes[0]] = found.get(codes[0], 0.0) + node.weight
        return found

    def _add_suspended(self, spent: Meanwhile, running: Sequence[CodeType], node: _Node) -> None:
        if self._of_the_block(running):
            spent.tasks += node.weight
        elif not any(is_own_code(code) for code in running):
            spent.awaiting += node.weight

    def _of_the_block(self, codes: Sequence[CodeType]) -> Sequence[CodeType]:
        """The part of a stack that is the block's business."""
        if codes and self._begins_block(codes[0]):
            return self._but_our_work(codes)
        for code in reversed(codes):
            if is_own_code(code):
                return ()  # our own start or end, inside of whatever called us, and what it calls
            if self._is_users(code):
                break
        first = next((n for n, code in enumerate(codes) if self._is_users(code)), len(codes))
        return codes[first:]

    def _but_our_work(self, codes: Sequence[CodeType]) -> Sequence[CodeType]:
        """What of a stack of the block is the user's: up to code of ours that calls none of theirs, or nothing."""
        ours = next((n for n, code in enumerate(codes) if is_own_code(code)), None)
        if ours is None or (ours and any(self._is_users(code) for code in codes[ours:])):
            return codes
        return codes[:ours] if ours > 1 else ()  # right behind the block it is its start or end

    def _begins_block(self, code: CodeType) -> bool:
        if self._block is not None:
            return code in self._block.codes
        return code is self._base_code or (code.co_filename == self._filename and code.co_name == "<module>")

    def _is_users(self, code: CodeType) -> bool:
        return code.co_filename == self._filename or is_user_file(code.co_filename)

    def _frame(self, code: CodeType, callers: Sequence[Frame]) -> Frame | None:
        """How the frame of `code` is shown; None if it counts on its caller."""
        if is_own_code(code):
            return None
        if self._block is not None and code in self._block.codes:
            code = self._block.code
        if code.co_filename == self._filename and code.co_name == "<module>":
            return _statement(code)
        name = code.co_qualname.replace("<locals>.", "")
        if self._is_users(code) or code is self._base_code:
            if callers and code.co_name in PART_OF_A_STATEMENT:
                return None
            return Frame(name, code.co_filename, code.co_firstlineno, label_of(code.co_filename), is_user=True)
        package = package_of(code.co_filename)
        if not package or (callers and _does_the_work_of(callers[-1], package)):
            return None
        if is_display_hook(code):
            name = "display of the last value"
        return Frame(name, code.co_filename, code.co_firstlineno, package)


_CODE_AND_AWAITED: Final[dict[type, tuple[str, str]]] = {
    CoroutineType: ("cr_code", "cr_await"),
    GeneratorType: ("gi_code", "gi_yieldfrom"),
}
_DISPLAY_HOOK: Final = re.compile(r"[/\\](IPython[/\\]core|ipykernel)[/\\]displayhook\.py$")


def is_display_hook(code: CodeType) -> bool:
    """Whether it is the code that shows the value of a cell's last expression."""
    return bool(_DISPLAY_HOOK.search(code.co_filename))


def is_import(code: object) -> bool:
    """Whether it is the code by which Python loads a module that is not loaded yet."""
    return getattr(code, "co_name", "") == "_find_and_load" and "importlib" in getattr(code, "co_filename", "")


def _add_running(spent: Meanwhile, running: Sequence[CodeType], node: _Node) -> None:
    loading = next((n for n, code in enumerate(running) if is_import(code)), 0)
    if loading > 1:
        spent.imports += node.weight
    elif not loading:
        spent.waiting += min(node.idle, node.weight)


def _split(codes: Sequence[CodeType]) -> tuple[Sequence[CodeType], Sequence[CodeType]]:
    """The coroutines of the block that wait, and what was on the stack: of the event loop, what it runs."""
    if _SUSPENDED not in codes:
        return (), codes
    found = codes.index(_SUSPENDED)
    loop = max((n for n, code in enumerate(codes) if code.co_name == "_run_once"), default=found)
    return codes[:found], codes[max(loop, found) + 1 :]


def _looked_on(frame: FrameType | None) -> FrameType | None:
    """The frame of the measured code if a callback of ours runs for it: it is there that time passes.

    A signal that comes in a C function waits for the next Python function, which is often one of these.
    """
    found = caller = frame
    for _ in range(_DEEPEST_CALLBACK):  # no generator: each time that it goes on would be a call that is counted
        if caller is None:
            break
        each, caller = caller, caller.f_back
        if each.f_code.co_filename in CALLED_IN_BETWEEN and caller is not None and not is_own_code(caller.f_code):
            found = caller
    return found


def _has_just_begun(frame: FrameType) -> bool:
    """Whether nothing of the function has run: signals are handled as one begins."""
    instructions = frame.f_code.co_code
    offset = frame.f_lasti
    return instructions[offset] == _RESUME and instructions[offset + 1] == 0


def _outside_of_us(frame: FrameType | None) -> FrameType | None:
    while frame is not None and is_own_code(frame.f_code):
        frame = frame.f_back
    return frame


def _statement(code: CodeType) -> Frame:
    """A top-level statement: the shell compiles each by itself, as a module of its own."""
    lineno = max(line_range(code)[0], 1)
    source = source_line(code.co_filename, lineno) or "<module>"
    return Frame(source[:_LONGEST_SOURCE], code.co_filename, lineno, label_of(code.co_filename), is_user=True)


def package_of(filename: str) -> str:
    """The package or module that a library's file belongs to; empty for code without a file."""
    if filename.startswith("<"):
        return ""
    return label_of(filename).replace("\\", "/").partition("/")[0].removesuffix(".py")


def fold(frames: list[Frame]) -> None:
    """Drop the last frames if they repeat those before them: fib, fib; even, odd, even, odd."""
    last = len(frames) - 1
    for length in range(1, min(_LONGEST_CYCLE, len(frames) // 2) + 1):
        if frames[last - length] == frames[last] and frames[-length:] == frames[-2 * length : -length]:
            del frames[-length:]
            return


def _does_the_work_of(caller: Frame, package: str) -> bool:
    """Whether a library's frame counts on its caller: of the same library, or of the shell."""
    if caller.is_user:
        return False
    return caller.label == package or (
        caller.label in _SHELL and (package in _SHELL or package in sys.stdlib_module_names)
    )


def _branch(frames: Sequence[Frame], node: _Node) -> Frame:
    *callers, leaf = frames
    branch = Frame(
        leaf.function, leaf.filename, leaf.lineno, leaf.label, leaf.is_user, max(node.weight, 0.0), node.n_samples
    )
    for frame in reversed(callers):
        branch = Frame(frame.function, frame.filename, frame.lineno, frame.label, frame.is_user, children=(branch,))
    return branch
