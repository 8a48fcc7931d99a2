"""What was published of models that compose in groups, and the rules that decide it.

Chughtai et al. 2023 (2302.03025): irreps. Wu et al. 2025 (2410.07476): rho-sets; read second-hand.
Their models are MLPs on S5 for the most part, trained ten times as long; these are transformers.
"""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.base import Claim, Row
from interp_utils.experiments.groups.row import EXACT, generalised

IRREPS, RHO_SETS = "Chughtai et al. 2023", "Wu et al. 2025"
RUNGS = ("irrep", "rank one", "coset")


def with_snapshot(row: Row) -> bool:
    return generalised(row) and "F_coset, first" in row


def few(row: Row, measure: str) -> bool:
    """Above .9 in key irreps that a random matrix would have at most two thirds in."""
    return row[measure] > 0.9 and row["on keys by chance"] < 2 / 3


def memoriser(row: Row) -> bool:
    return "labels" in row and row["test accuracy"] < 0.5


def _claim(
    text: str,
    source: str,
    published: str,
    measure: str,
    holds: Callable[[float], bool],
    rule: str,
    section: str,
    about: Callable[[Row], bool] = generalised,
) -> Claim:
    return Claim(
        text,
        source,
        published,
        measure,
        lambda row: holds(row[measure]),
        rule,
        f"{NOTEBOOK} · {section}",
        about,
    )


NOTEBOOK = "11"
WEIGHTS, LOGITS, LOSSES = (
    "Which irreps: weights, neurons, logits",
    "Are the logits characters?",
    "Restricted and excluded loss, at three levels",
)
CONSTANT, VECTORS, LADDER, TIME = (
    "Are neurons constant on cosets?",
    "One vector a, or several?",
    "Which reading? A ladder on one scale",
    "Which reading comes first?",
)
ATTENTION, CHOICE = "Do heads look at one operand?", "Which irreps do models choose?"
INTRO = [
    "Published of MLPs and transformers on S5, 40 to 60 % of the pairs, a learning rate of 1e-3",
    "and up to 250,000 steps; read second-hand. Here: transformers on S4, 80 % of the pairs, 1e-2,",
    "4,000 steps. A row says what holds of these, and leaves undecided whether it does of those.",
    "On S4 most functions of an irrep pass the published threshold of .90 for cosets by chance:",
    "rows on cosets ask for more than 1 % of random functions reach.",
]
CLAIMS = [
    Claim(
        "the read-out lies in a few irreps",
        IRREPS,
        ".94 (MLPs, S5)",
        "W_L on keys",
        lambda row: few(row, "W_L on keys"),
        "above .9 of W_out W_U in key irreps that have at most two thirds of all functions",
        f"{NOTEBOOK} · {WEIGHTS}",
        generalised,
    ),
    Claim(
        "and so do embeddings",
        IRREPS,
        "1.00 (MLPs, S5)",
        "W_E on keys",
        lambda row: few(row, "W_E on keys"),
        "the same of W_E",
        f"{NOTEBOOK} · {WEIGHTS}",
        generalised,
    ),
    _claim(
        "key irreps explain the neurons",
        IRREPS,
        ".89 (MLPs, S5)",
        "neuron FVE",
        lambda x: x > 0.8,
        "above .8 of their variance, as functions of x, y and x o y",
        WEIGHTS,
    ),
    _claim(
        "logits are characters of x y z^-1",
        IRREPS,
        "sum of characters",
        "character FVE",
        lambda x: x > 0.9,
        "characters explain above .9 of the logits' variance",
        LOGITS,
    ),
    Claim(
        "restricted loss is below the full one",
        IRREPS,
        "2.2e-7 against 1e-5",
        "restricted, isotypic",
        lambda row: row["restricted, isotypic"] < row["loss"],
        "below the loss over all pairs, isotypic part of the logits",
        f"{NOTEBOOK} · {LOSSES}",
        generalised,
    ),
    Claim(
        "excluded loss is worse than guessing",
        IRREPS,
        "11.7 (ln 120 = 4.8)",
        "excluded, isotypic",
        lambda row: row["excluded, isotypic"] > row["guess"],
        "above ln of the group's order, on the training pairs",
        f"{NOTEBOOK} · {LOSSES}",
        generalised,
    ),
    _claim(
        "neurons of an irrep share one vector a",
        RHO_SETS,
        "approximately constant",
        "most vectors a",
        lambda x: x == 1,
        "one cluster (cos² > .98) with 5 % of the energy, in each irrep",
        VECTORS,
    ),
    Claim(
        "neurons are of one irrep and of rank one when they generalise",
        "this suite",
        "-",
        "irrep share, first",
        lambda row: min(row["irrep share, first"], row["rank one, first"]) > 0.8,
        "both above .8 of energy when test accuracy first passes .85",
        f"{NOTEBOOK} · {TIME}",
        with_snapshot,
    ),
    Claim(
        "and constant on cosets only later",
        "this suite",
        "-",
        "cosets beyond chance, first",
        lambda row: row["cosets beyond chance, first"] < row["cosets beyond chance"] - 0.3,
        "by then at least .3 less of the energy than at the end is above what 1 % of random "
        "functions of its irrep reach",
        f"{NOTEBOOK} · {TIME}",
        with_snapshot,
    ),
    Claim(
        "other seeds choose other irreps",
        IRREPS,
        "strong universality fails",
        "sets of key irreps",
        lambda row: row["sets of key irreps"] > 1,
        "more than one set of key irreps",
        f"{NOTEBOOK} · {CHOICE}",
        lambda row: "sets of key irreps" in row,
    ),
    _claim(
        "almost every neuron is constant on cosets",
        "Stander et al. 2024",
        "almost every",
        "cosets beyond chance",
        lambda x: x > 0.9,
        "above .9 of the energy is above what 1 % of random functions of its irrep reach, on "
        "cosets of index 2 to 12",
        CONSTANT,
    ),
    _claim(
        "neurons on cosets do not realise representations",
        "Stander et al. 2024",
        "no",
        "irrep share",
        lambda x: x < 0.5,
        "less than half of a side's energy in one irrep",
        CONSTANT,
    ),
    _claim(
        "what is of one irrep and constant on cosets is a rho-set",
        RHO_SETS,
        "equivalent",
        "rank one of both",
        lambda x: x > 0.95,
        "above .95 of what is both is of rank one",
        CONSTANT,
    ),
    *(
        _claim(
            f"the reading {rung!r} is exact",
            "this suite",
            "-",
            f"cost of {rung}",
            lambda x: x < EXACT,
            "the replacement costs less than a factor 2 in loss",
            LADDER,
        )
        for rung in RUNGS
    ),
    _claim(
        "other conjugates' cosets destroy it",
        "this suite, control",
        "-",
        "cost of shuffled",
        lambda x: x > 3,
        "the loss is more than 1,000 times as large",
        LADDER,
    ),
    _claim(
        "pre-activations are a function of x plus one of y",
        "this suite",
        "-",
        "additive share",
        lambda x: x > 0.99,
        "above .99 of their variance",
        ATTENTION,
    ),
    _claim(
        "each head looks at one operand alone",
        "this suite",
        "-",
        "attention as a switch",
        lambda x: x > 0.95,
        "above .95 of attention to one of them, mean over heads",
        ATTENTION,
    ),
]
