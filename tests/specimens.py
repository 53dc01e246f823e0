"""A report of every kind from figures that never change: what golden files and tests of all reports are made of.

specimen = SPECIMENS["leaks"]
specimen.result                 an ObjectLeaks
specimen.report()               its Report
specimen.report(other)          the same report of another result of that kind
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.functions import (
    CallerRecord,
    CoroutineRecord,
    FunctionRecord,
    RunFigures,
    StatementProfile,
    StatementRecord,
    TimeProfile,
)
from jupyter_profkit.model.leaks import CycleEdge, CycleRecord, LeakRecord, ObjectLeaks
from jupyter_profkit.model.line_memory import FunctionLines, LineMemoryProfile
from jupyter_profkit.model.object_boxes import BoxPicture, BoxSlot, ObjectBox, ObjectBoxes
from jupyter_profkit.model.objects import (
    ChainStep,
    HolderChain,
    MemoryHolder,
    MemoryPart,
    NamespaceMemory,
    ObjectHolders,
)
from jupyter_profkit.model.references import (
    ReferenceEdge,
    ReferenceGraph,
    ReferenceNode,
    TypeCounts,
    TypeGrowth,
    TypeRecord,
)
from jupyter_profkit.model.repetitions import GrowingLine, Repetition, Repetitions
from jupyter_profkit.model.session import Location, Method
from jupyter_profkit.model.timeline import ChildProcess, Mark, MemoryTimeline
from jupyter_profkit.units import MIB
from jupyter_profkit.views import report_of
from jupyter_profkit.views.beside import report_beside
from jupyter_profkit.views.report import Report
from jupyter_profkit.views.timeline import live_report, overlay_report
from tests.builders import cell_lines, line_profile, session
from tests.timelines import timeline

__all__ = ["SPECIMENS", "Specimen"]


@dataclass(frozen=True)
class Specimen:
    """A result, and what makes one of our reports of it."""

    result: Any
    make: Callable[[Any], Report] = report_of

    def report(self, result: Any = None) -> Report:
        return self.make(self.result if result is None else result)


METHOD: Final = Method("a test's figures", n_events=12, overhead=0.001, notes=("A note on the `figures`.",))
CELL: Final = "/tmp/ipykernel_7/1.py"
RAISED: Final = Location("cell", 4, "<module>", "In [7]")
SOURCE: Final = '''
%%memprofile
table = np.ones(n)  # kept
total = (table * 2).sum()
text = """two
lines"""
del table
'''


def _lines(n_mib: int = 60) -> LineMemoryProfile:
    cell = cell_lines(SOURCE, {2: (1, n_mib, 20, n_mib), 3: (1, 0, 0, n_mib), 4: (2, 10, 10, 12), 6: (1, -60, -60, 0)})
    heap = {2: (n_mib, 0), 4: (10, 10)}
    records = tuple(
        replace(record, at_peak=heap.get(record.lineno, (0, 0))[0] * MIB, kept=heap.get(record.lineno, (0, 0))[1] * MIB)
        for record in cell.records
    )
    function = cell_lines("def ones(n):\n    return [1] * n", {2: (100_000, 40, 40, 40)}, "tools/make.py")
    sampled = tuple(replace(record, sampled=record.lineno == 2) for record in function.records)
    ones = FunctionLines("ones", "/home/me/tools/make.py", "tools/make.py", sampled, n_calls=3)
    stacks = CallTree(
        (
            Frame("table = np.ones(n)", CELL, 2, "In [7]", is_user=True, weight=20.0 * MIB, children=(
                Frame("ones", "/home/me/tools/make.py", 2, "tools/make.py", is_user=True, weight=30.0 * MIB),
                Frame("full", "/lib/numpy/core.py", 9, "numpy", weight=10.0 * MIB),
            )),
        ),
        unit="bytes",
    )  # fmt: skip
    return line_profile(
        replace(cell, records=records),
        ones,
        method=METHOD,
        peak_rss=(100 + 2 * n_mib) * MIB,
        heap_peak=(n_mib + 14) * MIB,
        heap_kept=12 * MIB,
        mapped=5 * MIB,
        free_start=0,
        free_end=3 * MIB,
        heap_stacks=stacks,
        timeline=timeline(),
    )


def _partial_lines() -> LineMemoryProfile:
    return replace(_lines(), session=session(outcome="ZeroDivisionError", error_at=RAISED), exact_peak=False)


def _repeated_lines() -> LineMemoryProfile:
    runs = tuple(Repetition(0.25, 2 * MIB, 2 * MIB + 64) for _ in range(4))
    growing = (GrowingLine(Location("cell", 4, "<module>", "In [7]"), 8 * MIB, 'text = """two'),)
    return replace(_lines(), repetitions=Repetitions(5, runs, growing))


