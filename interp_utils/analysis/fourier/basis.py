"""The Fourier basis of the integers mod p, and transforms along axes of p.

Rows of the basis are orthonormal: const, cos 1, sin 1, cos 2, sin 2, ...; frequencies are 1 .. p //
2, and for even p the last one is the single alternating row. w_k is 2 pi k / p. On a frequency
axis, index 0 is the constant and index k is frequency k.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.precision import at_least_float32


def fourier_basis(
    p: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Float[Tensor, "p p"]:
    """F[0] = 1/sqrt(p), F[2k-1] = sqrt(2/p) cos(w_k n), F[2k] = sqrt(2/p) sin(w_k n); even p:
    F[p-1] = (-1)^n/sqrt(p).

    F F^T = I. Raises ValueError for p < 1.
    """
    if p < 1:
        raise ValueError(f"a Fourier basis needs p of at least 1, got {p}")
    rows, n = torch.arange(p)[:, None], torch.arange(p)
    # k n is reduced mod p first: angles stay within one turn and keep their digits.
    angles = (component_frequencies(p)[:, None] * n % p).double() * (2 * math.pi / p)
    basis = math.sqrt(2 / p) * torch.where(rows % 2 == 1, angles.cos(), angles.sin())
    basis[0] = 1 / math.sqrt(p)
    if p % 2 == 0:
        basis[-1] = (1 - 2 * (n % 2)).double() / math.sqrt(p)
    return basis.to(dtype).to(device)


def component_frequencies(p: int) -> Int[Tensor, "p"]:
    """The frequency of every row of the basis: 0, 1, 1, 2, 2, ..."""
    return (torch.arange(p) + 1) // 2


def component_names(p: int) -> list[str]:
    """const, cos 1, sin 1, cos 2, sin 2, ..."""
    return ["const", *(f"{'cos' if row % 2 else 'sin'} {(row + 1) // 2}" for row in range(1, p))]


@at_least_float32
def transform(x: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Fourier components along one axis: F x. The axis keeps its place and its length.

    Raises TypeError for integers, which would round the basis to zeros.
    """
    return _along(fourier_basis(x.shape[dim], x.dtype, x.device), x, dim)


@at_least_float32
def inverse(components: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Undoes `transform`: F^T x."""
    return _along(
        fourier_basis(components.shape[dim], components.dtype, components.device).T, components, dim
    )


@at_least_float32
def transform_2d(grid: Float[Tensor, "a b ..."]) -> Float[Tensor, "a b ..."]:
    """Components along both operands: out[i, j] = sum over a, b of F_i(a) F_j(b) grid[a, b]."""
    return transform(transform(grid, 0), 1)


@at_least_float32
def inverse_2d(components: Float[Tensor, "a b ..."]) -> Float[Tensor, "a b ..."]:
    """Undoes `transform_2d`."""
    return inverse(inverse(components, 0), 1)


@at_least_float32
def power(x: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Squared norm of x at each frequency 0 .. p // 2 along one axis, which keeps its place. The
    powers sum to |x|^2 (Parseval).
    """
    return by_frequency(transform(x, dim).square(), dim)


@at_least_float32
def by_frequency(components: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Adds up the cosine and sine entries of each frequency 0 .. p // 2 along one axis."""
    p = components.shape[dim]
    shape = list(components.shape)
    shape[dim] = p // 2 + 1
    return components.new_zeros(shape).index_add_(
        dim, component_frequencies(p).to(components.device), components
    )


@at_least_float32
def frequency_shares(x: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "freq"]:
    """Share of the variance along one axis at each frequency, all other axes together; index 0,
    the constant, is 0.

    The shares of frequencies 1 .. p // 2 add up to 1; NaN where nothing varies along the axis.
    """
    by_k = power(x, dim).movedim(dim, 0).reshape(x.shape[dim] // 2 + 1, -1).sum(1)
    whole = by_k.sum()
    by_k[0] = 0
    nothing_varies = by_k.sum() <= 1e-9 * whole
    return torch.where(nothing_varies, torch.nan, by_k / by_k.sum())


@at_least_float32
def wave_order(p: int, k: int) -> Int[Tensor, "p"]:
    """The numbers 0 .. p - 1 in the order of k n mod p, in which cos w_k n is a single wave."""
    check_frequency(p, k)
    return (k * torch.arange(p) % p).argsort(stable=True)


@at_least_float32
def frequency_plane(x: Float[Tensor, "p d"], k: int) -> Float[Tensor, "p 2"]:
    """Coordinates of each row of x in the plane spanned by the cos k and sin k components of x, in
    which a circle shows.

    Raises ValueError for k = p / 2, which alternates and so spans only a line.
    """
    p = x.shape[0]
    check_frequency(p, k)
    if 2 * k == p:
        raise ValueError(f"frequency {k} mod {p} alternates between two values and spans no plane")
    axes = torch.linalg.qr(transform(x)[2 * k - 1 : 2 * k + 1].T).Q  # "d 2"
    return x @ axes


def check_frequency(p: int, k: int) -> None:
    if not 1 <= k <= p // 2:
        raise ValueError(f"frequencies mod {p} are 1 .. {p // 2}, got {k}")


def _along(matrix: Tensor, x: Tensor, dim: int) -> Tensor:
    if not x.is_floating_point():
        raise TypeError(
            f"a Fourier transform needs a floating-point tensor, got {x.dtype}; call .float() on it"
        )
    return torch.movedim(torch.tensordot(matrix, x, dims=([1], [dim])), 0, dim)
