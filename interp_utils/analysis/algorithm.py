"""Which algorithm a model on pairs runs: how much of its logits is a sum of cosines, clock or
pizza.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import fourier, progress
from interp_utils.precision import at_least_float32


class CosineFit(NamedTuple):
    """coefficients: alpha_k of cos w_k(a + b - c) at index k, the mean at index 0. The other
    fields: the sum over the keys alone, and the share of variance that this sum explains.
    """

    coefficients: Float[Tensor, "freq"]
    approximation: Float[Tensor, "p p p"]
    variance_explained: float


@at_least_float32
def cosine_fit(logits: Float[Tensor, "p p p"], keys: Sequence[int]) -> CosineFit:
    """Logits as sum over keys of alpha_k cos w_k(a + b - c), by least squares (Nanda et al. 2023,
    section 4.2).

    The cosines are orthogonal, of squared norm p^3 / 2 (p^3 for k = p / 2), so the fit is a
    projection. A constant per class is not counted as variance (`variance_explained`).
    """
    p = fourier.check_grid(logits)
    along = fourier.answer_components(logits)
    cosines = [0, *range(1, p, 2)]
    norms = torch.full(
        (p // 2 + 1,), p**1.5 / math.sqrt(2), dtype=logits.dtype, device=logits.device
    )
    norms[0] = p**1.5
    if p % 2 == 0:
        norms[-1] = p**1.5
    coefficients = along[cosines] / norms
    approximation = progress.project(logits, keys, variant="sum_3d")
    return CosineFit(coefficients, approximation, variance_explained(logits, approximation))


@at_least_float32
def variance_explained(
    values: Float[Tensor, "a b ..."], approximation: Float[Tensor, "a b ..."]
) -> float:
    """The share of each output's variance over the pairs that the approximation explains, up to a
    constant per output.

    1 - |r - mean r|^2 / |values - mean|^2, r = values - approximation, means over pairs. Raises
    ValueError where nothing varies.
    """
    residual, total = values - approximation, (values - values.mean((0, 1))).square().sum()
    if not total > 0:
        raise ValueError("there is no variance to explain: the values are the same for all pairs")
    return 1 - ((residual - residual.mean((0, 1))).square().sum() / total).item()


@at_least_float32
def distance_irrelevance(logits: Float[Tensor, "p p p"]) -> float:
    """How little the right answer's logit depends on a - b. 0: it depends on nothing else (pizza: 0
    to 0.4); 1: it does not depend on a - b at all (clock: 0.4 to 1).

    q = mean over d of std over i of L[i, i + d], over std of L, with L[a, b] the logit of a + b
    (Zhong et al. 2023, definition 4.2).
    Raises ValueError where the right answer's logit is the same for all pairs, and for logits that
    vary with a - b instead of a + b.
    """
    p = fourier.check_grid(logits)
    fourier.require_sums(logits)
    right = logits.gather(2, fourier.sum_of_pair(p, logits.device)[..., None]).squeeze(2)
    n = torch.arange(p, device=logits.device)
    by_difference = right[n, (n + n[:, None]) % p]  # "difference i"
    spread = right.std(correction=0)
    if not spread > 0:
        raise ValueError(
            "distance irrelevance needs logits of the right answer that differ between pairs"
        )
    return (by_difference.std(1, correction=0).mean() / spread).item()
