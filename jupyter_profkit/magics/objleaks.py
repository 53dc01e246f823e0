"""``%%objleaks`` and ``%objleaks``: what a cell or a statement left behind."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.magic import line_cell_magic, magics_class, no_var_expand

from jupyter_profkit.cells.session import Opened
from jupyter_profkit.magics.base import configurable_magics
from jupyter_profkit.options import Values
from jupyter_profkit.options.objects import OBJLEAKS, OBJLEAKS_DISPLAY

__all__ = ["LeakMagics"]


@magics_class
class LeakMagics(configurable_magics(OBJLEAKS)):  # type: ignore[misc]
    """Objects that a cell left behind."""

    openers: ClassVar = {"objleaks": "open_objleaks"}
    kind: ClassVar = "leaks"
    display_options: ClassVar = OBJLEAKS_DISPLAY

    def open_objleaks(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        return self._open(self.parse_cell(OBJLEAKS, line), filename)

    @no_var_expand
    @line_cell_magic
    def objleaks(self, line: str, cell: str | None = None) -> Any:
        __tracebackhide__ = True
        values = self.parse(OBJLEAKS, line) if cell is None else self.parse_cell(OBJLEAKS, line)
        return self.line_or_cell(values, cell, "objleaks", self._open)

    objleaks.__doc__ = OBJLEAKS.help()

    def _open(self, values: Values, _filename: str) -> Opened:
        from jupyter_profkit.cells.leaks import LeakMeasurement

        measurement = LeakMeasurement(self.shell, shortnames=values.shortnames, quiet=values.quiet)
        return Opened(measurement, lambda result: self.deliver(result, values), repeat=values.repeat)
