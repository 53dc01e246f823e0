"""Figures, names and nouns as reports write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_profkit.model.functions import CallerRecord, FunctionRecord, Key

__all__ = [
    "LONGEST_NAME",
    "calls_text",
    "clip",
    "counted",
    "headed",
    "listed",
    "name_of",
    "name_of_key",
    "percent",
    "plural",
    "seconds_text",
    "with_article",
]

LONGEST_NAME: Final = 100


def name_of(record: FunctionRecord) -> str:
    """A function as pstats names it, with the file as its reader knows it: ``In [3]:4(Model.fit)``."""
    return name_of_key(record.key, record)


def name_of_key(key: Key, record: FunctionRecord | None) -> str:
    filename, lineno, function = key
    if filename == "~":
        return f"{{{function[1:-1]}}}" if function.startswith("<") and function.endswith(">") else function
    if record is None:
        return f"{filename}:{lineno}({function})"
    name = (record.qualname or function).replace("<locals>.", "")
    return f"{record.label or filename}:{lineno}({name})"


def calls_text(record: FunctionRecord | CallerRecord) -> str:
    if record.pcalls == record.ncalls:
        return str(record.ncalls)
    return f"{record.ncalls}/{record.pcalls}"


def seconds_text(seconds: float) -> str:
    """Microseconds are the last digit: pstats' three digits are all 0 for most functions."""
    return f"{seconds:.6f}"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.1f} %"


def plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """``1 object``, ``1,204 objects``."""
    return f"{number:,} {plural(noun, number)}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def with_article(noun: str) -> str:
    """``a list``, ``an int``, ``an ndarray``, which is read by its letters."""
    return f"{'an' if noun[:1].lower() in 'aeiou' or noun.startswith('nd') else 'a'} {noun}"


def headed(magic: str, title: str) -> str:
    """A report's title: the magic, and what it looked at; a statement's own title has its magic already."""
    if title.lstrip("%").partition(" ")[0] == magic.lstrip("%"):
        magic, _, title = title.partition(" ")
    return f"{magic}  {title.lstrip()}".rstrip()


def clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
