"""Text that some format or medium does not like; labels may hold any of it."""

from __future__ import annotations

HOSTILE = [
    "quotes \" ' `",
    "</svg><script>alert(1)</script>",
    "]]> --> <![CDATA[ <!-- &amp; &#0; &bogus;",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f",
    "lone \ud800 surrogate \udfff",
    "bidi \u202e\u2066 controls \u200f",
    "lines\nof\r\ntext\u2028\x85",
    "no \ufffe\uffff characters",
    'dot "] n9 [URL="javascript:1"] \\N \\',
    "=cmd()|$\\frac{1}{2}$",
    "long " + "x" * 10_000,
]
