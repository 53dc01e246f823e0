"""Profilers for notebooks: memory by line, memory over time, time, and object references.

In a notebook::

    %load_ext jupyter_profkit

    %%memprofile
    df = load(); df = clean(df)

In a script::

    from jupyter_profkit import profile

    @profile(precision=4)
    def clean(df): ...

Everything here is imported when it is first used; importing the package itself
costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_profkit.api import cprofile, memprofile, mprof, objleaks, objrefs, profile
    from jupyter_profkit.engines.timeline import mark
    from jupyter_profkit.export import load
    from jupyter_profkit.results import last

__all__ = [
    "__version__",
    "cprofile",
    "last",
    "load",
    "load_ipython_extension",
    "mark",
    "memprofile",
    "mprof",
    "objleaks",
    "objrefs",
    "profile",
    "unload_ipython_extension",
]

__version__ = "0.1.0"

_HOMES = {
    "cprofile": "api",
    "last": "results",
    "load": "export",
    "mark": "engines.timeline",
    "memprofile": "api",
    "mprof": "api",
    "objleaks": "api",
    "objrefs": "api",
    "profile": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext jupyter_profkit`` calls."""
    from jupyter_profkit.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What ``%unload_ext jupyter_profkit`` calls; no trace is left."""
    from jupyter_profkit.magics import unload

    unload(shell)
