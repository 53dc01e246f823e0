"""What belongs to the shell and the interpreter and not to the user: not told as left behind.

    is_machinery(Root("module", ("linecache .cache",)), [])         True

A cell leaves its source in `linecache`, its value in the display hook, messages on
their way in zmq. Where such a holder keeps an object of the user's own (an instance of
the user's class, a function of a cell), that object is told all the same.
"""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_profkit.engines.advice import is_users_class
from jupyter_profkit.engines.roots import Root, thread_name
from jupyter_profkit.engines.safe_repr import exact_name
from jupyter_profkit.source import is_cell_file, is_user_file

__all__ = ["OwnObjects", "is_machinery", "is_machinerys", "is_ours", "is_users_code", "users_locals"]

_PACKAGES: Final = frozenset(
    {"IPython", "ipykernel", "zmq", "tornado", "traitlets", "jupyter_client", "jupyter_profkit", "comm", "debugpy"}
    | {"prompt_toolkit", "pygments", "stack_data", "executing", "pure_eval", "asttokens", "matplotlib_inline"}
    | {"linecache", "ast", "_ast", "_abc", "codeop", "tokenize", "gc", "asyncio", "_asyncio", "selectors", "sqlite3"}
)
_CACHES: Final = frozenset(
    {"sys .path_importer_cache", "sys .modules", "typing ._caches", "typing ._cleanups", "re ._cache", "re ._cache2"}
    | {"_warnings .filters", "warnings .filters", "inspect .modulesbyfile", "inspect ._filesbymodname"}
    | {"copyreg .dispatch_table", "threading ._dangling", "threading ._shutdown_locks", "encodings ._cache"}
)
"""Of the standard library: what they hold is little, and comes with an import or a traceback."""

_CODE_OF: Final = {
    types.FunctionType: "__code__",
    types.GeneratorType: "gi_code",
    types.CoroutineType: "cr_code",
    types.AsyncGeneratorType: "ag_code",
}
_type_module = type.__dict__["__module__"].__get__


def is_machinery(root: Root, path: Sequence[Any]) -> bool:
    """Whether a name is the shell's or the interpreter's own.

    Parameters
    ----------
    root : the name.
    path : the objects behind it that lead to the new ones.
    """
    if root.kind == "shell" or any(is_ours(type(one)) for one in path):
        return True
    if root.kind == "module" and (root.name in _CACHES or root.name.partition(".")[0].partition(" ")[0] in _PACKAGES):
        return True
    return root.kind in {"module", "thread"} and any(_package_of(type(one)) in _PACKAGES for one in path)


def _package_of(cls: type) -> str:
    try:
        return exact_name(_type_module(cls)).partition(".")[0]
    except AttributeError:
        return ""


def is_ours(cls: type) -> bool:
    """Whether it is a class of this package."""
    return _package_of(cls) == "jupyter_profkit"


def is_machinerys(cls: type) -> bool:
    """Whether the shell or the interpreter makes objects of this class for itself."""
    return _package_of(cls) in _PACKAGES


def is_users_code(code: types.CodeType) -> bool:
    """Whether it stands in a cell or a file of the user's."""
    return is_cell_file(code.co_filename) or is_user_file(code.co_filename)


def users_locals() -> Iterator[tuple[Any, str]]:
    """The local variables of the user's functions that run, where they can be read without a trace."""
    if sys.hexversion < 0x030D0000:
        return  # reading them makes a copy that lives as long as the frame
    tops = sys._current_frames()
    tops.pop(threading.get_ident(), None)  # this function's own frame, which would hold itself
    here: tuple[str, types.FrameType | None] = "", sys._getframe(1)
    for where, top in (here, *((f" in {thread_name(one)}", frame) for one, frame in tops.items())):
        frame = top
        while frame is not None:
            code = frame.f_code
            if code.co_flags & inspect.CO_OPTIMIZED and is_users_code(code):
                yield from (
                    (value, f"local {name} of {code.co_qualname}(){where}") for name, value in frame.f_locals.items()
                )
            frame = frame.f_back


class OwnObjects:
    """Tells the user's own objects: instances of the user's classes, functions and coroutines of the user's code."""

    def __init__(self) -> None:
        self._classes: dict[int, bool] = {}

    def has(self, obj: Any) -> bool:
        cls = type(obj)
        code = _CODE_OF.get(cls) if id(cls) in _CODED else None
        if code is not None:
            return is_users_code(getattr(obj, code))
        if issubclass(cls, type):
            return is_users_class(obj)
        known = self._classes.get(id(cls))
        if known is None:
            known = self._classes[id(cls)] = is_users_class(cls)
        return known


_CODED: Final = frozenset(map(id, _CODE_OF))
