"""Reports as one block of static HTML that survives wherever a notebook is opened.

* No script, ``<style>``, iframe, inline SVG or ``var()`` is needed to read it:
  an untrusted JupyterLab removes them. What carries meaning is in inline
  properties that its sanitizer keeps; the ``<style>`` block only refines.
* Colours are inherited or translucent, so light and dark need no detection; one
  rule turns each host's theme signal into ``color-scheme`` for the pictures.
* Pictures are ``<img>`` with a ``data:`` source and an ``alt`` that says the finding.
* Everything from outside is escaped here, and ``$`` is kept from being typeset
  as mathematics.
"""

from __future__ import annotations

import base64
import html as _html
from collections.abc import Iterable

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.render import graph, timeline, tree
from jupyter_profkit.render.scripts import page_script
from jupyter_profkit.render.text import safe
from jupyter_profkit.views.report import (
    Cell,
    Column,
    GraphView,
    Report,
    Row,
    TableView,
    TextView,
    TimelineView,
    TreeView,
    Unit,
    View,
)

__all__ = ["escape", "render_parts", "render_report"]

_BAR = "rgba(229,115,60,.38)"
_LINE = "rgba(127,127,127,.35)"

_STYLE = """
.jpk{font:13px/1.45 var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif))}
[data-jp-theme-light=false] .jpk,html[theme=dark] .jpk,html[data-theme=dark] .jpk,body.vscode-dark .jpk,\
body.vscode-high-contrast .jpk{color-scheme:dark}
[data-jp-theme-light=true] .jpk,html[theme=light] .jpk,html[data-theme=light] .jpk,body.vscode-light .jpk\
{color-scheme:light}
.jpk table.jpk-t{font-size:inherit;color:inherit;table-layout:auto;width:auto;border:0}
.jpk table.jpk-t caption,.jpk table.jpk-t th,.jpk table.jpk-t td{color:inherit}
.jpk table.jpk-t thead tr,.jpk table.jpk-t thead th{position:sticky;top:0;z-index:1;\
background:var(--jp-layout-color1,var(--vscode-editor-background,Canvas))}
.jpk table.jpk-t th,.jpk table.jpk-t td{border:0;max-width:none;vertical-align:top}
.jpk table.jpk-t tbody tr{background:none;border-bottom:1px solid rgba(127,127,127,.16)}
.jpk table.jpk-t tbody tr.jpk-strong{background:rgba(229,115,60,.10)}
.jpk table.jpk-t tbody tr:hover{background:rgba(127,127,127,.14)}
.jpk table.jpk-t td.jpk-n{font-variant-numeric:tabular-nums}
.jpk td.jpk-c,.jpk pre{font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace))}
.jpk summary{cursor:pointer}
.jpk-box:focus-visible,.jpk summary:focus-visible{outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:-2px}
@media print{.jpk-box{max-height:none!important;overflow:visible!important}}
""".replace("\n", "")


def escape(text: object) -> str:
    """`text` for HTML: inert, on one line, never typeset as mathematics."""
    return _html.escape(safe(str(text))).replace("$", "<span>$</span>")


def render_report(report: Report) -> str:
    """The whole report as one ``<div>``."""
    title, headline = escape(report.title), escape(report.headline)
    heading = f'<span style="opacity:.75">{title}</span><br><b style="font-size:15px">{headline}</b>'
    body = [f'<div style="margin:0 0 6px 0">{heading}</div>']
    if report.warning:
        body.append(
            '<div style="border-left:4px solid rgba(213,94,0,.9);padding:2px 8px;margin:0 0 6px 0">'
            f"<b>!</b> {escape(report.warning)}</div>"
        )
    body += [_part(part) for part in report.parts]
    if report.notes:
        items = "".join(f'<li style="margin:0">{escape(note)}</li>' for note in report.notes)
        body.append(f'<ul style="margin:6px 0 4px 0;padding-left:20px">{items}</ul>')
    if report.method:
        lines = "<br>".join(escape(line) for line in report.method)
        body.append(
            '<details style="margin:4px 0 0 0"><summary>How it was measured</summary>'
            f'<div style="padding:2px 0 2px 16px;opacity:.85">{lines}</div></details>'
        )
    if any(isinstance(part, TreeView) for part in report.parts):
        body.append(f"<script>{page_script('flame')}</script>")
    return _root("".join(body))


def render_parts(parts: Iterable[View]) -> str:
    """Some parts of a report, without its heading, as one ``<div>``."""
    return _root("".join(map(_part, parts)))


def _root(body: str) -> str:
    return f'<div class="jpk mathjax_ignore tex2jax_ignore" style="max-width:100%"><style>{_STYLE}</style>{body}</div>'


def _part(part: View) -> str:
    match part:
        case TableView():
            return _folded(part.caption, _table(part), folded=part.folded)
        case TextView():
            caption = "" if part.folded else f"<div>{escape(part.caption)}</div>"
            return _folded(part.caption, caption + _words(part.lines), folded=part.folded)
        case TimelineView():
            return _timeline(part)
        case GraphView():
            return _graph(part)
        case TreeView():
            return _tree(part)


