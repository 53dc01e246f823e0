"""What the instances of built-in types hold, and by what name; nothing of the user's runs.

    read = READERS.get(id(type(obj)))
    for reference in read(obj):
        reference.label, reference.target

* Containers are read through their built-in type (``dict.items(obj)``), so that a
  subclass's own methods do not run.
* Hops that a reader does not care for are folded: the cell of a closure, the
  arguments of a ``partial``, the entries of a cache.
* Iterators written in C tell the collector what they hold in an order that is known;
  `parts` gives each its role.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import functools
import itertools
import operator
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jupyter_profkit.engines.instance_dicts import is_own_dict
from jupyter_profkit.engines.library_readers import library_reader
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import describe, exact_name, module_dict, type_name

__all__ = [
    "READERS",
    "Reference",
    "annotations_of",
    "attribute",
    "bare",
    "content",
    "getters",
    "local",
    "place",
    "variables",
]


class Reference(NamedTuple):
    """One reference; its label is written only when somebody asks for it."""

    write: Callable[[Any], str]
    key: Any
    target: Any

    @property
    def label(self) -> str:
        return self.write(self.key)


Reader = Callable[[Any], Iterator[Reference]]


# Labels


def bare(key: str) -> str:
    return key


def attribute(name: object) -> str:
    return f".{exact_name(name)}"


def local(name: str) -> str:
    return f"local {name}"


def place(number: int) -> str:
    """For what has no name: where it stands in what the collector tells."""
    return f"#{number}"


def _index(number: int) -> str:
    return f"[{number}]"


def _item(key: object) -> str:
    return f"[{describe(key) or type_name(type(key))}]"


def _closure(name: str) -> str:
    return f"closure {name}"


def _annotation(name: str) -> str:
    return f"annotation {name}"


def _default(name: str) -> str:
    return f"default {name}"


# Containers


_ATOMS: Final = frozenset(map(id, (str, int, float, complex, bool, bytes, type(None))))


def of_dict(obj: dict[Any, Any], write: Callable[[Any], str] = _item) -> Iterator[Reference]:
    for key, value in dict.items(obj):
        yield Reference(write, key, value)
        if id(type(key)) not in _ATOMS:
            yield Reference(bare, "key", key)


def _items(kind: Any) -> Reader:
    """A reader of what stands at places."""
    iterate: Callable[[Any], Iterator[Any]] = kind.__iter__

    def read(obj: Any) -> Iterator[Reference]:
        return (Reference(_index, number, value) for number, value in enumerate(iterate(obj)))

    return read


def _members(kind: Any) -> Reader:
    """A reader of what has no place."""
    iterate: Callable[[Any], Iterator[Any]] = kind.__iter__

    def read(obj: Any) -> Iterator[Reference]:
        return (Reference(bare, "", value) for value in iterate(obj))

    return read


def _of_tuple(obj: tuple[Any, ...]) -> Iterator[Reference]:
    fields = _field_names(type(obj))
    for number, value in enumerate(tuple.__iter__(obj)):
        yield Reference(attribute, fields[number], value) if number < len(fields) else Reference(_index, number, value)


def _field_names(kind: type) -> tuple[str, ...]:
    """The names of a named tuple's items."""
    if kind is tuple:
        return ()
    namespaces = (type.__dict__["__dict__"].__get__(base) for base in type.__dict__["__mro__"].__get__(kind))
    names = next((namespace["_fields"] for namespace in namespaces if "_fields" in namespace), ())
    return names if type(names) is tuple and all(type(name) is str for name in names) else ()


_CONTAINERS: Final[tuple[tuple[type, Reader], ...]] = (
    (dict, of_dict),
    (list, _items(list)),
    (tuple, _of_tuple),
    (collections.deque, _items(collections.deque)),
    (set, _members(set)),
    (frozenset, _members(frozenset)),
)


# Functions and what wraps them


def _of_function(obj: Any) -> Iterator[Reference]:
    for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=False):
        yield from (Reference(_closure, name, value) for value in referents(cell))
    defaults = obj.__defaults__ or ()
    positional = obj.__code__.co_varnames[: obj.__code__.co_argcount]
    for name, value in zip(positional[len(positional) - len(defaults) :], defaults, strict=False):
        yield Reference(_default, name, value)
    for name, value in (obj.__kwdefaults__ or {}).items():
        yield Reference(_default, name, value)
    declared = annotations_of(obj)
    if type(declared) is tuple:  # as the code has them, before anybody reads them
        declared = dict(zip(declared[::2], declared[1::2], strict=True))
    yield from of_dict(declared or {}, _annotation)
    for value in referents(obj):
        if value is not obj.__globals__ and is_own_dict(obj, value):
            yield from of_dict(value, attribute)


