"""How nearly functions on a group are constant on cosets of its subgroups, beside what chance
gives.

For u with mean 0, alpha_H(u) = |means over cosets|^2 / |u|^2 = 1 - variance within cosets / all
variance, on left cosets gH or right cosets Hg. Twisted by a linear character l of the group, with
values 1 and -1, it is alpha_H(l u). Stander et al. 2023 write 1 - alpha in the text; their code
returns about (|G| - 1) / (|H| - 1) (1 - alpha). The largest index, 12, and the threshold, .90, are
Affine-MI's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis.characters import Irreps
from interp_utils.analysis.isotypic import bases
from interp_utils.analysis.subgroups import (
    coset_labels,
    sign_characters,
    subgroups,
)
from interp_utils.precision import exactly

LARGEST_INDEX = 12
THRESHOLD = 0.9
TIE = 1e-6


class Families(NamedTuple):
    """Sets of functions that are constant on cosets up to a sign, larger subgroups first.

    subgroups: Bool "family g", the mask of H.
    sides:     "left" (gH) or "right" (Hg) of each.
    twists:    Float "family g", the linear character l; all 1 without a twist.
    basis:     Float "g cell", orthonormal within each family: l on a coset, over sqrt |H|.
    cells:     Int "cell", the family of each column of the basis.
    """

    subgroups: Tensor
    sides: tuple[str, ...]
    twists: Tensor
    basis: Tensor
    cells: Tensor

    def select(self, chosen: Tensor) -> Families:
        """Only some families, by a mask or by indices."""
        which = torch.arange(len(self.sides))[chosen].tolist()
        columns = [(self.cells == family).nonzero().flatten() for family in which]
        cells = torch.cat([torch.full_like(c, new) for new, c in enumerate(columns)])
        return Families(
            self.subgroups[which],
            tuple(self.sides[family] for family in which),
            self.twists[which],
            self.basis[:, torch.cat(columns)],
            cells,
        )


@exactly
def families(
    table: Int[Tensor, "g g"],
    largest_index: int = LARGEST_INDEX,
    found: Tensor | None = None,
) -> Families:
    """Every subgroup of index 2 .. largest_index, on both sides, with every twist of the group. The
    trivial subgroup is left out: on its cosets any function is constant.

    found: all subgroups, if they are known already. Raises ValueError where no family is left.
    """
    found = subgroups(table) if found is None else found
    n = len(table)
    index = n // found.sum(1)
    small = found[(index >= 2) & (index <= largest_index) & (index < n)].flip(0)
    if len(small) == 0:
        raise ValueError(
            f"this group of {n} elements has no subgroup of index 2 .. {largest_index} but the "
            "trivial one"
        )
    twists = sign_characters(torch.ones(n, dtype=torch.bool), found)
    members = [(H, side, l) for H in small for side in ("left", "right") for l in twists]  # noqa: E741
    bases_of = [_cells(table, H, side, twist) for H, side, twist in members]
    cells = [torch.full((basis.shape[1],), row) for row, basis in enumerate(bases_of)]
    return Families(
        torch.stack([H for H, _, _ in members]),
        tuple(side for _, side, _ in members),
        torch.stack([twist for _, _, twist in members]),
        torch.cat(bases_of, 1),
        torch.cat(cells),
    )


def _cells(table: Tensor, subgroup: Tensor, side: str, twist: Tensor) -> Float[Tensor, "g coset"]:
    labels = coset_labels(table, subgroup, side)
    indicators = (labels[:, None] == labels.unique()).double()
    return twist[:, None] * indicators / subgroup.sum().double().sqrt()


@exactly
def alphas(u: Float[Tensor, "g n"], of: Families) -> Float[Tensor, "family n"]:
    """alpha of every function (a column, centred first) for every family; NaN for constants."""
    if len(u) != len(of.basis):
        raise ValueError(f"functions on {len(of.basis)} elements are needed, got {len(u)} rows")
    u = u - u.mean(0)
    squares = (of.basis.T @ u).square()
    kept = squares.new_zeros(len(of.sides), u.shape[1]).index_add_(0, of.cells, squares)
    return kept / u.square().sum(0)


class Best(NamedTuple):
    """The family with the largest alpha for every function (among ties, the largest subgroup), and
    this alpha.
    """

    family: Int[Tensor, "n"]
    alpha: Float[Tensor, "n"]


@exactly
def best_family(u: Float[Tensor, "g n"], of: Families) -> Best:
    """The family that fits each function best; NaN alpha, family 0, for constants."""
    alpha = alphas(u, of)
    top = alpha.amax(0)
    first = (alpha >= top - TIE).long().argmax(0)  # families are ordered by size of H
    return Best(first, top)


@exactly
def on_cosets(u: Float[Tensor, "g n"], of: Families, family: Int[Tensor, "n"]) -> Tensor:
    """Each function replaced by its (twisted) averages over the cosets of its family; Float "g n".

    The mean is subtracted before, and added back.
    """
    mean = u.mean(0)
    parts = of.basis.T @ (u - mean)
    own = of.cells[:, None] == family
    return mean + of.basis @ (parts * own)


@exactly
def coset_share(alpha: Float[Tensor, "n"], energy: Float[Tensor, "n"]) -> float:
    """F_coset: energy of the live functions with alpha of at least .90, over that of all live ones.

    A function is live if its energy is at least 1e-8 of the largest. NaN if none is live.
    """
    live = energy >= 1e-8 * energy.max()
    live &= energy > 0
    if not live.any():
        return float("nan")
    constant = live & (alpha >= THRESHOLD)
    return (energy[constant].sum() / energy[live].sum()).item()


@exactly
def null_alphas(
    table: Int[Tensor, "g g"], irreps: Irreps, of: Families, draws: int = 2000, seed: int = 0
) -> dict[str, Float[Tensor, "draw"]]:
    """The largest alpha of random functions: of any function, and of each non-trivial irrep.

    Functions are normal vectors in the range of each irrep's projector; under "any", they are
    normal among all functions with mean 0.
    """
    basis, irrep = bases(table, irreps)
    random = torch.Generator().manual_seed(seed)

    def draw(columns: Tensor) -> Tensor:
        normal = torch.randn(columns.sum(), draws, generator=random, dtype=torch.float64)
        return best_family(basis[:, columns] @ normal, of).alpha

    nulls = {"any": draw(irrep > 0)}
    for row, name in enumerate(irreps.names[1:], 1):
        nulls[name] = draw(irrep == row)
    return nulls


@exactly
def chance_levels(
    table: Int[Tensor, "g g"], irreps: Irreps, of: Families, quantile: float = 0.99
) -> Float[Tensor, "irrep"]:
    """The alpha that this fraction of random functions of each irrep does not pass; at least .90,
    the threshold. NaN for the trivial irrep, and where nearly all functions are constant on cosets,
    as in dimension 1: there alpha says nothing.
    """
    nulls = null_alphas(table, irreps, of, draws=1000)
    levels = [float("nan")]
    for name in irreps.names[1:]:
        level = nulls[name].quantile(quantile).item()
        levels.append(max(level, THRESHOLD) if level < 1 - 1e-4 else float("nan"))
    return torch.tensor(levels, dtype=torch.float64)


@exactly
def sides(
    grid: Float[Tensor, "g g neuron"],
) -> tuple[Float[Tensor, "g neuron"], Float[Tensor, "g neuron"]]:
    """The parts of pre-activations that depend on x alone and on y alone: means over the other
    variable, less the overall mean.
    """
    mean = grid.mean((0, 1))
    return grid.mean(1) - mean, grid.mean(0) - mean


@exactly
def additive_share(grid: Float[Tensor, "g g neuron"]) -> float:
    """|G| (|x|^2 + |y|^2) / |grid - mean|^2 over all neurons: 1 where x side and y side only add.

    Statements about sides rest on this share. NaN if all neurons are constant.
    """
    x, y = sides(grid)
    total = (grid - grid.mean((0, 1))).square().sum()
    return (len(grid) * (x.square().sum() + y.square().sum()) / total).item()
