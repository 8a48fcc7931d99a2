"""What changes in the phases of grokking: Nanda et al. 2023, section 5.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from interp_utils.analysis import fourier, neurons, sparsity
from interp_utils.devices import Device
from interp_utils.experiments.addition import weights
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones, trajectories
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


def row(run: Run, device: Device = None) -> Row:
    """How fast numbers change per step in cleanup, divided by the same in circuit formation.

    {} for a run that did not complete both; Gini coefficients only where there are snapshots.
    """
    found = milestones.phases(run.metrics)
    if "cleanup" not in found:
        return {}
    start, turn, end = (*found["circuit formation"], found["cleanup"][1])
    row = squared_weights(run.metrics, (start, turn, end))
    nearest = [min(run.steps, key=lambda step: abs(step - wanted)) for wanted in (start, turn, end)]
    if len(set(nearest)) < 3:
        return row
    ginis = trajectories.follow(run, _ginis, nearest, device, progress=False)
    for name in ("W_E", "W_L"):
        values = [ginis[step][name] for step in nearest]
        row[f"Gini of {name}, rise in cleanup over formation"] = _rates(values, nearest)
    return row | _afterwards(run, nearest[-1], device)


def squared_weights(metrics: pd.DataFrame, steps: tuple[int, int, int]) -> Row:
    squares = metrics.set_index("step")["sum_squared_weights"]
    rates = _rates([squares[step] for step in steps], steps)
    return {"squared weights, fall in cleanup over formation": rates}


def _afterwards(run: Run, cleaned: int, device: Device) -> Row:
    """What still changes after cleanup: how well one wave fits the worst head's attention, and how
    large leftover clusters are in the logits.
    """
    last = CachedModel(run.model(device=device), run.task).as_sums()
    keys = fourier.key_frequencies(last.logits)
    clusters = neurons.frequency_clusters(last.activation("post", 0))
    of_key = torch.isin(clusters.frequency, torch.tensor(keys, device=last.device))
    left = clusters.clustered & ~of_key

    def look(model: CachedModel) -> tuple[float, float]:
        return min(weights.attention_fits(model.as_sums())), _share(model.as_sums(), left)

    steps = sorted({cleaned, run.steps[-1]})
    before, after = trajectories.follow(run, look, steps, device, progress=False).values()
    row = {"attention fit of the worst head, rise after cleanup": after[0] - before[0]}
    if not left.any():
        return row
    return row | {"leftover clusters in the logits, end over cleanup's end": after[1] / before[1]}


def _share(model: CachedModel, members: Tensor) -> float:
    """Norm of what some neurons add to the logits, over the logits' norm; both are centred."""
    post, logits = model.activation("post", 0)[..., members], model.logits
    added = (post - post.mean((0, 1))) @ model.W_L[members]
    return (added.norm() / (logits - logits.mean((0, 1))).norm()).item()


def _rates(values: list[float], steps: tuple[int, ...] | list[int]) -> float:
    before, after = ((values[i + 1] - values[i]) / (steps[i + 1] - steps[i]) for i in range(2))
    return float(after / before)


def _ginis(model: CachedModel) -> dict[str, float]:
    """Gini coefficients of the norms of the components of frequencies 1 to p // 2."""
    sums = model.as_sums()
    sides = {"W_E": sums.W_E[0], "W_L": sums.W_L.T}
    return {
        name: sparsity.gini(fourier.transform(side)[1:].norm(dim=1)) for name, side in sides.items()
    }
