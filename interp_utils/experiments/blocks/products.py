"""Where a model multiplies: what is not a sum of a function of a and a function of b, and what the
model does without it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import progress
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel


def additive(x: Float[Tensor, "a b ..."]) -> Float[Tensor, "a b ..."]:
    """The best-fitting sum of a function of a and a function of b."""
    return x.mean(1, keepdim=True) + x.mean(0, keepdim=True) - x.mean((0, 1))


def share_of_products(x: Float[Tensor, "a b ..."]) -> float:
    """The share of the variance over the grid that is not additive; 0 for what does not vary."""
    x = devices.double(x)
    total = (x - x.mean((0, 1))).square().sum().item()
    return (x - additive(x)).square().sum().item() / total if total > 1e-12 * len(x) else 0.0


def without_products(model: CachedModel, name: str) -> CachedModel:
    """The model whose activations of this short name are additive, in every layer and at every
    position.
    """
    for layer in range(model.model.cfg.n_layers):
        full = model.hook_name(name, layer)
        summed = additive(model.activation(full, pos=None))
        model = model.with_values({full: summed}, pos=None)
    return model


SITES = {"heads": "z", "neurons": "post"}


@torch.no_grad()
def products(model: CachedModel) -> Row:
    """For what the heads mix and for the neurons: the share of products in the last layer, at the
    answer, and the accuracy over all pairs without them; None for neurons that are not there.
    """
    cfg, labels = model.model.cfg, model.task.labels
    found: Row = {"products in logits": share_of_products(model.logits)}
    for site, name in SITES.items():
        if site == "neurons" and cfg.attn_only:
            found |= {f"products in {site}": None, f"accuracy without products in {site}": None}
            continue
        last = model.activation(name, cfg.n_layers - 1)
        found[f"products in {site}"] = share_of_products(last)
        logits = without_products(model, name).logits
        found[f"accuracy without products in {site}"] = progress.accuracy(logits, labels)
    return found
