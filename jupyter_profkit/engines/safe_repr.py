"""What an object is, in a few words, without running a line of anybody's code.

    describe([1, 2, 3])         '3 items'
    describe("a" * 10**9)       "'aaaaaaaaaaaaaaaaaaaaaaaaaaaa…' 1,000,000,000 characters"
    type_name(type(df))         'DataFrame'

* Only `type(obj)` is asked, never ``obj.__class__``, which may be a property.
* Exact built-in types are written here, from a bounded piece of the value. Any
  other object is known by its type alone; `user_repr` calls its ``__repr__``, if
  the user asked for that, under a time limit.
* What comes out is printable: no control characters, no lone surrogates.
* Tables are keyed by ``id(type)``: hashing a class may call its metaclass.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import signal
import sys
import threading
import types
import unicodedata
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = [
    "WIDEST",
    "describe",
    "exact_name",
    "module_dict",
    "mro_dicts",
    "printable",
    "size_of",
    "type_name",
    "user_repr",
]

WIDEST: Final = 44
"""Characters of a description."""

REPR_LIMIT: Final = 0.05
"""Seconds that a ``__repr__`` of the user's may take."""

_type_name = type.__dict__["__name__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_type_module = type.__dict__["__module__"].__get__
_type_mro = type.__dict__["__mro__"].__get__
_type_dict = type.__dict__["__dict__"].__get__
_module_dict = vars(types.ModuleType)["__dict__"].__get__


def printable(text: str, width: int = WIDEST) -> str:
    """`text` on one line of at most `width` characters, what cannot be shown written as an escape."""
    clipped = text if len(text) <= width else text[: width - 1] + "…"
    if clipped.isprintable():
        return clipped
    visible = "".join(map(_visible, clipped))
    return visible if len(visible) <= width else visible[: width - 1] + "…"


def _visible(character: str) -> str:
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def exact_name(name: object) -> str:
    """A name that should be a string, whatever its class made of it."""
    return str.__str__(name) if issubclass(type(name), str) else ""


def type_name(cls: type, *, short: bool = True) -> str:
    """The name of a class, with its module unless `short`; a metaclass is not asked."""
    if short:
        return printable(exact_name(_type_name(cls)))
    try:
        module = exact_name(_type_module(cls))
    except AttributeError:
        module = ""
    name = exact_name(_type_qualname(cls))
    return printable(name if module in {"", "builtins"} else f"{module}.{name}", 2 * WIDEST)


def mro_dicts(cls: type) -> Iterator[types.MappingProxyType[str, Any]]:
    """The namespaces of a class and its bases, in the order attributes are looked up."""
    for base in _type_mro(cls):
        yield _type_dict(base)


def module_dict(module: types.ModuleType) -> dict[str, Any]:
    """The namespace of a module, past any property of its class."""
    found: dict[str, Any] = _module_dict(module)
    return found


def describe(obj: object) -> str:
    """What `obj` is beside its type: its value, its number of items, its name; may be empty."""
    kind = type(obj)
    write = _WRITERS.get(id(kind))
    if write is None:
        write = _writer_of_subclass(kind)
    return printable(write(obj))


def size_of(obj: object) -> int:
    """Bytes of the object alone; a ``__sizeof__`` written in Python is not called."""
    for namespace in mro_dicts(type(obj)):
        method = namespace.get("__sizeof__")
        if method is not None:
            built_in = type(method) in {types.MethodDescriptorType, types.WrapperDescriptorType}
            return sys.getsizeof(obj) if built_in else object.__sizeof__(obj)
    return object.__sizeof__(obj)  # pragma: no cover - object itself has one


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"


def _string(obj: str) -> str:
    return _clipped(repr(obj[:WIDEST]), len(obj), "characters")


def _bytes(obj: bytes | bytearray) -> str:
    return _clipped(repr(bytes(obj[:WIDEST])), len(obj), "bytes")


def _clipped(text: str, length: int, unit: str) -> str:
    if length <= WIDEST and len(text) <= WIDEST:
        return text
    tail = f"…{text[0] if text[0] != 'b' else text[1]} {length:,} {unit}"
    return text[: max(8, WIDEST - len(tail))] + tail


def _integer(obj: int) -> str:
    # str() of a huge int takes quadratic time, and may be refused
    return repr(obj) if obj.bit_length() <= 128 else f"{obj.bit_length():,} bits"


def _function(obj: Any) -> str:
    return f"{exact_name(obj.__qualname__)}()"


def _method(obj: types.MethodType) -> str:
    function = obj.__func__
    return _function(function) if type(function) is types.FunctionType else ""


def _partial(obj: functools.partial[Any]) -> str:
    return f"of {describe(obj.func)}"


def _module(obj: types.ModuleType) -> str:
    return exact_name(module_dict(obj).get("__name__"))


def _class(obj: type) -> str:
    return exact_name(_type_qualname(obj))


def _code(obj: types.CodeType) -> str:
    return f"{obj.co_qualname}, line {obj.co_firstlineno}"


def _frame(obj: types.FrameType) -> str:
    return f"{obj.f_code.co_qualname}(), line {obj.f_lineno}"


def _traceback(obj: types.TracebackType) -> str:
    return f"line {obj.tb_lineno}"


def _weakref(obj: weakref.ref[Any]) -> str:
    target = obj()
    return "dead" if target is None else f"to a {type_name(type(target))}"


def _exception(obj: BaseException) -> str:
    arguments = BaseException.__dict__["args"].__get__(obj)
    return describe(arguments[0]) if arguments and type(arguments[0]) is str else ""


def _array(obj: Any) -> str:
    shape = " × ".join(f"{length:,}" for length in obj.shape)
    return f"{shape or 'scalar'} {obj.dtype.name}"


def _table(obj: Any) -> str:
    """The rows and columns of a pandas table, which its manager knows."""
    try:
        axes = object.__getattribute__(obj, "_mgr").axes
        return " × ".join(f"{len(axis):,}" for axis in reversed(axes)) + (" rows" if len(axes) == 1 else "")
    except (AttributeError, TypeError):  # one that was never made whole
        return ""


def _index(obj: Any) -> str:
    try:
        return "1 label" if len(obj) == 1 else f"{len(obj):,} labels"
    except (AttributeError, TypeError, LookupError):  # one that was never made whole
        return ""


def _pandas_array(obj: Any) -> str:
    """The length and type of what a column consists of."""
    try:
        return f"{len(obj):,} {obj.dtype.name}"
    except (AttributeError, TypeError):  # one that was never made whole
        return ""


def _arrow_table(obj: Any) -> str:
    return f"{obj.num_rows:,} × {obj.num_columns:,}"


def _arrow_array(obj: Any) -> str:
    return f"{len(obj):,} {obj.type}"


def _tensor(obj: Any) -> str:
    """As that of an array; of a ``torch.Tensor`` only ``shape`` and ``dtype`` are read, which copy nothing."""
    shape = " × ".join(f"{length:,}" for length in obj.shape)
    return f"{shape or 'scalar'} {str(obj.dtype).removeprefix('torch.')}"


def _nothing(_: object) -> str:
    return ""


_WRITERS: Final[dict[int, Callable[[Any], str]]] = {
    id(cls): write
    for classes, write in (
        ((str,), _string),
        ((bytes, bytearray), _bytes),
        ((int,), _integer),
        ((float, complex, bool, type(None), type(...), type(NotImplemented)), repr),
        ((types.FunctionType,), _function),
        ((types.BuiltinFunctionType,), lambda obj: f"{obj.__name__}()"),  # its __qualname__ asks a metaclass
        ((types.MethodType,), _method),
        ((functools.partial,), _partial),
        ((types.CodeType,), _code),
        ((types.FrameType,), _frame),
        ((types.TracebackType,), _traceback),
        ((weakref.ref,), _weakref),
        ((types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType), _function),
        ((types.CellType,), lambda _: "closure variable"),
    )
    for cls in classes
}

_SIZED = (dict, list, tuple, set, frozenset, collections.deque)


def _writer_of_subclass(kind: type) -> Callable[[Any], str]:
    for base in _SIZED:
        if issubclass(kind, base):
            return lambda obj: _items(base.__len__(obj))
    if issubclass(kind, type):
        return _class
    if issubclass(kind, types.ModuleType):
        return _module
    if issubclass(kind, BaseException):
        return _exception
    return _array if is_array(kind) else _writer_of_library(kind)


def is_array(kind: type) -> bool:
    """Whether `kind` is NumPy's own array type, if NumPy is loaded at all."""
    return kind is getattr(sys.modules.get("numpy"), "ndarray", None)


_LIBRARIES: Final[tuple[tuple[str, str, Callable[[Any], str]], ...]] = (
    ("pandas", "DataFrame", _table),
    ("pandas", "Series", _table),
    ("pandas", "Index", _index),
    ("pandas.api.extensions", "ExtensionArray", _pandas_array),
    ("pyarrow", "Table", _arrow_table),
    ("pyarrow", "RecordBatch", _arrow_table),
    ("pyarrow", "ChunkedArray", _arrow_array),
    ("pyarrow", "Array", _arrow_array),
    ("torch", "Tensor", _tensor),
)
"""Module, the base of a family of types, and what writes them."""


def _writer_of_library(kind: type) -> Callable[[Any], str]:
    """What writes one of a library's own types, if that is loaded at all; a subclass of the user's is not asked."""
    for module, name, write in _LIBRARIES:
        base: Any = getattr(sys.modules.get(module), name, None)
        if issubclass(type(base), type) and issubclass(kind, base):
            return write if _is_own(kind, module.partition(".")[0]) else _nothing
    return _nothing


def _is_own(kind: type, library: str) -> bool:
    """Whether `kind` is what `library` exports under its name."""
    name = exact_name(_type_name(kind))
    places = (library, f"{library}.arrays", f"{library}.nn.parameter")
    return any(getattr(sys.modules.get(place), name, None) is kind for place in places)


class _TooSlow(BaseException):
    """Ends a ``__repr__`` that catches Exception."""


def user_repr(obj: object, seconds: float = REPR_LIMIT) -> str | None:
    """The object's own ``repr``, cut; None where it fails, is slow, or cannot be called safely.

    It is called on the main thread of a system that has interval timers, since
    nothing else can end it; and not while somebody else uses the timer.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not usable or signal.getitimer(signal.ITIMER_REAL)[0]:
        return None
    interrupted = False
    before = signal.getsignal(signal.SIGINT)

    def note_interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise _TooSlow

    text = None
    with contextlib.suppress(_TooSlow), _alarm(seconds):
        signal.signal(signal.SIGINT, note_interrupt)
        try:
            text = printable(str.__str__(repr(obj)))
        except _TooSlow:
            raise
        except BaseException:  # noqa: S110 - user code may raise anything here, SystemExit and KeyboardInterrupt too
            pass
        finally:
            signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
    if interrupted:  # the user's own, not one that the object raised
        raise KeyboardInterrupt
    return text


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)  # again and again: it may be swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)
