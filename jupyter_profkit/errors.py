"""What can go wrong, each with a message that tells the next step.

    ProfkitError
    ├── OptionError                an option's name or value; a magic shows it as UsageError
    ├── TargetError                nothing there to measure: a name, a script, a pid
    ├── EngineBusyError            another tool holds what the engine needs
    ├── MissingDependencyError     an optional package is not installed here
    ├── RecordingError             a file that is not, or not wholly, a recording
    └── DrawingError               a picture that no layout engine could draw

    MemoryError
    └── MemoryLimitError           the user's code made the process pass the limit that was set for it

Anything else that is raised is a fault of this package, or the user's own error.
"""

from __future__ import annotations

__all__ = [
    "DrawingError",
    "EngineBusyError",
    "MemoryLimitError",
    "MissingDependencyError",
    "OptionError",
    "ProfkitError",
    "RecordingError",
    "TargetError",
]


class ProfkitError(Exception):
    """Base of every error this package raises on purpose; its text is one line."""


class OptionError(ProfkitError, ValueError):
    """An option that does not exist, or a value it cannot take."""


class TargetError(ProfkitError, LookupError):
    """What should be measured, drawn or read does not exist."""


class EngineBusyError(ProfkitError, RuntimeError):
    """Another tracer, profiler or debugger holds what an engine needs."""


class MissingDependencyError(ProfkitError, ImportError):
    """An optional package is needed for what was asked."""


class RecordingError(ProfkitError, ValueError):
    """A file is not a recording, is damaged, or holds another kind of run."""


class DrawingError(ProfkitError, RuntimeError):
    """No layout engine could draw the graph."""


class MemoryLimitError(MemoryError):
    """The process holds more than the limit that was set for it; raised in the code that runs."""

    def __init__(self, message: str = "the process holds more than the limit that was set for it") -> None:
        super().__init__(message)
