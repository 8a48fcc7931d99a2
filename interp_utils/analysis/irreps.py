"""Matrices of a group's real irreps, from its table, and functions on the group as their entries.

A function of one irrep is u(g) = tr(A^T rho(g)). Where A = b a^T it is b^T rho(g) a, of rank one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis.characters import Irreps
from interp_utils.analysis.isotypic import projectors
from interp_utils.analysis.subgroups import sign_characters
from interp_utils.group_tables import inverses
from interp_utils.precision import exactly

TOLERANCE = 1e-8
MULTIPLICITY = {1: 1, 0: 2, -1: 4}  # how often A's singular values repeat: real, complex, ...


@exactly
def matrices(
    table: Int[Tensor, "g g"], irreps: Irreps, irrep: int | str, seed: int = 0
) -> Float[Tensor, "g d d"]:
    """Orthogonal matrices rho(g) of one real irrep, in a basis that the seed draws.

    Their size is d where the indicator is 1, else 2 d. L_g f(h) = f(g^-1 h) acts on the range of
    the irrep's projector. A random symmetric combination of R_g f(h) = f(h g) commutes with L_g, so
    its first eigenspace is irreducible: rho(g) = B^T L_g B for an orthonormal basis B of it.
    """
    row = irreps.index(irrep) if isinstance(irrep, str) else irrep
    inverse = inverses(table)
    size = irreps.dimensions[row].item() * (1 if irreps.indicators[row] == 1 else 2)
    c = torch.randn(len(table), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    commuting = (c + c[inverse])[table[inverse]]  # "h k": c of h^-1 k
    projector = projectors(table, irreps)[row]
    rank = irreps.ranks[row].item()
    whole = torch.linalg.eigh(projector).eigenvectors[:, -rank:]
    vectors = torch.linalg.eigh(whole.T @ commuting @ whole).eigenvectors
    basis = whole @ vectors[:, :size]
    rho = torch.einsum("hi,ghj->gij", basis, basis[table[inverse]])  # rows of B at g^-1 h
    _check(rho, table, irreps.characters[row] * (2 if irreps.indicators[row] == -1 else 1))
    return rho


def _check(rho: Tensor, table: Tensor, character: Tensor) -> None:
    products = torch.einsum("gij,hjk->ghik", rho, rho)
    errors = {
        "rho(g) rho(h) = rho(gh)": (products - rho[table]).abs().max(),
        "rho(g) is orthogonal": (rho @ rho.mT - torch.eye(rho.shape[1])).abs().max(),
        "the trace is the character": (rho.diagonal(0, 1, 2).sum(1) - character).abs().max(),
    }
    for theorem, error in errors.items():
        if not error < TOLERANCE:
            raise ArithmeticError(
                f"for the matrices of an irrep, {theorem}; for these that is off by {error:.1e}: "
                "check that `table` and `irreps` are of one group"
            )


@exactly
def coefficients(
    u: Float[Tensor, "g neuron"], rho: Float[Tensor, "g d d"], indicator: int = 1
) -> Float[Tensor, "neuron d d"]:
    """A of each function: its part in the irrep is tr(A^T rho(g)).

    A = (d / |G|) sum over g of u(g) rho(g), with d the dimension of the complex irrep; half of that
    sum for indicator -1.
    """
    d = rho.shape[1] / {1: 1, 0: 2, -1: 4}[indicator]
    return d / len(rho) * torch.einsum("gn,gij->nij", u, rho)


@exactly
def rank_one_share(A: Float[Tensor, "neuron d d"], indicator: int = 1) -> Float[Tensor, "neuron"]:
    """s_1^2 / sum of s^2 of each neuron's A: 1 for b a^T. NaN for zeros.

    Where the indicator is 0 or -1, singular values come in equal pairs or fours, and the first pair
    or four counts as one.
    """
    s = torch.linalg.svdvals(A).square()
    return s[:, : MULTIPLICITY[indicator]].sum(1) / s.sum(1)


class Vectors(NamedTuple):
    """Largest singular vectors and value of A = s left right^T, of every neuron."""

    left: Float[Tensor, "neuron d"]
    right: Float[Tensor, "neuron d"]
    size: Float[Tensor, "neuron"]


@exactly
def leading_vectors(A: Float[Tensor, "neuron d d"]) -> Vectors:
    """b and a from the x side's A = b a^T, or a and c from the y side's A = a c^T."""
    U, s, V = torch.linalg.svd(A)
    return Vectors(U[:, :, 0], V[:, 0], s[:, 0])


@exactly
def rank_one(A: Float[Tensor, "neuron d d"]) -> Float[Tensor, "neuron d d"]:
    """The best approximation of each A by s b a^T."""
    b, a, s = leading_vectors(A)
    return s[:, None, None] * b[:, :, None] * a[:, None]


@exactly
def evaluate(A: Float[Tensor, "neuron d d"], rho: Float[Tensor, "g d d"]) -> Tensor:
    """tr(A^T rho(g)) of every neuron; Float "g neuron"."""
    return torch.einsum("nij,gij->gn", A, rho)


class Lines(NamedTuple):
    """The special lines of an irrep: those {b : rho(h) b = l(h) b for all h in H} that are lines.

    H is a subgroup and l a homomorphism of the whole group to {1, -1}, as in `cosets.families`.

    vectors:   Float "line d", a unit vector on each.
    subgroups: Bool "line g", the largest H of each.
    orbits:    Int "line": lines that rho moves to each other have the same number.
    """

    vectors: Tensor
    subgroups: Tensor
    orbits: Tensor


@exactly
def special_lines(rho: Float[Tensor, "g d d"], found: Bool[Tensor, "subgroup g"]) -> Lines:
    """Every special line of an irrep once, those of the largest subgroups first.

    found: all subgroups. For D_n's irreps of dimension 2 the lines are the mirror axes. These are
    so dense that being near one says nothing (`null_share_on_lines`).
    """
    projectors, owners = [], []
    twists = sign_characters(torch.ones(len(rho), dtype=torch.bool), found)
    for row in range(len(found) - 1, -1, -1):
        averages = torch.einsum("lg,gij->lij", twists * found[row], rho) / found[row].sum()
        one = averages.diagonal(0, 1, 2).sum(1).round() == 1
        projectors.append(averages[one])
        owners += [row] * int(one.sum())
    lines, rows = [], []
    candidates = torch.linalg.eigh(torch.cat(projectors)).eigenvectors[:, :, -1]
    for vector, row in zip(candidates, owners, strict=True):
        if not lines or (torch.stack(lines) @ vector).square().max() < 1 - 1e-8:
            lines.append(vector)
            rows.append(row)
    vectors = torch.stack(lines) if lines else rho.new_zeros(0, rho.shape[1])
    return Lines(vectors, found[rows], _orbits(vectors, rho))


def _orbits(vectors: Tensor, rho: Tensor) -> Tensor:
    orbits = torch.full((len(vectors),), -1)
    for line, vector in enumerate(vectors):
        if orbits[line] < 0:
            images = rho @ vector
            reached = ((vectors @ images.T).square() > 1 - 1e-8).any(1)
            orbits[reached] = orbits.max() + 1
    return orbits


class Nearest(NamedTuple):
    """The special line nearest to each vector, and the squared cosine of the angle to it."""

    line: Int[Tensor, "n"]
    beta: Float[Tensor, "n"]


@exactly
def nearest_line(vectors: Float[Tensor, "n d"], lines: Lines) -> Nearest:
    """beta = max over lines of cos^2. Raises ValueError for an irrep without special lines."""
    if len(lines.vectors) == 0:
        raise ValueError(
            f"expected an irrep with special lines, got one of {lines.vectors.shape[1]} dimensions "
            "that has none: choose one whose `lines.vectors` are not empty"
        )
    units = vectors / vectors.norm(dim=1, keepdim=True)
    beta, line = (units @ lines.vectors.T).square().max(1)
    return Nearest(line, beta)


@exactly
def null_share_on_lines(
    lines: Lines, *, threshold: float = 0.99, draws: int = 20_000, seed: int = 0
) -> float:
    """The fraction of random directions whose beta is above the threshold."""
    random = torch.Generator().manual_seed(seed)
    size = (draws, lines.vectors.shape[1])
    directions = torch.randn(size, generator=random, dtype=torch.float64)
    return (nearest_line(directions, lines).beta > threshold).double().mean().item()
