"""Trainings of one layer on greatest common divisors: by base and seed, from operands drawn in
another way, and from few pairs that come again and again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

# The smallest of the published models, as a decoder. Operands up to 10^6, as there.
MODEL = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=128)
TRAIN = TrainConfig(
    steps=10_000, batch_size=256, lr=1e-3, weight_decay=0.0, log_every=500, snapshot_every=1000
)
STEPS = {2: 5000, 3: 5000, 6: 8000, 10: 12_000, 12: 6000, 30: 40_000, 420: 6000}
SEVERAL_SEEDS, OTHER_SEEDS = (2, 10, 30), {2: 5000, 10: 12_000, 30: 8000}
FOLLOWED = (256, 512, 1000, 2000, 3000, 4000, 6000, 8000, 10_000, 14_000, 20_000, 30_000)
FEW_PAIRS, OVERFITS = 500, 4000  # of the fixed data, and steps


def of_base(base: int, seed: int = 0, steps: int | None = None, **changes: Any) -> Recipe:
    """Fresh pairs in a base; changes: those of `tasks.gcd`."""
    known = STEPS if seed == 0 else OTHER_SEEDS
    training = dataclasses.replace(TRAIN, steps=known[base] if steps is None else steps)
    return Recipe(partial(tasks.gcd, base, **changes), MODEL, training).seeded(seed)


def followed(recipe: Recipe, steps: Sequence[int] = FOLLOWED) -> Recipe:
    snapshots = tuple(step for step in steps if step < recipe.train.steps)
    return dataclasses.replace(recipe, snapshots=snapshots)


_ALL = {
    **{f"gcd_base{base}_seed0": followed(of_base(base)) for base in STEPS},
    **{
        f"gcd_base{base}_seed{seed}": of_base(base, seed)
        for base in SEVERAL_SEEDS
        for seed in (1, 2)
    },
    "gcd_base10_log_uniform_seed0": of_base(10, steps=OTHER_SEEDS[10], operands="log_uniform"),
    "gcd_base10_fixed_seed0": followed(of_base(10, steps=OVERFITS, n_pairs=FEW_PAIRS)),
}
SHIPPED = (
    *(f"gcd_base{base}_seed0" for base in (2, 3, 6, 10, 12, 30, 420)),
    *(f"gcd_base{base}_seed{seed}" for base in (10, 30) for seed in (1, 2)),
    "gcd_base2_seed1",
    "gcd_base2_seed2",
    "gcd_base10_log_uniform_seed0",
    "gcd_base10_fixed_seed0",
)
RECIPES = {
    name: dataclasses.replace(recipe, ships=name in SHIPPED) for name, recipe in _ALL.items()
}
