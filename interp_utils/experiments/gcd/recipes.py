"""Trainings of one layer on greatest common divisors, by base and seed."""

from __future__ import annotations

from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

BASES = (2, 3, 6, 10, 12, 30)
SEVERAL_SEEDS = (2, 10, 30)
MODEL = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=128)
TRAIN = TrainConfig(
    steps=100_000, batch_size=256, lr=1e-3, weight_decay=0.0, log_every=500, snapshot_every=5000
)
# Base: how many of the gcds up to 100 its model answers right, and the accuracy in per cent
# (Charton 2023, uniform operands, an encoder and a decoder).
PUBLISHED = {2: (7, 81.6), 10: (13, 84.7), 30: (27, 94.7), 210: (32, 95.5), 420: (38, 96.8)}


def of_base(base: int, seed: int = 0) -> Recipe:
    """The smallest of the published models, as a decoder: 32 dimensions, one layer, fresh pairs."""
    return Recipe(partial(tasks.gcd, base), MODEL, TRAIN).seeded(seed)
