"""Options, declared once: magic argument, CLI flag, Python keyword and ``%config`` trait.

    MEMPROFILE = OptionSet(
        "memprofile",
        "Memory by line.",
        (Option("precision", ("-p", "--precision"), Kind.COUNT, 1, "digits after the point"),),
    )
    MEMPROFILE.from_line("-p 3 f(x)")           Values({'precision': 3}), rest 'f(x)'
    MEMPROFILE.from_keywords({"p": 3})          the same values
    MEMPROFILE.help()                           the text of ``%memprofile?``

A value that was not given comes from the defaults passed in (``%config``), then
from the declaration. Options are typed as getopt has them: ``-l 5``, ``-l5``, ``-ql 5``,
``--limit 5``, ``--limit=5``. What follows them is kept as it was typed.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_profkit.errors import OptionError
from jupyter_profkit.units import parse_size

__all__ = ["Kind", "Option", "OptionSet", "Values"]


class Kind(enum.Enum):
    """What an option takes."""

    FLAG = "flag"
    COUNT = "a whole number, 0 or more"
    TIMES = "a whole number, 1 or more"
    SECONDS = "a number of seconds above 0"
    INTERVAL = "a number of seconds, 0.001 or more"
    NUMBER = "a number"
    SIZE = "a size above 0 like 2GiB, or auto"
    LIMIT = "a size above 0 like 4GiB, auto or off"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Parameters
    ----------
    name : the Python keyword and trait name.
    flags : the letters and long forms, as typed.
    kind : what it takes.
    default : its value when nobody says anything; a repeatable option's is ``()``.
    help : one line.
    metavar : the word for its value in the help.
    choices : the only values it takes.
    suggestions : values that Tab offers, where others are taken, too.
    suffixes : what a file's name may end in, if it is one.
    repeat : it may be given several times and collects a tuple.
    """

    name: str
    flags: tuple[str, ...]
    kind: Kind
    default: Any
    help: str
    metavar: str = "VALUE"
    choices: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    repeat: bool = False

    @property
    def keywords(self) -> frozenset[str]:
        """Names by which Python callers may pass it: ``limit`` and ``l`` for ``-l/--limit``."""
        flags = (flag for flag in self.flags if not self.turns_off(flag))
        return frozenset({self.name, *(flag.lstrip("-").replace("-", "_") for flag in flags)})

    def turns_off(self, flag: str) -> bool:
        """Whether `flag` is the ``--no-…`` of an option that is on by default."""
        return self.kind is Kind.FLAG and self.default is True and flag.startswith("--no-")

    @property
    def explanation(self) -> str:
        """The help, with the choices."""
        choices = f"; one of {', '.join(self.choices)}" if self.choices else ""
        suffixes = f": {' '.join(self.suffixes)}" if self.suffixes else ""
        return f"{self.help}{choices}{suffixes}"

    @property
    def said_default(self) -> str:
        """The default in brackets, if it says anything."""
        says = self.kind is not Kind.FLAG and self.default not in (None, (), "")
        return f" (default {self.default})" if says else ""

    def missing(self, flag: str) -> OptionError:
        """What to say where nothing follows `flag`: what a value looks like, and what it is for."""
        number = (self.default or _EXAMPLE[self.kind]) if self.kind in _EXAMPLE else self.metavar
        file = f"run{self.suffixes[0]}" if self.suffixes else ""
        example = self.choices[-1] if self.choices else file or number
        return OptionError(f"{flag} needs a value, as in {flag} {example}: {self.explanation}")

    def check(self, value: object) -> Any:
        """`value` as this option's kind, from text or from a Python caller.

        Raises
        ------
        OptionError
            If it is not of the kind, or not among the choices.
        """
        if self.repeat:
            items = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value
            return tuple(self._check_one(item) for item in items)
        return value if value is self.default else self._check_one(value)

    def _check_one(self, value: object) -> Any:
        if self.choices and value not in self.choices:
            raise OptionError(f"{self.flags[-1]}: {value!r} is not one of {', '.join(self.choices)}")
        if self.suffixes and not str(value).lower().endswith(self.suffixes):
            raise OptionError(f"{self.flags[-1]} {value}: the suffix must be one of {', '.join(self.suffixes)}")
        try:
            return _CONVERT[self.kind](value)
        except (TypeError, ValueError):  # an OptionError is one, and does not name the option
            raise OptionError(f"{self.flags[-1]} takes {self.kind.value}, not {value!r}") from None


_EXAMPLE: Final = {
    Kind.COUNT: "10",
    Kind.TIMES: "5",
    Kind.SECONDS: "0.01",
    Kind.INTERVAL: "0.01",
    Kind.NUMBER: "0.5",
    Kind.SIZE: "2GiB",
    Kind.LIMIT: "4GiB",
}
"""A value of each kind, for those who left it out."""


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    number = int(value)  # type: ignore[call-overload]
    if number < 0:
        raise ValueError(value)
    return int(number)


