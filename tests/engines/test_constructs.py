"""Every construct of the language, with memory of three kinds: a `bytearray`, an array of numpy, a list.

`trace` itself asserts in each test that the self increments add up to the change of
the whole run.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading

import numpy as np
import pytest

from tests.builders import MB, Traced, trace

SLACK = 700_000

KINDS = {
    "bytearray": "bytearray({n})",
    "numpy": "np.ones({n}, 'u1')",
    "list": "[None] * ({n} // 8)",
}


@pytest.fixture(params=KINDS)
def block(request: pytest.FixtureRequest):
    """An expression for so many bytes; above 32 MiB glibc maps them anew, whatever it has free."""
    return lambda n_megabytes: KINDS[request.param].format(n=n_megabytes * MB)


def about(n_megabytes: float) -> object:
    return pytest.approx(n_megabytes * MB, abs=SLACK)


def run(source: str, **namespace: object) -> Traced:
    return trace(source, np=np, **namespace)


def test_loops(block) -> None:
    traced = run(f"kept = []\nfor _ in range(3):\n    kept.append({block(40)})\nwhile len(kept) > 1:\n    kept.pop()")
    assert traced.line("append").increment == about(120)
    assert traced.line("pop").increment == about(-80)
    assert traced.line("append").peak == about(40)
    assert traced.line("append").occurrences == 3


def test_mutually_calling_functions(block) -> None:
    traced = run(
        f"""
        def even(n):
            kept.append({block(40)})
            return n == 0 or odd(n - 1)
        def odd(n):
            other = {block(50)}
            return n != 0 and even(n - 1)
        kept = []
        even(3)
        """
    )
    assert traced.line("kept.append").self_increment == about(80)
    assert traced.line("even(3)").increment == about(80)
    assert traced.line("even(3)").peak == about(180)
    assert traced.line("other =").occurrences == 2


def test_recursion(block) -> None:
    traced = run(
        f"""
        def down(n):
            mine = {block(40)}
            if n:
                return down(n - 1)
            return len(mine)
        down(2)
        """
    )
    assert traced.line("down(2)").peak == about(120)
    assert traced.line("down(2)").increment == about(0)
    assert traced.line("mine = ").occurrences == 3


@pytest.mark.parametrize(
    "comprehension", ["[{b} for _ in range(2)]", "list({b} for _ in range(2))", "dict((i, {b}) for i in range(2))"]
)
def test_comprehensions(block, comprehension: str) -> None:
    traced = run("kept = " + comprehension.format(b=block(40)))
    assert traced.line("kept").self_increment == about(80)
    assert traced.line("kept").occurrences == 1


def test_a_statement_over_several_lines(block) -> None:
    traced = run(f"kept = [\n    {block(40)},\n    {block(50)},\n]\nn = len(kept)")
    assert traced.line("kept = [").increment == about(90)
    assert traced.line("kept = [").occurrences == 1


def test_a_generator_that_is_kept(block) -> None:
    namespace = run(
        f"def blocks():\n    while True:\n        held = {block(40)}\n        yield held\nendless = blocks()"
    ).namespace
    traced = run("first = next(endless)\nsecond = next(endless)", endless=namespace["endless"])
    assert traced.line("first").increment == about(40)
    assert traced.line("second").increment == about(40)


def test_coroutines_under_gather(block) -> None:
    traced = run(
        f"""
        async def hold(n):
            mine = {block(40)}
            await asyncio.sleep(0.001 * n)
            kept.append({block(50)})
        async def both():
            await asyncio.gather(hold(1), hold(2))
        kept = []
        asyncio.run(both())
        """,
        asyncio=asyncio,
    )
    assert traced.line("kept.append").self_increment == about(100)
    assert traced.line("asyncio.run").increment == about(100)
    assert traced.line("mine = ").occurrences == 2


def test_worker_threads(block) -> None:
    traced = run(
        f"""
        def work():
            kept.append({block(40)})
        kept = []
        for _ in range(2):
            worker = threading.Thread(target=work)
            worker.start()
            worker.join()
        """,
        threading=threading,
    )
    assert traced.line("kept.append").self_increment == about(80)


def test_with_try_and_finally(block) -> None:
    traced = run(
        f"""
        import contextlib
        @contextlib.contextmanager
        def holding():
            held = {block(40)}
            yield held
            del held
        kept = []
        try:
            with holding() as held:
                kept.append({block(50)})
                raise KeyError
        except KeyError:
            held = None
            more = {block(60)}
        finally:
            kept.clear()
        """
    )
    assert traced.line("kept.append").increment == about(50)
    assert traced.line("more = ").increment == about(60)
    assert traced.line("kept.clear").increment == about(-50)


def test_exceptions_free_what_they_held(block) -> None:
    traced = run(
        f"""
        def fail():
            mine = {block(40)}
            raise ValueError
        try:
            fail()
        except ValueError:
            pass
        n = 1
        """
    )
    assert traced.line("mine = ").increment == about(40)
    assert traced.line("n = 1").mem_usage == pytest.approx(traced.engine.ledger.rss_start, abs=SLACK)


def test_class_bodies_and_methods_of_every_kind(block) -> None:
    traced = run(
        f"""
        class Store:
            shared = {block(40)}
            def __init__(self):
                self.mine = {block(41)}
            @property
            def view(self):
                return {block(42)}
            @staticmethod
            def free():
                return {block(43)}
            @classmethod
            def make(cls):
                return {block(44)}
            def __call__(self):
                return {block(45)}
            def __getitem__(self, key):
                return {block(46)}
        store = Store()
        a = store.view
        b = store.free()
        c = Store.make()
        called = store()
        item = store[0]
        """
    )
    sizes = {"store = ": 41, "a = store": 42, "b = store": 43, "c = Store": 44, "called = ": 45, "item = ": 46}
    for text, size in sizes.items():
        assert traced.line(text).increment == about(size), text
        assert traced.line(text).self_increment == about(0), text
    assert traced.line("shared = ").self_increment == about(40)


def test_closures_lambdas_partials_and_wrappers(block) -> None:
    traced = run(
        f"""
        def doubling(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args), function(*args)
            return wrapper
        def outer(n):
            def inner():
                return {block(40)}, n
            return inner
        @doubling
        def single(n):
            return {block(50)}
        quick = lambda n: {block(60)}
        @functools.lru_cache
        def cached(n):
            return {block(70)}
        a = outer(1)()
        b = single(1)
        c = quick(1)
        d = functools.partial(single, 2)()
        e = cached(1), cached(1)
        """,
        functools=functools,
    )
    for text, size in {"a = ": 40, "b = ": 100, "c = ": 60, "d = ": 100, "e = ": 70}.items():
        assert traced.line(text).increment == about(size), text
    assert traced.line(f"return {block(40)}").self_increment == about(40)
    assert traced.line("return function(").occurrences == 2
    assert traced.line(f"return {block(50)}").self_increment == about(200)
    assert traced.line(f"return {block(70)}").occurrences == 1


def test_a_lambda_is_part_of_the_statement_that_it_is_written_in(block) -> None:
    traced = run(
        f"""
        quick = lambda n: {block(40)}
        a = quick(1)
        b = (lambda: {block(50)})()
        c = list(map(lambda n: {block(60)},
                     range(2)))
        def outer():
            inner = lambda: {block(70)}
            return inner()
        d = outer()
        """
    )
    for text, size, occurrences in [("quick =", 40, 2), ("b =", 50, 1), ("c =", 120, 1), ("inner =", 70, 2)]:
        line = traced.line(text)
        assert (line.self_increment, line.increment) == (about(size), about(size)), text
        assert line.occurrences == occurrences, text
    assert (traced.line("a =").self_increment, traced.line("a =").increment) == (about(0), about(40))


def test_a_lambda_that_is_called_often_in_its_own_statement_leaves_that_exact() -> None:
    traced = trace(
        "a = sorted(range(300), key=lambda n: -n)\nf = lambda n: n\nb = [f(n) for n in range(300)]", budget=100
    )
    assert (traced.line("a =").occurrences, traced.line("a =").sampled) == (1, False)
    assert traced.line("f =").sampled


def test_recursion_through_a_lambda_counts_each_call_of_the_function() -> None:
    traced = trace(
        """
        def down(n):
            return (lambda: down(n - 1))() if n else bytearray(40_000_000)
        a = down(100)
        """
    )
    assert traced.line("return").occurrences == 101
    assert traced.line("return").increment == about(40)
    assert traced.line("return").self_increment == about(40)


def test_functions_and_classes_on_one_line(block) -> None:
    traced = run(
        f"""
        def make(n): return {block(40)}
        def down(n): return [{block(50)}] + (down(n - 1) if n else [])
        class Box: held = {block(60)}; more = {block(70)}
        a = make(1), make(2)
        b = down(2)
        def outer():
            class Inner:
                held = {block(80)}
            return Inner
        c = outer()
        """
    )
    for text, size, occurrences in [("make(n)", 80, 3), ("down(n)", 150, 4), ("class Box", 130, 1)]:
        line = traced.line(text)
        assert (line.self_increment, line.increment) == (about(size), about(size)), text
        assert line.occurrences == occurrences, text
    assert traced.line("class Inner").increment == about(80)
    assert traced.line("class Inner").occurrences == 1
    assert {lines.function for lines in traced.functions} == {"<module>", "make", "down", "outer"}


def test_match_is_billed_case_by_case(block) -> None:
    traced = run(
        f"""
        def size(n):
            kept.append({block(40)})
            return n > 1
        kept = []
        for n in range(3):
            match n:
                case 0:
                    a = {block(50)}
                case (
                    1 | 2
                ) if size(n):
                    b = {block(60)}
                case _:
                    c = {block(70)}
        """
    )
    for text, size in {"a =": 50, "b =": 60, "c =": 70}.items():
        assert traced.line(text).self_increment == about(size), text
        assert traced.line(text).occurrences == 1, text
    assert traced.line("match n").increment == about(0)
    assert traced.line("match n").occurrences == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters_are_part_of_what_has_them(block) -> None:
    traced = run(
        f"""
        def first[T](n: T) -> list[T]:
            one = {block(40)}
            return one
        class Box[T]:
            held = {block(50)}
            def make[U](self, u: U) -> U:
                two = {block(60)}
                return two
        type Pair[T] = tuple[T, T]
        a = first(1)
        b = Box().make(1)
        """
    )
    assert {lines.function for lines in traced.functions} == {"<module>", "first", "Box.make"}
    for text, size in {"one =": 40, "held =": 50, "class Box": 50, "two =": 60}.items():
        assert traced.line(text).increment == about(size), text
    assert [traced.line(text).occurrences for text in ("def first", "class Box", "def make", "type Pair")] == [1] * 4


def test_a_function_that_is_defined_anew(block) -> None:
    traced = run(f"def work():\n    return {block(40)}\na = work()\ndef work():\n    return {block(50)}\nb = work()")
    assert traced.line("a = ").increment == about(40)
    assert traced.line("b = ").increment == about(50)


def test_exec_counts_on_its_line(block) -> None:
    traced = run(f'exec("""kept = {block(40)}""")\nn = 1')
    assert traced.line("exec(").increment == about(40)


@pytest.mark.parametrize("kind", ["partial", "wrapped", "property", "static", "class", "closure", "lambda", "method"])
def test_a_function_of_each_kind_can_be_named(kind: str) -> None:
    from jupyter_profkit.engines.scope import code_of

    class Store:
        @property
        def view(self):
            return 1

        @staticmethod
        def free():
            return 1

        @classmethod
        def make(cls):
            return 1

        def plain(self):
            return 1

    def closure():
        return Store

    wrapped = functools.wraps(closure)(lambda: closure())
    quick = lambda: 1
    named = {
        "partial": (functools.partial(closure), closure),
        "wrapped": (wrapped, closure),
        "property": (vars(Store)["view"], vars(Store)["view"].fget),
        "static": (Store.free, Store.free),
        "class": (Store.make, Store.make.__func__),
        "closure": (closure, closure),
        "lambda": (quick, quick),
        "method": (Store().plain, Store.plain),
    }
    function, code = named[kind]
    assert code_of(function) is code.__code__
