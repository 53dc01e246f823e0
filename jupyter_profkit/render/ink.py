"""Colour in a terminal, and only there.

    ink = Ink(on=wants_colour(sys.stdout))
    ink("Peak 812 MiB", "strong")

Notebooks, files and pipes get none. ``NO_COLOR`` and ``TERM=dumb`` switch it off for terminals,
``FORCE_COLOR`` switches it on for pipes, where a terminal may be at the other end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from jupyter_profkit.source import running_shell

__all__ = ["Ink", "in_this_shell", "wants_colour"]

_STYLES: Final = {
    "strong": "1",
    "muted": "2",
    "title": "2",
    "heavy": "1;33",
    "warning": "1;31",
    # code, by Pygments' short classes
    "k": "34",
    "s": "32",
    "c": "2;3",
    "m": "36",
    "nf": "35",
    "nb": "36",
    "nd": "35",
}


@dataclass(frozen=True, slots=True)
class Ink:
    """Writes in a style; without colours it writes the text as it is."""

    on: bool = False

    def __call__(self, text: str, style: str) -> str:
        code = _STYLES.get(style) if self.on and text.strip() else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text


def wants_colour(stream: IO[str] | Any, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to `stream` may be coloured."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return environ["FORCE_COLOR"] != "0"
    return environ.get("TERM") != "dumb" and hasattr(stream, "isatty") and bool(stream.isatty())


def in_this_shell(stream: IO[str] | Any) -> bool:
    """Whether what IPython displays here may be coloured: in its terminal; never in a notebook, which keeps it."""
    shell = running_shell()
    is_terminal = any(base.__name__ == "TerminalInteractiveShell" for base in type(shell).__mro__)
    return is_terminal and getattr(shell, "colors", "").lower() != "nocolor" and wants_colour(stream)
