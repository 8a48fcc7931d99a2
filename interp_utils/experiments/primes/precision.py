"""The study of precisions: `interp-utils study primes_precision`. Four ways to compute the same
training, each of its steps watched.

The runs that `train` makes have their weights in float32. A training in float64 alone is a
`Trainer`'s, of weights in float64: these trainings leave no runs, and their rows are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices, models, tasks
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.primes import recipes
from interp_utils.experiments.primes.spikes import APART, BEFORE, over_usual, spikes
from interp_utils.experiments.rules import Row
from interp_utils.experiments.studies import Study
from interp_utils.training.settings import settings
from interp_utils.training.trainer import Trainer

# What a step's loss is computed by, and whether weights and all else are in float64.
ARMS = {
    "float32": ("log_softmax", False),
    "float64 log-softmax": ("float64_log_softmax", False),
    "float64": ("float64_log_softmax", True),
    "relative": ("relative", False),
}
# (steps, learning rate, weight decay); the primes' decay is the report's.
TASKS = {"tokens": (1000, 1e-3, 1e-4), "rows": (1500, 3e-3, 1e-4), "sums": (3500, 3e-3, 1.0)}
P = 37
SEEDS = (1, 2, 3)
MODEL = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=128, biases="all")
LAST_LAYER = "unembed.W_U"
EVERY, AROUND = 50, 100  # steps of the curve that a row keeps, and on each side of its first spike


@dataclass(frozen=True, eq=False)
class Watched(Recipe):
    """double: weights, activations, gradients and moments in float64."""

    double: bool = False

    @property
    def digest(self) -> str:
        return f"{super().digest}-{'float64' if self.double else 'float32'}"


class Steps(NamedTuple):
    """Each update: the loss that it followed, its norm over all weights, and the norm of the last
    layer after it, all in float64; and test accuracy every `EVERY` steps.
    """

    losses: Float[Tensor, "step"]
    updates: Float[Tensor, "step"]
    last_layer: Float[Tensor, "step"]
    accuracies: Float[Tensor, "row"]


def recipe(*, task: str, arm: str, seed: int) -> Watched:
    """Primes as tokens (the report's task), as rows of four numbers, or sums mod 37, of which the
    report says that spikes were prominent; all training inputs in each step.
    """
    make = {
        "tokens": partial(tasks.primality, 1000, split="in_order"),
        "rows": tasks.prime_rows,
        "sums": partial(tasks.modular_addition, P, frac_train=0.5),
    }[task]
    steps, lr, weight_decay = TASKS[task]
    loss, double = ARMS[arm]
    training: TrainConfig = replace(
        recipes.TRAIN, steps=steps, lr=lr, weight_decay=weight_decay, loss=loss
    )
    return Watched(make, MODEL, training, ships=False, double=double).seeded(seed)


def watched(recipe: Watched, steps: int | None = None, progress: bool = True) -> Steps:
    """The training of a recipe with each of its updates looked at, on the CPU, in one precision or
    the other. steps: fewer than the recipe's.
    """
    task, model, training = recipe
    config = RunConfig(model.for_task(task), training)
    dtype = torch.float64 if recipe.double else torch.float32
    start = {name: each.to(dtype) for name, each in models.initial_weights(config.model).items()}
    updates, last_layer, accuracies = [], [], []
    with settings(training.deterministic):
        trainer = Trainer(task, config, torch.device("cpu"), start)
        for _ in tqdm(range(steps or training.steps), unit="step", disable=not progress):
            if trainer.step % EVERY == 0:
                accuracies.append(trainer.measure()[0]["test_accuracy"])
            before = {name: each.detach().clone() for name, each in trainer.trained.items()}
            trainer.update()
            moved = [_norm(each - before[name]) for name, each in trainer.trained.items()]
            updates.append(_norm(torch.stack(moved)))
            last_layer.append(_norm(trainer.weights[LAST_LAYER]))
        losses = trainer.take_losses()[:, 0]
    seen = torch.stack(updates), torch.stack(last_layer), torch.tensor(accuracies).double()
    return Steps(losses, *seen)


@torch.no_grad()
def _norm(x: Tensor) -> Tensor:
    return devices.double(x).norm()


def row(steps: Steps) -> Row:
    """What ships of a training: its spikes, each with the loss before it, the size of its updates
    over that of usual ones, how much the last layer's norm changed, in its usual changes, and test
    accuracy before and after; its curves, and those around its first spike.
    """
    found = spikes(steps.losses)
    changes = steps.last_layer.diff(prepend=steps.last_layer[:1]).abs()
    of_step = steps.accuracies[[step // EVERY for step in found]]
    after = [min((step + 2 * APART) // EVERY + 1, len(steps.accuracies) - 1) for step in found]
    row: Row = {
        "last step": len(steps.losses),
        "spikes": found,
        "loss before": [steps.losses[s - BEFORE : s].median().item() for s in found],
        "highest loss": [steps.losses[s : s + APART].max().item() for s in found],
        "update over usual": [over_usual(steps.updates, s) for s in found],
        "last layer's change over usual": [over_usual(changes, s) for s in found],
        "test accuracy before": of_step.tolist(),
        "test accuracy after": steps.accuracies[after].tolist(),
        "last loss": steps.losses[-1].item(),
        "last test accuracy": steps.accuracies[-1].item(),
        "losses": _rounded(steps.losses[::EVERY]),
        "highest losses": _rounded(torch.stack([each.max() for each in steps.losses.split(EVERY)])),
        "test accuracies": _rounded(steps.accuracies),
    }
    if not found:
        return row
    start = max(found[0] - AROUND, 0)
    around = slice(start, found[0] + AROUND)
    return row | {
        "around from": start,
        "losses around": _rounded(steps.losses[around]),
        "updates around": _rounded(steps.updates[around]),
        "last layer around": _rounded(steps.last_layer[around]),
    }


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


class Watching(Study):
    """A study whose trainings leave no runs."""

    def measured(self, recipe: Recipe, path: Path, progress: bool) -> Row:
        return row(watched(recipe, progress=progress))


def trainings() -> dict[str, dict[str, Any]]:
    return {
        f"{task}_{arm.replace(' ', '_')}_seed{seed}": {"task": task, "arm": arm, "seed": seed}
        for task in TASKS
        for arm in ARMS
        for seed in SEEDS
    }


STUDY = Watching(
    name="primes_precision",
    trainings=trainings(),
    recipe=recipe,
    look=lambda run: {},
    settle=float("inf"),
)
