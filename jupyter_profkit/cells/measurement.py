"""What a measurement is to those who run it: started, stopped, then asked for its result.

    measurement.start()
    try:
        run_something()
    finally:
        measurement.stop()
    result = measurement.result(session)

The prologue, the line magics, the context managers, the decorators and the
shell commands all do just this.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jupyter_profkit.model.result import Result
from jupyter_profkit.model.session import Session

__all__ = ["Measurement", "Repeatable"]


class Measurement(Protocol):
    """One measurement of one run."""

    def start(self) -> None:
        """Begin to measure; the last thing it does is to switch its engine on.

        Raises
        ------
        EngineBusyError
            If somebody else holds what the engine needs. Nothing is left behind.
        """

    def stop(self) -> None:
        """Stop measuring, first of all; safe to call twice, and on any thread."""

    def result(self, session: Session) -> Result:
        """What was measured; called once, after `stop`."""


@runtime_checkable
class Repeatable(Measurement, Protocol):
    """A measurement that tells the repetitions of ``--repeat`` apart; see `cells.repeat`."""

    def lap(self) -> None:
        """A repetition is over and another begins; the last one ends with `stop`."""
