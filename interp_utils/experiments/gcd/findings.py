"""What this suite found about greatest common divisors, and was not published."""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.claims import own as found
from interp_utils.experiments.gcd.claims import (
    DIGITS,
    MAP,
    NOTEBOOK,
    OTHERWISE,
    STAIRS,
    TABLE,
    fresh,
    of_base,
    of_kind,
)
from interp_utils.experiments.rules import Row, above, at_least, below, between, exactly

POWERS = f"{NOTEBOOK} · Without one prime power"
ZERO = f"{NOTEBOOK} · Trailing zeros, or residues?"
NEURONS = f"{NOTEBOOK} · What the neurons know"


def composite(row: Row) -> bool:
    """Fresh pairs in a base of several primes."""
    return fresh(row) and row["kind"] not in ("base 2", "base 3")


own = partial(found, about=fresh)
of_composite = partial(found, about=composite)
powers = partial(of_composite, notebook=POWERS, counts="prime powers")
of_fixed = partial(found, notebook=OTHERWISE, about=of_kind("base 10, fixed pairs"))
in_thirty = partial(found, notebook=POWERS, counts="prime powers", about=of_base(30))

OWN = [
    own(
        "accuracy is that of the gcds learned",
        measure="accuracy minus the bound",
        rule=between(-0.015, 0.015, "%"),
        notebook=TABLE,
        tolerance="a point and a half, on 10,000 pairs",
    ),
    own(
        "right tokens, teacher-forced, flatter it",
        measure="token accuracy, teacher-forced, minus accuracy",
        rule=above(0.03, "%"),
        notebook=MAP,
        tolerance="by 3 points",
    ),
    own(
        "no step of the staircase is grokking",
        measure="validation over training",
        rule=below(2, "times"),
        notebook=STAIRS,
        counts="levels of accuracy",
        tolerance="grokking is five times later",
    ),
    of_fixed(
        "five hundred fixed pairs are learned by heart",
        measure="train loss",
        rule=below(1e-3),
    ),
    of_fixed(
        "and of what was learned first nothing is left",
        measure="gcds learned",
        rule=exactly(0, "none, of the 100"),
    ),
    own(
        "only the last digits count",
        measure="answers changed by other digits",
        rule=below(0.03, "%"),
        notebook=DIGITS,
        tolerance="3 % of answers",
    ),
    own(
        "and are attended to",
        measure="attention to the last digits",
        rule=above(0.5, "%"),
        notebook=DIGITS,
        tolerance="more than half of the attention, where the last digit is answered",
    ),
    of_composite(
        "residues other than 0 are not read",
        measure="right without residues",
        rule=above(0.95, "%"),
        notebook=ZERO,
        counts="odd primes",
    ),
    of_composite(
        "whether the residue is 0 is",
        measure="multiples, right without divisibility",
        rule=below(0.2, "%"),
        notebook=ZERO,
        counts="odd primes",
    ),
    of_composite(
        "the base itself does not need its primes",
        measure="the base, right without a prime",
        rule=above(0.5, "%"),
        notebook=ZERO,
        counts="primes",
    ),
    of_composite(
        "they need the digit 0",
        measure="multiples of the base, right without zero's own part",
        rule=below(0.2, "%"),
        notebook=ZERO,
    ),
    of_composite(
        "which the others do not",
        measure="others, right without zero's own part",
        rule=above(0.9, "%"),
        notebook=ZERO,
    ),
    powers(
        "without a prime power nothing tells its multiples",
        measure="multiples merged without it",
        rule=at_least(0.9, "%"),
        tolerance="most frequent answers, of gcds but multiples of the base",
    ),
    powers(
        "all others stay apart",
        measure="others apart without it",
        rule=at_least(0.9, "%"),
    ),
    powers(
        "as much taken away at random hides few multiples",
        measure="multiples merged without as much at random",
        rule=below(0.5, "%"),
        tolerance="mean of three random orders of the digits",
    ),
    in_thirty(
        "in base 30 its multiples fail",
        measure="right without it, multiples",
        rule=below(0.2, "%"),
    ),
    in_thirty(
        "and nothing else does",
        measure="right without it, others",
        rule=above(0.85, "%"),
    ),
    of_composite(
        "neurons know the divisors of the last digits",
        measure="neurons, by the divisors of the last digits",
        rule=above("neurons, by as many classes at random", factor=2),
        notebook=NEURONS,
    ),
]
