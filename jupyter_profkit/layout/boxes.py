"""Boxes with slots and arrows from slot to box, as shapes in places: what a painter draws.

    sketches = sketch(view)         one for each panel, all of one size
    sketches[0].shapes              Rect, Text, Dot, Arrow

* Boxes are placed by the layered layout once for all panels: an object that is in
  two of them stands at the same place, and its box is as large as its larger self.
* Slots stand below one another with their names on the left; values that nothing
  leads away from may stand side by side.
* An arrow leaves from a dot in its slot to the right, and ends at the head of a box.
  One that leads back goes round below.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_profkit.layout.builtin import Places, place
from jupyter_profkit.layout.drawing import Point, label_width
from jupyter_profkit.views.report import Box, BoxesView, BoxPanel, BoxRow, GraphEdge

__all__ = [
    "HEAD_SIZE",
    "INDEX_SIZE",
    "NAME_SIZE",
    "VALUE_SIZE",
    "Arrow",
    "Dot",
    "Rect",
    "Shape",
    "Sketch",
    "Text",
    "sketch",
]

VALUE_SIZE: Final = 11.0
NAME_SIZE: Final = 10.5
HEAD_SIZE: Final = 10.0
INDEX_SIZE: Final = 8.5

_MARGIN: Final = 10.0
_HEAD: Final = 20.0
_ROW: Final = 21.0
_CELL: Final = 33.0
_FOOT: Final = 17.0
_PADDING: Final = 8.0
_GAP: Final = 26.0
_NARROWEST: Final = 26.0
_MARKS: Final = {"new": "new", "changed": "changed", "gone": "gone"}
_ROUND_BELOW: Final = 13.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its left upper corner, points."""

    x: float
    y: float
    width: float
    height: float
    role: str
    """``card``, ``cell`` or ``mark``, with the role of the box after a space."""
    radius: float = 0.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Words on a base line that begins, is centred or ends at `x`."""

    x: float
    y: float
    text: str
    role: str
    size: float
    anchor: str = "start"
    bold: bool = False
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """Where an arrow begins."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """A chain of cubic curves as in `PlacedEdge`; the head ends at the last point."""

    points: tuple[Point, ...]
    dashed: bool = False


Shape = Rect | Text | Dot | Arrow


@dataclass(frozen=True, slots=True)
class Sketch:
    """A panel, drawn."""

    caption: str
    width: float
    height: float
    shapes: tuple[Shape, ...]


def sketch(view: BoxesView) -> tuple[Sketch, ...]:
    """The panels of `view`."""
    sizes = _sizes(view)
    drops = _drops(view, sizes)
    places = place(list(sizes), [GraphEdge(*arc) for arc in drops], sizes, _GAP, drops)
    drawn = [_Panel(panel, places, sizes).shapes() for panel in view.panels]
    points = list(itertools.chain.from_iterable(map(_corners, itertools.chain.from_iterable(drawn))))
    left, top = (min((point[axis] for point in points), default=0.0) - _MARGIN for axis in (0, 1))
    right, bottom = (max((point[axis] for point in points), default=0.0) + _MARGIN for axis in (0, 1))
    return tuple(
        Sketch(panel.caption, right - left, bottom - top, tuple(_moved(shape, -left, -top) for shape in shapes))
        for panel, shapes in zip(view.panels, drawn, strict=True)
    )


def _drops(view: BoxesView, sizes: Mapping[int, tuple[float, float]]) -> dict[tuple[int, int], float]:
    """The pairs of boxes with an arrow between them, and how far down that would have the target's middle."""
    found: dict[tuple[int, int], list[float]] = {}
    for panel in view.panels:
        known = {box.id for box in panel.boxes}
        for box in panel.boxes:
            for number, row in enumerate(box.rows):
                if row.target is not None and row.target in known:
                    start = _HEAD + _ROW * (number + 0.5) - sizes[box.id][1] / 2
                    found.setdefault((box.id, row.target), []).append(start + sizes[row.target][1] / 2 - _HEAD / 2)
    return {arc: sum(drops) / len(drops) for arc, drops in found.items()}


# Sizes


@dataclass(frozen=True)
class _Measure:
    """What has to fit into a box."""

    names: float = 0.0
    """The width of the column of names; 0 if there are none."""
    width: float = 0.0
    height: float = 0.0


def _sizes(view: BoxesView) -> dict[int, tuple[float, float]]:
    sizes: dict[int, tuple[float, float]] = {}
    for box in itertools.chain.from_iterable(panel.boxes for panel in view.panels):
        measure = _measure(box)
        width, height = sizes.get(box.id, (0.0, 0.0))
        sizes[box.id] = (max(width, measure.width), max(height, measure.height))
    return sizes


