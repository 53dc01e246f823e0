"""Which statement makes a name let go of an object, and what to know about it.

    releases = Releases(holders, "x")
    releases.expression(Root("module", ("mylib .cache",)))      ("import mylib; ", "mylib.cache")
    releases.of(root, [container, x], links)                    Release("import mylib; del mylib.cache")

* No statement takes away what a library needs: of the names of a library's module only
  those go that somebody else put there, of its lists and dictionaries the one entry.
* Where there is none, the note says who keeps the object.
"""

from __future__ import annotations

import contextvars
import keyword
import logging
import re
import sys
import threading
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_profkit.engines.advice import (
    Link,
    forget_last_error,
    forget_outputs,
    is_users_class,
    is_users_module,
    module_expression,
    written,
)
from jupyter_profkit.engines.keepers import running_loop
from jupyter_profkit.engines.machinery import OwnObjects
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.roots import OUT, UNDERSCORES, Root, name_of_thread
from jupyter_profkit.engines.safe_repr import exact_name, module_dict, printable, type_name

__all__ = ["Release", "Releases"]

_LIBRARYS: Final = "a library keeps it; its own functions have to let it go"
_HOOKS: Final = {
    "threading ._trace_hook": "import threading; threading.settrace(None)",
    "threading ._profile_hook": "import threading; threading.setprofile(None)",
    "threading .excepthook": "import threading; threading.excepthook = threading.__excepthook__",
    "typing ._caches": "import typing; [clear() for clear in typing._cleanups];",
    "typing ._cleanups": "import typing; [clear() for clear in typing._cleanups];",
}
"""What libraries keep under names of their own, and how they are told to let it go."""


class Release(NamedTuple):
    """A statement, what to know about it, and the one step that it cuts; -1 if the name itself goes."""

    statement: str
    note: str = ""
    link: int = -1


