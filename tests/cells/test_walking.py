"""Long walks over the heap: they say how far they are, and an interrupt ends them and leaves nothing."""

from __future__ import annotations

import gc
import itertools
import json
import signal
import subprocess
import sys
import time
import weakref

import pytest

from jupyter_profkit.cells import walking as module
from jupyter_profkit.cells.objects import explain_holders, weigh_namespace
from jupyter_profkit.cells.progress import Progress
from jupyter_profkit.cells.references import draw_references
from jupyter_profkit.cells.walking import walking
from jupyter_profkit.engines.leaks import sort_out
from jupyter_profkit.engines.new_objects import NewObjects
from jupyter_profkit.engines.reference_holders import Holders
from tests.kernels import ROOT


class Held:
    pass


@pytest.fixture
def walker():
    running = []

    def start(*arguments):
        command = [sys.executable, "-m", "tests.cells.walker", *arguments]
        running.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return running[0]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("walk", ["objwhy", "objrefs", "memwhos", "objleaks"])
def test_an_interrupt_at_any_moment_ends_the_walk_and_leaves_nothing(walker, walk):
    process = walker(walk, "200000")
    for number in range(8):
        assert process.stdout.readline() == "go\n"
        time.sleep(0.02 + 0.09 * number)
        process.send_signal(signal.SIGINT)
        told = json.loads(process.stdout.readline())
        assert told["after"] == told["before"]
        assert (told["is_dead"], told["n_held"]) == (True, 0), "the traceback is still there, and holds nothing"


def test_an_interrupt_in_an_enclosed_function_leaves_nothing_either():
    def walk():
        held = Held()
        made.append(weakref.ref(held))
        return [stop() for _ in range(1) if held]

    def stop():
        raise KeyboardInterrupt

    made: list[weakref.ref[Held]] = []
    with pytest.raises(KeyboardInterrupt) as caught, walking("a walk", quiet=True):
        walk()
    gc.collect()
    assert made[0]() is None
    assert caught.traceback[-1].name != "stop"


WALKS = {
    "objwhy": lambda space, step: explain_holders([space["held"]], namespace=space, time_limit=600, step=step),
    "objrefs": lambda space, step: draw_references(
        [space["held"]], back=True, namespace=space, max_depth=3, time_limit=600, step=step
    ),
    "memwhos": lambda space, step: weigh_namespace(namespace=space, step=step),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_reports_after_each_few_thousand_objects(walk, monkeypatch):
    space = {"held": Held(), "heap": [[n] for n in range(100_000)]}
    space["others"] = [[space["held"]] for _ in range(30_000)]
    told = []
    WALKS[walk](space, told.append)
    assert len(told) > 25, "130,000 objects in pieces of some thousands"


def test_what_a_cell_left_is_read_with_reports():
    told, space = [], {}
    new = NewObjects()
    new.start()
    space["made"] = [[n] for n in range(50_000)]
    new.stop()
    sort_out(new, Holders(None, space), step=told.append)
    new.release()
    assert len(told) > 10


def test_memwhos_counts_a_long_list_in_pieces():
    told = []
    weigh_namespace(namespace={"heap": [n + 0.5 for n in range(200_000)]}, step=told.append)
    assert max(after - before for before, after in itertools.pairwise(told)) <= 10_000


def test_the_line_is_there_while_the_walk_goes_on_and_gone_afterwards(monkeypatch):
    drawn = []

    class Line(Progress):
        def __init__(self, label, **options):
            super().__init__(label, patience=0.0, **options)
            self._line = FakeLine(drawn) if options["enabled"] else None

    monkeypatch.setattr(module, "Progress", Line)
    with walking("%objwhy x") as step:
        step(1_234)
        assert [text.partition("  ")[0] for text in drawn] == ["%objwhy x"]
        assert drawn[0].endswith("1,234 objects")
    assert drawn[1:] == [None]
    with walking("%objwhy x", quiet=True) as step:
        step(1)
    assert len(drawn) == 2


class FakeLine:
    is_there = True

    def __init__(self, drawn):
        self.draw = drawn.append
        self.wipe = lambda: drawn.append(None)


def test_the_frames_of_a_walk_that_failed_hold_nothing():
    def fails(held):
        frames_have = [held]
        raise LookupError(len(frames_have))

    with pytest.raises(LookupError) as caught, walking("x"):
        fails(Held())
    link = caught.value.__traceback__
    while link.tb_next is not None:
        link = link.tb_next
    assert link.tb_frame.f_code.co_name == "fails"
    assert link.tb_frame.f_locals == {}
