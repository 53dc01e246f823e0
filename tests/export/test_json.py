"""Results as JSON: what is read back is what was written, and nothing else is accepted."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_profkit import load
from jupyter_profkit.errors import OptionError, RecordingError
from jupyter_profkit.export.json import _KINDS, from_json, to_json
from jupyter_profkit.model.line_memory import LineMemoryProfile
from jupyter_profkit.model.result import Result
from jupyter_profkit.model.timeline import MemoryTimeline
from tests.builders import cell_lines, line_profile

st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=("Cs",)), max_size=8))
profile = line_profile(cell_lines("a = 1\nb = [0] * n", {1: (1, 0, 0, 0), 2: (3, 40, 40, 160)}))


def results() -> Any:
    return st.one_of([st.builds(kind, **_no_nested_timeline(kind)) for kind in _KINDS.values()])


def _no_nested_timeline(kind: type[Result]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, vars(__import__(kind.__module__, fromlist=["x"])))
    return {"timeline": st.none()} if "timeline" in hints else {}


@given(results())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_result_is_read_back_as_it_was(result: Result) -> None:
    assert type(result).from_json(result.to_json()) == result


def test_a_file_is_loaded_whatever_it_is_called(tmp_path: Path) -> None:
    assert load(profile.save(tmp_path / "run.json")) == profile
    renamed = (tmp_path / "run.json").rename(tmp_path / "run.recording")
    assert load(renamed) == profile


def test_another_kind_than_expected_is_refused() -> None:
    with pytest.raises(RecordingError, match="a recording of LineMemoryProfile, not of MemoryTimeline"):
        from_json(to_json(profile), MemoryTimeline)


def damaged() -> dict[str, str]:
    whole = json.loads(to_json(profile))
    extra = {**whole, "result": {**whole["result"], "surplus": 1}}
    typed = {**whole, "result": {**whole["result"], "rss_start": "100"}}
    truth = {**whole, "result": {**whole["result"], "rss_start": True}}
    return {
        "empty list": "[]",
        "not JSON": "%%memprofile",
        "cut short": to_json(profile)[:200],
        "somebody else's": '{"traceEvents": []}',
        "unknown kind": '{"jupyter_profkit": 1, "kind": "os.system", "result": {}}',
        "a later format": '{"jupyter_profkit": 2, "kind": "line_memory", "result": {}}',
        "a surplus field": json.dumps(extra),
        "a number as text": json.dumps(typed),
        "a truth for a number": json.dumps(truth),
        "no fields": '{"jupyter_profkit": 1, "kind": "line_memory", "result": {}}',
        "deep": "[" * 100_000,
    }


@pytest.mark.parametrize("text", damaged().values(), ids=damaged())
def test_what_is_no_recording_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(RecordingError) as caught:
        LineMemoryProfile.from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"", "the file is empty"), (b"\x80\x04.", "."), (b"{\xff\xfe", "not UTF-8")],
)
def test_a_file_that_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_suffix_that_a_result_cannot_have_lists_those_that_it_can(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"one of \.json, \.csv, \.txt, \.html"):
        profile.save(tmp_path / "run.prof")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_the_same_in_csv_and_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = profile.to_dataframe()
    assert list(table.columns) == list(LineMemoryProfile.columns)
    assert table["increment"].tolist() == [0, 40 * 1024**2]
    written = pandas.read_csv(profile.save(tmp_path / "run.csv"))
    assert written["peak"].tolist() == table["peak"].tolist()
    assert written["source"].tolist() == ["a = 1", "b = [0] * n"]
