"""What every long walk over the heap owes to who asked for it.

    with letting_go():
        find_holders(starts, holders, step=lambda n: progress.update(f"{n:,} objects"))

It says now and then how far it is, and an interrupt leaves none of the user's objects
behind: the traceback of a `KeyboardInterrupt`, which a shell keeps, has the frames of
the walk, and these have lists of what was read.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

__all__ = ["Step", "letting_go", "no_step"]

Step = Callable[[int], None]
"""Told now and then how many objects were looked at."""


def no_step(_: int) -> None:
    """Nobody wants to know."""


@contextlib.contextmanager
def letting_go() -> Iterator[None]:
    """Let go of the local variables of all that an exception went through in this block.

    Where an interrupt came is nobody's business, so that its traceback ends at the block: a frame
    that is cleared still has its function, and that what it encloses (Python 3.11: each comprehension).
    """
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            _end_at_what_runs(error.__traceback__)
        raise


def _end_at_what_runs(trace: TracebackType | None) -> None:
    while trace is not None and trace.tb_next is not None:
        try:
            trace.tb_next.tb_frame.clear()
        except RuntimeError:  # it runs
            trace = trace.tb_next
        else:
            trace.tb_next = None
