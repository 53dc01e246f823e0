"""The measurement behind ``%%cprofile``: time by function and by statement."""

from __future__ import annotations

import dataclasses
from types import FrameType

from jupyter_profkit.engines.blocks import WithBlock
from jupyter_profkit.engines.functions import FunctionEngine
from jupyter_profkit.engines.stacks import StackSampler
from jupyter_profkit.engines.timers import ThreadPacer
from jupyter_profkit.model.functions import FunctionRecord, StatementProfile, TimeProfile
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
    frame : the frame whose ``with`` block it is.

    Raises
    ------
    OptionError
        If a sort key or a limit is wrong: before anything runs, not when the report is drawn.
    """

    def __init__(self, values: Values, *, filename: str | None = None, frame: FrameType | None = None) -> None:
        sort_keys(values.sort)
        limits(values.limit)
        self._block = WithBlock.of(frame) if frame is not None else None
        self._engine = FunctionEngine(
            filename, builtins=not values.no_builtins, block=self._block, threads=values.threads
        )
        # Python 3.11: a thread that is profiled itself stands still while a signal waits for the main thread.
        pacer = ThreadPacer if values.threads and not self._engine.is_scoped else None
        self._sampler = (
            None
            if values.no_flame
            else StackSampler(filename, values.interval, pacer, self._block, self._engine.ended_calls())
        )

    def start(self) -> None:
        if self._sampler is not None:
            self._sampler.start()
        try:
            self._engine.start()
        except BaseException:
            self._stop_sampling()
            raise
        if self._sampler is not None:
            self._sampler.begin()

    def lap(self) -> None:
        """A repetition is over, and another begins."""
        self._engine.lap()

    def stop(self) -> None:
        self._engine.stop()
        self._stop_sampling()
        if self._block is not None:
            self._block.close()

    def _stop_sampling(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()

    def result(self, session: Session) -> TimeProfile:
        engine, sampler = self._engine, self._sampler
        overhead = engine.overhead()
        if sampler is not None and overhead is not None:
            overhead += sampler.cost
        method = Method(engine.description, engine.hears_one_thread, engine.n_events, overhead, tuple(engine.notes()))
        duration = sum(engine.runs) if engine.runs else engine.duration
        measured = dataclasses.replace(session, duration=duration)
        meanwhile = sampler.meanwhile() if sampler is not None else {}
        sampled = sampler.by_statement() if sampler is not None else {}
        statements = StatementProfile(engine.statements(meanwhile, sampled), duration)
        return TimeProfile(
            measured,
            method,
            engine.functions(),
            statements,
            sampler.tree() if sampler is not None else None,
            engine.coroutines(),
            tuple(_of_thread(measured, method, name, functions) for name, functions in engine.threads()),
            engine.runs,
        )


def _of_thread(session: Session, method: Method, name: str, functions: tuple[FunctionRecord, ...]) -> TimeProfile:
    """The profile of a thread; its own clock is the sum of what its functions took."""
    duration = sum(record.tottime for record in functions)
    return TimeProfile(
        Session(name, session.started, duration),
        Method(method.engine, method.exact, 2 * sum(record.ncalls for record in functions)),
        functions,
        StatementProfile((), duration),
    )
