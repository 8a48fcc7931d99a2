"""Spectra after renaming: input x is renamed to u[x], x^a mod p, say. Several x may share a name,
and some names may be missing.

The Fourier basis of all p names is orthogonal. On the names that occur it need not be, so shares
are those of least-squares fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


@at_least_float32
def class_means(
    values: Float[Tensor, "p *rest"], u: Int[Tensor, "p"]
) -> Float[Tensor, "name *rest"]:
    """The mean over the inputs of each name that occurs, in the order of the names, u.unique()."""
    names, which = u.to(values.device).unique(return_inverse=True)
    sums = values.new_zeros(len(names), *values.shape[1:]).index_add_(0, which, values)
    return sums / which.bincount().to(values.dtype).view(-1, *[1] * (values.ndim - 1))


def pair_names(u: Int[Tensor, "p"], v: Int[Tensor, "p"]) -> Int[Tensor, "n"]:
    """A name for each pair (x, y), a-major. Pairs with the same u[x] and v[y] have the same name;
    names are in the order of (u, v).
    """
    return (u[:, None] * (int(v.max()) + 1) + v).flatten()


def unseen_share(names: Int[Tensor, "n"], train_mask: Bool[Tensor, "n"]) -> float:
    """Share of the test inputs whose name no training input has. Raises ValueError where no input
    is for testing.
    """
    if train_mask.all():
        raise ValueError("all inputs are for training: there is no test input")
    seen = torch.isin(names[~train_mask], names[train_mask])
    return 1 - devices.double(seen).mean().item()


@at_least_float32
def grid_class_means(
    grid: Float[Tensor, "p p *rest"], u: Int[Tensor, "p"], v: Int[Tensor, "p"]
) -> Float[Tensor, "name_u name_v *rest"]:
    """`class_means` on pairs; where u and v are bijections, the grid in the order of new names."""
    return class_means(class_means(grid, u).transpose(0, 1), v).transpose(0, 1)


@at_least_float32
def within_share(values: Float[Tensor, "n m"], names: Int[Tensor, "n"]) -> float:
    """Share of the variance over inputs that lies within inputs of the same name: 0 if only the
    name matters.

    For values on pairs, flattened, the names are `pair_names`.
    """
    which = names.to(values.device).unique(return_inverse=True)[1]
    return (
        (values - class_means(values, names)[which]).square().sum()
        / (values - values.mean(0)).square().sum()
    ).item()


@at_least_float32
def frequency_shares(
    values: Float[Tensor, "name m"], names: Int[Tensor, "name"], p: int
) -> Float[Tensor, "freq"]:
    """Share of the variance over names that {cos, sin} 2 pi k name / p alone explains, for each
    frequency k = 0 .. p // 2; the constant, k = 0, explains none.
    """
    waves = _waves(names, p, values)
    centred = values - values.mean(0)
    return (waves.mT @ centred).square().sum((1, 2)) / centred.square().sum()


@at_least_float32
def without_frequency(
    values: Float[Tensor, "name m"], names: Int[Tensor, "name"], p: int, k: int
) -> Float[Tensor, "name m"]:
    """Values less the part that {cos, sin} 2 pi k name / p explain; the mean stays. Raises
    ValueError for a frequency k outside 1 .. p // 2.
    """
    if not 1 <= k <= p // 2:
        raise ValueError(f"frequencies mod {p} are 1 .. {p // 2}, got {k}")
    waves = _waves(names, p, values)[k]
    return values - waves @ (waves.mT @ values)


@at_least_float32
def share_on(
    values: Float[Tensor, "name m"], names: Int[Tensor, "name"], p: int, keys: Sequence[int]
) -> float:
    """Share of the variance over names that the waves of all these frequencies explain together, by
    least squares.

    Noise has 2 len(keys) / (number of names - 1), at most 1, on average: on few names a share near
    1 says little.
    """
    waves = _waves(names, p, values)[list(keys)].transpose(0, 1).flatten(1)
    left, singular, _ = torch.linalg.svd(waves, full_matrices=False)
    centred = values - values.mean(0)
    explained = (left[:, singular > 1e-6].mT @ centred).square().sum()
    return (explained / centred.square().sum()).item()


@at_least_float32
def grid_frequency_shares(
    values: Float[Tensor, "name_u name_v neuron"],
    names_u: Int[Tensor, "name_u"],
    names_v: Int[Tensor, "name_v"],
    p: int,
) -> Float[Tensor, "freq neuron"]:
    """`frequency_shares` on pairs: the share of each neuron's variance in products of {1, cos, sin}
    of k u and k v (all but the constant); row 0 is zero.

    If every name occurs, this is `fourier.neuron_variance_by_frequency`. A neuron that does not
    vary has NaN.
    """
    bases = []
    for names in (names_u, names_v):
        waves = _waves(names, p, values)
        constant = torch.full_like(waves[..., :1], len(names) ** -0.5)
        bases.append(torch.cat([constant, waves], -1))  # "freq name 3"
    centred = values - values.mean((0, 1))
    rows = torch.einsum("fki,klm->film", bases[0], centred)
    parts = torch.einsum("flj,film->fijm", bases[1], rows)
    parts[0] = 0
    return parts.square().sum((1, 2)) / centred.square().sum((0, 1))


@at_least_float32
def best_frequency_shares(
    grid: Float[Tensor, "name_u name_v neuron"],
    names_u: Int[Tensor, "name_u"],
    names_v: Int[Tensor, "name_v"],
    p: int,
) -> Float[Tensor, "alive"]:
    """The largest of `grid_frequency_shares` for each neuron that varies. On few names it is large
    for any values: compare with shuffled names.
    """
    best = grid_frequency_shares(grid, names_u, names_v, p).amax(0)
    return best[~best.isnan()]


def _waves(names: Tensor, p: int, like: Tensor) -> Float[Tensor, "freq name 2"]:
    """An orthonormal basis, on these names, of what the cosine and sine of each frequency add to a
    constant; zero where they add nothing, as at frequency 0.
    """
    f = torch.arange(p // 2 + 1, device=names.device)
    angles = devices.double(f[:, None] * names % p) * (2 * math.pi / p)
    waves = torch.stack([angles.cos(), angles.sin()], -1)
    left, singular, _ = torch.linalg.svd(waves - waves.mean(1, keepdim=True), full_matrices=False)
    return (left * (singular > 1e-9 * len(names))[:, None]).to(like)
