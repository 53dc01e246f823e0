"""What an object refers to, asked so that nothing breaks."""

import gc
import subprocess
import sys
import types
from collections import deque

import pytest

from jupyter_profkit.engines.referents import referents


@pytest.mark.parametrize("obj", [[1, "a"], {"k": 2.5}, (1, [2]), deque([b"x"]), lambda: None])
def test_they_are_the_garbage_collectors(obj):
    assert [*map(id, referents(obj))] == [*map(id, gc.get_referents(obj))]


def test_of_a_module_only_its_namespace_counts():
    module = types.ModuleType("module")
    assert [id(one) for one in referents(module)] == [id(vars(module))]


class HasGetattr(types.ModuleType):
    def __getattribute__(self, name):
        raise RuntimeError(name)


def test_a_module_is_not_asked_itself():
    assert [type(one) for one in referents(HasGetattr("module"))] == [dict]


SPARE_ITERATORS = """
import asyncio, faulthandler, gc, _asyncio
faulthandler.dump_traceback_later(60, exit=True)

async def main():
    for _ in range(3):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 1)
        await future

asyncio.run(main())
from jupyter_profkit.engines.referents import referents
for obj in gc.get_objects():
    referents(obj)
gc.collect()
gc.get_referrers(main)
print("alive")
"""


@pytest.mark.process
def test_every_object_can_be_asked_once_asyncio_was_used():
    # gc.get_referents(_asyncio) makes the next collection endless on Python 3.12
    done = subprocess.run([sys.executable, "-c", SPARE_ITERATORS], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("alive", "")
