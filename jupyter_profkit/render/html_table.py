"""Tables as HTML: figures with bars behind them, code in the notebook's own colours, the heaviest rows at a glance.

What carries meaning is in inline properties that an untrusted page keeps:

* a heavy row has a mark at its left edge, bold figures and a tint, so that colour is never the only sign;
* columns with bars have one width, so that bars can be compared across columns;
* long code goes on in the next line, behind its own indentation; a table that is wider still scrolls in its box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jupyter_profkit.render.escaping import escape, escape_attribute, prose
from jupyter_profkit.render.highlight import Painter, Part
from jupyter_profkit.views.report import Cell, Column, Row, TableView, TextView, Unit

__all__ = ["BOX_LINE", "render_table", "render_words"]

BOX_LINE = "rgba(127,127,127,.35)"

_BAR = "rgba(229,115,60,.38)"
_TINT = "rgba(229,115,60,.10)"
_MARK = "3px solid rgba(213,94,0,.9)"
_CHARACTER = 7.8
"""Width of a letter of code, pixels."""
_LONG = {Unit.CODE: 32, Unit.NAME: 30, Unit.TEXT: 26, Unit.NUMBER: 1_000}
"""Characters from which a cell may be broken; it is never narrower than about that."""
_LEAST = 110
"""Pixels for code behind its indentation, however deep that is."""
_CLASSES = {Unit.NUMBER: "jpk-n", Unit.TEXT: "jpk-x", Unit.NAME: "jpk-c", Unit.CODE: "jpk-c highlight"}
_SHORT_CAPTION = 60
"""Characters up to which a caption stands in one line, however narrow its table is."""
_MOST_CODE = 24_000
"""Characters of code in a table that are coloured; more would make the page heavy."""


def render_words(lines: Iterable[str], *, sentences: bool = False) -> str:
    """Lines of a fixed-width face in a box of their own; sentences as sentences."""
    if sentences:
        return "".join(
            f'<div style="margin:0 0 2px {16 if line.startswith(" ") else 0}px">{prose(line)}</div>' for line in lines
        )
    text = "\n".join(escape(line) for line in lines)
    return (
        '<pre style="margin:4px 0;padding:4px 8px;max-height:340px;overflow:auto;white-space:pre;'
        f'font-family:monospace;background:none">{text}</pre>'
    )


def render_table(view: TableView, *, plain: bool = False) -> str:
    """The table in a box that scrolls, and its footer."""
    barred = [any(row.cells[n].bar for row in view.rows) for n in range(len(view.columns))]
    head = "".join(_heading(column, bar) for column, bar in zip(view.columns, barred, strict=True))
    paint = _painted(view) if not plain else _unpainted
    rows = "".join(_row(row, view.columns, paint) for row in view.rows)
    caption = "" if view.folded else escape(view.caption)
    whole = ";white-space:nowrap" if len(view.caption) <= _SHORT_CAPTION else ""
    footer = f'<div style="padding:2px 0 0 7px;opacity:.8">{escape(view.footer)}</div>' if view.footer else ""
    return (
        f'<div class="jpk-box" tabindex="0" role="region" aria-label="{escape_attribute(view.caption or "table")}" '
        'style="display:inline-block;vertical-align:top;max-width:100%;max-height:640px;overflow:auto;'
        f'border-bottom:1px solid {BOX_LINE}"><table class="jpk-t" style="border-collapse:collapse;margin:0">'
        f'<caption style="text-align:left;caption-side:top;padding:0 0 2px 0;font-weight:600{whole}">'
        f"{caption}</caption>"
        f'<thead><tr style="border-bottom:1px solid {BOX_LINE}">{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{footer}"
    )


def _heading(column: Column, has_bars: bool) -> str:
    align = "right" if column.unit is Unit.NUMBER else "left"
    tip = f' title="{escape_attribute(column.tip)}"' if column.tip else ""
    width = "width:64px;min-width:50px;" if has_bars else ""
    # Titles of figures are broken where that leaves room for code beside them.
    wrap = "normal" if column.unit is Unit.NUMBER else "nowrap"
    return (
        f'<th scope="col"{tip} style="text-align:{align};vertical-align:bottom;padding:2px 7px;{width}'
        f'white-space:{wrap};font-weight:600">{escape(column.title)}</th>'
    )


_Paint = Callable[[Row, str], str]
"""From the code of a row to HTML."""


def _unpainted(_row: Row, text: str) -> str:
    return escape(text)


def _painted(view: TableView) -> _Paint:
    """Colours for the code of `view`, if it is not too long for that."""
    codes = [n for n, column in enumerate(view.columns) if column.unit is Unit.CODE]
    if sum(len(row.cells[n].text) for row in view.rows for n in codes) > _MOST_CODE:
        return _unpainted
    painter = Painter(view.source)

    def paint(row: Row, text: str) -> str:
        if (view.source and row.line is None) or text.startswith("⋯") or not text.isprintable():
            return escape(text)  # a remark among the lines, or what must be made visible first
        return _spans(painter.line(row.line, text))

    return paint


def _spans(parts: Iterable[Part]) -> str:
    """Coloured parts as HTML; blanks go with what follows them, since nbconvert shrinks those that stand alone."""
    html, blanks = "", ""
    for kind, piece in parts:
        if piece.isspace():
            blanks += piece
            continue
        text = escape(blanks + piece)
        html += f'<span class="{kind}">{text}</span>' if kind else text
        blanks = ""
    return html + blanks


def _row(row: Row, columns: tuple[Column, ...], paint: _Paint) -> str:
    last = len(columns) - 1
    is_broken = any(len(cell.text) > _LONG[column.unit] for cell, column in zip(row.cells, columns, strict=True))
    cells = "".join(
        _cell(cell, column, row, paint, is_first=n == 0, is_broken=is_broken, folds=row.folds if n == last else ())
        for n, (cell, column) in enumerate(zip(row.cells, columns, strict=True))
    )
    mark = ' class="jpk-strong"' if row.strong else ""
    library = f' data-library="{escape_attribute(row.library)}"' if row.library else ""
    return f"<tr{mark}{library}>{cells}</tr>"


def _cell(
    cell: Cell,
    column: Column,
    row: Row,
    paint: _Paint,
    *,
    is_first: bool,
    is_broken: bool,
    folds: tuple[TextView, ...] = (),
) -> str:
    is_code = column.unit is Unit.CODE
    text = paint(row, cell.text) if is_code else escape(cell.text)
    if row.strong and column.unit is Unit.NUMBER and (cell.bar or is_first):
        text = f"<b>{text}</b>"
    if folds:
        text = _folding(text, folds)
    style = _layout(cell.text, column) + _ground(cell, tinted=row.strong and not is_code)
    if is_broken:
        style += "vertical-align:top;"
    if row.strong and is_first:
        style += f"border-left:{_MARK};"
    if cell.muted:
        style += "opacity:.65;"
    pair = " jpk-w" if column.unit is Unit.NUMBER and "→" in cell.text else ""
    return f'<td class="{_CLASSES[column.unit]}{pair}" style="{style}">{text}</td>'


def _layout(text: str, column: Column) -> str:
    """Where the text of a cell stands, and whether it may be broken."""
    if column.unit is Unit.NUMBER:
        return f"padding:1px 7px;text-align:right;{'white-space:nowrap;' if ' ' in text else ''}"
    is_long = len(text) > _LONG[column.unit]
    if column.unit is Unit.TEXT:
        least = _LONG[Unit.TEXT] * 5
        broken = f"white-space:normal;word-break:break-word;min-width:{least}px;" if is_long else "white-space:nowrap;"
        return f"padding:1px 7px;text-align:left;{broken}"
    code = "text-align:left;font-family:monospace;background:none;"
    if not is_long:
        return f"padding:1px 7px;{code}white-space:pre;"
    hanging = round((len(text) - len(text.lstrip()) + 4) * _CHARACTER)
    width = round(max(_LONG[column.unit] * _CHARACTER - hanging, _LEAST))
    return (
        f"padding:1px 7px 1px {hanging + 7}px;text-indent:-{hanging}px;{code}white-space:pre-wrap;"
        f"min-width:{width}px;word-break:break-word;"
    )


def _ground(cell: Cell, *, tinted: bool) -> str:
    """The bar of a cell, and the tint of a heavy row; not behind code, whose own colours would be hard to read."""
    style = f"background-color:{_TINT};" if tinted else ""
    if cell.bar:
        share = f"{min(max(cell.bar, 0), 1) * 100:.1f}%"
        style += f"background-image:linear-gradient(90deg,{_BAR} {share},transparent {share});"
    return style


def _folding(text: str, folds: Iterable[TextView]) -> str:
    """A cell's text that opens onto more about its row."""
    inner = "".join(
        (f"<div>{escape(fold.caption)}</div>" if fold.caption else "") + render_words(fold.lines, sentences=fold.prose)
        for fold in folds
    )
    return f'<details><summary style="font-weight:inherit">{text}</summary>{inner}</details>'
