"""Variables and boxes as a picture for learners: what is the same object, in a sentence and drawn.

    report(boxes)               a Report with a BoxesView
    boxes_view(boxes)           the BoxesView alone

Each object is known by the shortest expression that leads to it (``a``, ``y[1]['k']``),
so that the sentences say what a reader can type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.model.object_boxes import BoxPicture, BoxSlot, ObjectBox, ObjectBoxes
from jupyter_profkit.model.result import Result
from jupyter_profkit.units import format_seconds
from jupyter_profkit.views.object_sharing import changes, sharing
from jupyter_profkit.views.report import Box, BoxesView, BoxPanel, BoxRow, Mark, Report, warning_of
from jupyter_profkit.views.words import clip

__all__ = ["boxes_view", "report"]

_VARIABLES = -1
"""The id of the box of names."""

_WIDEST_NAME = 22
_WIDEST_TEXT = 52
"""Characters of a value or of a box's head; a recording from elsewhere may have any number of them."""


def report(result: Result, **display: Any) -> Report:
    """The report of boxes.

    Raises
    ------
    OptionError
        For any display option: there is none.
    """
    if display:
        raise OptionError(f"a report of {result.kind} has no option {next(iter(display))!r}")
    if not isinstance(result, ObjectBoxes):
        raise OptionError(f"{type(result).__name__} is no picture of objects")
    view = boxes_view(result)
    title = result.session.title
    n_boxes = len({box.id for box in (*(result.before or BoxPicture()).boxes, *result.after.boxes)})
    counts = "1 object has a box" if n_boxes == 1 else f"{n_boxes:,} objects have a box"
    return Report(
        title=title if title.startswith("%") else f"%%objrefs --teach  {title}",
        headline=_headline(result),
        parts=(view,) if any(panel.boxes for panel in view.panels) else (),
        notes=(*_sentences(result)[1:], *result.method.notes),
        method=(result.method.engine, f"{counts}, {format_seconds(result.session.duration)}"),
        warning=warning_of(result.session),
    )


def boxes_view(result: ObjectBoxes) -> BoxesView:
    """What is drawn: one panel, or two of which what changed is marked."""
    alt = " ".join(_sentences(result))
    if result.before is None:
        panel = BoxPanel("", _boxes(result.after, BoxPicture(), ""))
        return BoxesView("", alt, (panel,), tuple(_words(result.after)))
    panels = (
        BoxPanel("Before", _boxes(result.before, result.after, "gone")),
        BoxPanel("After", _boxes(result.after, result.before, "new")),
    )
    return BoxesView("", alt, _turned_alike(panels), tuple(_words_of_both(result.before, result.after)))


def _headline(result: ObjectBoxes) -> str:
    return _sentences(result)[0]


def _sentences(result: ObjectBoxes) -> list[str]:
    found = list(sharing(result.after)) if result.before is None else list(changes(result.before, result.after))
    return found or ["Nothing to draw."]


# Boxes


def _boxes(picture: BoxPicture, other: BoxPicture, mark: Mark) -> tuple[Box, ...]:
    """The boxes of a panel; `mark` is what a slot or box is that the other panel does not have."""
    others = {box.id: box for box in other.boxes}
    named = {slot.key: slot for slot in other.variables}
    names = Box(_VARIABLES, "Variables", tuple(_row(slot, named, mark) for slot in picture.variables), role="variables")
    boxes = [_box(box, others, mark) for box in picture.boxes]
    return (names, *boxes) if picture.variables else tuple(boxes)


def _box(box: ObjectBox, others: dict[int, ObjectBox], mark: Mark) -> Box:
    twin = others.get(box.id)
    slots = {slot.key: slot for slot in twin.slots} if twin is not None else {}
    is_sequence = box.shape in {"sequence", "set"}
    rows = tuple(_row(slot, slots, mark if twin is not None else "") for slot in box.slots)
    return Box(
        box.id,
        clip(" ".join(filter(None, (box.type, box.text))), _WIDEST_TEXT),
        rows,
        f"… {box.n_more:,} more" if box.n_more else "" if rows or box.shape == "object" else "empty",
        mark=mark if twin is None else "",
        across=is_sequence and all(slot.target is None for slot in box.slots),
    )


