r"""Text from anywhere, made inert for the medium it goes to.

safe("a\x1b[31m")      'a\\x1b[31m', on one line, for a terminal
escape("<b> $x$")       for HTML, and never typeset as mathematics
"""

from __future__ import annotations

import html
import unicodedata

__all__ = ["escape", "escape_attribute", "safe"]


def safe(text: str) -> str:
    """`text` on one line, with control characters and lone surrogates made visible."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == "\t":
        return "    "
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def escape(text: object) -> str:
    """`text` for HTML: inert, on one line, never typeset as mathematics."""
    return html.escape(safe(str(text))).replace("$", "<span>$</span>")


def escape_attribute(text: str) -> str:
    """`text` for the value of an HTML attribute."""
    return html.escape(safe(text))
