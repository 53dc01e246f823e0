"""What a shell command does with a result: it is written where the options say, and printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jupyter_profkit.errors import ProfkitError
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import Values

__all__ = ["deliver"]


def deliver(
    result: Result,
    values: Values,
    display: Sequence[str],
    *,
    before: Result | None = None,
) -> None:
    """Write and print `result`.

    Parameters
    ----------
    result : what was measured.
    values : the options.
    display : names of the options that only change what is shown.
    before : an earlier result that the report compares it with.

    Raises
    ------
    ProfkitError, OSError
        If a file cannot be written; after the other files and the report.
    """
    from jupyter_profkit.export import save_shown
    from jupyter_profkit.render.text import print_report
    from jupyter_profkit.views.beside import report_beside

    report = report_beside(result, before, **values.only(display))
    failures: list[ProfkitError | OSError] = []
    for path in values.get("dump", ()):
        try:
            print(f"wrote {save_shown(result, report, path)}")
        except (ProfkitError, OSError) as error:
            failures.append(error)
    if not values.get("quiet"):
        print_report(report)
        if values.get("explore"):
            from jupyter_profkit.widgets import show_controls

            show_controls(result)
    if values.get("text_file"):
        Path(values.text_file).expanduser().write_text(f"{report}\n", encoding="utf-8")
    if failures:
        raise failures[0]
