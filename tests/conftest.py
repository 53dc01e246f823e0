"""What every test is held to: it leaves no tracer, tool id, thread, process or limit behind."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest

if sys.platform != "win32":
    import resource

GOLDEN = Path(__file__).parent / "golden"

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("untimed")


_LARGE = 256 * 1024
_IS_MAPPED = 2
"""The bit in a block's header by which glibc knows that it has a mapping of its own."""


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt"):
        return None
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    return library


_GLIBC = _glibc()


HEAP = {
    *("cells/test_objects.py", "cells/test_references.py", "engines/test_cycles.py", "engines/test_heap_scan.py"),
    *("engines/test_leaks.py", "engines/test_new_objects.py", "engines/test_references.py"),
    *("engines/test_type_counts.py", "engines/test_why.py", "test_api.py"),
}
"""Files whose tests read every object of the process. They run first, and all in one process:
pandas, matplotlib and the like, once imported, double and treble their time."""


def reads_the_heap(nodeid: str) -> bool:
    return nodeid.partition("::")[0].removeprefix("tests/") in HEAP


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not reads_the_heap(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs all tests of a file, and all that drive a browser, so that what they share is made once.

    The groups of xdist 3.8 itself have no effect in pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if reads_the_heap(nodeid):
                return "heap"
            if nodeid.startswith("tests/browser/"):
                return "browser"
            return nodeid.partition("[")[2] if nodeid.startswith("tests/notebooks/") else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the longest begin
    return ByFile(config, log)


def pytest_configure() -> None:
    large_blocks_have_mappings_of_their_own()


def large_blocks_have_mappings_of_their_own() -> None:
    """Give every block of 256 KiB and more a mapping of its own, resident and gone to the page.

    glibc raises that threshold as blocks are freed, and then reuses memory: right
    for programs, useless where a test must know what an allocation does.
    """
    if _GLIBC is not None:
        _GLIBC.mallopt(-3, _LARGE)  # M_MMAP_THRESHOLD


@pytest.fixture(autouse=True)
def holes_in_the_heap_are_plugged() -> Iterator[None]:
    """Nor may a large block come from what earlier tests left free: glibc looks there before it maps."""
    plugs: list[int] = []
    while _GLIBC is not None:
        block = _GLIBC.malloc(_LARGE)
        if ctypes.c_size_t.from_address(block - ctypes.sizeof(ctypes.c_size_t)).value & _IS_MAPPED:
            _GLIBC.free(block)
            break
        plugs.append(block)
    yield
    for block in plugs:
        _GLIBC.free(block)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; then look at the diff")


def _hooks() -> dict[str, object]:
    # SIGALRM is left out: pytest-timeout gives it back when a test fails.
    found: dict[str, object] = {
        "sys.settrace": sys.gettrace(),
        "sys.setprofile": sys.getprofile(),
        "threading.settrace": threading.gettrace(),
        "threading.setprofile": threading.getprofile(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals() - {signal.SIGALRM}},
        "sys.setswitchinterval": sys.getswitchinterval(),
        "gc.callbacks": [each for each in gc.callbacks if "profkit" in each.__module__],  # hypothesis has one, too
        "gc": (gc.isenabled(), gc.get_debug(), gc.get_freeze_count()),
    }
    if sys.platform != "win32":
        found["RLIMIT_DATA"] = resource.getrlimit(resource.RLIMIT_DATA)
    if sys.version_info >= (3, 12):
        found["sys.monitoring"] = [sys.monitoring.get_tool(tool_id) for tool_id in range(6)]
    return found


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest):
    """Fail a test that leaves a hook, thread or process where it found none."""
    if {"kernel", "browser", "notebook"} & {mark.name for mark in request.node.iter_markers()}:
        yield  # what is measured lives in another process, which is asked itself
        return
    hooks, threads, children = _hooks(), set(threading.enumerate()), _children()
    yield
    assert _hooks() == hooks
    deadline = time.monotonic() + 2
    while (left := _left_behind(threads, children)) and time.monotonic() < deadline:
        time.sleep(0.01)  # an ended thread or process may still be on its way out
    assert not left


def _left_behind(threads: set[threading.Thread], children: set[int]) -> list[object]:
    history = [thread for thread in threading.enumerate() if thread not in threads and "History" not in thread.name]
    return [*history, *(_children() - children)]


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """Compare a text with a golden file; `--update-golden` writes it."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
