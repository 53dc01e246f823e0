"""Stacks in the form that ``flamegraph.pl``, speedscope and inferno read: a path and a count on each line.

    In [7]:3(clean);In [2]:4(parse) 8123

The outermost frame stands first; the count is in microseconds.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.functions import TimeProfile

__all__ = ["stacks_of", "to_collapsed", "write_collapsed"]


def stacks_of(profile: TimeProfile) -> CallTree:
    """The stacks of a profile.

    Raises
    ------
    OptionError
        If none were sampled.
    """
    if profile.stacks is None:
        raise OptionError("this run has no stacks to write: it was measured with --no-flame, or read from a .prof file")
    return profile.stacks


def to_collapsed(tree: CallTree) -> str:
    """The stacks of `tree`, a line each; paths of less than half a microsecond are left out."""
    counts: dict[str, int] = {}
    for path, weight in tree.stacks():
        line = ";".join(map(_name, path))
        counts[line] = counts.get(line, 0) + round(weight * 1e6)
    return "".join(f"{line} {count}\n" for line, count in counts.items() if count)


def write_collapsed(profile: TimeProfile, path: Path) -> None:
    """Write the stacks of `profile`.

    Raises
    ------
    OptionError
        If none were sampled.
    """
    path.write_text(to_collapsed(stacks_of(profile)), encoding="utf-8")


def _name(frame: Frame) -> str:
    """A frame on one line, without the character that parts frames."""
    place = frame.label or frame.filename
    name = f"{place}:{frame.lineno}({frame.function})" if place else frame.function
    return "".join(character if character.isprintable() else "?" for character in name.replace(";", ","))
