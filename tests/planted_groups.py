"""Networks on groups planted by hand, whose readings are known exactly. float64."""

from typing import NamedTuple

import torch
from torch import Tensor

from interp_utils.analysis.group_structure import Group
from interp_utils.group_tables import inverses


class Network(NamedTuple):
    """logits = ReLU(x side + y side) W_L + bias."""

    x: Tensor
    y: Tensor
    W_L: Tensor
    bias: Tensor

    @property
    def pre(self) -> Tensor:
        return self.x[:, None] + self.y

    @property
    def logits(self) -> Tensor:
        return self.pre.relu() @ self.W_L + self.bias


def rho_set_network(group: Group, irrep: str, orbit_size: int, seed: int = 0) -> Network:
    """Wu et al.'s circuit on the orbit of a special line of which this many vectors are reached."""
    row = group.irreps.index(irrep)
    rho, lines = group.rho[row], group.lines[row]
    orbits = (distinct(rho @ vector) for vector in lines.vectors)
    B = next(orbit for orbit in orbits if len(orbit) == orbit_size)
    a = torch.randn(B.shape[1], generator=torch.Generator().manual_seed(seed), dtype=B.dtype)
    k = len(B)
    on_b = torch.einsum("bi,gij,j->gb", B, rho, a)
    on_c = torch.einsum("i,gij,cj->gc", a, rho, B)
    read_out = -torch.einsum("bi,gij,cj->bcg", B, rho, B).flatten(0, 1)
    return Network(
        on_b.repeat_interleave(k, 1), -on_c.repeat(1, k), read_out, torch.zeros(len(rho))
    )


def distinct(vectors: Tensor) -> Tensor:
    """Each vector once, in their order."""
    apart = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    first = (apart < 1e-8).int().argmax(1)
    return vectors[first == torch.arange(len(vectors))]


def with_sign(network: Network, sign: Tensor, size: float = 1.0) -> Network:
    """Two more neurons and a bias, which add size * s(z) s(x) s(y)."""
    return Network(
        torch.cat([network.x, torch.stack([sign, -sign], 1)], 1),
        torch.cat([network.y, torch.stack([-sign, sign], 1)], 1),
        torch.cat([network.W_L, -size * sign.expand(2, -1)]),
        network.bias + size * sign,
    )


def quotients(table: Tensor) -> Tensor:
    """x y z^-1, "x y z"."""
    return table[table][..., inverses(table)]


def inner_quotients(table: Tensor) -> Tensor:
    """x^-1 z y^-1, "x y z"."""
    inverse = inverses(table)
    z = torch.arange(len(table))
    left = table[inverse][:, z]  # x^-1 z "x z"
    return table[left[:, None, :], inverse[None, :, None]]
