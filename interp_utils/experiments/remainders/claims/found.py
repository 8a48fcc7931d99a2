"""What was found in addition to the published claims."""

from __future__ import annotations

from interp_utils.experiments.claims import has, own
from interp_utils.experiments.remainders.claims.rows import OURS
from interp_utils.experiments.remainders.claims.training import GROKFAST
from interp_utils.experiments.remainders.grokfast import over_none
from interp_utils.experiments.rules import above, at_least, below, exactly

TASK, TRAINING = "08 · The task", "08 · Training"
SPIKE = "09 · Is the spike in the number of active frequencies real?"
CIRCUITS = "10 · Neurons"

OWN = [
    own(
        "the number of frequencies in all neurons does not change",
        measure="participation ratio, largest over last",
        rule=below(1.2, "times"),
        notebook=SPIKE,
        tolerance="a fifth",
        about=OURS,
    ),
    own(
        "the neurons of a period serve the answer of that period",
        measure="cluster's cost to its own answer",
        rule=above(0.5),
        notebook=CIRCUITS,
        tolerance="half of accuracy, with the period's neurons at their means",
        about=OURS,
    ),
    own(
        "on x y mod 97 weight decay alone is as fast as the exponential average with it",
        measure=over_none("decay"),
        rule=at_least(over_none("ema")),
        notebook=GROKFAST,
        tolerance="none; steps to 95 % without either, over those with",
        about=has(over_none("decay")),
    ),
    own(
        "remainders by larger q are learned later",
        measure="the others, step with q",
        rule=above(0.3),
        notebook=TRAINING,
        tolerance="a rank correlation of 0.3",
        about=OURS,
    ),
    own(
        "two of 29 remainders commute, mod 2 and mod 7",
        measure="q that commute",
        rule=exactly(2),
        notebook=TASK,
        tolerance="arithmetic",
        about=has("q that commute"),
    ),
]
