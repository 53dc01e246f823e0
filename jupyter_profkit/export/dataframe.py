"""Results as pandas tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_profkit.errors import MissingDependencyError
from jupyter_profkit.export.table import encodable_rows
from jupyter_profkit.model.result import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_dataframe"]


def to_dataframe(result: Result) -> pd.DataFrame:
    """The rows of `result` as a table.

    Raises
    ------
    MissingDependencyError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingDependencyError("to_dataframe() needs pandas; run: pip install pandas") from None
    return pd.DataFrame(list(encodable_rows(result)), columns=list(result.columns))
