"""How "=" comes to see the operands: a head's alpha I + beta A - gamma C as what it keeps of
itself, what it takes from all positions alike, what it takes by position and what by content.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import progress
from interp_utils.experiments.rules import Row
from interp_utils.models import named_weights
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

GAINS = ("alpha", "beta", "gamma")
SEEING = ("alike", "by_position", "by_content")  # the parts by which "=" sees operands


class Parts(NamedTuple):
    """A row of the mixing at the answer, "a b head key", as a sum of these four. The bar is the
    mean over all inputs.
    """

    own: Float[Tensor, "a b head key"]  # alpha I
    alike: Float[Tensor, "a b head key"]  # (beta - gamma) C
    by_position: Float[Tensor, "a b head key"]  # beta (mean of A - C)
    by_content: Float[Tensor, "a b head key"]  # beta (A - mean of A)


def parts(model: CachedModel) -> Parts:
    """The parts of the mixing in a model of one simplified block, read at the last position."""
    softmax = model.activation("softmax", 0)
    usual = softmax.mean((0, 1)).expand_as(softmax)
    uniform = torch.full_like(softmax, 1 / softmax.shape[-1])
    alpha, beta, gamma = (gains(model)[name].to(softmax)[:, None] for name in GAINS)
    own = torch.zeros_like(softmax)
    own[..., -1:] = alpha
    return Parts(own, (beta - gamma) * uniform, beta * (usual - uniform), beta * (softmax - usual))


def gains(model: CachedModel) -> dict[str, Float[Tensor, "head"]]:
    """alpha, beta and gamma of the first layer; gamma is 0 where there is none."""
    weights = named_weights(model.model)
    found = {name: weights.get(f"blocks.0.attn.{name}") for name in GAINS}
    return {
        name: torch.zeros(model.model.cfg.n_heads) if gain is None else gain.detach()
        for name, gain in found.items()
    }


@torch.no_grad()
def seen(model: CachedModel) -> Row:
    """The gains (means over heads); how much of an operand each part lets "=" see (root mean square
    of its entries at a and b); and the loss on training pairs, as it is and without each part.
    """
    task, found = model.task, parts(model)
    weights, operands = named_weights(model.model), [operand.position for operand in task.operands]

    def loss(logits: Tensor) -> float:
        return progress.mean_loss(logits, task.labels, mask=task.train_mask)

    row: Row = {name: gain.mean().item() for name, gain in gains(model).items()}
    for name in ("attn", "mlp"):
        row[f"gain of {name}"] = weights[f"blocks.0.{name}.gain"].item()
    row["train loss"] = loss(model.logits)
    for field in SEEING:
        part, name = getattr(found, field), field.replace("_", " ")
        row[f"sees {name}"] = part[..., operands].square().mean().sqrt().item()
        rest = model.with_values({model.hook_name("pattern", 0): sum(found) - part})
        row[f"train loss, nothing {name}"] = loss(rest.logits)
    return row


def course(run: Run, digits: int = 4) -> Row:
    """`seen` at every snapshot: measure -> a list along "steps", to so many digits."""
    rows = [seen(CachedModel(run.model(step), run.task)) for step in run.steps]
    found = {name: [float(f"{row[name]:.{digits}g}") for row in rows] for name in rows[0]}
    return {"steps": run.steps, **found}
