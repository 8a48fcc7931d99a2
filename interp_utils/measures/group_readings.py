"""What a model that composes in a group has learned, in every reading, on one table of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import (
    cosets,
    group_progress,
    irreps,
    isotypic,
    progress,
)
from interp_utils.analysis.group_structure import Group
from interp_utils.analysis.subgroups import CosetSide, check_side
from interp_utils.precision import exactly

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel

ON_LINE = 0.99  # cos^2 from which a vector counts as on a special line
EXACT = 0.95  # purity, and share of rank one, from which a function counts as one irrep's


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
    """The tensors of a one-layer model that read neurons directly, on the CPU.

    Raises ValueError for a task that is no composition in a group, or a model whose neurons are
    read through more layers or a LayerNorm.
    """
    task = model.task
    if task.grid is None or len(set(task.grid)) > 1 or task.n_classes != task.grid[:1]:
        raise ValueError(
            f"{task.name} has a grid of {task.grid} and {task.n_classes} classes, and so is no "
            "composition in a group, with as many of each"
        )
    W_L = model.W_L  # refuses what reads its neurons otherwise
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


class Side(NamedTuple):
    """One side of the neurons: functions on the group, and their readings, per neuron.

    u: "g neuron". energy: |u|^2. irrep: the dominant one. purity: its share. rank_one: of its
    coefficients. outer: b (y side: c), inner: a, unit vectors of that irrep, "neuron d", padded
    with zeros. beta: cos^2 to the nearest special line (NaN in irreps without lines or of dimension
    1). family, alpha: the best family of cosets (alpha NaN without families).
    """

    u: Tensor
    energy: Tensor
    irrep: Tensor
    purity: Tensor
    rank_one: Tensor
    beta: Tensor
    family: Tensor
    alpha: Tensor


@exactly
def read_side(u: Float[Tensor, "g neuron"], group: Group, flip: bool) -> Side:
    """Readings of the x side, or (flip) of the y side or the read-out's rows."""
    share = isotypic.share(u, group.table, group.irreps)
    purity, irrep = share.nan_to_num(0).max(0)
    rank_one, beta = torch.full_like(purity, math.nan), torch.full_like(purity, math.nan)
    for row in irrep.unique().tolist():
        own, nu = irrep == row, group.irreps.indicators[row].item()
        A = irreps.coefficients(u[:, own], group.rho[row], nu)
        rank_one[own] = irreps.rank_one_share(A, nu)
        if nu == 1 and group.irreps.dimensions[row] > 1 and len(group.lines[row].vectors):
            vectors = irreps.leading_vectors(A)
            outer = vectors.right if flip else vectors.left
            beta[own] = irreps.nearest_line(outer, group.lines[row]).beta
    family, alpha = torch.zeros_like(irrep), torch.full_like(purity, math.nan)
    if group.families is not None:
        family, alpha = cosets.best_family(u, group.families)
    return Side(u, u.square().sum(0), irrep, purity, rank_one, beta, family, alpha)


@exactly
def mean_by_energy(values: Float[Tensor, "n"], energy: Float[Tensor, "n"]) -> float:
    """Energy-weighted mean over those that are not NaN; NaN if none is left."""
    there = ~values.isnan()
    total = energy[there].sum()
    return ((values[there] * energy[there]).sum() / total).item() if total > 0 else math.nan


def key_names(group: Group, keys: list[int]) -> list[str]:
    return [group.irreps.names[key] for key in keys]