def _times(value: object) -> int:
    number = _count(value)
    if not number:
        raise ValueError(value)
    return number


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _seconds(value: object) -> float:
    number = _number(value)
    if not 0 < number < float("inf"):
        raise ValueError(value)
    return number


def _interval(value: object) -> float:
    """Seconds between samples of a helper process, which would do nothing else if they were fewer."""
    number = _seconds(value)
    if number < 0.001:
        raise ValueError(value)
    return number


def _text(value: object) -> object:
    return value


def _size(value: object) -> int | str:
    if value == "auto":
        return "auto"
    n_bytes = parse_size(value) if isinstance(value, str) else _count(value)
    if not n_bytes:
        raise ValueError(value)
    return n_bytes


def _limit(value: object) -> int | str | None:
    return None if value == "off" else _size(value)


_CONVERT: dict[Kind, Callable[[object], Any]] = {
    Kind.FLAG: _flag,
    Kind.COUNT: _count,
    Kind.TIMES: _times,
    Kind.SECONDS: _seconds,
    Kind.INTERVAL: _interval,
    Kind.NUMBER: _number,
    Kind.SIZE: _size,
    Kind.LIMIT: _limit,
    Kind.TEXT: _text,
}


class Values(Mapping[str, Any]):
    """The value of every option of a set, and what stood after the options."""

    def __init__(self, values: Mapping[str, Any], rest: str = "") -> None:
        self._values = dict(values)
        self.rest = rest

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:  # copies and pickles ask before there is anything
            raise AttributeError(name)
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Values({self._values!r}, rest={self.rest!r})"

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of `names` as keywords for another function."""
        return {name: self._values[name] for name in names if name in self._values}


_TOKEN = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S)+""")


