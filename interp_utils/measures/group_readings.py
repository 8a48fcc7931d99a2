"""What a model that composes in a group has learned: the numbers of every reading in one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from interp_utils.analysis import cosets, group_neurons, group_progress, isotypic, progress
from interp_utils.analysis.group_structure import Group
from interp_utils.measures import group_sides
from interp_utils.precision import exactly

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


class Parts(NamedTuple):
    """A model's tensors on the pairs of a group, float64.

    logits: "x y z". pre, post: "x y neuron". W_L: "neuron z". W_E: "g d_model", of x.
    labels: "n", the task's. train: "n", which pairs were for training; None where unknown.
    attention: "x y head operand", to x and to y; None where there is no attention.
    act: the neurons' activation function.
    """

    logits: Tensor
    pre: Tensor
    post: Tensor
    W_L: Tensor
    W_E: Tensor
    labels: Tensor
    train: Tensor | None
    attention: Tensor | None
    act: Callable[[Tensor], Tensor]


def parts(model: CachedModel) -> Parts:
    """The tensors, on the CPU, of a one-layer model whose logits read neurons directly.

    Raises ValueError for a task that is not a composition in a group, or a model whose neurons are
    read through more layers or a LayerNorm.
    """
    task = model.task
    if task.grid is None or len(set(task.grid)) > 1 or task.n_classes != task.grid[:1]:
        raise ValueError(
            f"{task.name} is not a composition in a group, where a, b and the label have equally "
            f"many values: it has a grid of {task.grid} and {task.n_classes} classes"
        )
    W_L = model.W_L  # raises for a model that reads its neurons otherwise
    model.fetch(("pre", 0), ("post", 0), ("pattern", 0))

    def cpu(tensor: Tensor) -> Tensor:
        return tensor.detach().cpu().double()

    act_fn = model.model.cfg.act_fn
    if act_fn not in ACTIVATIONS:
        raise ValueError(
            f"the readings need the neurons' activation function, one of {', '.join(ACTIVATIONS)}; "
            f"this model's is {act_fn!r}"
        )
    return Parts(
        cpu(model.logits),
        cpu(model.activation("pre", 0)),
        cpu(model.activation("post", 0)),
        cpu(W_L),
        cpu(model.W_E[0]),
        task.labels.cpu(),
        task.train_mask.cpu() if task.split_known else None,
        cpu(torch.stack([model.attention_to(0, 0), model.attention_to(1, 0)], -1)),
        ACTIVATIONS[act_fn],
    )


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
}


def key_names(group: Group, keys: list[int]) -> list[str]:
    return [group.irreps.names[key] for key in keys]


@exactly
@torch.no_grad()
def measure(model: Parts, group: Group, keys: list[int] | None = None) -> dict[str, Any]:
    """All readings of one model as one row.

    keys: rows of the key irreps; default those of the model's own logits (similarity above .005).
    For snapshots, pass the keys of the last model.
    Shares are of energy; "sides" are the parts of pre-activations that depend on x or y alone.
    """
    if keys is None:
        keys = group_progress.key_irreps(model.logits, group.table, group.irreps)
    return {
        **_losses(model),
        **_irreps(model, group, keys),
        **group_sides.measure(group_sides.read(model.pre, model.W_L, group), group),
        "additive share": cosets.additive_share(model.pre),
        **_attention(model),
        **_progress(model, group, keys),
    }


def _losses(model: Parts) -> dict[str, float]:
    row = {
        "loss": progress.mean_loss(model.logits, model.labels),
        "accuracy": progress.accuracy(model.logits, model.labels),
    }
    if model.train is not None and not model.train.all():
        row["test loss"] = progress.mean_loss(model.logits, model.labels, mask=~model.train)
        row["test accuracy"] = progress.accuracy(model.logits, model.labels, mask=~model.train)
    if model.train is not None:
        row["train loss"] = progress.mean_loss(model.logits, model.labels, mask=model.train)
    return row


def _irreps(model: Parts, group: Group, keys: list[int]) -> dict[str, Any]:
    fit = group_progress.character_fit(model.logits, group.table, group.irreps)
    iso = group_progress.logit_shares(model.logits, group.table, group.irreps)
    shares = group_neurons.neuron_shares(model.post, group.table, group.irreps)
    centred = model.post - model.post.mean((0, 1))
    on = {
        "W_E": isotypic.weight_shares(model.W_E, group.table, group.irreps),
        "W_L": isotypic.weight_shares(model.W_L.T, group.table, group.irreps),
    }
    return {
        "key irreps": key_names(group, keys),
        "sum of d^2": int(group.irreps.ranks[keys].sum()),
        "on keys by chance": group.irreps.ranks[keys].sum().item() / len(group.table),
        "similarity": dict(zip(group.irreps.names, fit.similarity.tolist(), strict=True)),
        "character FVE": fit.variance_explained,
        "isotypic FVE": iso[keys].sum().item(),
        "neuron FVE": shares.explained(keys, centred.square().sum((0, 1))),
        **{f"{name} on keys": share[keys].sum().item() for name, share in on.items()},
        **{
            f"{name} shares": dict(zip(group.irreps.names, share.tolist(), strict=True))
            for name, share in on.items()
        },
    }


def _attention(model: Parts) -> dict[str, Any]:
    if model.attention is None:
        return {}
    means = model.attention.mean((0, 1))  # "head operand"
    return {
        "attention to x": means[:, 0].tolist(),
        "attention as a switch": means.amax(1).mean().item(),
    }


def _progress(model: Parts, group: Group, keys: list[int]) -> dict[str, float]:
    if not keys:
        return {}
    of = (model.labels, group.table, group.irreps, keys)
    row = {}
    for level in ("characters", "isotypic"):
        found = group_progress.losses(model.logits, *of, mask=model.train, level=level)
        row |= {f"restricted, {level}": found.restricted, f"excluded, {level}": found.excluded}
    found = group_progress.hidden_losses(model.post, model.W_L, *of, mask=model.train)
    return row | {"restricted, hidden": found.restricted, "excluded, hidden": found.excluded}
