from __future__ import annotations

import json
import os
import textwrap
import traceback

import pytest

import jupyter_profkit.units
from jupyter_profkit.engines import await_tracer, scoped_profiler, stacks
from jupyter_profkit.source import (
    Statements,
    as_typed,
    cut_traceback,
    is_user_file,
    label_of,
    parse_lines,
    place_of,
    source_lines,
)


def starts(source: str) -> list[int]:
    """For each line of `source`, the line on which its statement begins."""
    lines = textwrap.dedent(source).strip("\n").splitlines()
    statements = Statements.of(parse_lines(lines))
    return [statements.start(lineno) for lineno in range(1, len(lines) + 1)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = 1\nb = 2", [1, 2]),
        ("a = dict(\n    b=1,\n)\nc = 3", [1, 1, 1, 4]),
        ("for x in [\n    1,\n]:\n    y = x", [1, 1, 1, 4]),
        ("@deco\ndef f(\n    a,\n):\n    return a", [1, 1, 1, 4, 5]),
        ("@a(\n    1)\n@b\nclass K:\n    x = 1\n    @c\n    async def f(self): return 1", [1, 1, 1, 1, 5, 6, 7]),
        ("with open(\n    'x'\n) as f, g:\n    pass", [1, 1, 1, 4]),
        ("if (a and\n    b):\n    c\nelse:\n    d", [1, 1, 3, 4, 5]),
        ("x = '''a\nb'''\ny = x", [1, 1, 3]),
        ("f(lambda:\n    g(\n        1))", [1, 1, 1]),
        ("class K(\n    B\n):\n    x = [\n    ]", [1, 1, 3, 4, 4]),
        ("try:\n    a(\n    )\nexcept (\n    E):\n    b", [1, 2, 2, 4, 4, 6]),
        ("match f(\n    x):\n    case 1:\n        a\n    case (\n        2) if x:\n        b", [1, 1, 3, 4, 5, 6, 7]),
        ("match x:\n    case {\n        'a': 1,\n    }:\n        b(\n        )\n    case _: c", [1, 2, 2, 2, 5, 5, 7]),
        ("if x: y = 1", [1]),
        ("this is not Python\nat all", [1, 2]),
    ],
)
def test_each_line_belongs_to_the_statement_a_reader_sees(source: str, expected: list[int]) -> None:
    assert starts(source) == expected


@pytest.mark.parametrize("name", ["src/memray/_memray.pyx", "pandas/_libs/hashtable_class_helper.pxi", "/tmp/own.pyx"])
def test_what_cython_compiled_is_nobodys(name: str) -> None:
    assert not is_user_file(name)


def test_the_standard_library_site_packages_and_this_package_are_not_the_users() -> None:
    assert not is_user_file(json.__file__)
    assert not is_user_file(pytest.__file__)
    assert not is_user_file(jupyter_profkit.units.__file__)
    assert not is_user_file("<string>")
    assert not is_user_file("<frozen importlib._bootstrap>")
    assert is_user_file(__file__)


def test_a_file_is_called_by_its_shortest_name(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", os.fspath(tmp_path.parent))
    assert label_of(os.fspath(tmp_path / "clean.py")) == "clean.py"
    assert label_of(os.fspath(tmp_path.parent / "other.py")) == "~/other.py"
    assert label_of(json.__file__) == "json/__init__.py"
    assert label_of("<string>") == "<string>"


@pytest.mark.parametrize(
    "typed", ["In [7]", "<%cprofile 3>", "<ipython-input-7-abc>", "<timed exec>", "/tmp/ipykernel_7/1.py"]
)
def test_what_is_typed_into_a_notebook_has_one_place(typed: str) -> None:
    assert place_of(typed) == "notebook"


@pytest.mark.parametrize(
    "label", ["<string>", "<frozen importlib._bootstrap>", "<__array_function__ internals>", "a.py"]
)
def test_other_code_without_a_file_is_none_of_the_notebooks(label: str) -> None:
    assert place_of(label) == label


def test_a_file_without_source_has_no_lines() -> None:
    assert source_lines("<nowhere>") == []


def test_the_magics_on_top_of_a_cell_do_not_keep_its_statements_from_being_known() -> None:
    statements = Statements.of(parse_lines(["%%memprofile -p 3", "%%cprofile", "both = dict(", "    a=1,", ")"]))
    assert [statements.start(lineno) for lineno in range(1, 6)] == [1, 2, 3, 3, 3]


@pytest.mark.parametrize("module", [await_tracer, scoped_profiler, stacks])
def test_an_interrupt_that_falls_into_a_callback_of_ours_has_the_users_frames_only(module) -> None:
    namespace: dict[str, object] = {}
    exec(compile("def callback():\n    raise KeyboardInterrupt", module.__file__, "exec"), namespace)

    def users():
        namespace["callback"]()

    with pytest.raises(KeyboardInterrupt) as raised:
        users()
    cut_traceback(raised.value)
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-1] == "users"


@pytest.mark.parametrize(
    "typed",
    [
        "%time y = [1] * n",
        "x = %time f('it\\'s', \"b\")",
        "%matplotlib inline",
        "!echo $HOME 'a b'",
        "files = !ls",
        "!!ls",
        "    !ls {folder}",
        "len?",
        "df.merge??",
    ],
)
def test_what_the_shell_made_of_a_line_is_read_as_it_was_typed(typed: str) -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    made = TransformerManager().transform_cell(f"if x:\n{typed}" if typed.startswith(" ") else typed).splitlines()[-1]
    assert "get_ipython()" in made
    assert as_typed(made) == typed


def test_a_cell_magic_is_known_by_its_first_line() -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    assert as_typed(TransformerManager().transform_cell("%%time -q\nf()\n").rstrip("\n")) == "%%time -q"


@pytest.mark.parametrize(
    "line", ["shell = get_ipython()", "get_ipython().system(f'echo {x}')", "get_ipython().run_line_magic('a', 1)", ""]
)
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert as_typed(line) == line
