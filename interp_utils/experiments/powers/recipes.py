"""Trainings on x^a + y^b: each row of Patel et al., Table 1, and the even exponents that their
section 5.1 and appendix describe. a = b = 1 is modular addition.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

P = 113  # the report's, but for (7, 7) on 101
# (p, a, b) -> (steps, seeds). (3, 3), (5, 5) and (9, 9), which the report has grok at 10,000, 3,000
# and 1,600 steps, are sums renamed, and have a seed more.
TASKS = {
    (101, 7, 7): (12_000, 3),
    (P, 2, 2): (6_000, 1),
    (P, 3, 3): (12_000, 4),
    (P, 3, 4): (8_000, 3),
    (P, 4, 4): (6_000, 1),
    (P, 4, 5): (8_000, 3),
    (P, 5, 4): (8_000, 3),
    (P, 5, 5): (12_000, 4),
    (P, 7, 7): (6_000, 3),
    (P, 8, 9): (6_000, 3),
    (P, 9, 9): (12_000, 4),
}


def power_sum(p: int, a: int, b: int, steps: int) -> Recipe:
    return Recipe(
        partial(tasks.exponentiated_addition, p, a, b),
        ModelConfig(),
        TrainConfig(steps=steps, snapshot_every=1000),
    )


# Bijections with a and b different, which tell "a = b" from the number of classes; in (3, 9) one is
# a multiple of the other. And the third p that the report names.
NOT_TRAINED = {
    **dict.fromkeys([(P, 3, 5), (P, 5, 9), (P, 3, 9)], (12_000, 2)),
    (103, 3, 3): (8_000, 2),
}


def named(made: dict[tuple[int, int, int], tuple[int, int]], ships: bool) -> dict[str, Recipe]:
    """Recipes by the names of their runs: (p, a, b) -> (steps, seeds)."""
    return {
        f"exp_p{p}_a{a}_b{b}_seed{seed}": replace(
            power_sum(p, a, b, steps).seeded(seed), ships=ships
        )
        for (p, a, b), (steps, seeds) in made.items()
        for seed in range(1, seeds + 1)
    }


RECIPES = named(TASKS, True) | named(NOT_TRAINED, False)
