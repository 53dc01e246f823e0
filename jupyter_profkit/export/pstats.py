"""Time profiles as `pstats.Stats`, and as the ``.prof`` files that cProfile writes.

    to_pstats(profile).sort_stats("cumulative").print_stats(10)
    write_pstats(profile, Path("run.prof"))
    read_pstats(Path("run.prof"))           a TimeProfile

A ``.prof`` file is a dictionary in the format of `marshal`, which is not safe to load
from strangers. It is read here by a reader of its own that knows dictionaries, tuples,
texts and numbers, allocates no more than the file has bytes, and runs nothing.
"""

from __future__ import annotations

import pstats
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from jupyter_profkit.errors import RecordingError
from jupyter_profkit.model.functions import CallerRecord, FunctionRecord, Key, StatementProfile, TimeProfile
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import is_user_file, label_of

__all__ = ["read_pstats", "to_pstats", "write_pstats"]


class _Recorded:
    """What `pstats.Stats` takes for a profiler."""

    def __init__(self, stats: dict[Key, Any]) -> None:
        self.stats = stats

    def create_stats(self) -> None:
        """All is there already."""


def to_pstats(profile: TimeProfile) -> pstats.Stats:
    """The figures of `profile`, callers included, as cProfile hands them to pstats."""
    stats = {record.key: _figures(record) for record in profile.functions}
    return pstats.Stats(_Recorded(stats)) if stats else pstats.Stats()  # type: ignore[arg-type]


def _figures(record: FunctionRecord) -> tuple[int, int, float, float, dict[Key, tuple[int, int, float, float]]]:
    callers = {
        caller.caller: (caller.ncalls, caller.pcalls, caller.tottime, caller.cumtime) for caller in record.callers
    }
    return record.pcalls, record.ncalls, record.tottime, record.cumtime, callers


def write_pstats(profile: TimeProfile, path: Path) -> None:
    """Write a file that ``pstats.Stats(path)``, snakeviz and their kin open."""
    to_pstats(profile).dump_stats(path)


def read_pstats(path: Path) -> TimeProfile:
    """The profile in a file of cProfile's, or of `write_pstats`.

    Raises
    ------
    RecordingError
        If the file cannot be read, or is anything else. Nothing in it is executed.
    """
    try:
        content = path.read_bytes()
        written = path.stat().st_mtime
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    try:
        functions = tuple(_records(_MarshalReader(content).read()))
    except (_WrongShapeError, RecursionError):
        raise RecordingError(f"{path}: not a cProfile recording, or a damaged one") from None
    duration = sum(record.tottime for record in functions)
    return TimeProfile(
        Session(path.name, written, duration),
        Method(f"read from {path.name}", exact=False, n_events=2 * sum(record.ncalls for record in functions)),
        functions,
        StatementProfile((), duration),
    )


class _WrongShapeError(Exception):
    """Not what a cProfile recording looks like."""


def _records(stats: object) -> Iterator[FunctionRecord]:
    for key, figures in _is(stats, dict).items():
        filename, lineno, function = _key(key)
        primitive, calls, tottime, cumtime, callers = _tuple(figures, 5)
        yield FunctionRecord(
            function,
            filename,
            lineno,
            ncalls=_count(calls),
            pcalls=_count(primitive),
            tottime=_seconds(tottime),
            cumtime=_seconds(cumtime),
            callers=tuple(_caller(caller, share) for caller, share in _is(callers, dict).items()),
            label=label_of(filename),
            is_user=filename != "~" and is_user_file(filename),
        )


def _caller(caller: object, share: object) -> CallerRecord:
    if isinstance(share, int):  # the pure-Python profile module keeps no more than a count
        return CallerRecord(_key(caller), _count(share), _count(share), 0.0, 0.0)
    calls, primitive, tottime, cumtime = _tuple(share, 4)
    return CallerRecord(_key(caller), _count(calls), _count(primitive), _seconds(tottime), _seconds(cumtime))


