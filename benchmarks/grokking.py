"""What is timed from nothing to a model that has grokked."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

from interp_utils import train
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.studies import LEVEL, LOGGED
from interp_utils.measures import milestones


def to_generalise(recipe: Recipe, products: str = "float32") -> dict[str, float] | None:
    """Steps, and seconds from the call to the row of metrics from which test accuracy stays above
    99 %, for five rows: task, initial weights, evaluations and saves included. None where it had
    not by the recipe's last step.
    """
    started, rows, high = time.perf_counter(), {}, []

    def goes_on(row: dict[str, Any]) -> bool:
        rows[row["step"]] = time.perf_counter() - started
        high.append(row["test_accuracy"] > LEVEL)
        return not (len(high) >= LOGGED and all(high[-LOGGED:]))

    training = dataclasses.replace(recipe.train, products=products)
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            recipe.make(),
            recipe.model,
            training,
            out=Path(folder) / "run",
            callback=goes_on,
            progress=False,
        )
        step = milestones.generalisation(run.metrics, level=LEVEL).generalised
    return None if step is None else {"steps": step, "s": rows[step]}