def _measure(box: Box) -> _Measure:
    head = label_width(box.title, HEAD_SIZE) + _mark_width(box.mark) + 2 * _PADDING
    foot = label_width(box.footer, INDEX_SIZE) + 2 * _PADDING if box.footer else 0.0
    below = _FOOT if box.footer else 0.0
    if not box.rows:
        return _Measure(0.0, max(head, foot, 44.0), _HEAD + below + (0.0 if below else 4.0))
    if box.across:
        return _Measure(0.0, max(head, foot, sum(map(_cell_width, box.rows))), _HEAD + _CELL + below)
    names = max(label_width(row.label, NAME_SIZE) for row in box.rows)
    names += 2 * _PADDING if names else 0.0
    values = max(_value_width(row) for row in box.rows)
    return _Measure(names, max(head, foot, names + values), _HEAD + _ROW * len(box.rows) + below)


def _value_width(row: BoxRow) -> float:
    text = _NARROWEST if row.target is not None else max(_NARROWEST, label_width(row.text, VALUE_SIZE) + 2 * _PADDING)
    return text + _mark_width(row.mark)


def _cell_width(row: BoxRow) -> float:
    above = label_width(row.label, INDEX_SIZE) + (_mark_width(row.mark) if row.mark else 0.0)
    return max(_NARROWEST, label_width(row.text, VALUE_SIZE) + 2 * _PADDING, above + _PADDING)


def _mark_width(mark: str) -> float:
    return label_width(_MARKS[mark], INDEX_SIZE) + 12.0 if mark else 0.0


# Shapes


