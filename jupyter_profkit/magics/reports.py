"""Settings of all reports: ``%config Reports.plain_html = True``."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, observe
from traitlets.config import Configurable

__all__ = ["Reports"]


class Reports(Configurable):
    """What holds for the reports of every magic; a ``%config`` entry while the extension is loaded."""

    plain_html = Bool(
        False,
        help="leave style sheet, scripts and colours of code out of the HTML, for publishers that show them as text",
    ).tag(config=True)

    @observe("plain_html")
    def _on_plain_html(self, change: Any) -> None:
        from jupyter_profkit.render.mimebundle import use_plain_html

        use_plain_html(bool(change.new))
