"""The study of Grokfast on the task it was published for, x y mod 97 by two layers (Lee et al.
2024, section 3.1): how many steps to 95 % of the test pairs, with the filters and without.

Theirs also has x y = 0, skips that carry the normalised stream, and larger initial embeddings. By
their public code's defaults a training without a filter has no weight decay, and those with one
were given some: "decay" has weight decay and no filter.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.rules import Row
from interp_utils.experiments.studies import Study
from interp_utils.runs.run import Run

LEVEL = 0.95
MODEL = ModelConfig(n_layers=2, act_fn="gelu", normalization="LN", biases="all")
TRAIN = TrainConfig(
    steps=40_000,
    batch_size=512,
    weight_decay=0.005,
    optimiser="adam",
    log_every=50,
    snapshot_every=None,
)
FILTERS = {
    # Without weight decay, as published; long enough to see half of the published speed-ups.
    "none": replace(TRAIN, weight_decay=0.0, steps=20_000),
    "decay": TRAIN,  # as "ema" without its filter
    "ema": replace(TRAIN, grokfast="ema"),
    "ma": replace(TRAIN, grokfast="ma", grokfast_lambda=5.0, weight_decay=0.01),
}
SEEDS = {"none": (0,), "decay": (0, 1, 2), "ema": (0, 1, 2), "ma": (0, 1, 2)}


def recipe(filter: str, seed: int) -> Recipe:
    make = partial(tasks.modular_product, 97, frac_train=0.5)
    return Recipe(make, MODEL, FILTERS[filter], ships=False).seeded(seed)


def first_at_level(run: Run) -> Row:
    """The first logged step with 95 % of the test pairs right, as Lee et al. count."""
    reached = run.metrics.loc[run.metrics["test_accuracy"] >= LEVEL, "step"]
    return {"step to 95 %": None if reached.empty else int(reached.iloc[0])}


STUDY = Study(
    name="grokfast",
    trainings={
        f"{name}_seed{seed}": {"filter": name, "seed": seed}
        for name, seeds in SEEDS.items()
        for seed in seeds
    },
    recipe=recipe,
    look=first_at_level,
    settle=200,
)


def speed_up(docs: Path) -> Row:
    """Steps without a filter over the median with one. {} as long as one of the filters has no
    rows.
    """
    rows = list(STUDY.rows(docs).values())
    found = ratios(rows)
    if not found:
        return {}
    steps = [row["last step"] for row in rows]
    return {"runs": len(rows), "lengths": [min(steps), max(steps)], **found}


def ratios(rows: Iterable[Row]) -> Row:
    """A training that had not reached the level counts as reaching it one step after its end."""
    steps: dict[str, list[int]] = {name: [] for name in FILTERS}
    for row in rows:
        steps[row["filter"]].append(row["step to 95 %"] or row["last step"] + 1)
    if not all(steps.values()):
        return {}
    median = {name: statistics.median(own) for name, own in steps.items()}
    return {over_none(name): median["none"] / median[name] for name in SEEDS if name != "none"}


def over_none(name: str) -> str:
    return f"x y mod 97: {name}"
