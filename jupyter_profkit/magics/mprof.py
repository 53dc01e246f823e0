"""``%mprof_plot``, ``%%mprof_plot`` and ``%mprof_run``: memory over time."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from IPython.core.magic import line_cell_magic, line_magic, magics_class

from jupyter_profkit.cells.session import Opened, complain
from jupyter_profkit.errors import OptionError, TargetError
from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.options import Values
from jupyter_profkit.options.mprof import DISPLAY, MPROF_PLOT, MPROF_RUN
from jupyter_profkit.source import label_of

if TYPE_CHECKING:
    from jupyter_profkit.model.timeline import MemoryTimeline

__all__ = ["TimelineMagics"]

E = TypeVar("E", bound=BaseException)


@magics_class
class TimelineMagics(configurable_magics(MPROF_PLOT, MPROF_RUN)):  # type: ignore[misc]
    """Memory over time."""

    openers: ClassVar = {"mprof_plot": "open_mprof_plot"}
    kind: ClassVar = "timeline"
    display_options: ClassVar = DISPLAY

    def open_mprof_plot(self, line: str, filename: str) -> Opened:
        """Called by the prologue of a cell."""
        with usage_errors():
            return self._open(self.parse_cell(MPROF_PLOT, self.shell.var_expand(line)), filename)

    @line_cell_magic
    def mprof_plot(self, line: str, cell: str | None = None) -> Any:
        __tracebackhide__ = True
        if cell is not None:
            return self.line_or_cell(self.parse_cell(MPROF_PLOT, line), cell, "mprof_plot", self._open)
        with usage_errors():
            values = self.parse(MPROF_PLOT, _options_first(line))
            found = self._plot(values, _words(values.rest))
        return found if values.return_result else None

    mprof_plot.__doc__ = MPROF_PLOT.help()

    @line_magic
    def mprof_run(self, line: str) -> Any:
        from jupyter_profkit.cells.script import run_script

        values = self.parse(MPROF_RUN, line)
        with usage_errors():
            run = run_script(_words(values.rest), values)
            self.deliver(run.timeline, values, show=run.show)
        self.shell.user_ns["_exit_code"] = run.returncode  # as after !command
        if run.interrupted:
            raise _in_one_line(KeyboardInterrupt(f"{run.timeline.session.title} was interrupted"))
        if values.exit_code and run.returncode:
            raise _in_one_line(CalledProcessError(run.returncode, run.timeline.command))
        return run.timeline if values.return_result else None

    mprof_run.__doc__ = MPROF_RUN.help()

    def _open(self, values: Values, filename: str) -> Opened:
        from jupyter_profkit.cells.live import LiveCurve
        from jupyter_profkit.cells.statement_clock import StatementClock
        from jupyter_profkit.cells.timeline import TimelineMeasurement

        title = label_of(filename)
        live = LiveCurve.here(title) if values.live and not values.quiet else None
        show = live.replace_by if live is not None else None
        if values.live and live is None and not values.quiet:
            complain("--live draws in a notebook; here the curve is shown at the end")

        def decline(reason: str) -> None:
            if live is not None:
                live.wipe()
            complain(reason)

        measurement = TimelineMeasurement(values, title, live, StatementClock(self.shell, filename))
        return Opened(measurement, lambda result: self.deliver(result, values, show=show), decline)

    def _plot(self, values: Values, names: Sequence[str]) -> MemoryTimeline | list[MemoryTimeline]:
        """Show the last run's recording, or the named ones."""
        from jupyter_profkit.cells.timeline import find_timeline, record_process

        if values.attach is not None and names:
            raise OptionError("--attach records a process; recordings are shown without it")
        if values.attach is not None:
            recorded, show = record_process(values)
            self.deliver(recorded, values, show=show)
            return recorded
        timelines = [find_timeline(name, self.shell.user_ns) for name in names] or [_latest()]
        if len(timelines) == 1:
            self.deliver(timelines[0], values)
            return timelines[0]
        if values.explore:
            raise OptionError("--explore takes one recording; several in one plot are zoomed into with -w FROM,TO")
        self._show_overlay(timelines, names, values)
        return timelines

    def _show_overlay(self, timelines: list[MemoryTimeline], names: Sequence[str], values: Values) -> None:
        from jupyter_profkit.cells.files import complaints
        from jupyter_profkit.export.picture import is_picture, write_plot
        from jupyter_profkit.views.timeline import overlay_report

        report = overlay_report(timelines, names, **values.only(DISPLAY))
        for path in values.dump:
            if not is_picture(path):
                raise OptionError(f"{path}: several recordings in one plot are written as .png or .svg")
        if values.variable:
            self.shell.user_ns[values.variable] = timelines
        for path in values.dump:
            with complaints():
                print(f"wrote {write_plot(report, path)}")  # noqa: T201
        if not values.quiet:
            from IPython.display import display

            display(report)


def _in_one_line(error: E) -> E:
    """What ends the cell; it is drawn without a traceback, which would be of this module alone."""
    error._render_traceback_ = lambda: [f"{type(error).__name__}: {error}"]  # type: ignore[attr-defined]  # IPython's
    return error


def _latest() -> MemoryTimeline:
    """The recording of this kernel's last run, or else that of the kernel that died before it."""
    from jupyter_profkit.cells.recordings import last_of_the_dead
    from jupyter_profkit.cells.timeline import last_timeline

    try:
        return last_timeline()
    except TargetError:
        found = last_of_the_dead()
        if found is None:
            raise
    path, timeline = found
    complain(f"no run here yet; this is {timeline.session.title}, whose {timeline.session.outcome} ({path})")
    return timeline


def _options_first(line: str) -> str:
    """`line` with its options before the recordings' names; `mprof plot` takes them in any order."""
    options, names = MPROF_PLOT.options_first(_words(line))
    return " ".join(map(_quoted, (*options, *names)))


def _quoted(word: str) -> str:
    if word and not re.search(r"[\s'\"]", word):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'


def _words(line: str) -> list[str]:
    try:
        return [_without_quotes(word) for word in shlex.split(line, posix=os.name != "nt")]
    except ValueError as error:
        raise OptionError(f"{error} in {line!r}") from None


def _without_quotes(word: str) -> str:
    """Without POSIX rules, which would eat the backslashes of Windows' paths, quotes stay on."""
    return word[1:-1] if os.name == "nt" and word[:1] == word[-1:] == '"' else word
