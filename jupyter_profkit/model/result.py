"""What every result can do, in one place; each deed is done by the layer it belongs to.

    profile.report(sort="peak")     a Report to display, without running again
    print(profile)                  the report as text
    profile.explore()               the report, and controls on it
    profile.to_dataframe()          pandas
    profile.to_json()               text; Result.from_json(text) == profile
    profile.save("run.json")        the format follows the suffix

This is the only module of `model` that reaches up, and it does so inside the
functions: a result stays plain data until somebody asks it for something.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_profkit.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from jupyter_profkit.views.report import GraphView, Report

__all__ = ["GraphResult", "Measuring", "Result", "result_of"]


class Result:
    """Base of every result."""

    __slots__ = ()

    kind: ClassVar[str]
    """The name of this kind of result in recordings and in the tables of the other layers."""

    columns: ClassVar[tuple[str, ...]] = ()
    """Names of what `rows` gives."""

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The figures as rows, bytes and seconds; `to_dataframe` and CSV files are made of them."""
        raise NotImplementedError

    def same_kind(self, other: object) -> Self:
        """The result that `other` is or stands for, which must be of this kind: what it can be compared with.

        Raises
        ------
        OptionError
            If it is anything else.
        TargetError
            If it is a ``with`` block that has not ended.
        """
        other = result_of(other)
        if not isinstance(other, type(self)):
            raise OptionError(f"a {type(self).__name__} is compared with another one, not with {type(other).__name__}")
        return other

    def report(self, **display: Any) -> Report:
        """This result as a report that displays itself.

        Parameters
        ----------
        **display
            Any option of the result's magic that changes what is shown, not
            what is measured (``sort``, ``limit``, ``precision``, …).
        """
        from jupyter_profkit.views import report_of

        return report_of(self, **display)

    def explore(self, **display: Any) -> None:
        """Show this result, and under it controls to sort, filter, zoom and compare it; nothing runs again.

        Parameters
        ----------
        **display : options of the result's magic that change what is shown, as they are at first.
        """
        from jupyter_profkit.widgets import explore

        explore(self, **display)

    def __str__(self) -> str:
        """The report as text."""
        return str(self.report())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from jupyter_profkit.render.mimebundle import mimebundle

        return mimebundle(self.report())

    def to_dataframe(self) -> pd.DataFrame:
        """The figures as a pandas table, bytes and seconds.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        from jupyter_profkit.export.dataframe import to_dataframe

        return to_dataframe(self)

    def to_json(self) -> str:
        """The whole result as JSON text; `from_json` gives it back."""
        from jupyter_profkit.export.json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The result that `to_json` wrote.

        Raises
        ------
        RecordingError
            If `text` is not one, or of another kind than this class.
        """
        from jupyter_profkit.export.json import from_json

        return from_json(text, cls)

    def save(self, path: str | Path) -> Path:
        """Write the result in the format of `path`'s suffix, and return the path.

        Raises
        ------
        OptionError
            If this kind of result has no format of that suffix; the choices are listed.
        """
        from jupyter_profkit.export import save

        return save(self, path)


class Measuring:
    """What stands for a result: the object of a ``with`` block, once that is over."""

    @property
    def result(self) -> Any:
        """What was measured."""
        raise NotImplementedError


def result_of(item: object) -> object:
    """The result that `item` stands for; anything else as it is.

    Raises
    ------
    TargetError
        If it is a ``with`` block that has not ended.
    """
    return item.result if isinstance(item, Measuring) else item


class GraphResult(Result):
    """A result that is a graph, and can be drawn."""

    __slots__ = ()

    def graph_view(self) -> GraphView:
        """What is drawn of it."""
        raise NotImplementedError

    def to_dot(self) -> str:
        """The graph in Graphviz' DOT language."""
        from jupyter_profkit.layout.dot_language import to_dot

        return to_dot(self.graph_view())

    def to_svg(self) -> str:
        """The graph as a standalone SVG document.

        Raises
        ------
        DrawingError
            If it is empty, or no layout engine could draw it.
        """
        from jupyter_profkit.render.graph import render_svg

        return render_svg(self.graph_view())

    def to_png(self) -> bytes:
        """The graph as PNG.

        Raises
        ------
        DrawingError
            If it is empty, or no layout engine could draw it.
        """
        from jupyter_profkit.render.graph import render_png

        return render_png(self.graph_view())
