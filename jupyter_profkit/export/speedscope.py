"""Stacks for speedscope.app: a "sampled" profile in the JSON of its file format.

    {"$schema": ..., "shared": {"frames": [...]}, "profiles": [{"type": "sampled", "samples": [[0, 1]], ...}]}

A sample is a path as numbers of frames, outermost first, with its weight in seconds.
Equal paths are one sample, the heavier ones first: the order in time is not kept.
The format is described at https://www.speedscope.app/file-format-schema.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from jupyter_profkit.export.collapsed import stacks_of
from jupyter_profkit.model.call_tree import CallTree, Frame
from jupyter_profkit.model.functions import TimeProfile

__all__ = ["to_speedscope", "write_speedscope"]

_SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"


def to_speedscope(tree: CallTree, name: str) -> dict[str, Any]:
    """The stacks of `tree` as the content of a speedscope file, called `name`."""
    frames: dict[tuple[str, int, str], int] = {}
    described: list[dict[str, Any]] = []
    samples: list[list[int]] = []
    weights: list[float] = []
    for path, weight in sorted(tree.stacks(), key=lambda stack: -stack[1]):
        for frame in path:
            if frames.setdefault(frame.key, len(frames)) == len(described):
                described.append(_described(frame))
        samples.append([frames[frame.key] for frame in path])
        weights.append(weight)
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }
    return {
        "$schema": _SCHEMA,
        "shared": {"frames": described},
        "profiles": [profile],
        "name": name,
        "activeProfileIndex": 0,
        "exporter": "jupyter_profkit",
    }


def write_speedscope(profile: TimeProfile, path: Path) -> None:
    """Write the stacks of `profile`.

    Raises
    ------
    OptionError
        If none were sampled.
    """
    content = to_speedscope(stacks_of(profile), profile.session.title)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _described(frame: Frame) -> dict[str, Any]:
    described: dict[str, Any] = {"name": frame.function}
    if frame.label or frame.filename:
        described["file"] = frame.label or frame.filename
    if frame.lineno > 0:
        described["line"] = frame.lineno
    return described
