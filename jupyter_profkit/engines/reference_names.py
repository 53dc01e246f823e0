"""By what name one object refers to another: attribute, key, index, closure variable.

    namer = ReferenceNamer(names=["name", "big"])
    for reference in namer.references(obj):
        reference.label, reference.target

* Containers are read through their built-in type (``dict.items(obj)``), so that a
  subclass's own methods do not run.
* Since Python 3.11 an instance keeps its attributes without a ``__dict__``, and
  the collector tells their values only. Reading ``__dict__`` would build one, for
  good. So names are guessed from the class, its code and the notebook's, and each
  guess is checked with ``object.__getattribute__``, which builds nothing. Names that
  would run a descriptor are not tried. ``__dict__`` is read only if a name is still
  missing; `n_touched` counts those objects.
* Hops that a reader does not care for are folded: an instance's dictionary, the
  cell of a closure, the arguments of a ``partial``.
* An object's class, a function's globals and the like are not followed.
"""

from __future__ import annotations

import collections
import functools
import itertools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import describe, exact_name, is_array, module_dict, mro_dicts, type_name

__all__ = ["Reference", "ReferenceNamer", "names_in_code", "own_dict_of"]


_ABSENT: Final = object()


class Reference(NamedTuple):
    """One reference; its label is written only when somebody asks for it."""

    write: Callable[[Any], str]
    key: Any
    target: Any

    @property
    def label(self) -> str:
        return self.write(self.key)


class ReferenceNamer:
    """Names the references that objects hold.

    Parameters
    ----------
    names : attribute names that objects may have, besides those that their classes tell.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._names_of_class: dict[int, tuple[str, ...]] = {}
        self.n_touched = 0
        """Objects whose ``__dict__`` had to be read."""

    def references(self, obj: object) -> Iterator[Reference]:
        """Every reference that `obj` holds, as far as the collector can see, in its own order."""
        try:
            read = _READERS.get(id(type(obj)))
            yield from read(obj) if read is not None else self._of_instance(obj, type(obj))
        except RuntimeError:  # another thread changed the container meanwhile: what was read stands
            return

    def _of_instance(self, obj: Any, kind: type) -> Iterator[Reference]:
        if issubclass(kind, (type, types.ModuleType)):
            yield from _content(obj, kind)
            return
        unnamed = _referents(obj)
        for reference in itertools.chain(_content(obj, kind), self._attributes(obj, kind, unnamed)):
            unnamed.pop(id(reference.target), None)
            yield reference
        for target in unnamed.values():
            yield Reference(_bare, "", target)

    def _attributes(self, obj: Any, kind: type, unnamed: dict[int, Any]) -> Iterator[Reference]:
        """The attributes of `obj` whose values are among `unnamed`; its dictionary is taken out of there."""
        values = dict(unnamed)
        named: set[int] = set()
        for name, value in itertools.chain(_members(obj, kind), self._inline(obj, kind)):
            if id(value) in values:
                named.add(id(value))
                yield Reference(_attribute, name, value)
        left = {key: value for key, value in values.items() if key not in named}
        if left and has_dict(kind):
            own = next((value for value in left.values() if is_own_dict(obj, value)), None)
            if own is None:
                own = own_dict_of(obj)
                self.n_touched += 1
            unnamed.pop(id(own), None)
            for name, value in list(dict.items(own)):
                if id(value) not in named:
                    yield Reference(_attribute, name, value)

    def _inline(self, obj: Any, kind: type) -> Iterator[tuple[str, Any]]:
        """Attributes that are there under a guessed name."""
        if not has_dict(kind):
            return
        for name in self._candidates(kind):
            try:
                value = object.__getattribute__(obj, name)
            except AttributeError:
                continue
            if value is not _class_value(kind, name):
                yield name, value

    def _candidates(self, kind: type) -> tuple[str, ...]:
        """Names to try on instances of `kind`: those that run no descriptor."""
        found = self._names_of_class.get(id(kind))
        if found is None:
            names = dict.fromkeys(itertools.chain(_names_in_class(kind), self._names))
            found = self._names_of_class[id(kind)] = tuple(name for name in names if _is_plain(kind, name))
        return found


def names_in_code(code: types.CodeType) -> Iterator[str]:
    """Attribute names that a piece of code, and the functions inside it, may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            yield from names_in_code(constant)


