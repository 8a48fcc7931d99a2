"""The bake-off's search: as many trials for each arm, chosen by Optuna's TPE in the arm's space.

Run python -m interp_utils.experiments.faster.search in the checkout, in as many processes as you
like, and again if one of them dies. Runs and studies are in runs/search_faster; only the studies
ship, in docs/studies/faster.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from interp_utils import sweeps
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.faster import recipes
from interp_utils.experiments.faster.recipes import ARMS, Arm
from interp_utils.runs.run import Run
from interp_utils.sweeps import studies

if TYPE_CHECKING:
    import optuna

    from interp_utils.tasks import AnyTask

RUNS = Path("runs") / "search_faster"
DOCS, SHIPPED = Path("docs"), Path("studies") / "faster"


def make(arm: Arm, trial: optuna.Trial) -> tuple[AnyTask, ModelConfig, TrainConfig]:
    values = {name: trial.suggest_float(name, *of, log=True) for name, of in arm.space.items()}
    about = {"seed": recipes.SEARCH_SEED, "steps": recipes.SEARCH_STEPS}
    task, model, training = recipes.recipe(**about, **arm.fixed, **values)
    return task, model, training


def soonest(run: Run) -> float:
    """The step at which a run generalised. One that did not counts as generalising after its end,
    the later the more of the test pairs it has wrong.
    """
    step = sweeps.step_generalised(run)
    wrong = 1 - run.metrics["test_accuracy"].iloc[-1]
    return min(step, run.step * (1 + wrong))


def searches(docs: Path) -> dict[str, optuna.Study]:
    """The study of each arm, as it ships."""
    return {name: studies.load(docs / SHIPPED, study=name) for name in ARMS}


def best(study: optuna.Study) -> dict[str, float]:
    """The settings of the best trial, to two digits."""
    return {name: float(f"{value:.1e}") for name, value in study.best_params.items()}


def main() -> None:
    for name, arm in ARMS.items():
        sweeps.sweep(
            functools.partial(make, arm),
            out=RUNS,
            study=name,
            trials=recipes.TRIALS,
            objective=soonest,
            seed=0,
        )
    shutil.copy(RUNS / studies.JOURNAL, DOCS / SHIPPED)


if __name__ == "__main__":
    main()
