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
from the declaration. Parsing itself is `argparse`'s; this module only turns its
exits into `OptionError` and keeps the text of a statement as it was typed.
"""

from __future__ import annotations

import argparse
import enum
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

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
    repeat : it may be given several times and collects a tuple.
    """

    name: str
    flags: tuple[str, ...]
    kind: Kind
    default: Any
    help: str
    metavar: str = "VALUE"
    choices: tuple[str, ...] = ()
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
        return f"{self.help}; one of {', '.join(self.choices)}" if self.choices else self.help

    def missing(self, flag: str) -> OptionError:
        """What to say where nothing follows `flag`: what a value looks like, and what it is for."""
        number = (self.default or _EXAMPLE[self.kind]) if self.kind in _EXAMPLE else self.metavar
        example = self.choices[-1] if self.choices else number
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
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Values({self._values!r}, rest={self.rest!r})"

    def only(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of `names` as keywords for another function."""
        return {name: self._values[name] for name in names if name in self._values}


class _Parser(argparse.ArgumentParser):
    """argparse without its exits: a wrong option is an `OptionError`."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{self.prog}: {message}")


_TOKEN = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S)+""")


@dataclass(frozen=True)
class OptionSet:
    """The options of one magic, in the order its help lists them."""

    name: str
    summary: str
    options: tuple[Option, ...]
    rest: str = ""  # the word for what follows the options, in the help
    _by_keyword: dict[str, Option] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = {keyword: option for option in self.options for keyword in option.keywords}
        object.__setattr__(self, "_by_keyword", table)

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
        return self._parse(words, defaults, lambda n: line[tokens[n].start() :].strip() if n < len(tokens) else "")

    def from_arguments(
        self, arguments: Sequence[str], defaults: Mapping[str, Any] | None = None
    ) -> tuple[Values, list[str]]:
        """Values from a shell's argument list, and the arguments after the options."""
        rest: list[str] = []

        def keep(n: int) -> str:
            rest.extend(arguments[n:])
            return " ".join(arguments[n:])

        return self._parse(list(arguments), defaults, keep), rest

    def options_first(self, words: Iterable[str]) -> tuple[list[str], list[str]]:
        """The options in `words` with their values, and all else; numbers below zero are no options."""
        flags = {flag: option for option in self.options for flag in option.flags}
        options: list[str] = []
        names: list[str] = []
        rest = iter(words)
        for word in rest:
            if not word.startswith("-") or word[1:].isdecimal():
                names.append(word)
                continue
            options.append(word)
            if word in flags and flags[word].kind is not Kind.FLAG:
                options += itertools.islice(rest, 1)
        return options, names

    def help(self, prefix: str = "%", name: str = "") -> str:
        """The text for ``%magic?`` and ``--help``: usage, then a line for each option."""
        usage = f"usage: {prefix}{name or self.name} [options] {self.rest}".rstrip()
        lines = [line for option in self.options for line in _help_lines(option)]
        return "\n".join([self.summary, "", usage, "", "Options:", *lines, ""])

    def _parse(self, words: list[str], defaults: Mapping[str, Any] | None, rest: Any) -> Values:
        n_options = self._count_option_words(words)
        found = vars(self._parser().parse_args(list(self._joined(words[:n_options]))))
        values = {**self.defaults(), **(defaults or {})}
        for option in self.options:
            if option.name in found:
                values[option.name] = option.check(found[option.name])
        skip = n_options < len(words) and words[n_options] == "--"
        return Values(values, rest(n_options + skip))

    def _count_option_words(self, words: list[str]) -> int:
        """How many leading words are options and their values."""
        index = 0
        while index < len(words):
            word = words[index]
            if not word.startswith("-") or word in {"-", "--"}:
                break
            option = self._option_of(word)
            index += 1
            if option is not None and option.kind is not Kind.FLAG and word in option.flags:
                index += 1
        return min(index, len(words))

    def _joined(self, words: list[str]) -> Iterator[str]:
        """The words for argparse, which takes ``-1GiB`` for an option unless it is part of one."""
        rest = iter(words)
        for word in rest:
            option = self._option_of(word)
            if option is None or (option.kind is not Kind.FLAG and word not in option.flags):
                yield word
            elif option.kind is not Kind.FLAG:
                value = next(rest, "--")
                if value == "--" or self._option_of(value) is not None:
                    raise option.missing(word)
                yield f"{word}={value}"
            elif word in option.flags:
                yield word
            else:
                raise OptionError(f"{word.partition('=')[0]} takes no value: {option.explanation}")

    def _option_of(self, word: str) -> Option | None:
        for option in self.options:
            if word in option.flags or any(word.startswith(f"{flag}=") for flag in option.flags):
                return option
        return None

    def _parser(self) -> argparse.ArgumentParser:
        parser = _Parser(prog=self.name, usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
        for option in self.options:
            how: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS}
            if option.kind is not Kind.FLAG:
                parser.add_argument(*option.flags, action="append" if option.repeat else "store", **how)
                continue
            for turns_off, flags in itertools.groupby(option.flags, option.turns_off):
                parser.add_argument(*flags, action="store_false" if turns_off else "store_true", **how)
        return parser


def _help_lines(option: Option) -> list[str]:
    """The lines on an option in the help; argparse's own formatter takes milliseconds for each magic that is loaded."""
    flags = ", ".join(option.flags) + ("" if option.kind is Kind.FLAG else f" {option.metavar}")
    text = option.explanation
    if option.kind is not Kind.FLAG and option.default not in (None, (), ""):
        text += f" (default {option.default})"
    return [f"  {flags:<30}  {text}"] if len(flags) <= 30 else [f"  {flags}", f"{'':34}{text}"]


def _unquote(word: str) -> str:
    """`word` without the quotes around it, or around an option's value."""
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "\"'":
        return word[1:-1]
    flag, equals, value = word.partition("=")
    if equals and flag.startswith("--"):
        return f"{flag}={_unquote(value)}"
    return word
