"""Trainings on primes: as published, and with digits, rows and fresh numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

MODEL = ModelConfig(d_model=128, n_heads=4, d_head=32, d_mlp=256, biases="all")
# The report's code: AdamW at 1e-4 with a weight decay of 1e-4, all training numbers in each step,
# and a log-softmax in float64; 25,000 steps, of which these are the first fifth.
TRAIN = TrainConfig(
    steps=5000,
    lr=1e-4,
    weight_decay=1e-4,
    betas=(0.9, 0.98),
    warmup_steps=0,
    log_every=100,
    snapshot_every=None,
)
# Half as wide, at ten times the rate: numbers as digits, in steps enough to memorise all of them.
SMALL = replace(MODEL, d_model=64, d_head=16)
QUICK = replace(TRAIN, steps=3000, lr=1e-3)
BATCH = 256
BASES = (2, 6, 10, 30)
N, MORE = 3000, 10_000  # of the numbers 1 .. N, 70 % are for training
SEEDS = range(1, 6)
STAIRS = range(0, 3000, 250)  # steps that ship of the run whose learning is looked at


def atomic(seed: int = 0) -> Recipe:
    """A token for each of 1 .. 1,000, the first 700 for training, as in the report's code."""
    make = partial(tasks.primality, 1000, split="in_order")
    published = replace(TRAIN, loss="float64_log_softmax")
    return Recipe(make, MODEL, published, half=False).seeded(seed)


def digits(base: int, seed: int = 0, n: int = N) -> Recipe:
    """Digits and "=", numbers split at random."""
    training = replace(QUICK, batch_size=BATCH)
    return Recipe(partial(tasks.primality, n, base), SMALL, training).seeded(seed)


def decayed(base: int, seed: int = 0) -> Recipe:
    """The training of `digits`, twice as long, with a weight decay with which modular addition
    groks.
    """
    recipe = digits(base, seed)
    return replace(recipe, train=replace(recipe.train, steps=2 * QUICK.steps, weight_decay=1.0))


def rows(base: int = 10, seed: int = 0) -> Recipe:
    """The four numbers that share all digits but the last: 900 rows, split at random."""
    return Recipe(partial(tasks.prime_rows, base), SMALL, replace(QUICK, steps=2000)).seeded(seed)


def fresh(base: int, seed: int = 0) -> Recipe:
    """Other numbers below 10^6 in each step."""
    training = replace(QUICK, batch_size=BATCH, weight_decay=0.0, steps=2000)
    return Recipe(partial(tasks.fresh_primality, base=base), SMALL, training).seeded(seed)


ARMS = {
    "digits": digits,
    "decayed": decayed,
    "more": partial(digits, n=MORE),
    "rows": rows,
    "fresh": fresh,
}


def recipe(*, arm: str, base: int, seed: int) -> Recipe:
    return ARMS[arm](base=base, seed=seed)


def trainings() -> dict[str, dict[str, Any]]:
    """Every training of the study by its name."""
    bases = {"digits": BASES, "decayed": (10,), "more": (10,), "rows": (10,), "fresh": (2, 10)}
    return {
        f"{arm}_b{base}_seed{seed}": {"arm": arm, "base": base, "seed": seed}
        for arm, own in bases.items()
        for base in own
        for seed in (SEEDS[:3] if arm == "decayed" else SEEDS)
    }


def followed() -> Recipe:
    """The training on more numbers, with snapshots."""
    recipe = digits(10, n=MORE)
    followed = replace(recipe.train, snapshot_every=250)
    return replace(recipe, train=followed, snapshots=STAIRS)


RECIPES = {"primes_atomic_seed0": atomic(), "primes_digits_b10_seed0": followed()}
