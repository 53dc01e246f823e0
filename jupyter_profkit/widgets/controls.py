"""One control for each option that changes what is shown, made of the option's declaration.

controls = option_controls(display_options("line_memory"), {"sort": "peak"})
controls[0].widget          a Dropdown
controls[0].value()         "peak", as the option takes it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets

from jupyter_profkit.options.cprofile import SORT_KEYS
from jupyter_profkit.options.declare import Kind, Option

__all__ = ["ALL", "OptionControl", "labelled", "option_controls"]

ALL: Final = "all"
_ROWS: Final = (10, 20, 50, 100, 200)
_MOST_ROWS: Final = 500
_PSTATS_ORDERS: Final = ("tottime", "cumulative", "ncalls", "name", "filename", "line")
"""Each meaning of pstats' words once, those that readers want first."""
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
    """The controls of those options that can have one, in their order, set to `display`."""
    made = (_control(option, display.get(option.name, option.default)) for option in options)
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
    chosen = next(iter(value), choices[0]) if option.repeat else value
    if option.repeat:
        meaning = SORT_KEYS.get(chosen, chosen)
        chosen = next((choice for choice in choices if SORT_KEYS[choice] == meaning), chosen)
    if chosen not in choices:
        choices.append(chosen)
    names = [(str(choice).replace("_", " "), choice) for choice in choices]
    widget = labelled(ipywidgets.Dropdown, "Sort by", "190px", options=names, value=chosen, tooltip=option.help)
    return OptionControl(option.name, widget, lambda: (widget.value,) if option.repeat else widget.value)


def _limit(option: Option, value: Any) -> OptionControl:
    """How many rows; cprofile takes a number, a fraction or a text, of which this control has the number."""
    everything: Any = None
    chosen = value or ALL
    if option.repeat:
        everything = (str(_MOST_ROWS),)
        numbers = [int(str(one)) for one in value if str(one).isdecimal()]
        chosen = min(numbers, default=50)
    elif option.name == "limit":
        everything = 0
    choices = sorted({*_ROWS, *([chosen] if chosen != ALL else ())})
    names = [(f"{choice}", choice) for choice in choices] + [(ALL, ALL)]
    widget = labelled(ipywidgets.Dropdown, "Rows", "120px", options=names, value=chosen, tooltip="of each table")

    def read() -> Any:
        if widget.value == ALL:
            return everything
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


def values_of(controls: Iterable[OptionControl], *, all_rows: bool = False) -> Iterator[tuple[str, Any]]:
    """Each option with its value; with `all_rows`, limits let everything through."""
    for control in controls:
        yield control.name, control.everything if control.is_limit and all_rows else control.value()
