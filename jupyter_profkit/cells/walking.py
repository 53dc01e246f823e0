"""A walk over the heap as the user meets it: a line on its progress, and nothing left of it if it is interrupted.

with walking("who holds df") as step:
    found = explain_holders([df], step=step)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from jupyter_profkit.cells.progress import Progress
from jupyter_profkit.engines.walks import Step, letting_go

__all__ = ["walking"]


@contextlib.contextmanager
def walking(label: str, *, quiet: bool = False) -> Iterator[Step]:
    """What the walk in this block has to call now and then.

    Parameters
    ----------
    label : what is done.
    quiet : show no line.
    """
    with letting_go(), Progress(label, enabled=not quiet) as progress:
        yield lambda n: progress.update(lambda: f"{n:,} objects")
