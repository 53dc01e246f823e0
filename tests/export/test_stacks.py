"""Stacks for other tools: speedscope's schema, collapsed lines, an SVG file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jupyter_profkit import load
from jupyter_profkit.errors import OptionError, RecordingError
from jupyter_profkit.export.collapsed import to_collapsed
from jupyter_profkit.export.speedscope import to_speedscope
from tests.views.test_call_tree import EVIL, TREE, CallTree, own, profile

SCHEMA = json.loads((Path(__file__).parent / "speedscope" / "file-format-schema.json").read_text(encoding="utf-8"))
"""That of the npm package speedscope 1.25.0 (MIT, its licence is beside it), as published at the address it names."""


def check_speedscope(content):
    """What the published schema demands, and what it cannot say: indexes and sums that fit."""
    import jsonschema

    jsonschema.validate(content, SCHEMA)
    for sampled in content["profiles"]:
        assert len(sampled["samples"]) == len(sampled["weights"])
        n_frames = len(content["shared"]["frames"])
        assert all(type(index) is int and 0 <= index < n_frames for stack in sampled["samples"] for index in stack)
        assert all(weight >= 0 for weight in sampled["weights"])
        assert sampled["endValue"] - sampled["startValue"] == pytest.approx(sum(sampled["weights"]))
    assert content["activeProfileIndex"] < len(content["profiles"])


def test_the_schema_refuses_what_speedscope_cannot_open():
    import jsonschema

    content = to_speedscope(TREE, "x")
    for wrong in ({"profiles": 3}, {"shared": {}}, {"profiles": [{**content["profiles"][0], "unit": "fortnights"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, **wrong}, SCHEMA)


def test_speedscope_gets_what_its_schema_demands(tmp_path):
    path = profile(TREE).save(tmp_path / "run.speedscope.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    check_speedscope(content)
    names = [frame["name"] for frame in content["shared"]["frames"]]
    stacks = [[names[index] for index in stack] for stack in content["profiles"][0]["samples"]]
    assert dict(zip(map(tuple, stacks), content["profiles"][0]["weights"], strict=True)) == {
        ("clean(df)", "Model.fit", "dumps"): 0.6,
        ("x = f()",): 0.2,
        ("clean(df)",): 0.1,
        ("clean(df)", "Model.fit"): 0.1,
    }


@pytest.mark.parametrize("tree", [CallTree(), CallTree((own(EVIL, 1.0, own("", 0.5, label="", lineno=0)),))])
def test_speedscope_is_valid_whatever_was_sampled(tree):
    check_speedscope(json.loads(json.dumps(to_speedscope(tree, EVIL))))


def test_a_frame_on_several_paths_is_described_once():
    shared = CallTree((own("a", 0.0, own("apply", 1.0)), own("b", 0.0, own("apply", 2.0))))
    assert [frame["name"] for frame in to_speedscope(shared, "x")["shared"]["frames"]] == ["b", "apply", "a"]


def test_collapsed_stacks_are_paths_and_microseconds(tmp_path):
    assert profile(TREE).save(tmp_path / "RUN.Collapsed.TXT").read_text(encoding="utf-8").splitlines() == [
        "In [1]:3(clean(df)) 100000",
        "In [1]:3(clean(df));In [1]:3(Model.fit) 100000",
        "In [1]:3(clean(df));In [1]:3(Model.fit);json:9(dumps) 600000",
        "In [1]:3(x = f()) 200000",
    ]


def test_a_collapsed_path_is_one_line_whatever_its_names_hold():
    text = to_collapsed(CallTree((own(EVIL, 1.0, own("inner", 0.5)), own("short", 1e-8))))
    lines = text.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["1000000", "500000"]
    assert [line.count(";") for line in lines] == [0, 1]


def test_the_flame_graph_is_saved_as_svg(tmp_path):
    path = profile(TREE).save(tmp_path / "run.svg")
    assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("suffix", [".speedscope.json", ".collapsed.txt"])
def test_without_stacks_nothing_is_written(tmp_path, suffix):
    with pytest.raises(OptionError, match="this run has no stacks to write"):
        profile(None).save(tmp_path / f"run{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_other_dots_in_a_name_mean_nothing(tmp_path):
    saved = profile(TREE).save(tmp_path / "run.v2.json")
    assert load(saved) == profile(TREE)
    assert "Flame graph" in profile(TREE).save(tmp_path / "v1.txt").read_text(encoding="utf-8")


def test_a_speedscope_file_is_no_recording_of_ours(tmp_path):
    with pytest.raises(
        RecordingError, match=r"speedscope.json: stacks for speedscope.app; runs are read back from .json and .prof"
    ):
        load(profile(TREE).save(tmp_path / "run.speedscope.json"))
