"""What one object takes, and what it refers to beyond what the collector sees, decided once for each type.

    kinds = ObjectKinds()
    kind = kinds.of(obj)
    kind.size(obj), kind.more(obj)          bytes, [the array that a view looks into]

* Sizes are the objects' own where a built-in type tells them (`sys.getsizeof`). A
  ``__sizeof__`` written in Python is not called.
* Since Python 3.11 an instance keeps its attributes in an array that no size counts;
  it is estimated from the first instance that is met.
* Libraries that keep data outside of Python's objects are asked for it, if they are
  loaded and the object is of exactly their type: NumPy, Arrow, torch. A piece of
  memory that several objects share is one `Block`, and counts once; so an Arrow table
  or a tensor that was made of an array without a copy is known by its addresses.
"""

from __future__ import annotations

import gc
import io
import sys
import types
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.library_readers import array_contents
from jupyter_profkit.engines.referents import referents, referents_of_all
from jupyter_profkit.engines.safe_repr import mro_dicts

__all__ = ["Block", "Kind", "ObjectKinds"]

_INLINE_VALUES: Final = 1 << 4
"""Py_TPFLAGS_MANAGED_DICT: attributes stand in an array, not in a dictionary."""

_VALUES_HEADER: Final = 16
_CHUNK: Final = 4096
_LEAST_DIVIDED: Final = 4096
"""Bytes of an array from which its data is a `Block` by itself."""
_type_flags = type.__dict__["__flags__"].__get__


class Block:
    """Memory of a library, known by its address."""

    __slots__ = ("n_bytes",)

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes


@dataclass(frozen=True)
class Kind:
    """How objects of one type are counted."""

    is_end: bool = False
    """A class or a module: nobody's own, not followed."""
    size: Callable[[Any], int] = sys.getsizeof
    extra: int = 0
    """Bytes to add to each."""
    more: Callable[[Any], list[Any]] | None = None
    """What an object refers to and the collector does not see."""

    @property
    def is_plain(self) -> bool:
        """Whether ``getsizeof`` and the collector tell all there is, `extra` apart."""
        return not self.is_end and self.more is None and self.size is sys.getsizeof


class ObjectKinds:
    """The kinds of the types met so far.

    Parameters
    ----------
    divided : whether an array is apart from its data, which Arrow and torch may share.
    """

    def __init__(self, *, divided: bool = False) -> None:
        self._kinds: dict[int, Kind] = {}
        # Without these two nobody shares the data of an array but its views, which name it.
        self._divided = divided and any(map(sys.modules.get, ("pyarrow", "torch")))
        self._readers = dict(_library_readers(_Blocks(), divided=self._divided))  # no cycle is left

    def of(self, obj: Any) -> Kind:
        kind = self._kinds.get(id(type(obj)))
        if kind is None:
            kind = self._kinds[id(type(obj))] = self._decide(obj, type(obj))
        return kind

    def size_of(self, obj: Any) -> int:
        """Bytes of the object alone."""
        kind = self.of(obj)
        return kind.size(obj) + kind.extra

    def sharers(self) -> dict[int, set[int]]:
        """By the id of a `Block`, the ids of all objects of Arrow, torch and, if divided, NumPy that keep it.

        The collector knows some of them, and of the others what leads to them.
        """
        sharing = (*_SHARING, *[("numpy", "ndarray")] * self._divided)
        classes = tuple(filter(None, (_loaded(module, name) for module, name in sharing)))
        found: dict[int, set[int]] = {}
        for obj in _instances(classes) if classes else ():
            more = self.of(obj).more
            for block in more(obj) if more is not None else ():
                if type(block) is Block:
                    found.setdefault(id(block), set()).add(id(obj))
        return found

    def _decide(self, obj: Any, cls: type) -> Kind:
        if issubclass(cls, (type, types.ModuleType)):
            return Kind(is_end=True)
        if cls is Block:
            return Kind(size=lambda block: block.n_bytes)
        more = next((self._readers[id(base)] for base in _bases(cls) if id(base) in self._readers), None)
        size: Callable[[Any], int]
        size = sys.getsizeof if _has_built_in_size(cls) and not _is_counted_twice(cls) else object.__sizeof__
        if self._divided and more is not None and issubclass(cls, _loaded("numpy", "ndarray") or ()):
            size = _size_without_data
        return Kind(size=size, extra=_inline_values(obj, cls), more=more)


def _instances(classes: tuple[type, ...]) -> Iterator[Any]:
    """What there is of `classes`: tracked by the collector, or behind what it tracks and plain containers."""
    waiting = [one for one in gc.get_objects() if not issubclass(type(one), types.ModuleType)]
    yield from (one for one in waiting if issubclass(type(one), classes))
    wanted: dict[int, bool] = {id(dict): True, id(tuple): True}  # by the id of a type: hashing one may run its code
    while waiting:
        chunk = waiting[-_CHUNK:]
        del waiting[-_CHUNK:]
        for one in referents_of_all(chunk):
            is_wanted = wanted.get(id(type(one)))
            if is_wanted is None:
                is_wanted = wanted[id(type(one))] = issubclass(type(one), classes)
            if is_wanted and not gc.is_tracked(one):
                if type(one) is dict or type(one) is tuple:
                    waiting.append(one)
                else:
                    yield one


