"""Trainings of one layer that sorts: 25 of 48 numbers, attention only, with one head and no
positions, and what changes with the model and the lists.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

MODEL = ModelConfig(d_model=64, d_head=32, n_heads=1, d_mlp=None, positions=False)
WITH_POSITIONS = dataclasses.replace(MODEL, positions=True)
TRAIN = TrainConfig(
    steps=20_000, batch_size=128, lr=1e-3, weight_decay=0.0, betas=(0.9, 0.999), warmup_steps=0
)
LISTS = partial(tasks.sorting, 48, 25)
WITH_REPEATS = partial(LISTS, repeats=True)
# One head is judged at the published length; others have learned, or are compared, much earlier.
LONG = dataclasses.replace(TRAIN, steps=50_000)
FOLLOWED = (0, 16, 64, 256, 1000, *range(2000, 20_000, 2000), 25_000, 30_000, 40_000)

VARIANTS = {
    "one head": Recipe(LISTS, MODEL, LONG),
    "positions": Recipe(LISTS, WITH_POSITIONS, TRAIN),
    "two heads": Recipe(LISTS, dataclasses.replace(MODEL, n_heads=2), TRAIN),
    "four heads": Recipe(LISTS, dataclasses.replace(MODEL, n_heads=4), TRAIN),
    "MLP": Recipe(LISTS, dataclasses.replace(MODEL, d_mlp=256), TRAIN),
    "repeats": Recipe(WITH_REPEATS, MODEL, TRAIN),
    "repeats, positions": Recipe(WITH_REPEATS, WITH_POSITIONS, TRAIN),
    "variable length": Recipe(
        partial(tasks.sorting, 199, (1, 100)), dataclasses.replace(MODEL, d_model=128), LONG
    ),
    # After McDougall's challenge, but with START, without LayerNorm, and at a constant learning
    # rate without weight decay.
    "ten of 51, two heads": Recipe(
        partial(tasks.sorting, 51, 10, repeats=True),
        dataclasses.replace(WITH_POSITIONS, d_model=96, d_head=48, n_heads=2),
        dataclasses.replace(TRAIN, batch_size=512),
    ),
}
SEEDS = {**dict.fromkeys(VARIANTS, 1), "one head": 3, "positions": 3, "two heads": 3, "MLP": 2}


def named(variant: str, seed: int) -> str:
    return f"sorting_{variant.replace(', ', '_').replace(' ', '_').lower()}_seed{seed}"


RECIPES = {
    named(variant, seed): recipe.seeded(seed)
    for variant, recipe in VARIANTS.items()
    for seed in range(SEEDS[variant])
}
_FIRST = named("one head", 0)
RECIPES[_FIRST] = dataclasses.replace(RECIPES[_FIRST], snapshots=FOLLOWED)
# In half precision, `interp-utils verify` would not reproduce the logged numbers of this one.
_WHOLE = named("positions", 0)
RECIPES[_WHOLE] = dataclasses.replace(RECIPES[_WHOLE], half=False)
