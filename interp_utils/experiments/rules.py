"""Rules that decide a claim: they compare a number with a bound, in the words that the page shows.

A bound is a number, the name of another measure of the same row, or LN_P, the loss of a guess. The
unit follows the bound in words; "%" is for a share from 0 to 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Number = float | int
Bound = Number | str
LN_P = "ln p"


@dataclass(frozen=True)
class Rule:
    """words: what the number must be. low, high: its bounds where they are numbers, for a line in
    a figure.
    """

    words: str
    test: Callable[[Any, Row], bool]
    low: Number | None = None
    high: Number | None = None

    def __call__(self, value: Any, row: Row) -> bool:
        return bool(self.test(value, row))


def above(bound: Bound, unit: str = "", factor: Number = 1) -> Rule:
    """More than the bound, or than `factor` times the bound."""
    words = f"above {spell(bound, unit, factor)}"
    return Rule(words, lambda x, row: x > at(bound, row, factor), low=_number(bound, factor))


def at_least(bound: Bound, unit: str = "", factor: Number = 1) -> Rule:
    words = f"at least {spell(bound, unit, factor)}"
    return Rule(words, lambda x, row: x >= at(bound, row, factor), low=_number(bound, factor))


def below(bound: Bound, unit: str = "", factor: Number = 1) -> Rule:
    words = f"below {spell(bound, unit, factor)}"
    return Rule(words, lambda x, row: x < at(bound, row, factor), high=_number(bound, factor))


def at_most(bound: Bound, unit: str = "", factor: Number = 1) -> Rule:
    words = f"at most {spell(bound, unit, factor)}"
    return Rule(words, lambda x, row: x <= at(bound, row, factor), high=_number(bound, factor))


def between(low: Number, high: Number, unit: str = "") -> Rule:
    """From low to high, both included."""
    number = spell(low, unit).removesuffix(f" {unit}") if unit else spell(low)
    words = f"{number} to {spell(high, unit)}"
    return Rule(words, lambda x, row: low <= x <= high, low=low, high=high)


def exactly(value: Any, words: str | None = None) -> Rule:
    """Exactly this value: a count, or True or False with words that say what is true."""
    return Rule(words or spell(value), lambda x, row: x == value)


def at(bound: Bound, row: Row, factor: Number = 1) -> Number:
    """The number that a bound stands for in a row."""
    if bound == LN_P:
        return factor * math.log(row["p"])
    return factor * (row[bound] if isinstance(bound, str) else bound)


def spell(bound: Bound, unit: str = "", factor: Number = 1) -> str:
    """A bound in words: 95 %, 10 times, ln p, twice the full loss."""
    if isinstance(bound, str):
        times = {1: "", 2: "twice ", 0.5: "half "}.get(factor, f"{factor:g} times ")
        return f"{times}{'' if bound == LN_P else 'the '}{bound}"
    if unit == "%":
        return f"{100 * factor * bound:.4g} %"
    number = f"{factor * bound:,}" if isinstance(bound, int) and factor == 1 else _short(bound)
    return f"{number} {unit}".strip()


def _short(number: Number) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.6g}"


def _number(bound: Bound, factor: Number) -> Number | None:
    return None if isinstance(bound, str) else factor * bound


def spread(values: Sequence[Number], form: str) -> str:
    """Median, smallest and largest as words, each in this format; "-" for none."""
    if not len(values):
        return "-"
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def line(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
