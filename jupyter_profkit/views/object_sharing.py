"""What a picture of boxes shows, in sentences: the same object, a copy, shared items, what changed.

list(sharing(picture))          ["`a` and `b` are the same list.", "`c` is a copy of `a`; …"]
list(changes(before, after))    ["`a` has a new [3].", …]
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator

from jupyter_profkit.model.object_boxes import BoxPicture, BoxSlot, ObjectBox
from jupyter_profkit.views.words import listed, with_article

__all__ = ["changes", "sharing"]

_SENTENCES = 6
_PATHS = 4
"""Expressions for one object that are told."""

_SLOTS = 3


def sharing(picture: BoxPicture) -> Iterator[str]:
    """What variables share, the names themselves first."""
    paths = _paths(picture)
    found = list(itertools.islice(_told_sharing(picture, paths), _SENTENCES + 1))
    if len(found) > _SENTENCES:
        found[_SENTENCES:] = ["More objects are shared; the picture shows them."]
    yield from found or _nothing_shared(picture)


def _told_sharing(picture: BoxPicture, paths: dict[int, list[str]]) -> Iterator[str]:
    boxes = {box.id: box for box in picture.boxes}
    explained: set[int] = set()
    for box in picture.boxes:
        names = _names_of(picture, box.id)
        if len(names) > 1:
            yield f"{_list(names)} are the same {box.type}{_consequence(box, len(names))}."
    for copy, original, shared in _copies(picture, boxes):
        explained |= shared
        yield _copy_sentence(copy, original, boxes, shared, paths)
    for view, base in _views(picture, paths):
        explained.add(base)
        yield f"`{view}` is a view of `{paths[base][0]}`: a change in one is seen in the other."
    for box in picture.boxes:
        told, names = paths.get(box.id, []), _names_of(picture, box.id)
        if len(told) <= max(1, len(names)) or box.id in explained:
            continue
        if len(names) > 1:
            others = told[len(names) : len(names) + _PATHS]
            verb = "is" if len(others) == 1 else "are"
            yield f"{_list(others)} {verb} that {box.type}, too: the one of `{names[0]}`."
        else:
            yield _same(told, box)


def _same(told: list[str], box: ObjectBox) -> str:
    shown = told[:_PATHS]
    more = f", and {len(told) - len(shown)} more ways," if len(told) > len(shown) else ""
    verb = "lead to" if more else "are"
    return f"{_list(shown)}{more} {verb} the same {box.type}."


def _nothing_shared(picture: BoxPicture) -> Iterator[str]:
    boxes = [slot for slot in picture.variables if slot.target is not None]
    kinds = {box.id: box for box in picture.boxes}
    if len(picture.variables) == 1 and boxes:
        yield f"`{boxes[0].label}` is {with_article(kinds[boxes[0].target or 0].type)}; nothing in it is shared."
    elif boxes:
        yield f"Nothing is shared: {_list([slot.label for slot in boxes])} refer to objects of their own."
    elif picture.variables:
        values = [f"`{slot.label}` is {slot.text}" for slot in picture.variables[:_PATHS]]
        yield f"{', '.join(values)}: values that cannot change."


def _consequence(box: ObjectBox, n_names: int) -> str:
    others = "the other" if n_names == 2 else "the others"
    return "" if box.is_fixed else f": a change through one name is seen through {others}"


def _views(picture: BoxPicture, paths: dict[int, list[str]]) -> Iterator[tuple[str, int]]:
    """What a reader calls an array that is a view, and the box of the array that it looks into, if that has a name."""
    for box in picture.boxes:
        base = next((slot.target for slot in box.slots if slot.label == ".base"), None)
        if box.type == "ndarray" and base is not None and not paths[base][0].endswith(".base"):
            yield paths[box.id][0], base


# Copies


def _copies(picture: BoxPicture, boxes: dict[int, ObjectBox]) -> Iterator[tuple[str, str, set[int]]]:
    """Pairs of variables of which one is a copy of the other, and the boxes that they share."""
    seen: list[tuple[str, ObjectBox]] = []
    for slot in picture.variables:
        box = boxes.get(slot.target) if slot.target is not None else None
        if box is None or any(box.id == other.id for _, other in seen):
            continue
        original = next((pair for pair in seen if box.slots and _is_equal(box, pair[1], boxes)), None)
        if original is not None:
            yield slot.label, original[0], _below(box, boxes) & _below(original[1], boxes)
        seen.append((slot.label, box))


def _copy_sentence(
    copy: str, original: str, boxes: dict[int, ObjectBox], shared: set[int], paths: dict[int, list[str]]
) -> str:
    mutable = [number for number in shared if not boxes[number].is_fixed]
    if not mutable:
        return f"`{copy}` looks like `{original}`, but is an object of its own and shares nothing with it."
    told = [paths[number] for number in mutable if paths.get(number)]
    first = [path for path in min(told, key=lambda paths: len(paths[0])) if path.startswith((copy, original))]
    example = f" ({_list(first[:2])} are the same {boxes[mutable[0]].type})" if len(first) > 1 else ""
    return f"`{copy}` is a copy of `{original}` whose items are shared{example}."


def _is_equal(a: ObjectBox, b: ObjectBox, boxes: dict[int, ObjectBox]) -> bool:
    """Whether two boxes look the same, and so do those behind them."""
    compared: set[tuple[int, int]] = set()
    waiting = [(a, b)]
    while waiting:
        one, other = waiting.pop()
        if one.id == other.id or (one.id, other.id) in compared:
            continue
        compared.add((one.id, other.id))
        if (one.type, one.text, one.n_more, len(one.slots)) != (other.type, other.text, other.n_more, len(other.slots)):
            return False
        for left, right in zip(one.slots, other.slots, strict=True):
            if (left.label, left.text, left.target is None) != (right.label, right.text, right.target is None):
                return False
            if left.target is not None and right.target is not None:
                waiting.append((boxes[left.target], boxes[right.target]))
    return True


def _below(box: ObjectBox, boxes: dict[int, ObjectBox]) -> set[int]:
    """The boxes that can be reached from `box`, itself not counted."""
    found: set[int] = set()
    waiting = [box]
    while waiting:
        for slot in waiting.pop().slots:
            if slot.target is not None and slot.target not in found:
                found.add(slot.target)
                waiting.append(boxes[slot.target])
    return found


# What an object is called


def _paths(picture: BoxPicture) -> dict[int, list[str]]:
    """For each box the expressions that lead to it: from each slot that refers to it, the shortest."""
    boxes = {box.id: box for box in picture.boxes}
    shortest: dict[int, str] = {}
    waiting: deque[int] = deque()
    found: dict[int, list[str]] = {}

    def reach(slot: BoxSlot, owner: str) -> None:
        if slot.target is None:
            return
        path = slot.label if not owner else f"an item of {owner}" if not slot.label else f"{owner}{slot.label}"
        found.setdefault(slot.target, []).append(path)
        if slot.target not in shortest:
            shortest[slot.target] = path
            waiting.append(slot.target)

    for slot in picture.variables:
        reach(slot, "")
    while waiting:
        number = waiting.popleft()
        for slot in boxes[number].slots:
            reach(slot, shortest[number])
    return found


def _names_of(picture: BoxPicture, number: int) -> list[str]:
    return [slot.label for slot in picture.variables if slot.target == number]


def _list(paths: Iterable[str]) -> str:
    return listed([path if path.startswith("an item") else f"`{path}`" for path in paths])


# What a cell changed


def changes(before: BoxPicture, after: BoxPicture) -> Iterator[str]:
    """What became of the variables and of the objects that were there before, then what is shared now."""
    told = [*_changed_names(before, after), *_changed_boxes(before, after)]
    if not told:
        yield "Nothing that the picture shows has changed."
        return
    yield from told[: _SENTENCES + 2]
    if len(told) > _SENTENCES + 2:
        yield f"{len(told) - _SENTENCES - 2} more changes; the picture shows them."
    now = [sentence for sentence in sharing(after) if sentence not in set(sharing(before))]
    yield from (f"Now {sentence}" for sentence in now if not sentence.startswith("Nothing"))


def _changed_names(before: BoxPicture, after: BoxPicture) -> Iterator[str]:
    earlier = {slot.label: slot for slot in before.variables}
    later = {slot.label: slot for slot in after.variables}
    boxes = {box.id: box for box in (*before.boxes, *after.boxes)}
    for name in dict.fromkeys((*earlier, *later)):
        old, new = earlier.get(name), later.get(name)
        if old is None and new is not None:
            yield f"`{name}` is new: {_what(new, boxes, before, after)}."
        elif new is None and old is not None:
            yield f"`{name}` is gone."
        elif old is not None and new is not None and old != new:
            yield f"`{name}` was {_what(old, boxes, before)} and is now {_what(new, boxes, before, after, 'a new {}')}."


def _what(
    slot: BoxSlot,
    boxes: dict[int, ObjectBox],
    before: BoxPicture,
    after: BoxPicture | None = None,
    unknown: str = "a {} of its own",
) -> str:
    """What a slot holds; of an object that was there before, by which name it was known, else as `unknown` words it."""
    if slot.target is None:
        return slot.text
    kind = boxes[slot.target].type
    if after is None:
        return with_article(kind)
    known = [path for path in _paths(before).get(slot.target, []) if path != slot.label]
    if known:
        return f"the {kind} that `{known[0]}` was"
    others = [name for name in _names_of(after, slot.target) if name != slot.label]
    return f"the {kind} that `{others[0]}` is" if others else unknown.format(kind)


def _changed_boxes(before: BoxPicture, after: BoxPicture) -> Iterator[str]:
    earlier = {box.id: box for box in before.boxes}
    paths = _paths(after)
    boxes = {**earlier, **{box.id: box for box in after.boxes}}
    for box in after.boxes:
        old = earlier.get(box.id)
        if old is None or (old.slots, old.n_more) == (box.slots, box.n_more):
            continue
        slots = list(_changed_slots(old, box, boxes, before, after))
        shown = "; ".join(slots[:_SLOTS]) + (f"; {len(slots) - _SLOTS} more" if len(slots) > _SLOTS else "")
        yield f"{_who(box, paths.get(box.id, [])[:_PATHS])} changed: {shown or 'what is not drawn of it'}."


def _who(box: ObjectBox, paths: list[str]) -> str:
    if len(paths) > 1:
        return f"The {box.type} that {_list(paths)} refer to"
    return f"The {box.type} {_list(paths)}" if paths else f"{with_article(box.type).capitalize()}"


def _changed_slots(
    old: ObjectBox, new: ObjectBox, boxes: dict[int, ObjectBox], before: BoxPicture, after: BoxPicture
) -> Iterator[str]:
    earlier = {slot.key: slot for slot in old.slots}
    later = {slot.key: slot for slot in new.slots}
    for key in dict.fromkeys((*earlier, *later)):
        was, now = earlier.get(key), later.get(key)
        label = (now or was or BoxSlot("")).label
        shown = f"`{label}`" if label else f"the item {_value(now or was or BoxSlot(''), boxes)}"
        if was is None and now is not None:
            yield f"{shown} is new, {_value(now, boxes)}" if label else f"{shown} is new"
        elif now is None and was is not None:
            yield f"{shown} is gone"
        elif was is not None and now is not None and was != now:
            yield f"{shown} was {_value(was, boxes)} and is {_what(now, boxes, before, after, 'a new {}')}"


def _value(slot: BoxSlot, boxes: dict[int, ObjectBox]) -> str:
    return slot.text if slot.target is None else with_article(boxes[slot.target].type)
