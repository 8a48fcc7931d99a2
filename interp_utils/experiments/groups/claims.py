"""What was published about models that compose in groups, and the rules that decide the claims.

Chughtai et al. 2023 (2302.03025): irreps. Stander et al. 2024 (2312.06581): cosets. Wu et al. 2025
(2410.07476): rho-sets. Read second-hand.
"""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.claims import Claim, Undecided, ended_early, has, other_settings
from interp_utils.experiments.groups.row import generalised
from interp_utils.experiments.rules import Row, Rule, above, below, exactly

IRREPS, RHO_SETS = "Chughtai et al. 2023", "Wu et al. 2025"
COSETS = "Stander et al. 2024"


def memoriser(row: Row) -> bool:
    """A control, with little data or random labels, that is right only on its training pairs."""
    control = "labels" in row and (row["labels"] == "random" or row["fraction"] < 0.5)
    return control and row["test accuracy"] < 0.1


def on_few(share: float, row: Row) -> bool:
    """Above .9 in key irreps in which a random matrix would have at most two thirds."""
    return share > 0.9 and row["on keys by chance"] < 2 / 3


def by_chance(p_value: str) -> Undecided:
    """An outcome that chance gives at least once in 20 times decides nothing."""
    return lambda row, fulfilled: (
        "chance does as much" if fulfilled and row[p_value] >= 0.05 else None
    )


of_all = has("sets of key irreps")
NOTEBOOK = "11"
WEIGHTS = f"{NOTEBOOK} · Which irreps: weights, neurons, logits"
LOGITS = f"{NOTEBOOK} · Are the logits characters?"
LOSSES = f"{NOTEBOOK} · Restricted and excluded loss, at three levels"
CONSTANT = f"{NOTEBOOK} · Are neurons constant on cosets?"
VECTORS = f"{NOTEBOOK} · One vector a, or several?"
CHOICE = f"{NOTEBOOK} · Which irreps do models choose?"
FEW = Rule("above 90 % in key irreps with at most two thirds of all functions", on_few, low=0.9)
CHANCE = "what is on cosets as 1 % of random functions of its irrep are counts as chance"
OF_MLPS = other_settings("of MLPs; these are transformers")
claim = partial(Claim, about=generalised)

CLAIMS = [
    claim(
        "the read-out W_out W_U lies in a few irreps",
        IRREPS,
        ".94 of W_out W_U (MLPs, S5)",
        "W_L on keys",
        FEW,
        WEIGHTS,
        tolerance="4 points",
    ),
    claim(
        "the embeddings lie in a few irreps",
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
        "restricted loss is below the full loss",
        IRREPS,
        "2.2e-7 against 1e-5",
        "restricted, isotypic",
        below("loss"),
        LOSSES,
        tolerance="none: any loss below the full one, on all pairs",
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
        "restricted loss tells a circuit from memory",
        IRREPS,
        "restricted loss shows the circuit",
        "restricted, characters",
        above("loss"),
        LOSSES,
        tolerance="none: a memoriser's must not be below its full loss, on all pairs",
        about=memoriser,
    ),
    claim(
        "other seeds choose other irreps",
        IRREPS,
        "strong universality fails",
        "sets of key irreps",
        above(1),
        CHOICE,
        about=of_all,
    ),
    claim(
        "each model computes in irreps, whichever it has chosen",
        IRREPS,
        "weak universality holds",
        "W_L on keys",
        Rule(
            "as for the read-out, and without keys worse than a guess",
            lambda share, row: on_few(share, row) and row["excluded, hidden"] > row["guess"],
        ),
        CHOICE,
        tolerance="10 points; that nothing but irreps is used is not asked for",
    ),
    claim(
        "irreps of low dimension are learned more often",
        IRREPS,
        "lower dimension first",
        "low dimensions",
        above("high dimensions"),
        CHOICE,
        tolerance="undecided where Fisher's p is .05 or more; dimension 4 against 5 and 6",
        about=of_all,
        undecided=by_chance("low dimensions: p"),
    ),
    claim(
        "the irrep of dimension 6 is never learned",
        IRREPS,
        "0 of 50 (MLPs, S5)",
        "runs with 6d",
        exactly(0),
        CHOICE,
        tolerance="undecided where even draws would leave it out once in 20 times",
        about=of_all,
        undecided=by_chance("no 6d by chance"),
    ),
    claim(
        "standard is chosen more often than standard (x) sign",
        RHO_SETS,
        "49 against 17 of 50 (MLPs, S5): the smaller orbit",
        "runs with standard",
        above("runs with standard_sign"),
        CHOICE,
        about=of_all,
        undecided=OF_MLPS,
    ),
    claim(
        "almost every neuron is constant on cosets",
        COSETS,
        "almost every neuron",
        "cosets beyond chance",
        above(0.9, "%"),
        CONSTANT,
        tolerance=f"a tenth of the energy; {CHANCE}",
        undecided=ended_early,
    ),
    claim(
        "neurons on cosets do not realise representations",
        COSETS,
        "neurons realise no representations",
        "irrep share on cosets",
        below(0.5, "%"),
        CONSTANT,
        tolerance="half of a side's energy in one irrep",
    ),
    claim(
        "neurons of one irrep that are constant on cosets form rho-sets",
        RHO_SETS,
        "the two are equivalent",
        "rank one of both",
        above(0.95, "%"),
        CONSTANT,
        tolerance="5 % of what is both",
    ),
    claim(
        "all neurons of an irrep share one vector a",
        RHO_SETS,
        "approximately constant (MLPs, S5)",
        "vectors a",
        exactly(1),
        VECTORS,
        counts="irreps",
        tolerance="clusters (cos² > .98) with 5 % of the energy",
        undecided=OF_MLPS,
    ),
]