def _row(slot: BoxSlot, others: dict[str, BoxSlot], mark: Mark) -> BoxRow:
    other = others.get(slot.key)
    if mark and other is not None:
        mark = "changed" if other != slot else ""
    return BoxRow(_name(slot.label), clip(slot.text, _WIDEST_TEXT), slot.target, mark)


def _name(label: str) -> str:
    """What stands in the picture for ``['k']``, ``[0]``, ``.name``; a long one is cut in its middle."""
    name = label[1:-1] if label.startswith("[") and label.endswith("]") else label.removeprefix(".")
    return name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 9]}…{name[-8:]}"


def _turned_alike(panels: tuple[BoxPanel, ...]) -> tuple[BoxPanel, ...]:
    """A box that has its slots below one another in one panel has them so in all."""
    upright = {box.id for panel in panels for box in panel.boxes if not box.across}
    return tuple(
        BoxPanel(
            panel.caption,
            tuple(
                Box(box.id, box.title, box.rows, box.footer, box.role, box.mark, box.across and box.id not in upright)
                for box in panel.boxes
            ),
        )
        for panel in panels
    )


# Words


def _words(picture: BoxPicture) -> Iterator[str]:
    """Names, then boxes, with aligned values; arrows lead to numbers."""
    numbers = _numbers(picture)
    rows = [("", slot.label, _value(slot, numbers)) for slot in picture.variables]
    for box in picture.boxes:
        rows.append((_head(box, numbers), "", ""))
        rows += [("", f"  {slot.label}", _value(slot, numbers)) for slot in box.slots]
        if box.n_more:
            rows.append((f"  … {box.n_more:,} more", "", ""))
    width = max((len(label) for _, label, _ in rows), default=0)
    yield from (head or f"{label:<{width}}  {value}" for head, label, value in rows)


def _numbers(*pictures: BoxPicture) -> dict[int, tuple[int, str]]:
    """The boxes' numbers for the reader, from 1 in the order they are told, with their types."""
    numbers: dict[int, tuple[int, str]] = {}
    for picture in pictures:
        for box in picture.boxes:
            numbers.setdefault(box.id, (len(numbers) + 1, box.type))
    return numbers


def _head(box: ObjectBox, numbers: dict[int, tuple[int, str]]) -> str:
    empty = "" if box.slots or box.shape == "object" else "empty"
    return " ".join(filter(None, (f"#{numbers[box.id][0]}", box.type, box.text, empty)))


def _value(slot: BoxSlot | None, numbers: dict[int, tuple[int, str]]) -> str:
    if slot is None:
        return "-"
    if slot.target is None:
        return slot.text
    number, kind = numbers[slot.target]
    return f"→ #{number} {kind}"


def _words_of_both(before: BoxPicture, after: BoxPicture) -> Iterator[str]:
    """Both pictures in one table: a row for each slot, what changed said at its end."""
    numbers = _numbers(before, after)
    rows = [("", "before", "after", "")]
    rows += _both(before.variables, after.variables, numbers, "")
    earlier, later = ({box.id: box for box in picture.boxes} for picture in (before, after))
    for number in numbers:
        box = later.get(number) or earlier[number]
        told = "gone from view" if number not in later else "new" if number not in earlier else ""
        rows.append((_head(box, numbers), "", "", told))
        old, new = (boxes[number].slots if number in boxes else () for boxes in (earlier, later))
        rows += _both(old, new, numbers, "  ", is_whole=number in earlier and number in later)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for cells in rows:
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, [*widths, 0], strict=True))
        yield "  ".join(padded).rstrip()


def _both(
    before: tuple[BoxSlot, ...],
    after: tuple[BoxSlot, ...],
    numbers: dict[int, tuple[int, str]],
    indent: str,
    *,
    is_whole: bool = True,
) -> Iterator[tuple[str, str, str, str]]:
    earlier, later = ({slot.key: slot for slot in slots} for slots in (before, after))
    for key in dict.fromkeys((*earlier, *later)):
        old, new = earlier.get(key), later.get(key)
        label = (new or old or BoxSlot("")).label
        told = "new" if old is None else "gone" if new is None else "changed" if old != new else ""
        yield f"{indent}{label}", _value(old, numbers), _value(new, numbers), told if is_whole else ""
