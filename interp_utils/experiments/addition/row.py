"""A run on modular addition as a row of numbers: Nanda et al. 2023, ablations included."""

from __future__ import annotations

import torch

from interp_utils.analysis import fourier
from interp_utils.devices import Device
from interp_utils.experiments.addition import ablations, phases, weights
from interp_utils.experiments.rules import Row
from interp_utils.measures import trajectories
from interp_utils.measures.milestones import KNOWN
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run


@torch.no_grad()
def row(run: Run, device: Device = None) -> Row:
    """`trajectories.headline`, and, for a run that generalised, what its weights and ablations show
    and what its phases of grokking changed. A control has no phases.
    """
    found = trajectories.headline(run, device)
    if not run.task.operation.holds:
        return {name: value for name, value in found.items() if not name.endswith(" ends")}
    if not generalised(found):
        return found
    model = CachedModel(run.model(device=device), run.task).as_sums()
    model.fetch("resid_pre", "resid_mid", "attn_out", "mlp_out", "post", "pattern", "z")
    keys = fourier.key_frequencies(model.logits)
    found |= weights.row(model, keys) | ablations.row(model, keys)
    return found | phases.row(run, device)


def generalised(row: Row) -> bool:
    return row["test accuracy"] > KNOWN
