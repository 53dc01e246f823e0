"""Bytes and seconds to text, and back. Units exist only here.

    format_size(160_010_240)        '152.6 MiB'
    format_change(-1_048_576)       '-1.0 MiB'
    parse_size("4GiB")              4_294_967_296
    format_seconds(0.0123)          '12.3 ms'

Inside, sizes are bytes and times are seconds.
"""

from __future__ import annotations

import re

from jupyter_profkit.errors import OptionError

__all__ = ["KIB", "MIB", "format_change", "format_mib", "format_seconds", "format_size", "parse_size"]

KIB = 1024
MIB = 1024 * KIB

_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?i?b?)\s*", re.IGNORECASE)
_FACTOR = {"": 1, "k": KIB, "m": MIB, "g": 1024 * MIB, "t": 1024 * 1024 * MIB}
_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def format_mib(n_bytes: int, precision: int = 1) -> str:
    """Bytes as a bare number of MiB, for a column whose heading names the unit."""
    text = f"{n_bytes / MIB:.{precision}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def format_size(n_bytes: int, precision: int = 1) -> str:
    """Bytes with the unit that reads best: ``812.4 MiB``, ``3.1 KiB``, ``12 B``."""
    size = abs(n_bytes)
    if size >= 1024 * MIB:
        return f"{n_bytes / (1024 * MIB):.{max(precision, 2)}f} GiB"
    if size >= 0.1 * MIB:
        return f"{n_bytes / MIB:.{precision}f} MiB"
    if size >= KIB:
        return f"{n_bytes / KIB:.{precision}f} KiB"
    return f"{n_bytes} B"


def format_change(n_bytes: int, precision: int = 1) -> str:
    """Bytes with their sign, as `format_size` writes them; no change is ``0 B``."""
    return f"{'+' if n_bytes > 0 else ''}{format_size(n_bytes, precision)}"


def format_seconds(seconds: float) -> str:
    """Seconds with the unit that reads best: ``2.41 s``, ``12.3 ms``, ``8.0 µs``, ``0 s``."""
    size = abs(seconds)
    if size == 0:
        return "0 s"
    if size >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    if size >= 1:
        return f"{seconds:.2f} s"
    if size >= 1e-3:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.1f} µs"


def parse_size(text: str) -> int:
    """``'4GiB'``, ``'200 MB'``, ``'1.5g'`` or plain bytes, as a number of bytes.

    ``MiB`` and a bare ``M`` are 1024 * 1024 bytes, ``MB`` is a million.

    Raises
    ------
    OptionError
        If the text is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise OptionError(f"{text!r} is not a size; write it like 500MiB, 4GiB or 2000000000")
    unit = match["unit"].lower()
    factors = _DECIMAL if unit.endswith("b") and "i" not in unit else _FACTOR
    return int(float(match["number"]) * factors[unit[:1].replace("b", "").replace("i", "")])
