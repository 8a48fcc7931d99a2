"""Input in float64: what there is to cast, and what a cast changes."""

from __future__ import annotations

from dataclasses import replace

import torch

from interp_utils.configs import RunConfig
from interp_utils.experiments.primes import recipes
from interp_utils.experiments.rules import Row
from interp_utils.training.settings import settings
from interp_utils.training.trainer import Trainer

STEPS = 30


def row(steps: int = STEPS) -> Row:
    """The report's training for some steps on its token ids, and on these cast to float64 and back:
    the largest difference of any weight. Whether an embedding takes ids in float64.
    """
    recipe = recipes.atomic()
    task, model, training = recipe
    config = RunConfig(model.for_task(task), training)
    cast = replace(task, tokens=task.tokens.double().long())
    trained = []
    for each in (task, cast):
        with settings(True):
            trainer = Trainer(each, config, torch.device("cpu"))
            for _ in range(steps):
                trainer.update()
        trained.append(trainer.weights)
    moved = max((trained[0][name] - trained[1][name]).abs().max().item() for name in trained[0])
    return {
        "steps": steps,
        "largest difference by a cast of the tokens": moved,
        "an embedding takes tokens in float64": _takes_doubles(),
    }


def _takes_doubles() -> bool:
    try:
        torch.nn.functional.embedding(torch.zeros(1, dtype=torch.float64), torch.zeros(2, 2))
    except (RuntimeError, TypeError):
        return False
    return True
