"""What a cell leaves behind, behind ``%%objleaks``.

measurement = LeakMeasurement(shell)
measurement.start(); run(); measurement.lap(); run(); measurement.stop()
measurement.result(session)         ObjectLeaks
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from jupyter_profkit.cells.walking import walking
from jupyter_profkit.engines.cycles import find_cycles
from jupyter_profkit.engines.leaks import Group, SortedOut, sort_out
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.object_sizes import ObjectKinds
from jupyter_profkit.engines.paths import PathNamer
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.safe_repr import printable, type_name
from jupyter_profkit.engines.walks import Step, no_step
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.leaks import CycleEdge, CycleRecord, LeakRecord, ObjectLeaks
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell

__all__ = ["LeakMeasurement"]

_Key = tuple[str, str, str]
"""Kind, holder, type."""

_ATOMS = "Not counted: numbers; texts, arrays and containers of plain values that are smaller than 1 KiB."


class LeakMeasurement:
    """The objects that are made between `start` and `stop` and are still there.

    Parameters
    ----------
    shell : the InteractiveShell, to name what it holds; the running one by default.
    namespace : the variables; the shell's by default.
    shortnames : types without their modules.
    quiet : no line on how far the reading is.
    """

    def __init__(
        self,
        shell: Any = None,
        namespace: dict[str, Any] | None = None,
        *,
        shortnames: bool = True,
        quiet: bool = False,
    ) -> None:
        self._shell = shell if shell is not None else running_shell()
        self._namespace = namespace
        self._shortnames, self._quiet = shortnames, quiet
        self._new = NewObjects()
        self._laps: list[Counter[_Key]] = []

    def start(self) -> None:
        self._new.start()

    def lap(self) -> None:
        """A repetition is over: count what there is by now."""
        self._new.look()
        self._laps.append(self._counted(self._sorted_out()))

    def stop(self) -> None:
        self._new.stop()

    def result(self, session: Session) -> ObjectLeaks:
        """What is there, told by name; everything is let go of.

        Raises
        ------
        TargetError
            If the code froze or unfroze objects itself: then nothing can be told.
        """
        try:
            with walking("what is left", quiet=self._quiet) as step:
                return self._result(session, step)
        finally:
            self._new.release()

    def _result(self, session: Session, step: Step) -> ObjectLeaks:
        if self._new.is_interrupted:
            raise TargetError("reading the objects was interrupted, so nothing can be told of them")
        if not self._new.is_known:
            raise TargetError(
                "the cell called gc.freeze() or gc.unfreeze(), so its objects cannot be told from older ones"
            )
        found = self._sorted_out(step)
        names = PathNamer(self._holders().attribute_names())
        return ObjectLeaks(
            session,
            self._method(found),
            tuple(self._records(found)),
            tuple(self._cycles(names)),
            len(self._laps) + 1,
            self._new.n_collected,
            self._new.collecting,
        )

    def _holders(self) -> Holders:
        return Holders(self._shell, self._namespace)

    def _sorted_out(self, step: Step = no_step) -> SortedOut:
        return sort_out(self._new, self._holders(), ours=[self._laps], step=step)

    def _method(self, found: SortedOut) -> Method:
        notes = [_ATOMS, *found.notes]
        if self._new.is_exact:
            engine = "the order in which the garbage collector keeps objects"
        else:
            engine = "addresses of the objects before"
            notes.append("This Python's collector keeps no order: a new object at the address of an old one is missed.")
        engine += f", {self._new.n_before:,} objects before"
        return Method(engine, self._new.is_exact, len(self._new.alive) + len(self._new.garbage), notes=tuple(notes))

    def _records(self, found: SortedOut) -> Iterator[LeakRecord]:
        laps = [*self._laps, self._counted(found)] if self._laps else []
        paths = {self._key(group): _path_of(group) for group in reversed(found.groups)}
        sizes: Counter[_Key] = Counter()
        counts: Counter[_Key] = Counter()
        for group in found.groups:
            counts[self._key(group)] += group.count
            sizes[self._key(group)] += group.size
        records = [
            LeakRecord(
                key[2], counts[key], sizes[key], key[0], key[1], paths[key], tuple(lap.get(key, 0) for lap in laps)
            )
            for key in counts
        ]
        records += self._garbage()
        yield from sorted(records, key=lambda one: (not one.is_leak, -one.size, -one.count))

    def _garbage(self) -> Iterator[LeakRecord]:
        kinds = ObjectKinds()
        sizes: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for one in self._new.garbage:
            name = type_name(type(one), short=self._shortnames)
            counts[name] += 1
            sizes[name] += kinds.size_of(one)
        yield from (LeakRecord(name, counts[name], sizes[name], "cycle", "") for name in counts)

    def _cycles(self, names: PathNamer) -> Iterator[CycleRecord]:
        for cycle in find_cycles(self._new.garbage, names):
            edges = tuple(CycleEdge(kind, printable(label, 60)) for kind, label in cycle.edges)
            yield CycleRecord(edges, cycle.n_cycles, cycle.n_objects, cycle.size, cycle.n_finalizers)

    def _counted(self, found: SortedOut) -> Counter[_Key]:
        counted: Counter[_Key] = Counter()
        for group in found.groups:
            counted[self._key(group)] += group.count
        return counted

    def _key(self, group: Group) -> _Key:
        name = "objects" if group.root.kind == "import" else type_name(group.cls, short=self._shortnames)
        return group.root.kind, printable(group.root.name, 80), name


def _path_of(group: Group) -> str:
    return printable("".join(group.path), 80)