def _earlier_lines() -> LineMemoryProfile:
    return replace(_lines(40), session=session(title="In [5]"))


def _curve() -> MemoryTimeline:
    marks = (
        Mark("load", 0.0, 1.2, 80 * MIB, 180 * MIB, kind="region"),
        Mark("clean", 0.2, 0.6, 90 * MIB, 120 * MIB, 1),
        Mark("clean", 0.7, 0.9, 120 * MIB, 150 * MIB, 1),
        Mark("In [8]", 1.3, 1.4, kind="cell"),
    )
    recorded = timeline(
        [(0.0, 80.0), (0.5, 120.0), (1.0, 200.0), (2.0, 100.0)],
        marks=marks,
        peak=(1.0, 212.5),
        peak_at=Location("cell", 3, "<module>", "In [7]"),
        children={41: [(0.5, 10.0), (1.5, 60.0)]},
    )
    processes = (ChildProcess(41, "python3 -m worker"),)
    return replace(recorded, method=METHOD, command="python3 train.py", processes=processes)


def _frames() -> CallTree:
    parse = Frame("parse", "/lib/json/decoder.py", 40, "json", weight=0.3, n_samples=30)
    clean = Frame("Model.clean", CELL, 3, "In [7]", is_user=True, weight=0.2, n_samples=20, children=(parse,))
    waiting = Frame("(waiting)", "", 0, weight=0.4, n_samples=40)
    return CallTree((Frame("<module>", CELL, 1, "In [7]", is_user=True, n_samples=0, children=(clean, waiting)),),
                    engine="a test's clock")  # fmt: skip


def _function(function: str, filename: str, lineno: int, *figures: Any, **more: Any) -> FunctionRecord:
    """`figures` are ncalls, tottime and cumtime."""
    return FunctionRecord(function, filename, lineno, figures[0], more.pop("pcalls", figures[0]), *figures[1:], **more)


def _time(factor: float = 1.0, *, runs: int = 1, title: str = "In [7]") -> TimeProfile:
    module, clean = (CELL, 1, "<module>"), (CELL, 3, "clean")
    functions = (
        _function("<module>", CELL, 1, 1, 0.1 * factor, 1.0 * factor, label="In [7]", is_user=True,
                  qualname="<module>"),
        _function("clean", CELL, 3, 5, 0.2 * factor, 0.8 * factor, pcalls=1, label="In [7]", is_user=True,
                  qualname="Model.clean", callers=(CallerRecord(module, 1, 1, 0.1, 0.8),)),
        _function("parse", "/usr/lib/python3/json/decoder.py", 40, 3, 0.3, 0.3, label="json/decoder.py",
                  qualname="Decoder.parse", callers=(CallerRecord(clean, 3, 3, 0.3, 0.3),)),
        _function("<built-in method time.sleep>", "~", 0, 10, 0.4, 0.4, label="~",
                  callers=(CallerRecord(clean, 4, 4, 0.2, 0.2), CallerRecord(module, 6, 6, 0.2, 0.2))),
    )  # fmt: skip
    if runs > 1:
        functions = tuple(
            replace(each, runs=tuple(RunFigures(each.ncalls, each.tottime * part, each.cumtime) for part in (0.3, 0.7)))
            for each in functions
        )
    statements = (
        StatementRecord(2, "import json", 0.01, 0),
        StatementRecord(2, "loading modules", 0.04, 7, kind="imports"),
        StatementRecord(4, "clean(df)", 0.61 * factor, 1, 4),
        StatementRecord(4, "waiting for others", 0.2, None, kind="waiting"),
        StatementRecord(0, "garbage collection", 0.02, 2, kind="collections"),
    )
    return TimeProfile(
        session(title=title, duration=1.0 * factor),
        METHOD,
        functions,
        StatementProfile(statements, 1.0 * factor),
        _frames(),
        runs=(0.45 * factor, 0.55 * factor) if runs > 1 else (),
    )


