"""The measurement behind ``%%cprofile``: time by function and by statement."""

from __future__ import annotations

import dataclasses

from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.stacks import StackSampler
from jupyter_profkit.model.functions import StatementProfile, TimeProfile
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.options import Values
from jupyter_profkit.options.cprofile import limits, sort_keys

__all__ = ["TimeMeasurement"]


class TimeMeasurement:
    """One run of the function engine, and of the stack sampler beside it.

    Parameters
    ----------
    values : the options of ``%%cprofile``.
    filename : the file name of the measured cell or statement; None for a block that
        is part of a function or script.

    Raises
    ------
    OptionError
        If a sort key or a limit is wrong: before anything runs, not when the report is drawn.
    """

    def __init__(self, values: Values, *, filename: str | None = None) -> None:
        sort_keys(values.sort)
        limits(values.limit)
        self._engine = FunctionEngine(filename, builtins=not values.no_builtins)
        self._sampler = None if values.no_flame else StackSampler(filename, values.interval)

    def start(self) -> None:
        if self._sampler is not None:
            self._sampler.start()
        try:
            self._engine.start()
        except BaseException:
            self._stop_sampling()
            raise

    def stop(self) -> None:
        self._engine.stop()
        self._stop_sampling()

    def _stop_sampling(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()

    def result(self, session: Session) -> TimeProfile:
        engine, sampler = self._engine, self._sampler
        overhead = engine.overhead()
        if sampler is not None and overhead is not None:
            overhead += sampler.cost
        method = Method(engine.description, engine.hears_one_thread, engine.n_events, overhead, tuple(engine.notes()))
        measured = dataclasses.replace(session, duration=engine.duration)
        meanwhile = sampler.meanwhile() if sampler is not None else {}
        statements = StatementProfile(engine.statements(meanwhile), engine.duration)
        stacks = sampler.tree() if sampler is not None else None
        return TimeProfile(measured, method, engine.functions(), statements, stacks, engine.coroutines())