@exactly
@torch.no_grad()
def measure(model: Parts, group: Group, keys: list[int] | None = None) -> dict[str, Any]:
    """All readings of one model as one row.

    keys: rows of the key irreps; default those of its own logits (similarity above .005). For
    snapshots give the last model's.
    Shares are of energy; "sides" are what pre-activations are of x alone and of y alone.
    """
    if keys is None:
        keys = group_progress.key_irreps(model.logits, group.table, group.irreps)
    x, y = cosets.sides(model.pre)
    sides = {"x": read_side(x, group, False), "y": read_side(y, group, True)}
    read_out = model.W_L.T - model.W_L.T.mean(0)
    sides["z"] = read_side(read_out, group, True)
    return {
        **_losses(model),
        **_irreps(model, group, keys),
        **_readings(sides, group),
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
    shares = group_progress.neuron_shares(model.post, group.table, group.irreps)
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


def _readings(sides: Mapping[str, Side], group: Group) -> dict[str, Any]:
    both = Side(*(torch.cat([sides["x"][i], sides["y"][i]], -1) for i in range(len(Side._fields))))
    row: dict[str, Any] = {
        "irrep share": mean_by_energy(both.purity, both.energy),
        "rank one": mean_by_energy(both.rank_one, both.energy),
        "share99": mean_by_energy(
            torch.where(both.beta.isnan(), both.beta, (both.beta > ON_LINE).double()), both.energy
        ),
        "F_coset": cosets.coset_share(both.alpha, both.energy),
        "mean alpha": mean_by_energy(both.alpha, both.energy),
        "cosets beyond chance": beyond_chance(both, group),
        "irreps of neurons": _energy_by_irrep(both, group),
        **_both_readings(both),
    }
    for name, side in sides.items():
        row[f"F_coset {name}"] = cosets.coset_share(side.alpha, side.energy)
    if group.families is not None:
        for name, where in (("x", "right"), ("y", "left")):
            row[f"{name} on {where}"] = share_on(sides[name].u, group, where)
    return row


@exactly
def beyond_chance(side: Side, group: Group) -> float:
    """Share of energy with alpha above what 1 % of random functions of the same irrep reach, and
    above .90; of the functions of irreps in which that tells anything. NaN where there are none.
    """
    level = group.chance[side.irrep]
    above = torch.where(level.isnan(), level, (side.alpha > level).double())
    return mean_by_energy(above, side.energy)


def _both_readings(side: Side) -> dict[str, float]:
    """Of the energy: irrep-pure (95 %), constant on cosets, both; and how much of what is both is a
    rho-set function, of rank one. Functions of an irrep of dimension 1 are left out.
    """
    told = ~side.beta.isnan() & ~side.alpha.isnan()
    pure, constant = side.purity >= EXACT, side.alpha >= cosets.THRESHOLD
    energy = torch.where(told, side.energy, 0.0)
    total = energy.sum()
    if total == 0:
        return {}
    both = energy[pure & constant].sum()
    one = energy[pure & constant & (side.rank_one >= EXACT)].sum()
    row = {
        "irrep-pure": (energy[pure].sum() / total).item(),
        "on cosets": (energy[constant].sum() / total).item(),
        "both": (both / total).item(),
    }
    return row | ({"rank one of both": (one / both).item()} if both > 0 else {})


def _energy_by_irrep(side: Side, group: Group) -> dict[str, float]:
    energy = torch.zeros(len(group.irreps.names)).double().index_add_(0, side.irrep, side.energy)
    return dict(zip(group.irreps.names, (energy / energy.sum()).tolist(), strict=True))


@exactly
def mean_alpha(u: Float[Tensor, "g neuron"], group: Group, side: CosetSide) -> float:
    """Energy-weighted mean of the best alpha on cosets of one side, "left" or "right"."""
    return mean_by_energy(cosets.alphas(u, _of_side(group, side)).amax(0), u.square().sum(0))


@exactly
def share_on(u: Float[Tensor, "g neuron"], group: Group, side: CosetSide) -> float:
    """Of the functions that are constant on cosets (alpha of .90) of one side, "left" or "right",
    and not of the other: the share of energy on this side. NaN where these have less than 1 % of
    all energy: b^T rho(x) a is on both sides where b and a are on special lines.
    """
    check_side(side)
    other: CosetSide = "left" if side == "right" else "right"
    here, there = (
        cosets.alphas(u, _of_side(group, of)).amax(0) >= cosets.THRESHOLD for of in (side, other)
    )
    told, energy = here != there, u.square().sum(0)
    if energy[told].sum() < 0.01 * energy.sum():
        return math.nan
    return mean_by_energy(here[told].double(), energy[told])


def _of_side(group: Group, side: CosetSide) -> cosets.Families:
    """Raises ValueError for another side, or a group without families."""
    check_side(side)
    if group.families is None:
        raise ValueError("this group has no subgroup whose cosets were listed")
    return group.families.select(torch.tensor([of == side for of in group.families.sides]))


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
