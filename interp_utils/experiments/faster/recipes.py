"""Trainings that are to grok soon: an arm for each means that was proposed, searched with equal
budgets, and trained with other seeds at the best settings found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.addition import recipes as addition
from interp_utils.experiments.base import Recipe

P, SHARE = addition.P, 0.3  # the paper's
LOG_EVERY, SETTLE = 20, 100
SEARCH_SEED, TRIALS, SEARCH_STEPS = 0, 15, 400
SEEDS, STEPS = (1, 2, 3, 4, 5), 800
FAST_SEEDS, FAST_STEPS = range(100, 200), 500

Range = tuple[float, float]  # in which every order of magnitude is as likely


@dataclass(frozen=True)
class Arm:
    """title: as tables have it. fixed: settings that make it the arm. space: what is searched.
    best: what the search found, to two digits, trained with other seeds.
    """

    title: str
    space: Mapping[str, Range]
    best: Mapping[str, float]
    fixed: Mapping[str, Any] = field(default_factory=dict)


RATE, DECAY = (3e-3, 2e-2), (0.5, 4.0)
ARMS: Mapping[str, Arm] = {
    "adamw": Arm(
        "AdamW, tuned",
        {"lr": RATE, "weight_decay": DECAY},
        best={"lr": 0.015, "weight_decay": 2.1},
    ),
    "grokfast": Arm(
        "Grokfast",
        {"lr": (1e-3, 1e-2), "weight_decay": DECAY, "grokfast_lambda": (0.5, 5.0)},
        best={"lr": 0.0084, "weight_decay": 1.2, "grokfast_lambda": 1.6},
        fixed={"grokfast": "ema"},
    ),
    "muon": Arm(
        "Muon",
        {"lr": (1e-3, 1e-2), "weight_decay": DECAY},
        best={"lr": 0.0099, "weight_decay": 1.8},
        fixed={"optimiser": "muon"},
    ),
    "stablemax": Arm(
        "StableMax, no weight decay",
        {"lr": (1e-3, 2e-2)},
        best={"lr": 0.018},
        fixed={"loss": "stablemax", "weight_decay": 0.0},
    ),
    "perpgrad": Arm(
        "perpGrad, no weight decay",
        {"lr": (1e-3, 2e-2)},
        best={"lr": 0.0029},
        fixed={"perp_grad": True, "weight_decay": 0.0},
    ),
    "small_norm": Arm(
        "small initial norm",
        {"lr": RATE, "weight_decay": DECAY, "init_scale": (0.2, 0.7)},
        best={"lr": 0.012, "weight_decay": 1.6, "init_scale": 0.47},
    ),
    "mini_batches": Arm(
        "mini-batches",
        {"lr": (1e-3, 1e-2), "weight_decay": DECAY},
        best={"lr": 0.0049, "weight_decay": 2.4},
        fixed={"batch_size": 512},
    ),
    "small_model": Arm(
        "smaller model",
        {"lr": RATE, "weight_decay": DECAY},
        best={"lr": 0.013, "weight_decay": 2.8},
        fixed={"d_model": 64, "d_head": 16, "d_mlp": 256},
    ),
}
# The best of four settings that were drawn at random before there was a longer search.
FAST: Mapping[str, float] = {"lr": 0.015, "weight_decay": 1.9}
WATCHED, SMALLER_WATCHED = 260, 160  # steps

OF_MODEL = {field.name for field in dataclasses.fields(ModelConfig)} - {"seed"}


def recipe(*, seed: int, steps: int, arm: str = "", **settings: Any) -> Recipe:
    """Modular addition on the paper's task and model, but for these settings.

    arm: what of the study it is, which changes nothing.
    """
    of_model = {name: value for name, value in settings.items() if name in OF_MODEL}
    of_training = {name: value for name, value in settings.items() if name not in OF_MODEL}
    return Recipe(
        partial(tasks.modular_addition, P, frac_train=SHARE),
        ModelConfig(**of_model),
        TrainConfig(steps=steps, log_every=LOG_EVERY, snapshot_every=None, **of_training),
        ships=False,
    ).seeded(seed)


def fast(seed: int = 0) -> Recipe:
    """The recipe that groks while one waits, on a seed; it ends before losses so small that a step
    at this learning rate may undo what was learned.
    """
    return recipe(seed=seed, steps=WATCHED, **FAST)


def smaller() -> Recipe:
    """Its settings on the pairs of the quick training, p = 53, for CI: a few seconds."""
    train = dataclasses.replace(fast().train, steps=SMALLER_WATCHED, log_every=10)
    return dataclasses.replace(addition.QUICK, train=train)


def trainings() -> dict[str, dict[str, Any]]:
    """Every training by its name, with its settings."""
    arms = {
        f"{name}_seed{seed}": {"arm": name, "seed": seed, "steps": STEPS, **arm.fixed, **arm.best}
        for name, arm in ARMS.items()
        for seed in SEEDS
    }
    fast = {
        f"fast_seed{seed}": {"arm": "fast", "seed": seed, "steps": FAST_STEPS, **FAST}
        for seed in FAST_SEEDS
    }
    return arms | fast
