"""``%%memprofile`` and ``%memprofile``: memory by line."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand

from jupyter_profkit.cells.session import Opened
from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.options import Values
from jupyter_profkit.options.memprofile import DISPLAY, MEMPROFILE

__all__ = ["MemoryMagics"]


@magics_class
class MemoryMagics(configurable_magics(MEMPROFILE)):  # type: ignore[misc]
    """Memory by line."""

    openers: ClassVar = {"memprofile": "open_memprofile"}
    kind: ClassVar = "line_memory"
    display_options: ClassVar = DISPLAY

    def open_memprofile(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        return self._open(self.parse_cell(MEMPROFILE, line), filename)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def memprofile(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        __tracebackhide__ = True
        values = self.parse(MEMPROFILE, line) if cell is None else self.parse_cell(MEMPROFILE, line)
        return self.line_or_cell(values, cell, "memprofile", self._open, local_ns)

    memprofile.__doc__ = MEMPROFILE.help()

    def _open(self, values: Values, filename: str) -> Opened:
        from jupyter_profkit.cells.line_memory import LineMemoryMeasurement

        before = self.earlier(values)
        with usage_errors():
            measurement = LineMemoryMeasurement(values, filename, namespace=self.shell.user_ns)
        return Opened(measurement, lambda result: self.deliver(result, values, before), repeat=values.repeat)
