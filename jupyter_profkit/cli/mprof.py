"""Memory over time from a shell, with mprof's commands: run, attach, plot, peak, list, rm.

What is recorded goes into a file in the current folder, as mprof's does, unless
``-o`` names another; the other commands take the newest one by default.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_profkit.cli.delivery import deliver
from jupyter_profkit.errors import OptionError, ProfkitError, RecordingError, TargetError
from jupyter_profkit.model.timeline import MemoryTimeline
from jupyter_profkit.options import OptionSet, Values
from jupyter_profkit.options.mprof import ATTACH, DISPLAY, PEAK, PLOT, RM, RUN
from jupyter_profkit.units import format_seconds, format_size

__all__ = ["attach", "peak", "plot", "remove", "run", "show_list"]


def run(arguments: Sequence[str]) -> int:
    """Record a script; its exit code is ours."""
    from jupyter_profkit.cells.script import run_script

    n_own = arguments.index("-m") if "-m" in arguments else len(arguments)
    values, rest = RUN.from_arguments(arguments[:n_own])
    if rest:  # a script, whose argument that -m is
        values, rest = RUN.from_arguments(arguments)
    elif len(arguments) > n_own + 1:
        rest = [sys.executable, *arguments[n_own:]]
    if not rest:
        raise OptionError("run takes a script and its arguments: python -m jupyter_profkit run train.py --epochs 2")
    done = run_script(rest, values)
    _keep_and_show(done.timeline, values)
    return 128 - done.returncode if done.returncode < 0 else done.returncode


def attach(arguments: Sequence[str]) -> int:
    """Record a running process."""
    from jupyter_profkit.cells.timeline import record_process

    values, names = _parse(ATTACH, arguments)
    if len(names) != 1 or not names[0].isdecimal():
        raise OptionError("attach takes the number of a process: python -m jupyter_profkit attach 4711")
    timeline, _ = record_process(Values({**values, "attach": int(names[0])}))
    _keep_and_show(timeline, values)
    return 0


def _keep_and_show(timeline: MemoryTimeline, values: Values) -> None:
    if not values.dump:
        _keep(timeline)
    try:
        _show(timeline, values)
    except (ProfkitError, OSError):
        if values.dump:  # what took an hour is not lost for a slip in a name
            _keep(timeline)
        raise


def _keep(timeline: MemoryTimeline) -> None:
    from jupyter_profkit.cells.recordings import new_path

    if timeline.main:
        path = new_path()
        try:
            print(f"wrote {timeline.save(path)}")
        except OSError as error:
            print(f"jupyter_profkit: {path} cannot be written: {error.strerror or error}", file=sys.stderr)


def _show(timeline: MemoryTimeline, values: Values) -> None:
    """Write and print it."""
    deliver(timeline, values, DISPLAY)


def plot(arguments: Sequence[str]) -> int:
    """Draw recordings."""
    values, names = _parse(PLOT, arguments)
    recordings = _recordings(names)
    if len(recordings) == 1:
        _show(recordings[0][1], values)
    else:
        _draw_together(recordings, values)
    return 0


def _draw_together(recordings: Sequence[tuple[str, MemoryTimeline]], values: Values) -> None:
    from jupyter_profkit.export.picture import is_picture, write_plot
    from jupyter_profkit.render.text import print_report
    from jupyter_profkit.views.timeline import overlay_report

    names, timelines = [name for name, _ in recordings], [timeline for _, timeline in recordings]
    report = overlay_report(timelines, names, **values.only(DISPLAY))
    for path in values.dump:
        if not is_picture(path):
            raise OptionError(f"{path}: several recordings in one plot are written as .png or .svg")
        print(f"wrote {write_plot(report, path)}")
    if not values.quiet:
        print_report(report)


def peak(arguments: Sequence[str]) -> int:
    """The peak of each recording, or of a function in it."""
    values, names = _parse(PEAK, arguments)
    for name, timeline in _recordings(names):
        highest = timeline.peak.rss if not values.function else _peak_of_function(name, timeline, values.function)
        print(f"{name}\t{format_size(highest, 3)}")
    return 0


def _peak_of_function(name: str, timeline: MemoryTimeline, function: str) -> int:
    from jupyter_profkit.views.timeline_tables import rss_within

    marks = [mark for mark in timeline.marks if mark.label == function]
    if not marks:
        known = ", ".join(sorted({mark.label for mark in timeline.marks})) or "none"
        raise TargetError(f"{name} has no function {function!r}; it has {known}")
    return max((rss for mark in marks for rss in rss_within(mark, timeline.main)), default=0)


def show_list(arguments: Sequence[str]) -> int:
    """The recordings that the other commands know by number."""
    from jupyter_profkit.cells.recordings import listed

    if arguments:
        raise OptionError("list takes no arguments")
    found = listed()
    if not found:
        print(f"no recordings in {Path.cwd()}, and none of a process that died")
    for number, path in enumerate(found):
        print(f"{number:>3}  {path}  {_about(path)}")
    return 0


def _about(path: Path) -> str:
    try:
        timeline = _open(path)
    except RecordingError as error:
        return str(error)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(timeline.session.started))
    outcome = f"; {timeline.session.outcome}" if timeline.session.partial else ""
    what = timeline.command or timeline.session.title
    return f"{when}, {format_seconds(timeline.duration)}, peak {format_size(timeline.peak.rss)}: {what}{outcome}"


def remove(arguments: Sequence[str]) -> int:
    """Remove recordings; nothing else, and nothing at all if one of the names is wrong."""
    from jupyter_profkit.cells.recordings import chosen, listed

    values, names = _parse(RM, arguments)
    if bool(names) == values.all:
        raise OptionError("rm takes recordings, by number or name, or --all: python -m jupyter_profkit rm -1")
    paths = listed() if values.all else chosen(names)
    for path in paths:
        if path not in listed():
            _open(path)
    for path in paths:
        if not values.dry_run:
            _unlink(path)
        print(f"{'would remove' if values.dry_run else 'removed'} {path}")
    return 0


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TargetError(f"{path} cannot be removed: {error.strerror or error}") from None


def _parse(options: OptionSet, arguments: Sequence[str]) -> tuple[Values, list[str]]:
    """Options and names in any order, as mprof takes them."""
    words, names = options.options_first(arguments)
    return options.from_arguments(words)[0], names


def _recordings(names: Sequence[str]) -> list[tuple[str, MemoryTimeline]]:
    """The recordings that were named, or the newest; in a shell that is the one that was recorded last."""
    from jupyter_profkit.cells.recordings import chosen, listed

    paths = chosen(names) or listed()[-1:]
    if not paths:
        raise TargetError("no recording here yet; python -m jupyter_profkit run script.py makes one, or name a file")
    if not names:
        print(f"the newest recording: {paths[0]}")
    return [(path.name, _open(path)) for path in paths]


def _open(path: Path) -> MemoryTimeline:
    from jupyter_profkit.export import load

    found = load(path)
    timeline = found if isinstance(found, MemoryTimeline) else getattr(found, "timeline", None)
    if not isinstance(timeline, MemoryTimeline):
        raise RecordingError(f"{path} is no recording of memory over time")
    return timeline
