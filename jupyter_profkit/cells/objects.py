"""Objects of the notebook: why one is alive, and what its names hold.

    explain_holders([x], name="x")      ObjectHolders
    weigh_namespace(trim=True)          NamespaceMemory

Evaluating what the user typed is the magic's business; nothing of the user's runs here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_profkit.engines.holdings import HoldingCounts, count_holdings
from jupyter_profkit.engines.notebook_owners import Cast, NotebookOwner, notebook_owners
from jupyter_profkit.engines.process_memory import ProcessMemory, can_give_back, give_back, read_process_memory
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.safe_repr import describe, printable, type_name
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.engines.why import find_holders
from jupyter_profkit.errors import MissingDependencyError, TargetError
from jupyter_profkit.model.objects import MemoryHolder, MemoryPart, NamespaceMemory, ObjectHolders
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell
from jupyter_profkit.views.words import counted

__all__ = ["explain_holders", "weigh_namespace"]

_IMMORTAL = 2**29


def explain_holders(
    objects: Sequence[Any],
    *,
    name: str = "",
    time_limit: float = 5.0,
    shell: Any = None,
    namespace: dict[str, Any] | None = None,
    step: Step = no_step,
) -> ObjectHolders:
    """Who keeps an object alive, and the statement that ends each chain.

    Parameters
    ----------
    objects : a list with the one object; the list itself is not told as a holder.
    name : what the object is called.
    time_limit : seconds after which the search ends with what it found.
    shell : the InteractiveShell, to name what it holds; the running one by default.
    namespace : the variables; the shell's by default.
    step : told now and then how many objects were looked behind.

    Raises
    ------
    TargetError
        If it is not one object.
    """
    if len(objects) != 1:
        raise TargetError(f"objwhy takes one object, not {len(objects)}: %objwhy x")
    if sys.getrefcount(objects[0]) > _IMMORTAL or type(objects[0]) in {type(None), bool}:
        raise TargetError(
            f"{printable(name)} is {type_name(type(objects[0]))} {describe(objects[0])}, which Python keeps"
        )
    holders = Holders(shell if shell is not None else running_shell(), namespace)
    called = printable(name) or f"this {type_name(type(objects[0]))}"
    started, clock = time.time(), time.perf_counter()
    found = find_holders(objects, holders, name, time_limit, step=step)
    return ObjectHolders(
        Session(f"%objwhy {called}", started, time.perf_counter() - clock),
        Method(
            f"gc.get_referrers, {counted(found.n_read, 'object')} looked behind",
            notes=tuple(found.notes),
        ),
        called,
        type_name(type(objects[0])),
        describe(objects[0]),
        tuple(found.chains),
        found.in_cycle,
        found.n_unseen,
    )


def weigh_namespace(
    *, trim: bool = False, shell: Any = None, namespace: dict[str, Any] | None = None, step: Step = no_step
) -> NamespaceMemory:
    """What each variable holds, what IPython holds, and where the rest of the resident memory is.

    Parameters
    ----------
    trim : give what is free in the C library back to the system first.
    shell : the InteractiveShell; the running one by default.
    namespace : the variables; the shell's by default.
    step : told now and then how many objects were counted.

    Raises
    ------
    MissingDependencyError
        If `trim` is asked for where the C library cannot do it.
    """
    if trim and not can_give_back():
        raise MissingDependencyError("--trim needs the C library of GNU (Linux); leave it out here")
    shell = shell if shell is not None else running_shell()
    namespace = Holders(shell, namespace).namespace
    started, clock = time.time(), time.perf_counter()
    given_back = give_back() if trim else None
    memory = read_process_memory()  # before the walk, which takes memory itself
    cast = notebook_owners(shell, namespace)
    counts = count_holdings([one.owner for one in cast.owners], cast.blocked, step)
    holders = tuple(_memory_holders(cast, counts))
    parts = tuple(_parts(holders, counts, memory))
    duration = time.perf_counter() - clock
    return NamespaceMemory(
        Session("%memwhos", started, duration),
        Method(
            f"every object once, {counts.n_all:,} of them; resident memory from the system",
            n_events=counts.n_all,
            notes=tuple(_weighing_notes(cast, memory)),
        ),
        holders,
        memory.rss,
        parts,
        given_back,
    )


def _memory_holders(cast: Cast, counts: HoldingCounts) -> Iterator[MemoryHolder]:
    labels: dict[int, list[str]] = {}
    for one in cast.owners:
        if one.subject is not None:
            labels.setdefault(id(one.subject), []).append(one.owner.name)
    for number, one in enumerate(cast.owners):
        if one.owner.is_system and not counts.n_objects[number]:
            continue
        others = [label for label in labels.get(id(one.subject), ()) if label != one.owner.name]
        yield MemoryHolder(
            one.kind,
            printable(one.owner.name, 60),
            *_described(one),
            exclusive=counts.exclusive[number],
            shared=counts.shared[number],
            n_objects=counts.n_objects[number],
            also=printable(", ".join(others), 60),
        )


def _described(one: NotebookOwner) -> tuple[str, str]:
    if one.kind not in {"variable", "output"}:
        return "", ""
    return type_name(type(one.subject)), describe(one.subject)


_PARTS = (
    ("variable", "variables", "what only one variable reaches"),
    ("output", "Out, _ and other outputs", "displayed objects that IPython keeps, and nothing else does"),
)
_SYSTEM_TIPS = {
    "the last error": "it keeps the variables of the functions that it went through",
    "history": "the text of the cells",
    "IPython itself": "the shell and the kernel",
    "modules, classes, their code": "of libraries too, with what they keep",
    "other objects": "what threads, running functions and nobody else reach",
}


def _parts(holders: Sequence[MemoryHolder], counts: HoldingCounts, memory: ProcessMemory) -> Iterator[MemoryPart]:
    """Pieces of the resident memory; the last one makes the sum right."""
    found = [
        MemoryPart(name, sum(one.exclusive for one in holders if one.kind == kind), tip) for kind, name, tip in _PARTS
    ]
    tip = "what several variables, outputs, IPython or modules reach, counted once"
    found.append(MemoryPart("shared", counts.shared_total, tip))
    system = {one.name: one.exclusive for one in holders if one.kind not in {"variable", "output"}}
    found += [MemoryPart(name, size, _SYSTEM_TIPS.get(name, "")) for name, size in system.items()]
    for name, size, tip in (
        ("free in Python's allocator", memory.free_python, "not returned to the system: other objects keep its pools"),
        ("free in the C library", memory.free_c, "not returned to the system; --trim gives back what can be"),
        ("programs and libraries", memory.files, "mapped files"),
    ):
        if size is not None:
            found.append(MemoryPart(name, size, tip))
    rest = memory.rss - sum(part.size for part in found)
    if rest >= 0:
        found.append(MemoryPart("not explained", rest, "memory of C libraries, stacks of threads, the allocators' own"))
    else:
        tip = "counted above and not in memory: never written to (numpy.zeros), or swapped out"
        found.append(MemoryPart("not resident", rest, tip))
    yield from (part for part in found if part.size or part is found[-1])


def _weighing_notes(cast: Cast, memory: ProcessMemory) -> Iterator[str]:
    if cast.n_left_out:
        yield f"Not listed: {counted(cast.n_left_out, 'name')} of modules, classes and functions of libraries."
    if memory.free_c is None:
        yield "This system does not tell what is free in its C library; that is in the last line."
