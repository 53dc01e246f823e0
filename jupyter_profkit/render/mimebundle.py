"""The one place where a MIME bundle is made.

``text/plain`` is the whole report; ``text/html`` is the same, static, and safe
for a notebook that nobody trusts; ``image/png`` is the picture of a report that
is one picture. Nothing else goes in: an untrusted JupyterLab drops
``image/svg+xml``, and a vendor type would win over the HTML in some front ends.
"""

from __future__ import annotations

import base64
import functools
import sys

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.render import boxes, graph, html, text, timeline
from jupyter_profkit.render.budget import fitted
from jupyter_profkit.render.ink import of_display
from jupyter_profkit.views.report import BoxesView, GraphView, Report, TimelineView

__all__ = ["MAX_BYTES", "mimebundle", "use_plain_html"]

MAX_BYTES = 200_000
"""No report is larger than this, whatever was profiled."""

_MAX_HTML = 140_000
_MAX_TEXT = 50_000


_settings = {"plain": False}


def use_plain_html(plain: bool) -> None:
    """Whether the HTML of reports has no style sheet, no script and no colours of code from now on."""
    _settings["plain"] = plain


def mimebundle(report: Report) -> dict[str, str]:
    """`report` in every form that front ends choose from."""
    width, ink = of_display(sys.stdout)
    as_text = functools.partial(text.render_report, width=width, ink=ink)
    bundle = {
        "text/plain": fitted(report, as_text, _MAX_TEXT),
        "text/html": fitted(report, functools.partial(html.render_report, plain=_settings["plain"]), _MAX_HTML),
    }
    png = _picture(report)
    if png is not None and sum(len(form.encode()) for form in bundle.values()) + len(png) <= MAX_BYTES:
        bundle["image/png"] = png
    return bundle


def _picture(report: Report) -> str | None:
    """The picture of a report whose first part is one, as base64."""
    match report.parts[:1]:
        case (TimelineView(small=False) as view,):
            draw = timeline.render_png
        case (GraphView() as view,):
            draw = graph.render_png  # type: ignore[assignment]
        case (BoxesView() as view,):
            draw = boxes.render_png  # type: ignore[assignment]
        case _:
            return None
    try:
        return base64.b64encode(draw(view)).decode("ascii")  # type: ignore[arg-type]
    except ProfkitError:  # no engine could draw it: the text says so
        return None
