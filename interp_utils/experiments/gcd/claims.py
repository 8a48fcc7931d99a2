"""What Charton 2023 and Patel et al., section 3.2, say about greatest common divisors, and the
rules.

Charton is quoted by the abstract and, second-hand, by reviews of the paper; the table is that of
uniform operands.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interp_utils.analysis.divisors import bound, prime_factors, products
from interp_utils.experiments.claims import Claim, ended, ended_early, has, where
from interp_utils.experiments.rules import Row, above, at_least, below, exactly

CHARTON, REPORT = "Charton 2023", "§3.2"
NOTEBOOK = "16"
MAP = f"{NOTEBOOK} · Predicted against true"
RULES = f"{NOTEBOOK} · Three rules"
TABLE = f"{NOTEBOOK} · How far each base gets"
STAIRS = f"{NOTEBOOK} · The staircase, and whether it is grokking"
OTHERWISE = f"{NOTEBOOK} · Other pairs: log-uniform, and few that come again"
DIGITS = f"{NOTEBOOK} · Which digits are read"
# Base: how many of the gcds up to 100 are learned, and the accuracy (uniform operands).
PUBLISHED = {
    2: (7, 0.816),
    10: (13, 0.847),
    30: (27, 0.947),
    210: (32, 0.955),
    420: (38, 0.968),
}
of_kind = partial(where, "kind")
MORE_BY_LOG = "gcds learned, log-uniform minus uniform"
BY_COUNTING, LARGEST = "bound of base 420 on uniform pairs", 420


def of_base(base: int) -> Callable[[Row], bool]:
    return of_kind(f"base {base}")


def fresh(row: Row) -> bool:
    """Fresh pairs of uniform operands, in any base."""
    return "," not in row.get("kind", ",")


def of_ten(row: Row) -> bool:
    return row.get("kind", "").startswith("base 10")


def fewer_by_then(row: Row, fulfilled: bool) -> str | None:
    """A smaller model that saw fewer pairs may still learn what it has not."""
    return None if fulfilled else f"one layer, {ended(row)}"


CLAIMS = [
    Claim(
        "one answer for each gcd",
        CHARTON,
        "all pairs with one gcd get one answer, in 99.9 % of the cases",
        "one answer",
        at_least(0.99, "%"),
        RULES,
        tolerance="one in a hundred, of models trained less long",
    ),
    Claim(
        "what is learned is made of the base's primes",
        CHARTON,
        '"products of divisors of the base"; other small primes come with long training',
        "gcds outside the base",
        exactly(0, "no gcd with another prime"),
        RULES,
    ),
    Claim(
        "and closed under products",
        CHARTON,
        "all products of the prime powers learned are learned",
        "breaks rule 2",
        exactly(0, "none is missing, none is beside them"),
        RULES,
        tolerance="none: a gcd in the middle of being learned counts",
    ),
    Claim(
        "the answer is the largest gcd learned that divides the true one",
        CHARTON,
        '"predicts the largest element of D that divides both inputs"',
        "largest divisor",
        at_least(0.95, "%"),
        RULES,
        tolerance="5 of 100 gcds, one that is being learned and its multiples",
    ),
    *(
        Claim(
            f"base {base}: {count} gcds",
            CHARTON,
            f"{count} of the gcds up to 100 are learned",
            "gcds learned",
            at_least(count, "gcds"),
            TABLE,
            about=of_base(base),
            undecided=fewer_by_then,
        )
        for base, (count, _) in PUBLISHED.items()
        if base != 210
    ),
    *(
        Claim(
            f"base {base}: {accuracy:.1%} of uniform pairs".replace("%", " %"),
            CHARTON,
            f"{100 * accuracy:.1f} %",
            "accuracy",
            at_least(accuracy - 0.01, "%"),
            TABLE,
            tolerance="a point, on 10,000 pairs",
            about=of_base(base),
            undecided=fewer_by_then,
        )
        for base, (_, accuracy) in PUBLISHED.items()
        if base != 210
    ),
    Claim(
        "one layer of 32 dimensions reaches 93.3 % in base 30",
        CHARTON,
        "93.3 %, under 300,000 parameters, with one layer and 32 dimensions each",
        "accuracy",
        at_least(0.928, "%"),
        TABLE,
        tolerance="half a point; of an encoder and a decoder",
        about=of_base(30),
        undecided=ended_early,
    ),
    Claim(
        "log-uniform operands teach more",
        CHARTON,
        '"Log-uniform operands boost performance to 73 GCD"',
        MORE_BY_LOG,
        above(0, "gcds"),
        OTHERWISE,
        about=has(MORE_BY_LOG),
        undecided=lambda row, fulfilled: None if fulfilled else "both of them short trainings",
    ),
    Claim(
        "in base 2 it counts zeros",
        f"{CHARTON}, as a review quotes it",
        '"counting the rightmost zeros in its inputs"',
        "multiples merged without it",
        at_least(0.99, "%"),
        DIGITS,
        tolerance="without the digits from 2^k on, multiples of 2^(k+1) get the answer to 2^k",
        counts="powers of 2",
        about=of_base(2),
    ),
    Claim(
        "base 10 does not grok",
        REPORT,
        '"we did not observe the Grokking phenomenon for base 10"',
        "groks",
        exactly(False, "validation is never five times later than training"),
        STAIRS,
        about=of_ten,
    ),
    Claim(
        "fixed pairs are overfitted",
        REPORT,
        '"our model consistently demonstrated overfitting"',
        "validation loss over its lowest",
        above(1.5, "times"),
        OTHERWISE,
        about=of_kind("base 10, fixed pairs"),
    ),
    Claim(
        "one layer that only decodes cannot",
        "§3.1",
        '"the 1-attention layer decoder-only transformer model is not capable of doing recursive '
        'computation ... they cannot compute GCD"',
        "accuracy",
        below(0.65, "%"),
        TABLE,
        tolerance="no better than answering 1, which is right for 61 %",
        about=of_base(30),
    ),
    Claim(
        "96.8 % at base 420 takes log-uniform operands",
        "§3.1",
        '"base 420 hits 96.8% accuracy on GCD task) trained on a log uniform distribution"',
        BY_COUNTING,
        below(0.967, "%"),
        TABLE,
        tolerance="by counting: what uniform operands could not reach, they did not",
        about=has(BY_COUNTING),
    ),
]


def bound_of(base: int) -> float:
    """The accuracy on uniform pairs of a model that has learned all products, up to 100, of the
    base's primes.
    """
    return bound(products(prime_factors(base)))
