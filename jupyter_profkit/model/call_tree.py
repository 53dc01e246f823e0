"""Which call paths took the time, or the memory: a tree of frames, from stacks that happened.

    fast = Frame("leaf_fast", "work.py", 4, weight=0.01)
    tree = CallTree((Frame("a", "work.py", 9, children=(fast,)),))
    tree.total                      0.01
    list(tree.stacks())             [((a, leaf_fast), 0.01)], roots first

Every path in the tree happened: it was on the stack when a sample was taken, or
memory was allocated. A sample weighs the seconds since the one before it, so weights
add up to the run; an allocation weighs its bytes.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["CallTree", "Frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A function on one call path, or what stands for a whole package there."""

    function: str
    filename: str
    lineno: int
    label: str = ""
    """How a reader knows the file: ``In [7]``, ``pandas``."""
    is_user: bool = False
    """Whether it is the user's own code."""
    weight: float = 0.0
    """Seconds in the frame itself, or bytes that it allocated itself."""
    n_samples: int = 0
    """Samples that found it innermost."""
    children: tuple[Frame, ...] = ()
    """The frames that it called; the user's own first, then the heavier ones."""

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes it the same frame in another tree."""
        return (self.filename, self.lineno, self.function)

    @property
    def total(self) -> float:
        """Seconds in the frame and all it called."""
        return self.weight + sum(child.total for child in self.children)

    def pruned(self, least: float) -> Frame:
        """The frame without callees of less than `least` seconds; what those took is its own then."""
        kept = tuple(child.pruned(least) for child in self.children if child.total >= least)
        cut = [child for child in self.children if child.total < least]
        return dataclasses.replace(
            self,
            weight=self.weight + sum(child.total for child in cut),
            n_samples=self.n_samples + sum(_n_samples(child) for child in cut),
            children=kept,
        )


@dataclass(frozen=True, slots=True)
class CallTree:
    """The stacks of one run."""

    roots: tuple[Frame, ...] = ()
    interval: float = 0.001
    """Seconds between two samples, as asked for."""
    engine: str = ""
    """What took the samples, in words for the reader."""
    unit: Literal["seconds", "bytes"] = "seconds"
    """What weights are."""

    @property
    def total(self) -> float:
        """Seconds in all stacks."""
        return sum(root.total for root in self.roots)

    @property
    def n_samples(self) -> int:
        """Samples taken."""
        return sum(_n_samples(root) for root in self.roots)

    def walk(self) -> Iterator[tuple[tuple[Frame, ...], Frame]]:
        """Every frame, callers before callees, with the frames it was called from."""
        waiting: list[tuple[tuple[Frame, ...], Frame]] = [((), root) for root in reversed(self.roots)]
        while waiting:
            path, frame = waiting.pop()
            yield path, frame
            waiting += [((*path, frame), child) for child in reversed(frame.children)]

    def stacks(self) -> Iterator[tuple[tuple[Frame, ...], float]]:
        """Each path that has time of its own, outermost frame first, and its seconds."""
        for path, frame in self.walk():
            if frame.weight > 0:
                yield (*path, frame), frame.weight

    def merge(self, other: CallTree) -> CallTree:
        """The stacks of both runs as one tree."""
        return dataclasses.replace(self, roots=merged((*self.roots, *other.roots)))

    def prune(self, share: float) -> CallTree:
        """The tree without frames of less than `share` of the whole; totals stay as they are."""
        least = share * self.total
        return dataclasses.replace(self, roots=tuple(root.pruned(least) for root in self.roots if root.total >= least))


def _n_samples(frame: Frame) -> int:
    return frame.n_samples + sum(_n_samples(child) for child in frame.children)


def merged(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """Siblings with those of one key made one, in the order in which a reader wants them."""
    groups: dict[tuple[str, int, str], list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[frame.key].append(frame)
    found = [_joined(group) for group in groups.values()]
    return tuple(sorted(found, key=lambda frame: (not frame.is_user, -frame.total, frame.key)))


def _joined(group: list[Frame]) -> Frame:
    return dataclasses.replace(
        group[0],
        weight=sum(frame.weight for frame in group),
        n_samples=sum(frame.n_samples for frame in group),
        children=merged(child for frame in group for child in frame.children),
    )
