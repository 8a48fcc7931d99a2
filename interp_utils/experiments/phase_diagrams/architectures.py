"""The same training on other models: modulus, layers, heads, width, no MLP, one at a time."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

from interp_utils import tasks
from interp_utils.configs import ModelConfig
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.phase_diagrams.cells import cells, median_step, spelt, step
from interp_utils.experiments.phase_diagrams.recipes import HEADS, WIDTH, P, model, training
from interp_utils.experiments.rules import Row

STEPS, SHARE = 1500, 0.5
# The usual value of each is in the other studies: p = 53, one layer, four heads, width 64, an MLP.
VARIED: dict[str, tuple[Any, ...]] = {
    "p": (23, 31, 43, 71, 97),
    "n_layers": (2,),
    "n_heads": (1, 2, 8),
    "d_model": (16, 32, 128),
    "MLP": (False,),
}
USUAL = {"p": P, "n_layers": 1, "n_heads": HEADS, "d_model": WIDTH, "MLP": True}


def shape(varied: str, value: Any, seed: int) -> Recipe:
    """The usual training but for one value. Heads share the width; the MLP has four neurons for
    each of its dimensions.
    """
    of = USUAL | {varied: value}
    width, heads = of["d_model"], of["n_heads"]
    config: ModelConfig = dataclasses.replace(
        model(seed),
        d_model=width,
        n_heads=heads,
        d_head=width // heads,
        d_mlp=4 * width if of["MLP"] else None,
        n_layers=of["n_layers"],
    )
    make = partial(tasks.modular_addition, of["p"], frac_train=SHARE, seed=seed)
    return Recipe(make, config, training(STEPS))


def of_architectures(rows: Sequence[Row], usual: Sequence[Row]) -> Row:
    """usual: the trainings with the usual value of everything."""
    as_usual = median_step(usual)
    own = {
        (varied, value): found for (varied, value), found in cells(rows, "varied", "value").items()
    }
    of_p = {value: median_step(found) for (varied, value), found in own.items() if varied == "p"}
    of_p[P] = as_usual
    of_keys = {
        f"{varied} {value}": [row["key frequencies"] for row in found if row["key frequencies"]]
        for (varied, value), found in own.items()
    }
    return {
        "phases": {f"{varied} {value}": spelt(found) for (varied, value), found in own.items()},
        "steps": {
            f"{varied} {value}": [step(row) if step(row) < math.inf else None for row in found]
            for (varied, value), found in own.items()
        },
        **{
            f"generalises, {varied} {value}": [step(row) < math.inf for row in found]
            for (varied, value), found in own.items()
        },
        **{
            f"steps, {varied} {value} over the usual": median_step(found) / as_usual
            for (varied, value), found in own.items()
            if median_step(found) < math.inf
        },
        "steps by p": [[p, of_p[p]] for p in sorted(of_p) if of_p[p] < math.inf],
        "key frequencies": {
            name: statistics.median(numbers) for name, numbers in of_keys.items() if numbers
        },
    }
