"""What was published of models that compose in groups, and the rules that decide it.

Chughtai et al. 2023 (2302.03025): irreps. Wu et al. 2025 (2410.07476): rho-sets; read second-hand.
Their models are MLPs on S5 for the most part, trained ten times as long; these are transformers.
"""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.groups.row import EXACT, generalised
from interp_utils.experiments.rules import Row, Rule, above, below, exactly

IRREPS, RHO_SETS = "Chughtai et al. 2023", "Wu et al. 2025"
COSETS = "Stander et al. 2024"
RUNGS = ("irrep", "rank one", "coset")


def with_snapshot(row: Row) -> bool:
    return generalised(row) and "F_coset, first" in row


def memoriser(row: Row) -> bool:
    return "labels" in row and row["test accuracy"] < 0.5


def on_few(share: float, row: Row) -> bool:
    """Above .9 in key irreps that a random matrix would have at most two thirds in."""
    return share > 0.9 and row["on keys by chance"] < 2 / 3


NOTEBOOK = "11"
WEIGHTS = f"{NOTEBOOK} · Which irreps: weights, neurons, logits"
LOGITS = f"{NOTEBOOK} · Are the logits characters?"
LOSSES = f"{NOTEBOOK} · Restricted and excluded loss, at three levels"
CONSTANT = f"{NOTEBOOK} · Are neurons constant on cosets?"
VECTORS = f"{NOTEBOOK} · One vector a, or several?"
LADDER = f"{NOTEBOOK} · Which reading? A ladder on one scale"
ATTENTION = f"{NOTEBOOK} · Do heads look at one operand?"
CHOICE = f"{NOTEBOOK} · Which irreps do models choose?"
TIME = f"{NOTEBOOK} · Which reading comes first?"
INTRO = [
    "Published of MLPs and transformers on S5, 40 to 60 % of the pairs, a learning rate of 1e-3",
    "and up to 250,000 steps; read second-hand. Here: transformers on S4, 80 % of the pairs, 1e-2,",
    "4,000 steps. A row says what holds of these, and leaves undecided whether it does of those.",
    "On S4 most functions of an irrep pass the published threshold of .90 for cosets by chance:",
    "rows on cosets ask for more than 1 % of random functions reach.",
]
FEW = Rule("above 90 % in key irreps with at most two thirds of all functions", on_few, low=0.9)
CHANCE = "what is on cosets as 1 % of random functions of its irrep are counts as chance"
claim = partial(Claim, about=generalised)

CLAIMS = [
    claim(
        "the read-out lies in a few irreps",
        IRREPS,
        ".94 of W_out W_U (MLPs, S5)",
        "W_L on keys",
        FEW,
        WEIGHTS,
        tolerance="4 points",
    ),
    claim(
        "and so do embeddings",
        IRREPS,
        "1.00 of W_E (MLPs, S5)",
        "W_E on keys",
        FEW,
        WEIGHTS,
        tolerance="10 points",
    ),
    claim(
        "key irreps explain the neurons",
        IRREPS,
        ".89 of their variance (MLPs, S5)",
        "neuron FVE",
        above(0.8, "%"),
        WEIGHTS,
        tolerance="9 points; as functions of x, y and x o y",
    ),
    claim(
        "logits are characters of x y z^-1",
        IRREPS,
        "sums of characters",
        "character FVE",
        above(0.9, "%"),
        LOGITS,
        tolerance="a tenth of the logits' variance",
    ),
    claim(
        "restricted loss is below the full one",
        IRREPS,
        "2.2e-7 against 1e-5",
        "restricted, isotypic",
        below("loss"),
        LOSSES,
        tolerance="none: any loss below, on all pairs",
    ),
    claim(
        "excluded loss is worse than guessing",
        IRREPS,
        "11.7 (ln 120 = 4.8)",
        "excluded, isotypic",
        above("guess"),
        LOSSES,
        tolerance="none: worse than a guess, on the training pairs",
    ),
    claim(
        "neurons of an irrep share one vector a",
        RHO_SETS,
        "approximately constant",
        "most vectors a",
        exactly(1),
        VECTORS,
        tolerance="clusters (cos² > .98) with 5 % of the energy",
    ),
    claim(
        "other seeds choose other irreps",
        IRREPS,
        "strong universality fails",
        "sets of key irreps",
        above(1),
        CHOICE,
        about=lambda row: "sets of key irreps" in row,
    ),
    claim(
        "almost every neuron is constant on cosets",
        COSETS,
        "almost every",
        "cosets beyond chance",
        above(0.9, "%"),
        CONSTANT,
        tolerance=f"a tenth of the energy; {CHANCE}",
    ),
    claim(
        "neurons on cosets do not realise representations",
        COSETS,
        "no representations",
        "irrep share",
        below(0.5, "%"),
        CONSTANT,
        tolerance="half of a side's energy in one irrep",
    ),
    claim(
        "what is of one irrep and constant on cosets is a rho-set",
        RHO_SETS,
        "equivalent",
        "rank one of both",
        above(0.95, "%"),
        CONSTANT,
        tolerance="5 % of what is both",
    ),
]
own = partial(Claim, source="-", says="-", about=generalised)
OWN = [
    own(
        "neurons are of one irrep and of rank one when they generalise",
        measure="irrep share, first",
        rule=Rule(
            "above 80 %, as is rank one",
            lambda share, row: min(share, row["rank one, first"]) > 0.8,
            low=0.8,
        ),
        notebook=TIME,
        tolerance="a fifth of the energy, when test accuracy first passes .85",
        about=with_snapshot,
    ),
    own(
        "and constant on cosets only later",
        measure="cosets beyond chance, first",
        rule=Rule(
            "below that at the end by 30 points",
            lambda first, row: first < row["cosets beyond chance"] - 0.3,
        ),
        notebook=TIME,
        tolerance=CHANCE,
        about=with_snapshot,
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
    own(
        "other conjugates' cosets destroy it",
        measure="cost of shuffled",
        rule=above(3),
        notebook=LADDER,
        tolerance="1,000 times the loss; costs are powers of ten",
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
