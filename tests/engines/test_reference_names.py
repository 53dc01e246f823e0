"""The name on every reference: attributes wherever they stand, variables of what is suspended, C types."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import functools
import gc
import itertools
import operator
import queue
import types
import typing
import weakref

import pytest

from jupyter_profkit.engines.reference_names import ReferenceNamer


class Target:
    """What the references of a test lead to."""


TARGET = Target()


def names(obj: object) -> dict[str, str]:
    """The names of what `obj` refers to, and of which type each is."""
    return {reference.label: type(reference.target).__name__ for reference in ReferenceNamer().references(obj)}


def to_target(obj: object) -> list[str]:
    return [reference.label for reference in ReferenceNamer().references(obj) if reference.target is TARGET]


def notes(obj: object) -> list[str]:
    namer = ReferenceNamer()
    list(namer.references(obj))
    return list(namer.notes())


# Attributes


class Base:
    __slots__ = ("__private", "shown")

    def __init__(self) -> None:
        self.shown, self.__private = TARGET, [1]


class WithSlots(Base):
    __slots__ = ("own",)

    def __init__(self) -> None:
        super().__init__()
        self.own = {1: 2}


class WithDict(Base):
    def __init__(self) -> None:
        super().__init__()
        self.own, self.__private = {1: 2}, {3}


def test_inherited_slots_and_private_names_are_told_as_python_mangles_them():
    assert names(WithSlots()) == {".shown": "Target", "._Base__private": "list", ".own": "dict"}


@pytest.mark.parametrize("read_before", [False, True])
def test_slots_beside_a_dictionary_are_told(read_before):
    obj = WithDict()
    if read_before:
        obj.__dict__
    assert names(obj) == {
        ".shown": "Target", "._Base__private": "list", ".own": "dict", "._WithDict__private": "set",
    }  # fmt: skip


class Plain:
    pass


@pytest.mark.parametrize("n_attributes", [2, 40, 200])
def test_several_attributes_with_one_value_are_all_named(n_attributes):
    obj = Plain()
    for number in range(n_attributes):
        setattr(obj, f"name_{number}", TARGET)
    assert sorted(to_target(obj)) == sorted(f".name_{number}" for number in range(n_attributes))


def test_an_attribute_that_nobody_tells_is_found_in_the_dictionary_and_that_is_said():
    obj = type("Fresh", (), {})()
    setattr(obj, "un" + "told", TARGET)
    (note,) = notes(obj)
    assert note.startswith("To name all attributes, the __dict__ of 1 object was read")
    assert to_target(obj) == [".untold"]


def test_a_computed_attribute_is_named_and_not_computed():
    class Computes:
        def __init__(self) -> None:
            self.plain = TARGET

        @functools.cached_property
        def cached(self) -> Target:
            raise SystemExit

        @property
        def never(self) -> None:
            raise SystemExit

    obj = Computes()
    assert to_target(obj) == [".plain"]
    obj.__dict__["cached"] = TARGET
    assert sorted(to_target(obj)) == [".cached", ".plain"]


class Pair(typing.NamedTuple):
    x: object
    y: object


def test_instances_of_pythons_own_kinds_are_named_without_being_touched():
    @dataclasses.dataclass
    class Data:
        left: object
        right: object

    Colour = enum.Enum("Colour", "red")
    for obj, expected in (
        (Data(TARGET, []), {".left": "Target", ".right": "list"}),
        (dataclasses.make_dataclass("D", ["x"], slots=True)(TARGET), {".x": "Target"}),
        (types.SimpleNamespace(a=TARGET), {".a": "Target"}),
        (collections.OrderedDict(a=TARGET), {"['a']": "Target"}),
        (Pair(TARGET, []), {".x": "Target", ".y": "list"}),
        (Colour.red, {"._value_": "int", "._name_": "str", "._sort_order_": "int", ".__objclass__": "EnumType"}),
    ):
        before = list(map(type, gc.get_referents(obj)))
        assert names(obj) == expected
        assert list(map(type, gc.get_referents(obj))) == before
        assert notes(obj) == []


def test_subclasses_of_containers_tell_their_items_and_their_attributes():
    for base, expected in ((list, "[0]"), (collections.deque, "[0]"), (set, "")):
        kind = type("Kind", (base,), {})
        obj = kind([TARGET])
        obj.extra = (1,)
        assert names(obj) == {expected: "Target", ".extra": "tuple"}
    text = type("Text", (str,), {})("x")
    text.extra = TARGET
    assert names(text) == {".extra": "Target"}


def test_the_two_names_of_a_class_among_its_own_instances_attributes():
    obj = Plain()
    obj.kind = Plain
    assert names(obj) == {".kind": "type"}


def test_what_wraps_a_function_tells_the_function_only():
    class Owner:
        @property
        def computed(self) -> None: ...

        @classmethod
        def of_class(cls) -> None: ...

        @staticmethod
        def of_nobody() -> None: ...

    space = vars(Owner)
    assert names(space["computed"]) == {".fget": "function"}
    assert names(space["of_class"]) == names(space["of_nobody"]) == {".__func__": "function"}
    assert names(Owner().of_class) == {".__self__": "type", ".__func__": "function"}


def test_callbacks_caches_and_arguments_are_named():
    def callback(_: object, held: object = TARGET) -> None: ...

    assert names(weakref.ref(TARGET, callback)) == {".__callback__": "function"}
    partial = functools.partial(print, TARGET, sep=TARGET)
    assert to_target(partial) == [".args[0]", ".keywords['sep']"]
    for cache in (functools.lru_cache(maxsize=4)(lambda _: [1]), functools.cache(lambda _: [1])):
        cache(TARGET)
        assert names(cache)["cached result"] == "list"
        assert names(cache)[".__wrapped__"] == "function"
        assert "cached arguments" in names(cache)


# What is suspended


def suspended(first: object, second: object) -> typing.Iterator[object]:
    for item in [[1], [2]]:
        again = item
        yield again
    never_bound = first, second  # noqa: F841 - unbound while the loop runs


def test_the_variables_of_a_generator_have_their_own_names_while_others_are_unbound():
    running = suspended(TARGET, {5})
    next(running)
    assert names(running) == {
        "local first": "Target", "local second": "set", "local item": "list", "local again": "list",
        "in use": "tuple_iterator",
    }  # fmt: skip
    (note,) = notes(running)
    assert "the frame of 1 suspended function was asked for" in note


def test_asking_a_generator_for_its_variables_keeps_none_of_them():
    def holds() -> typing.Iterator[None]:
        held = Target()
        alive.append(weakref.ref(held))
        yield
        del held
        yield

    alive: list[weakref.ref[Target]] = []
    running = holds()
    next(running)
    for _ in range(2):
        assert names(running)["local held"] == "Target"
    next(running)
    assert alive[0]() is None


def test_a_generator_of_arguments_only_is_not_touched():
    def only_arguments(first: object, *others: object) -> typing.Iterator[object]:
        yield lambda: (first, others)

    running = only_arguments(TARGET, 1)
    next(running)
    before = len(gc.get_referents(running))
    assert names(running) == {"local first": "Target", "local others": "tuple"}
    assert notes(running) == []
    assert len(gc.get_referents(running)) == before


def test_the_variables_of_coroutines_and_async_generators_are_named():
    async def inner() -> None:
        await asyncio.get_running_loop().create_future()

    async def outer(argument: object) -> None:
        kept = [argument]
        await inner()
        late = kept  # noqa: F841

    async def generate() -> typing.AsyncIterator[object]:
        kept = TARGET
        yield kept

    async def look() -> None:
        coroutine = outer(TARGET)
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        assert names(coroutine) == {
            "local argument": "Target", "local kept": "list", "local inner": "function", ".cr_await": "coroutine",
        }  # fmt: skip
        assert names(task)["._coro"] == "coroutine"
        assert names(task)["._fut_waiter"] == "Future"
        assert not any("__dict__" in note for note in notes(task))
        generator = generate()
        await anext(generator)
        assert names(generator) == {"local kept": "Target"}
        await generator.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(look())


def test_the_variables_of_a_frame_in_a_traceback_are_named():
    def fails(argument: object, *others: object, **named: object) -> None:
        local = [argument]

        def inner() -> object:
            return captured

        captured = {"a": local}
        raise ZeroDivisionError

    try:
        fails(TARGET, 1, b=2)
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_next.tb_frame
        assert names(frame) == {
            "local argument": "Target", "local others": "tuple", "local named": "dict", "local local": "list",
            "local inner": "function", "local captured": "dict",
        }  # fmt: skip
        del frame


# Types written in C


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (itertools.chain([1], [2]), {"sources": "tuple_iterator"}),
        (itertools.cycle([TARGET]), {"source": "list_iterator", "items seen": "list"}),
        (itertools.islice([TARGET], 3), {"source": "list_iterator"}),
        (itertools.repeat(TARGET), {"source": "Target"}),
        (itertools.tee([1])[0], {"buffer": "_tee_dataobject"}),
        (zip([1], {2}, strict=False), {"source": "tuple", "last result": "tuple"}),
        (map(len, [TARGET]), {"source": "tuple", "function": "builtin_function_or_method"}),
        (filter(None, [TARGET]), {"source": "list_iterator"}),
        (iter([TARGET]), {"source": "list"}),
        (iter({1: TARGET}), {"source": "dict"}),
        ({1: TARGET}.values(), {"view of": "dict"}),
        (types.MappingProxyType({1: TARGET}), {"view of": "dict"}),
        (iter(Target, 1), {"function": "type", "sentinel": "int"}),
        (operator.itemgetter("a"), {"item": "str"}),
        (memoryview(bytearray(3)), {".obj": "bytearray"}),
        (slice(TARGET, [1]), {".start": "Target", ".stop": "list", ".step": "NoneType"}),
        (types.CellType(TARGET), {"": "Target"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_c_types_hold_has_its_role(obj, expected):
    found = names(obj)
    found.pop(".step", None)  # None is told by some Pythons only
    assert found == {name: kind for name, kind in expected.items() if name != ".step"}


def test_an_iterator_that_has_begun_tells_more():
    chain = itertools.chain([1, 2], [3])
    next(chain)
    assert names(chain) == {"sources": "tuple_iterator", "source": "list_iterator"}
    groups = itertools.groupby([TARGET])
    next(groups)
    assert "current value" in to_target(groups)


def test_what_has_no_name_has_its_place_and_that_is_said():
    held = queue.SimpleQueue()
    held.put(TARGET)
    assert "#0" in names(held)
    assert notes(held) == ["An arrow with #0, #1, … has no name: C code holds it, in that place of gc.get_referents."]


def test_a_released_memoryview_refers_to_nothing():
    view = memoryview(b"abc")
    view.release()
    assert names(view) == {}


def test_the_class_of_an_object_and_a_functions_globals_are_counted_as_hidden():
    namer = ReferenceNamer()
    list(namer.references(Plain()))
    list(namer.references(to_target))
    assert namer.n_hidden == 1 + 3


# Libraries


def test_arrays_of_objects_and_records_tell_where_an_item_stands():
    numpy = pytest.importorskip("numpy")
    table = numpy.empty((2, 3), dtype=object)
    table[1, 2] = TARGET
    assert to_target(table) == ["[1, 2]"]
    record = numpy.zeros(2, dtype=[("n", int), ("o", object)])
    record["o"][1] = TARGET
    assert to_target(record) == ["['o'][1]"]
    matrix = table.view(type("Sub", (numpy.ndarray,), {"base": property(lambda self: 1 / 0)}))
    assert names(matrix)[".base"] == "ndarray"


def test_a_table_names_the_arrays_of_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0], 7: [TARGET, None]})
    found = names(frame)
    assert found["['x']"] == found["['y']"] == found["[7]"] == "ndarray"
    assert set(found) == {"['x']", "['y']", "[7]", ".index", ".columns"}
    blocks = {reference.label: id(reference.target) for reference in ReferenceNamer().references(frame)}
    assert blocks["['x']"] == blocks["['y']"] != blocks["[7]"]
    assert {".values", ".index"} == set(names(frame["x"]))
    assert names(frame.index) == {}  # a range: its numbers are not made
    assert set(names(frame.columns)) == {"._data"}
    assert "_data" not in vars(frame.index).get("_cache", {})
    assert notes(frame.index) == []
