"""`%memwhos` without a shell: every byte of the resident memory is somebody's."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jupyter_profkit.cells import objects
from jupyter_profkit.cells.objects import weigh_namespace
from jupyter_profkit.engines.process_memory import ProcessMemory
from jupyter_profkit.errors import MissingDependencyError, OptionError
from jupyter_profkit.model.objects import MemoryHolder, NamespaceMemory

MB = 1_000_000


def weigh(shell: object = None, **namespace: object) -> NamespaceMemory:
    return weigh_namespace(shell=shell, namespace=namespace)


def holder(memory: NamespaceMemory, name: str) -> MemoryHolder:
    (found,) = [one for one in memory.holders if one.name == name]
    return found


def part(memory: NamespaceMemory, name: str) -> int:
    return sum(one.size for one in memory.parts if one.name == name)


def test_the_parts_add_up_to_the_resident_memory() -> None:
    memory = weigh(x=[bytes(MB)], y=np.ones(MB))
    assert sum(one.size for one in memory.parts) == memory.rss


def test_each_variable_has_its_own_size_and_names_of_one_object_stand_together() -> None:
    data = [np.ones(MB)]
    memory = weigh(x=data, same=data, y=bytearray(3 * MB), held={"d": data})
    assert holder(memory, "x, same").shared == pytest.approx(8 * MB, abs=5000)
    assert holder(memory, "y").exclusive == pytest.approx(3 * MB, abs=5000)
    assert holder(memory, "held").exclusive < 5000


def test_a_variable_explains_the_memory_that_it_took() -> None:
    before = weigh()
    block = np.ones(10 * MB)
    after = weigh(block=block)
    assert holder(after, "block").exclusive == pytest.approx(80 * MB, abs=5000)
    rest = part(after, "not explained") - part(before, "not explained")
    assert abs(rest + part(after, "not resident") - part(before, "not resident")) < 8 * MB


def test_memory_that_was_never_touched_is_told_as_not_resident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "read_process_memory", lambda: ProcessMemory(60 * MB, None, None, None))
    memory = weigh(x=np.zeros(10 * MB))
    assert part(memory, "not resident") < -20 * MB
    assert sum(one.size for one in memory.parts) == memory.rss == 60 * MB


def test_libraries_are_not_listed_but_counted() -> None:
    memory = weigh(np=np, dumps=json.dumps, array=np.ndarray, x=1)
    assert [one.name for one in memory.holders if one.kind == "variable"] == ["x"]
    assert any("3 names of modules, classes and functions of libraries" in note for note in memory.method.notes)


def test_outputs_errors_and_history_are_ipythons() -> None:
    shown, error = [bytes(5 * MB)], ValueError(bytes(2 * MB))
    space = {"_oh": {3: shown}, "_3": shown, "_": shown, "_ih": ["shown"], "In": None, "x": [shown]}
    hook = SimpleNamespace(_=shown, __="", ___="")
    shell = SimpleNamespace(
        user_ns=space,
        user_ns_hidden={"_3": shown, "In": None},
        displayhook=hook,
        InteractiveTB=SimpleNamespace(tb=error),
    )
    memory = weigh(shell, **space)
    assert {one.kind for one in memory.holders} == {"variable", "output", "IPython", "modules", "other"}
    assert [one.name for one in memory.holders if one.kind == "variable"] == ["x"]
    assert holder(memory, "Out[3], _, _3").shared == pytest.approx(5 * MB, abs=5000)
    assert holder(memory, "the last error").exclusive == pytest.approx(2 * MB, abs=5000)


def test_an_output_that_only_ipython_has_is_its_own() -> None:
    shown = [bytes(5 * MB)]
    shell = SimpleNamespace(
        user_ns_hidden={},
        displayhook=SimpleNamespace(_=shown),
        last_execution_result=SimpleNamespace(result=shown),
    )
    memory = weigh(shell, _oh={3: shown}, _3=shown)
    assert holder(memory, "Out[3], _, _3").exclusive == pytest.approx(5 * MB, abs=5000)
    assert part(memory, "Out, _ and other outputs") == pytest.approx(5 * MB, abs=5000)


def test_a_variable_that_was_displayed_says_so() -> None:
    shown = [bytes(MB)]
    shell = SimpleNamespace(user_ns_hidden={})
    memory = weigh(shell, _oh={3: shown}, _3=shown, x=shown)
    assert holder(memory, "x").also == "Out[3], _3"
    assert "also Out[3], _3" in str(memory.report())


def test_the_namespace_of_main_is_not_taken_for_a_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "x_for_this_test", [bytes(MB)], raising=False)
    memory = weigh_namespace()
    assert holder(memory, "x_for_this_test").exclusive == pytest.approx(MB, abs=5000)


def test_trim_where_it_cannot_be_done_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "can_give_back", lambda: False)
    with pytest.raises(MissingDependencyError, match="--trim needs"):
        weigh_namespace(trim=True)


ORDERS = {"size": "b c a", "exclusive": "b c a", "objects": "c a b", "name": "a b c", "type": "b c a"}


@pytest.mark.parametrize("sort", ORDERS)
def test_the_variables_are_sorted(sort: str) -> None:
    memory = weigh(a=(1.5, 2.5), b=bytearray(3 * MB), c=[[1] for _ in range(100)])
    lines = str(memory.report(sort=sort)).partition("─\n")[2].splitlines()[:3]
    assert " ".join(line.removeprefix("▸").strip()[0] for line in lines) == ORDERS[sort]


def test_a_limit_counts_what_it_leaves_out() -> None:
    text = str(weigh(a=bytearray(3 * MB), b=bytearray(MB), c=bytearray(MB)).report(limit=1))
    assert "2 more variables, 1.9 MiB" in text


def test_what_was_not_counted_is_many() -> None:
    memory = weigh(x=bytearray(MB))
    text = str(replace(memory, holders=(replace(holder(memory, "x"), shared=None),)).report())
    assert re.search(r"^▸? *x +bytearray .* many ", text, re.MULTILINE)


def test_display_options_of_others_are_refused() -> None:
    with pytest.raises(OptionError, match="no option 'depth'"):
        weigh().report(depth=3)
    with pytest.raises(OptionError, match="not one of size"):
        weigh().report(sort="age")
