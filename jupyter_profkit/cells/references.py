"""Objects to described graphs and counts.

    graph = draw_references([x, y], back=True, names=["x", "y"])
    counts = count_types(limit=4)

The filters are the only code of the user's that runs here, besides ``repr`` if it is
asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_profkit.cells.expressions import predicate_of
from jupyter_profkit.engines.reference_anchors import LiveReferences, keep_live
from jupyter_profkit.engines.reference_draft import Predicates
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.references import Walk, WalkOptions, walk_references
from jupyter_profkit.engines.type_counts import count_types as count_all_types
from jupyter_profkit.engines.type_counts import records_of
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.references import ReferenceGraph, TypeCounts
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell
from jupyter_profkit.views.words import counted

__all__ = [
    "count_types",
    "draw_references",
]

_COUNTED_BY = "objgraph, over all objects that the garbage collector tracks"
_NOT_TRACKED = "Numbers, strings and containers of only those are not tracked, and not counted."


def draw_references(
    objects: Sequence[object],
    *,
    filter: Any = None,  # noqa: A002 - the option's name
    extra_ignore: Iterable[object] = (),
    highlight: Any = None,
    names: Sequence[str] = (),
    shell: Any = None,
    namespace: dict[str, Any] | None = None,
    step: Step = no_step,
    **bounds: Any,
) -> ReferenceGraph:
    """What `objects` refer to, or with ``back=True`` what refers to them.

    Parameters
    ----------
    objects : any objects; a list among them is drawn itself, not item by item.
    filter, highlight : see `predicate_of`.
    extra_ignore : objects to leave out, or their ids.
    names : what the objects are called; the names of variables are found without.
    shell : the InteractiveShell, to name what it holds; the running one by default.
    namespace : the variables; the shell's by default.
    step : told now and then how many references were read.
    **bounds : what to tell and how much of it, as `WalkOptions` has it; None is its default.

    Raises
    ------
    TargetError
        If there is no object, or a filter cannot be evaluated.
    """
    if not len(objects):
        raise TargetError("objrefs takes the objects to draw; there is none")
    shell = shell if shell is not None else running_shell()
    holders = Holders(shell, namespace)
    options = WalkOptions(
        keep=predicate_of(filter, holders.namespace),
        ignore=frozenset(one if type(one) is int else id(one) for one in extra_ignore),
        highlight=predicate_of(highlight, holders.namespace),
        **{name: value for name, value in bounds.items() if value is not None},
    )
    started, clock = time.time(), time.perf_counter()
    walk = walk_references(objects, holders, options, names, step=step)
    duration = time.perf_counter() - clock
    graph = ReferenceGraph(
        Session(" ".join(["%objrefs", *["-b"] * options.back, *names]), started, duration),
        Method(_read_how(walk, back=options.back), notes=walk.notes),
        walk.nodes,
        walk.edges,
        options.back,
        options.max_depth,
    )
    n_starts = sum(node.role == "start" for node in walk.nodes)
    keep_live(graph, LiveReferences(walk.anchors, options, tuple(names), n_starts, shell))
    return graph


def _read_how(walk: Walk, *, back: bool) -> str:
    source = "gc.get_referrers" if back else "gc.get_referents"
    how = f"breadth-first over {source}, {counted(walk.n_references, 'reference')} read"
    if walk.n_hidden:
        how += f"; not drawn: {walk.n_hidden:,} to classes and to the globals and code of functions"
    return how


def count_types(
    limit: int | None = 10,
    *,
    shortnames: bool = True,
    filter: Any = None,  # noqa: A002 - the option's name
    namespace: dict[str, Any] | None = None,
) -> TypeCounts:
    """The most common types of tracked objects.

    Parameters
    ----------
    limit : types to tell; all of them if 0 or None.
    shortnames : types without their modules.
    filter : count only objects that pass, see `predicate_of`.
    namespace : the variables, for a filter that is text.

    Raises
    ------
    TargetError
        If the filter cannot be evaluated.
    """
    predicates = Predicates(predicate_of(filter, namespace or {}))
    started, clock = time.time(), time.perf_counter()
    counts = count_all_types(None if predicates.keeps_all else predicates.keeps)
    n_objects = sum(counts.values())
    return TypeCounts(
        Session("%objtypes", started, time.perf_counter() - clock),
        Method(_COUNTED_BY, n_events=n_objects, notes=(_NOT_TRACKED, *predicates.notes())),
        tuple(records_of(counts, shortnames=shortnames)[: limit or None]),
        n_objects,
    )