@dataclass(frozen=True)
class OptionSet:
    """The options of one magic or command, in the order its help lists them.

    Parameters
    ----------
    name : what is typed.
    summary : the first lines of its help.
    options : its options.
    rest : the word for what follows the options, in the help.
    cell_rest : the same of its cell magic; None if it has none.
    examples : lines as one would type them, and what each is for.
    elsewhere : flags that other tools have, and what to do here instead.
    """

    name: str
    summary: str
    options: tuple[Option, ...]
    rest: str = ""
    cell_rest: str | None = None
    examples: tuple[tuple[str, str], ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    _by_keyword: dict[str, Option] = field(init=False, repr=False, compare=False)
    _by_flag: dict[str, Option] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_keyword = {keyword: option for option in self.options for keyword in option.keywords}
        object.__setattr__(self, "_by_keyword", by_keyword)
        object.__setattr__(self, "_by_flag", {flag: option for option in self.options for flag in option.flags})

    def defaults(self) -> dict[str, Any]:
        return {option.name: option.default for option in self.options}

    def flags(self) -> list[str]:
        """Every flag as typed, long forms after letters, for completion."""
        return [flag for option in self.options for flag in option.flags]

    def from_keywords(self, keywords: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Values:
        """Values from Python keywords, by name or by letter.

        Raises
        ------
        OptionError
            For a keyword that is no option (the choices are listed), or a wrong value.
        """
        values = {**self.defaults(), **(defaults or {})}
        for keyword, value in keywords.items():
            option = self._by_keyword.get(keyword)
            if option is None:
                known = ", ".join(option.name for option in self.options)
                raise OptionError(f"{self.name} has no option {keyword!r}; it has {known}")
            values[option.name] = option.check(value)
        return Values(values)

    def from_line(self, line: str, defaults: Mapping[str, Any] | None = None) -> Values:
        """Values from the text after a magic's name.

        Options come first; from the first word that is none, the text is kept
        as typed in `Values.rest`, quotes and spaces included. ``--`` ends the
        options.
        """
        tokens = list(_TOKEN.finditer(line))
        words = [_unquote(token[0]) for token in tokens]
        values, n = self._parse(words, defaults, f"%{self.name}", f"%{self.name}?")
        return Values(values, line[tokens[n].start() :].strip() if n < len(tokens) else "")

    def from_arguments(
        self, arguments: Sequence[str], defaults: Mapping[str, Any] | None = None
    ) -> tuple[Values, list[str]]:
        """Values from a shell's argument list, and the arguments after the options."""
        values, n = self._parse(arguments, defaults, self.name, f"{self.name} --help")
        rest = list(arguments[n:])
        return Values(values, " ".join(rest)), rest

    def options_first(self, words: Iterable[str]) -> tuple[list[str], list[str]]:
        """The options in `words` with their values, and all else; numbers below zero are no options."""
        options: list[str] = []
        names: list[str] = []
        rest = iter(words)
        for word in rest:
            if not word.startswith("-") or word[1:].isdecimal():
                names.append(word)
                continue
            options.append(word)
            if self._takes_the_next(word):
                options += itertools.islice(rest, 1)
        return options, names

    def help(self, prefix: str = "%") -> str:
        """The text for ``%magic?`` and ``--help``: usage, then a line for each option."""
        is_magic = prefix == "%"
        takes = f"{self.name} [options]" if self.options else self.name
        usage = [f"usage: {prefix}{takes} {self.rest}".rstrip()]
        if is_magic and self.cell_rest is not None:
            usage.append(f"       %%{takes} {self.cell_rest}".rstrip() + "    as the first line of a cell")
        lines = [line for option in self.options for line in _help_lines(option)]
        options = ["", "Options:", *lines] if lines else []
        width = max((len(typed) for typed, _ in self.examples), default=0)
        examples = [f"  {typed:<{width}}  {meaning}" for typed, meaning in self.examples if is_magic]
        return "\n".join([self.summary, "", *usage, *options, *(["", "Examples:", *examples] if examples else []), ""])

    def parameters(self) -> str:
        """The options as a docstring lists keywords."""
        return "\n".join(f"{option.name} : {option.explanation}{option.said_default}" for option in self.options)

    def _parse(
        self, words: Sequence[str], defaults: Mapping[str, Any] | None, name: str, manual: str
    ) -> tuple[dict[str, Any], int]:
        """The value of each option, and how many words these are; `name` and `manual` are for what is said."""
        given: dict[str, Any] = {}
        n = 0
        while n < len(words) and words[n].startswith("-") and words[n] not in {"-", "--"}:
            parts = self._parts(words[n])
            if parts is None:
                raise self._unknown(words[n], name, manual)
            n += 1
            for option, flag, joined in parts:
                if option.kind is Kind.FLAG:
                    given[option.name] = not option.turns_off(flag)
                    continue
                value = self._following(option, flag, words[n:]) if joined is None else joined
                n += joined is None
                given[option.name] = (*given.get(option.name, ()), value) if option.repeat else value
        checked = {name: self._by_keyword[name].check(value) for name, value in given.items()}
        return {**self.defaults(), **(defaults or {}), **checked}, n + (n < len(words) and words[n] == "--")

    def _parts(self, word: str) -> list[tuple[Option, str, str | None]] | None:
        """The options in `word`, each with its flag and the value that is joined to it; None if one is unknown."""
        flag, equals, value = word.partition("=")
        option = self._by_flag.get(flag)
        if option is not None:
            if equals and option.kind is Kind.FLAG:
                raise OptionError(f"{flag} takes no value: {option.explanation}")
            return [(option, flag, value if equals else None)]
        parts: list[tuple[Option, str, str | None]] = []
        letters = word[1:]
        while letters:
            flag, letters = f"-{letters[0]}", letters[1:]
            option = self._by_flag.get(flag)
            if option is None:
                return None
            if option.kind is not Kind.FLAG:
                return [*parts, (option, flag, letters or None)]
            parts.append((option, flag, None))
        return parts

    def _takes_the_next(self, word: str) -> bool:
        """Whether the word after `word` is a value of it."""
        with contextlib.suppress(OptionError):
            for option, _, joined in (self._parts(word) or [])[-1:]:
                return option.kind is not Kind.FLAG and joined is None
        return False

    def _following(self, option: Option, flag: str, words: Sequence[str]) -> str:
        """The value of an option that has none joined to it."""
        if not words or words[0] == "--" or words[0].partition("=")[0] in self._by_flag:
            raise option.missing(flag)
        return words[0]

    def _unknown(self, word: str, name: str, manual: str) -> OptionError:
        """What to say of an option that there is not: what is meant, or what there is."""
        flag = word.partition("=")[0]
        if flag in {"-h", "--help"}:
            return OptionError(f"{manual} tells the options")
        if flag in self.elsewhere:
            return OptionError(f"{name} has no option {flag}: {self.elsewhere[flag]}")
        if flag[1:].isdecimal():
            return OptionError(
                f"{flag} is no option of {name}; code that begins with a dash goes behind two: -- {flag}"
            )
        like = self._like(flag)
        known = f"did you mean {like}?" if like else f"it has {', '.join(option.flags[-1] for option in self.options)}"
        return OptionError(f"{name} has no option {flag}; {known} ({manual})")

    def _like(self, flag: str) -> str:
        """The one long flag that begins like `flag`, or one that is nearly the same; empty if there is none."""
        import difflib

        typed = flag.removeprefix("--").replace("_", "-")
        if not flag.startswith("--") or not typed:
            return ""
        names = {known.removeprefix("--"): known for known in self._by_flag if known.startswith("--")}
        begun = [name for name in names if name.startswith(typed)]
        near = begun if len(begun) == 1 else difflib.get_close_matches(typed, names, 1, 0.7)
        return names[near[0]] if near else ""


def _help_lines(option: Option) -> list[str]:
    """The lines on an option in the help; argparse's own formatter takes milliseconds for each magic that is loaded."""
    flags = ", ".join(option.flags) + ("" if option.kind is Kind.FLAG else f" {option.metavar}")
    text = f"{option.explanation}{option.said_default}"
    return [f"  {flags:<30}  {text}"] if len(flags) <= 30 else [f"  {flags}", f"{'':34}{text}"]


def _unquote(word: str) -> str:
    """`word` without the quotes around it, or around an option's value."""
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "\"'":
        return word[1:-1]
    flag, equals, value = word.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={_unquote(value)}"
    return word
