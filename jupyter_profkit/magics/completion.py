"""Tab completes the options of a magic, and the words that an option takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from jupyter_profkit.options import OptionSet

__all__ = ["OptionCompleter"]

_LINE = re.compile(r"\s*(?:[\w.]+\s*=\s*)?%%?(?P<name>\w+)\s(?P<line>.*)", re.DOTALL)


class OptionCompleter:
    """A matcher for IPython's completer; it speaks only inside our magics' options."""

    def __init__(self, option_sets: Mapping[str, OptionSet]) -> None:
        self._option_sets = option_sets
        self.matcher = self._make_matcher()

    def complete(self, line: str) -> list[str]:
        """What may stand where `line`, which begins with a magic, ends."""
        match = _LINE.fullmatch(line)
        if match is None or match["name"] not in self._option_sets:
            return []
        options = self._option_sets[match["name"]]
        *before, word = re.split(r"\s+", match["line"])
        for option in options.options:
            values = option.choices or option.suggestions
            if values and before and before[-1] in option.flags:
                return [value for value in values if value.startswith(word)]
        if not word.startswith("-"):
            return []
        return [flag for flag in options.flags() if flag.startswith(word)]

    def _make_matcher(self) -> Callable[[CompletionContext], Any]:
        @context_matcher(identifier="jupyter_profkit.options")
        def match_options(context: CompletionContext) -> dict[str, Any]:
            line = context.full_text.splitlines()[context.cursor_line] if context.full_text else ""
            found = self.complete(line[: context.cursor_position])
            return {"completions": [SimpleCompletion(text) for text in found], "suppress": bool(found)}

        return match_options  # type: ignore[no-any-return]
