"""The magics: doors from IPython to the measurements.

`load` puts everything in place, `Extension.unload` takes all of it away again:
magics, input transformer, event callbacks, completions, ``%config`` entries.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from jupyter_profkit.cells import prologue, repeat
from jupyter_profkit.cells.session import CellSessions
from jupyter_profkit.magics.base import ProfkitMagics, decline_to_measure
from jupyter_profkit.magics.completion import OptionCompleter
from jupyter_profkit.magics.cprofile import TimeMagics
from jupyter_profkit.magics.memlimit import LimitMagics
from jupyter_profkit.magics.memprofile import MemoryMagics
from jupyter_profkit.magics.mprof import TimelineMagics
from jupyter_profkit.magics.objects import ObjectMagics
from jupyter_profkit.magics.objleaks import LeakMagics
from jupyter_profkit.magics.objrefs import ReferenceMagics
from jupyter_profkit.magics.old_names import OldNames
from jupyter_profkit.magics.reports import Reports
from jupyter_profkit.source import label_of

__all__ = ["Extension", "load", "unload"]

FAMILIES: tuple[type[ProfkitMagics], ...] = (
    LimitMagics,
    MemoryMagics,
    TimeMagics,
    TimelineMagics,
    ReferenceMagics,
    ObjectMagics,
    LeakMagics,
)

_loaded: dict[int, Extension] = {}


def load(shell: Any) -> Extension:
    """Put the magics into `shell`; a second call changes nothing."""
    if id(shell) not in _loaded:
        _loaded[id(shell)] = Extension(shell)
    return _loaded[id(shell)]


def unload(shell: Any) -> None:
    """Take everything out of `shell` that `load` put in."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()


class Extension:
    """What is loaded into one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._families = [family(shell) for family in FAMILIES]
        (limit,) = (family for family in self._families if isinstance(family, LimitMagics))
        self._sessions = CellSessions(shell, limit.opened)
        limit.serve(self._sessions)
        self._sessions.attach()
        openers = {name: (family, method) for family in self._families for name, method in family.openers.items()}
        self._transformer = prologue.PrologueTransformer(openers)
        shell.input_transformers_cleanup.append(self._transformer)
        prologue.set_openers({name: self._opener(name, *opener) for name, opener in openers.items()})
        self._repeats = repeat.RepeatTransformer(shell, self._repeat_counts(openers))
        shell.ast_transformers.append(self._repeats)
        repeat.set_repeater(self._sessions)
        for family in self._families:
            shell.register_magics(family)
        self._old_names = OldNames(shell)
        self._reports = Reports(parent=shell)
        shell.configurables.append(self._reports)
        self._completer = OptionCompleter(self._option_sets())
        shell.Completer.custom_matchers.append(self._completer.matcher)

    def _opener(self, name: str, family: ProfkitMagics, method: str) -> Any:
        def open_measurement(line: str, filename: str) -> None:
            opened = getattr(family, method)(line, filename)
            decline = functools.partial(decline_to_measure, f"%%{name}  {label_of(filename)}")
            self._sessions.open(dataclasses.replace(opened, decline=decline), filename)

        return open_measurement

    def _repeat_counts(self, openers: dict[str, tuple[ProfkitMagics, str]]) -> dict[str, Callable[[str], int]]:
        options = self._option_sets()
        return {name: functools.partial(family.repeat_of, options[name]) for name, (family, _) in openers.items()}

    def _option_sets(self) -> dict[str, Any]:
        return {options.name: options for family in self._families for options in family.option_sets}

    def unload(self) -> None:
        self._sessions.detach()
        self._shell.input_transformers_cleanup.remove(self._transformer)
        self._shell.Completer.custom_matchers.remove(self._completer.matcher)
        if self._repeats in self._shell.ast_transformers:  # IPython takes one out that failed
            self._shell.ast_transformers.remove(self._repeats)
        self._reports.plain_html = False
        self._shell.configurables.remove(self._reports)
        self._old_names.remove()
        prologue.set_openers({})
        repeat.set_repeater(None)
        for family in self._families:
            for kind, names in family.magics.items():
                for name in names:
                    self._shell.magics_manager.magics[kind].pop(name, None)
            self._shell.magics_manager.registry.pop(type(family).__name__, None)
            if family in self._shell.configurables:
                self._shell.configurables.remove(family)
