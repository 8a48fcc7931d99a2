"""The Fourier basis of the integers mod p, and which frequencies a model uses.

Rows of the basis are orthonormal: const, cos 1, sin 1, cos 2, sin 2, ...; frequencies are 1 .. p //
2, and for even p the last one is the single alternating row. With w_k = 2 pi k / p. A frequency
axis has index 0 for the constant, so that index k is frequency k.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["logits", "logit_similarity", "W_L", "W_E", "neurons"]
THRESHOLD: dict[str, float] = {
    "logits": 0.1,
    "logit_similarity": 0.1,
    "W_L": 0.25,
    "W_E": 0.25,
    "neurons": 0.0,
}


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
    # k n is reduced mod p first, so that angles stay in one turn and keep their digits.
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


def transform(x: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Fourier components along one axis: F x. The axis keeps its place and its length.

    Raises TypeError for integers, which would round the basis to zeros.
    """
    return _along(fourier_basis(x.shape[dim], x.dtype, x.device), x, dim)


def inverse(components: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Undoes `transform`: F^T x."""
    return _along(
        fourier_basis(components.shape[dim], components.dtype, components.device).T, components, dim
    )


def transform_2d(grid: Float[Tensor, "a b ..."]) -> Float[Tensor, "a b ..."]:
    """Components along both operands: out[i, j] = sum over a, b of F_i(a) F_j(b) grid[a, b]."""
    return transform(transform(grid, 0), 1)


def inverse_2d(components: Float[Tensor, "a b ..."]) -> Float[Tensor, "a b ..."]:
    """Undoes `transform_2d`."""
    return inverse(inverse(components, 0), 1)


def power(x: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Squared norm of x at each frequency 0 .. p // 2 along one axis, in that axis's place
    (Parseval: sums to |x|^2).
    """
    return by_frequency(transform(x, dim).square(), dim)


def by_frequency(components: Float[Tensor, "..."], dim: int = 0) -> Float[Tensor, "..."]:
    """Adds up the cosine and sine entries of each frequency 0 .. p // 2 along one axis."""
    p = components.shape[dim]
    shape = list(components.shape)
    shape[dim] = p // 2 + 1
    return components.new_zeros(shape).index_add_(
        dim, component_frequencies(p).to(components.device), components
    )


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


def sum_directions(
    p: int, k: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "direction p p"]:
    """cos w_k(a + b) and sin w_k(a + b) on the grid, each of norm 1; for k = p / 2 the one that is
    not zero.
    """
    return _directions(p, k, +1, dtype)


def difference_directions(
    p: int, k: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "direction p p"]:
    """cos w_k(a - b) and sin w_k(a - b) on the grid, each of norm 1; for k = p / 2 the one that is
    not zero.
    """
    return _directions(p, k, -1, dtype)


def _directions(p: int, k: int, sign: int, dtype: torch.dtype) -> Tensor:
    _check_frequency(p, k)
    n = torch.arange(p)
    rows = fourier_basis(p, dtype)[component_frequencies(p) == k]
    return rows[:, (n[:, None] + sign * n) % p] / math.sqrt(p)


def diagonal_sums(grid: Float[Tensor, "p p ..."], sign: int = 1) -> Float[Tensor, "p ..."]:
    """out[s] = sum of grid[a, b] over a + sign * b = s (mod p).

    The inner product of a grid with F_i(a + b) / sqrt(p) is that of out with F_i / sqrt(p):
    projections on all sum directions at once cost one pass over the grid and a p x p product.
    """
    p = check_grid(grid)
    n = torch.arange(p, device=grid.device)
    index = (n[:, None] + sign * n).flatten() % p
    return grid.new_zeros(grid.shape[1:]).index_add_(0, index, grid.flatten(0, 1))


def sum_components(grid: Float[Tensor, "p p ..."], sign: int = 1) -> Float[Tensor, "p ..."]:
    """Inner products of a grid with the unit directions F_i(a + sign * b) / sqrt(p), i = 0 .. p -
    1.
    """
    return transform(diagonal_sums(grid, sign)) / math.sqrt(grid.shape[0])


def answer_components(logits: Float[Tensor, "p p p"]) -> Float[Tensor, "p"]:
    """Inner products of logits with the unit vectors F_i(a + b - c) / p, i = 0 .. p - 1."""
    p = check_grid(logits)
    if logits.shape[2:] != (p,):
        raise ValueError(
            "expected logits of shape (p, p, p), as many classes as tokens, got "
            f"{tuple(logits.shape)}"
        )
    return transform(diagonal_sums(diagonal_sums(logits), sign=-1)) / p


def frequency_plane(x: Float[Tensor, "p d"], k: int) -> Float[Tensor, "p 2"]:
    """Coordinates of each row of x in the plane spanned by its cos k and sin k components: a
    circle, where x has one.

    Raises ValueError for k = p / 2, which alternates and so spans a line.
    """
    p = x.shape[0]
    _check_frequency(p, k)
    if 2 * k == p:
        raise ValueError(f"frequency {k} mod {p} alternates between two values and spans no plane")
    axes = torch.linalg.qr(transform(x)[2 * k - 1 : 2 * k + 1].T).Q  # "d 2"
    return x @ axes


def neuron_variance_by_frequency(
    activations: Float[Tensor, "p p neuron"],
) -> Float[Tensor, "freq neuron"]:
    """Share of each neuron's variance over the grid in the eight terms of one frequency; row 0 is
    zero, dead neurons NaN.

    FVE_k = sum of A^2 over components (i, j) in {const, cos k, sin k}^2 but (const, const), over
    all but (const, const) (Nanda et al. 2023, section 4.2). A constant neuron has no variance to
    explain.
    """
    check_grid(activations)
    squares = transform_2d(activations).square()
    energy = by_frequency(by_frequency(squares, 0), 1)  # "freq freq neuron"
    total_with_mean = energy.sum((0, 1))
    energy[0, 0] = 0
    total = energy.sum((0, 1))
    own = energy[0] + energy[:, 0] + energy.diagonal().T
    dead = total <= 1e-9 * total_with_mean
    return torch.where(dead, torch.nan, own / total)


def frequency_scores(x: Float[Tensor, "..."], rule: Rule = "logits") -> Float[Tensor, "freq"]:
    """How much of each frequency 0 .. p // 2 there is in x / |x|, as the rule measures it; index 0,
    the constant, is 0.

    "logits" (logits, "p p c"): norm on cos w_k(a + b), sin w_k(a + b), over all classes.
    "logit_similarity" (logits, "p p p"): |cosine similarity| with cos w_k(a + b - c) (Chughtai et
    al. 2023). "W_L" (W_out W_U, "neuron p"): norm at frequency k along the classes (Nanda et al.
    2023, appendix C.2). "W_E" (token embeddings, "p d_model"): norm of its larger row, cos k or sin
    k (TransformerLens Grokking_Demo). "neurons" (activations, "p p neuron"): number of neurons with
    k as best frequency (Nanda et al. 2023, released code).
    Raises ValueError for another rule or shape, values that are not finite, or no variation to
    measure.
    """
    axes = {"logits": 3, "logit_similarity": 3, "neurons": 3, "W_L": 2, "W_E": 2}
    if rule not in axes:
        raise ValueError(f"rule must be one of {get_args(Rule)}, got {rule!r}")
    if x.ndim != axes[rule]:
        raise ValueError(
            f'rule "{rule}" reads a tensor of {axes[rule]} axes (see frequency_scores), got '
            f"shape {tuple(x.shape)}"
        )
    if axes[rule] == 3:
        check_grid(x)
    if not x.isfinite().all():
        raise ValueError(f'rule "{rule}" reads finite values, got NaN or infinity')
    norm = x.norm()
    scores = _SCORES[rule](x / norm) if norm > 0 else x.new_zeros(1)
    scores[0] = 0
    if scores.max() < 1e-6:  # of |x|: what rounding leaves of a frequency that is not there
        raise ValueError(
            f'rule "{rule}" finds no frequency: the values do not vary with the tokens'
        )
    return scores


def key_frequencies(
    x: Float[Tensor, "..."], rule: Rule = "logits", threshold: float | None = None
) -> list[int]:
    """The frequencies whose score is above `threshold` times the largest, ascending.

    threshold None is the rule's own: 1/4 for "W_L" and "W_E" (Grokking_Demo), 0 for "neurons" (any
    that a neuron prefers), and 1/10 on the logits, whose size is a product of the two that the
    other rules see, and so falls off twice as steeply.

    Takes what `frequency_scores` takes for the rule. The published rules disagree on real models
    (`key_frequency_table`). Choose once, on the final model, and pass the result to every measure.
    """
    scores = frequency_scores(x, rule)
    least = (THRESHOLD[rule] if threshold is None else threshold) * scores.max()
    return (scores > least).nonzero().flatten().tolist()


def key_frequency_table(**tensors: Float[Tensor, "..."]) -> pd.DataFrame:
    """Where the rules disagree: one row per frequency that any rule chooses, columns (rule, "score"
    and "key").

    tensors: rule=tensor for any of the rules of `frequency_scores`. Scores are relative to the
    rule's largest.
    """
    import pandas as pd

    scores = {rule: frequency_scores(x, rule) for rule, x in tensors.items()}
    columns = {}
    for rule, score in scores.items():
        columns[rule, "score"] = (score / score.max()).tolist()
        columns[rule, "key"] = (score > THRESHOLD[rule] * score.max()).tolist()
    table = pd.DataFrame(columns).rename_axis("frequency")
    return table[table.xs("key", axis=1, level=1).any(axis=1)]


def check_grid(grid: Tensor) -> int:
    """p of a tensor on the (a, b) grid. Raises ValueError unless its first two axes are equal."""
    if grid.ndim < 2 or grid.shape[0] != grid.shape[1]:
        raise ValueError(
            f"expected a tensor on the (a, b) grid, shape (p, p, ...), got {tuple(grid.shape)}"
        )
    return grid.shape[0]


def _check_frequency(p: int, k: int) -> None:
    if not 1 <= k <= p // 2:
        raise ValueError(f"frequencies mod {p} are 1 .. {p // 2}, got {k}")


def _along(matrix: Tensor, x: Tensor, dim: int) -> Tensor:
    if not x.is_floating_point():
        raise TypeError(
            f"a Fourier transform needs a floating-point tensor, got {x.dtype}; call .float() on it"
        )
    return torch.movedim(torch.tensordot(matrix, x, dims=([1], [dim])), 0, dim)


def _logits(logits: Tensor) -> Tensor:
    return by_frequency(sum_components(logits).square()).sum(-1).sqrt()


def _logit_similarity(logits: Tensor) -> Tensor:
    return (
        answer_components(logits)[[0, *range(1, len(logits), 2)]].abs() / logits.norm()
    )  # the constant and the cosines


def _neurons(activations: Tensor) -> Tensor:
    share = neuron_variance_by_frequency(activations)
    alive = share[:, ~share[0].isnan()]
    return torch.bincount(alive.argmax(0), minlength=len(share)).to(activations.dtype)


def _larger_row(components: Tensor) -> Tensor:
    norms = components.norm(dim=-1)
    index = component_frequencies(len(norms)).to(norms.device)
    return norms.new_zeros(len(norms) // 2 + 1).scatter_reduce_(0, index, norms, "amax")


_SCORES = {
    "logits": _logits,
    "logit_similarity": _logit_similarity,
    "W_L": lambda W_L: power(W_L, -1).sum(0).sqrt(),
    "W_E": lambda W_E: _larger_row(transform(W_E)),
    "neurons": _neurons,
}
