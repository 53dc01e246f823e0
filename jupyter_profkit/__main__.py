"""``python -m jupyter_profkit``."""

from __future__ import annotations

import sys

from jupyter_profkit.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
