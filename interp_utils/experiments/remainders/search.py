"""The search in notebook 08. Run python -m interp_utils.experiments.remainders.search in the
checkout, in as many processes as you like, and again if one of them dies.

Runs and the study are in runs/search_remainders; only the study ships, in docs/studies.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from interp_utils import sweeps, tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.remainders.recipes import width
from interp_utils.sweeps import studies

if TYPE_CHECKING:
    import optuna

    from interp_utils.tasks import Task

RUNS = Path("runs") / "search_remainders"
SHIPPED = Path("docs") / "studies" / "remainders"
TRIALS, STEPS = 30, 1000
# Syrkis and Søgaard, Table 1, with a weight decay of a third: it was best by their Table 2, but is
# missing in Table 1.
SPACE = {
    "dropout": (0.0, 0.1, 0.2, 0.5),
    "grokfast_lambda": (0.0, 0.5, 2.0),
    "weight_decay": (0.0, 0.1, 1 / 3, 0.5, 1.0),
    "d_model": (128, 256),
    "lr": (1e-4, 3e-4),
    "n_heads": (4, 8),
}
OF_MODEL = ("d_model", "n_heads")  # the others are the training's
PUBLISHED_BEST = {
    "dropout": 0.1,
    "grokfast_lambda": 0.5,
    "weight_decay": 1 / 3,
    "d_model": 256,
    "lr": 3e-4,
    "n_heads": 4,
}


def make(trial: optuna.Trial) -> tuple[Task, ModelConfig, TrainConfig]:
    values = {name: trial.suggest_categorical(name, of) for name, of in SPACE.items()}
    d_model, n_heads = (values[name] for name in OF_MODEL)
    model = dataclasses.replace(width(d_model), n_heads=n_heads, d_head=d_model // n_heads)
    of_training = {name: value for name, value in values.items() if name not in OF_MODEL}
    training = TrainConfig(steps=STEPS, snapshot_every=None, grokfast="ema", **of_training)
    return tasks.remainders(23, 0.8), model, training


def main() -> None:
    search = functools.partial(
        sweeps.sweep,
        make,
        out=RUNS,
        objective=functools.partial(sweeps.held_out_loss, rows=10),
        seed=0,
    )
    search(trials=[PUBLISHED_BEST])
    search(trials=TRIALS)
    SHIPPED.mkdir(parents=True, exist_ok=True)
    shutil.copy(RUNS / studies.JOURNAL, SHIPPED)


if __name__ == "__main__":
    main()
