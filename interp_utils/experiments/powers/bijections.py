"""The study behind notebook 07's last question: bijections with equal and with different exponents.

They have as many classes, as even labels and as much left unseen by training, so that only the
exponents differ. At the published learning rate and weight decay (1e-3, 1) those with different
exponents had not generalised by step 12,000; at ten times the rate and twice the decay they do.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from interp_utils.experiments.base import Recipe
from interp_utils.experiments.powers.recipes import P, power_sum
from interp_utils.experiments.rules import Row
from interp_utils.experiments.studies import Study
from interp_utils.runs.run import Run

EXPONENTS = ((1, 1), (3, 3), (5, 5), (9, 9), (3, 5), (5, 9), (3, 9))
SEEDS = (1, 2, 3)
STEPS = 3000


def quick(a: int, b: int, seed: int) -> Recipe:
    recipe = power_sum(P, a, b, STEPS)
    quickly = replace(recipe.train, lr=1e-2, weight_decay=2.0, log_every=25, snapshot_every=None)
    return replace(recipe, train=quickly).seeded(seed)


def nothing_more(run: Run) -> Row:
    return {}


STUDY = Study(
    name="powers",
    trainings={
        f"a{a}_b{b}_seed{seed}": {"a": a, "b": b, "seed": seed}
        for a, b in EXPONENTS
        for seed in SEEDS
    },
    recipe=quick,
    look=nothing_more,
    settle=125,
)


def conditions(docs: Path) -> Row:
    """What the study says of exponents that are alike, or one a multiple of the other. {} as long
    as it has no rows.
    """
    rows = list(STUDY.rows(docs).values())
    if not rows:
        return {}
    steps = [row["last step"] for row in rows]
    return {"runs": len(rows), "lengths": [min(steps), max(steps)], **compare(rows)}


def compare(rows: Iterable[Row]) -> Row:
    """Steps to generalise of a = b, and of one a multiple of the other, over those of neither:
    medians, where a training that had not generalised is later than its end. {} where there are
    none of neither. Modular addition itself, a = b = 1, is left out.
    """
    by_condition: dict[str, list[int]] = {"a = b": [], "a = k b": [], "neither": []}
    for row in rows:
        low, high = sorted((row["a"], row["b"]))
        if high > 1:
            multiple = "a = k b" if high % low == 0 else "neither"
            step = row["generalised"] or row["last step"] + 1
            by_condition["a = b" if low == high else multiple].append(step)
    neither = by_condition.pop("neither")
    if not neither:
        return {}
    return {
        f"{name} over neither": statistics.median(steps) / statistics.median(neither)
        for name, steps in by_condition.items()
        if steps
    }
