"""Recordings that tests are made of."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_profkit.model.session import Location, Method, Session
from jupyter_profkit.model.timeline import Mark, MemorySample, MemoryTimeline
from jupyter_profkit.units import MIB


def timeline(
    points: Sequence[tuple[float, float]] = ((0.0, 80.0), (1.0, 200.0), (2.0, 100.0)),
    *,
    marks: Sequence[Mark] = (),
    peak: tuple[float, float] | None = None,
    peak_at: Location | None = None,
    children: dict[int, Sequence[tuple[float, float]]] | None = None,
    outcome: str = "ok",
    title: str = "In [7]",
) -> MemoryTimeline:
    """A recording of `points`, seconds and MiB."""
    samples = [MemorySample(time, round(mib * MIB)) for time, mib in points]
    for pid, curve in (children or {}).items():
        samples += [MemorySample(time, round(mib * MIB), pid) for time, mib in curve]
    return MemoryTimeline(
        session=Session(title, 1_750_000_000.0, points[-1][0] if points else 0.0, outcome),
        method=Method("made up", n_events=len(samples)),
        samples=tuple(sorted(samples, key=lambda sample: sample.time)),
        marks=tuple(marks),
        exact_peak=MemorySample(peak[0], round(peak[1] * MIB)) if peak else None,
        peak_at=peak_at,
        interval=0.005,
    )
