"""Names that memory_profiler's magics have: each says in one line what to type instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from IPython.core.error import UsageError

__all__ = ["OldNames"]

_INSTEAD: Final = {
    "memit": "%memprofile STATEMENT, or %%memprofile as the first line of a cell; the peak is in the first sentence",
    "mprun": "%memprofile STATEMENT, which follows your functions by itself; -f FUNC is for those of a library",
}


class OldNames:
    """Those of the names that nobody else has in a shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        tables = self._tables()
        self._added = {name: _refusal(name) for name in _INSTEAD if not any(name in table for table in tables)}
        for table in tables:
            table.update(self._added)

    def _tables(self) -> list[dict[str, Any]]:
        """The shell's magics; not kept, since a magic of the user's would seem to be held by us."""
        return [self._shell.magics_manager.magics[kind] for kind in ("line", "cell")]

    def remove(self) -> None:
        """Take them out; not what somebody else has put in their place."""
        for table in self._tables():
            for name, refuse in self._added.items():
                if table.get(name) is refuse:
                    del table[name]


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: str) -> NoReturn:
        raise UsageError(f"%{name} is memory_profiler's; here it is {_INSTEAD[name]}")

    refuse.__doc__ = f"memory_profiler's; here it is {_INSTEAD[name]}."
    return refuse
