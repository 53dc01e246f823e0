"""The shell's work for showing a cell's last value, as one row instead of a hundred.

    listed = with_display_folded(profile)
    listed.records                  functions; the display hook stands for all that only it called

The functions are still in the profile: they are folded for the eye.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jupyter_profkit.model.functions import FunctionRecord, Key, TimeProfile

__all__ = ["Listed", "with_display_folded"]

_HOOK: Final = re.compile(r"[/\\](IPython[/\\]core|ipykernel)[/\\]displayhook\.py$")
_NAME: Final = "display of the last value"


@dataclass(frozen=True)
class Listed:
    """The functions to list."""

    records: list[FunctionRecord]
    row: Key | None = None
    """That of the display."""
    n_folded: int = 0
    """Functions that are in the display's row."""


def with_display_folded(profile: TimeProfile) -> Listed:
    """The functions of a profile, with those that only the display of the last value called as one."""
    hook = next((record for record in profile.functions if _is_hook(record)), None)
    if hook is None:
        return Listed(list(profile.functions))
    folded = _called_by_nobody_else(profile, hook)
    kept = [record for record in profile.functions if record.key not in folded and record is not hook]
    own = hook.tottime + sum(record.tottime for record in profile.functions if record.key in folded)
    return Listed([*kept, replace(hook, tottime=own, qualname=_NAME)], hook.key, len(folded))


def _is_hook(record: FunctionRecord) -> bool:
    return record.function == "__call__" and bool(_HOOK.search(record.filename))


def _called_by_nobody_else(profile: TimeProfile, hook: FunctionRecord) -> set[Key]:
    """The functions, other than the user's, that run only because `hook` does."""
    callers = {record.key: [caller.caller for caller in record.callers] for record in profile.functions}
    callees: dict[Key, list[Key]] = defaultdict(list)
    for key, each in callers.items():
        for caller in each:
            callees[caller].append(key)
    found = {record.key for record in profile.functions if record.callers and not record.is_user} - {hook.key}
    waiting = list(found)
    while waiting:
        key = waiting.pop()
        if key in found and any(caller not in found and caller != hook.key for caller in callers[key]):
            found.discard(key)
            waiting += callees[key]
    return found & _reached(hook.key, callees)


def _reached(key: Key, callees: Mapping[Key, Sequence[Key]]) -> set[Key]:
    found: set[Key] = set()
    waiting = [key]
    while waiting:
        new = [callee for callee in callees.get(waiting.pop(), ()) if callee not in found]
        found.update(new)
        waiting += new
    return found
