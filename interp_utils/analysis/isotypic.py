"""Functions on a group by irrep: projectors, a basis, and shares of energy."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis.characters import TOLERANCE, Irreps
from interp_utils.group_tables import inverses
from interp_utils.precision import exactly


@exactly
def projectors(table: Int[Tensor, "g g"], irreps: Irreps) -> Float[Tensor, "irrep g g"]:
    """The projector on each block of the functions on the group: P_r f is the part of f that is
    made of matrix entries of irrep r.

    (P f)(g) = (d / |G|) sum over h of X(g h^-1) f(h). Projectors are symmetric and add to the
    identity.
    """
    quotient = table[:, inverses(table)]  # g h^-1 "g h"
    scale = irreps.dimensions.double() / len(table)
    return scale[:, None, None] * irreps.characters[:, quotient]


@exactly
def bases(
    table: Int[Tensor, "g g"], irreps: Irreps
) -> tuple[Float[Tensor, "g component"], Int[Tensor, "component"]]:
    """An orthonormal basis of the functions on the group, and the irrep of each of its columns."""
    columns = []
    each = zip(irreps.names, projectors(table, irreps), irreps.ranks.tolist(), strict=True)
    for name, projector, rank in each:
        values, vectors = torch.linalg.eigh(projector)
        if (values[-rank:] - 1).abs().max() > TOLERANCE:
            raise ArithmeticError(
                f"the projector on {name} must have {rank} eigenvalues of 1, got "
                f"{[round(value, 6) for value in values[-rank:].tolist()[:8]]}: check that `table` "
                "and `irreps` are of one group"
            )
        columns.append(vectors[:, -rank:])
    return torch.cat(columns, 1), torch.arange(len(irreps.names)).repeat_interleave(irreps.ranks)


@exactly
def share(
    functions: Float[Tensor, "g ..."], table: Int[Tensor, "g g"], irreps: Irreps
) -> Float[Tensor, "irrep ..."]:
    """Share of each irrep in |f|^2, for functions on the group (first axis); columns add to 1.

    Zero functions give NaN. For a whole weight use `weight_shares`.
    """
    energy = energies(functions, table, irreps)
    return energy / energy.sum(0)


@exactly
def weight_shares(
    weight: Float[Tensor, "g d"], table: Int[Tensor, "g g"], irreps: Irreps
) -> Float[Tensor, "irrep"]:
    """|P_r W|^2 / |W|^2 of a matrix with a row per element: W_E, or the transpose of W_out W_U.

    Raises ValueError for a matrix of zeros (Chughtai et al. 2023, section 5).
    """
    energy = energies(weight, table, irreps).sum(1)
    if energy.sum() == 0:
        raise ValueError("there is nothing to take a share of: all weights are zero")
    return energy / energy.sum()


@exactly
def energies(
    functions: Float[Tensor, "g ..."], table: Int[Tensor, "g g"], irreps: Irreps
) -> Float[Tensor, "irrep ..."]:
    """|P_r f|^2 of functions on the group (first axis). Raises ValueError for another size."""
    if len(functions) != len(table):
        raise ValueError(
            f"functions on a group of {len(table)} elements need as many rows, got {len(functions)}"
        )
    basis, irrep = bases(table, irreps)
    squares = torch.tensordot(basis.T, functions, 1).square()
    out = squares.new_zeros(len(irreps.names), *functions.shape[1:])
    return out.index_add_(0, irrep, squares)