def has_dict(kind: type) -> bool:
    """Whether instances of `kind` may have a ``__dict__``."""
    return bool(type.__dict__["__dictoffset__"].__get__(kind))


def is_own_dict(obj: Any, value: Any) -> bool:
    """Whether `value` is the dictionary in which `obj` keeps its attributes, as far as one can tell.

    Nothing is built to find out: every entry must be an attribute of `obj`. An
    empty dictionary could be either, and counts as no.
    """
    if type(value) is not dict or not value or not has_dict(type(obj)):
        return False
    kind = type(obj)
    if issubclass(kind, type):
        return any(value is held for held in referents(type.__dict__["__dict__"].__get__(obj)))
    if issubclass(kind, types.ModuleType):
        return value is module_dict(obj)
    try:
        return all(_is_attribute(obj, kind, name, held) for name, held in dict.items(value))
    except RuntimeError:  # another thread changes it
        return False


def _is_attribute(obj: Any, kind: type, name: Any, value: Any) -> bool:
    if type(name) is not str:
        return False
    if not _is_plain(kind, name):
        return True  # a cached property, say: not to be asked, and no evidence against
    try:
        return object.__getattribute__(obj, name) is value
    except AttributeError:
        return False


def own_dict_of(obj: Any) -> dict[str, Any]:
    """The ``__dict__`` of `obj`, built if need be, past any property of that name."""
    for namespace in mro_dicts(type(obj)):
        descriptor = namespace.get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType:
            found = descriptor.__get__(obj)
            return found if issubclass(type(found), dict) else {}
    return {}


def _is_plain(kind: type, name: str) -> bool:
    """Whether getting `name` from an instance of `kind` runs no descriptor."""
    for namespace in mro_dicts(kind):
        if name in namespace:
            return not any("__get__" in mine for mine in mro_dicts(type(namespace[name])))
    return True


def _class_value(kind: type, name: str) -> object:
    """What the class has under `name`; its instances then need not have it themselves."""
    return next((namespace[name] for namespace in mro_dicts(kind) if name in namespace), _ABSENT)


def _names_in_class(kind: type) -> Iterator[str]:
    """Names that the bodies and methods of a class tell, most reliable first."""
    for namespace in mro_dicts(kind):
        for key in ("__static_attributes__", "__annotations__"):
            declared = namespace.get(key)
            if type(declared) is tuple or type(declared) is dict:
                yield from (name for name in declared if type(name) is str)
    for namespace in mro_dicts(kind):
        for value in list(namespace.values()):
            for code in _codes(value):
                yield from names_in_code(code)
        yield from (name for name in namespace if type(name) is str)


def _codes(value: Any) -> Iterator[types.CodeType]:
    kind = type(value)
    if kind is types.FunctionType:
        yield value.__code__
    elif kind in {classmethod, staticmethod}:
        yield from _codes(value.__func__)
    elif kind is property:
        yield from itertools.chain(_codes(value.fget), _codes(value.fset))


