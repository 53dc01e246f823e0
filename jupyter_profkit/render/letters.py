"""How much room text takes where each letter has one column: East Asian letters and emoji have two.

width("日本")           4
cut("clean(df)", 6)     'clean…'
"""

from __future__ import annotations

import unicodedata

__all__ = ["cut", "pad", "width"]


def width(text: str) -> int:
    """The columns that `text` takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, room: int) -> str:
    """`text` in no more than `room` columns; what was cut off is an ellipsis."""
    if width(text) <= room:
        return text
    left = room - 1
    for n, character in enumerate(text):
        left -= _width_of(character)
        if left < 0:
            return f"{text[:n]}…" if room > 0 else ""
    return text


def pad(text: str, room: int, *, left: bool) -> str:
    """`text` filled up with spaces, aligned at the left or at the right."""
    spaces = " " * (room - width(text))
    return text + spaces if left else spaces + text
