"""``%memprofile`` as it is typed, in a real kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = pytest.mark.kernel

WORK = "def work(n):\n    block = bytearray(n)\n    return block\n"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with running_kernel() as kernel:
        kernel.run(WORK)
        yield kernel


def complete(kernel: Kernel, code: str) -> list[str]:
    reply = kernel.client.complete(code, reply=True, timeout=20)
    return reply["content"]["matches"]


def test_the_line_form_measures_a_statement_and_returns_the_result_on_request(kernel: Kernel) -> None:
    reply = kernel.run("result = %memprofile -r work(40_000_000)")
    assert (reply.status, reply.value) == ("ok", None)
    assert "block = bytearray(n)" in reply.reports[0]
    assert 39_000_000 < int(kernel.value("result.peak")) < 42_000_000
    assert kernel.run("%memprofile work(1000)").value is None


def test_quotes_and_spaces_of_the_statement_are_kept(kernel: Kernel) -> None:
    kernel.run('%memprofile -q said = \'a "b"  c\' + "it\'s"')
    assert kernel.value('said == \'a "b"  c\' + "it\'s"') == "True"


def test_a_variable_is_bound_and_has_its_dataframe(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile -v measured -q\nbig = work(20_000_000)\ndel big")
    assert (reply.status, reply.reports) == ("ok", [])
    assert (
        kernel.value("list(measured.to_dataframe().columns)[:4]") == "['function', 'filename', 'lineno', 'occurrences']"
    )
    assert kernel.value("measured.session.title.startswith('In [')") == "True"
    assert kernel.value("measured.timeline.peak.rss >= measured.rss_start") == "True"


def test_the_last_result_is_shown_again_without_running(kernel: Kernel) -> None:
    kernel.run("%%memprofile\nruns = globals().get('runs', 0) + 1\nwork(30_000_000)\nNone")
    reply = kernel.run("%memprofile -s peak -l 1 -p 3")
    lines = [line for line in reply.reports[0].splitlines() if "block = " in line or "runs = " in line]
    assert len(lines) == 1
    assert "block = " in lines[0]
    assert "28.6" in lines[0]
    assert kernel.value("runs") == "1"


def test_results_are_written_in_the_format_of_the_suffix(kernel: Kernel, tmp_path: Path) -> None:
    names = [tmp_path / f"a b.{suffix}" for suffix in ("json", "csv", "html", "txt")]
    dumps = " ".join(f"-D '{name}'" for name in names)
    reply = kernel.run(f"%%memprofile {dumps} -T '{tmp_path}/report.txt'\nx = 1")
    assert reply.status == "ok"
    assert reply.stdout.count("wrote ") == 5
    assert all(name.stat().st_size > 50 for name in names)
    assert "x = 1" in (tmp_path / "report.txt").read_text()
    assert kernel.value(f"__import__('jupyter_profkit').load({str(names[0])!r}).kind") == "'line_memory'"


def test_a_file_that_cannot_be_written_costs_only_the_file(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile -D /no/such/folder/x.json\nafter = 5\nafter")
    assert (reply.status, reply.value, len(reply.reports)) == ("ok", "5", 1)
    assert "/no/such/folder/x.json" in reply.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-f no_such_function", "there is no 'no_such_function' here"),
        ("-f len", "-f len: not a Python function"),
        ("-f work.nothing", "'work' has no 'nothing'"),
        ("-f dict.fromkeys", "-f dict.fromkeys: not a Python function"),
        ("-f work.__name__", "-f work.__name__: not a Python function"),
        ("-f dict", "-f dict: a class; name one of its methods"),
        ("-s colour", "'colour' is not one of line, increment, peak, occurrences"),
        ("-p many", "--precision takes a whole number"),
        ("-v 2x", "-v takes a variable's name"),
        ("-i 0.0001", "--interval takes a number of seconds, 0.001 or more"),
        ("--limit 4 GiB", "%%memprofile takes options only, not 'GiB'"),
        ("-c work(3)", "%%memprofile takes options only, not 'work(3)'; the code goes below (%memprofile?)"),
        ("--lmit 3", "%memprofile has no option --lmit; did you mean --limit? (%memprofile?)"),
        ("-D run.xyz", "--dump run.xyz: the suffix must be one of .json, .csv, .txt, .html"),
    ],
)
def test_bad_input_is_one_line_and_the_body_is_not_run(kernel: Kernel, line: str, message: str) -> None:
    reply = kernel.run(f"%%memprofile {line}\nwas_run = 1")
    assert (reply.status, reply.content["ename"], reply.reports) == ("error", "UsageError", [])
    assert message in reply.stderr
    assert len(reply.stderr.strip().splitlines()) == 1
    assert kernel.value("'was_run' in globals()") == "False"


def test_the_title_of_a_statement_is_what_was_typed(kernel: Kernel) -> None:
    assert kernel.report("%memprofile work(3)").splitlines()[0] == "%memprofile  work(3)"
    assert kernel.report("%memprofile -v one for n in range(2): work(n)").startswith("%memprofile  for n in range(2): ")
    assert "Compared with %memprofile for n in range(2): work(n): " in kernel.report(
        "%memprofile --compare one work(3)"
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("%memprofile work(3) +", "UsageError: %memprofile: invalid syntax, in line 1: work(3) +"),
        ("%cprofile return 3", "UsageError: %cprofile: 'return' outside function, in line 1: return 3"),
        ("%%time\n%%memprofile\nx = 1\nfor", "UsageError: %%memprofile: invalid syntax, in line 2: for"),
    ],
)
def test_a_statement_that_is_none_is_one_line(kernel: Kernel, code: str, message: str) -> None:
    reply = kernel.run(code)
    assert (reply.status, reply.reports, reply.errors) == ("error", [], [])
    assert reply.stderr.strip() == message


def test_a_remark_may_follow_the_options(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile -p 2  # two digits\nbig = work(40_000_000)")
    assert (reply.status, len(reply.reports)) == ("ok", 1)
    assert re.search(r"Peak 3[78]\.\d\d MiB above the start", reply.reports[0])


def test_a_statement_that_awaits_is_sent_to_the_cell_form(kernel: Kernel) -> None:
    reply = kernel.run("%memprofile await something()")
    assert (reply.status, reply.content["ename"]) == ("error", "UsageError")
    assert "cell form" in reply.stderr


def test_an_error_of_the_statement_is_raised_unchanged_after_the_report(kernel: Kernel) -> None:
    reply = kernel.run("%memprofile work('x' / 2)")
    assert (reply.status, reply.content["ename"], len(reply.reports)) == ("error", "TypeError", 1)
    assert "jupyter_profkit/engines" not in reply.traceback


def test_help_shows_every_option(kernel: Kernel) -> None:
    reply = kernel.run("%memprofile?")
    text = reply.content["payload"][0]["data"]["text/plain"]
    assert "--hide-unchanged" in text
    assert "Memory by line" in text


def test_tab_completes_options_and_choices(kernel: Kernel) -> None:
    assert complete(kernel, "%%memprofile --pre") == ["--precision"]
    assert complete(kernel, "%memprofile -s p") == ["peak"]
    assert complete(kernel, "%memprofile --limit a") == ["auto"]
    assert complete(kernel, "%cprofile -s cum") == ["cumtime", "cumulative"]
    assert "--exclude" in complete(kernel, "%%memprofile -")


def test_config_changes_a_default(kernel: Kernel) -> None:
    assert "precision" in kernel.run("%config MemoryMagics").stdout
    kernel.run("%config MemoryMagics.precision = 3")
    reply = kernel.run("%%memprofile\nx = work(64_000_000)")
    kernel.run("%config MemoryMagics.precision = 1")
    (line,) = [line.lstrip("▸ ") for line in reply.reports[0].splitlines() if "block = " in line]
    assert line.split()[2].startswith("61.0")
    assert len(line.split()[2]) == len("61.035")


def test_plain_html_is_for_those_who_show_style_and_script_as_text(kernel: Kernel) -> None:
    assert "plain_html" in kernel.run("%config Reports").stdout
    kernel.run("%config Reports.plain_html = True")
    (bundle,) = kernel.run("%%memprofile --no-heap\nx = work(1_000_000)").displays
    kernel.run("%config Reports.plain_html = False")
    for mark in ("<style", "<script", "<span class"):
        assert mark not in bundle["text/html"]
    assert "block = bytearray(n)" in bundle["text/html"]
    assert "<script" in kernel.run("%%memprofile --no-heap\nx = work(1_000_000)").displays[0]["text/html"]


def test_a_function_of_another_cell_has_a_table_of_its_own(kernel: Kernel) -> None:
    report = kernel.run("%%memprofile\ny = work(15_000_000)").reports[0]
    assert "work() in In [" in report
    assert report.count("Line Contents") == 2


def test_a_function_that_is_defined_anew_is_shown_as_it_is_now(kernel: Kernel) -> None:
    kernel.run("def anew():\n    return 'old'")
    kernel.run("%%memprofile\nanew()")
    kernel.run("def anew():\n    fresh = 'new'\n    return fresh")
    report = kernel.run("%%memprofile\nanew()").reports[0]
    assert "fresh = 'new'" in report
    assert "'old'" not in report


def test_functions_that_autoreload_renewed_are_shown_as_they_are_now(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "profkit_reloaded.py"
    path.write_text("def build(n):\n    return bytearray(n)\ndef left(n):\n    return bytearray(n)\n")
    kernel.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n%load_ext autoreload\n%autoreload 2")
    kernel.run("import profkit_reloaded")
    kernel.report("%%memprofile\na = profkit_reloaded.build(20_000_000)")
    path.write_text(
        "# moved\n\n\ndef build(n):\n    first = bytearray(n)\n    return bytearray(2 * n)\n"
        "def left(n):\n    return bytearray(n)\n"
    )
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))
    report = kernel.report("%%memprofile\na = profkit_reloaded.build(50_000_000), profkit_reloaded.left(60_000_000)")
    figures = {line.split("  ")[-1].strip(): line.split() for line in report.splitlines()}
    for text, lineno, peak in [
        ("first = bytearray(n)", "5", "47.7"),
        ("return bytearray(2 * n)", "6", "95.4"),
        ("return bytearray(n)", "8", "57.2"),
    ]:
        found = [value for value in figures[text] if value != "▸"]
        assert (found[0], found[4]) == (lineno, peak), report
    kernel.run("%autoreload 0")


def test_the_report_of_a_library_import_is_small(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile\nimport matplotlib.pyplot as plt")
    bundle = next(bundle for bundle in reply.displays if bundle["text/plain"].startswith("%%memprofile"))
    assert sum(len(form) for form in bundle.values()) < 200_000
    assert reply.reports[0].count("Line Contents") == 1


def test_two_notebooks_commands_of_one_line_do_not_disturb_each_other(kernel: Kernel) -> None:
    reply = kernel.run("%%memprofile\n%cprofile -q z = sum(range(10))\nz")
    assert (reply.status, reply.value) == ("ok", "45")


def heap_runs(kernel: Kernel) -> bool:
    """Whether this memray is trusted on this Python."""
    return kernel.value("__import__('sys').version_info[:2] != (3, 12)") == "True"


def test_the_heap_stands_beside_resident_memory_or_the_report_says_why_not(kernel: Kernel) -> None:
    report = kernel.run("%%memprofile -v both\nkept = bytearray(30_000_000)").reports[0]
    if not heap_runs(kernel):
        assert "the heap columns are left out" in report
        assert kernel.value("both.kept") == "None"
        return
    assert "At peak  Kept" in report
    assert "kept heap 28.6 MiB" in report
    assert 30_000_000 <= int(kernel.value("both.kept")) < 30_300_000


def test_one_half_can_be_left_out_but_not_both(kernel: Kernel) -> None:
    assert "Kept" not in kernel.run("%%memprofile --no-heap\nkept = bytearray(3_000_000)").reports[0]
    reply = kernel.run("%%memprofile --no-lines\nkept = bytearray(30_000_000)")
    if heap_runs(kernel):
        assert "Occurrences" not in reply.reports[0]
        assert "28.6" in next(line for line in reply.reports[0].splitlines() if "kept = " in line)
        timed = kernel.run("%%memprofile --no-lines\n%time kept = bytearray(30_000_000)").reports[0]
        assert re.search(r" (28\.[6-9]|29\.\d|30\.\d)  %time kept = ", timed)  # small objects of IPython's in an arena
    else:
        assert "can crash Python 3.12" in reply.reports[0]
    reply = kernel.run("%%memprofile --no-heap --no-lines\nwas_run = 1")
    assert "leave nothing to measure" in reply.stderr


def test_a_run_is_compared_with_an_earlier_one_of_a_variable_or_a_file(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(
        f"%%memprofile -q -v small -D {tmp_path}/small.json\nkept = work(40_000_000)  # glibc maps what is larger than 32 MiB anew"
    )
    for earlier in ("small", tmp_path / "small.json"):
        kernel.run("kept = None")
        reply = kernel.run(f"%%memprofile --compare {earlier} -v large\nn = 80_000_000\nkept = work(n)\nn")
        assert (reply.status, reply.value) == ("ok", "80000000")
        (report,) = reply.reports
        assert "Compared with In [" in report
        assert "n = 80_000_000" in report
        assert report.count("Line Contents") == 4  # the cell and `work`, compared and by themselves
    change = "next(c for c in small.diff(large).changes if 'block =' in c.source)"
    assert kernel.value(f"{change}.status") == "''"
    assert 39_000_000 < int(kernel.value(f"{change}.change('self_increment')")) < 41_000_000


def test_the_last_result_is_compared_without_running_again(kernel: Kernel) -> None:
    kernel.run("%%memprofile -q -v first\nwork(1000)")
    kernel.run("%%memprofile -q\nwork(1000)\nruns = globals().get('runs', 0) + 1")
    assert "Compared with In [" in kernel.run("%memprofile --compare first").reports[0]


@pytest.mark.parametrize(
    ("earlier", "message"),
    [
        ("no_such_run", "there is no variable and no file of that name; it takes an earlier %%memprofile"),
        ("/no/such/run.json", "No such file or directory; it takes an earlier %%memprofile"),
        ("WORK", "that is of the type int; it takes an earlier %%memprofile: the name after its -v, or a file"),
        ("damaged.json", "not a recording of jupyter_profkit (not JSON, or cut short); it takes"),
        ("foreign.prof", "not a cProfile recording, or a damaged one; it takes an earlier %%memprofile"),
        (
            "notes.txt",
            "this is no recording, neither of jupyter_profkit nor of mprof; it takes an earlier %%memprofile",
        ),
        ("other.dat", "that is memory over time; it takes an earlier %%memprofile"),
        ("timed", "that is a time profile; it takes an earlier %%memprofile"),
    ],
)
def test_an_earlier_run_that_is_none_is_one_line_and_the_body_is_not_run(
    kernel: Kernel, tmp_path: Path, earlier: str, message: str
) -> None:
    (tmp_path / "damaged.json").write_text('{"jupyter_profkit": 1, "kind"')
    kernel.run("WORK = 3\n%cprofile -q -v timed 1 + 1")
    (tmp_path / "notes.txt").write_text("these are notes\n")
    (tmp_path / "foreign.prof").write_text("{not marshal")
    (tmp_path / "other.dat").write_text("MEM 10.0 1750000000.0\nMEM 25.0 1750000000.15\n")
    place = tmp_path / earlier if (tmp_path / earlier).exists() else earlier
    reply = kernel.run(f"%%memprofile --compare {place}\nwas_run = 1")
    assert (reply.status, reply.content["ename"], reply.reports) == ("error", "UsageError", [])
    assert message in reply.stderr
    assert len(reply.stderr.strip().splitlines()) == 1
    assert kernel.value("'was_run' in globals()") == "False"
