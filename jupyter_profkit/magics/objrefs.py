"""``%objrefs``, ``%objgrowth``, ``%%objgrowth`` and ``%objtypes``: objects and what holds them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand

from jupyter_profkit.cells.session import Opened
from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import Values
from jupyter_profkit.options.objrefs import (
    OBJGROWTH,
    OBJREFS,
    OBJREFS_BOXES,
    OBJREFS_GRAPH,
    OBJTYPES,
    with_trailing_flags,
)

if TYPE_CHECKING:
    from jupyter_profkit.engines.type_counts import TypeCounter

__all__ = ["ReferenceMagics"]


@magics_class
class ReferenceMagics(configurable_magics(OBJREFS, OBJGROWTH, OBJTYPES)):  # type: ignore[misc]
    """Objects: references, growth, types."""

    openers: ClassVar = {"objgrowth": "open_objgrowth", "objrefs": "open_objrefs"}
    kind: ClassVar = "references"

    _counted_at = 0
    """The number of the cell that counted last."""

    @cached_property
    def _counter(self) -> TypeCounter:
        from jupyter_profkit.engines.type_counts import TypeCounter

        return TypeCounter()

    def open_objrefs(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        return self._open_objrefs(self._parse_objrefs(line, in_cell=True), filename)

    @no_var_expand
    @line_cell_magic
    def objrefs(self, line: str, cell: str | None = None) -> Any:
        __tracebackhide__ = True
        values = self._parse_objrefs(line, in_cell=cell is not None)
        if cell is not None:  # the body that another cell magic passes on
            return self.line_or_cell(values, cell, "objrefs", self._open_objrefs)
        with usage_errors():
            result = self._boxes(values) if values.teach else self._graph(values)
        return self._hand_out(result, values)

    objrefs.__doc__ = OBJREFS.help()

    def _parse_objrefs(self, line: str, *, in_cell: bool) -> Values:
        """The options, which may stand after the expressions too: ``%%objrefs a b --diff``."""
        values = self.parse(OBJREFS, line)
        with usage_errors():
            return with_trailing_flags(values, in_cell=in_cell)

    def _graph(self, values: Values) -> Result:
        from jupyter_profkit.cells.expressions import evaluate, evaluate_one
        from jupyter_profkit.cells.references import draw_references
        from jupyter_profkit.cells.walking import walking

        ignored = [evaluate_one(text, self.shell.user_ns) for text in values.extra_ignore]
        names, objects = evaluate(values.rest, self.shell.user_ns)
        try:
            with walking("references", quiet=values.quiet) as step:
                return draw_references(
                    objects,
                    names=names,
                    shell=self.shell,
                    extra_ignore=ignored,
                    step=step,
                    **values.only(OBJREFS_GRAPH),
                )
        finally:  # a traceback keeps this frame
            del ignored, objects

    def _boxes(self, values: Values) -> Result:
        from jupyter_profkit.cells.expressions import evaluate
        from jupyter_profkit.cells.object_boxes import draw_boxes, variables_of

        if values.rest:
            variables = dict(zip(*evaluate(values.rest, self.shell.user_ns), strict=True))
        else:
            variables = variables_of(self.shell)
        return draw_boxes(variables, shell=self.shell, **values.only(OBJREFS_BOXES))

    def _open_objrefs(self, values: Values, _filename: str) -> Opened:
        from jupyter_profkit.cells.expressions import expressions
        from jupyter_profkit.cells.object_boxes import BoxesMeasurement, CellDrawing

        measurement: BoxesMeasurement | CellDrawing
        with usage_errors():
            if values.teach:
                measurement = BoxesMeasurement(values.rest, self.shell, diff=values.diff, **values.only(OBJREFS_BOXES))
            else:
                expressions(values.rest)
                measurement = CellDrawing(lambda: self._graph(values))
        return Opened(measurement, lambda result: self.deliver(result, values))

    @no_var_expand
    @line_magic
    def objtypes(self, line: str) -> Result | None:
        from jupyter_profkit.cells.references import count_types

        values = self.parse_alone(OBJTYPES, line)
        with usage_errors():
            result = count_types(
                values.limit, shortnames=values.shortnames, filter=values.filter, namespace=self.shell.user_ns
            )
        return self._hand_out(result, values)

    objtypes.__doc__ = OBJTYPES.help()

    def open_objgrowth(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        return self._open(self.parse_cell(OBJGROWTH, line), filename)

    @no_var_expand
    @line_cell_magic
    def objgrowth(self, line: str, cell: str | None = None) -> Any:
        from jupyter_profkit.cells.growth import measure_growth

        __tracebackhide__ = True
        values = self.parse_alone(OBJGROWTH, line) if cell is None else self.parse_cell(OBJGROWTH, line)
        if cell is not None:  # the body that another cell magic passes on
            return self.line_or_cell(values, cell, "objgrowth", self._open)
        n_cells = self.shell.execution_count - self._counted_at
        result = measure_growth(
            values.limit, shortnames=values.shortnames, counter=self._counter, n_cells=max(1, n_cells)
        )
        handed_out = self._hand_out(result, values)
        self._counter.mark()  # what showing it has imported is nobody's growth
        self._counted_at = self.shell.execution_count
        return handed_out

    objgrowth.__doc__ = OBJGROWTH.help()

    def _open(self, values: Values, _filename: str) -> Opened:
        from jupyter_profkit.cells.growth import GrowthMeasurement

        measurement = GrowthMeasurement(values.limit, shortnames=values.shortnames, shell=self.shell)
        return Opened(measurement, lambda result: self.deliver(result, values))

    def _hand_out(self, result: Result, values: Values) -> Result | None:
        with usage_errors():
            self.deliver(result, values)
        return result if values.return_result else None
