"""Which code a line engine follows: the measured block, and the user's own functions.

    scope = Scope(block="/tmp/ipykernel_7/123.py", exclude=("test_*",))
    scope.wants(code, "module.name")

The user's own code is what is defined in a cell or in a file outside the standard
library and site-packages; what ``%time`` runs in a cell counts on its line there.
`modules` and `functions` widen that, `exclude` narrows it.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Collection
from dataclasses import dataclass
from types import CodeType

from jupyter_profkit.errors import OptionError
from jupyter_profkit.source import is_cell_file, is_timed_without_source, is_user_file

__all__ = ["PART_OF_A_STATEMENT", "Scope", "code_of"]

PART_OF_A_STATEMENT = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Since Python 3.12 most of these are no frames; the reader sees the statement on every version."""


@dataclass(frozen=True)
class Scope:
    """What to follow.

    Parameters
    ----------
    block : file name of the measured block, a cell or a file; always followed.
    functions : code objects that are followed wherever they come from.
    modules : names or globs of modules that are followed besides.
    exclude : names or globs of functions and modules that are not.
    only : whether nothing but `functions` is followed.
    """

    block: str | None = None
    functions: Collection[CodeType] = ()
    modules: Collection[str] = ()
    exclude: Collection[str] = ()
    only: bool = False

    def wants(self, code: CodeType, module: str) -> bool:
        """Whether lines of `code`, found in `module`, are followed."""
        if _is_part_of_a_statement(code.co_name):
            return False
        if any(code is function for function in self.functions):
            return True
        return self._wants_name(code.co_filename, code.co_name, code.co_qualname, module)

    def wants_frame(self, filename: str, name: str, qualname: str, module: str) -> bool:
        """`wants`, for a frame of which only names are known."""
        if _is_part_of_a_statement(name):
            return False
        if any((code.co_filename, code.co_name) == (filename, name) for code in self.functions):
            return True
        return self._wants_name(filename, name, qualname, module)

    def _wants_name(self, filename: str, name: str, qualname: str, module: str) -> bool:
        if self.only:
            return False
        names = (name, qualname, f"{module}.{qualname}", module)
        excluded = any(fnmatch.fnmatchcase(known, glob) for glob in self.exclude for known in names)
        if filename == self.block:
            return not excluded or name == "<module>"
        known = is_cell_file(filename) or (is_user_file(filename) and not is_timed_without_source(filename))
        return (known or any(_matches(module, glob) for glob in self.modules)) and not excluded


def _is_part_of_a_statement(name: str) -> bool:
    return name in PART_OF_A_STATEMENT or name.startswith("<generic parameters of ")  # def f[T](…), Python 3.12


def _matches(module: str, glob: str) -> bool:
    return fnmatch.fnmatchcase(module, glob) or fnmatch.fnmatchcase(module, f"{glob}.*")


def code_of(function: object, name: str = "") -> CodeType:
    """The code of a function, method, property, partial or decorated function; `name` is what errors call it.

    Raises
    ------
    OptionError
        If `function` has no Python code, as builtins and classes have none.
    """
    seen: object = function
    for _ in range(16):
        if isinstance(seen, CodeType):
            return seen
        inner = (
            getattr(seen, "__wrapped__", None)
            or getattr(seen, "__func__", None)
            or getattr(seen, "fget", None)
            or (getattr(seen, "func", None) if type(seen).__name__ in {"partial", "partialmethod"} else None)
            or getattr(seen, "__code__", None)
        )
        if inner is None:
            break
        seen = inner
    kind = "a class; name one of its methods" if inspect.isclass(function) else "not a Python function"
    raise OptionError(f"-f {name or getattr(function, '__name__', function)!s}: {kind}")
