"""What libraries keep outside of Python's objects: real Arrow, and torch as its documentation has it."""

from __future__ import annotations

import sys
import types

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jupyter_profkit.engines.holdings import HoldingCounts, Owner, count_holdings
from jupyter_profkit.engines.object_sizes import ObjectKinds, _Blocks

MB = 1_000_000


def count(*roots: object) -> HoldingCounts:
    return count_holdings([Owner(str(number), [root]) for number, root in enumerate(roots)])


def alone(root: object) -> int:
    return count(root).exclusive[0]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.table({"n": np.arange(MB), "t": [f"text {n}" for n in range(100_000)] * 10})


# Memory by address


def covered(blocks: _Blocks, start: int, end: int) -> list[int]:
    return [id(one) for one in blocks.at(start, end - start)]


def test_a_piece_of_memory_is_one_block_whoever_comes_first() -> None:
    for first, second in (((0, 100), (40, 60)), ((40, 60), (0, 100)), ((0, 60), (40, 100)), ((40, 100), (0, 60))):
        blocks = _Blocks()
        one, other = (blocks.at(start, end - start) for start, end in (first, second))
        assert sum(block.n_bytes for block in {*one, *other}) == 100
        assert {*one} & {*other}
        assert covered(blocks, *first) == [id(block) for block in one] or len(covered(blocks, *first)) > len(one)


def test_pieces_that_only_touch_are_not_shared() -> None:
    blocks = _Blocks()
    assert not {*covered(blocks, 0, 50)} & {*covered(blocks, 50, 100)}
    assert covered(blocks, 10, 10) == []


# Arrow


def test_a_table_counts_its_buffers_and_a_slice_counts_them_once_more(table: pa.Table) -> None:
    size = table.get_total_buffer_size()
    assert size > 18 * MB
    assert alone(table) == pytest.approx(size, abs=1000)
    assert alone(table.slice(10, 5)) == pytest.approx(size, abs=1000)  # all of it stays while a slice does
    counts = count(table, table.slice(10, 5), table["n"], table.to_batches()[0])
    assert counts.shared_total == pytest.approx(size, abs=1000)
    assert max(counts.exclusive) < 1000
    assert counts.shared == pytest.approx([size, size, 8 * MB, size], abs=1000)


def test_an_array_and_the_arrow_array_made_of_it_are_one_memory() -> None:
    numbers = np.arange(MB, dtype=float)
    for roots in ((numbers, pa.array(numbers)), (pa.array(numbers), numbers)):
        counts = count(*roots)
        assert counts.shared_total == pytest.approx(8 * MB, abs=1000)
        assert counts.exclusive == pytest.approx([0, 0], abs=1000)
    counts = count(pa.array(numbers[: MB // 4]), numbers)
    assert counts.shared == pytest.approx([2 * MB, 2 * MB], abs=1000)
    assert counts.exclusive == pytest.approx([0, 6 * MB], abs=1000)
    assert alone([pa.array(numbers).to_numpy(), numbers]) == pytest.approx(8 * MB, abs=1000)


def test_a_table_of_a_frame_shares_the_columns_that_were_not_copied() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(1).random(MB), "y": np.random.default_rng(2).random(MB)})
    counts = count(frame, pa.Table.from_pandas(frame))
    assert counts.shared_total == pytest.approx(16 * MB, abs=20_000)


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "int64[pyarrow]"])
def test_columns_of_pandas_that_stand_in_arrow_are_counted(dtype: str) -> None:
    texts = [str(n) for n in range(100_000)]
    frame = pd.DataFrame({"t": pd.Series(texts if dtype.startswith("string") else range(100_000), dtype=dtype)})
    stored = frame["t"].array.__arrow_array__().get_total_buffer_size()
    assert alone(frame) == pytest.approx(stored, abs=5000)
    assert count(frame, frame["t"]).shared_total == pytest.approx(stored, abs=10_000)


def test_the_values_of_an_encoded_array_are_counted_deep_inside_too() -> None:
    encoded = pa.array(["a" * 100_000, "b" * 100_000] * 1000).dictionary_encode()
    size = encoded.get_total_buffer_size()
    assert size > 200_000
    assert alone(encoded) == pytest.approx(size, abs=1000)
    nested = pa.StructArray.from_arrays([encoded, pa.array(range(2000))], ["e", "n"])
    assert alone(nested) == pytest.approx(nested.get_total_buffer_size(), abs=1000)
    lists = pa.ListArray.from_arrays([0, 1000, 2000], encoded)
    assert alone(lists) == pytest.approx(lists.get_total_buffer_size(), abs=1000)


