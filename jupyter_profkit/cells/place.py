"""A display of a notebook that is replaced until the report stands in it: one output, the last of its states.

    place = Place(shell)
    place.show({"text/plain": "at work"})        creates it
    place.show({"text/plain": "still"})          replaces it, on any thread
    place.show_report(report)                    what is saved; or place.wipe()

* Only the thread that runs the cell may create it: ipykernel files a new output of
  another thread under whichever cell runs then.
* It publishes where outputs went when it was made. A ``%%capture`` that the cell
  begins later catches none of it.
* It is wiped by an empty text, which takes no room in a front end or in nbconvert's
  pages. Nothing at all would take none either, but nbconvert warns of it.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

__all__ = ["NOTHING", "Place"]

NOTHING: Final = {"text/plain": ""}
"""What is left of a place that was wiped."""


class Place:
    """One display.

    Parameters
    ----------
    shell : a kernel's InteractiveShell.
    """

    def __init__(self, shell: Any) -> None:
        self._publish = shell.display_pub.publish
        self._format = shell.display_formatter.format
        self._transient = {"display_id": uuid.uuid4().hex}
        self.is_there = False

    def show(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._publish(bundle, metadata or {}, transient=self._transient, update=self.is_there)
        self.is_there = True

    def show_report(self, report: Any) -> None:
        """The last state."""
        self.show(*self._format(report))

    def wipe(self) -> None:
        """Leave nothing of it."""
        if self.is_there:
            self.show(NOTHING)
            self.is_there = False
