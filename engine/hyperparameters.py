"""Hyperparameters: declared once, as fields of a frozen dataclass, with limits, unit and help.

    @dataclass(frozen=True)
    class Params:
        hidden: int = integer(16, 1, 256, unit="units", help="Width of the hidden layer")
        lr: float = real(1e-2, 1e-5, 1.0, log=True, live=True, help="Step size of the optimiser")

The form in the window, the command line's ``--set``, the checkpoint and the contract test are all made
from these declarations. ``live`` hyperparameters act at the next training step and keep weights and history;
``view`` ones change only what is shown, at once; all others rebuild the network.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = float | int | str | bool
Kind = Literal["real", "integer", "choice", "flag"]


class HyperparameterError(ValueError):
    """An unknown name or a value outside its limits; the message says what is allowed."""


def written(value: float) -> str:
    """A number as a sentence would have it: 0.03, 1e-5, 1,000,000."""
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


@dataclass(frozen=True)
class Hyperparameter:
    """What is known of one hyperparameter, apart from its value."""

    kind: Kind
    default: Value
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    log: bool = False
    live: bool = False
    view: bool = False
    unit: str = ""
    label: str = ""
    help: str = ""
    group: str = ""
    when: tuple[str, tuple[Value, ...]] | None = None  # another one, and the values at which this one matters
    typed_high: float = 0.0  # a typed value may go beyond the slider, up to here
    name: str = ""

    def matters(self, values: Mapping[str, Value]) -> bool:
        """Whether it has any effect beside these values of the others: the form shows it only then."""
        return self.when is None or values[self.when[0]] in self.when[1]

    @property
    def rebuilds(self) -> bool:
        """Whether a change restarts the run (structure, data) instead of acting on the running one."""
        return not (self.live or self.view)

    @property
    def allowed(self) -> str:
        """The values allowed, as a person would say it."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "flag":
            return "true or false"
        number = "a whole number" if self.kind == "integer" else "a number"
        return f"{number} from {written(self.low)} to {written(self.most)}"

    @property
    def most(self) -> float:
        """The largest value allowed; the slider ends at `high`."""
        return max(self.high, self.typed_high)

    def check(self, value: Any) -> Value:
        """Return `value` in this hyperparameter's type; raise HyperparameterError where it is not allowed."""
        error = HyperparameterError(f"{self.name or self.label} must be {self.allowed}, not {value!r:.60}")
        if self.kind == "flag":
            if isinstance(value, bool):
                return value
            raise error
        if self.kind == "choice":
            if value in self.choices:
                return str(value)
            raise error
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.most:
            raise error
        if self.kind == "integer" and value != int(value):
            raise error
        return int(value) if self.kind == "integer" else float(value)

    def parse(self, text: str) -> Value:
        """Read a value from the command line; raise HyperparameterError where it is not one."""
        if self.kind == "flag":
            word = text.strip().lower()
            if word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
                return word in ("true", "yes", "on", "1")
        elif self.kind == "choice":
            return self.check(text)
        else:
            try:
                return self.check(float(text))
            except ValueError:
                pass
        raise HyperparameterError(f"{self.name} must be {self.allowed}, not {text!r}")


def _field(hyperparameter: Hyperparameter) -> Any:
    return dataclasses.field(default=hyperparameter.default, metadata={"hyperparameter": hyperparameter})


def real(
    default: float,
    low: float,
    high: float,
    *,
    log: bool = False,
    live: bool = False,
    view: bool = False,
    unit: str = "",
    label: str = "",
    help: str,
    group: str = "",
    when: tuple[str, tuple[Value, ...]] | None = None,
    typed_high: float = 0.0,
) -> Any:
    """A real number in [low, high]; `log` gives the slider a logarithmic scale. A typed value may go up to
    `typed_high`: what happens at a learning rate of 1e6 is worth seeing, but not worth half the slider."""
    return _field(
        Hyperparameter("real", default, low, high, (), log, live, view, unit, label, help, group, when, typed_high)
    )


def integer(
    default: int,
    low: int,
    high: int,
    *,
    log: bool = False,
    live: bool = False,
    view: bool = False,
    unit: str = "",
    label: str = "",
    help: str,
    group: str = "",
    when: tuple[str, tuple[Value, ...]] | None = None,
) -> Any:
    """A whole number in [low, high]."""
    return _field(Hyperparameter("integer", default, low, high, (), log, live, view, unit, label, help, group, when))


def choice(
    default: str,
    choices: tuple[str, ...],
    *,
    live: bool = False,
    view: bool = False,
    label: str = "",
    help: str,
    group: str = "",
    when: tuple[str, tuple[Value, ...]] | None = None,
) -> Any:
    """One word of several."""
    return _field(Hyperparameter("choice", default, 0, 0, choices, False, live, view, "", label, help, group, when))


def flag(
    default: bool,
    *,
    live: bool = False,
    view: bool = False,
    label: str = "",
    help: str,
    group: str = "",
    when: tuple[str, tuple[Value, ...]] | None = None,
) -> Any:
    """On or off."""
    return _field(Hyperparameter("flag", default, 0, 0, (), False, live, view, "", label, help, group, when))


def hyperparameters_of(params: Any) -> dict[str, Hyperparameter]:
    """The declarations of a Params class (or instance), by field name, in the order of the fields."""
    found = {}
    for field in dataclasses.fields(params):
        declared = field.metadata["hyperparameter"]
        label = declared.label or field.name.replace("_", " ").capitalize()
        found[field.name] = dataclasses.replace(declared, name=field.name, label=label)
    return found


def make_params(params: type[Any], values: Mapping[str, Any]) -> Any:
    """An instance of `params` with `values` checked and the rest at their defaults.

    Raises HyperparameterError for an unknown name or a value that is not allowed.
    """
    declared = hyperparameters_of(params)
    checked = {}
    for name, value in values.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise HyperparameterError(f"there is no hyperparameter {name!r}; there are: {known}")
        checked[name] = declared[name].check(value)
    return params(**checked)


def fitting(params: type[Any], values: Mapping[str, Value]) -> dict[str, Value]:
    """Those of `values` that `params` still knows and allows: a lab's code may have changed since they were set."""
    declared, found = hyperparameters_of(params), {}
    for name, value in values.items():
        with contextlib.suppress(HyperparameterError):
            if name in declared:
                found[name] = declared[name].check(value)
    return found


def parse_settings(params: type[Any], settings: list[str]) -> dict[str, Value]:
    """Read ``["lr=0.1", "hidden=32"]``; raise HyperparameterError where a setting cannot be understood."""
    declared = hyperparameters_of(params)
    values: dict[str, Value] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise HyperparameterError(f"write name=value, not {setting!r}")
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise HyperparameterError(f"there is no hyperparameter {name!r}; there are: {known}")
        values[name] = declared[name].parse(text)
    return values


def values_of(params: Any) -> dict[str, Value]:
    """The values of a Params instance, by name: what is written to JSON."""
    return {field.name: getattr(params, field.name) for field in dataclasses.fields(params)}
