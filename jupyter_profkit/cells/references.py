"""Objects: expressions of the user's to objects, and objects to described graphs and counts.

    names, objects = evaluate("x [y, z]", namespace)
    graph = draw_references(objects, back=True, names=names)
    growth = measure_growth(limit=4)

Evaluating what the user typed is the only code of the user's that runs here,
besides the filters and, if asked for, ``repr``.
"""

from __future__ import annotations

import ast
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jupyter_profkit.engines.reference_anchors import LiveReferences, keep_live
from jupyter_profkit.engines.reference_draft import Predicates
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.references import Walk, WalkOptions, walk_references
from jupyter_profkit.engines.safe_repr import printable, type_name
from jupyter_profkit.engines.type_counts import TypeCounter, records_of
from jupyter_profkit.engines.type_counts import count_types as count_all_types
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.references import ReferenceGraph, TypeCounts, TypeGrowth, TypeRecord
from jupyter_profkit.model.session import Method, Session

__all__ = [
    "GrowthMeasurement",
    "count_types",
    "draw_references",
    "evaluate",
    "evaluate_one",
    "measure_growth",
    "predicate_of",
]

_COUNTED_BY = "objgraph, over all objects that the garbage collector tracks"
_COLLECTED = "Counted after a full collection: what only waits to be collected is not growth."
_NOT_TRACKED = "Numbers, strings and containers of only those are not tracked, and not counted."

_since_last = TypeCounter()


def draw_references(
    objects: Sequence[object],
    *,
    back: bool = False,
    max_depth: int = 3,
    too_many: int = 10,
    filter: Any = None,  # noqa: A002 - the option's name
    extra_ignore: Iterable[object] = (),
    highlight: Any = None,
    refcounts: bool = False,
    sizes: bool = False,
    shortnames: bool = True,
    call_repr: bool = False,
    names: Sequence[str] = (),
    shell: Any = None,
    namespace: dict[str, Any] | None = None,
) -> ReferenceGraph:
    """What `objects` refer to, or with `back` what refers to them.

    Parameters
    ----------
    objects : any objects; a list among them is drawn itself, not item by item.
    back : follow references backward.
    max_depth : references to follow from the objects.
    too_many : neighbours drawn for one object; the others are counted.
    filter, highlight : see `predicate_of`.
    extra_ignore : objects to leave out, or their ids.
    refcounts : tell the number of references to each object.
    sizes : tell the bytes of each object alone.
    shortnames : types without their modules.
    call_repr : call the ``repr`` of the user's objects, within a time limit.
    names : what the objects are called; the names of variables are found without.
    shell : the InteractiveShell, to name what it holds; the running one by default.
    namespace : the variables; the shell's by default.

    Raises
    ------
    TargetError
        If there is no object, or a filter cannot be evaluated.
    """
    if not len(objects):
        raise TargetError("objrefs takes the objects to draw; there is none")
    shell = shell if shell is not None else _running_shell()
    holders = Holders(shell, namespace)
    options = WalkOptions(
        back=back,
        max_depth=max_depth,
        too_many=too_many,
        keep=predicate_of(filter, holders.namespace),
        ignore=frozenset(one if type(one) is int else id(one) for one in extra_ignore),
        highlight=predicate_of(highlight, holders.namespace),
        refcounts=refcounts,
        sizes=sizes,
        shortnames=shortnames,
        call_repr=call_repr,
    )
    started, clock = time.time(), time.perf_counter()
    walk = walk_references(objects, holders, options, names)
    duration = time.perf_counter() - clock
    graph = ReferenceGraph(
        Session(" ".join(["%objrefs", *["-b"] * back, *names]), started, duration),
        Method(_read_how(walk, back=back), notes=walk.notes),
        walk.nodes,
        walk.edges,
        back,
        max_depth,
    )
    n_starts = sum(node.role == "start" for node in walk.nodes)
    keep_live(graph, LiveReferences(walk.anchors, options, tuple(names), n_starts, shell))
    return graph


def _read_how(walk: Walk, *, back: bool) -> str:
    source = "gc.get_referrers" if back else "gc.get_referents"
    how = f"breadth-first over {source}, {walk.n_references:,} references read"
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


