"""How much room text takes where each letter has one column: East Asian letters and emoji have two.

width("日本")           4
cut("clean(df)", 6)     'clean…'
"""

from __future__ import annotations

import itertools
import re
import textwrap
import unicodedata
from collections.abc import Iterator

__all__ = ["cut", "pad", "width", "wrap"]

_GLUE = "\ue000"
"""Stands for a space where no line may end; no text that is shown has it."""
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[KMGT]i)?B\b|(?:m|µ|n)?s\b|%)")


def width(text: str) -> int:
    """The columns that `text` takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    if "\u1160" <= character <= "\u11ff":  # the later parts of a Hangul syllable are drawn into its first
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


def wrap(text: str, room: int, indent: str = "") -> list[str]:
    """`text` in lines of at most `room` columns, broken at spaces; `indent` stands before all but the first.

    A figure and its unit stay in one line.
    """
    is_ascii, text = text.isascii(), _BEFORE_UNIT.sub(_GLUE, text)
    lines = textwrap.wrap(text, room, subsequent_indent=indent) if is_ascii else _wrapped(text, room, indent)
    return [line.replace(_GLUE, " ") for line in lines]


def _wrapped(text: str, room: int, indent: str) -> list[str]:
    lines, line = [], ""
    for word in itertools.chain.from_iterable(_pieces(each, room - len(indent)) for each in text.split()):
        longer = f"{line} {word}" if line.strip() else line + word
        if width(longer) > room and line.strip():
            lines.append(line)
            longer = indent + word
        line = longer
    return [*lines, line] if line.strip() else lines


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word, or the parts of one that is longer than a line."""
    start = taken = 0
    for n, character in enumerate(word):
        taken += _width_of(character)
        if taken > max(room, 2):
            yield word[start:n]
            start, taken = n, _width_of(character)
    yield word[start:]
