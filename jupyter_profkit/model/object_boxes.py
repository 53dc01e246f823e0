"""Variables and the objects they refer to, as a teacher draws them: boxes with values, arrows between boxes.

    picture = BoxPicture(variables=(BoxSlot("a", target=0), BoxSlot("n", "3")), boxes=(ObjectBox(0, "list", …),))
    ObjectBoxes(session, method, picture)                   as it is
    ObjectBoxes(session, method, after, before=before)      before and after a cell

Boxes are numbered over both pictures: the same number is the same object. Only
descriptions are here; no live object is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Method, Session

if TYPE_CHECKING:
    from jupyter_profkit.views.report import BoxesView

__all__ = ["BoxPicture", "BoxSlot", "ObjectBox", "ObjectBoxes"]


@dataclass(frozen=True, slots=True)
class BoxSlot:
    """One reference: a variable, an item or an attribute."""

    label: str
    """The name of a variable; of an item or attribute what stands after its owner: ``[0]``, ``.name``."""
    text: str = ""
    """What is drawn inside, for a value that cannot change."""
    target: int | None = None
    """The box that the arrow leads to."""

    @property
    def key(self) -> str:
        """What tells it from the other slots of its object; those of a set have no label."""
        return self.label or self.text or f"→ {self.target}"


@dataclass(frozen=True, slots=True)
class ObjectBox:
    """An object that has a box of its own."""

    id: int
    type: str
    text: str = ""
    """What it is beside its type: ``3 × 4 float64``."""
    shape: str = "object"
    """How it is drawn: ``sequence``, ``mapping``, ``set`` or ``object``."""
    slots: tuple[BoxSlot, ...] = ()
    n_more: int = 0
    """References that are not drawn."""
    is_fixed: bool = False
    """Whether its slots can never change, as those of a tuple."""


@dataclass(frozen=True, slots=True)
class BoxPicture:
    """Variables and boxes at one moment."""

    variables: tuple[BoxSlot, ...] = ()
    boxes: tuple[ObjectBox, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectBoxes(Result):
    """What variables refer to, in boxes; with `before`, what a cell changed of it.

    Its rows are the variables (without a box) and the slots of the boxes.
    """

    kind: ClassVar[str] = "object_boxes"
    columns: ClassVar[tuple[str, ...]] = ("when", "box", "type", "label", "text", "target")

    session: Session
    method: Method
    after: BoxPicture
    before: BoxPicture | None = None

    def rows(self) -> Iterable[tuple[Any, ...]]:
        for when, picture in (("before", self.before), ("after", self.after)):
            if picture is None:
                continue
            for slot in picture.variables:
                yield when, None, "", slot.label, slot.text, slot.target
            for box in picture.boxes:
                for slot in box.slots:
                    yield when, box.id, box.type, slot.label, slot.text, slot.target

    def boxes_view(self) -> BoxesView:
        """What is drawn of it."""
        from jupyter_profkit.views.object_boxes import boxes_view

        return boxes_view(self)

    def to_svg(self) -> str:
        """The picture as a standalone SVG document; before and after stand side by side."""
        from jupyter_profkit.render.boxes import render_svg

        return render_svg(self.boxes_view())

    def to_png(self) -> bytes:
        """The picture as PNG."""
        from jupyter_profkit.render.boxes import render_png

        return render_png(self.boxes_view())
