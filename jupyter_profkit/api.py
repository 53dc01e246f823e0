"""The same measurements without a notebook: context managers and decorators.

    with memprofile(f=[clean], precision=2) as p:
        clean(df)
    p.peak, p.to_dataframe()

    @profile(precision=4)
    def foo(): ...

Keywords are the magics' options, by name or by letter. A context manager stands
for its result once its block is over; nothing is printed by it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TextIO, TypeVar

from jupyter_profkit.cells.comparison import find_earlier
from jupyter_profkit.cells.files import write_files
from jupyter_profkit.cells.functions import TimeMeasurement
from jupyter_profkit.cells.leaks import LeakMeasurement
from jupyter_profkit.cells.line_memory import LineMemoryMeasurement
from jupyter_profkit.cells.live import LiveCurve
from jupyter_profkit.cells.measurement import Measurement
from jupyter_profkit.cells.repeat import repetitions
from jupyter_profkit.cells.session import Opened, OpenMeasurement, complain
from jupyter_profkit.cells.timeline import TimelineMeasurement
from jupyter_profkit.errors import EngineBusyError, OptionError, TargetError
from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.result import Measuring, Result
from jupyter_profkit.options import OptionSet, Values
from jupyter_profkit.options.common import for_scripts
from jupyter_profkit.options.cprofile import CPROFILE
from jupyter_profkit.options.display import display_options
from jupyter_profkit.options.memprofile import DISPLAY, MEMPROFILE
from jupyter_profkit.options.mprof import MPROF_PLOT
from jupyter_profkit.options.objects import OBJLEAKS
from jupyter_profkit.options.objrefs import OBJREFS, OBJREFS_BOXES, OBJREFS_GRAPH, refuse_with_teach
from jupyter_profkit.results import remember
from jupyter_profkit.source import cut_traceback, label_of, running_shell

if TYPE_CHECKING:
    from jupyter_profkit.views.report import Report

__all__ = ["Profiler", "cprofile", "memprofile", "mprof", "objleaks", "objrefs", "profile"]


P = ParamSpec("P")
T = TypeVar("T")


class Profiler(Measuring):
    """A measurement of a ``with`` block, or of each call of a function it decorates.

    Parameters
    ----------
    **options
        The options of the magic of the same name, by name or letter.

    Raises
    ------
    OptionError
        If an option is unknown or its value wrong.
    EngineBusyError
        On entering, if another tool holds what the engine needs.
    """

    options: ClassVar[OptionSet]
    kind: ClassVar[str]
    """The kind of its results."""

    def __init_subclass__(cls) -> None:
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nParameters\n----------\n{cls.options.parameters()}\n"

    def __init__(self, **options: Any) -> None:
        self.values = self.options.from_keywords(options)
        self._before = find_earlier(self.values.get("compare"), {}, self.kind)
        self._result: Result | None = None
        self._run: OpenMeasurement | None = None

    def _measurement(self, frame: FrameType) -> Measurement:
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self.values.get("repeat", 1) > 1:
            name = type(self).__name__
            raise OptionError(
                f"a with block runs once; {name}(repeat={self.values.repeat}) decorates a function, "
                "or takes it: .run(function, …)"
            )
        return self._enter(sys._getframe(1))

    def _enter(self, frame: FrameType) -> Self:
        filename = frame.f_code.co_filename
        opened = Opened(self._measurement(frame), remember, repeat=self.values.get("repeat", 1))
        self._run = OpenMeasurement(opened, f"{label_of(filename)}, line {frame.f_lineno}", filename)
        self._run.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit(error)

    def _exit(self, error: BaseException | None) -> None:
        run, self._run = self._run, None  # it has the frame, whose variables would live as long as the result
        if run is not None:
            run.stop()
            cut_traceback(error)
            self._result = run.finish(error)
            remember(self._result)
            if self.values.dump or self.values.get("text_file"):
                write_files(self._result, self._shown(), self.values)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """`function`, each call measured; `result` is that of the latest call."""

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.run(function, *args, **kwargs)

        return measured

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` measured, as often as ``repeat`` says; returns what the last call returns."""
        self._enter(sys._getframe(1))
        error: BaseException | None = None
        try:
            with contextlib.closing(repetitions(self.values.get("repeat", 1), self._lap)) as earlier:
                for _ in earlier:
                    function(*args, **kwargs)
            return function(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._exit(error)

    def _lap(self) -> None:
        if self._run is not None:
            self._run.lap()

    @property
    def result(self) -> Any:
        """What was measured.

        Raises
        ------
        TargetError
            While the block has not ended.
        """
        if self._result is None:
            raise TargetError("nothing is measured yet: the result is there when the with block has ended")
        return self._result

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copies and pickles ask before there is anything
            raise AttributeError(name)
        return getattr(self.result, name)

    def __str__(self) -> str:
        """The report as text; before there is one, what this is."""
        return str(self._shown()) if self._result is not None else repr(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return self._shown()._repr_mimebundle_(include, exclude)

    def _shown(self) -> Report:
        """The report, as the options say, and beside the earlier run that they name."""
        from jupyter_profkit.views.beside import report_beside

        names = [option.name for option in display_options(self.kind)]
        return report_beside(self.result, self._before, **self.values.only(names))


class memprofile(Profiler):  # noqa: N801 - named as its magic
    """Memory by line of a ``with`` block."""

    options = for_scripts(MEMPROFILE)
    kind = "line_memory"

    def _measurement(self, frame: FrameType) -> Measurement:
        return LineMemoryMeasurement(
            self.values, frame.f_code.co_filename, namespace={**frame.f_globals, **frame.f_locals}, frame=frame
        )


class cprofile(Profiler):  # noqa: N801 - named as its magic
    """Time by function of a ``with`` block."""

    options = for_scripts(CPROFILE)
    kind = "functions"

    def _measurement(self, frame: FrameType) -> Measurement:
        return TimeMeasurement(self.values, frame=frame)


class mprof(Profiler):  # noqa: N801 - named as its magic
    """Memory over time of a ``with`` block.

    With ``live=True``, in a notebook, the curve grows meanwhile, and the report takes its place.
    """

    options = for_scripts(MPROF_PLOT)
    kind = "timeline"
    _live: LiveCurve | None = None

    def _measurement(self, frame: FrameType) -> Measurement:
        title = label_of(frame.f_code.co_filename)
        self._live = LiveCurve.here(title) if self.values.live else None
        return TimelineMeasurement(self.values, title, self._live)

    def _exit(self, error: BaseException | None) -> None:
        super()._exit(error)
        live, self._live = self._live, None
        if live is not None and self._result is not None:
            live.replace_by(self._result)


class objleaks(Profiler):  # noqa: N801 - named as its magic
    """What a ``with`` block leaves behind."""

    options = for_scripts(OBJLEAKS)
    kind = "leaks"

    def _measurement(self, frame: FrameType) -> Measurement:
        return LeakMeasurement(shortnames=self.values.shortnames, quiet=self.values.quiet)


def objrefs(*objects: object, **options: Any) -> Any:
    """The graph of what `objects` refer to, with ``back=True`` of what refers to them, or with ``teach=True`` boxes.

    Parameters
    ----------
    *objects : the objects themselves; a list is one object.
    **options : ``max_depth``, ``too_many``, ``filter``, ``highlight``, … as ``%objrefs?`` has them.

    Raises
    ------
    OptionError
        For a keyword that is no option, or a wrong value.
    """
    from jupyter_profkit.cells.references import draw_references

    values = for_scripts(OBJREFS).from_keywords(options)
    if values.diff:
        raise OptionError("diff is for a cell: %%objrefs --teach --diff")
    result = (
        _boxes(objects, values)
        if values.teach
        else draw_references(objects, extra_ignore=values.extra_ignore, **values.only(OBJREFS_GRAPH))
    )
    remember(result)
    if values.dump or values.text_file:
        write_files(result, result.report(), values)
    return result


def _boxes(objects: Sequence[object], values: Values) -> Result:
    from jupyter_profkit.cells.object_boxes import draw_boxes, names_of
    from jupyter_profkit.engines.reference_holders import Holders

    refuse_with_teach(values)
    names = names_of(objects, Holders(running_shell()).namespace)
    return draw_boxes(names, **values.only(OBJREFS_BOXES))


_active = threading.local()


def profile(function: Callable[..., Any] | None = None, *, stream: TextIO | None = None, **options: Any) -> Any:
    """Decorate a function: its memory by line is printed when it returns, as memory_profiler does.

    Functions of yours that it calls are in the same report. Works on functions,
    methods, generators and coroutine functions; inside another profiled call it
    adds nothing, since that call's report has its lines.

    Parameters
    ----------
    function : what is decorated; left out when options are given.
    stream : where to print; standard output, or the notebook, by default.
    **options : the options of ``%%memprofile``: ``precision=4``, ``limit``, …
    """
    values = memprofile.options.from_keywords(options)
    if values.repeat > 1:
        raise OptionError("@profile measures each call; memprofile(repeat=…) repeats a function")
    values = Values({**values, "compare": find_earlier(values.compare, {}, LineMemoryProfile.kind)})
    if function is None:
        return functools.partial(_profiled, values=values, stream=stream)
    return _profiled(function, values, stream)


def _profiled(function: Callable[..., Any], values: Values, stream: TextIO | None) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _measured_call(function, values, stream):
            return function(*args, **kwargs)

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with _measured_call(function, values, stream):
            return (yield from function(*args, **kwargs))

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with _measured_call(function, values, stream):
            return await function(*args, **kwargs)

    if inspect.iscoroutinefunction(function):
        return run
    return generate if inspect.isgeneratorfunction(function) else call


@contextlib.contextmanager
def _measured_call(function: Callable[..., Any], values: Values, stream: TextIO | None) -> Iterator[None]:
    if getattr(_active, "is_measuring", False):
        yield
        return
    with_function = Values({**values, "functions": (*values.functions, function)})
    opened = Opened(LineMemoryMeasurement(with_function, None), lambda result: _show(result, values, stream))
    run = OpenMeasurement(opened, f"{function.__qualname__}()", "")
    try:
        run.start()
    except EngineBusyError as busy:  # the call matters more than its report
        complain(f"{function.__qualname__}() runs without @profile: {busy}")
        yield
        return
    _active.is_measuring = True
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        cut_traceback(raised)
        error = raised
        raise
    finally:
        _active.is_measuring = False
        run.stop()
        opened.present(run.finish(error))


def _show(result: Result, values: Values, stream: TextIO | None) -> None:
    from jupyter_profkit.render.text import print_report
    from jupyter_profkit.views.beside import report_beside

    remember(result)
    report = report_beside(result, values.compare, **values.only(DISPLAY))
    write_files(result, report, values)
    if stream is None and _in_a_kernel():
        from IPython.display import display

        display(report)
    else:
        print_report(report, stream)
    if values.explore and stream is None:
        from jupyter_profkit.widgets import show_controls

        show_controls(result, values.compare, **values.only(DISPLAY))


def _in_a_kernel() -> bool:
    return getattr(running_shell(), "kernel", None) is not None
