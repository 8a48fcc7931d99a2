"""What this suite found about models that compose in groups, and was not published."""

from __future__ import annotations

import math
from functools import partial

from interp_utils.experiments.claims import has
from interp_utils.experiments.claims import own as found
from interp_utils.experiments.groups.claims import (
    CHANCE,
    CHOICE,
    CONSTANT,
    LOGITS,
    NOTEBOOK,
    VECTORS,
    memoriser,
    of_all,
)
from interp_utils.experiments.groups.row import EXACT, generalised
from interp_utils.experiments.groups.together import ON_ONE_FACTOR
from interp_utils.experiments.rules import Row, Rule, above, at_most, below

LADDER = f"{NOTEBOOK} · Which reading? A ladder on one scale"
ATTENTION = f"{NOTEBOOK} · Do heads look at one operand?"
PROOF = f"{NOTEBOOK} · How short is a proof?"
PRODUCTS = f"{NOTEBOOK} · Products: one factor at a time?"
TIME = f"{NOTEBOOK} · Which reading comes first?"
LONG = 10_000  # steps, where most runs end at 2,000
RUNGS = ("irrep", "rank one", "line", "coset")
POINTS = "5 points of test accuracy, when it first passes .85"


def with_snapshot(row: Row) -> bool:
    return generalised(row) and "F_coset, first" in row


def past_it(row: Row, fulfilled: bool) -> str | None:
    """A snapshot that is right on nearly all test pairs is past the rise of its accuracy."""
    late = not fulfilled and row["test accuracy, first"] > 0.95
    return "snapshot above 95 %" if late else None


own = partial(found, about=generalised)
early = partial(own, notebook=TIME, about=with_snapshot)
OWN = [
    early(
        "neurons are of one irrep and of rank one when the model generalises",
        measure="irrep share, first",
        rule=Rule(
            "above 80 %, as is rank one",
            lambda share, row: min(share, row["rank one, first"]) > 0.8,
            low=0.8,
        ),
        tolerance="a fifth of the energy, when test accuracy first passes .85",
    ),
    early(
        "neurons are constant on cosets only later",
        measure="cosets beyond chance, first",
        rule=Rule(
            "below that at the end by 30 points",
            lambda first, row: first < row["cosets beyond chance"] - 0.3,
        ),
        tolerance=CHANCE,
    ),
    early(
        "rank-one parts of neurons suffice when the model generalises",
        measure="lost to rank one, first",
        rule=below(0.05, "%"),
        tolerance=POINTS,
    ),
    early(
        "parts of neurons that are constant on cosets do not suffice then",
        measure="lost to coset, first",
        rule=above(0.05, "%"),
        tolerance=POINTS,
        undecided=past_it,
    ),
    *(
        own(
            f"the reading {rung!r} is exact",
            measure=f"cost of {rung}",
            rule=below(EXACT),
            notebook=LADDER,
            tolerance="a factor of two in loss; costs are powers of ten",
        )
        for rung in RUNGS
    ),
    *(
        own(
            f"long after it has generalised, a model on S5 has {words}",
            measure=f"cost of {rung}",
            rule=rule,
            notebook=TIME,
            tolerance=f"at {LONG:,} steps; costs are powers of ten, exact is a factor of two",
            about=lambda row: generalised(row) and row["group"] == "S5" and row["steps"] >= LONG,
        )
        for words, rung, rule in (
            ("an exact coset reading", "coset", below(EXACT)),
            ("no exact rank-one reading", "rank one", above(EXACT)),
        )
    ),
    own(
        "the rank-one reading costs less than the coset reading",
        measure="cost of rank one",
        rule=below("cost of coset"),
        notebook=LADDER,
        tolerance="none; costs are powers of ten",
    ),
    own(
        "cosets of other conjugates destroy the model",
        measure="cost of shuffled",
        rule=above(3),
        notebook=LADDER,
        tolerance="1,000 times the loss; costs are powers of ten",
    ),
    own(
        "logits are no functions of x o y in the key irreps",
        measure="isotypic FVE",
        rule=below(0.9, "%"),
        notebook=LOGITS,
        tolerance="a tenth of the logits' variance",
    ),
    own(
        "as many directions as its key irreps have prove it right",
        measure="proof rank",
        rule=at_most("sum of d^2"),
        notebook=PROOF,
        tolerance="none; 99 % of the pairs that are answered right, whatever the explanation",
    ),
    own(
        "a memoriser takes nearly all of them",
        measure="proof rank",
        rule=Rule(
            "above three quarters of all directions",
            lambda rank, row: rank > 0.75 * (math.exp(row["guess"]) - 1),
        ),
        notebook=PROOF,
        about=memoriser,
    ),
    own(
        "a product is learned one factor at a time",
        measure=ON_ONE_FACTOR,
        rule=above(0.9, "%"),
        notebook=PRODUCTS,
        tolerance="a tenth of what characters there are in the logits",
        about=has(ON_ONE_FACTOR),
    ),
    own(
        "an irrep has several vectors a",
        measure="vectors a",
        rule=above(1),
        notebook=VECTORS,
        counts="irreps",
        tolerance="clusters (cos² > .98) with 5 % of the energy",
    ),
    own(
        "the vectors a of an irrep are clusters, and not spread evenly",
        measure="a over chance",
        rule=above(1),
        notebook=VECTORS,
        counts="irreps",
        tolerance="none: the largest cluster, over that of 1 % of even spreads",
    ),
    own(
        "the vectors a leave dimensions of the irrep free",
        measure="dimensions without a",
        rule=above(0),
        notebook=VECTORS,
        counts="irreps",
        tolerance="1 % of the energy",
    ),
    own(
        "the largest circuit has every pair of lines (b, c)",
        measure="pairs of lines",
        rule=above(0.8, "%"),
        notebook=VECTORS,
        counts="irreps",
        tolerance="a fifth of an orbit's pairs, of the largest cluster",
    ),
    own(
        "transformers choose standard less often than MLPs",
        measure="standard against MLPs: p",
        rule=Rule(
            "below 0.05, and fewer than 49 of 50",
            lambda p, row: p < 0.05 and row["runs with standard"] / row["runs"] < 49 / 50,
            high=0.05,
        ),
        notebook=CHOICE,
        tolerance="Fisher's test against the published 49 of 50, on 40 % of the pairs",
        about=of_all,
    ),
    own(
        "neurons' x sides are constant on right cosets",
        measure="x on right",
        rule=above(0.95, "%"),
        notebook=CONSTANT,
        tolerance="5 % of the energy on one side's cosets alone",
    ),
    own(
        "neurons' y sides are constant on left cosets",
        measure="y on left",
        rule=above(0.95, "%"),
        notebook=CONSTANT,
        tolerance="5 % of the energy on one side's cosets alone",
    ),
    own(
        "pre-activations are a function of x plus one of y",
        measure="additive share",
        rule=above(0.99, "%"),
        notebook=ATTENTION,
        tolerance="1 % of their variance",
    ),
    own(
        "each head looks at one operand alone",
        measure="attention as a switch",
        rule=above(0.95, "%"),
        notebook=ATTENTION,
        tolerance="5 % of attention, mean over heads",
    ),
]
