"""What the phase diagrams are made of: small models, at a learning rate at which what takes the
paper's model ten thousand steps takes hundreds, so that every cell has several seeds.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.addition import recipes as published
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.forks import Fork

P, SEEDS, USUAL = 53, (0, 1, 2), 1.0  # the last a weight decay
WIDTH, HEADS = 64, 4
SETTLE = 100  # a training ends so long after it has generalised

DECAYS, SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), (0.2, 0.3, 0.4, 0.5, 0.7)
RATES, RATES_DECAYS = (4e-3, 8e-3, 1.6e-2), (0.5, 1.0, 2.0, 4.0)
# In which weight decay alone divides every weight by e, 1 / (learning rate x weight decay) steps:
# how many such times a training may take to generalise before it is called censored.
PATIENCE = 15
SHORTEST, LONGEST_OF_SHARE, LONGEST_OF_RATE = 500, 1500, 4000

# Of Power et al. 2022, appendix A.1.1. With a^2 - b^2, a product of the sum and the difference,
# beside them; a + b is in the other studies.
FORMULAS = (
    "a - b",
    "a^2 + b^2",
    "a^2 - b^2",
    "a^2 + a b + b^2",
    "a^3 + a b^2 + b",
)

GROKKED_ON, GROKKED, DOWN = 0.6, 400, 600
KEPT_FOR = 20_000
FEWER = (0.05, 0.1, 0.2, 0.3, 0.4)


def model(seed: int) -> ModelConfig:
    """The paper's proportions: heads share the width, the MLP has four times as many neurons."""
    return ModelConfig(
        d_model=WIDTH, n_heads=HEADS, d_head=WIDTH // HEADS, d_mlp=4 * WIDTH, seed=seed
    )


def training(steps: int, lr: float = 1e-2, weight_decay: float = 1.0) -> TrainConfig:
    return TrainConfig(
        steps=steps, lr=lr, weight_decay=weight_decay, log_every=10, snapshot_every=None
    )


def addition(
    weight_decay: float = 1.0,
    share: float = 0.5,
    lr: float = 1e-2,
    steps: int = 1500,
    seed: int = 0,
) -> Recipe:
    """a + b mod P. The seed is that of the training pairs and of the initial weights."""
    return Recipe(
        partial(tasks.modular_addition, P, frac_train=share, seed=seed),
        model(seed),
        training(steps, lr, weight_decay),
        ships=False,
    )


# One training of each phase (Liu et al. 2022), which notebook 14 shows.
EXAMPLES = {
    "memorisation": addition(weight_decay=0.25, share=0.3, steps=250),
    "grokking": addition(weight_decay=0.5, share=0.5, steps=800),
    "comprehension": addition(weight_decay=1.0, share=0.7, steps=300),
    "confusion": addition(weight_decay=8.0, share=0.4, steps=200),
}


def waits(lr: float, weight_decay: float, longest: int) -> int:
    """After how many steps a training that has not generalised is called censored."""
    times = PATIENCE / (lr * weight_decay) if weight_decay else math.inf
    return round(min(max(times, SHORTEST), longest))


def of_share(weight_decay: float, share: float, seed: int) -> Recipe:
    steps = waits(1e-2, weight_decay, LONGEST_OF_SHARE)
    return addition(weight_decay, share, steps=steps, seed=seed)


def of_rate(lr: float, weight_decay: float, seed: int) -> Recipe:
    steps = waits(lr, weight_decay, LONGEST_OF_RATE)
    return addition(weight_decay, lr=lr, steps=steps, seed=seed)


def operation(operation: str, share: float, seed: int) -> Recipe:
    """One of Power et al.'s on the numbers mod p."""
    makes = {
        "a b": partial(tasks.modular_product, P),
        "a / b": partial(tasks.modular_quotient, P),
    }
    make = makes.get(operation, partial(tasks.modular_polynomial, P, operation))
    return Recipe(partial(make, frac_train=share, seed=seed), model(seed), training(800))


def down(share: float, weight_decay: float, seed: int) -> Recipe:
    """From a model that has generalised on 60 % of the pairs, of which the share is a part."""
    fewer = addition(weight_decay, share, steps=GROKKED + DOWN, seed=seed)
    source = addition(share=GROKKED_ON, steps=GROKKED, seed=seed)
    return Fork(fewer.make, fewer.model, fewer.train, source=source, step=GROKKED)


def kept(weight_decay: float) -> Recipe:
    """From the end of the run at the published settings, which ships."""
    main = published.GROKKING_DEMO
    training = dataclasses.replace(
        main.train,
        steps=main.train.steps + KEPT_FOR,
        weight_decay=weight_decay,
        log_every=KEPT_FOR // 50,
        snapshot_every=None,
    )
    shipped, last = Path("checkpoints") / "modular_addition", main.train.steps
    return Fork(main.make, main.model, training, source=main, step=last, run=shipped)


def grid(**values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Every combination, by a name such as "share 0.4, seed 2"."""
    every = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    return {", ".join(f"{k.replace('_', ' ')} {v}" for k, v in of.items()): of for of in every}
