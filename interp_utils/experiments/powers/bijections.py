"""The study behind notebook 07's last question: bijections with equal and with different exponents.

They have as many classes, as even labels and as much left unseen by training, so that only the
exponents differ. At the published learning rate and weight decay (1e-3, 1) those with different
exponents had not generalised by step 12,000; at ten times the rate and twice the decay they do.
"""

from __future__ import annotations

from dataclasses import replace

from interp_utils.experiments.base import Recipe
from interp_utils.experiments.powers.recipes import P, power_sum
from interp_utils.experiments.rules import Row
from interp_utils.experiments.studies import Study
from interp_utils.runs.run import Run

EXPONENTS = ((1, 1), (3, 3), (5, 5), (9, 9), (3, 5), (5, 9), (3, 9))
SEEDS = (1, 2, 3)
STEPS = 3000


def quick(a: int, b: int, seed: int) -> Recipe:
    recipe = power_sum(P, a, b, STEPS)
    quickly = replace(recipe.train, lr=1e-2, weight_decay=2.0, log_every=25, snapshot_every=None)
    return replace(recipe, train=quickly).seeded(seed)


def nothing_more(run: Run) -> Row:
    return {}


STUDY = Study(
    name="powers",
    trainings={
        f"a{a}_b{b}_seed{seed}": {"a": a, "b": b, "seed": seed}
        for a, b in EXPONENTS
        for seed in SEEDS
    },
    recipe=quick,
    look=nothing_more,
    settle=125,
)
