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

__all__ = ["Step", "letting_go", "no_step"]

Step = Callable[[int], None]
"""Told now and then how many objects were looked at."""


def no_step(_: int) -> None:
    """Nobody wants to know."""


@contextlib.contextmanager
def letting_go() -> Iterator[None]:
    """Clear the local variables of all that an exception went through in this block."""
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
