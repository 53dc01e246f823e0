"""Colour in a terminal, and only there; how wide it is.

    ink = Ink(on=wants_colour(sys.stdout))
    ink("Peak 812 MiB", "strong")

Notebooks, files and pipes get none. ``NO_COLOR`` and ``TERM=dumb`` switch it off for terminals,
``FORCE_COLOR`` switches it on for pipes, where a terminal may be at the other end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from jupyter_profkit.source import running_shell

__all__ = ["Ink", "of_display", "wants_colour", "width_of"]

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
    return environ.get("TERM") != "dumb" and _is_terminal(stream)


def width_of(stream: IO[str] | Any) -> int | None:
    """The columns of the terminal at the end of `stream`; None if there is none."""
    return shutil.get_terminal_size((120, 24)).columns if _is_terminal(stream) else None


def of_display(stream: IO[str] | Any) -> tuple[int | None, Ink]:
    """Width and colours of what IPython displays here: those of its terminal; none in a notebook, which keeps it."""
    shell = running_shell()
    if not any(base.__name__ == "TerminalInteractiveShell" for base in type(shell).__mro__):
        return None, Ink()
    return width_of(stream), Ink(getattr(shell, "colors", "").lower() != "nocolor" and wants_colour(stream))


def _is_terminal(stream: IO[str] | Any) -> bool:
    return hasattr(stream, "isatty") and bool(stream.isatty())
