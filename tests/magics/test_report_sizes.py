"""How large the reports of a heavy import are, each in a kernel of its own, and that what they leave out is summed up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_profkit.render.mimebundle import MAX_BYTES
from jupyter_profkit.units import MIB
from tests.kernels import ROOT, Kernel, Reply, running_kernel
from tests.notebook_files import read

pytestmark = pytest.mark.kernel

IMPORT = "import matplotlib.pyplot as plt"
SUMS = """
def sums(table, column):
    n = [each.title for each in table.columns].index(column)
    figures = [row.cells[n].text.split('/')[0] for row in table.rows]
    return [sum(float(figure) for figure in figures if figure), len(figures)]

def table(report, caption):
    return next(part for part in report.parts if getattr(part, 'caption', '').startswith(caption))
"""

Tell = Callable[[str, object], None]


def size(bundle: dict[str, Any]) -> int:
    return sum(len(form.encode()) for form in bundle.values())


def is_bounded(reply: Reply, what: str, record_property: Tell) -> None:
    assert reply.status == "ok", reply.traceback
    (bundle,) = (each for each in reply.displays if each.get("text/plain", "").startswith("%"))
    assert size(bundle) <= MAX_BYTES
    record_property("told", f"{what}: {size(bundle) / 1000:.0f} kB")


def answer(kernel: Kernel, expression: str) -> Any:
    kernel.run(SUMS)
    return json.loads(kernel.value(f"__import__('json').dumps({expression})")[1:-1])


def test_memory_by_line(record_property: Tell) -> None:
    with running_kernel() as kernel:
        is_bounded(kernel.run(f"%%memprofile --flame -v p\n{IMPORT}"), "%%memprofile --flame", record_property)
        rows = answer(kernel, "sums(table(p.report(precision=6), 'In ['), 'Self')")
        increment, residue = int(kernel.value("p.increment")), int(kernel.value("p.residue"))
        assert increment > MIB
        if "⋯" not in kernel.value("str(p.report())"):  # too little for a row
            assert abs(residue) <= MIB // 4
            increment -= residue
        assert rows[0] == pytest.approx(increment / MIB, abs=1e-6 * rows[1])


def test_time(record_property: Tell) -> None:
    with running_kernel() as kernel:
        is_bounded(kernel.run(f"%%cprofile -v p\n{IMPORT}"), "%%cprofile", record_property)
        for caption in ("Functions", "All functions by own time", "All functions by cumulative time"):
            (own, n_rows), (calls, _) = answer(
                kernel, f"[sums(table(p.report(), {caption!r}), column) for column in ('tottime', 'ncalls')]"
            )
            assert calls == float(kernel.value("p.ncalls")) > 10_000
            assert own == pytest.approx(float(kernel.value("p.tottime")), abs=1e-6 * n_rows)
            assert n_rows < 100 < int(kernel.value("len(p.functions)"))


def test_memory_over_time(record_property: Tell) -> None:
    with running_kernel() as kernel:
        is_bounded(kernel.run(f"%%mprof_plot\n{IMPORT}"), "%%mprof_plot", record_property)


@pytest.mark.parametrize("magic", ["objleaks", "objgrowth"])
def test_objects_that_it_made(magic: str, record_property: Tell) -> None:
    with running_kernel() as kernel:
        is_bounded(kernel.run(f"%%{magic}\n{IMPORT}"), f"%%{magic}", record_property)


def test_objects_that_are_there(record_property: Tell) -> None:
    with running_kernel() as kernel:
        kernel.run(IMPORT)
        for line in ("%objrefs plt", "%objrefs -b plt", "%objwhy plt", "%objtypes", "%memwhos"):
            is_bounded(kernel.run(line), line, record_property)


def test_the_quickstart(record_property: Tell) -> None:
    notebook = read(ROOT / "notebooks" / "01_quickstart.ipynb")
    bundles = [output["data"] for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    sizes = {bundle["text/plain"].split("\n")[0]: size(bundle) for bundle in bundles if "text/html" in bundle}
    assert len(sizes) > 3
    assert max(sizes.values()) <= MAX_BYTES
    for what, n_bytes in sizes.items():
        if what.startswith("%"):
            record_property("told", f"quickstart, {what}: {n_bytes / 1000:.0f} kB")
