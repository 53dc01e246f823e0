"""``%%cprofile`` and ``%cprofile``: where the time went."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand

from jupyter_profkit.cells.session import Opened
from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.options import Values
from jupyter_profkit.options.cprofile import CPROFILE, DISPLAY

__all__ = ["TimeMagics"]


@magics_class
class TimeMagics(configurable_magics(CPROFILE)):  # type: ignore[misc]
    """Time by statement and by function."""

    openers: ClassVar = {"cprofile": "open_cprofile"}
    kind: ClassVar = "functions"
    display_options: ClassVar = DISPLAY

    def open_cprofile(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        return self._open(self.parse_cell(CPROFILE, line), filename)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def cprofile(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        __tracebackhide__ = True
        values = self.parse(CPROFILE, line) if cell is None else self.parse_cell(CPROFILE, line)
        return self.line_or_cell(values, cell, "cprofile", self._open, local_ns)

    cprofile.__doc__ = CPROFILE.help()

    def _open(self, values: Values, filename: str) -> Opened:
        from jupyter_profkit.cells.functions import TimeMeasurement

        before = self.earlier(values)
        with usage_errors():
            measurement = TimeMeasurement(values, filename=filename)
        return Opened(measurement, lambda result: self.deliver(result, values, before), repeat=values.repeat)
