"""One control for each option that changes what is shown, made of the option's declaration.

controls = option_controls(display_options("line_memory"), {"sort": "peak"})
controls[0].widget          a Dropdown
controls[0].value()         "peak", as the option takes it
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets

from jupyter_profkit.options.cprofile import SORT_KEYS
from jupyter_profkit.options.declare import Kind, Option

__all__ = ["ALL", "OptionControl", "labelled", "option_controls", "values_of", "window_control"]

ALL: Final = "all"
_ORDER: Final = {"sort": 0, "rows": 1, "limit": 1, "precision": 2}
_ROWS: Final = (10, 20, 50, 100, 200)
_MOST_ROWS: Final = 500
_PSTATS_ORDERS: Final = ("tottime", "cumulative", "ncalls", "name", "filename", "line")
"""Each meaning of pstats' words once, those that readers want first."""
_BY_LIBRARY: Final = ""
"""cprofile's own arrangement when no order is asked for: each library is one row."""
_LARGEST_PRECISION: Final = 9


@dataclass(frozen=True)
class OptionControl:
    """A widget that stands for an option."""

    name: str
    widget: Any
    value: Callable[[], Any]
    """The option's value, as the report takes it."""
    is_limit: bool = False
    """Whether it says how many rows."""
    everything: Any = None
    """Of a limit, the value that leaves no row out."""


def labelled(kind: Any, label: str, width: str, **traits: Any) -> Any:
    """A control with its name before it, as wide as told, so that rows of controls stand still."""
    style = {"description_width": "initial"}
    layout = ipywidgets.Layout(width=width, margin="0")
    return kind(description=label, style=style, layout=layout, **traits)


def option_controls(options: Iterable[Option], display: Mapping[str, Any]) -> list[OptionControl]:
    """The controls of those options that can have one, boxes to tick last, set to `display`."""
    in_order = sorted(options, key=lambda option: _ORDER.get(option.name, len(_ORDER)))
    made = (_control(option, option.check(display.get(option.name, option.default))) for option in in_order)
    return [control for control in made if control is not None]


def _control(option: Option, value: Any) -> OptionControl | None:
    if option.name == "sort":
        return _sort(option, value)
    if option.name in {"rows", "limit"}:
        return _limit(option, value)
    if option.name == "precision":
        return _precision(option, value)
    return _flag(option, value) if option.kind is Kind.FLAG else None


def _sort(option: Option, value: Any) -> OptionControl:
    choices = list(option.choices or _PSTATS_ORDERS)
    chosen = next(iter(value), _BY_LIBRARY) if option.repeat else value
    if chosen in SORT_KEYS and option.repeat:
        chosen = next((choice for choice in choices if SORT_KEYS[choice] == SORT_KEYS[chosen]), chosen)
    if chosen not in choices and chosen != _BY_LIBRARY:
        choices.append(chosen)
    names = [(str(choice).replace("_", " "), choice) for choice in choices]
    if option.repeat:
        names.insert(0, ("own code, libraries", _BY_LIBRARY))
    widget = labelled(ipywidgets.Dropdown, "Sort by", "230px", options=names, value=chosen, tooltip=option.help)
    return OptionControl(option.name, widget, lambda: _words(widget.value) if option.repeat else widget.value)


def _words(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _limit(option: Option, value: Any) -> OptionControl:
    """How many rows; cprofile takes a number, a fraction or a text, of which this control has the number."""
    everything: Any = None
    chosen: Any = value or ALL
    if option.repeat:
        everything = (str(_MOST_ROWS),)
        numbers = [int(str(one)) for one in value if str(one).isdecimal()]
        chosen = min(numbers, default=ALL)
    elif option.name == "limit":
        everything = 0
    choices = sorted({*_ROWS, *([chosen] if chosen != ALL else ())})
    names = [(f"{choice}", choice) for choice in choices] + [(ALL, ALL)]
    widget = labelled(ipywidgets.Dropdown, "Rows", "120px", options=names, value=chosen, tooltip="of each table")

    def read() -> Any:
        if widget.value == ALL:
            return () if option.repeat else everything
        return (str(widget.value),) if option.repeat else widget.value

    return OptionControl(option.name, widget, read, is_limit=True, everything=everything)


def _precision(option: Option, value: int) -> OptionControl:
    widget = labelled(
        *(ipywidgets.BoundedIntText, "Digits", "110px"),
        min=0,
        max=max(_LARGEST_PRECISION, value),
        value=value,
        tooltip=option.help,
    )
    return OptionControl(option.name, widget, lambda: widget.value)


def _flag(option: Option, value: bool) -> OptionControl:
    """``no_flame`` is a box ``flame`` that is ticked at first."""
    negated = option.name.startswith("no_")
    name = option.name.removeprefix("no_").replace("_", " ")
    layout = ipywidgets.Layout(width="auto", margin="0")
    widget = ipywidgets.Checkbox(
        description=name, value=value is not negated, indent=False, tooltip=option.help, layout=layout
    )
    return OptionControl(option.name, widget, lambda: widget.value is not negated)


def window_control(end: float, value: Any) -> OptionControl:
    """The part of the time axis, from 0 to `end` seconds; all of it is no window at all."""
    start, stop = (float(part) for part in (value.split(",") if isinstance(value, str) else value or (0.0, end)))
    digits = max(0, min(4, 2 - math.floor(math.log10(end)))) if end > 0 else 3
    widget = labelled(
        *(ipywidgets.FloatRangeSlider, "Zoom, s", "min(480px, 100%)"),
        min=min(0.0, start),
        max=max(end, stop),
        step=(max(end, stop) or 1.0) / 500,
        value=(start, stop),
        readout_format=f".{digits}f",
        continuous_update=False,
    )

    def read() -> tuple[float, float] | None:
        return None if widget.value == (widget.min, widget.max) else tuple(widget.value)

    return OptionControl("window", widget, read)


def values_of(controls: Sequence[OptionControl], *, all_rows: bool = False) -> Iterator[tuple[str, Any]]:
    """Each option with its value; with `all_rows`, limits let everything through."""
    found = {control.name: control.value() for control in controls}
    limits = {control.name: control.everything for control in controls if control.is_limit}
    if all_rows or (found.get("sort") and found.get("limit") == ()):  # sorted by pstats, "all" is to be said
        found.update(limits)
    yield from found.items()
