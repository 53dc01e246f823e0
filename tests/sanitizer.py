"""What an untrusted JupyterLab leaves of a report, as far as a test needs to know it.

The lists are those of `@jupyterlab/apputils` ``sanitizer.ts`` (4.6), as they were
seen to act in a browser: elements and attributes that are not listed are gone.
"""

from __future__ import annotations

from html.parser import HTMLParser

REMOVED_WITH_CONTENT = {"script", "style", "iframe", "svg", "math", "object", "template", "link"}
KEPT = {
    "div", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "img", "pre", "code",
    "b", "i", "ul", "li", "br", "p", "small", "sup",
}  # fmt: skip
KEPT_ATTRIBUTES = {"class", "style", "title", "scope", "colspan", "rowspan", "alt", "open", "src", "width", "height"}
_VOID = {"img", "br"}


class Sanitized(HTMLParser):
    """Parses HTML and keeps what the sanitizer keeps; complains about tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.removed: set[str] = set()
        self._open: list[str] = []
        self._skipping = 0
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append(tag)
        if self._skipping or tag in REMOVED_WITH_CONTENT:
            self._skipping += tag not in _VOID
            self.removed.add(tag)
        elif tag in KEPT:
            self.tags.append((tag, {name: value or "" for name, value in attributes if name in KEPT_ATTRIBUTES}))
        else:
            self.removed.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()
        self._skipping = max(0, self._skipping - 1)

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]