def test_a_message_and_the_table_read_from_it_are_one_memory(table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    message = sink.getvalue()
    assert alone(message) == pytest.approx(message.size, abs=1000)
    counts = count(message, pa.ipc.open_stream(message).read_all())
    assert counts.shared_total + sum(counts.exclusive) == pytest.approx(message.size, abs=2000)


def test_nothing_of_an_arrow_object_changes_by_being_looked_at(table: pa.Table) -> None:
    before = pa.total_allocated_bytes(), sys.getrefcount(table)
    count(table, table.slice(5))
    assert (pa.total_allocated_bytes(), sys.getrefcount(table)) == before


def test_a_users_kind_of_arrow_array_is_not_asked() -> None:
    class Kind(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.int64(), "a test's")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type: object, serialized: bytes) -> Kind:
            return cls()

        def __arrow_ext_class__(self) -> type:
            return Users

    class Users(pa.ExtensionArray):
        @property
        def type(self) -> object:
            raise AssertionError("a user's property is asked")

        def buffers(self) -> list:
            raise AssertionError("a user's method is called")

    array = pa.ExtensionArray.from_storage(Kind(), pa.array(range(10)))
    assert type(array) is Users
    assert alone(array) < 1000
    assert alone(pa.chunked_array([array])) < 1000


def test_arrays_have_their_whole_size_where_nobody_asks_for_blocks() -> None:
    assert ObjectKinds().size_of(np.ones(MB)) == pytest.approx(8 * MB, abs=200)
    assert ObjectKinds(divided=True).size_of(np.ones(MB)) < 200


# torch


class Tensor:
    """What is read of a ``torch.Tensor``, and no more.

    From torch's documentation: ``Tensor.device`` is a ``torch.device`` whose ``type`` is ``"cpu"``, ``"cuda"``,
    ``"meta"`` …; ``Tensor.layout`` is a ``torch.layout``, ``torch.strided`` for one that has a storage;
    ``Tensor.untyped_storage()`` gives a ``torch.UntypedStorage``, whose ``data_ptr()`` is the address and whose
    ``nbytes()`` is the size of the whole memory, also for a view. ``torch.from_numpy`` shares the array's memory.
    """

    def __init__(self, address: int, n_bytes: int, device: str = "cpu", layout: str = "torch.strided") -> None:
        index = int(device.partition(":")[2] or 0)
        self.device = types.SimpleNamespace(type=device.partition(":")[0], index=index)
        self.layout = type("layout", (), {"__repr__": lambda _: layout})()
        self._place = address, n_bytes

    def untyped_storage(self) -> types.SimpleNamespace:
        if repr(self.layout) != "torch.strided" or self.device.type == "meta":
            raise NotImplementedError("Cannot access storage of this tensor")
        return types.SimpleNamespace(data_ptr=lambda: self._place[0], nbytes=lambda: self._place[1])


class UsersTensor(Tensor):
    def untyped_storage(self) -> types.SimpleNamespace:
        raise AssertionError("a subclass is not asked")


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(Tensor=Tensor))


@pytest.mark.usefixtures("torch")
def test_tensors_count_their_storage_once_and_none_of_the_graphics_card() -> None:
    counts = count(Tensor(4096, MB), Tensor(4096, MB), Tensor(8 * MB, MB, "cuda:0"), UsersTensor(16 * MB, MB))
    assert counts.shared == pytest.approx([MB, MB, 0, 0], abs=3000)
    assert max(counts.exclusive) < 3000


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    "tensor", [Tensor(4096, MB, layout="torch.sparse_coo"), Tensor(0, MB, "meta")], ids=["sparse", "meta"]
)
def test_a_tensor_without_a_storage_is_not_asked_for_one(tensor: Tensor) -> None:
    assert alone(tensor) < 3000


@pytest.mark.usefixtures("torch")
def test_a_tensor_made_of_an_array_shares_its_memory() -> None:
    numbers = np.ones(MB)
    counts = count(numbers, Tensor(numbers.ctypes.data, numbers.nbytes))
    assert counts.shared_total == pytest.approx(8 * MB, abs=3000)
    assert max(counts.exclusive) < 3000
