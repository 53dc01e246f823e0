"""Which options change what is shown of a result, by its kind; controls are made of these declarations.

display_options("line_memory")      (MEMPROFILE, ("precision", "sort", …))
"""

from __future__ import annotations

from typing import Final

from jupyter_profkit.options import cprofile, memprofile, mprof, objects, objrefs
from jupyter_profkit.options.declare import Option

__all__ = ["display_options"]

_SETS: Final = {
    "line_memory": (memprofile.MEMPROFILE, memprofile.DISPLAY),
    "line_memory_comparison": (memprofile.MEMPROFILE, ("precision", "sort", "rows", "hide_unchanged")),
    "functions": (cprofile.CPROFILE, cprofile.DISPLAY),
    "functions_comparison": (cprofile.CPROFILE, ("limit",)),
    "timeline": (mprof.MPROF_PLOT, mprof.DISPLAY),
    "leaks": (objects.OBJLEAKS, objects.OBJLEAKS_DISPLAY),
    "namespace_memory": (objects.MEMWHOS, objects.MEMWHOS_DISPLAY),
    "type_counts": (objrefs.OBJTYPES, ("limit",)),
    "type_growth": (objrefs.OBJGROWTH, ("limit",)),
}


def display_options(kind: str) -> tuple[Option, ...]:
    """The options that change what is shown of a result of that kind; none of a kind that has no such option."""
    if kind not in _SETS:
        return ()
    options, names = _SETS[kind]
    return tuple(option for option in options.options if option.name in names)