def _coroutines() -> TimeProfile:
    records = (
        CoroutineRecord("fetch", CELL, 4, 8, 0.012, 0.7, ("Task-3", "Task-4", "Task-5", "Task-6"), "In [7]"),
        CoroutineRecord("main", CELL, 9, 1, 0.002, 0.4, (), "In [7]"),
    )
    return replace(_time(), coroutines=records)


def _threads() -> TimeProfile:
    def thread(title: str) -> TimeProfile:
        functions = (_function("work", CELL, 9, 2, 0.25, 0.25, label="In [7]", is_user=True, qualname="work"),)
        return TimeProfile(session(title=title), METHOD, functions, StatementProfile((), 0.0))

    return replace(_time(), threads=tuple(thread(f"worker-{n}") for n in range(7)), stacks=None)


def _graph(*, back: bool = False) -> ReferenceGraph:
    nodes = (
        ReferenceNode(0, "Basket", "1 attribute", "start", 0, 48, 2, name="basket", retained=2_048),
        ReferenceNode(1, "list", "3 items", "object", 1, 88, 1, highlight=True),
        ReferenceNode(2, "module", "__main__", "holder", 1, None, None),
        ReferenceNode(3, "", "12 more", "more", 2),
    )
    edges = (ReferenceEdge(0, 1, ".content"), ReferenceEdge(2, 0, "basket"), ReferenceEdge(1, 3, dashed=True))
    if back:
        edges = tuple(replace(edge, source=edge.target, target=edge.source) for edge in edges)
    title = "%objrefs -b basket" if back else "%objrefs basket"
    return ReferenceGraph(session(title=title), METHOD, nodes, edges, back)


def _picture(*, is_after: bool) -> BoxPicture:
    items = BoxSlot("[0]", "'apple'"), BoxSlot("[1]", target=1)
    added = (BoxSlot("[2]", "5"),) if is_after else ()
    boxes = (
        ObjectBox(0, "list", "", "sequence", (*items, *added)),
        ObjectBox(1, "dict", "", "mapping", (BoxSlot("['sweet']", "True"),), n_more=2),
        ObjectBox(2, "Basket", "a <basket>", "object", (BoxSlot(".content", target=0),)),
        ObjectBox(3, "tuple", "", "sequence", (BoxSlot("[0]", "1"),), is_fixed=True),
    )
    names = (BoxSlot("apples", target=0), BoxSlot("basket", target=2), BoxSlot("pair", target=3), BoxSlot("n", "3"))
    return BoxPicture(names, boxes)


def _leaks(*, repeated: bool = False) -> ObjectLeaks:
    counts = (10, 20, 30) if repeated else ()
    records = (
        LeakRecord("list", 30, 4_096, "variable", "keep", "keep[0]", counts),
        LeakRecord("Parent", 2, 96, "cycle", "", ""),
        LeakRecord("str", 1, 51, "IPython", "Out[3], _3", "Out[3]"),
    )
    cycle = CycleRecord((CycleEdge("Parent", ".child"), CycleEdge("Child", "parent")), 2, 4, 416, 1)
    return ObjectLeaks(session(title="%%objleaks  In [7]"), METHOD, records, (cycle,), 3 if repeated else 1, 4, 0.002)


def _why() -> ObjectHolders:
    steps = ChainStep("['top']", "Basket", "a basket"), ChainStep(".content", "list", "3 items")
    chains = (
        HolderChain("variable", "apples", free="del apples"),
        HolderChain("variable", "shelf", steps, "del shelf", n_ways=2),
        HolderChain("IPython", "Out[3], _3", steps[1:], note="shown values are kept"),
    )
    return ObjectHolders(session(title="%objwhy apples"), METHOD, "apples", "list", "3 items", chains, True, 1)


