"""Results as CSV, without pandas, and the rows that tables are made of."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_profkit.model.result import Result

__all__ = ["encodable_rows", "write_csv"]


def write_csv(result: Result, path: Path) -> None:
    """Write the rows of `result`, bytes and seconds, under a line of column names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(result.columns)
        writer.writerows(encodable_rows(result))


def encodable_rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """The rows of `result`; lone surrogates, which no file and no Arrow text holds, as their escapes."""
    for row in result.rows():
        yield tuple(_encodable(cell) if isinstance(cell, str) else cell for cell in row)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
