"""`--vary NAME=VALUES`: the values of an option that a sweep tries."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

from interp_utils.cli import options, spelling

if TYPE_CHECKING:
    import optuna


class Values(NamedTuple):
    """The values that a sweep tries: a list, or the ends (low, high) of a range."""

    of: tuple[Any, ...]
    is_range: bool = False
    log: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        if not self.is_range:
            return trial.suggest_categorical(name, self.of)
        suggest = trial.suggest_int if type(self.of[0]) is int else trial.suggest_float
        return suggest(name, *self.of, log=self.log)


def read_vary(arguments: argparse.Namespace) -> dict[str, Values]:
    """The values to try, by the option's name with underscores."""
    known, vary = options.variables(arguments.task), {}
    for spelt in arguments.vary:
        name, _, values = spelt.partition("=")
        key = name.replace("-", "_")
        if key not in known or not values:
            raise ValueError(
                f"argument --vary: expected NAME=VALUES with the name of an option, got {spelt!r}; "
                f"see interp-utils sweep {arguments.task} --help"
            )
        dest, hint = known[key]
        if key in vary or dest in vars(arguments):
            raise ValueError(f"{name} is given twice; give it its values once, in one --vary")
        vary[key] = _read_values(name, values, hint)
    missing = [
        spelt
        for name, spelt in options.required(arguments.task).items()
        if name not in vary and f"task.{name}" not in vars(arguments)
    ]
    if missing:
        raise ValueError(
            f"the following arguments are required: {', '.join(missing)}, or a --vary of it"
        )
    return vary


def _read_values(name: str, spelt: str, hint: Any) -> Values:
    ends = spelt.split(":")
    is_range = len(ends) > 1
    items = ends[:2] if is_range else spelt.split(",")
    try:
        values = tuple(spelling.read(hint, item) for item in items)
    except (ValueError, TypeError):
        raise ValueError(
            f"argument --vary: expected {spelling.spell_hint(hint)} for each value of {name}, got "
            f"{spelt!r}"
        ) from None
    if is_range and not _is_range(values, ends[2:]):
        raise ValueError(
            "argument --vary: a range is LOW:HIGH, of numbers, or LOW:HIGH:log with LOW "
            f"above 0, got {name}={spelt}"
        )
    return Values(values, is_range, log=ends[2:] == ["log"])


def _is_range(ends: tuple[Any, ...], rest: list[str]) -> bool:
    """Whether these are the two ends of a range, with nothing after them but what may follow."""
    if not all(type(end) in (int, float) for end in ends):
        return False
    low, high = ends
    if rest == ["log"] and low <= 0:
        return False
    return low < high and rest in ([], ["log"])
