"""Time, as a reader sees it: the cell's statements, its call paths, its functions in pstats' columns.

    report(profile, sort=("cumulative",), limit=("20",))      Report

What a table leaves out is summed up in its last row, so that its figures add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jupyter_profkit.model.functions import TimeProfile
from jupyter_profkit.model.spread import mean, spread
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.call_tree import flame_view, method_of
from jupyter_profkit.views.coroutines import coroutine_tables
from jupyter_profkit.views.function_table import Display, function_tables, no_match, thread_tables
from jupyter_profkit.views.report import Report, TreeView, warning_of
from jupyter_profkit.views.statements import heaviest_statement, statement_tables
from jupyter_profkit.views.words import clip, headed, name_of, percent, plural

__all__ = ["report"]

_N_BOXES: Final = 150


def report(result: TimeProfile, **display: Any) -> Report:
    """The report of a time profile.

    Parameters
    ----------
    result : what was measured.
    **display
        ``sort`` keys and ``limit`` as pstats takes them; ``functions``, ``modules``
        and ``exclude`` globs of what the table shows; ``no_flame``.

    Raises
    ------
    OptionError
        If an option is unknown, or a key, number or pattern is wrong.
    """
    shown = Display.of(display)
    return Report(
        title=headed("%%cprofile", result.session.title),
        headline=_headline(result),
        parts=(
            *statement_tables(result.statements),
            *coroutine_tables(result.coroutines),
            *function_tables(result, shown),
            *thread_tables(result.threads, shown),
            *_flame(result, shown),
        ),
        notes=tuple(filter(None, (no_match(result, shown), *_notes(result)))),
        method=tuple(_method(result)),
        warning=warning_of(result.session),
    )


def _headline(profile: TimeProfile) -> str:
    if not profile.functions:
        return f"{_duration(profile)}; no function was called"
    text = f"{_duration(profile)} in {profile.ncalls:,} {plural('call', profile.ncalls)}"
    where = heaviest_statement(profile.statements) or _heaviest_function(profile)
    return f"{text}; {where}" if where else text


def _duration(profile: TimeProfile) -> str:
    """How long it took, or ``1.20 s ± 31.0 ms a run; 5 runs took 6.01 s``."""
    whole = format_seconds(profile.session.duration)
    if not profile.runs:
        return whole
    each = f"{format_seconds(mean(profile.runs))} ± {format_seconds(spread(profile.runs))} a run"
    return f"{each}; {len(profile.runs)} runs took {whole}"


def _heaviest_function(profile: TimeProfile) -> str:
    heaviest = max(profile.functions, key=lambda record: record.tottime)
    if not profile.tottime:
        return ""
    return f"{percent(heaviest.tottime / profile.tottime)} of it in {clip(name_of(heaviest), 60)} itself"


def _notes(profile: TimeProfile) -> Iterator[str]:
    if profile.runs:
        rows = profile.statements.records
        has_parts = any(row.runs for row in rows) and any(row.lineno and row.kind != "statement" for row in rows)
        included = "; of a statement, these include its rows in brackets" if has_parts else ""
        yield f"all figures are of the {len(profile.runs)} runs together, but those under “a run” and “±”{included}"
    outside = profile.session.duration - profile.tottime
    if profile.functions and outside > 0.02 and outside > profile.session.duration / 20:
        yield (
            f"{format_seconds(outside)} passed outside of the functions listed: waiting in the event loop, "
            "or in the shell between the statements"
        )
    yield from profile.method.notes


def _method(profile: TimeProfile) -> Iterator[str]:
    method = profile.method
    yield method.engine
    if method.n_events:
        cost = f"; recording took about {format_seconds(method.overhead)} of the time" if method.overhead else ""
        yield f"{method.n_events:,} calls and returns{cost}"
    if method.exact:
        yield "counts are exact; times are of the wall clock; recording inflates small functions called often"
    if profile.stacks is not None:
        yield method_of(profile.stacks)


def _flame(profile: TimeProfile, shown: Display) -> tuple[TreeView, ...]:
    if profile.stacks is None or not profile.stacks.roots or not shown.flame:
        return ()
    return (flame_view(profile.stacks, profile.session.title, _N_BOXES),)