def _members(obj: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The slots of `obj`, those of built-in types included."""
    for namespace in mro_dicts(kind):
        for name, descriptor in list(namespace.items()):
            if type(descriptor) is types.MemberDescriptorType:
                try:
                    yield name, descriptor.__get__(obj)
                except AttributeError:
                    continue


def _referents(obj: Any) -> dict[int, Any]:
    """What the collector sees `obj` refer to, by id, its class left out."""
    kind = type(obj)
    return {id(target): target for target in referents(obj) if target is not kind}


# Labels


def _bare(key: str) -> str:
    return key


def _attribute(name: object) -> str:
    return f".{exact_name(name)}"


def _index(number: int) -> str:
    return f"[{number}]"


def _item(key: object) -> str:
    return f"[{describe(key) or type_name(type(key))}]"


def _closure(name: str) -> str:
    return f"closure {name}"


def _local(name: str) -> str:
    return f"local {name}"


def _default(name: str) -> str:
    return f"default {name}"


# Readers: what the instances of one type hold


_ATOMS: Final = frozenset(map(id, (str, int, float, complex, bool, bytes, type(None))))


def _of_dict(obj: dict[Any, Any], write: Callable[[Any], str] = _item) -> Iterator[Reference]:
    for key, value in dict.items(obj):
        yield Reference(write, key, value)
        if id(type(key)) not in _ATOMS:
            yield Reference(_bare, "key", key)


def _of_list(obj: list[Any]) -> Iterator[Reference]:
    return (Reference(_index, number, value) for number, value in enumerate(list.__iter__(obj)))


def _of_tuple(obj: tuple[Any, ...]) -> Iterator[Reference]:
    return (Reference(_index, number, value) for number, value in enumerate(tuple.__iter__(obj)))


def _of_deque(obj: collections.deque[Any]) -> Iterator[Reference]:
    return (Reference(_index, number, value) for number, value in enumerate(collections.deque.__iter__(obj)))


def _of_set(obj: set[Any]) -> Iterator[Reference]:
    return (Reference(_bare, "", value) for value in set.__iter__(obj))


def _of_frozenset(obj: frozenset[Any]) -> Iterator[Reference]:
    return (Reference(_bare, "", value) for value in frozenset.__iter__(obj))


def _of_function(obj: types.FunctionType) -> Iterator[Reference]:
    for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=False):
        yield from (Reference(_closure, name, value) for value in referents(cell))
    defaults = obj.__defaults__ or ()
    positional = obj.__code__.co_varnames[: obj.__code__.co_argcount]
    for name, value in zip(positional[len(positional) - len(defaults) :], defaults, strict=False):
        yield Reference(_default, name, value)
    for name, value in (obj.__kwdefaults__ or {}).items():
        yield Reference(_default, name, value)
    for value in referents(obj):
        if value is not obj.__globals__ and is_own_dict(obj, value):
            yield from _of_dict(value, _attribute)


def _of_method(obj: types.MethodType) -> Iterator[Reference]:
    yield Reference(_attribute, "__self__", obj.__self__)
    yield Reference(_attribute, "__func__", obj.__func__)


def _of_builtin(obj: types.BuiltinFunctionType) -> Iterator[Reference]:
    if obj.__self__ is not None and type(obj.__self__) is not types.ModuleType:
        yield Reference(_attribute, "__self__", obj.__self__)


def _of_partial(obj: functools.partial[Any]) -> Iterator[Reference]:
    yield Reference(_attribute, "func", obj.func)
    for number, value in enumerate(obj.args):
        yield Reference(_attribute, f"args[{number}]", value)
    yield from _of_dict(obj.keywords, lambda key: f".keywords{_item(key)}")


def _of_cell(obj: types.CellType) -> Iterator[Reference]:
    return (Reference(_bare, "", value) for value in referents(obj))


_CODE_KINDS = (types.CodeType, types.FunctionType)


def _of_running(obj: Any) -> Iterator[Reference]:
    """The locals of a frame, generator or coroutine.

    ``f_locals`` would make a copy that lives as long as the frame (until 3.13).
    The collector tells the values in the order of the code's variables; when some
    are unbound it cannot be told which, and all go without a name.
    """
    code = next((held for held in referents(obj) if type(held) is types.CodeType), None)
    held = referents(obj)
    last_code = max((n for n, value in enumerate(held) if value is code), default=-1)
    values = held[last_code + 1 :]
    names = _variables(code) if code is not None else ()
    known = names if len(names) == len(values) else ("",) * len(values)
    for name, value in zip(known, values, strict=True):
        unpacked = referents(value) if type(value) is types.CellType else [value]
        yield from (Reference(_local if name else _bare, name or "local", target) for target in unpacked)


def _variables(code: types.CodeType) -> tuple[str, ...]:
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return (*code.co_varnames, *cells, *code.co_freevars)


def _of_traceback(obj: types.TracebackType) -> Iterator[Reference]:
    yield Reference(_attribute, "tb_frame", obj.tb_frame)
    if obj.tb_next is not None:
        yield Reference(_attribute, "tb_next", obj.tb_next)


_NOTHING_OWN: Final = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__firstlineno__"}
    | {"__static_attributes__", "__annotations__", "__builtins__", "__loader__", "__spec__", "__cached__"}
    | {"__name__", "__file__", "__package__", "__path__"}
)


def _of_namespace(namespace: Any) -> Iterator[Reference]:
    """The names of a class or module, without those that Python put there."""
    for name, value in list(namespace.items()):
        if exact_name(name) not in _NOTHING_OWN:
            yield Reference(_attribute, name, value)


def _of_module(obj: types.ModuleType) -> Iterator[Reference]:
    return _of_namespace(module_dict(obj))


def _of_class(obj: type) -> Iterator[Reference]:
    yield from _of_namespace(type.__dict__["__dict__"].__get__(obj))
    for base in type.__dict__["__bases__"].__get__(obj):
        if base is not object:
            yield Reference(_bare, "base", base)


def _of_exception(obj: BaseException) -> Iterator[Reference]:
    for name in ("args", "__traceback__", "__cause__", "__context__"):
        value = BaseException.__dict__[name].__get__(obj)
        if value is not None:
            yield Reference(_attribute, name, value)


def _of_array(obj: Any) -> Iterator[Reference]:
    """What NumPy keeps from the collector: the array that a view looks into, and objects in an array."""
    if obj.base is not None:
        yield Reference(_attribute, "base", obj.base)
    if obj.dtype.kind == "O":
        yield from (Reference(_index, number, value) for number, value in enumerate(obj.flat))


def _of_nothing(_: object) -> Iterator[Reference]:
    return iter(())


_READERS: Final[dict[int, Callable[[Any], Iterator[Reference]]]] = {
    id(cls): read
    for cls, read in (
        (dict, _of_dict),
        (list, _of_list),
        (tuple, _of_tuple),
        (collections.deque, _of_deque),
        (set, _of_set),
        (frozenset, _of_frozenset),
        (types.FunctionType, _of_function),
        (types.MethodType, _of_method),
        (types.BuiltinFunctionType, _of_builtin),
        (functools.partial, _of_partial),
        (types.CellType, _of_cell),
        (types.GeneratorType, _of_running),
        (types.CoroutineType, _of_running),
        (types.AsyncGeneratorType, _of_running),
        (types.FrameType, _of_running),
        (types.TracebackType, _of_traceback),
        (types.CodeType, _of_nothing),
    )
}

_CONTENTS: Final[tuple[tuple[type, Callable[[Any], Iterator[Reference]]], ...]] = (
    (dict, _of_dict),
    (list, _of_list),
    (tuple, _of_tuple),
    (collections.deque, _of_deque),
    (set, _of_set),
    (frozenset, _of_frozenset),
    (type, _of_class),
    (types.ModuleType, _of_module),
    (BaseException, _of_exception),
)


def _content(obj: Any, kind: type) -> Iterator[Reference]:
    """What `obj` holds as the container that its class is derived from."""
    for base, read in _CONTENTS:
        if issubclass(kind, base):
            return read(obj)
    return _of_array(obj) if is_array(kind) else iter(())