def annotations_of(function: Any) -> Any:
    """The dictionary or tuple in which a function keeps its annotations, None if there are none.

    To read ``__annotations__`` would make a dictionary of the tuple, for good.
    """
    known = (function.__globals__, function.__builtins__, function.__defaults__, function.__kwdefaults__)
    others = (function.__closure__, function.__code__, getattr(function, "__type_params__", None))
    for value in referents(function):
        if type(value) not in {dict, tuple} or any(value is one for one in (*known, *others)):
            continue
        if type(value) is tuple or not is_own_dict(function, value):
            return value
    return None


def _of_attributes(*names: str) -> Reader:
    """A reader of attributes that are there, by C descriptors that only look."""

    def read(obj: Any) -> Iterator[Reference]:
        namespace = type(obj).__dict__
        for name in names:
            value = namespace[name].__get__(obj)
            if value is not None:
                yield Reference(attribute, name, value)

    return read


def _of_builtin(obj: types.BuiltinFunctionType) -> Iterator[Reference]:
    if obj.__self__ is not None and type(obj.__self__) is not types.ModuleType:
        yield Reference(attribute, "__self__", obj.__self__)


def _of_partial(obj: functools.partial[Any]) -> Iterator[Reference]:
    yield Reference(attribute, "func", obj.func)
    for number, value in enumerate(obj.args):
        yield Reference(attribute, f"args[{number}]", value)
    yield from of_dict(obj.keywords, lambda key: f".keywords{_item(key)}")


_Cache = type(functools.lru_cache(len))


def _of_cache(obj: Any) -> Iterator[Reference]:
    """The function behind an ``lru_cache``, and the arguments and results that it keeps."""
    yield Reference(attribute, "__wrapped__", obj.__wrapped__)
    held = [one for one in referents(obj) if one is not _Cache]
    number = 0
    while number + 2 < len(held) and _is_link_type(held[number + 2]):  # C keeps the entries of a bounded one
        yield Reference(bare, "cached arguments", held[number])
        yield Reference(bare, "cached result", held[number + 1])
        number += 3
    for entries in held[number : number + 1]:
        if type(entries) is dict:  # an unbounded one keeps its results in a dictionary
            for key, value in dict.items(entries):
                if not _is_link_type(type(value)):
                    yield Reference(bare, "cached arguments", key)
                    yield Reference(bare, "cached result", value)


def _is_link_type(obj: object) -> bool:
    return issubclass(type(obj), type) and type_name(obj) == "_lru_list_elem"  # type: ignore[arg-type]


def _of_context(obj: contextvars.Context) -> Iterator[Reference]:
    for variable, value in contextvars.Context.items(obj):
        yield Reference(_context_variable, variable.name, value)


def _context_variable(name: str) -> str:
    return f"context variable {exact_name(name)}"


def _of_cell(obj: types.CellType) -> Iterator[Reference]:
    return (Reference(bare, "", value) for value in referents(obj))


def variables(code: types.CodeType) -> tuple[str, ...]:
    """The names of a code's variables, in the order of its frame."""
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return (*code.co_varnames, *cells, *code.co_freevars)


# Classes, modules, exceptions


_NOTHING_OWN: Final = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__firstlineno__"}
    | {"__static_attributes__", "__annotations__", "__builtins__", "__loader__", "__spec__", "__cached__"}
    | {"__name__", "__file__", "__package__", "__path__"}
)


def _of_namespace(namespace: Any) -> Iterator[Reference]:
    """The names of a class or module, without those that Python put there."""
    for name, value in list(namespace.items()):
        if exact_name(name) not in _NOTHING_OWN:
            yield Reference(attribute, name, value)


def _of_module(obj: types.ModuleType) -> Iterator[Reference]:
    return _of_namespace(module_dict(obj))


def _of_class(obj: type) -> Iterator[Reference]:
    yield from _of_namespace(type.__dict__["__dict__"].__get__(obj))
    for base in type.__dict__["__bases__"].__get__(obj):
        if base is not object:
            yield Reference(bare, "base", base)


def _of_exception(obj: BaseException) -> Iterator[Reference]:
    for name in ("args", "__traceback__", "__cause__", "__context__"):
        value = BaseException.__dict__[name].__get__(obj)
        if value is not None:
            yield Reference(attribute, name, value)


# Buffers, iterators and other types written in C


def _of_memoryview(obj: memoryview) -> Iterator[Reference]:
    try:
        yield Reference(attribute, "obj", obj.obj)
    except ValueError:  # it was released
        return


def _of_parts(*orders: tuple[str, ...]) -> Reader:
    """A reader of what the collector tells in a known order; `orders` differ in length."""
    names_of = {len(order): order for order in orders}

    def read(obj: Any) -> Iterator[Reference]:
        held = [one for one in referents(obj) if one is not type(obj)]
        names = names_of.get(len(held))
        for number, value in enumerate(held):
            if value is not None:
                yield Reference(bare, names[number], value) if names else Reference(place, number, value)

    return read


_SOURCE: Final = _of_parts(("source",))
_SOURCE_AND_FUNCTION: Final = _of_parts(("source", "function"))
_SOURCE_AND_RESULT: Final = _of_parts(("source",), ("source", "last result"))
_VIEWED: Final = _of_parts(("view of",))


