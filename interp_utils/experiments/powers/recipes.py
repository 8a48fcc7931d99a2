"""Trainings on x^a + y^b: each row of Patel et al., Table 1, and the even exponents that their
section 5.1 and appendix describe. a = b = 1 is modular addition.
"""

from __future__ import annotations

from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

P = 113  # the report's modulus, except for (7, 7) on 101
# (p, a, b) -> (steps, seeds). (3, 3), (5, 5) and (9, 9) are sums renamed, and have one seed more.
# In the report they grok at 10,000, 3,000 and 1,600 steps.
TASKS = {
    (101, 7, 7): (12_000, 3),
    (103, 3, 3): (8_000, 1),
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


RECIPES = {
    f"exp_p{p}_a{a}_b{b}_seed{seed}": power_sum(p, a, b, steps).seeded(seed)
    for (p, a, b), (steps, seeds) in TASKS.items()
    for seed in range(1, seeds + 1)
}
