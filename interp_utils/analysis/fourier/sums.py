"""Functions of a + b, and of a + b - c, on the grid of pairs: directions, and projections on all
directions at once.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis.fourier.basis import (
    check_frequency,
    component_frequencies,
    fourier_basis,
    transform,
)
from interp_utils.precision import at_least_float32


def sum_of_pair(p: int, device: torch.device | str = "cpu") -> Int[Tensor, "p p"]:
    """(a + b) mod p on the grid."""
    n = torch.arange(p, device=device)
    return (n[:, None] + n) % p


def sum_directions(
    p: int, k: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "direction p p"]:
    """cos w_k(a + b) and sin w_k(a + b) on the grid, each of norm 1; for k = p / 2 the cosine
    alone, since the sine is zero.
    """
    return _directions(p, k, +1, dtype)


def difference_directions(
    p: int, k: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "direction p p"]:
    """cos w_k(a - b) and sin w_k(a - b) on the grid, each of norm 1; for k = p / 2 the cosine
    alone, since the sine is zero.
    """
    return _directions(p, k, -1, dtype)


def _directions(p: int, k: int, sign: int, dtype: torch.dtype) -> Tensor:
    check_frequency(p, k)
    n = torch.arange(p)
    rows = fourier_basis(p, dtype)[component_frequencies(p) == k]
    return rows[:, (n[:, None] + sign * n) % p] / math.sqrt(p)


@at_least_float32
def diagonal_sums(grid: Float[Tensor, "p p ..."], sign: int = 1) -> Float[Tensor, "p ..."]:
    """out[s] = sum of grid[a, b] over a + sign * b = s (mod p).

    The inner product of a grid with F_i(a + b) / sqrt(p) equals that of out with F_i / sqrt(p).
    So projections on all sum directions cost one pass over the grid and a p x p product.
    """
    p = check_grid(grid)
    n = torch.arange(p, device=grid.device)
    index = (n[:, None] + sign * n).flatten() % p
    return grid.new_zeros(grid.shape[1:]).index_add_(0, index, grid.flatten(0, 1))


@at_least_float32
def sum_components(grid: Float[Tensor, "p p ..."], sign: int = 1) -> Float[Tensor, "p ..."]:
    """Inner products of a grid with the unit directions F_i(a + sign * b) / sqrt(p), i = 0 .. p -
    1.
    """
    return transform(diagonal_sums(grid, sign)) / math.sqrt(grid.shape[0])


@at_least_float32
def answer_components(logits: Float[Tensor, "p p p"]) -> Float[Tensor, "p"]:
    """Inner products of logits with the unit vectors F_i(a + b - c) / p, i = 0 .. p - 1."""
    p = check_grid(logits)
    if logits.shape[2:] != (p,):
        raise ValueError(
            "expected logits of shape (p, p, p), as many classes as tokens, got "
            f"{tuple(logits.shape)}"
        )
    return transform(diagonal_sums(diagonal_sums(logits), sign=-1)) / p


def require_sums(logits: Float[Tensor, "p p c"]) -> None:
    """Raises ValueError where differences have over four times the power of sums, which is more
    than chance gives to either in a model that has learned nothing. The mean over classes, which
    does not change the softmax, is left out.
    """
    logits = logits - logits.mean(-1, keepdim=True)
    on_sums, on_differences = (
        sum_components(logits, sign)[1:].square().sum().item() for sign in (1, -1)
    )
    if on_differences > 4 * on_sums and on_differences > 1e-6 * logits.square().sum().item():
        raise ValueError(
            "these logits vary with a - b and not with a + b: pass them in the coordinates whose "
            "sum is the label, CachedModel(model, task).as_sums().logits"
        )


def check_grid(grid: Tensor) -> int:
    """p of a tensor on the (a, b) grid. Raises TypeError unless grid is a tensor, ValueError unless
    its first two axes have the same size.
    """
    if not isinstance(grid, Tensor):
        raise TypeError(
            f"expected a tensor on the (a, b) grid, got {type(grid).__name__}: pass model.logits "
            "or model.activation(...) from model = CachedModel(model, task)"
        )
    if grid.ndim < 2 or grid.shape[0] != grid.shape[1]:
        raise ValueError(
            f"expected a tensor on the (a, b) grid, shape (p, p, ...), got {tuple(grid.shape)}"
        )
    return grid.shape[0]