def _kinds(*examples: object) -> tuple[type, ...]:
    return tuple(map(type, examples))


_PARTS: Final[tuple[tuple[tuple[type, ...], Reader], ...]] = (
    (_kinds(iter([]), iter(()), iter(set()), iter({}), iter({}.values()), reversed([]), reversed({})), _SOURCE),
    (_kinds(iter(collections.deque()), iter(""), iter(b""), iter(range(0)), reversed("")), _SOURCE),
    (_kinds(iter({}.items())), _SOURCE_AND_RESULT),
    (_kinds({}.keys(), {}.values(), {}.items()), _VIEWED),
    ((types.MappingProxyType,), _VIEWED),
    ((itertools.islice, itertools.repeat), _SOURCE),
    ((map, filter, itertools.filterfalse, itertools.starmap), _SOURCE_AND_FUNCTION),
    ((itertools.takewhile, itertools.dropwhile), _SOURCE_AND_FUNCTION),
    ((zip, enumerate, itertools.product, itertools.pairwise), _SOURCE_AND_RESULT),
    ((itertools.permutations, itertools.combinations), _SOURCE_AND_RESULT),
    ((itertools.combinations_with_replacement,), _SOURCE_AND_RESULT),
    ((itertools.chain,), _of_parts(("sources",), ("sources", "source"))),
    ((itertools.cycle,), _of_parts(("source", "items seen"))),
    ((itertools.count,), _of_parts(("next", "step"))),
    (_kinds(*itertools.tee(())), _of_parts(("buffer",))),
    ((itertools.compress,), _of_parts(("source", "selectors"))),
    ((itertools.zip_longest,), _of_parts(("sources", "last result", "fill value"))),
    (
        (itertools.groupby,),
        _of_parts(("source", "function"), ("source", "function", "last key", "current key", "current value")),
    ),
    (_kinds(iter(int, 1)), _of_parts(("function", "sentinel"))),
    ((operator.itemgetter,), _of_parts(("item",))),
    ((operator.attrgetter,), _of_parts(("names",))),
    (_kinds(functools.cmp_to_key(len)(0)), _of_parts(("function",), ("function", "object"))),  # type: ignore[arg-type]
)

_GETTERS: Final[dict[int, tuple[str, ...]]] = {
    id(asyncio.Future): ("_loop", "_exception", "_result"),
    id(asyncio.Task): ("_coro", "_fut_waiter", "_loop", "_exception"),
}
"""C attributes that can be looked at: all that these getters do is to give a field."""

_PANDAS_GETTERS: Final = {"Block": ("values", "_mgr_locs", "refs"), "BlockManager": ("blocks", "axes")}
"""The same of pandas' own classes in ``pandas._libs.internals``."""


def getters(obj: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes of a type written in C whose getters are known to do nothing else."""
    internals = sys.modules.get("pandas._libs.internals")
    bases: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind)
    for base in bases:
        known = _GETTERS.get(id(base), ())
        if internals is not None and base is getattr(internals, type_name(base), None):
            known = _PANDAS_GETTERS.get(type_name(base), ())
        for name in known:
            descriptor = base.__dict__.get(name)
            if type(descriptor) is types.GetSetDescriptorType:
                yield name, descriptor.__get__(obj)


def _of_nothing(_: object) -> Iterator[Reference]:
    return iter(())


_OF_TYPES: Final[tuple[tuple[type, Reader], ...]] = (
    *_CONTAINERS,
    (types.FunctionType, _of_function),
    (types.MethodType, _of_attributes("__self__", "__func__")),
    (types.BuiltinFunctionType, _of_builtin),
    (functools.partial, _of_partial),
    (_Cache, _of_cache),
    (property, _of_attributes("fget", "fset", "fdel")),
    (classmethod, _of_attributes("__func__")),
    (staticmethod, _of_attributes("__func__")),
    (types.CellType, _of_cell),
    (contextvars.Context, _of_context),
    (types.TracebackType, _of_attributes("tb_frame", "tb_next")),
    (types.CodeType, _of_nothing),
    (memoryview, _of_memoryview),
    *((kind, read) for kinds, read in _PARTS for kind in kinds),
)

READERS: Final[dict[int, Reader]] = {id(cls): read for cls, read in _OF_TYPES}
"""By the id of the type: hashing a class may call its metaclass."""

if sys.version_info >= (3, 12):
    READERS[id(itertools.batched)] = _SOURCE

_CONTENTS: Final[tuple[tuple[type, Reader], ...]] = (
    *_CONTAINERS,
    (type, _of_class),
    (types.ModuleType, _of_module),
    (BaseException, _of_exception),
)


def content(obj: Any, kind: type) -> Iterator[Reference]:
    """What `obj` holds as the container that its class is derived from, or as a library's array or table."""
    for base, read in _CONTENTS:
        if issubclass(kind, base):
            yield from read(obj)
            return
    read_library = library_reader(kind)
    if read_library is not None:
        yield from (Reference(bare, label, target) for label, target in read_library(obj))
