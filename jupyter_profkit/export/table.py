"""Results as CSV: the rows of `to_dataframe`, without pandas."""

from __future__ import annotations

import csv
from pathlib import Path

from jupyter_profkit.model.result import Result

__all__ = ["write_csv"]


def write_csv(result: Result, path: Path) -> None:
    """Write the rows of `result`, bytes and seconds, under a line of column names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(result.columns)
        writer.writerows(result.rows())
