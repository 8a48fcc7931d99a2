"""Trainings of simplified blocks and of the plain block of the same width, on modular addition and
on rows of primes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import FamilyConfig, ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe
from interp_utils.models.blocks import BlocksConfig

P, SHARE, SEEDS = 53, 0.5, (0, 1, 2)
WIDTH, HEADS = 64, 4
SETTLE = 100  # a training ends so long after it has generalised

PLAIN, ALONE = "plain", "attention alone"
_PLAIN = ModelConfig(d_model=WIDTH, n_heads=HEADS, d_head=WIDTH // HEADS, d_mlp=4 * WIDTH)
_SAS = BlocksConfig(d_model=WIDTH, n_heads=HEADS, d_mlp=4 * WIDTH)
_SAS_P = dataclasses.replace(_SAS, form="parallel")
ARMS: Mapping[str, FamilyConfig] = {
    PLAIN: _PLAIN,
    ALONE: dataclasses.replace(_PLAIN, d_mlp=None),
    "SAS": _SAS,
    "SAS, no values": dataclasses.replace(_SAS, first_value=False),
    "SAS, normalized": dataclasses.replace(_SAS, normalization="RMS"),
    "SAS, gains decayed": dataclasses.replace(_SAS, decay_gains=True),
    "alpha I + beta A": dataclasses.replace(_SAS, mixing="skip_init"),
    "SAS-P": _SAS_P,
    "SAS-P, gains decayed": dataclasses.replace(_SAS_P, decay_gains=True),
    "SAS-P, normalized": dataclasses.replace(_SAS_P, normalization="RMS"),
    "SAS-P, two layers": dataclasses.replace(_SAS_P, n_layers=2),
}
STEPS = {"plain": 1500, "SAS": 2500, "alpha I + beta A": 2500, "SAS-P, two layers": 1000}
LONGEST = 4000  # steps, of the others
OF_PRIMES, PRIME_STEPS = (PLAIN, "SAS", "SAS, normalized", "SAS-P"), 1500
MAIN, MAIN_PARALLEL = "blocks_sas_p53_seed0", "blocks_sas_p_p53_seed0"


def addition(arm: str, seed: int = 0, task: str = "addition") -> Recipe:
    """a + b mod P at the settings of the phase diagrams."""
    steps = STEPS.get(arm, STEPS["SAS"] if arm.startswith("SAS,") else LONGEST)
    training = TrainConfig(steps=steps, lr=1e-2, log_every=10, snapshot_every=100)
    make = partial(tasks.modular_addition, P, frac_train=SHARE)
    return Recipe(make, ARMS[arm], training, ships=False).seeded(seed)


def _shipped(arm: str, steps: int, snapshots: Sequence[int]) -> Recipe:
    """A training of the study, to a step at which it has long generalised."""
    of = addition(arm)
    training = dataclasses.replace(of.train, steps=steps)
    return dataclasses.replace(of, train=training, snapshots=snapshots, ships=True)


def primes(arm: str, seed: int = 0, task: str = "primes") -> Recipe:
    """Which of 10k + 1, 10k + 3, 10k + 7 and 10k + 9 are prime, from the digits of k."""
    training = TrainConfig(steps=PRIME_STEPS, lr=3e-3, log_every=10, snapshot_every=None)
    return Recipe(tasks.prime_rows, ARMS[arm], training, ships=False).seeded(seed)


def recipe(arm: str, seed: int, task: str) -> Recipe:
    return {"addition": addition, "primes": primes}[task](arm, seed)


def trainings() -> dict[str, dict[str, Any]]:
    """Every training of the study by its name, with its settings."""
    arms = {"addition": ARMS, "primes": OF_PRIMES}
    return {
        f"{task}, {arm}, seed {seed}": {"task": task, "arm": arm, "seed": seed}
        for task, names in arms.items()
        for arm in names
        for seed in SEEDS
    }


RECIPES: Mapping[str, Recipe] = {
    MAIN: _shipped("SAS", 1000, (0, 16, 32, 64, 100, 300, 500, 700)),
    MAIN_PARALLEL: _shipped("SAS-P", LONGEST, ()),
}
