"""Circuits made of one orbit B of vectors of an irrep (Wu et al. 2025, equations 3 and 4).

f(z | x, y) = - sum over b, b' in B of (b^T rho(z) b') ReLU(b^T rho(x) a - a^T rho(y) b'), with one
vector a, is a function of x^-1 z y^-1 alone, largest at z = x o y.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis.irreps import Lines, leading_vectors, nearest_line
from interp_utils.precision import exactly

SAME = 0.98  # the least cos^2 of the angle between two vectors a that count as one


class Circuit(NamedTuple):
    """One irrep's neurons as b^T rho(x) a + a^T rho(y) c, read out by b^T rho(z) c.

    a, b, c: Float "neuron d", unit vectors; a is the mean of the two sides' a, up to sign.
    energy:  Float "neuron", |A|^2 + |B|^2.
    agree:   Float "neuron", cos^2 between the x side's a and the y side's.
    read_out: Float "neuron", |cos(C, A B)|: 1 where the read-out is b c^T.
    """

    a: Tensor
    b: Tensor
    c: Tensor
    energy: Tensor
    agree: Tensor
    read_out: Tensor


@exactly
def circuit(
    A: Float[Tensor, "neuron d d"], B: Float[Tensor, "neuron d d"], C: Float[Tensor, "neuron d d"]
) -> Circuit:
    """Reads the vectors off the coefficients of x side, y side and read-out (`coefficients`)."""
    x, y = leading_vectors(A), leading_vectors(B)
    cosine = (x.right * y.left).sum(1)
    a = x.right * x.size[:, None] + cosine.sign()[:, None] * y.left * y.size[:, None]
    a = torch.nn.functional.normalize(a, dim=1)
    product = A @ B
    norms = C.flatten(1).norm(dim=1) * product.flatten(1).norm(dim=1)
    read_out = (C * product).sum((1, 2)).abs() / norms
    energy = A.square().sum((1, 2)) + B.square().sum((1, 2))
    return Circuit(a, x.left, y.right, energy, cosine.square(), read_out)


@exactly
def concentration(
    vectors: Float[Tensor, "neuron d"], energy: Float[Tensor, "neuron"]
) -> Float[Tensor, "d"]:
    """Eigenvalues, from large to small, of the energy-weighted mean of a a^T: (1, 0, ..) if all
    neurons share one a, 1 / d each for random vectors.
    """
    weights = energy / energy.sum()
    mean = torch.einsum("n,ni,nj->ij", weights, vectors, vectors)
    return torch.linalg.eigvalsh(mean).flip(0)


@exactly
def clusters(
    vectors: Float[Tensor, "neuron d"], energy: Float[Tensor, "neuron"], same: float = SAME
) -> Int[Tensor, "neuron"]:
    """The cluster of each vector. Again and again, the most energetic vector without a cluster and
    all others within cos^2 > same of it form the next one: 0, 1, ...
    """
    out = torch.full((len(vectors),), -1)
    for neuron in energy.argsort(descending=True).tolist():
        if out[neuron] < 0:
            near = (vectors @ vectors[neuron]).square() > same
            near[neuron] = True
            out[near & (out < 0)] = out.max() + 1
    return out


@exactly
def null_largest(
    vectors: Float[Tensor, "neuron d"],
    energy: Float[Tensor, "neuron"],
    draws: int = 100,
    seed: int = 0,
) -> Float[Tensor, "draw"]:
    """The largest cluster's share of energy for random directions in place of the vectors, with the
    same energies and mean of a a^T. (Random vectors in a plane fall into clusters, too.)
    """
    random = torch.Generator().manual_seed(seed)
    weights = (energy / energy.sum()).sqrt()
    _, s, V = torch.linalg.svd(weights[:, None] * vectors, full_matrices=False)
    largest = []
    for _ in range(draws):
        normal = torch.randn(len(vectors), len(s), generator=random, dtype=vectors.dtype)
        directions = torch.nn.functional.normalize(normal * s @ V, dim=1)
        largest.append(cluster_energies(clusters(directions, energy), energy).max())
    return torch.stack(largest)


@exactly
def cluster_energies(
    cluster: Int[Tensor, "neuron"], energy: Float[Tensor, "neuron"]
) -> Float[Tensor, "cluster"]:
    """Share of the energy in each cluster."""
    sums = energy.new_zeros(int(cluster.max()) + 1).index_add_(0, cluster, energy)
    return sums / energy.sum()


@exactly
def occupancy(
    b: Float[Tensor, "neuron d"],
    c: Float[Tensor, "neuron d"],
    energy: Float[Tensor, "neuron"],
    lines: Lines,
    orbit: int,
    *,
    threshold: float = 0.99,
) -> Float[Tensor, "line line"]:
    """Energy of the neurons with b on line i and c on line j of one orbit, as a share of all
    energy given.

    A complete circuit occupies every pair; with pairs missing, Wu et al. call it "rho-bad".
    """
    places = (lines.orbits == orbit).nonzero().flatten()
    if len(places) == 0:
        raise ValueError(f"orbits of special lines are 0 .. {int(lines.orbits.max())}, got {orbit}")
    of_orbit = Lines(lines.vectors[places], lines.subgroups[places], lines.orbits[places])
    x, y = nearest_line(b, of_orbit), nearest_line(c, of_orbit)
    on = (x.beta > threshold) & (y.beta > threshold)
    out = energy.new_zeros(len(places), len(places))
    out.index_put_((x.line[on], y.line[on]), energy[on], accumulate=True)
    return out / energy.sum()
