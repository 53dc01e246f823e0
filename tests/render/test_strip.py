from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jupyter_profkit.model.session import Location
from jupyter_profkit.render.strip import render_svg
from jupyter_profkit.views.timeline import small_view
from tests.timelines import timeline

LINE = Location("/tmp/7.py", 3, "<module>", "In [7]")


def test_the_strip_is_small_and_well_formed():
    points = [(index / 100, 100 + (index * 7919 % 500)) for index in range(2000)]
    svg = render_svg(small_view(timeline(points, peak=(9.0, 812.4), peak_at=LINE)))
    root = ET.fromstring(svg)
    assert len(svg) < 8_000
    assert "<a " not in svg
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert labels == ["812.4 MiB at 9.00 s, In [7] line 3"]


@pytest.mark.parametrize("name", ["</text><script>", "\x00\x1b", "a & b", '"'])
def test_names_in_the_strip_are_inert(name):
    root = ET.fromstring(render_svg(small_view(timeline(peak_at=Location("f", 1, "", name)))))
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}
