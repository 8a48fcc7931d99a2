"""Which runs a claim is about, and which of them decide it."""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.claims import ended, has
from interp_utils.experiments.powers.row import generalised, is_bijection, of_run
from interp_utils.experiments.powers.together import PUBLISHED
from interp_utils.experiments.rules import Row


def one_of(*names: str) -> Callable[[Row], bool]:
    return lambda row: of_run(row) and row["task"] in names


def grokked_in_table(row: Row) -> bool:
    return of_run(row) and PUBLISHED.get(row["task"]) is not None


def no_sums(row: Row) -> bool:
    """A run that generalised on other exponents than 1 and 1."""
    return generalised(row) and row["task"] != "(1, 1)"


def renamed(row: Row) -> bool:
    """A run that generalised on modular addition under another name."""
    return no_sums(row) and is_bijection(row)


def uneven(row: Row) -> bool:
    return of_run(row) and row["entropy of labels"] < 0.9999


def control(row: Row) -> bool:
    return row.get("task") == "random labels"


def not_yet(row: Row, fulfilled: bool) -> str | None:
    """A run that had not generalised by its end does not say whether it would have."""
    return None if row["has generalised"] else ended(row)


together, of_study = has("order of Table 1"), has("a = b over neither")