def measure_growth(
    limit: int | None = 10, *, shortnames: bool = True, counter: TypeCounter | None = None
) -> TypeGrowth:
    """The types of which there are more objects than at the last call, after a full collection.

    The first call has nothing to compare with: everything is growth, and `TypeGrowth.since` is empty.

    Parameters
    ----------
    limit : types to tell; all of them if 0 or None.
    shortnames : types without their modules.
    counter : remembers the last call; one of this process by default.
    """
    counter = counter or _since_last
    since = "" if counter.is_first else "the last %objgrowth"
    started, clock = time.time(), time.perf_counter()
    records = counter.grown(shortnames=shortnames)
    session = Session("%objgrowth", started, time.perf_counter() - clock)
    return _growth(session, records, limit, since)


class GrowthMeasurement:
    """The growth that a cell causes, behind ``%%objgrowth``.

    Parameters
    ----------
    limit : types to tell; all of them if 0 or None.
    shortnames : types without their modules.
    """

    def __init__(self, limit: int | None = 10, *, shortnames: bool = True) -> None:
        self._limit = limit
        self._shortnames = shortnames
        self._counter = TypeCounter()
        self._records: list[TypeRecord] | None = None

    def start(self) -> None:
        self._counter.mark()

    def stop(self) -> None:
        if self._records is None:
            self._records = self._counter.grown(shortnames=self._shortnames)

    def result(self, session: Session) -> TypeGrowth:
        return _growth(session, self._records or [], self._limit, f"the start of {session.title}")


def _growth(session: Session, records: list[TypeRecord], limit: int | None, since: str) -> TypeGrowth:
    method = Method(_COUNTED_BY, n_events=sum(record.count for record in records), notes=(_COLLECTED, _NOT_TRACKED))
    return TypeGrowth(session, method, tuple(records[: limit or None]), since)


# What the user typed


def evaluate(text: str, namespace: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The expressions in `text`, and what they are in `namespace`.

    The whole text is one expression if it can be (``[x, y]``, ``a + b``); else
    expressions stand side by side, each as long as it can be (``x f(y, z)``).

    Raises
    ------
    TargetError
        If there is none, or one is no expression or raises.
    """
    names = _expressions(text)
    return names, [evaluate_one(name, namespace) for name in names]


def predicate_of(value: Any, namespace: dict[str, Any]) -> Callable[[Any], Any] | None:
    """A test of objects, from what a filter was given as.

    ===============================  ====================================
    given                            passes
    ===============================  ====================================
    ``"len(obj) > 3"``               for which the expression is true
    ``"list"``, `list`               its instances
    ``"(list, dict)"``               instances of any of them
    ``"is_mine"``, a function        for which it returns something true
    ===============================  ====================================

    Raises
    ------
    TargetError
        If it is none of these, or the text cannot be evaluated.
    """
    if value is None:
        return None
    if type(value) is str:
        tree = _parse(value)
        if tree is None:
            raise TargetError(f"{printable(value)} is not an expression")
        about_obj = any(type(node) is ast.Name and node.id == "obj" for node in ast.walk(tree))
        value = evaluate_one(f"lambda obj: ({value}\n)" if about_obj else value, namespace)
    classes = value if type(value) is tuple else (value,)
    if classes and all(issubclass(type(one), type) for one in classes):
        return lambda obj: issubclass(type(obj), classes)
    if not callable(value):
        raise TargetError("a filter is an expression over obj, a class, or a function; this is none of them")
    return value  # type: ignore[no-any-return]


def _expressions(text: str) -> list[str]:
    words = list(re.finditer(r"\S+", text))
    names: list[str] = []
    first = 0
    while first < len(words):
        start = words[first].start()
        for last in range(len(words) - 1, first - 1, -1):
            candidate = text[start : words[last].end()]
            if _parse(candidate) is not None:
                names.append(candidate)
                first = last + 1
                break
        else:
            raise TargetError(f"{printable(text[start:])} is not an expression")
    if not names:
        raise TargetError("give the objects to draw, as variables or expressions: %objrefs x")
    return names


def _parse(text: str) -> ast.Expression | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def evaluate_one(text: str, namespace: dict[str, Any]) -> Any:
    """What one expression is in `namespace`.

    Raises
    ------
    TargetError
        If it raises, or is no expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            code = compile(text.strip(), "<objrefs>", "eval")
        return eval(code, namespace)  # noqa: S307 - what the user asked to draw
    except Exception as error:
        raise TargetError(f"{printable(text)}: {type_name(type(error))}{_message(error)}") from None


def _message(error: Exception) -> str:
    try:
        return f": {printable(str.__str__(str(error)), 100)}"
    except Exception:  # the user's own exception class, and its __str__ fails
        return ""


def _running_shell() -> Any:
    """The InteractiveShell of this process, if there is one."""
    ipython = sys.modules.get("IPython.core.getipython")
    return ipython.get_ipython() if ipython is not None else None
