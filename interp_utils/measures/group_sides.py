"""The parts of neurons that depend on x or y alone, and the read-out, as functions on the group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import cosets, irreps, isotypic
from interp_utils.analysis.group_structure import Group
from interp_utils.analysis.subgroups import CosetSide, check_side
from interp_utils.precision import exactly

ON_LINE = 0.99  # cos^2 from which a vector counts as on a special line
EXACT = 0.95  # purity, and share of rank one, from which a function counts as one irrep's


class Side(NamedTuple):
    """One side of the neurons: functions on the group, and their readings, per neuron.

    u: "g neuron". energy: |u|^2. irrep: the dominant one. purity: its share. rank_one: of its
    coefficients. beta: cos^2 of b (y side: c) to the nearest special line (NaN in irreps without
    lines or of dimension 1). family, alpha: the best family of cosets (alpha NaN without families).
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
def read(
    pre: Float[Tensor, "x y neuron"], W_L: Float[Tensor, "neuron z"], group: Group
) -> dict[str, Side]:
    """Readings of pre-activations as functions of x and of y, and of the read-out's rows, "z"."""
    x, y = cosets.sides(pre)
    read_out = W_L.T - W_L.T.mean(0)
    functions = {"x": (x, False), "y": (y, True), "z": (read_out, True)}
    return {name: read_side(u, group, flip) for name, (u, flip) in functions.items()}


@exactly
def measure(sides: Mapping[str, Side], group: Group) -> dict[str, Any]:
    """Readings of x side and y side together, weighted by energy, and F_coset of each side.

    Shares are of energy. sides: "x", "y", and "z", the rows of the read-out.
    """
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
    """Share of energy with alpha above .90 and above what 1 % of random functions of the same irrep
    reach. Only irreps in which such a level can be passed count; NaN where there are none.
    """
    level = group.chance[side.irrep]
    above = torch.where(level.isnan(), level, (side.alpha > level).double())
    return mean_by_energy(above, side.energy)


def _both_readings(side: Side) -> dict[str, float]:
    """Shares of energy that are irrep-pure (95 %), constant on cosets, or both; and how much of the
    energy that is both is of rank one, as in a rho-set. Irreps of dimension 1 are left out.
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
    if constant.any():
        row["irrep share on cosets"] = mean_by_energy(side.purity[constant], energy[constant])
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
    """Among the functions that are constant on cosets (alpha of .90) of one side only, "left" or
    "right", the share of energy on the given side. NaN where these functions have less than 1 % of
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
    """The families of one side. Raises ValueError for another side, or a group without families."""
    check_side(side)
    if group.families is None:
        raise ValueError(
            f"expected a group whose cosets were listed, got one of {len(group.table)} elements "
            "without a subgroup of a listed index: describe it with a larger largest_index"
        )
    return group.families.select(torch.tensor([of == side for of in group.families.sides]))


@exactly
def mean_by_energy(values: Float[Tensor, "n"], energy: Float[Tensor, "n"]) -> float:
    """Energy-weighted mean over the values that are not NaN; NaN if there are none."""
    there = ~values.isnan()
    total = energy[there].sum()
    return ((values[there] * energy[there]).sum() / total).item() if total > 0 else math.nan
