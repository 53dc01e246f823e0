"""Names at which a search for what holds an object ends, as a reader knows them.

    list(roots_of([Holder("IPython", "Out[3]"), Holder("IPython", "_, _3"), Holder("variable", "x")]))
    [Root("variable", ("x",)), Root("IPython", ("Out[3]", "_3", "_"))]

* What IPython keeps of one displayed object is one name: one statement lets go of it.
* Some libraries keep their objects in a dictionary of the process: open figures,
  widgets, threads. `registries` knows these dictionaries by identity.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.reference_holders import Holder
from jupyter_profkit.engines.safe_repr import exact_name, module_dict, printable

__all__ = ["OUT", "UNDERSCORES", "Root", "name_of_thread", "pending_tasks", "registries", "roots_of", "thread_name"]

OUT: Final = re.compile(r"Out\[(\d+)\]")
UNDERSCORES: Final = re.compile(r"_{1,3}|_\d+")


@dataclass(frozen=True)
class Root:
    """A name, or all of IPython's names for one object."""

    kind: str
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        return ", ".join(self.labels)


def roots_of(holders: Sequence[Holder]) -> Iterator[Root]:
    """Each name by itself, but all that IPython keeps of one object together."""
    outputs: dict[str, None] = {}
    waiting = False
    for holder in holders:
        if holder.type == "IPython" and holder.label == "last result":
            waiting = True
        elif holder.type == "IPython":
            outputs.update(dict.fromkeys(_output_labels(holder)))
        elif holder.type == "Python":
            yield Root("last error", ("the last error",))
        elif holder.type == "module":
            yield from (Root("module", (f"{holder.label} {edge}",)) for edge in holder.edge.split(", ")[:1])
        else:
            yield Root(holder.type, (holder.label,))
    if outputs:
        yield Root("IPython", tuple(sorted(outputs, key=_by_fame)))
    elif waiting:
        yield Root("last result", ("the result of the last cell",))


def _output_labels(holder: Holder) -> Iterator[str]:
    match holder.label:
        case "hidden names":
            yield from (f"hidden {name.removeprefix('.')}" for name in holder.edge.split(", "))
        case "display hook":
            yield from (f"display hook {name}" for name in holder.edge.split(", "))
        case names:
            yield from names.split(", ")


def _by_fame(name: str) -> tuple[bool, bool, str]:
    """``Out[5]`` first, then ``_5`` and ``_``, then what only IPython knows."""
    return not name.startswith(("Out[", "_")), name.startswith("_"), name


def registries() -> Iterator[tuple[int, Callable[[Any, Any], Holder]]]:
    """Dictionaries of libraries in which a reader knows the entries, by id, and how to name one."""
    gcf = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    if gcf is not None:
        yield id(gcf.figs), lambda figs, held: Holder("matplotlib", f"figure {_key_of(figs, held)}")
    yield id(module_dict(threading)["_active"]), lambda _, held: Holder("thread", name_of_thread(held))
    finalizers = getattr(weakref.finalize, "_registry", None)
    if type(finalizers) is dict:
        yield (
            id(finalizers),
            lambda all_, held: Holder("finalizer", f"weakref.finalize number {_number_of(all_, held)}"),
        )
    widgets = getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", None)
    if type(widgets) is dict:
        yield id(widgets), lambda *_: Holder("widgets", "open widgets")
    comms = getattr(getattr(sys.modules.get("ipykernel.ipkernel"), "_comm_manager", None), "comms", None)
    if type(comms) is dict:
        yield id(comms), lambda all_, held: _comm(all_, held, widgets)


def _comm(comms: Any, held: object, widgets: Any) -> Holder:
    """An open connection to the front end; that of a widget goes with the widget."""
    key = _key_of(comms, held)
    is_widgets = type(widgets) is dict and key in widgets
    return Holder("widgets", "open widgets") if is_widgets else Holder("comms", f"the open comm {exact_name(key)}")


def pending_tasks() -> dict[int, Root]:
    """The asyncio tasks that wait, by id: their loop keeps them until they are done."""
    tasks = sys.modules.get("asyncio.tasks")
    kind = getattr(tasks, "Task", None)
    found: dict[int, Root] = {}
    for place in ("_scheduled_tasks", "_eager_tasks", "_all_tasks"):  # 3.12 and later, 3.11
        for task in list(getattr(tasks, place, ())):
            if type(task) is kind and not task.done() and not _is_the_shells(task):
                found[id(task)] = Root("task", (f"{printable(task.get_name(), 40)} of {_function_of(task)}()",))
    return found


def _is_the_shells(task: Any) -> bool:
    """Whether a task is one of those that make the kernel go."""
    filename = getattr(getattr(task.get_coro(), "cr_code", None), "co_filename", "")
    return any(f"{name}{os.sep}" in filename for name in ("ipykernel", "tornado", "jupyter_client", "IPython", "zmq"))


def _function_of(task: Any) -> str:
    return printable(getattr(getattr(task.get_coro(), "cr_code", None), "co_qualname", "a coroutine"), 60)


def _key_of(mapping: Any, value: object) -> object:
    return next((key for key, held in list(dict.items(mapping)) if held is value), "?")


def _number_of(finalizers: Any, held: object) -> object:
    """The number that `weakref.finalize` gave to the one that holds something: it stays when others go."""
    return next((made.index for one, made in list(dict.items(finalizers)) if one is held or made is held), -1)


def thread_name(thread_id: int) -> str:
    thread = threading._active.get(thread_id)  # type: ignore[attr-defined]
    return name_of_thread(thread) if thread is not None else "a thread"


def name_of_thread(thread: Any) -> str:
    return f"thread {printable(exact_name(object.__getattribute__(thread, '_name')))}"
