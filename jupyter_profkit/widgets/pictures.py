"""Pictures that can be clicked, as widgets: a flame graph, and a graph whose nodes can be chosen.

    FlameWidget(svg=render_svg(view), label=view.alt)
    GraphWidget(svg=…, label=…).on_choose(lambda node: …)

The scripts are those of ``render/js``; nothing comes from a network. A picture is
drawn here, in Python, and sent as SVG; what the scripts add is zoom, search, keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from jupyter_profkit.render.scripts import widget_module

__all__ = ["FlameWidget", "GraphWidget", "MannersWidget"]


class MannersWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Nothing to see: folds the report above while the controls live, and names their sliders."""

    _esm = widget_module("manners")


class FlameWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A flame graph: click to zoom, search, keys."""

    _esm = widget_module("flame")
    svg = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)


class GraphWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A graph; a node that is chosen is told to `on_choose`."""

    _esm = widget_module("graph")
    svg = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode("Click a node").tag(sync=True)
    """Beside the picture: what was found, or could not be."""
    focus = traitlets.Int(-1).tag(sync=True)
    """The node that has the keyboard after the picture was drawn again."""

    def on_choose(self, act: Callable[[int], None]) -> None:
        """Call `act` with the number of each node that is chosen."""

        def receive(_widget: Any, content: Any, _buffers: Any) -> None:
            node = content.get("choose") if isinstance(content, dict) else None
            if isinstance(node, int):
                act(node)

        self.on_msg(receive)
