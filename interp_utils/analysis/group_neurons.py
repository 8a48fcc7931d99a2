"""Hidden activations on the pairs of a group by irrep: as functions of x, of y, and of x o y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis.characters import Irreps
from interp_utils.analysis.group_progress import by_product
from interp_utils.analysis.isotypic import bases, energies
from interp_utils.precision import exactly


class NeuronShares(NamedTuple):
    """Share of a neuron's variance over pairs in each irrep, Float "irrep neuron": as a function of
    x (mean over y), of y, and of x o y. The trivial irrep has 0, dead neurons have NaN.
    """

    x: Tensor
    y: Tensor
    product: Tensor

    @exactly
    def explained(self, keys: Sequence[int], energy: Float[Tensor, "neuron"]) -> float:
        """Share of all neurons' variance in the key irreps, the three together ("MLP FVE")."""
        own = (self.x + self.y + self.product)[list(keys)].sum(0).nan_to_num(0)
        return ((own * energy).sum() / energy.sum()).item()


@exactly
def neuron_shares(
    hidden: Float[Tensor, "x y neuron"], table: Int[Tensor, "g g"], irreps: Irreps
) -> NeuronShares:
    """|G| |P_r a|^2 / |N|^2 with N the neuron less its mean, and a = mean over y, over x, and over
    x o y = g (Chughtai et al. 2023, section 5.3).
    """
    centred = hidden - hidden.mean((0, 1))
    total = centred.square().sum((0, 1)) / len(table)
    parts = (centred.mean(1), centred.mean(0), by_product(centred, table))
    return NeuronShares(*(energies(part, table, irreps) / total for part in parts))


@exactly
def two_sided_shares(
    hidden: Float[Tensor, "x y neuron"], table: Int[Tensor, "g g"], irreps: Irreps
) -> Float[Tensor, "irrep irrep neuron"]:
    """|(P_r (x) P_s) N|^2 / |N|^2 of every neuron, N less its mean: irrep r along x, s along y."""
    basis, irrep = bases(table, irreps)
    centred = hidden - hidden.mean((0, 1))
    along_y = torch.einsum("xyn,yj->xjn", centred, basis)
    squares = torch.einsum("xi,xjn->ijn", basis, along_y).square()
    k, neurons = len(irreps.names), hidden.shape[2]
    rows = squares.new_zeros(k, len(basis), neurons).index_add_(0, irrep, squares)
    blocks = squares.new_zeros(k, k, neurons).index_add_(1, irrep, rows)
    return blocks / blocks.sum((0, 1))
