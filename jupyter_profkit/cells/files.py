"""The files that a run's options ask for.

for path in write_files(result, report, values):
    print(f"wrote {path}")
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jupyter_profkit.cells.session import complain
from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import Values
from jupyter_profkit.views.report import Report

__all__ = ["complaints", "write_files"]


def write_files(result: Result, report: Report, values: Values) -> list[Path]:
    """Write `result` where ``dump`` says and `report` where ``text_file`` does; returns what was written."""
    from jupyter_profkit.export import save_shown

    written = []
    for path in values.get("dump", ()):
        with complaints():
            written.append(save_shown(result, report, path))
    if values.get("text_file"):
        with complaints():
            path = Path(values.text_file).expanduser()
            path.write_text(f"{report}\n", encoding="utf-8")
            written.append(path)
    return written


@contextlib.contextmanager
def complaints() -> Iterator[None]:
    """A file that cannot be written costs that file, and nothing else."""
    try:
        yield
    except ProfkitError as error:
        complain(str(error))
    except OSError as error:
        complain(f"{error.filename or 'output'}: {error.strerror or error}")