def _is(value: object, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise _WrongShapeError
    return value


def _tuple(value: object, length: int) -> tuple[Any, ...]:
    items: tuple[Any, ...] = _is(value, tuple)
    if len(items) != length:
        raise _WrongShapeError
    return items


def _key(value: object) -> Key:
    filename, lineno, function = _tuple(value, 3)
    return _is(filename, str), _is(lineno, int), _is(function, str)


def _count(value: object) -> int:
    number: int = _is(value, int)
    if number < 0:
        raise _WrongShapeError
    return number


def _seconds(value: object) -> float:
    number = float(value) if type(value) is int else _is(value, float)
    if not abs(number) < 1e12:  # so is a NaN refused
        raise _WrongShapeError
    return float(number)


_FLAG_REF: Final = 0x80
_MAX_DEPTH: Final = 8
_END: Final = object()


class _MarshalReader:
    """Reads the few types of `marshal` that a cProfile recording is made of."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0
        self._references: list[object] = []
        self._depth = 0
        self._readers: dict[int, Callable[[], object]] = {
            ord("{"): self._dict,
            ord("("): lambda: self._items(self._integer()),
            ord(")"): lambda: self._items(self._byte()),
            ord("i"): self._integer,
            ord("l"): self._long,
            ord("g"): lambda: self._unpack("<d", 8),
            ord("a"): lambda: self._text(self._integer(), "ascii"),
            ord("A"): lambda: self._text(self._integer(), "ascii"),
            ord("z"): lambda: self._text(self._byte(), "ascii"),
            ord("Z"): lambda: self._text(self._byte(), "ascii"),
            ord("u"): lambda: self._text(self._integer(), "utf-8"),
            ord("t"): lambda: self._text(self._integer(), "utf-8"),
            ord("r"): self._reference,
            ord("0"): lambda: _END,
        }

    def read(self) -> object:
        """The one value that the content is."""
        value = self._value()
        if self._position != len(self._content):
            raise _WrongShapeError
        return value

    def _value(self) -> object:
        code = self._byte()
        reader = self._readers.get(code & ~_FLAG_REF)
        self._depth += 1
        if reader is None or self._depth > _MAX_DEPTH:
            raise _WrongShapeError
        place = len(self._references)
        if code & _FLAG_REF:
            self._references.append(None)  # a container's number comes before those of its items
        value = reader()
        if code & _FLAG_REF:
            self._references[place] = value
        self._depth -= 1
        return value

    def _take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self._position:
            raise _WrongShapeError
        self._position += size
        return self._content[self._position - size : self._position]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _unpack(self, layout: str, size: int) -> Any:
        return struct.unpack(layout, self._take(size))[0]

    def _integer(self) -> int:
        return int(self._unpack("<i", 4))

    def _long(self) -> int:
        """An integer of more than 32 bits, in digits of 15."""
        n_digits = self._integer()
        digits = [int(self._unpack("<H", 2)) for _ in range(min(abs(n_digits), 8))]
        if abs(n_digits) > len(digits):  # no count is as large
            raise _WrongShapeError
        value = sum(digit << (15 * place) for place, digit in enumerate(digits))
        return value if n_digits >= 0 else -value

    def _text(self, size: int, encoding: str) -> str:
        try:
            return self._take(size).decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise _WrongShapeError from None

    def _items(self, size: int) -> tuple[object, ...]:
        if not 0 <= size <= len(self._content) - self._position:  # an item has a byte at least
            raise _WrongShapeError
        return tuple(self._value() for _ in range(size))

    def _dict(self) -> dict[object, object]:
        found: dict[object, object] = {}
        while (key := self._value()) is not _END:
            found[_key(key)] = self._value()  # checked before it is hashed: a hostile one could take for ever
        return found

    def _reference(self) -> object:
        place = self._integer()
        if not 0 <= place < len(self._references):
            raise _WrongShapeError
        return self._references[place]
