"""Call paths as a reader sees them: a flame graph, and the same as indented lines.

    flame_view(tree, "In [7]")          TreeView, for a report
    flame_report(profile)               Report, what `TimeProfile.flame` returns

The whole stands on top; under each frame are those that it called, the user's own
first, then the heavier ones, each as wide as its share of the time. A library is
one frame under the user's: ``[pandas] DataFrame.merge`` is all that pandas did there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.units import format_seconds, format_size
from jupyter_profkit.views.report import FrameKind, Report, TreeBox, TreeView, warning_of
from jupyter_profkit.views.words import clip, counted, percent

if TYPE_CHECKING:
    from jupyter_profkit.model.functions import TimeProfile

__all__ = ["flame_report", "flame_view", "method_of"]

_CAPTIONS: Final = {
    "seconds": "Flame graph: call paths that were sampled",
    "bytes": "Flame graph: who allocated what was live at the heap's peak",
}
_N_BOXES: Final = 400
_OUTSIDE: Final = {
    "seconds": "waiting, or outside of the cell's code",
    "bytes": "code that no line of yours called",
}
_N_LINES: Final = 40
_N_LEVELS: Final = 40
_LEAST_SHARE: Final = 0.003
_LEAST_SHARE_IN_WORDS: Final = 0.01
_LONGEST_NAME: Final = 100


def flame_report(profile: TimeProfile) -> Report:
    """The flame graph of a time profile, by itself.

    Raises
    ------
    TargetError
        If no stacks were sampled.
    """
    stacks = profile.stacks
    if stacks is None or not stacks.roots:
        raise TargetError("there is no flame graph: no stack was sampled in this run (too short, or --no-flame)")
    view = flame_view(stacks, profile.session.title, _N_BOXES)
    return Report(
        title=f"Flame graph  {profile.session.title}",
        headline=view.alt,
        parts=(view,),
        method=(method_of(stacks),),
        warning=warning_of(profile.session),
    )


def method_of(tree: CallTree) -> str:
    """How the stacks were taken, in words."""
    every = format_seconds(tree.interval)
    if not tree.n_samples:
        return f"flame graph: none, since the run was over before {tree.engine} took a sample, every {every} at best"
    return (
        f"flame graph: {counted(tree.n_samples, 'stack')} sampled by {tree.engine}, every {every} at best; "
        "each weighs the time since the one before, so long calls of C functions count in full"
    )


def flame_view(tree: CallTree, title: str, n_boxes: int = _N_BOXES) -> TreeView:
    """The flame graph of `tree`, at most `n_boxes` of its frames, the heaviest."""
    drawn = tree.prune(_least_share(tree, n_boxes))
    boxes = tuple(_boxes(drawn, title))
    n_frames, n_drawn = sum(1 for _ in tree.walk()), len(boxes) - 1
    return TreeView(_CAPTIONS[tree.unit], _finding(tree), boxes, tuple(_words(tree)), _left_out(n_frames - n_drawn))


def _left_out(n_frames: int) -> str:
    match n_frames:
        case 0:
            return ""
        case 1:
            return "1 lighter or deeper frame counts on its caller"
        case _:
            return f"{n_frames:,} lighter or deeper frames count on their callers"


def _amount(tree: CallTree, weight: float) -> str:
    return format_size(round(weight)) if tree.unit == "bytes" else format_seconds(weight)


def _name(frame: Frame) -> str:
    """``clean`` for the user's code, ``[pandas] DataFrame.merge`` for a library's."""
    name = frame.function if frame.is_user or not frame.label else f"[{frame.label}] {frame.function}"
    return clip(name, _LONGEST_NAME)


def _place(frame: Frame) -> str:
    """``In [3]:4`` for the user's code; a library is known by its name."""
    return f"{frame.label or frame.filename}:{frame.lineno}" if frame.is_user else ""


def _least_share(tree: CallTree, n_boxes: int) -> float:
    """The share under which frames are left out, so that `n_boxes` are not exceeded."""
    if not tree.total:
        return _LEAST_SHARE
    shares = sorted((frame.total / tree.total for _, frame in tree.walk()), reverse=True)
    return max([_LEAST_SHARE, *(share * (1 + 1e-9) for share in shares[n_boxes - 1 : n_boxes])])


def _boxes(tree: CallTree, title: str) -> Iterator[TreeBox]:
    whole = tree.total
    yield TreeBox(title, "", _amount(tree, whole), 0.0, 1.0, 0, "whole")
    waiting = _beside(tree.roots, 0.0, 1)
    while waiting and whole:
        frame, start, level = waiting.pop()
        share = frame.total / whole
        yield TreeBox(_name(frame), _place(frame), percent(share), start / whole, share, level, _kind(frame))
        if level < _N_LEVELS:
            waiting += _beside(frame.children, start, level + 1)


def _beside(frames: tuple[Frame, ...], start: float, level: int) -> list[tuple[Frame, float, int]]:
    """Siblings, each where the one before it ends; in seconds."""
    placed = []
    for frame in frames:
        placed.append((frame, start, level))
        start += frame.total
    return placed


def _kind(frame: Frame) -> FrameKind:
    if frame.is_user:
        return "own"
    return "library" if frame.label else "outside"


def _finding(tree: CallTree) -> str:
    """The heaviest path of the user's code, in words."""
    if not tree.total:
        return "nothing was allocated" if tree.unit == "bytes" else "no time was sampled"
    stacks = [(path[: _last_own(path)], weight) for path, weight in tree.stacks()]
    shares: dict[tuple[tuple[str, int, str], ...], float] = {}
    names: dict[tuple[tuple[str, int, str], ...], str] = {}
    for path, weight in stacks:
        key = tuple(frame.key for frame in path)
        shares[key] = shares.get(key, 0.0) + weight / tree.total
        names[key] = " → ".join(frame.function for frame in path[-4:]) or _OUTSIDE[tree.unit]
    heaviest = max(shares, key=lambda key: shares[key])
    return f"{percent(shares[heaviest])} of {_amount(tree, tree.total)} in {names[heaviest]}"


def _last_own(path: tuple[Frame, ...]) -> int:
    """How many frames there are up to the innermost of the user's."""
    return max((n + 1 for n, frame in enumerate(path) if frame.is_user), default=0)


def _words(tree: CallTree) -> Iterator[str]:
    whole = tree.total or 1.0
    shown = [(path, frame) for path, frame in tree.walk() if frame.total >= _LEAST_SHARE_IN_WORDS * whole]
    yield f"{'total':>9}  {'share':>6}  {'itself':>6}"
    for path, frame in shown[:_N_LINES]:
        figures = f"{_amount(tree, frame.total):>9}  {percent(frame.total / whole):>6}"
        own = percent(frame.weight / whole) if frame.weight else "-"
        yield f"{figures}  {own:>6}  {'  ' * len(path)}{_name(frame)}  {_place(frame)}".rstrip()
    if len(shown) > _N_LINES:
        yield f"{'':>9}  … {len(shown) - _N_LINES} more"
