"""Trainings on composition in a group: S5 on many seeds, other groups, and controls.

The learning rate is three to ten times the published one (1e-3), at which S5 takes 15,000 steps and
more (Stander et al. 2024).
"""

from __future__ import annotations

import dataclasses
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe
from interp_utils.tasks import GroupComposition

QUICK = TrainConfig(lr=3e-3, steps=2000, snapshot_every=100)
SMALL = TrainConfig(lr=1e-2, steps=4000, snapshot_every=500)  # S4, in half a minute


def composition(group: str, frac_train: float, train: TrainConfig) -> Recipe:
    """The default transformer on x o y."""
    task = partial(tasks.group_composition, group, frac_train=frac_train)
    return Recipe(task, ModelConfig(), train)


def random_labels(group: str, frac_train: float, seed: int = 0) -> GroupComposition:
    """The task with its labels in random order."""
    return tasks.random_labels(tasks.group_composition(group, frac_train, seed), seed)


def until(train: TrainConfig, steps: int) -> TrainConfig:
    return dataclasses.replace(train, steps=steps)


def shipping(recipe: Recipe, *snapshots: int) -> Recipe:
    return dataclasses.replace(recipe, snapshots=snapshots)


S4 = composition("S4", 0.8, SMALL)
S4_SNAPSHOTS = {0: (2500,), 1: (2000,), 2: (), 3: (2500,), 4: (3000,)}
S5 = composition("S5", 0.6, QUICK)
# Seeds that had not generalised by 2,000, and one that is followed long after it has.
S5_STEPS = {0: 10_000, 4: 3000, 6: 4000, 7: 4000}
# For each run, the first snapshot whose test accuracy is above .85, if any; for seed 0, a series
# through the rise of its test accuracy and what follows.
S5_SNAPSHOTS: dict[int, tuple[int, ...]] = {
    0: (300, 500, *range(700, 1600, 100), 1700, 2000, 3000, 5000, 7000),
    1: (1200,),
    2: (),
    3: (1500,),
    4: (2500,),
    5: (),
    6: (),
    7: (3500,),
}
A5 = composition("A5", 0.6, TrainConfig(lr=3e-3, steps=6000, snapshot_every=500))
D15 = composition("D15", 0.6, TrainConfig(lr=3e-3, steps=12_000, snapshot_every=500))
# Products: fewer pairs than any other group, so that one of the settings above does for each.
S3xC3 = composition("S3xC3", 0.8, until(QUICK, 2000))
C3xC3 = composition("C3xC3", 0.8, until(SMALL, 2000))
LITTLE = composition("S4", 0.4, until(SMALL, 1000))
RANDOM = dataclasses.replace(LITTLE, make=partial(random_labels, "S4", 0.8))
S5_LITTLE = composition("S5", 0.4, until(QUICK, 300))  # memorised by step 200
S5_RANDOM = Recipe(partial(random_labels, "S5", 0.6), ModelConfig(), until(QUICK, 400))


def s5(seed: int) -> Recipe:
    steps = S5_STEPS.get(seed, QUICK.steps)
    recipe = dataclasses.replace(S5, train=until(QUICK, steps)).seeded(seed)
    return shipping(recipe, *S5_SNAPSHOTS[seed])


RECIPES = {
    **{
        f"groups_S4_seed{seed}": shipping(S4.seeded(seed), *snapshots)
        for seed, snapshots in S4_SNAPSHOTS.items()
    },
    "groups_S4_little_data_seed0": LITTLE.seeded(0),
    "groups_S4_random_labels_seed0": RANDOM.seeded(0),
    **{f"groups_S5_seed{seed}": s5(seed) for seed in S5_SNAPSHOTS},
    "groups_S5_little_data_seed0": S5_LITTLE.seeded(0),
    "groups_S5_random_labels_seed0": S5_RANDOM.seeded(0),
    **{f"groups_A5_seed{seed}": A5.seeded(seed) for seed in range(3)},
    **{f"groups_D15_seed{seed}": D15.seeded(seed) for seed in range(3)},
    **{f"groups_S3xC3_seed{seed}": S3xC3.seeded(seed) for seed in range(3)},
    "groups_C3xC3_seed0": C3xC3.seeded(0),
}
