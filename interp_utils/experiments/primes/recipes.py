"""Trainings on primes: as published, and with digits, rows and fresh numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

MODEL = ModelConfig(d_model=128, n_heads=4, d_head=32, d_mlp=256, biases="all")
# The report's code: AdamW at 1e-4 with a weight decay of 1e-4, all training numbers in each step.
TRAIN = TrainConfig(
    steps=25_000,
    lr=1e-4,
    weight_decay=1e-4,
    betas=(0.9, 0.98),
    warmup_steps=0,
    log_every=100,
    snapshot_every=None,
)
BASES = (2, 6, 10, 30)


def atomic(seed: int = 0) -> Recipe:
    """A token for each of 1 .. 1,000, the first 700 for training, as in the report's code."""
    make = partial(tasks.primality, 1000, split="in_order")
    return Recipe(make, MODEL, TRAIN).seeded(seed)


def digits(base: int, seed: int = 0) -> Recipe:
    return Recipe(partial(tasks.primality, 10_000, base), MODEL, TRAIN).seeded(seed)


def rows(seed: int = 0) -> Recipe:
    return Recipe(tasks.prime_rows, MODEL, TRAIN).seeded(seed)


def fresh(base: int, seed: int = 0) -> Recipe:
    training = replace(TRAIN, batch_size=256, lr=1e-3, weight_decay=0.0)
    return Recipe(partial(tasks.fresh_primality, base=base), MODEL, training).seeded(seed)
