"""Losses and accuracies, which every run has, even one of no experiment; and what logits of sums
show, of any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.measures import trajectories
from interp_utils.runs.run import Run
from interp_utils.tasks import Task
from interp_utils.training.objectives import objective

if TYPE_CHECKING:
    import pandas as pd


def row(run: Run, device: Device = None) -> Row:
    """The numbers of the run's log, computed again from the weights of the last snapshot; and of
    labels that are sums, `trajectories.headline`, if there are key frequencies.
    """
    found = {"steps": run.step, **_measured(run, run.steps[-1], device)}
    if not isinstance(run.task, Task) or run.task.operation is None or not run.task.split_known:
        return found
    with suppress(ValueError):  # of a model without key frequencies
        found |= trajectories.headline(run, device)
    return found


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """The numbers of `row` at every snapshot, one row each."""
    import pandas as pd

    chosen = run.steps if steps is None else steps
    shown = tqdm(chosen, desc="measuring", unit="snapshot", disable=not progress)
    return pd.DataFrame([{"step": step, **_measured(run, step, device)} for step in shown])


@torch.no_grad()
def _measured(run: Run, step: int, device: Device) -> Row:
    on = devices.resolve(device)
    weights = {name: value.to(on) for name, value in run.weights(step).items()}
    found = objective(run.task, run.config, on).measure(weights, step)
    return {name.replace("_", " "): value.item() for name, value in found.items()}
