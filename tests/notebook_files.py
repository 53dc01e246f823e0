"""Notebooks, made, read and written.

    write(notebook_of(["1 + 1"]), path)
    read(path).cells

nbformat is imported when it is needed: 100,000 objects come with it, which every test of the heap would walk.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def write(notebook: Any, path: Path) -> None:
    import nbformat

    nbformat.write(notebook, path)


def notebook_of(codes: Iterable[str]) -> Any:
    """A notebook of code cells for this Python's kernel."""
    from nbformat import v4

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=[v4.new_code_cell(code) for code in codes], metadata={"kernelspec": kernel})
