"""Flame graphs as a standalone SVG document: no script, no link, no page's CSS.

    render_svg(view)        shown in an ``<img>``, and written to files

Boxes carry their own background, so that names can be read on any page; a media
query inside makes them dark where the page says that it is. The user's own code has
an outline and bold letters besides its colour. A name is cut to what its box holds.
"""

from __future__ import annotations

from typing import Final

from jupyter_profkit.render.escaping import escape_xml
from jupyter_profkit.render.letters import cut
from jupyter_profkit.render.letters import width as width_of
from jupyter_profkit.views.report import TreeBox, TreeView

__all__ = ["WIDTH", "render_svg"]

WIDTH: Final = "980px"

_WIDTH: Final = 980.0
_ROW: Final = 20.0
_FONT_SIZE: Final = 11.5
_CHARACTER: Final = 0.62 * _FONT_SIZE
"""Width of a letter; the fonts named in the style have 0.60 to 0.62 of their size."""
_PADDING: Final = 4.0
_LEGEND: Final = 24.0

_CLASSES: Final = {"own": "o", "library": "l", "whole": "w", "outside": "x"}
_STYLE: Final = (
    f"text{{font:{_FONT_SIZE}px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;"
    "white-space:pre}"
    "rect{stroke-width:1}"
    ".o rect{fill:#fbd9bf;stroke:#b4581c}.o text{fill:#3a1c06;font-weight:bold}"
    ".l rect{fill:#dde4ec;stroke:none}.l text{fill:#25303c}"
    ".w rect{fill:#f4f4f4;stroke:#9a9a9a}.w text{fill:#222}"
    ".x rect{fill:#f4f4f4;stroke:#9a9a9a;stroke-dasharray:4 3}.x text{fill:#444}"
    ".n{fill:#767676}"
    "@media(prefers-color-scheme:dark){"
    ".o rect{fill:#5b3115;stroke:#e6a06a}.o text{fill:#ffeddf}"
    ".l rect{fill:#37424e}.l text{fill:#e3e9f0}"
    ".w rect{fill:#2a2a2a;stroke:#8a8a8a}.w text{fill:#e8e8e8}"
    ".x rect{fill:#2a2a2a;stroke:#8a8a8a}.x text{fill:#c8c8c8}"
    ".n{fill:#9a9a9a}}"
)


def render_svg(view: TreeView) -> str:
    """The flame graph as an SVG document, well-formed whatever its labels hold."""
    n_levels = 1 + max((box.level for box in view.boxes), default=0)
    height = n_levels * _ROW + _LEGEND
    boxes = "".join(map(_box, view.boxes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img"><title>{escape_xml(view.alt)}</title>'
        f"<style>{_STYLE}</style>"
        f"{boxes}{_legend(n_levels * _ROW + 16)}</svg>"
    )


def _box(box: TreeBox) -> str:
    x, y = 1 + box.start * (_WIDTH - 2), box.level * _ROW + 1
    width = max(box.width * (_WIDTH - 2) - 1, 0.6)
    rect = f'<rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{_ROW - 2:.0f}" rx="2"/>'
    label = _fitted(box, width - 2 * _PADDING)
    text = f'<text x="{x + _PADDING:.1f}" y="{y + 13:.0f}">{escape_xml(label)}</text>' if label else ""
    tip = "\n".join(map(escape_xml, (box.label, box.place, box.figure)))  # js/flame.js reads it, too
    return f'<g class="{_CLASSES.get(box.kind, "l")}"><title>{tip}</title>{rect}{text}</g>'


def _legend(y: float) -> str:
    return (
        f'<g class="o"><rect x="1" y="{y - 10:.0f}" width="14" height="12" rx="2"/></g>'
        f'<text class="n" x="20" y="{y:.0f}">your code: outlined, bold</text>'
        f'<g class="l"><rect x="230" y="{y - 10:.0f}" width="14" height="12" rx="2"/></g>'
        f'<text class="n" x="249" y="{y:.0f}">[package] a library, from where it was called</text>'
    )


def _fitted(box: TreeBox, width: float) -> str:
    """The label with place and figure, with one or none of them, or what of it has room."""
    room = int(width / _CHARACTER)
    for parts in ((box.label, box.place, box.figure), (box.label, box.figure), (box.label,)):
        text = "  ".join(part for part in parts if part)
        if width_of(text) <= room:
            return text
    return cut(box.label, room) if room >= 3 else ""
