"""Trainings on n mod q for all primes q below p: 11 answers for p = 37 and 15 for p = 53, which are
learned on two cores, or 29 for p = 113, the paper's.

For p = 113 "all" has the paper's split and ends when it has memorised; "more data" learns most
answers in an hour and a half on one core. Learning rate, weight decay and Grokfast's lambda are
three to four times the paper's; "as published" has the paper's values, width and split.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

P = 113  # the paper's
MASKED = (2, 3, 5, 7)


def width(d_model: int) -> ModelConfig:
    return ModelConfig(d_model=d_model, d_head=d_model // 4, d_mlp=4 * d_model)


TRAIN = TrainConfig(
    steps=12_000, snapshot_every=1000, dropout=0.1, grokfast="ema", grokfast_lambda=2.0
)
AS_PUBLISHED = dataclasses.replace(
    TRAIN, steps=20_000, lr=3e-4, weight_decay=1 / 3, grokfast_lambda=0.5
)
SIZES = {
    **{
        p: Recipe(partial(tasks.remainders, p, frac_train=0.8), width(128), TRAIN) for p in (37, 53)
    },
    P: Recipe(
        partial(tasks.remainders, P, frac_train=0.3),
        width(256),
        dataclasses.replace(TRAIN, steps=4000),
    ),
}


def _trained(recipe: Recipe, **changes: object) -> Recipe:
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **changes))


def _learning(recipe: Recipe, **changes: object) -> Recipe:
    return dataclasses.replace(recipe, make=partial(recipe.make, **changes))


def variants(p: int) -> dict[str, Recipe]:
    """The training for this p and its controls, by name. Raises ValueError for another p."""
    if p not in SIZES:
        raise ValueError(f"p must be one of {list(SIZES)}, got {p!r}")
    plain = SIZES[p]
    more = _trained(_learning(plain, frac_train=0.8), steps=5000, snapshot_every=500)
    return {
        "all": plain,
        "permuted": _learning(plain, labels="permuted"),
        "masked": _learning(plain, masked=MASKED),
        "unfiltered": _trained(plain, grokfast="none"),
        "no dropout": _trained(plain, dropout=0.0),
        "more data": more,
        "more data, permuted": _learning(more, labels="permuted"),
        "more data, masked": _learning(more, masked=MASKED),
        "as published": Recipe(
            partial(tasks.remainders, p, frac_train=0.3), width(256), AS_PUBLISHED
        ),
    }


def variant(p: int = 53, name: str = "all", seed: int = 0) -> Recipe:
    """One of `variants`. Raises ValueError for an unknown name."""
    named = variants(p)
    if name not in named:
        raise ValueError(f"variant must be one of {list(named)}, got {name!r}")
    return named[name].seeded(seed)


CONTROLS = ("masked", "permuted", "unfiltered", "no dropout")
SEEDS = {  # p -> variant -> how many ship
    37: {"as published": 1},
    53: {"all": 3, **dict.fromkeys(CONTROLS, 1), "as published": 1},
    P: {"all": 1, **dict.fromkeys(CONTROLS, 1), "more data": 1, "more data, masked": 1},
}


def run_name(p: int, name: str, seed: int) -> str:
    return f"remainders_p{p}_{name.replace(', ', '_').replace(' ', '_')}_seed{seed}"


RECIPES = {
    run_name(p, name, seed): variant(p, name, seed)
    for p, seeds in SEEDS.items()
    for name in seeds
    for seed in range(seeds[name])
}
_FOLLOWED = run_name(53, "all", 0)
RECIPES[_FOLLOWED] = dataclasses.replace(
    RECIPES[_FOLLOWED], snapshots=(0, 256, 1000, 3000, 5000, 6000, 7000)
)
# In half precision, `interp-utils verify` would not reproduce the logged numbers of this one.
_WHOLE = run_name(53, "masked", 0)
RECIPES[_WHOLE] = dataclasses.replace(RECIPES[_WHOLE], half=False)