class _Blocks:
    """The pieces of memory met so far, none of which overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._pieces: list[Block] = []

    def at(self, address: int, n_bytes: int) -> list[Any]:
        """The pieces that lie there: those that are known, and new ones for what is between them."""
        found: list[Any] = []
        end = address + n_bytes
        place = bisect_right(self._ends, address)
        while address < end:
            start = self._starts[place] if place < len(self._starts) else end
            if address < start:
                self._insert(place, address, min(start, end))
            found.append(self._pieces[place])
            address = self._ends[place]
            place += 1
        return found

    def _insert(self, place: int, start: int, end: int) -> None:
        self._starts.insert(place, start)
        self._ends.insert(place, end)
        self._pieces.insert(place, Block(end - start))

    def of_array(self, obj: Any) -> list[Any]:
        """What an array refers to, and its data, if it is its own."""
        found = array_contents(obj)
        n_bytes = _own_data(obj)
        if n_bytes:
            array = sys.modules["numpy"].ndarray
            found += self.at(array.__array_interface__.__get__(obj)["data"][0], n_bytes)
        return found

    def of_arrow(self, obj: Any) -> list[Any]:
        """The buffers of an Arrow array, or of every column and chunk of a table; a user's subclass is not asked."""
        if not _is_arrows_own(type(obj)):
            return []
        columns = getattr(obj, "columns", None)
        pieces = columns if columns is not None else getattr(obj, "chunks", None)
        if pieces is not None:
            return [block for piece in pieces for block in self.of_arrow(piece)]
        found = [block for buffer in obj.buffers() if buffer is not None for block in self.of_buffer(buffer)]
        for dictionary in _dictionaries(obj):
            found += self.of_arrow(dictionary)
        return found

    def of_buffer(self, obj: Any) -> list[Any]:
        """The memory that a buffer keeps: all of that which it is a piece of."""
        while obj.parent is not None:
            obj = obj.parent
        return self.at(obj.address, obj.size) if obj.is_cpu else []

    def of_tensor(self, obj: Any) -> list[Any]:
        """The storage of a tensor in main memory; a subclass may run code of the user's, and is not asked.

        What is read: ``device.type``, ``layout``, ``untyped_storage()``, and of that ``data_ptr()`` and ``nbytes()``.
        """
        exact = any(
            type(obj) is cls for cls in (_loaded("torch", "Tensor"), _loaded("torch.nn.parameter", "Parameter"))
        )
        # A sparse tensor has no storage to ask for, and says so by an exception.
        if not exact or obj.device.type != "cpu" or str(obj.layout) != "torch.strided":
            return []
        storage = obj.untyped_storage()
        return self.at(storage.data_ptr(), storage.nbytes())


def _is_arrows_own(cls: type) -> bool:
    return _loaded("pyarrow", type.__dict__["__name__"].__get__(cls)) is cls


def _dictionaries(array: Any) -> Iterator[Any]:
    """The arrays that an encoded array looks its values up in; they are not among its buffers."""
    if "dictionary<" not in str(array.type):
        return
    dictionary = getattr(array, "dictionary", None)
    inner = getattr(array, "storage", None)
    if dictionary is not None:
        yield dictionary
    elif inner is not None:
        yield from _dictionaries(inner)
    elif hasattr(array, "field"):
        for number in range(array.type.num_fields):
            yield from _dictionaries(array.field(number))
    elif hasattr(array, "values"):
        yield from _dictionaries(array.values)


def _own_data(obj: Any) -> int:
    """Bytes of an array's own data; 0 for those of a view, or if they are too few to be looked for elsewhere."""
    array = sys.modules["numpy"].ndarray
    n_bytes: int = array.nbytes.__get__(obj)
    return n_bytes if n_bytes >= _LEAST_DIVIDED and array.flags.__get__(obj).owndata else 0


def _size_without_data(obj: Any) -> int:
    return sys.getsizeof(obj) - _own_data(obj)


_SHARING: Final = (
    *(("pyarrow", name) for name in ("Array", "ChunkedArray", "RecordBatch", "Table", "Buffer")),
    ("torch", "Tensor"),
)
"""Whose data is apart from the object, so that no count of references tells who else has it."""


def _library_readers(blocks: _Blocks, *, divided: bool) -> Iterator[tuple[int, Callable[[Any], list[Any]]]]:
    """What reads the memory that libraries keep outside of Python's objects, by the id of the type."""
    readers: tuple[tuple[str, str, Callable[[Any], list[Any]]], ...] = (
        ("numpy", "ndarray", blocks.of_array if divided else array_contents),
        *(("pyarrow", name, blocks.of_arrow) for name in ("Array", "ChunkedArray", "RecordBatch", "Table")),
        ("pyarrow", "Buffer", blocks.of_buffer),
        ("torch", "Tensor", blocks.of_tensor),
        ("torch.nn.parameter", "Parameter", blocks.of_tensor),
    )
    for module, name, read in readers:
        cls = _loaded(module, name)
        if cls is not None:
            yield id(cls), read


def _loaded(module: str, name: str) -> Any:
    found = getattr(sys.modules.get(module), name, None)
    return found if issubclass(type(found), type) else None


def _bases(cls: type) -> tuple[type, ...]:
    found: tuple[type, ...] = type.__dict__["__mro__"].__get__(cls)
    return found


def _has_built_in_size(cls: type) -> bool:
    for namespace in mro_dicts(cls):
        if "__sizeof__" in namespace:
            return type(namespace["__sizeof__"]) in {types.MethodDescriptorType, types.WrapperDescriptorType}
    return True


def _is_counted_twice(cls: type) -> bool:
    """Whether its own size has the bytes that it refers to: since Python 3.12 the collector sees those of BytesIO."""
    return issubclass(cls, io.BytesIO) and sys.version_info >= (3, 12)


def _inline_values(obj: Any, cls: type) -> int:
    if not _type_flags(cls) & _INLINE_VALUES:
        return 0
    held = [one for one in referents(obj) if one is not cls]
    return 0 if any(type(one) is dict for one in held) and len(held) == 1 else _VALUES_HEADER + 8 * len(held)
