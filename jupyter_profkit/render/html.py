"""Reports as one block of static HTML that survives wherever a notebook is opened.

* No script, ``<style>``, iframe, inline SVG or ``var()`` is needed to read it:
  an untrusted JupyterLab removes them. What carries meaning is in inline
  properties that its sanitizer keeps; the style and the script of `page` only add.
* Colours are inherited or translucent, so light and dark need no detection.
* Pictures are ``<img>`` with a ``data:`` source and an ``alt`` that says the finding.
* Everything from outside is escaped, and ``$`` is kept from being typeset as mathematics.

From top to bottom: the magic and the cell, the answer in a sentence, why it is not the
whole run, tables and pictures, notes, and how it was measured, folded.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.render import boxes, graph, strip, timeline, tree
from jupyter_profkit.render.escaping import escape, escape_attribute, prose
from jupyter_profkit.render.html_table import render_table, render_words
from jupyter_profkit.render.page import STYLE
from jupyter_profkit.render.scripts import page_script, table_script
from jupyter_profkit.views.report import (
    BoxesView,
    GraphView,
    Report,
    TableView,
    TextView,
    TimelineView,
    TreeView,
    View,
)

__all__ = ["escape", "render_foot", "render_head", "render_parts", "render_report"]

_LEAST_SCALE = 0.6
"""To which a graph that is wider than the page is made smaller; then its box scrolls."""


def render_report(report: Report, *, plain: bool = False) -> str:
    """The whole report as one ``<div>``.

    Parameters
    ----------
    report : what to show.
    plain : without style sheet, script and colours of code, for places that show them as text.
    """
    body = [*_head(report), *(_part(part, plain=plain) for part in report.parts), *_foot(report)]
    return _root(body if plain else [STYLE, *body, *_scripts(report)])


def render_parts(parts: Iterable[View]) -> str:
    """Some parts of a report, without its heading, as one ``<div>``."""
    return _root([STYLE, *(_part(part, plain=False) for part in parts)])


def render_head(report: Report) -> str:
    """The heading and the warning of a report alone."""
    return _root([STYLE, *_head(report)])


def render_foot(report: Report) -> str:
    """The notes and the method of a report alone."""
    return _root([STYLE, *_foot(report)])


def _root(body: Iterable[str]) -> str:
    opening = '<div class="jpk mathjax_ignore tex2jax_ignore" style="max-width:100%;padding:6px 0 2px 0">'
    return f"{opening}{''.join(body)}</div>"


def _scripts(report: Report) -> Iterator[str]:
    if any(isinstance(part, TableView) for part in report.parts):
        yield f"<script>{table_script()}</script>"
    if any(isinstance(part, TreeView) for part in report.parts):
        yield f"<script>{page_script('flame')}</script>"


def _head(report: Report) -> Iterator[str]:
    answer, separator, more = report.headline.partition("; ")
    more = f'<span style="opacity:.9">{prose(separator + more)}</span>' if more else ""
    yield (
        f'<div style="font-size:12px;opacity:.75">{escape(report.title)}</div>'
        '<div role="heading" aria-level="3" style="margin:0 0 8px 0">'
        f'<b style="font-size:15px;line-height:1.5">{prose(answer)}</b>{more}</div>'
    )
    if report.warning:
        yield _alarm(escape(report.warning))


def _alarm(inner: str) -> str:
    bar = "border-left:4px solid rgba(213,94,0,.9);padding:2px 8px;margin:0 0 8px 0"
    return f'<div style="{bar}"><b>!</b> {inner}</div>'


def _foot(report: Report) -> Iterator[str]:
    if report.notes:
        items = "".join(f'<li style="margin:0">{prose(note)}</li>' for note in report.notes)
        yield f'<ul style="margin:4px 0;padding-left:20px">{items}</ul>'
    lines = [*report.method, *_layouts(report)]
    if lines:
        words = "".join(f"<div>{escape(line)}</div>" for line in lines)
        yield (
            '<details class="jpk-how" style="margin:4px 0 0 0">'
            '<summary style="opacity:.85">How it was measured</summary>'
            f'<div style="padding:2px 0 2px 16px;opacity:.85">{words}</div></details>'
        )


def _layouts(report: Report) -> Iterator[str]:
    """Which engine placed the nodes of the graphs."""
    for part in report.parts:
        if isinstance(part, GraphView):
            try:
                yield f"the picture is laid out by {graph.drawn_by(part)}"
            except ProfkitError:  # said where the picture would be
                continue


def _part(part: View, *, plain: bool) -> str:
    match part:
        case TableView():
            inner = _folded(part.caption, render_table(part, plain=plain), folded=part.folded)
        case TextView():
            caption = "" if part.folded else _caption(part.caption)
            inner = _folded(part.caption, caption + _words(part), folded=part.folded)
        case TimelineView():
            inner = _timeline(part)
        case GraphView():
            inner = _graph(part)
        case TreeView():
            inner = _tree(part)
        case BoxesView():
            inner = _boxes(part)
    is_folded = isinstance(part, TableView | TextView) and part.folded
    is_caption = isinstance(part, TextView) and not part.lines
    return f'<div style="margin:{2 if is_folded else 0}px 0 {4 if is_folded or is_caption else 10}px 0">{inner}</div>'


def _words(view: TextView) -> str:
    if not view.alarm:
        return render_words(view.lines, sentences=view.prose)
    first, *more = view.lines
    return _alarm(f"<b>{prose(first)}</b>{render_words(more, sentences=view.prose) if more else ''}")


def _caption(caption: str) -> str:
    return f'<div style="font-weight:600">{escape(caption)}</div>' if caption else ""


def _folded(caption: str, body: str, *, folded: bool) -> str:
    if folded:
        return (
            f'<details><summary>{escape(caption)}</summary><div style="padding:4px 0 4px 16px">{body}</div></details>'
        )
    return body


def _in_words(words: Iterable[str]) -> str:
    return _folded("The same in words", render_words(words), folded=True) if words else ""


def _image(source: str, alt: str, *, width: str = "auto", least: float = 0, css: str = "", over: str = "") -> str:
    """A picture that shrinks with the page, in a box that scrolls where it may not; `over` lies on it."""
    least_width = f"min-width:{least:.0f}px;" if least else ""
    style = f"width:{width};max-width:100%;{least_width}height:auto"
    named = f' class="{css}"' if css else ""
    img = f'<img{named} alt="{escape_attribute(alt)}" style="{style}" src="{source}">'
    if over:
        around = f"position:relative;display:inline-block;max-width:100%;{least_width}line-height:0"
        img = f'<div style="{around}">{img}{over}</div>'
    if not least:
        return f"<div>{img}</div>"
    return (
        f'<div class="jpk-box" tabindex="0" role="region" aria-label="{escape_attribute(alt[:80])}" '
        f'style="overflow:auto;max-height:640px">{img}</div>'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _timeline(view: TimelineView) -> str:
    if view.small:
        return _image(_data("image/svg+xml", strip.render_svg(view).encode()), view.alt)
    # Drawn at twice the density of the page.
    return _image(_data("image/png", timeline.render_png(view)), view.alt, width="900px")


def _graph(view: GraphView) -> str:
    try:
        svg = graph.render_svg(view)
    except ProfkitError as error:
        return f"<div>{escape(error)}</div>{render_words(view.words)}"
    source, least = _data("image/svg+xml", svg.encode()), _LEAST_SCALE * graph.width_of(view)
    tips = "".join(map(_tip, graph.tips_of(view)))
    return _caption(view.caption) + _image(source, view.alt, least=least, over=tips) + _in_words(view.words)


def _tip(tip: graph.Tip) -> str:
    """An empty place over a node, with what is said when it is pointed at."""
    place = f"left:{tip.left:.2f}%;top:{tip.top:.2f}%;width:{tip.width:.2f}%;height:{tip.height:.2f}%"
    return f'<span title="{escape_attribute(tip.text)}" style="position:absolute;{place}"></span>'


def _tree(view: TreeView) -> str:
    source = _data("image/svg+xml", tree.render_svg(view).encode())
    least = _LEAST_SCALE * float(tree.WIDTH.removesuffix("px"))
    picture = _image(source, view.alt, width=tree.WIDTH, least=least, css="jpk-flame")
    footer = f'<div style="opacity:.8">{escape(view.footer)}</div>' if view.footer else ""
    return f"{_caption(view.caption)}{picture}{footer}{_in_words(view.words)}"


def _boxes(view: BoxesView) -> str:
    """The panels side by side where there is room, else below one another."""
    panels = "".join(
        '<div style="display:inline-block;vertical-align:top;margin:0 20px 4px 0;max-width:100%">'
        f"{_caption(caption)}{_panel(svg, f'{caption}: {view.alt}' if caption else view.alt, width)}</div>"
        for caption, svg, width in boxes.render_panels(view)
    )
    return f"{_caption(view.caption)}<div>{panels}</div>{_in_words(view.words)}"


def _panel(svg: str, alt: str, width: float) -> str:
    return _image(_data("image/svg+xml", svg.encode()), alt, least=_LEAST_SCALE * width)
