from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.errors import OptionError
from jupyter_profkit.options import Kind, Option, OptionSet
from jupyter_profkit.options.cprofile import CPROFILE
from jupyter_profkit.options.memprofile import MEMPROFILE
from jupyter_profkit.options.mprof import MPROF_PLOT, MPROF_RUN
from jupyter_profkit.options.objects import MEMWHOS, OBJLEAKS, OBJWHY
from jupyter_profkit.options.objrefs import OBJGROWTH, OBJREFS, OBJTYPES

OPTIONS = OptionSet(
    "probe",
    "A magic for tests.",
    (
        Option("sort", ("-s", "--sort"), Kind.TEXT, "line", "order", "KEY", choices=("line", "peak")),
        Option("limit", ("-l", "--limit"), Kind.COUNT, None, "rows", "N"),
        Option("functions", ("-f", "--function"), Kind.TEXT, (), "names", "NAME", repeat=True),
        Option("quiet", ("-q", "--quiet"), Kind.FLAG, False, "no report"),
        Option("interval", ("--interval",), Kind.SECONDS, 0.005, "seconds"),
        Option("size", ("--size",), Kind.SIZE, None, "bytes"),
        Option("dump", ("--dump",), Kind.TEXT, None, "a file", "FILE", suffixes=(".json", ".txt")),
    ),
    rest="[statement]",
    elsewhere={"--rows": "--limit N shows so many"},
)
ALL = (MEMPROFILE, CPROFILE, MPROF_PLOT, MPROF_RUN, OBJREFS, OBJGROWTH, OBJTYPES, OBJLEAKS, OBJWHY, MEMWHOS)


def test_options_are_read_from_a_magics_line() -> None:
    values = OPTIONS.from_line("-s peak --limit=5 -f a -f 'b c' -q --size 2MiB")
    assert dict(values) == {
        "sort": "peak", "limit": 5, "functions": ("a", "b c"), "quiet": True, "interval": 0.005, "size": 2 * 1024**2,
        "dump": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "statement", ["f(x)", "f('a \"b\"  c')", "x = [1,  2]", "-x", "f('it''s')", "print(\"a\" 'b')", "a -s b"]
)
def test_a_statement_is_kept_as_it_was_typed(statement: str) -> None:
    prefix = "-q -- " if statement.startswith("-") else "-q "
    assert OPTIONS.from_line(prefix + statement).rest == statement


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_text_after_two_dashes_is_kept(text: str) -> None:
    assert OPTIONS.from_line(f"-q -- {text}").rest == text.strip()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--no-such", "%probe has no option --no-such; it has --sort, --limit, --function, --quiet, --interval"),
        ("-qW 3", "%probe has no option -qW; it has --sort"),
        ("--lmit=3", "%probe has no option --lmit; did you mean --limit? (%probe?)"),
        ("--limit_ 3", "did you mean --limit?"),
        ("--func f", "did you mean --function?"),
        ("--sizes 3", "did you mean --size?"),
        ("--outfile x", "has no option --outfile; it has --sort"),
        ("--rows 3", "%probe has no option --rows: --limit N shows so many"),
        ("-1 + x", "-1 is no option of %probe; code that begins with a dash goes behind two: -- -1"),
        ("-h", "%probe? tells the options"),
        ("-q --help", "%probe? tells the options"),
        ("-s size", "'size' is not one of line, peak"),
        ("-l many", "--limit takes a whole number, 0 or more, not 'many'"),
        ("-l -3", "--limit takes a whole number, 0 or more, not '-3'"),
        ("--interval 0", "--interval takes a number of seconds above 0"),
        ("--interval nan", "--interval takes a number of seconds above 0"),
        ("--size big", "--size takes a size above 0 like 2GiB, or auto, not 'big'"),
        ("--size -1GiB", "--size takes a size above 0 like 2GiB, or auto, not '-1GiB'"),
        ("--size=", "--size takes a size above 0 like 2GiB, or auto, not ''"),
        ("-f -1 -s", "-s needs a value, as in -s peak: order; one of line, peak"),
        ("--size -- f(2GiB)", "--size needs a value, as in --size 2GiB: bytes"),
        ("-l -q f(x)", "-l needs a value, as in -l 10: rows"),
        ("--quiet=yes", "--quiet takes no value: no report"),
        ("--dump run.xyz", "--dump run.xyz: the suffix must be one of .json, .txt"),
        ("--dump json", "--dump json: the suffix must be one of .json, .txt"),
    ],
)
def test_a_wrong_option_is_one_clear_line(line: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        OPTIONS.from_line(line)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_every_option_that_takes_a_value_says_what_it_looks_like_where_there_is_none(options: OptionSet) -> None:
    for option in options.options:
        for flag in option.flags:
            if option.kind is not Kind.FLAG:
                with pytest.raises(OptionError, match=f"^{flag} needs a value, as in {flag} ") as caught:
                    options.from_line(flag)
                example = str(caught.value).removeprefix(f"{flag} needs a value, as in ").partition(":")[0]
                assert option.name in options.from_line(example)  # it can be typed


@pytest.mark.parametrize("value", ["-1", "-5,3", "-x*", "=", "a=b", "--size-of"])
def test_a_value_may_look_like_an_option_that_is_none(value: str) -> None:
    assert OPTIONS.from_line(f"-f {value} -q").functions == (value,)
    assert OPTIONS.from_line(f"--function={value} -q").functions == (value,)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("-l5", {"limit": 5}),
        ("-ql5", {"limit": 5, "quiet": True}),
        ("-ql 5", {"limit": 5, "quiet": True}),
        ("-ql=5", None),
        ("-qspeak -fa -f=b", {"sort": "peak", "functions": ("a", "b"), "quiet": True}),
        ("--limit=5 --dump RUN.JSON", {"limit": 5, "dump": "RUN.JSON"}),
    ],
)
def test_letters_may_stand_together_and_a_value_behind_its_letter(typed: str, values: dict[str, object] | None) -> None:
    if values is None:
        with pytest.raises(OptionError, match="--limit takes a whole number, 0 or more, not '=5'"):
            OPTIONS.from_line(typed)
        return
    read = OPTIONS.from_line(f"{typed} f(x)")
    assert ({**OPTIONS.defaults(), **values}, "f(x)") == (dict(read), read.rest)
    assert OPTIONS.options_first(["x", *typed.split(), "y"]) == (typed.split(), ["x", "y"])


