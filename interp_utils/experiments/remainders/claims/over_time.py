"""Active frequencies and gradients over training: Syrkis and Søgaard 2024, figures 16 and 17."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim, has
from interp_utils.experiments.remainders.claims.rows import OURS
from interp_utils.experiments.rules import above, at_least, below, between

SPIKE = "09 · Is the spike in the number of active frequencies real?"
GRADIENTS = "09 · Gradients by weight"

CLAIMS = [
    Claim(
        "the number of active frequencies spikes, by the released code",
        "Fig. 16",
        "10, 18, 10 at steps 4,096, 16,384 and 65,536",
        "code's count, largest over last",
        above(1.5, "times"),
        SPIKE,
        tolerance="the published factor is 1.8",
        about=OURS,
    ),
    Claim(
        "18 of 57 frequencies can be active, by the text's definition",
        "Table 3",
        "18 of 57 frequencies over mean and two standard deviations",
        "active by the text, most possible of 57",
        at_least(18),
        SPIKE,
        tolerance="arithmetic: at most a fifth of numbers can be (Cantelli)",
        about=has("active by the text, most possible of 57"),
    ),
    *(
        Claim(
            f"the spike shows in a measure without a scale: {name}",
            "Fig. 16",
            "the number of active frequencies spikes",
            f"{name}, largest over last",
            above(1.5, "times"),
            SPIKE,
            tolerance="the published factor is 1.8",
            about=OURS,
        )
        for name in ("participation ratio", "90 % of power", "1 - Gini")
    ),
    Claim(
        "the spike coincides with generalisation",
        "post",
        '"as the model generalizes to complex tasks"',
        "code's count, step of the largest over the median answer's",
        between(0.5, 2, "times"),
        SPIKE,
        tolerance="a factor of two; snapshots are a thousand steps apart",
        about=OURS,
    ),
    Claim(
        "attention's gradients settle first",
        "Fig. 17",
        "norms of attention's gradients settle early",
        "gradients of attention, last over largest, over the others'",
        below(1),
        GRADIENTS,
        tolerance="Q, K, V and O together, against all other weights",
        about=OURS,
    ),
]
