"""What there is more of: since the last call, or through a cell.

growth = measure_growth(limit=4)        since the last call
GrowthMeasurement(shell)                behind ``%%objgrowth``
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from typing import Any

from jupyter_profkit.engines.leaks import sort_out
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.type_counts import TypeCounter, count_types, counted_name, growth_of
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.references import TypeGrowth, TypeRecord
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell

__all__ = ["GrowthMeasurement", "measure_growth"]

_COUNTED_BY = "objgraph, over all objects that the garbage collector tracks"
_COLLECTED = "Counted after a full collection: what only waits to be collected is not growth."
_NOT_TRACKED = "Numbers, strings and containers of only those are not tracked, and not counted."
_FLOOR = "Grey: up to 10 objects of a type of Python's own come with each cell that a shell runs."

_since_last = TypeCounter()


def measure_growth(
    limit: int | None = 10, *, shortnames: bool = True, counter: TypeCounter | None = None, n_cells: int = 1
) -> TypeGrowth:
    """The types of which there are more objects than at the last call, after a full collection.

    The first call has nothing to compare with: everything is growth, and `TypeGrowth.since` is empty.

    Parameters
    ----------
    limit : types to tell; all of them if 0 or None.
    shortnames : types without their modules.
    counter : remembers the last call; one of this process by default.
    n_cells : cells that a shell has run since that call.
    """
    counter = counter or _since_last
    since = "" if counter.is_first else "the last %objgrowth"
    started, clock = time.time(), time.perf_counter()
    records = counter.grown(shortnames=shortnames, n_cells=n_cells)
    session = Session("%objgrowth", started, time.perf_counter() - clock)
    notes = (_FLOOR,) if any(record.is_floor for record in records) else ()
    return _growth(session, records, limit, since, notes)


class GrowthMeasurement:
    """The growth that a cell causes, behind ``%%objgrowth``.

    Types are told of which the cell made objects that are still there; what the shell
    made for itself meanwhile is not among them.

    Parameters
    ----------
    limit : types to tell; all of them if 0 or None.
    shortnames : types without their modules.
    shell : the InteractiveShell, to tell its own objects; the running one by default.
    """

    def __init__(self, limit: int | None = 10, *, shortnames: bool = True, shell: Any = None) -> None:
        self._limit = limit
        self._shortnames = shortnames
        self._shell = shell if shell is not None else running_shell()
        self._new = NewObjects()
        self._before: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def start(self) -> None:
        count_types()  # what the first count imports and caches is nobody's growth
        gc.collect()
        self._before = count_types()
        self._new.start()

    def stop(self) -> None:
        if not self._after:
            self._new.stop()
            self._after = {**Counter(count_types()) - Counter(counted_name(type(one)) for one in self._new.garbage)}

    def result(self, session: Session) -> TypeGrowth:
        """What there is more of.

        Raises
        ------
        TargetError
            If the code froze or unfroze objects itself: then nothing can be told.
        """
        try:
            if not self._new.is_known:
                raise TargetError("the cell called gc.freeze() or gc.unfreeze(), so what is new cannot be told")
            found = sort_out(self._new, Holders(self._shell), ours=[[self._before, self._after]])
            made: Counter[str] = Counter()
            for cls, count in found.types.values():
                made[counted_name(cls)] += count
            records = growth_of(self._before, self._after, made, shortnames=self._shortnames)
        finally:
            self._new.release()
        return _growth(session, records, self._limit, f"the start of {session.title}")


def _growth(
    session: Session, records: list[TypeRecord], limit: int | None, since: str, notes: tuple[str, ...] = ()
) -> TypeGrowth:
    method = Method(
        _COUNTED_BY, n_events=sum(record.count for record in records), notes=(_COLLECTED, _NOT_TRACKED, *notes)
    )
    return TypeGrowth(session, method, tuple(records[: limit or None]), since)
