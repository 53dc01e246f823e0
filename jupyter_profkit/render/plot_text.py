"""Text in a plot, cut to the room that it has.

text_width("223.5 MiB at 0.31 s")         points
fitted(label, 200)                        as much of it as fits
"""

from __future__ import annotations

import functools
import warnings
from bisect import bisect_right

__all__ = ["FONT_SIZE", "fitted", "longest_cut", "text_width"]

FONT_SIZE = 9.0
"""Points."""


@functools.lru_cache(maxsize=512)
def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Points; a bold label is a little wider, which the factor covers."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks
        path = TextPath((0, 0), text.replace("$", "S"), size=size, usetex=False)
    return float(path.get_extents().width) * 1.12


def fitted(text: str, width: float, size: float = FONT_SIZE) -> str:
    """`text`, cut to at most `width` points; nothing when not even two letters fit."""
    if text_width(text, size) <= width:
        return text
    return longest_cut(text, width, size, 2)


def longest_cut(text: str, width: float, size: float, least: int, tail: str = "") -> str:
    """As much of `text` as fits with `tail` into `width` points, at least `least` letters; or nothing."""
    lengths = range(least, len(text))
    n_fitting = bisect_right(lengths, width, key=lambda length: text_width(f"{text[:length]}…{tail}", size))
    return f"{text[: lengths[n_fitting - 1]]}…{tail}" if n_fitting else ""
