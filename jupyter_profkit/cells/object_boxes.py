"""``%objrefs --teach`` and ``%%objrefs``: variables and boxes, as they are or before and after a cell.

    draw_boxes({"a": a, "b": b})                    an ObjectBoxes
    BoxesMeasurement("a b", shell, diff=True)       a measurement of a cell

The objects of the picture before are held until the cell is over, so that what is
drawn as the same object is the same object.
"""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_profkit.cells.expressions import evaluate_one, expressions
from jupyter_profkit.engines.object_boxes import BoxLimits, BoxReader
from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.object_boxes import BoxPicture, ObjectBoxes
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell

__all__ = ["BoxesMeasurement", "CellDrawing", "draw_boxes", "names_of", "variables_of"]

_MOST_VARIABLES = 16
_READ_HOW = "gc.get_referents and what built-in types tell; no code of the objects ran"
_HELD = "The objects of the picture before were kept until the cell had ended."


def draw_boxes(
    variables: Mapping[str, Any],
    *,
    shell: Any = None,
    namespace: dict[str, Any] | None = None,
    **bounds: Any,
) -> ObjectBoxes:
    """What `variables` refer to, as boxes.

    Parameters
    ----------
    variables : what to draw, by what it is called.
    shell : the InteractiveShell; the running one by default.
    namespace : the variables of the notebook; the shell's by default.
    **bounds : how much to tell, as `BoxLimits` has it; None is its default.

    Raises
    ------
    TargetError
        If there is nothing to draw.
    """
    if not variables:
        raise TargetError("there is nothing to draw: no variable of yours is there yet")
    reader = _reader(Holders(shell if shell is not None else running_shell(), namespace), bounds)
    started, clock = time.time(), time.perf_counter()
    try:
        picture = reader.read(variables)
        notes = tuple(reader.notes())
    finally:
        reader.release()
    session = Session(" ".join(["%objrefs --teach", *variables]), started, time.perf_counter() - clock)
    return ObjectBoxes(session, Method(_READ_HOW, notes=notes), picture)


def _reader(holders: Holders, bounds: Mapping[str, Any]) -> BoxReader:
    limits = BoxLimits(**{name: value for name, value in bounds.items() if value is not None})
    return BoxReader(limits, tuple(holders.attribute_names()))


class CellDrawing:
    """A graph of objects as a cell leaves them, behind ``%%objrefs``.

    Parameters
    ----------
    draw : makes the result; called when the cell has ended.
    """

    def __init__(self, draw: Callable[[], Result]) -> None:
        self._draw = draw
        self._drawn: Result | None = None

    def start(self) -> None:
        """Nothing is measured while the cell runs."""

    def stop(self) -> None:
        if self._drawn is None:
            self._drawn = self._draw()

    def result(self, session: Session) -> Result:
        assert self._drawn is not None
        return self._drawn


class BoxesMeasurement:
    """Boxes as a cell leaves them, with `diff` also as it found them.

    Parameters
    ----------
    text : expressions, as typed; all variables of the user's if empty.
    shell : the InteractiveShell.
    diff : whether to draw before and after.
    **bounds : see `draw_boxes`.

    Raises
    ------
    TargetError
        If `text` holds something that is no expression.
    """

    def __init__(
        self,
        text: str,
        shell: Any,
        *,
        diff: bool,
        **bounds: Any,
    ) -> None:
        self._names = expressions(text) if text.strip() else []
        self._shell = shell
        self._diff = diff
        self._reader = _reader(Holders(shell), bounds)
        self._before: BoxPicture | None = None
        self._after: BoxPicture | None = None
        self._notes: tuple[str, ...] = ()
        self._drawn: tuple[str, ...] | None = None
        self._there: frozenset[str] = frozenset()

    def start(self) -> None:
        if self._diff:
            self._before = self._reader.read(self._variables()[0])

    def stop(self) -> None:
        if self._after is None:
            variables, missing = self._variables()
            self._after = self._reader.read(variables)
            self._notes = (*missing, *self._reader.notes(), *([_HELD] if self._diff else ()))
            self._reader.release()

    def result(self, session: Session) -> ObjectBoxes:
        assert self._after is not None
        options = " ".join(["--teach", *self._names, *["--diff"] * self._diff])
        title = f"%%objrefs  {session.title.removeprefix('%%objrefs ')}  {options}"
        named = Session(title, session.started, session.duration, session.outcome, session.error_at)
        return ObjectBoxes(named, Method(_READ_HOW, notes=self._notes), self._after, self._before)

    def _variables(self) -> tuple[dict[str, Any], list[str]]:
        """What is there under each name, and a sentence on each that is not."""
        if not self._names:
            return self._own_variables(), []
        found: dict[str, Any] = {}
        missing = []
        for name in self._names:
            try:
                found[name] = evaluate_one(name, self._shell.user_ns)
            except TargetError as error:
                missing.append(f"Not drawn: {error}")
        return found, missing

    def _own_variables(self) -> dict[str, Any]:
        """The user's variables; after the cell those drawn before, and what the cell made, not older ones."""
        if self._drawn is None:
            self._there = frozenset(self._shell.user_ns)
            drawn = variables_of(self._shell)
            self._drawn = tuple(drawn)
            return drawn
        now = {name: value for name, value in self._shell.user_ns.items() if _is_drawn(self._shell, name, value)}
        old = {name: now[name] for name in self._drawn if name in now}
        made = [(name, value) for name, value in now.items() if name not in self._there]
        return {**old, **dict(made[-_MOST_VARIABLES:])}


def variables_of(shell: Any) -> dict[str, Any]:
    """The variables that a user of the notebook made, the latest if there are many; no functions, classes, modules."""
    found = {name: value for name, value in list(shell.user_ns.items()) if _is_drawn(shell, name, value)}
    return dict(list(found.items())[-_MOST_VARIABLES:])


def _is_drawn(shell: Any, name: str, value: object) -> bool:
    if name.startswith("_") or name in getattr(shell, "user_ns_hidden", ()):
        return False
    uninteresting = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, Result)
    return not issubclass(type(value), uninteresting)


def names_of(objects: Sequence[object], namespace: Mapping[str, Any]) -> dict[str, object]:
    """`objects` by what they are called: each by a variable that nothing else took, or by its place."""
    named: dict[str, object] = {}
    for number, obj in enumerate(objects, 1):
        name = next(_free_names(obj, namespace, named), f"object {number}")
        named[name] = obj
    return named


def _free_names(obj: object, namespace: Mapping[str, Any], taken: Mapping[str, object]) -> Iterator[str]:
    for name, value in list(namespace.items()):
        if value is obj and not name.startswith("_") and name not in taken:
            yield name
