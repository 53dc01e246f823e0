"""A process whose walks over a large heap are interrupted: told what to walk, it says after each interrupt what is left.

    python -m tests.cells.walker objwhy 300000

It writes `go` when a walk begins, walks until it is interrupted, and then writes a line
of JSON: seconds from the signal to here, what of the collector's state has changed, and
what the traceback, which a shell would keep, holds on to.
"""

from __future__ import annotations

import contextlib
import gc
import json
import signal
import sys
import time
import weakref
from collections.abc import Callable

from jupyter_profkit.cells.leaks import LeakMeasurement
from jupyter_profkit.cells.objects import explain_holders, weigh_namespace
from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.cells.walking import walking
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.session import Session


class Held:
    pass


def objwhy(space: dict[str, object]) -> None:
    with walking("%objwhy") as step:
        explain_holders([space["held"]], name="held", namespace=space, time_limit=600, step=step)


def objrefs(space: dict[str, object]) -> None:
    with walking("%objrefs") as step:
        draw_references([space["held"]], back=True, namespace=space, time_limit=600, max_depth=4, step=step)


def memwhos(space: dict[str, object]) -> None:
    with walking("%memwhos") as step:
        weigh_namespace(namespace=space, step=step)


def objleaks(space: dict[str, object]) -> None:
    left = LeakMeasurement(namespace=space)
    left.start()
    try:
        space["made"] = [Held() for _ in range(20_000)]
    finally:  # as a session does
        try:
            left.stop()
        finally:
            with contextlib.suppress(TargetError):  # its look was what was interrupted
                left.result(Session("%%objleaks", 0.0, 0.0))


WALKS: dict[str, Callable[[dict[str, object]], None]] = {
    "objwhy": objwhy,
    "objrefs": objrefs,
    "memwhos": memwhos,
    "objleaks": objleaks,
}


def collector() -> list[object]:
    return [gc.isenabled(), gc.get_debug(), gc.get_threshold(), gc.get_freeze_count() > 0, len(gc.garbage)] + [
        getattr(one, "__qualname__", "") for one in gc.callbacks
    ]


def main(walk: Callable[[dict[str, object]], None], n_objects: int) -> None:
    sent = [0.0]

    def interrupt(*_: object) -> None:
        sent[0] = time.perf_counter()
        raise KeyboardInterrupt

    space: dict[str, object] = {"heap": [[n] for n in range(n_objects)]}
    while True:
        space["held"] = Held()
        space["others"] = [lambda held=space["held"]: held for _ in range(5_000)]
        alive, before = weakref.ref(space["held"]), collector()
        print("go", flush=True)
        try:
            signal.signal(signal.SIGINT, interrupt)
            while True:
                walk(space)
        except KeyboardInterrupt as error:
            took, kept = time.perf_counter() - sent[0], error
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        space["others"] = space["held"] = space["made"] = None
        gc.collect()
        held = sum(type(one) is Held for one in gc.get_objects())
        told = {"took": took, "before": before, "after": collector(), "is_dead": alive() is None, "n_held": held}
        print(json.dumps(told), flush=True)
        del kept


if __name__ == "__main__":
    main(WALKS[sys.argv[1]], int(sys.argv[2]))
