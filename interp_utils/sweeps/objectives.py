"""What a sweep minimises: numbers of a finished run."""

from __future__ import annotations

import math

import numpy as np

from interp_utils.measures.milestones import KNOWN, generalisation
from interp_utils.runs.run import Run

__all__ = ["held_out_loss", "step_generalised"]


def held_out_loss(run: Run, rows: int = 1) -> float:
    """The mean test loss (for sequences, validation loss) over the last logged rows, in nats."""
    return float(np.mean(_held_out(run, "loss")[-rows:]))


def step_generalised(run: Run, accuracy: float = KNOWN) -> float:
    """The first logged step from which the test (or validation) accuracy stays above `accuracy`, by
    the rule of `milestones.generalisation`; infinity if there is no such step.
    """
    _held_out(run, "accuracy")
    step = generalisation(run.metrics, level=accuracy).generalised
    return math.inf if step is None else float(step)


def _held_out(run: Run, what: str) -> list[float]:
    for name in (f"test_{what}", f"validation_{what}"):
        column = run.raw_metrics.get(name, [None])
        if None not in column:
            return column
    raise ValueError(
        f"{run.path} has no held-out {what}: all its inputs are for training. Lower "
        "frac_train, or take another objective"
    )
