"""Phasor networks on modular addition: the paper's codes and ones in which sums are rotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import TrainConfig
from interp_utils.experiments.base import Recipe
from interp_utils.models.phasor import PhasorConfig

SHARE, HIDDEN = 0.7, 128
SEEDS = (0, 1, 2)
TRAIN = TrainConfig(
    steps=600,
    lr=1e-2,
    weight_decay=0.0,
    betas=(0.9, 0.999),
    warmup_steps=0,
    log_every=20,
    snapshot_every=None,
    optimiser="adam",
    loss="cosine",
)
LONG = dataclasses.replace(TRAIN, steps=1500, lr=3e-2)  # of networks without a hidden layer
ALL = "all frequencies"


@dataclass(frozen=True)
class Arm:
    """title: as tables have it. model: what it changes of the paper's network, in which inputs and
    outputs may be ALL. moduli: on which it is trained. is_shuffled: whether labels are in random
    order.
    """

    title: str
    model: Mapping[str, Any]
    train: TrainConfig = TRAIN
    moduli: Sequence[int] = (31,)
    is_shuffled: bool = False


NUMBERS = {"inputs": ALL, "outputs": ALL, "harmonic": 2}
TWO, EVERY = (13, 31), (13, 31, 59)
ARMS: Mapping[str, Arm] = {
    "paper": Arm("paper's code", {"inputs": ALL}, moduli=TWO),
    "constant": Arm("paper's code, constant phasor", {"inputs": ALL, "bias": True}, moduli=TWO),
    "doubled": Arm(
        "paper's code, constant phasor, doubled",
        {"inputs": ALL, "bias": True, "harmonic": 2},
        dataclasses.replace(TRAIN, loss="relative"),
    ),
    "one_frequency": Arm("paper's code, one frequency", {"inputs": (1,)}),
    "numbers": Arm("code of numbers", NUMBERS, moduli=EVERY),
    "direct": Arm(
        "code of numbers, no hidden layer", {**NUMBERS, "hidden": ()}, LONG, moduli=EVERY
    ),
    "one_number": Arm(
        "code of numbers, no hidden layer, one frequency",
        {"inputs": (1,), "outputs": (1,), "harmonic": 2, "hidden": ()},
        LONG,
    ),
    "learned": Arm(
        "code of numbers, random phases trained",
        {**NUMBERS, "inputs": "random", "trained_inputs": True},
    ),
    "shuffled": Arm("code of numbers, labels in random order", NUMBERS, is_shuffled=True),
}


def shuffled(p: int, frac_train: float, seed: int = 0) -> tasks.Task:
    return tasks.random_labels(tasks.modular_addition(p, frac_train=frac_train, seed=seed), seed)


def recipe(*, arm: str, p: int, seed: int) -> Recipe:
    of, frequencies = ARMS[arm], tuple(range(1, p // 2 + 1))
    kinds = {ALL: frequencies, "random": len(frequencies)}
    settings = {"hidden": (HIDDEN,)} | {
        name: kinds.get(value, value) if isinstance(value, str) else value
        for name, value in of.model.items()
    }
    # similarities of the paper's code differ by 2 / p at most
    scale = float(p) if of.train.loss == "relative" else 1.0
    make = shuffled if of.is_shuffled else tasks.modular_addition
    return Recipe(
        partial(make, p, frac_train=SHARE), PhasorConfig(**settings, scale=scale), of.train
    ).seeded(seed)


def trainings() -> dict[str, dict[str, Any]]:
    """Every training by its name, with its settings."""
    return {
        named(arm, p, seed): {"arm": arm, "p": p, "seed": seed}
        for arm, of in ARMS.items()
        for p in of.moduli
        for seed in SEEDS
    }


def named(arm: str, p: int, seed: int) -> str:
    return f"phasors_{arm}_p{p}_seed{seed}"


# three seeds at p = 31, and one at the modulus of a transformer that ships
SHIPPED = [(arm, 31, seed) for arm in ("numbers", "direct", "constant") for seed in SEEDS]
SHIPPED += [(arm, 59, 0) for arm in ("numbers", "direct")]
RECIPES = {
    named(arm, p, seed): dataclasses.replace(recipe(arm=arm, p=p, seed=seed), half=False)
    for arm, p, seed in SHIPPED
}
