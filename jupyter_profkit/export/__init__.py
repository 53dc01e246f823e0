"""Results to files and back; the suffix decides the format.

    save(profile, "run.json")       every kind of result
    save(profile, "run.dat")        what `mprof` reads: timelines
    save(profile, "run.prof")       what `pstats` reads: time profiles
    save(profile, "run.speedscope.json"), save(profile, "run.collapsed.txt")    its stacks
    save_shown(profile, report, "run.html")     as its report shows it, with its options and comparison
    load("run.json")                whatever `save`, `mprof run` or cProfile wrote

A recording is data: nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_profkit.errors import OptionError, RecordingError
from jupyter_profkit.model.result import Result

if TYPE_CHECKING:
    from jupyter_profkit.views.report import Report

__all__ = ["load", "save", "save_shown", "suffixes_of"]

_TABLES: Final = frozenset(
    {
        "line_memory",
        "line_memory_comparison",
        "timeline",
        "functions",
        "functions_comparison",
        "statements",
        "type_counts",
        "type_growth",
    }
)
_OBJECTS: Final = frozenset({"holders", "namespace_memory", "leaks"})
_GRAPHS: Final = frozenset({"references", "call_graph"})
_BOXES: Final = frozenset({"object_boxes"})
_ANY: Final = _TABLES | _OBJECTS | _GRAPHS | _BOXES

_WRITERS: Final[dict[str, tuple[frozenset[str], str, str]]] = {
    ".speedscope.json": (frozenset({"functions"}), "speedscope", "write_speedscope"),
    ".collapsed.txt": (frozenset({"functions"}), "collapsed", "write_collapsed"),
    ".json": (_ANY, "json", "write_json"),
    ".csv": (_ANY, "table", "write_csv"),
    ".txt": (_ANY, "document", "write_text"),
    ".html": (_ANY, "document", "write_html"),
    ".prof": (frozenset({"functions"}), "pstats", "write_pstats"),
    ".pstats": (frozenset({"functions"}), "pstats", "write_pstats"),
    ".dat": (frozenset({"timeline"}), "mprof", "write_mprof"),
    ".png": (frozenset({"timeline"}) | _GRAPHS | _BOXES, "picture", "write_png"),
    ".svg": (frozenset({"timeline", "functions"}) | _GRAPHS | _BOXES, "picture", "write_svg"),
    ".dot": (_GRAPHS, "picture", "write_dot"),
}
"""For each suffix: the kinds of results it can hold, and the function that writes it."""


def save(result: Result, path: str | Path) -> Path:
    """Write `result` to `path` in the format of its suffix, and return the path.

    Raises
    ------
    OptionError
        If the suffix is none of those that this kind of result can be written as.
    OSError
        If the file cannot be written.
    """
    target = Path(path).expanduser()
    kinds, module, function = _WRITERS.get(_suffix(target), (frozenset(), "", ""))
    if result.kind not in kinds:
        raise OptionError(f"{target.name or path}: the suffix must be one of {', '.join(suffixes_of(result.kind))}")
    write: Callable[[Any, Path], None] = getattr(import_module(f"{__name__}.{module}"), function)
    write(result, target)
    return target


def save_shown(result: Result, report: Report, path: str | Path) -> Path:
    """Write `result` to `path` and return the path: text, pages and plots as `report` shows it, all else whole.

    Raises
    ------
    OptionError, OSError
        As `save` does.
    """
    target = Path(path).expanduser()
    suffix = _suffix(target)
    if suffix in {".txt", ".html"}:
        from jupyter_profkit.export import document

        write = document.write_report_as_text if suffix == ".txt" else document.write_report_as_html
        write(report, target)
        return target
    if result.kind == "timeline" and suffix in {".png", ".svg"} and report.parts:
        from jupyter_profkit.export.picture import write_plot

        return write_plot(report, target)
    return save(result, target)


def suffixes_of(kind: str) -> tuple[str, ...]:
    """What files may end in that hold a result of that kind."""
    return tuple(suffix for suffix, (kinds, _, _) in _WRITERS.items() if kind in kinds)


def _suffix(path: Path) -> str:
    """The suffix that decides: the last two where they are known together, or the last."""
    both = "".join(path.suffixes[-2:]).lower()
    return both if both in _WRITERS else path.suffix.lower()


def load(path: str | Path) -> Any:
    """The result in a file that `save`, ``mprof run`` or cProfile wrote.

    Raises
    ------
    RecordingError
        If the file is missing, is no recording, or is damaged.
    """
    source = Path(path).expanduser()
    try:
        with source.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise RecordingError(f"{source}: {error.strerror or error}") from None
    if not head:
        raise RecordingError(f"{source}: the file is empty; nothing was recorded in it")
    if source.suffix.lower() in {".prof", ".pstats"} or _is_marshal(head):
        from jupyter_profkit.export.pstats import read_pstats

        return read_pstats(source)
    if head.startswith(b"{"):
        from jupyter_profkit.export.json import read_json

        return read_json(source)
    from jupyter_profkit.export.mprof import read_mprof

    return read_mprof(source)


def _is_marshal(head: bytes) -> bool:
    """Whether a file that begins like this holds a dictionary as cProfile writes it; JSON has other second letters."""
    return head[:1] == b"\xfb" or (head[:1] == b"{" and head[1:] in {b"(", b")", b"\xa8", b"\xa9", b"0"})
