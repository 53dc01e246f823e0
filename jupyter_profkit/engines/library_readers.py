"""What NumPy and pandas keep from the garbage collector, or deep inside of themselves.

    read = library_reader(type(df))
    list(read(df))          [("['x']", array), (".index", index), …]

* An array names the array that it is a view of, and an array of objects its items;
  the collector sees neither.
* A table names the array of each column, past the manager and the blocks of its own.
  Columns of one type usually stand in one array.

Nothing is imported: a library that is not loaded has no objects here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from jupyter_profkit.engines.instance_dicts import is_plain
from jupyter_profkit.engines.safe_repr import describe, exact_name, type_name

__all__ = ["array_contents", "keeps_to_itself", "library_reader"]

Parts = Iterator[tuple[str, Any]]

_MOST_COLUMNS: Final = 1000
"""Columns whose names are asked for."""


def library_reader(kind: type) -> Callable[[Any], Parts] | None:
    """What reads the instances of `kind`, if they are a library's."""
    if _is_one(kind, "numpy", "ndarray"):
        return _of_array
    if _is_one(kind, "pandas", "DataFrame"):
        return _of_frame
    if _is_one(kind, "pandas", "Series"):
        return _of_series
    if _is_one(kind, "pandas", "Index") or _is_one(kind, "pandas.api.extensions", "ExtensionArray"):
        return _of_pandas_array
    return None


def keeps_to_itself(kind: type) -> bool:
    """Whether `library_reader` tells all there is: the rest is the library's own machinery."""
    own = (("pandas", "DataFrame"), ("pandas", "Series"), ("pandas", "Index"))
    return any(_is_one(kind, *one) for one in (*own, ("pandas.api.extensions", "ExtensionArray")))


def _is_one(kind: type, module: str, name: str) -> bool:
    cls: Any = getattr(sys.modules.get(module), name, None)
    return issubclass(type(cls), type) and issubclass(kind, cls)


def _of_array(obj: Any) -> Parts:
    """The array that a view looks into, or the objects in one; a subclass is looked at as a plain array."""
    array = sys.modules["numpy"].ndarray
    base = array.base.__get__(obj)
    if base is not None:
        yield ".base", base
    dtype = array.dtype.__get__(obj)
    if dtype.hasobject and not issubclass(type(base), array):  # it is the base that holds a view's objects
        yield from _items(array.view(obj, array), "")


def array_contents(obj: Any) -> list[Any]:
    """What `_of_array` tells, without the names."""
    array = sys.modules["numpy"].ndarray
    base = array.base.__get__(obj)
    if array.dtype.__get__(obj).kind == "O" and not issubclass(type(base), array):
        plain = array.view(obj, array).ravel().tolist()
        return plain if base is None else [base, *plain]
    return [target for _, target in _of_array(obj)]


def _items(plain: Any, field: str) -> Parts:
    if plain.dtype.kind == "O":
        shape = plain.shape
        for number, value in enumerate(plain.flat):
            yield f"{field}[{_place(number, shape)}]", value
    elif plain.dtype.names:
        for name in plain.dtype.names:
            if plain.dtype[name].hasobject:
                yield from _items(plain[name], f"{field}[{exact_name(name)!r}]")


def _place(number: int, shape: tuple[int, ...]) -> str:
    places: list[str] = []
    for length in reversed(shape):
        number, one = divmod(number, length)
        places.append(str(one))
    return ", ".join(reversed(places))


def _of_frame(obj: Any) -> Parts:
    columns, index, blocks = _inside(obj)
    names = _names(columns)
    for block in blocks:
        values = block.values
        for place in _places(block):
            yield (names[place] if place < len(names) else f"[column {place}]"), values
    yield ".index", index
    yield ".columns", columns
    yield from _attrs(obj)


def _of_series(obj: Any) -> Parts:
    manager = object.__getattribute__(obj, "_mgr")
    for block in manager.blocks:
        yield ".values", block.values
    yield ".index", manager.axes[-1]
    yield from _attrs(obj)


def _attrs(obj: Any) -> Parts:
    """What the user noted with a table."""
    try:
        attrs = object.__getattribute__(obj, "_attrs")
    except AttributeError:
        return
    if attrs:
        yield ".attrs", attrs


_DATA: Final = (
    "_data",
    "_levels",
    "_codes",
    "_left",
    "_right",
    "_ndarray",
    "_mask",
    "_pa_array",
    "_categories",
    "_sparse_values",
)
"""Where the arrays and indexes of pandas keep what they hold."""


def _of_pandas_array(obj: Any) -> Parts:
    for name in _DATA:
        if not is_plain(type(obj), name):
            continue  # computed, and kept once it was asked for
        try:
            value = object.__getattribute__(obj, name)
        except AttributeError:
            continue
        if value is not None:
            yield f".{name}", value


def _inside(frame: Any) -> tuple[Any, Any, Any]:
    manager = object.__getattribute__(frame, "_mgr")
    columns, index = manager.axes
    return columns, index, manager.blocks


def _places(block: Any) -> Iterator[int]:
    yield from map(int, block.mgr_locs.as_array[:_MOST_COLUMNS])


def _names(columns: Any) -> list[str]:
    return [f"[{describe(name) or type_name(type(name))}]" for name in columns[:_MOST_COLUMNS].tolist()]
