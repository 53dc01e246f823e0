"""What every family of magics shares: a door that parses, runs and displays.

    class TimeMagics(configurable_magics(CPROFILE)):
        openers = {"cprofile": "open_cprofile"}         # served by the prologue

        def open_cprofile(self, line, filename): ...     # parse, and an Opened measurement

* Options come from an `OptionSet`; each is a ``%config`` trait of the class too.
* A `ProfkitError` is shown as IPython's `UsageError`: one line, nothing else lost.
* `deliver` does what the output options ask for: show, bind, write, return.
"""

from __future__ import annotations

import contextlib
import keyword
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics
from traitlets import Any as AnyTrait

from jupyter_profkit.cells.repeat import repetitions
from jupyter_profkit.cells.session import Opened, OpenMeasurement, present_safely
from jupyter_profkit.cells.targets import Block
from jupyter_profkit.errors import OptionError, ProfkitError, TargetError
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import OptionSet, Values
from jupyter_profkit.results import last, remember
from jupyter_profkit.source import cut_traceback

__all__ = ["ProfkitMagics", "configurable_magics", "decline_to_measure", "usage_errors"]


def decline_to_measure(title: str, reason: str) -> None:
    """Show a report that says why there is none; the cell itself is not touched by it."""
    from IPython.display import display as show

    from jupyter_profkit.views.report import Report

    show(Report(title, f"Not measured: {reason}"))


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Show this package's own errors as one line."""
    try:
        yield
    except ProfkitError as error:
        raise UsageError(str(error)) from None


