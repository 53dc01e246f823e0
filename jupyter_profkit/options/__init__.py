"""Options of every magic, declared once.

`declare` holds what a declaration is and how it is read; each other module holds
the declarations of one family. Magics, the shell commands, the Python keywords,
``%config`` and the help are all made from them.
"""

from jupyter_profkit.options.declare import Kind, Option, OptionSet, Values

__all__ = ["Kind", "Option", "OptionSet", "Values"]
