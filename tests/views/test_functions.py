"""What a reader of a time report is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_profkit.errors import OptionError, TargetError
from jupyter_profkit.model.functions import (
    CallerRecord,
    CoroutineRecord,
    FunctionRecord,
    StatementProfile,
    StatementRecord,
    TimeProfile,
)
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.options.cprofile import SORT_KEYS, limits, sort_keys
from jupyter_profkit.render.mimebundle import MAX_BYTES
from jupyter_profkit.views.packages import library_of
from jupyter_profkit.views.report import TableView
from jupyter_profkit.views.words import name_of

CELL = "/tmp/ipykernel_7/1.py"
MODULE = (CELL, 1, "<module>")
CLEAN = (CELL, 3, "clean")
PARSE = ("/usr/lib/python3/json/decoder.py", 40, "parse")
SLEEP = ("~", 0, "<built-in method time.sleep>")


def function(key, ncalls, tottime, cumtime, *, pcalls=None, callers=(), label="", user=False, qualname=""):
    filename, lineno, name = key
    return FunctionRecord(
        name,
        filename,
        lineno,
        ncalls=ncalls,
        pcalls=ncalls if pcalls is None else pcalls,
        tottime=tottime,
        cumtime=cumtime,
        callers=tuple(callers),
        label=label or filename,
        is_user=user,
        qualname=qualname or ("" if filename == "~" else name),
    )


def call(caller, ncalls=1, tottime=0.0, cumtime=0.0, pcalls=None):
    return CallerRecord(caller, ncalls, ncalls if pcalls is None else pcalls, tottime, cumtime)


def profile(functions=None, statements=None, *, duration=1.0, outcome="ok", notes=(), title="In [7]"):
    if functions is None:
        functions = (
            function(MODULE, 2, 0.1, 1.0, label="In [7]", user=True),
            function(CLEAN, 5, 0.2, 0.8, pcalls=1, callers=[call(MODULE, 1, 0.1, 0.8), call(CLEAN, 4, 0.1, 0.3)],
                     label="In [7]", user=True, qualname="Model.clean"),
            function(PARSE, 3, 0.3, 0.3, callers=[call(CLEAN, 3, 0.3, 0.3)], label="json/decoder.py"),
            function(SLEEP, 10, 0.4, 0.4, callers=[call(CLEAN, 4, 0.2, 0.2), call(MODULE, 6, 0.2, 0.2)]),
        )  # fmt: skip
    if statements is None:
        statements = (
            StatementRecord(2, "import json", 0.01, 0),
            StatementRecord(4, "clean(df)", 0.61, 1, 4),
            StatementRecord(5, "for x in range(6):", 0.38, 6, 7),
        )
    return TimeProfile(
        Session(title, 1_750_000_000.0, duration, outcome),
        Method("cProfile", n_events=40, notes=tuple(notes)),
        functions,
        StatementProfile(statements, duration),
    )


def tables(report):
    return [part for part in report.parts if isinstance(part, TableView)]


def rows(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def names(table):
    """The functions that have a row; the last row may be what the others come to."""
    return [row.cells[-1].text for row in table.rows if not row.cells[-1].text.startswith("⋯")]


def own_time(table):
    return sum(float(row.cells[1].text) for row in table.rows)


def calls(table):
    return sum(int(row.cells[0].text.partition("/")[0]) for row in table.rows)


def test_the_headline_names_the_time_the_calls_and_the_heaviest_statement():
    assert profile().report().headline == "1.00 s in 20 calls; 61 % in line 4: clean(df)"


def test_the_title_names_the_cell_or_the_statement():
    assert profile().report().title == "%%cprofile  In [7]"
    assert profile(title="%cprofile foo()").report().title == "%cprofile  foo()"
    assert profile(title="%profiles.py").report().title == "%%cprofile  %profiles.py"


def test_without_statements_the_headline_names_the_function_with_most_own_time():
    assert (
        profile(statements=()).report().headline
        == "1.00 s in 20 calls; 40 % of it in {built-in method time.sleep} itself"
    )


def test_time_that_passes_outside_of_the_statements_is_said():
    waiting = profile(statements=(StatementRecord(2, "await task", 0.001, 1),))
    assert "100 % outside the statements" in waiting.report().headline
    assert "999.0 ms (100 %) outside the statements" in tables(waiting.report())[0].footer


def test_statements_have_line_time_share_calls_and_source():
    table = tables(profile().report())[0]
    assert rows(table) == [
        ["2", "10.0 ms", "1.0 %", "0", "import json"],
        ["4", "610.0 ms", "61 %", "1", "clean(df)"],
        ["5", "380.0 ms", "38 %", "6", "for x in range(6): …"],
    ]
    assert [row.strong for row in table.rows] == [False, True, True]


def test_what_is_taken_out_of_a_statement_stands_under_it_without_a_number():
    statements = (
        StatementRecord(2, "fetch(url)", 0.1, 1, 2),
        StatementRecord(2, "waiting", 0.8, 0, kind="waiting"),
        StatementRecord(0, "garbage collection", 0.1, 4, kind="collections"),
    )
    report = profile(statements=statements).report()
    assert report.headline.endswith("80 % waiting in line 2: fetch(url)")
    assert rows(tables(report)[0]) == [
        ["2", "100.0 ms", "10 %", "1", "fetch(url)"],
        ["", "800.0 ms", "80 %", "", "    (waiting)"],
        ["", "100.0 ms", "10 %", "4", "(garbage collection)"],
    ]


def test_coroutines_have_calls_time_that_ran_time_that_waited_and_their_tasks():
    found = (
        CoroutineRecord("main", CELL, 3, 1, 0.1, 0.2, (), "In [7]"),
        CoroutineRecord("fetch", CELL, 9, 1200, 0.1, 40.0, ("a", "b", "c", "d", "e"), "In [7]"),
    )
    table = tables(replace(profile(), coroutines=found).report())[1]
    assert rows(table) == [
        ["1,200", "0.100000", "40.000000", "a, b, c and 2 more", "In [7]:9(fetch)"],
        ["1", "0.100000", "0.200000", "the cell's own", "In [7]:3(main)"],
    ]


HOOK = ("/site-packages/IPython/core/displayhook.py", 258, "__call__")
FORMAT = ("/site-packages/IPython/core/formatters.py", 9, "format")
LOOKUP = ("/site-packages/IPython/core/formatters.py", 90, "lookup")
REPR = (CELL, 5, "__repr__")
LEN = ("~", 0, "<built-in method builtins.len>")


def displayed():
    return profile((
        function(MODULE, 1, 0.1, 1.0, label="In [7]", user=True),
        function(HOOK, 1, 0.1, 0.9, callers=[call(MODULE)]),
        function(FORMAT, 4, 0.2, 0.8, callers=[call(HOOK)]),
        function(LOOKUP, 9, 0.3, 0.3, callers=[call(FORMAT), call(LOOKUP)]),
        function(REPR, 1, 0.2, 0.3, callers=[call(FORMAT)], label="In [7]", user=True),
        function(LEN, 8, 0.1, 0.1, callers=[call(FORMAT), call(REPR)]),
    ))  # fmt: skip


def test_what_only_the_display_of_the_last_value_called_is_one_row():
    table = tables(displayed().report(sort="tottime"))[1]
    assert rows(table)[0][:2] == ["1", "0.600000"]
    assert [name.rpartition("(")[2] for name in names(table)] == [
        "display of the last value)",
        "__repr__)",
        "<module>)",
        "{built-in method builtins.len}",
    ]
    assert table.footer.endswith("2 that only the display called are in its row; -m GLOB lists them")
    assert own_time(table) == pytest.approx(1.0)
    assert tables(displayed().report())[1].footer == table.footer  # where its row is one of a library


def test_what_the_display_called_is_listed_when_it_is_asked_for():
    table = tables(displayed().report(functions=("lookup", "format")))[1]
    assert [name.rpartition("(")[2] for name in names(table)] == ["lookup)", "format)"]


def test_the_display_of_the_last_value_is_a_row_without_a_line():
    shown = profile(statements=(StatementRecord(0, "display of the last value", 0.7, 1),)).report()
    assert rows(tables(shown)[0])[0][0] == ""
    assert shown.headline.endswith("70 % in the display of the last value")


def test_functions_stand_in_the_columns_of_pstats_by_own_time():
    table = tables(profile().report(sort="tottime"))[1]
    assert table.caption == "Functions by own time, seconds"
    assert [column.title for column in table.columns] == [
        "ncalls", "tottime", "percall", "cumtime", "percall", "filename:lineno(function)",
    ]  # fmt: skip
    assert rows(table) == [
        ["10", "0.400000", "0.040000", "0.400000", "0.040000", "{built-in method time.sleep}"],
        ["3", "0.300000", "0.100000", "0.300000", "0.100000", "json/decoder.py:40(parse)"],
        ["5/1", "0.200000", "0.040000", "0.800000", "0.800000", "In [7]:3(Model.clean)"],
        ["2", "0.100000", "0.050000", "1.000000", "0.500000", "In [7]:1(<module>)"],
    ]
    assert [row.strong for row in table.rows] == [True, True, True, False]
    assert [row.library for row in table.rows] == ["time", "json", "", ""]


def test_the_readers_own_functions_come_first_then_each_library_as_one_row():
    table = tables(profile().report())[1]
    assert table.caption == "Functions: your own, then each library as one row, seconds"
    assert rows(table) == [
        ["5/1", "0.200000", "0.040000", "0.800000", "0.800000", "In [7]:3(Model.clean)"],
        ["2", "0.100000", "0.050000", "1.000000", "0.500000", "In [7]:1(<module>)"],
        ["10", "0.400000", "0.040000", "0.400000", "", "[time] 1 function"],
        ["3", "0.300000", "0.100000", "0.300000", "", "[json] 1 function"],
    ]
    assert [row.library for row in table.rows] == ["", "", "time", "json"]
    assert [row.strong for row in table.rows] == [True, False, True, True]


def test_only_functions_that_take_a_part_of_the_run_stand_out_whoever_wrote_them():
    crowd = tuple(function(("/home/me/clean.py", n, f"f{n}"), 1, 0.02, 0.02, user=True) for n in range(1, 26))
    heavy = function(("/home/me/clean.py", 99, "heavy"), 1, 0.5, 1.0, user=True)
    shown = profile(functions=(heavy, *crowd)).report()
    strong = [row.cells[-1].text for table in tables(shown)[1:] for row in table.rows if row.strong]
    assert len(strong) == 3  # by package, by own and by cumulative time; by calls it is not among the first
    assert all("(heavy)" in name for name in strong)


def test_the_functions_of_a_library_are_folded_under_its_row_and_add_up():
    row = next(row for row in tables(profile(functions=many(30)).report())[1].rows if row.library)
    (fold,) = row.folds
    figures = [line.split()[:2] for line in fold.lines[1:]]
    assert fold.lines[-1].endswith("⋯ 22 other functions")
    assert sum(int(ncalls) for ncalls, _ in figures) == int(row.cells[0].text) == 465
    assert sum(float(own) for _, own in figures) == pytest.approx(float(row.cells[1].text))


def test_time_in_a_library_is_that_of_calls_from_outside_of_it():
    inner = (PARSE[0], 90, "scan")
    both = (
        function(MODULE, 1, 0.1, 1.0, label="In [7]", user=True),
        function(PARSE, 2, 0.3, 0.9, callers=[call(MODULE, 2, 0.3, 0.9)], label="json/decoder.py"),
        function(
            inner, 8, 0.6, 0.6, callers=[call(PARSE, 7, 0.5, 0.5), call(MODULE, 1, 0.1, 0.1)], label="json/scanner.py"
        ),
    )
    assert rows(tables(profile(functions=both).report())[1])[1] == [
        "10", "0.900000", "0.090000", "1.000000", "", "[json] 2 functions",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "label", "library"),
    [
        (("~", 0, "<built-in method builtins.len>"), "", "builtins"),
        (("~", 0, "<built-in method time.sleep>"), "", "time"),
        (("~", 0, "<built-in method _json.encode_basestring>"), "", "json"),
        (("~", 0, "<method 'append' of 'list' objects>"), "", "builtins"),
        (("~", 0, "<method 'sum' of 'numpy.ndarray' objects>"), "", "numpy"),
        (("~", 0, "<built-in method __new__ of type object at 0x7f00>"), "", "builtins"),
        (("~", 0, ""), "", "builtins"),
        (("<frozen importlib._bootstrap>", 5, "_find_and_load"), "", "importlib"),
        (("<string>", 1, "<lambda>"), "", "code without a file"),
        (("/x/site-packages/pandas/core/frame.py", 5, "merge"), "pandas/core/frame.py", "pandas"),
        (("/usr/lib/python3.13/random.py", 5, "choice"), "random.py", "random"),
    ],
)
def test_every_function_that_is_not_the_readers_belongs_to_a_package(key, label, library):
    assert library_of(function(key, 1, 0.1, 0.1, label=label)) == library


def test_all_functions_are_there_in_three_orders_folded_and_not_twice_in_the_text():
    report = profile().report()
    by_package, *others = tables(report)[1:]
    assert [table.caption for table in others] == [
        "All functions by own time, seconds",
        "All functions by cumulative time, seconds",
        "All functions by calls, seconds",
    ]
    assert all(table.folded and not table.in_text for table in others)
    assert not by_package.folded
    assert str(report).count("json/decoder.py:40(parse)") == 1


def test_every_table_adds_up_to_the_run():
    measured = profile(functions=(*profile().functions, *many(300)))
    for table in tables(measured.report())[1:] + tables(measured.report(limit=7))[1:]:
        assert own_time(table) == pytest.approx(measured.tottime)
        assert calls(table) == measured.ncalls


def test_callers_and_callees_are_folded_under_a_row():
    clean = next(row for row in tables(profile().report())[1].rows if "clean" in row.cells[-1].text)
    (fold,) = clean.folds
    assert fold.caption == "called by 2, calls 3"
    assert [line.split("  ")[-1] for line in fold.lines] == [
        "cumtime", "In [7]:1(<module>)", "In [7]:3(Model.clean)",
        "cumtime", "In [7]:3(Model.clean)", "json/decoder.py:40(parse)", "{built-in method time.sleep}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("time", "{built-in method time.sleep}"),
        ("cum", "In [7]:1(<module>)"),
        ("calls", "{built-in method time.sleep}"),
        ("name", "{built-in method time.sleep}"),
        ("line", "{built-in method time.sleep}"),
        ("file", "In [7]:1(<module>)"),
        ("stdname", "In [7]:1(<module>)"),
    ],
)
def test_a_sort_key_of_pstats_orders_the_table(key, first):
    assert names(tables(profile().report(sort=key))[1])[0] == first


def test_several_sort_keys_break_ties_in_turn():
    table = tables(profile().report(sort=("file", "line")))[1]
    assert table.caption == "Functions by file, line, seconds"
    assert names(table)[:2] == ["In [7]:1(<module>)", "In [7]:3(Model.clean)"]


def test_the_order_that_is_shown_is_not_folded_once_more():
    captions = [table.caption for table in tables(profile().report(sort="cumtime"))[1:]]
    assert captions == [
        "Functions by cumulative time, seconds",
        "Functions: your own, then each library as one row, seconds",
        "All functions by own time, seconds",
        "All functions by calls, seconds",
    ]


@pytest.mark.parametrize(
    ("limit", "n"), [("2", 2), (3, 3), ("0.5", 2), ("json|clean", 2), (("0.5", "time"), 1), ("0", 0)]
)
def test_limits_are_those_of_pstats(limit, n):
    assert len(names(tables(profile().report(limit=limit))[1])) == n


def test_what_a_limit_leaves_out_is_summed_up_in_the_last_row():
    table = tables(profile().report(limit="2"))[1]
    assert rows(table)[-1] == ["7", "0.300000", "", "", "", "⋯ 2 other functions"]
    assert table.footer == "all together 1.000000 s in 20 calls of 4 functions"


def test_a_filter_that_matches_nothing_says_so_and_what_comes_close():
    report = profile().report(functions=("claen",))
    assert names(tables(report)[1]) == []
    assert report.notes[0] == "no function of this run is chosen by claen; there is clean"
    assert profile().report(limit="no such text").notes[0] == "no function of this run is chosen by no such text"
    assert not profile().report(functions="clean").notes


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ({"functions": "cl*"}, ["In [7]:3(Model.clean)"]),
        ({"functions": "sleep"}, ["{built-in method time.sleep}"]),
        ({"modules": "json"}, ["json/decoder.py:40(parse)"]),
        ({"modules": "json.decoder"}, ["json/decoder.py:40(parse)"]),
        ({"m": "In*", "x": "clean"}, ["In [7]:1(<module>)"]),
    ],
)
def test_globs_choose_functions_and_modules(display, expected):
    assert names(tables(profile().report(**display))[1]) == expected


@pytest.mark.parametrize(
    ("display", "message"),
    [
        ({"sort": "nonsense"}, "is not one of calls, cumtime"),
        ({"sort": "n"}, "may mean several"),
        ({"sort": ""}, "is not one of"),
        ({"limit": "-3"}, "0 or more"),
        ({"limit": "1.5"}, "from 0 to 1"),
        ({"limit": "nan"}, "from 0 to 1"),
        ({"limit": "("}, "not a pattern|is not a pattern"),
        ({"colour": "red"}, "no option 'colour'"),
    ],
)
def test_a_wrong_display_option_is_one_clear_line(display, message):
    with pytest.raises(OptionError, match=message) as caught:
        profile().report(**display)
    assert "\n" not in str(caught.value)


def test_every_sort_key_and_every_clear_beginning_of_one_is_taken():
    assert sort_keys(SORT_KEYS) == tuple(SORT_KEYS.values())
    assert sort_keys(["cumu", "tot", "std", "mod"]) == ("cumtime", "tottime", "stdname", "filename")
    assert limits([10, 0.25, "x"]) == (10, 0.25, "x")


def test_a_run_without_a_call_says_so():
    report = profile(functions=(), statements=(), duration=0.0).report()
    assert report.headline == "0 s; no function was called"
    assert report.parts == ()
    assert str(report)


def test_figures_of_zero_seconds_divide_by_nothing():
    idle = profile(functions=(function(CLEAN, 1, 0.0, 0.0, pcalls=0),), statements=(), duration=0.0)
    assert rows(tables(idle.report(sort="time"))[0])[0][:5] == ["1/0", "0.000000", "0.000000", "0.000000", "0.000000"]


def test_a_partial_run_is_marked():
    assert (
        profile(outcome="ZeroDivisionError").report().warning == "stopped by ZeroDivisionError; the report is partial"
    )


def test_notes_of_the_engine_are_shown():
    assert "2 threads left out" in profile(notes=["2 threads left out"]).report().notes


def many(n):
    return tuple(
        function((f"lib/module_{k}.py", k, f"function_{k}<&$"), k + 1, 0.001, 0.002, callers=[call(MODULE)] * 20)
        for k in range(n)
    )


def spread(n):
    """So many functions of the reader's own, and of a hundred libraries each of which calls the others."""
    own = ((f"/home/me/work/module_{k}.py", k, f"Class_{k}.method_{k}<&$") for k in range(n // 2))
    theirs = ((f"package_{k % 100}/module_{k}.py", k, f"function_{k}<&$") for k in range(n - n // 2))
    for k, key in enumerate([*own, *theirs]):
        callers = [call((CELL, k + m, f"caller_{m}"), 1, 0.001, 0.002) for m in range(8)]
        yield function(key, k + 1, 0.001, 0.002, callers=callers, user=key[0].startswith("/home"))


@pytest.mark.parametrize("n", [2000, 20_000])
def test_a_profile_of_thousands_of_functions_stays_small_and_adds_up(n):
    measured = profile(functions=tuple(spread(n)))
    bundle = measured.report()._repr_mimebundle_()
    assert sum(len(text.encode()) for text in bundle.values()) <= MAX_BYTES
    for form in ("text/plain", "text/html"):
        assert "left out to keep the report small" not in bundle[form]
        assert f"⋯ {n // 2 - 40:,} other functions of your own" in bundle[form]
        assert "more libraries" in bundle[form]
    assert own_time(tables(measured.report())[1]) == pytest.approx(measured.tottime)


def test_a_single_library_that_has_no_row_is_one():
    functions = [function((f"package_{k}/m.py", k + 1, "f"), 1, 0.001, 0.001) for k in range(21)]
    text = profile(functions=tuple(functions)).report()._repr_mimebundle_()["text/plain"]
    assert "⋯ 1 other function in 1 more library\n" in text


@pytest.mark.timeout(120)
def test_hundreds_of_thousands_of_functions_have_a_report_of_ordinary_size():
    one = function(("package/module.py", 1, "f"), 1, 1e-6, 2e-6, callers=[call(MODULE)])
    measured = profile(functions=tuple(replace(one, lineno=n) for n in range(200_000)))
    report = measured.report()
    bundle = report._repr_mimebundle_()
    assert sum(len(text.encode()) for text in bundle.values()) <= MAX_BYTES
    assert "[package] 200,000 functions" in bundle["text/plain"]
    assert "200,000 calls of 200,000 functions" in bundle["text/html"]
    assert own_time(tables(report)[1]) == pytest.approx(0.2)


def test_more_rows_can_be_asked_for_and_the_report_still_stays_small():
    bundle = profile(functions=many(5000)).report(limit=3000)._repr_mimebundle_()
    assert sum(len(text.encode()) for text in bundle.values()) <= MAX_BYTES
    assert bundle["text/plain"].count("lib/module_") == 500


def test_hostile_names_are_escaped():
    hostile = function(("<script>alert(1)</script>", 1, "$x$\x1b[31m\u202e"), 1, 0.1, 0.1)
    bundle = profile(functions=(hostile,)).report()._repr_mimebundle_()
    assert "<script>alert" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"] + bundle["text/html"]


def test_callers_are_listed_for_a_name():
    report = profile().callers("clean")
    assert report.headline == "In [7]:3(Model.clean) called by 2 functions"
    assert rows(tables(report)[0])[0] == ["1", "0.100000", "0.800000", "In [7]:1(<module>)", "In [7]:3(Model.clean)"]


def test_calls_that_no_function_made_are_told():
    functions = (function(CLEAN, 9, 0.1, 0.2, callers=[call(CLEAN, 6, 0.1, 0.1)]),)
    said = "3 calls were made by no function, but by the measured block itself or an event loop"
    assert profile(functions=functions).callers("clean").notes == (said,)


def test_callees_are_listed_for_a_qualified_name():
    report = profile().callees("Model.clean")
    assert [row[-1] for row in rows(tables(report)[0])] == [
        "In [7]:3(Model.clean)", "json/decoder.py:40(parse)", "{built-in method time.sleep}",
    ]  # fmt: skip


def test_a_function_that_calls_nothing_says_so():
    assert profile().callees("sleep").headline == "{built-in method time.sleep} calls no function of this run"


def test_an_unknown_name_suggests_one_that_ran():
    with pytest.raises(TargetError, match="no function named 'claen' ran; there is clean"):
        profile().callers("claen")


def test_statements_show_themselves():
    report = profile().statements.report()
    assert report.headline == "1.00 s; 61 % in line 4: clean(df)"
    assert len(tables(report)) == 1


def test_builtins_and_methods_are_known_by_their_bare_names():
    method = function(("~", 0, "<method 'append' of 'list' objects>"), 1, 0.1, 0.1)
    assert {"append"} <= method.names
    assert {"sleep", "time.sleep"} <= function(SLEEP, 1, 0.1, 0.1).names
    assert name_of(method) == "{method 'append' of 'list' objects}"


def test_rows_and_columns_of_the_table_are_those_of_the_dataframe():
    measured = profile()
    assert measured.columns == ("function", "filename", "lineno", "ncalls", "pcalls", "tottime", "cumtime")
    assert next(iter(measured.rows())) == ("<built-in method time.sleep>", "~", 0, 10, 10, 0.4, 0.4)
    assert list(measured.statements.rows())[1] == (4, "clean(df)", 0.61, 0.61, 1)


def test_json_gives_the_same_profile_back():
    measured = profile()
    assert TimeProfile.from_json(measured.to_json()) == measured
