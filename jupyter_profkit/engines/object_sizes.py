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
  memory that several objects share is one `Block`, and counts once.
"""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_profkit.engines.library_readers import array_contents
from jupyter_profkit.engines.referents import referents
from jupyter_profkit.engines.safe_repr import mro_dicts

__all__ = ["Block", "Kind", "ObjectKinds"]

_INLINE_VALUES: Final = 1 << 4
"""Py_TPFLAGS_MANAGED_DICT: attributes stand in an array, not in a dictionary."""

_VALUES_HEADER: Final = 16
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
    """The kinds of the types met so far."""

    def __init__(self) -> None:
        self._kinds: dict[int, Kind] = {}
        self._readers = dict(_library_readers(_Blocks()))  # nothing here refers to itself: no cycle is left

    def of(self, obj: Any) -> Kind:
        kind = self._kinds.get(id(type(obj)))
        if kind is None:
            kind = self._kinds[id(type(obj))] = self._decide(obj, type(obj))
        return kind

    def size_of(self, obj: Any) -> int:
        """Bytes of the object alone."""
        kind = self.of(obj)
        return kind.size(obj) + kind.extra

    def _decide(self, obj: Any, cls: type) -> Kind:
        if issubclass(cls, (type, types.ModuleType)):
            return Kind(is_end=True)
        if cls is Block:
            return Kind(size=lambda block: block.n_bytes)
        more = next((self._readers[id(base)] for base in _bases(cls) if id(base) in self._readers), None)
        size = sys.getsizeof if _has_built_in_size(cls) and not _is_counted_twice(cls) else object.__sizeof__
        return Kind(size=size, extra=_inline_values(obj, cls), more=more)


class _Blocks:
    """The pieces of memory met so far, by address."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}

    def _block(self, address: int, n_bytes: int) -> Block:
        return self._blocks.setdefault(address, Block(n_bytes))

    def of_arrow(self, obj: Any) -> list[Any]:
        """The buffers of an Arrow array, or of every column and chunk of a table."""
        columns = getattr(obj, "columns", None)
        pieces = columns if columns is not None else getattr(obj, "chunks", None)
        if pieces is not None:
            return [block for piece in pieces for block in self.of_arrow(piece)]
        return [self._block(buffer.address, buffer.size) for buffer in obj.buffers() if buffer is not None]

    def of_tensor(self, obj: Any) -> list[Any]:
        """The storage of a tensor in main memory; a subclass may run code of the user's, and is not asked."""
        exact = any(
            type(obj) is cls for cls in (_loaded("torch", "Tensor"), _loaded("torch.nn.parameter", "Parameter"))
        )
        if not exact or str(obj.device) != "cpu":
            return []
        storage = obj.untyped_storage()
        return [self._block(storage.data_ptr(), storage.nbytes())]


def _library_readers(blocks: _Blocks) -> Iterator[tuple[int, Callable[[Any], list[Any]]]]:
    """What reads the memory that libraries keep outside of Python's objects, by the id of the type."""
    array = _loaded("numpy", "ndarray")
    if array is not None:
        yield id(array), array_contents
    for name in ("Array", "ChunkedArray", "RecordBatch", "Table"):
        cls = _loaded("pyarrow", name)
        if cls is not None:
            yield id(cls), blocks.of_arrow
    for module, name in (("torch", "Tensor"), ("torch.nn.parameter", "Parameter")):
        cls = _loaded(module, name)
        if cls is not None:
            yield id(cls), blocks.of_tensor


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
