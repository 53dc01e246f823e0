r"""Text from anywhere, made inert for the medium it goes to.

safe("a\x1b[31m")      'a\\x1b[31m', on one line, for a terminal
escape("<b> $x$")       for HTML, and never typeset as mathematics
"""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["escape", "escape_attribute", "escape_xml", "prose", "safe", "shown"]

_CODE = re.compile("`([^`]+)`")
_WHOLE = re.compile(
    r"(?<![\w.,])[+-]?\d[\d.,]{0,15} (?:[KMG]iB|B|[mµ]?s|min|%)(?!\w)|(?<![\w-])--\w[\w-]{1,30}(?![\w-])"
)
"""A figure with its unit, and an option; nothing that could be wider than a page."""


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


def prose(text: str) -> str:
    """`text` for HTML, what stands between backticks as code; figures stay with units, options with dashes."""
    code = r'<code style="font-family:monospace;padding:0 3px;background:rgba(127,127,127,.16)">\1</code>'
    whole = r'<span style="white-space:nowrap">\g<0></span>'
    return _CODE.sub(code, _WHOLE.sub(whole, escape(text)))


def escape_attribute(text: str) -> str:
    """`text` for the value of an HTML attribute."""
    return html.escape(safe(text))


def shown(text: str) -> str:
    """`text` with a mark in place of each character that cannot be drawn, or has no place in XML."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def escape_xml(text: str) -> str:
    """`text` for the content of an XML element, which has no place for most control characters."""
    return html.escape(shown(text), quote=False)