class ProfkitMagics(Magics):
    """Base of the magics classes."""

    openers: ClassVar[dict[str, str]] = {}
    """Cell magics that the prologue serves, and the method that opens each one's measurement."""

    option_sets: ClassVar[tuple[OptionSet, ...]] = ()

    kind: ClassVar[str]
    """The kind of result that the line form without a statement shows again."""

    display_options: ClassVar[tuple[str, ...]] = ()
    """The options that only change what is shown."""

    def parse(self, options: OptionSet, line: str) -> Values:
        """The values of `options` in `line`, with ``%config`` as defaults; UsageError if one is wrong."""
        with usage_errors():
            traits = [option for option in options.options if self.has_trait(option.name)]
            defaults = {option.name: option.check(getattr(self, option.name)) for option in traits}
            values = options.from_line(line, defaults)
            _check_output(values)
            return values

    def parse_alone(self, options: OptionSet, line: str) -> Values:
        """The options of a magic that takes nothing else."""
        values = self.parse(options, line)
        if values.rest:
            with usage_errors():
                raise OptionError(f"%{options.name} takes options only, not {values.rest!r}; see %{options.name}?")
        return values

    def parse_cell(self, options: OptionSet, line: str) -> Values:
        """The options of a cell magic; nothing but a remark may follow them."""
        values = self.parse(options, line)
        if values.rest and not values.rest.startswith("#"):
            name = f"%%{options.name}"
            with usage_errors():
                raise OptionError(f"{name} takes options only, not {values.rest!r}; the code goes below ({name[1:]}?)")
        return values

    def repeat_of(self, options: OptionSet, line: str) -> int:
        """How often the options in `line` ask for the body to run; 1 if they are wrong, which is said later."""
        try:
            return int(self.parse(options, line).get("repeat", 1))
        except UsageError:
            return 1

    def run_line(
        self,
        values: Values,
        source: str,
        name: str,
        open_measurement: Callable[[Values, str], Opened],
        local_ns: Any = None,
    ) -> tuple[Any, Result | None]:
        """Measure a statement, or a body that another magic passes on, and present the result.

        Returns the value of the last statement and the result, None if there is
        no report. The code's own exception goes on after the report, unchanged.
        """
        __tracebackhide__ = True
        with usage_errors():
            block = self._block(source, name, local_ns)
            run = OpenMeasurement(open_measurement(values, block.filename), _title(name, source), block.filename)
            run.start()
        try:
            with contextlib.closing(repetitions(run.opened.repeat, run.lap)) as earlier:
                for _ in earlier:
                    block.run()
            value = block.run()
        except BaseException as error:
            run.stop()
            cut_traceback(error)
            present_safely(run, error)
            raise
        run.stop()
        return value, present_safely(run, None)

    def _block(self, source: str, name: str, local_ns: Any) -> Block:
        try:
            return Block(self.shell, source, name, local_ns)
        except SyntaxError as error:  # IPython would show where it was compiled: the shell's functions and ours
            lines = source.splitlines()[(error.lineno or 1) - 1 :]
            raise TargetError(f"{name}: {error.msg}, in line {error.lineno}: {''.join(lines[:1]).strip()}") from None

    def line_or_cell(
        self,
        values: Values,
        cell: str | None,
        name: str,
        open_measurement: Callable[[Values, str], Opened],
        local_ns: Any = None,
    ) -> Any:
        """What the registered magic `name` does: a statement, a passed-on body, or the last result once more.

        In a function, `local_ns` are its variables.
        """
        __tracebackhide__ = True
        if cell is None and not values.rest:
            return self.show_again(values, f"%{name}")
        source, sign = (values.rest, "%") if cell is None else (cell, "%%")
        value, result = self.run_line(values, source, f"{sign}{name}", open_measurement, local_ns)
        if cell is not None:
            return value
        return result if values.return_result else None

    def show_again(self, values: Values, name: str) -> Result | None:
        """Show the latest result of this magic with other display options; nothing runs."""
        with usage_errors():
            try:
                result = last(self.kind)
            except TargetError:
                raise OptionError(
                    f"{name} takes a statement to run, or shows the last result; there is none yet"
                ) from None
            self.deliver(result, values, self.earlier(values))
        return result if values.return_result else None

    def earlier(self, values: Values) -> Result | None:
        """The run that ``--compare`` names, if it is given; asked for before anything runs."""
        if values.get("compare") is None:
            return None
        from jupyter_profkit.cells.comparison import find_earlier

        with usage_errors():
            return find_earlier(values.compare, self.shell.user_ns, self.kind)

    def deliver(
        self,
        result: Result,
        values: Values,
        before: Result | None = None,
        show: Callable[[Any], None] | None = None,
    ) -> None:
        """Show `result`, beside the run `before` it if there is one, and bind and write it as its options say.

        `show` displays the report, if not IPython's `display` as a new output.
        """
        from jupyter_profkit.cells.files import write_files
        from jupyter_profkit.views.beside import report_beside

        remember(result)
        if values.get("variable"):
            self.shell.user_ns[values.variable] = result
        report = report_beside(result, before, **values.only(self.display_options))
        for path in write_files(result, report, values):
            print(f"wrote {path}")  # noqa: T201
        if not values.get("quiet"):
            from IPython.display import display

            (show or display)(report)
            if values.get("explore"):
                self.show_controls(result, values, before)

    def show_controls(self, result: Result, values: Values, before: Result | None) -> None:
        """Controls under the report; without them it is still whole."""
        from jupyter_profkit.widgets import show_controls

        show_controls(result, before, **values.only(self.display_options))


def _title(name: str, source: str) -> str:
    """What a statement is known by: the magic, and the statement's first line."""
    from jupyter_profkit.views.words import clip

    first, *more = source.strip().splitlines() or [""]
    return f"{name} {clip(first, 60)}{' …' if more else ''}"


def _check_output(values: Values) -> None:
    name = values.get("variable")
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        raise OptionError(f"-v takes a variable's name, not {name!r}")


def configurable_magics(*option_sets: OptionSet) -> Any:
    """A base class for magics with a ``%config`` trait for each option of `option_sets`."""
    traits = {
        option.name: AnyTrait(option.default, help=option.help).tag(config=True)
        for options in option_sets
        for option in options.options
        if option.name not in {"variable", "return_result", "dump", "text_file", "compare"}
    }
    return type(Magics)("ConfigurableMagics", (ProfkitMagics,), {**traits, "option_sets": option_sets})
