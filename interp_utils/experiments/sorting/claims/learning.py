"""Whether one head learns to sort."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.rules import above, at_least, at_most
from interp_utils.experiments.sorting.claims.rows import (
    NEARLY,
    NOTES,
    REPORT,
    VARIABLE,
    by_then,
    is_compared,
    of_kind,
)
from interp_utils.experiments.sorting.row import TOKENS, WHOLE

SORTS, LENGTH = "06 · Does it sort?", "06 · Variable length"

CLAIMS = [
    Claim(
        "one head sorts lists of fixed length",
        REPORT,
        '"near-perfect validation accuracy within 50,000 epochs"',
        WHOLE,
        at_least(0.99, "%"),
        SORTS,
        tolerance=NEARLY,
        undecided=by_then,
    ),
    Claim(
        "one head sorts lists of variable length",
        REPORT,
        '"for both tasks"',
        WHOLE,
        at_least(0.99, "%"),
        LENGTH,
        tolerance=NEARLY,
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "one head sorts lists of variable length, by the notebook's measure",
        NOTES,
        "99.8 % of tokens after 50,000 steps",
        TOKENS,
        at_least(0.9975, "%"),
        LENGTH,
        tolerance="rounding, as the source's",
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "one head sorts lists of up to 100 items",
        REPORT,
        '"lists of up to 100 items"',
        "lists of over 75 items",
        at_least(0.99, "%"),
        LENGTH,
        tolerance=NEARLY,
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "the model does not overfit",
        REPORT,
        '"without any signs of overfitting"',
        "validation over training loss",
        at_most(1.5, "times"),
        SORTS,
        tolerance="half as much again; every step draws fresh lists",
        about=of_kind("one head", VARIABLE),
    ),
    Claim(
        "lists of variable length are sorted better than those of fixed length",
        REPORT,
        '"better on sorting the variable length list"',
        "tokens, variable minus fixed length",
        above(0),
        LENGTH,
        tolerance="none; sizes differ, ours as theirs",
        about=is_compared,
    ),
]