def _memory() -> NamespaceMemory:
    holders = (
        MemoryHolder("variable", "df", "DataFrame", "1,000 × 3 float64", 30 * MIB, 2 * MIB, 12, "Out[3], _"),
        MemoryHolder("variable", "rows", "list", "3 items", 184, None, 4),
        MemoryHolder("output", "Out[4]", "str", "'abc'", 52),
        MemoryHolder("IPython", "In", "list", "9 items", 2_048, 0, 9),
    )
    parts = (
        MemoryPart("variables", 32 * MIB, "what the names above hold"),
        MemoryPart("free in the allocator", 8 * MIB, "given back by --trim"),
        MemoryPart("the rest", 60 * MIB),
    )
    return NamespaceMemory(session(title="%memwhos"), METHOD, holders, 100 * MIB, parts, 3 * MIB)


def _counts() -> TypeCounts:
    records = (TypeRecord("function", 12_000), TypeRecord("dict", 7_000), TypeRecord("Basket", 12))
    return TypeCounts(session(title="%objtypes"), METHOD, records, 40_000)


def _growth() -> TypeGrowth:
    records = (
        TypeRecord("Basket", 500, 500, 500),
        TypeRecord("dict", 7_000, 12, 20),
        TypeRecord("cell", 9, 1, 1, True),
    )
    return TypeGrowth(session(title="In [7]"), METHOD, records, "the start of In [7]")


def _named(names: tuple[str, ...]) -> Callable[[MemoryTimeline], Report]:
    return lambda recorded: overlay_report([recorded, _curve()], names)


def _live(recorded: MemoryTimeline) -> Report:
    samples = recorded.main
    times, values = [sample.time for sample in samples], [sample.rss for sample in samples]
    return live_report(recorded.session.title, times, values, (recorded.peak.time, recorded.peak.rss))


SPECIMENS: Final = {
    "line_memory": Specimen(_lines()),
    "line_memory_flame": Specimen(_lines(), lambda result: result.report(flame=True, rows=2)),
    "line_memory_partial": Specimen(_partial_lines()),
    "repetitions": Specimen(_repeated_lines()),
    "memory_comparison": Specimen(_earlier_lines().diff(_partial_lines())),
    "beside": Specimen(_lines(), lambda result: report_beside(result, _earlier_lines())),
    "timeline": Specimen(_curve(), lambda result: result.report(slope=True)),
    "timeline_overlay": Specimen(_curve(), _named(("first.dat", "second.dat"))),
    "timeline_live": Specimen(_curve(), _live),
    "functions": Specimen(_time()),
    "functions_repeated": Specimen(_time(runs=2)),
    "functions_list": Specimen(_time(), lambda result: result.report(sort="cumtime", limit=3)),
    "statements": Specimen(_time(), lambda result: report_of(result.statements)),
    "coroutines": Specimen(_coroutines()),
    "threads": Specimen(_threads()),
    "callers": Specimen(_time(), lambda result: result.callers(result.functions[2].function)),
    "callees": Specimen(_time(), lambda result: result.callees(result.functions[1].function)),
    "flame": Specimen(_time(), lambda result: result.flame()),
    "call_graph": Specimen(_time().graph()),
    "time_comparison": Specimen(_time().diff(_time(0.5, title="In [9]"))),
    "references": Specimen(_graph()),
    "references_back": Specimen(_graph(back=True)),
    "object_boxes": Specimen(ObjectBoxes(session(title="%objrefs --teach"), METHOD, _picture(is_after=True))),
    "object_changes": Specimen(
        ObjectBoxes(session(title="%%objrefs --teach"), METHOD, _picture(is_after=True), _picture(is_after=False))
    ),
    "type_counts": Specimen(_counts()),
    "type_growth": Specimen(_growth()),
    "leaks": Specimen(_leaks()),
    "leaks_repeated": Specimen(_leaks(repeated=True)),
    "why": Specimen(_why()),
    "holdings": Specimen(_memory()),
}
"""By the name of the view."""