def test_a_shell_is_told_of_help() -> None:
    with pytest.raises(OptionError, match=r"^probe has no option --such; .* \(probe --help\)$"):
        OPTIONS.from_arguments(["--such"])


def test_keywords_may_be_names_or_letters() -> None:
    assert dict(OPTIONS.from_keywords({"l": 3, "sort": "peak"})) == dict(OPTIONS.from_line("-l 3 -s peak"))


def test_a_keyword_that_is_no_option_lists_those_that_are() -> None:
    with pytest.raises(OptionError, match="it has sort, limit, functions, quiet, interval, size, dump"):
        OPTIONS.from_keywords({"lmit": 3})


@pytest.mark.parametrize("value", [True, -1, 2.5, "x", None])
def test_a_keyword_of_the_wrong_kind_is_refused(value: object) -> None:
    if value is None:
        assert OPTIONS.from_keywords({"limit": None}).limit is None
        return
    with pytest.raises(OptionError, match="--limit takes a whole number"):
        OPTIONS.from_keywords({"limit": value})


def test_what_is_not_given_comes_from_the_configured_defaults() -> None:
    values = OPTIONS.from_line("-l 2", {"limit": 9, "sort": "peak"})
    assert (values.limit, values.sort, values.quiet) == (2, "peak", False)


def test_a_shells_arguments_are_read_up_to_the_script() -> None:
    values, rest = OPTIONS.from_arguments(["-q", "-l", "4", "script.py", "-s", "its own"])
    assert (values.quiet, values.limit, rest) == (True, 4, ["script.py", "-s", "its own"])


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_the_help_names_every_option(options: OptionSet) -> None:
    text = options.help()
    assert all(flag in text for flag in options.flags())
    assert f"usage: %{options.name} [options]" in text


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_the_help_has_examples_that_can_be_typed(options: OptionSet) -> None:
    assert options.examples
    for typed, meaning in options.examples:
        assert f"  {typed}  " in options.help()
        assert meaning in options.help()
        name, _, line = typed.partition(" ")
        assert name.lstrip("%") == options.name
        assert options.cell_rest is not None or not name.startswith("%%")
        options.from_line(line)


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_what_other_tools_have_is_no_option_here(options: OptionSet) -> None:
    assert not set(options.elsewhere) & set(options.flags())


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_no_flag_is_declared_twice(options: OptionSet) -> None:
    assert len(options.flags()) == len(set(options.flags()))


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_known_letters_keep_their_meaning(options: OptionSet) -> None:
    known = {"-v": "variable", "-r": "return_result", "-q": "quiet", "-T": {"text_file", "interval"}, "-p": "precision"}
    for option in options.options:
        for flag in option.flags:
            meaning = known.get(flag, option.name)
            assert option.name in meaning if isinstance(meaning, set) else option.name == meaning


def test_what_is_on_by_default_is_turned_off_and_on() -> None:
    options = OptionSet("x", "", (Option("short", ("--short", "--no-short"), Kind.FLAG, True, ""),))
    assert options.from_line("").short is True
    assert options.from_line("--no-short").short is False
    assert options.from_line("--short", {"short": False}).short is True
    assert options.from_line("--no-short --short").short is True
    with pytest.raises(OptionError, match="no_short"):
        options.from_keywords({"no_short": True})
