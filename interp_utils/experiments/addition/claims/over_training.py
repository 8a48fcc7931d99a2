"""Progress measures, and the phases of grokking: Nanda et al. 2023, section 5."""

from __future__ import annotations

from dataclasses import replace

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.rules import LN_P, above, at_most, below

SEEDS, PHASES = "04 · Other seeds, and other moduli", "04 · The phases, by a rule on these curves"

CLAIMS = [
    Claim(
        "restricted loss is below the full loss",
        "§5.1",
        "in the end the key frequencies alone do better",
        "restricted loss",
        below("full loss"),
        SEEDS,
    ),
    Claim(
        "excluded loss is worse than a guess",
        "§5.1",
        "without the key frequencies the training pairs are lost",
        "excluded loss",
        above(LN_P),
        SEEDS,
        tolerance="none: worse than a guess",
    ),
    Claim(
        "the training pairs are memorised by step 1,400",
        "§5.2",
        "epochs 0 to 1,400",
        "memorisation ends",
        at_most(1500, "steps"),
        PHASES,
        tolerance="100 steps",
    ),
    Claim(
        "circuit formation takes longer than memorisation",
        "§5.2",
        "epochs 1,400 to 9,400",
        "circuit formation ends",
        replace(above("memorisation ends", factor=2), words="over twice the step of memorising"),
        PHASES,
        tolerance="the published factor is 6.7",
    ),
    Claim(
        "cleanup ends by step 14,000",
        "§5.2",
        "epochs 9,400 to 14,000",
        "cleanup ends",
        at_most(17_000, "steps"),
        PHASES,
        tolerance="3,000 steps",
    ),
    Claim(
        "the squared weights fall faster in cleanup than in circuit formation",
        "§5.2",
        "the sum of squared weights falls most sharply in cleanup",
        "squared weights, fall in cleanup over formation",
        above(1),
        PHASES,
    ),
    *(
        Claim(
            f"{name} becomes sparse in cleanup",
            "§5.2",
            "the Gini coefficient rises sharply in cleanup",
            f"Gini of {name}, rise in cleanup over formation",
            above(1),
            PHASES,
        )
        for name in ("W_E", "W_L")
    ),
]
