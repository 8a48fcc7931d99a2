"""What the analysis of one group needs, computed once from its table."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.analysis import cosets, irreps
from interp_utils.analysis.characters import Irreps, real_irreps
from interp_utils.analysis.cosets import Families
from interp_utils.analysis.irreps import Lines
from interp_utils.analysis.subgroups import subgroups
from interp_utils.precision import exactly


class Group(NamedTuple):
    """A group and its parts.

    table:     Int "g g".
    irreps:    its real blocks.
    subgroups: Bool "subgroup g", all of them.
    families:  cosets of subgroups of index 2 .. 12, on both sides, with twists; None if there is no
               such subgroup.
    rho:       matrices of each irrep, Float "g d d".
    lines:     special lines of each irrep.
    chance:    for each irrep, the alpha that 1 % of its random functions pass (`chance_levels`).
    """

    table: Tensor
    irreps: Irreps
    subgroups: Tensor
    families: Families | None
    rho: tuple[Tensor, ...]
    lines: tuple[Lines, ...]
    chance: Tensor


@exactly
def describe(table: Int[Tensor, "g g"], largest_index: int = cosets.LARGEST_INDEX) -> Group:
    """A group from its table; S5 takes half a second.

    Raises ValueError where the table is not a group's, naming an entry that shows this.
    """
    table = table.long()
    blocks, found = real_irreps(table), subgroups(table)
    index = len(table) // found.sum(1)
    small = bool(((index >= 2) & (index <= largest_index) & (index < len(table))).any())
    families = cosets.families(table, largest_index, found) if small else None
    chance = torch.full((len(blocks.names),), float("nan"), dtype=torch.float64)
    if families is not None:
        chance = cosets.chance_levels(table, blocks, families)
    rho = tuple(irreps.matrices(table, blocks, row) for row in range(len(blocks.names)))
    lines = tuple(irreps.special_lines(matrices, found) for matrices in rho)
    return Group(table, blocks, found, families, rho, lines, chance)


@exactly
def order_by_coset(group: Group, family: int) -> Int[Tensor, "g"]:
    """The elements, coset by coset of a family. In this order, a function that is constant on the
    cosets is a staircase. Raises ValueError for a group without families.
    """
    if group.families is None:
        raise ValueError(
            f"expected a group whose cosets were listed, got one of {len(group.table)} elements "
            "without a subgroup of a listed index: describe it with a larger largest_index"
        )
    cells = group.families.basis[:, group.families.cells == family]
    return torch.argsort(cells.abs().argmax(1), stable=True)