class _Panel:
    def __init__(self, panel: BoxPanel, places: Places, sizes: Mapping[int, tuple[float, float]]) -> None:
        self._panel = panel
        self._places = places
        self._sizes = sizes

    def shapes(self) -> list[Shape]:
        known = {box.id for box in self._panel.boxes}
        boxes: list[Shape] = []
        arrows: list[Shape] = []
        for box in self._panel.boxes:
            boxes += self._card(box)
            for row, start in self._starts(box):
                if row.target in known and row.target is not None:
                    arrows += [Dot(*start), Arrow(self._path(box.id, start, row.target), row.mark == "gone")]
        return [*boxes, *arrows]

    def _corner(self, number: int) -> Point:
        x, y = self._places.at[number]
        return x - self._places.halves[x], y - self._sizes[number][1] / 2

    def _via(self, waypoints: Iterable[int], side: float) -> Iterator[Point]:
        """Straight through the layers that an arrow crosses; `side` is 1 to the right, -1 to the left and lower."""
        for waypoint in waypoints:
            x, y = self._places.at[waypoint]
            y += 0.0 if side > 0 else 9.0
            half = self._places.halves[x] * side
            yield from ((x - half, y), (x + half, y))

    def _card(self, box: Box) -> Iterator[Shape]:
        x, y = self._corner(box.id)
        width, height = self._sizes[box.id][0], _measure(box).height
        role = {"new": "highlight", "gone": "more"}.get(box.mark, "start" if box.role == "variables" else "object")
        yield Rect(x, y, width, height, f"card {role}", 5.0, box.mark == "gone")
        yield Text(x + _PADDING, y + 13.5, box.title, f"head {role}", HEAD_SIZE, bold=True)
        if box.mark:
            yield Text(x + width - _PADDING, y + 13.5, _MARKS[box.mark], f"tag {role}", INDEX_SIZE, "end", bold=True)
        yield from (
            self._cells(box, role, x, y + _HEAD, width) if box.across else self._rows(box, role, x, y + _HEAD, width)
        )
        if box.footer:
            yield Text(x + _PADDING, y + height - 5.5, box.footer, f"foot {role}", INDEX_SIZE)

    def _rows(self, box: Box, role: str, x: float, y: float, width: float) -> Iterator[Shape]:
        names = _measure(box).names
        for row in box.rows:
            inner = "highlight" if row.mark else role
            if row.mark:
                yield Rect(x + 0.8, y, width - 1.6, _ROW - 0.8, f"mark {inner}")
            yield Rect(x, y, width, 0.0, f"cell {role}")
            if names:
                yield Rect(x + names, y, 0.0, _ROW, f"cell {role}")
                yield Text(x + names - _PADDING, y + 14.5, row.label, f"name {inner}", NAME_SIZE, "end")
            if row.target is None:
                at = x + names + _PADDING
                yield Text(at, y + 14.5, row.text, f"value {inner}", VALUE_SIZE, struck=row.mark == "gone")
            if row.mark and row.target is None:
                yield Text(x + width - 6.0, y + 14.0, _MARKS[row.mark], f"tag {inner}", INDEX_SIZE, "end", bold=True)
            elif row.mark:  # the arrow leaves to the right of it
                yield Text(x + names + 7.0, y + 14.0, _MARKS[row.mark], f"tag {inner}", INDEX_SIZE, bold=True)
            y += _ROW
        if box.footer:
            yield Rect(x, y, width, 0.0, f"cell {role}")

    def _cells(self, box: Box, role: str, x: float, y: float, width: float) -> Iterator[Shape]:
        yield Rect(x, y, width, 0.0, f"cell {role}")
        for number, row in enumerate(box.rows):
            own = _cell_width(row)
            inner = "highlight" if row.mark else role
            if row.mark:
                yield Rect(x + 0.8, y + 0.8, own - 1.6, _CELL - 1.6, f"mark {inner}")
            if number:
                yield Rect(x, y, 0.0, _CELL, f"cell {role}")
            yield Text(x + 5.0, y + 10.5, row.label, f"name {inner}", INDEX_SIZE)
            if row.mark:
                yield Text(x + own - 4.0, y + 10.0, _MARKS[row.mark], f"tag {inner}", INDEX_SIZE, "end", bold=True)
            struck = row.mark == "gone"
            yield Text(x + own / 2, y + 26.0, row.text, f"value {inner}", VALUE_SIZE, "middle", struck=struck)
            x += own
        if box.footer:
            yield Rect(x - sum(map(_cell_width, box.rows)), y + _CELL, width, 0.0, f"cell {role}")

    def _starts(self, box: Box) -> Iterator[tuple[BoxRow, Point]]:
        """The rows with arrows, and where these begin."""
        x, y = self._corner(box.id)
        names = _measure(box).names
        for number, row in enumerate(box.rows):
            if row.target is not None and not box.across:
                after = _mark_width(row.mark)
                yield row, (x + names + after + _NARROWEST / 2, y + _HEAD + _ROW * (number + 0.5))

    def _path(self, source: int, start: Point, target: int) -> tuple[Point, ...]:
        out = (self._corner(source)[0] + self._sizes[source][0], start[1])
        left, top = self._corner(target)
        end = (left, top + _HEAD / 2)
        stops = self._places.chains.get((source, target))
        if source != target and stops is not None and (source, target) not in self._places.turned:
            return _smooth([start, out, *self._via(stops[1:-1], 1.0), end])
        return self._round(source, start, out, target, end)

    def _round(self, source: int, start: Point, out: Point, target: int, end: Point) -> tuple[Point, ...]:
        """Back to a box on the left, or to itself: round below."""
        left, top = self._corner(source)
        below = top + self._sizes[source][1] + _ROUND_BELOW
        turn = out[0] + 16.0
        reach = left - 16.0 if source == target else left
        points = [start, *_line(start, out), (turn, out[1]), (turn, below), (out[0], below)]
        if source == target:
            points += [*_line((out[0], below), (left, below)), (reach, below), (reach, end[1]), end]
            return tuple(points)
        right = self._corner(target)[0] + self._sizes[target][0], end[1]
        stops = self._places.chains.get((target, source), [])
        via = self._via(reversed(stops[1:-1]), -1.0)
        return (*points, *_smooth([(out[0], below), (left, below), *via, right])[1:])


def _line(a: Point, b: Point) -> Iterator[Point]:
    """A straight piece as a curve, its start left out."""
    yield from ((a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part) for part in (1 / 3, 2 / 3, 1.0))


def _smooth(stops: Sequence[Point]) -> tuple[Point, ...]:
    """Curves through `stops` that run level at each of them."""
    points = [stops[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(stops):
        bend = (x1 - x0) * 0.5
        points += [(x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
    return tuple(points)


def _corners(shape: Shape) -> Iterator[Point]:
    match shape:
        case Rect():
            yield from ((shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height))
        case Arrow():
            yield from shape.points


def _moved(shape: Shape, dx: float, dy: float) -> Shape:
    match shape:
        case Rect():
            return Rect(shape.x + dx, shape.y + dy, shape.width, shape.height, shape.role, shape.radius, shape.dashed)
        case Text():
            moved = (shape.x + dx, shape.y + dy)
            return Text(*moved, shape.text, shape.role, shape.size, shape.anchor, shape.bold, shape.struck)
        case Dot():
            return Dot(shape.x + dx, shape.y + dy)
        case Arrow():
            return Arrow(tuple((x + dx, y + dy) for x, y in shape.points), shape.dashed)
