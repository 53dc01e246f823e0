"""Objects that the interpreter or a library keeps by itself: where a search that goes backward ends.

    keepers = Keepers(holders)
    keepers.root_of(task)               Root("task", ("Task-7 of work()",))
    keepers.release(root, task, links)  the statement that makes it let go, and what to know about it

A pending task is in a queue of its event loop, the handler of a signal in an array of
C: the ways to these are long or hidden, and nobody would cut them there.
"""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
import types
from collections.abc import Sequence
from typing import Any, Final

from jupyter_profkit.engines.advice import Link
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.roots import Root, name_of_thread, pending_tasks
from jupyter_profkit.engines.safe_repr import exact_name, printable

__all__ = ["Keepers", "release_hook", "timer_release"]

_PLAIN: Final = frozenset(id(kind) for kind in (list, tuple, dict, set, types.CellType))


class Keepers:
    """What keeps objects here; only ids of them are held.

    Parameters
    ----------
    holders : who has names here.
    """

    def __init__(self, holders: Holders) -> None:
        self._holders = holders
        self._roots = {**pending_tasks(), **_signal_handlers()}
        self._handle = getattr(sys.modules.get("asyncio.events"), "TimerHandle", None)

    def root_of(self, obj: Any) -> Root | None:
        """The name of `obj`, if it is kept without one."""
        kind = type(obj)
        if id(kind) in _PLAIN:  # most are; this is asked of every object that a search meets
            return None
        if self._holders.is_shell(obj):
            return Root("shell", ("IPython itself",))
        if kind is self._handle and not obj.cancelled():
            return Root("event loop", ("a call that waits in the event loop",))
        if kind is contextvars.Context:
            return Root("context", ("a context",))
        return self._roots.get(id(obj))

    def release(self, root: Root, obj: Any, behind: Sequence[Any], links: Sequence[Link]) -> tuple[str, str]:
        """The statement that makes `obj`, which has the name `root`, let go; and what to know about it.

        Parameters
        ----------
        behind : the objects from there to the one that should go.
        links : the steps between them.
        """
        name = root.name.partition(" ")[0]
        match root.kind:
            case "task":
                found = f"{{t.get_name(): t for t in asyncio.all_tasks()}}[{name!r}]"
                return f"import asyncio; {found}.cancel();", "or wait until it is done"
            case "event loop":
                place = _place(getattr(_running_loop(), "_scheduled", ()), obj)
                free = f"import asyncio; asyncio.get_running_loop()._scheduled[{place}].cancel()" if place >= 0 else ""
                return free, "or wait until it was called"
            case "signal":
                return f"import signal; signal.signal(signal.{name}, signal.SIG_DFL);", "the signal's own action again"
            case "context":
                return self._release_context(obj, behind)
        return _release_shell(links)

    def _release_context(self, context: Any, behind: Sequence[Any]) -> tuple[str, str]:
        kept = {id(one) for one in behind}
        for variable, value in contextvars.Context.items(context):
            if id(value) in kept:
                names = [exact_name(name) for name, one in list(self._holders.namespace.items()) if one is variable]
                if names and names[0].isidentifier():
                    return f"{names[0]}.set(None);", "contexts that were copied from this one keep it until they go"
                return "", f"it is the value of the context variable {printable(variable.name, 60)}"
        return "", "it goes when that context goes"


def _release_shell(links: Sequence[Link]) -> tuple[str, str]:
    labels = [link.labels[0] if link.labels else "" for link in links[:4]]
    if labels[:2] == [".events", ".callbacks"] and len(labels) == 4:
        return f"del get_ipython().events.callbacks{labels[2]}{labels[3]}", "it is no longer called, then"
    return "", "IPython keeps it"


def _place(objects: Any, wanted: object) -> int:
    return next((place for place, one in enumerate(list(objects)) if one is wanted), -1)


def _running_loop() -> Any:
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events is not None else None


def _signal_handlers() -> dict[int, Root]:
    found: dict[int, Root] = {}
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler) and isinstance(number, signal.Signals):
                found[id(handler)] = Root("signal", (f"{number.name} has this handler",))
    return found


def release_hook(root: Root) -> tuple[str, str]:
    """How a hook of the interpreter is put back; empty if `root` is none."""
    module, _, name = root.name.partition(" .")
    if module == "sys" and hasattr(sys, f"__{name}__"):
        return f"import sys; sys.{name} = sys.__{name}__", "Python's own hook again"
    return "", ""


def timer_release(thread: Any) -> tuple[str, str]:
    """How a thread lets go: a timer can be cancelled, any other one has to end."""
    if type(thread) is threading.Timer:
        found = "{t.name: t for t in threading.enumerate()}"
        name = name_of_thread(thread).removeprefix("thread ")
        return f"import threading; {found}[{name!r}].cancel()", "or wait until it has run"
    return "", "it goes when that function returns"