def _folded(caption: str, body: str, *, folded: bool) -> str:
    if folded:
        return f'<details style="margin:6px 0"><summary>{escape(caption)}</summary>{body}</details>'
    return body


def _words(lines: Iterable[str]) -> str:
    text = "\n".join(escape(line) for line in lines)
    return (
        '<pre style="margin:4px 0;padding:4px 8px;max-height:340px;overflow:auto;white-space:pre;'
        f'font-family:monospace;background:none">{text}</pre>'
    )


def _image(source: str, alt: str, *, boxed: bool = False, width: str = "auto", css: str = "") -> str:
    style = f"width:{width};max-width:100%;height:auto"
    named = f' class="{css}"' if css else ""
    img = f'<img{named} alt="{escape_attribute(alt)}" style="{style}" src="{source}">'
    if boxed:
        return f'<div class="jpk-box" style="overflow:auto;max-height:640px;margin:4px 0">{img}</div>'
    return f'<div style="margin:4px 0">{img}</div>'


def escape_attribute(text: str) -> str:
    return _html.escape(safe(text))


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _timeline(view: TimelineView) -> str:
    if view.small:
        return _image(_data("image/svg+xml", timeline.render_svg(view).encode()), view.alt)
    # Drawn at twice the density of the page.
    return _image(_data("image/png", timeline.render_png(view)), view.alt, width="900px")


def _graph(view: GraphView) -> str:
    try:
        svg, engine = graph.render_svg(view), graph.drawn_by(view)
    except ProfkitError as error:
        return f"<div>{escape(error)}</div>{_words(view.words)}"
    summary = f"The same in words (the picture is laid out by {escape(engine)})"
    words = f"<details><summary>{summary}</summary>{_words(view.words)}</details>" if view.words else ""
    return _image(_data("image/svg+xml", svg.encode()), view.alt, boxed=True) + words


def _tree(view: TreeView) -> str:
    source = _data("image/svg+xml", tree.render_svg(view).encode())
    picture = _image(source, view.alt, boxed=True, width=tree.WIDTH, css="jpk-flame")
    words = f"<details><summary>The same in words</summary>{_words(view.words)}</details>" if view.words else ""
    footer = f'<div style="padding:2px 8px;opacity:.8">{escape(view.footer)}</div>' if view.footer else ""
    return f'<div style="margin:8px 0 2px 0">{escape(view.caption)}</div>{picture}{footer}{words}'


def _table(view: TableView) -> str:
    head = "".join(_heading(column) for column in view.columns)
    rows = "".join(_row(row, view.columns) for row in view.rows)
    footer = f'<div style="padding:2px 8px;opacity:.8">{escape(view.footer)}</div>' if view.footer else ""
    caption = "" if view.folded else escape(view.caption)
    return (
        f'<div class="jpk-box" tabindex="0" role="region" aria-label="{escape_attribute(view.caption)}" '
        f'style="max-height:420px;overflow:auto;border:1px solid {_LINE};margin:4px 0">'
        '<table class="jpk-t" style="border-collapse:collapse;margin:0">'
        f'<caption style="text-align:left;caption-side:top;padding:2px 8px">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{footer}"
    )


def _heading(column: Column) -> str:
    align = "right" if column.unit is Unit.NUMBER else "left"
    tip = f' title="{escape_attribute(column.tip)}"' if column.tip else ""
    return (
        f'<th scope="col"{tip} style="text-align:{align};padding:2px 10px;white-space:nowrap;font-weight:600">'
        f"{escape(column.title)}</th>"
    )


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    last = len(columns) - 1
    cells = "".join(
        _cell(cell, column, row, folds=row.folds if n == last else ())
        for n, (cell, column) in enumerate(zip(row.cells, columns, strict=True))
    )
    mark = ' class="jpk-strong" style="background-color:rgba(229,115,60,.10)"' if row.strong else ""
    return f"<tr{mark}>{cells}</tr>"


def _folding(text: str, folds: Iterable[TextView]) -> str:
    """A cell's text that opens onto more about its row."""
    inner = "".join(f"<div>{escape(fold.caption)}</div>{_words(fold.lines)}" for fold in folds)
    return f'<details><summary style="font-weight:inherit">{text}</summary>{inner}</details>'


def _cell(cell: Cell, column: Column, row: Row, folds: Iterable[TextView] = ()) -> str:
    style = "padding:1px 10px;"
    if column.unit is Unit.NUMBER:
        css, style = "jpk-n", style + "text-align:right;white-space:nowrap;"
    elif column.unit is Unit.CODE:
        css, style = "jpk-c", style + "text-align:left;font-family:monospace;white-space:pre;"
    else:
        css, style = "jpk-x", style + "text-align:left;white-space:nowrap;"
    if cell.bar:
        share = f"{min(max(cell.bar, 0), 1) * 100:.1f}%"
        style += f"background:linear-gradient(90deg,{_BAR} {share},transparent {share});"
    if cell.muted:
        style += "opacity:.55;"
    text = escape(cell.text)
    if row.strong and cell.bar:
        text = f"<b>{text}</b>"
    if folds:
        text = _folding(text, folds)
    return f'<td class="{css}" style="{style}">{text}</td>'
