"""The study's trainings, arm by arm and modulus by modulus, and networks made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from interp_utils import models, tasks
from interp_utils.experiments.claims import Rows
from interp_utils.experiments.phasors.recipes import ARMS
from interp_utils.experiments.phasors.row import in_spikes
from interp_utils.experiments.phasors.study import STUDY
from interp_utils.experiments.rules import Row
from interp_utils.models.phasor import PhasorConfig, exact

LARGEST, P = 127, 31
GAIN = "test accuracy, minus the paper's code"
LISTED = ("agreement by cycle, mean", "agreement by cycle, alone")
LEFT_OUT = ("training", "recipe", "arm", "p", "seed", "state", "last step", *LISTED)


def together(rows: Rows, docs: Path) -> Rows:
    return arms(list(STUDY.rows(docs).values())) | {"made by hand": by_hand()}


def arms(trained: Sequence[Row]) -> Rows:
    """A row for each arm and modulus; that of a constant phasor has, seed by seed, how much higher
    test accuracy is than without.
    """
    cells = {
        (arm, p): [row for row in trained if (row["arm"], row["p"]) == (arm, p)]
        for arm, of in ARMS.items()
        for p in of.moduli
    }
    found = {place: of_arm(*place, own) for place, own in cells.items() if own}
    for p in ARMS["constant"].moduli:
        plain = {row["seed"]: row["test accuracy"] for row in cells["paper", p]}
        found.get(("constant", p), {})[GAIN] = [
            row["test accuracy"] - plain[row["seed"]]
            for row in cells["constant", p]
            if row["seed"] in plain
        ]
    return {f"{ARMS[arm].title}, p = {p}": row for (arm, p), row in found.items()}


def of_arm(arm: str, p: int, rows: Sequence[Row]) -> Row:
    """An arm's trainings as one row: lists have a number for each of them."""
    measures = [name for name in rows[0] if name not in LEFT_OUT]
    lengths = [row["last step"] for row in rows]
    return {
        "trained": arm,
        "p": p,
        "runs": len(rows),
        "lengths": sorted({min(lengths), max(lengths)}),
        **{name: [row[name] for row in rows] for name in measures if rows[0][name] is not None},
    }


def by_hand() -> Row:
    """One phasor for every odd p: its accuracy, and that without doubling, read at half of its
    frequency; and how far one phasor and one for each frequency answer alike in spikes.
    """
    accuracies, halves = [], []
    for p in range(3, LARGEST + 1, 2):
        task = tasks.modular_addition(p)
        config, weights = exact(task)
        accuracies.append(_accuracy(config, weights, task))
        halved = PhasorConfig(hidden=(), inputs=(1,), outputs=((p + 1) // 2,)).for_task(task)
        of = (p + 1) / (2 * p) if p % 4 == 1 else (p - 1) / (2 * p)
        halves.append(abs(_accuracy(halved, weights, task) - of) < 0.5 / p**2)
    task = tasks.modular_addition(P)
    found = {"runs": 0, "p": P, "accuracy of one phasor": accuracies}
    found["right on half of the pairs without doubling"] = halves
    for name, frequencies in (("one phasor", (1,)), ("all phasors", tuple(range(1, P // 2 + 1)))):
        spiked = in_spikes(*exact(task, frequencies), task)
        found[f"{name}, agreement in the tenth cycle"] = spiked["agreement in the tenth cycle"]
    return found


@torch.no_grad()
def _accuracy(config: PhasorConfig, weights: dict[str, torch.Tensor], task: tasks.Task) -> float:
    answers = models.logits_fn(config, task.tokens)(weights).argmax(1)
    return (answers == task.labels).double().mean().item()