class Releases:
    """Knows how each kind of name lets go.

    Parameters
    ----------
    holders : who has names here.
    name : what the object is called by those who ask.
    """

    def __init__(self, holders: Holders, name: str = "") -> None:
        self._holders = holders
        self._name = name
        self._own = OwnObjects()

    def expression(self, root: Root) -> tuple[str, str]:
        """What must be imported first, and the expression for what the name names; empty if there is none."""
        first = root.labels[0]
        if root.kind == "variable":
            return "", first if _is_name(first) else ""
        if root.kind == "module":
            name, _, attribute = first.partition(" .")
            return module_expression(name, f".{attribute}")
        if root.kind == "IPython" and (OUT.fullmatch(first) or UNDERSCORES.fullmatch(first)):
            return "", first
        return "", ""

    @staticmethod
    def hook(root: Root) -> Release | None:
        """How a name lets go that a library has a function for, or Python a value of its own."""
        name, _, attribute = root.name.partition(" .")
        if root.kind != "module":
            return None
        if name == "sys" and hasattr(sys, f"__{attribute}__"):
            return Release(f"import sys; sys.{attribute} = sys.__{attribute}__", "Python's own hook again")
        return Release(_HOOKS[root.name]) if root.name in _HOOKS else None

    def of(self, root: Root, behind: Sequence[Any], links: Sequence[Link]) -> Release:
        """How `root` lets go.

        Parameters
        ----------
        root : the name.
        behind : the objects from the one that has the name to the one that should go.
        links : the steps between them, as a reader knows them.
        """
        name, obj = root.labels[0], behind[0]
        match root.kind:
            case "variable":
                return Release(f"del {name}" if _is_name(name) else f"del globals()[{name!r}]")
            case "module":
                return self._of_module(root, obj, links)
            case "last error":
                return Release(forget_last_error(), "so does the next error")
            case "matplotlib":
                return Release(f"import matplotlib.pyplot; matplotlib.pyplot.close({name.rpartition(' ')[2]})")
            case "widgets":
                return self._of_widget(is_widget=len(behind) == 1)
            case "comms":
                return Release(f"import comm; comm.get_comm_manager().comms[{name.rpartition(' ')[2]!r}].close();")
            case "finalizer":
                each = "for f, made in list(weakref.finalize._registry.items())"
                free = f"import weakref; [f.detach() {each} if made.index == {name.rpartition(' ')[2]}];"
                return Release(free, "it is not called, then")
            case "thread":
                return _of_thread(obj)
            case "task":
                found = f"{{t.get_name(): t for t in asyncio.all_tasks()}}[{name.partition(' ')[0]!r}]"
                return Release(f"import asyncio; {found}.cancel();", "or wait until it is done")
            case "event loop":
                return self._of_event_loop(obj, behind, links)
            case "signal":
                number = f"signal.{name.partition(' ')[0]}"
                return Release(
                    f"import signal; signal.signal({number}, signal.SIG_DFL);", "the signal's own action again"
                )
            case "hook":
                return Release(f"import sys; {name.partition(' ')[0]}(None)")
            case "context":
                return self._of_context(obj, behind)
            case "logger":
                return _of_logger(obj, links)
            case "shell":
                return self._of_shell(links, behind[-1])
            case "last result":
                return Release("", "it goes when this cell has ended")
        return self._of_outputs(root, obj)

    def _of_module(self, root: Root, obj: Any, links: Sequence[Link]) -> Release:
        name, _, attribute = root.name.partition(" .")
        module = sys.modules.get(name)
        is_free = is_users_module(module) or self._was_put(module, attribute, obj)
        if not is_free or (links and not _is_plain(links[0].owner)):
            return Release("", _LIBRARYS)
        prefix, expression = self.expression(root)
        return Release(f"{prefix}del {expression}")

    def _was_put(self, module: Any, name: str, obj: Any) -> bool:
        """Whether somebody else gave a library's module this name: its own source does not know it."""
        source = _source(module)
        if re.search(rf"\b{re.escape(name)}\b", source):
            return False
        is_definition = issubclass(type(obj), (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType))
        return self._own.has(obj) or (bool(source) and not is_definition)

    def _of_widget(self, *, is_widget: bool) -> Release:
        free = "import ipywidgets; ipywidgets.Widget.close_all()"
        return Release(
            f"{self._name}.close()" if is_widget and self._name else free, "a widget stays until it is closed"
        )

    def _of_event_loop(self, obj: Any, behind: Sequence[Any], links: Sequence[Link]) -> Release:
        loop = running_loop()
        get = "import asyncio; asyncio.get_running_loop()"
        if obj is not loop and obj.cancelled():
            return Release("", "it goes when its time has come")
        if obj is not loop:
            each = "for call in asyncio.get_running_loop()._scheduled"
            free = f"import asyncio; [call.cancel() {each} if call.when() == {obj.when()!r}];"
            return Release(free, "or wait until it was called")
        if any(map(self._own.has, behind)):  # and not what makes the kernel go
            match [link.labels[0] if link.labels else "" for link in links]:
                case ["._selector", "._fd_to_key", number, ".data", side, *_]:
                    kind = "reader" if side == "[0]" else "writer"
                    return Release(f"{get}.remove_{kind}({number[1:-1]});", link=2)
                case ["._signal_handlers", number, *_]:
                    return Release(f"{get}.remove_signal_handler({number[1:-1]});", link=1)
                case ["._exception_handler" | "._task_factory" as name, *_]:
                    return Release(f"{get}.set{name}(None)", link=0)
        return Release("", "the event loop keeps it")

    def _of_context(self, context: Any, behind: Sequence[Any]) -> Release:
        kept = {id(one) for one in behind}
        for variable, value in contextvars.Context.items(context):
            if id(value) in kept:
                names = [exact_name(name) for name, one in list(self._holders.namespace.items()) if one is variable]
                if names and _is_name(names[0]):
                    note = "contexts that were copied from this one keep it until they go"
                    return Release(f"{names[0]}.set(None);", note)
                return Release("", f"it is the value of the context variable {printable(variable.name, 60)}")
        return Release("", "it goes when that context goes")

    def _of_shell(self, links: Sequence[Link], target: Any) -> Release:
        """The one entry of the shell's lists and dictionaries that keeps something of the user's own."""
        expression = "get_ipython()"
        for number, link in enumerate(links):
            accessor = written(link.labels[0]) if link.labels else ""
            if not accessor:
                break
            if (number, accessor) == (0, ".CustomTB"):
                return Release(f"{expression}.set_custom_exc((), None)", link=0)
            expression += accessor
            held = links[number + 1].owner if number + 1 < len(links) else target
            is_entry = type(link.owner) in {dict, list} or type_name(type(link.owner)) == "UserMagics"
            if is_entry and self._own.has(held):
                is_called = type(held) is types.FunctionType
                return Release(f"del {expression}", "it is no longer called, then" if is_called else "", number)
        return Release("", "IPython keeps it")

    def _of_outputs(self, root: Root, obj: Any) -> Release:
        labels = root.labels
        names = [name for name in labels if UNDERSCORES.fullmatch(name)]
        outputs = [int(match[1]) for match in map(OUT.fullmatch, labels) if match]
        hidden = [label.removeprefix("hidden ") for label in labels if label.startswith("hidden ")]
        hooks = [label.rpartition(".")[2] for label in labels if label.startswith("display hook")]
        free = forget_outputs(names, outputs, hidden, hooks)
        variables = [exact_name(key) for key, value in list(self._holders.namespace.items()) if value is obj]
        others = [name for name in variables if not UNDERSCORES.fullmatch(name)]
        return Release(free, f"takes the variable {others[0]} away too" if others and free.startswith("%xdel") else "")


def _of_thread(thread: Any) -> Release:
    """A timer can be cancelled, any other thread has to end."""
    if type(thread) is threading.Timer:
        found = "{t.name: t for t in threading.enumerate()}"
        name = name_of_thread(thread).removeprefix("thread ")
        return Release(f"import threading; {found}[{name!r}].cancel()", "or wait until it has run")
    return Release("", "it goes when that function returns")


def _of_logger(logger: Any, links: Sequence[Link]) -> Release:
    match [link.labels[0] if link.labels else "" for link in links[:2]]:
        case [".handlers" | ".filters" as name, place]:
            found = "" if logger is logging.root else repr(logger.name)
            return Release(f"import logging; del logging.getLogger({found}){name}{place}", link=1)
    return Release("", "the logger keeps it")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _is_plain(owner: Any) -> bool:
    """Whether it is a container, and no library's object that has parts."""
    return type(owner) in {dict, list, tuple, set, frozenset} or is_users_class(type(owner))


def _source(module: Any) -> str:
    """The source of a module; empty if it has none."""
    filename = module_dict(module).get("__file__") if issubclass(type(module), types.ModuleType) else None
    if type(filename) is not str or not filename.endswith(".py"):
        return ""
    try:
        return Path(filename).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
