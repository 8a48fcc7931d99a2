"""Trainings on modular addition: the published one, seeds, other moduli, and a memoriser."""

from __future__ import annotations

import dataclasses
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

P = 113  # the paper's
FOLLOWED = (0, 8, 32, 128, 250, *range(500, 15_001, 500), *range(17_000, 24_000, 2000))

# p = 113 with the split and hyper-parameters of TransformerLens's Grokking_Demo. Initial weights
# have the demo's distribution, but are drawn from a generator of our own.
GROKKING_DEMO = Recipe(
    partial(tasks.modular_addition, P, frac_train=0.3, seed=598, split="grokking_demo"),
    ModelConfig(seed=999),
    TrainConfig(steps=25_000, warmup_steps=0, snapshot_every=250),
    snapshots=FOLLOWED,
)
MEMORISER = dataclasses.replace(
    GROKKING_DEMO,
    make=lambda: tasks.random_labels(GROKKING_DEMO.task),
    train=TrainConfig(steps=6000, warmup_steps=0, snapshot_every=1000),
    snapshots=(0, 2000),
    control=True,
)
# Steps by seed. Only seed 5 had not generalised by step 15,000.
STEPS = {**dict.fromkeys((1, 2, 3), 20_000), **dict.fromkeys(range(4, 9), 15_000), 5: 25_000}

# Groks while you watch, in half a minute on two cores: half of the pairs, three times the usual
# learning rate. FAST, for CI, takes seconds.
QUICK = Recipe(
    partial(tasks.modular_addition, 53, frac_train=0.5),
    ModelConfig(),
    TrainConfig(steps=2000, lr=3e-3, log_every=20),
    ships=False,
)
FAST = dataclasses.replace(
    QUICK,
    make=partial(tasks.modular_addition, 37, frac_train=0.65),
    train=TrainConfig(steps=500, lr=5e-3, log_every=10),
)


def on(p: int, frac_train: float, steps: int) -> Recipe:
    """The usual training with another modulus or another number of steps."""
    make = partial(tasks.modular_addition, p, frac_train=frac_train)
    return Recipe(make, ModelConfig(), TrainConfig(steps=steps, snapshot_every=None))


RECIPES = {
    "modular_addition": GROKKING_DEMO,
    **{f"p{P}_seed{seed}": on(P, 0.3, steps).seeded(seed) for seed, steps in STEPS.items()},
    **{f"p{p}_seed0": on(p, 0.5, 8000).seeded(0) for p in (59, 64)},
    "memoriser": MEMORISER,
    "quick": QUICK,
    "quick_fast": FAST,
}
