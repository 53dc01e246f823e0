"""Python source in parts that a medium colours, each with the short class that Pygments has for it.

    Painter(("if x:", "    y = 1")).line(0, "if x:")       [("k", "if"), ("", " x:")]

* The whole source is read at once, so that a text over several lines is known as one.
* In HTML the parts become spans inside an element of class ``highlight``: JupyterLab and
  nbconvert have colours for these classes, light and dark, which also an untrusted page keeps.
* Pygments comes with IPython. Without it, or for code that is no Python, nothing is coloured.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["Painter", "Part"]

Part = tuple[str, str]
"""A class (``""`` for none) and a piece of a line."""

_MOST_CHARACTERS = 60_000
"""Of a source; more would take too long to read."""

_CLASSES = {
    "Token.Keyword": "k",
    "Token.Operator.Word": "k",
    "Token.Operator": "o",
    "Token.Name.Function": "nf",
    "Token.Name.Class": "nf",
    "Token.Name.Decorator": "nd",
    "Token.Name.Builtin.Pseudo": "",
    "Token.Name.Builtin": "nb",
    "Token.Literal.String.Interpol": "",
    "Token.Literal.String": "s",
    "Token.Literal.Number": "m",
    "Token.Comment": "c",
}
"""By the longest name that fits; an operator that is a word looks like a keyword, as it does in editors."""


class Painter:
    """The lines of a source, in coloured parts.

    Parameters
    ----------
    source : all its lines; empty if only single lines are known.
    """

    def __init__(self, source: Sequence[str] = ()) -> None:
        self._source = source

    @functools.cached_property
    def _lines(self) -> list[list[Part]]:
        # The magics on top of a cell are no Python; a line of them must not be read as one.
        python = ["" if line.startswith("%%") else line for line in self._source]
        return _parts_of("\n".join(python)) if self._source else []

    def line(self, number: int | None, text: str) -> list[Part]:
        """`text` in parts, as line `number` of the source has them; from where they differ it is plain.

        It may be a later piece of the line, behind an indentation of its own. Without a number, or with one of another
        source, `text` is read by itself.
        """
        if text.startswith("%%"):
            return [("", text)]
        if number is None or not 0 <= number < len(self._lines):
            return _parts_of(text.replace("\n", " "))[0]
        parts = self._lines[number]
        whole = "".join(piece for _, piece in parts)
        code = text if text in whole else text.lstrip()
        start = whole.find(code)
        if start < 0:
            return list(_as_far_as_alike(parts, text))
        indent = [("", text[: -len(code)])] if code != text else []
        return [*indent, *_between(parts, start, start + len(code))]


def _between(parts: Sequence[Part], start: int, end: int) -> Iterator[Part]:
    """What of a line's parts is from character `start` to `end`."""
    at = 0
    for kind, piece in parts:
        shown = piece[max(start - at, 0) : max(end - at, 0)]
        if shown:
            yield kind, shown
        at += len(piece)


def _as_far_as_alike(parts: Sequence[Part], text: str) -> Iterator[Part]:
    """The parts that `text` begins with, and the rest of it: a line may be cut, or have a remark behind it."""
    for kind, piece in parts:
        if not text.startswith(piece):
            break
        yield kind, piece
        text = text[len(piece) :]
    if text:
        yield "", text


@functools.lru_cache(maxsize=256)
def _parts_of(source: str) -> list[list[Part]]:
    lines: list[list[Part]] = [[]]
    for kind, text in _tokens(source):
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if piece:
                _append(lines[-1], kind, piece)
    return lines


def _append(line: list[Part], kind: str, piece: str) -> None:
    """Neighbours of one class are one part."""
    if line and line[-1][0] == kind:
        line[-1] = kind, line[-1][1] + piece
    else:
        line.append((kind, piece))


def _tokens(source: str) -> Iterator[Part]:
    lexer = _lexer() if len(source) <= _MOST_CHARACTERS else None
    if lexer is None:
        yield "", source
        return
    for token, text in lexer.get_tokens(source):
        yield _class_of(str(token)), text


@functools.cache
def _lexer() -> Any:
    try:
        from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
    except ImportError:
        return None
    return PythonLexer(stripnl=False, ensurenl=False)


@functools.cache
def _class_of(token: str) -> str:
    while token and token not in _CLASSES:
        token = token.rpartition(".")[0]
    return _CLASSES.get(token, "")
