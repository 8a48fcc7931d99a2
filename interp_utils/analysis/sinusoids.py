"""A circuit that computes with waves: attention as a sine wave, and the directions along which the
neurons' cosines and sines are read.

Weights are in HookedTransformer's orientation (inputs first); axis "p" has the number tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import fourier
from interp_utils.analysis.algorithm import variance_explained
from interp_utils.precision import at_least_float32


class AttentionFit(NamedTuple):
    """Fit of one head's attention to a: c, alpha and beta (no beta for k = p / 2), the fitted grid,
    and the share of variance that the fit explains.
    """

    coefficients: Float[Tensor, "terms"]
    fitted: Float[Tensor, "p p"]
    variance_explained: float


@at_least_float32
def fit_attention(attention: Float[Tensor, "p p"], k: int) -> AttentionFit:
    """Least squares: attention to a = c + alpha (cos w_k a - cos w_k b) + beta (sin w_k a - sin w_k
    b) (Nanda et al. 2023, table 2).
    """
    p = fourier.check_grid(attention)
    fourier.check_keys(p, [k])
    n = torch.arange(p, device=attention.device)
    angles = (k * n % p).to(attention.dtype) * (2 * math.pi / p)
    rows = [angles.cos()] if 2 * k == p else [angles.cos(), angles.sin()]
    design = torch.stack(
        [torch.ones_like(attention), *(row[:, None] - row for row in rows)], -1
    ).flatten(0, 1)
    coefficients = torch.linalg.lstsq(design, attention.flatten()[:, None]).solution.squeeze(1)
    fitted = (design @ coefficients).view(p, p)
    return AttentionFit(coefficients, fitted, variance_explained(attention, fitted))


class LineFit(NamedTuple):
    """Fit of one head's attention to a by a line: its offset c and slope m, the fitted grid, and
    the share of variance that the fit explains (NaN for attention that is the same for all pairs).
    """

    offset: float
    slope: float
    fitted: Float[Tensor, "a b"]
    variance_explained: float


@at_least_float32
def fit_line(difference: Float[Tensor, "a b"], attention: Float[Tensor, "a b"]) -> LineFit:
    """Least squares: attention to a = c + m (s_a - s_b), in place of the sigmoid of that difference
    of scores (Nanda et al. 2023, appendix A.1).
    """
    mean_of_x, mean_of_y = difference.mean(), attention.mean()
    x, y = difference - mean_of_x, attention - mean_of_y
    variance = x.square().sum()
    slope = (x * y).sum() / variance if variance > 0 else torch.zeros_like(variance)
    fitted = mean_of_y + slope * x
    varies = y.square().sum() > 0
    explained = variance_explained(attention, fitted) if varies else math.nan
    return LineFit((mean_of_y - slope * mean_of_x).item(), slope.item(), fitted, explained)


class ReadOut(NamedTuple):
    """W_L = sum over keys of u_k cos w_k c + v_k sin w_k c + residual; u and v by neuron, and the
    residual's share of the norm.
    """

    u: Float[Tensor, "key neuron"]
    v: Float[Tensor, "key neuron"]
    residual: float


@at_least_float32
def read_out_directions(W_L: Float[Tensor, "neuron p"], keys: Sequence[int]) -> ReadOut:
    """The directions along which the neurons' cosines and sines are read (Nanda et al. 2023,
    section 4.2), by least squares; the fit has rank 2 x keys.

    residual is |W_L - fit| / |W_L|, Frobenius. For k = p / 2 there is no sine, and v is 0.
    """
    p = W_L.shape[1]
    keys = fourier.check_keys(p, keys)
    components = fourier.transform(W_L, 1)
    basis = fourier.fourier_basis(p, W_L.dtype, W_L.device)
    scale = basis.abs().amax(1)  # from cos or sin itself to a unit row
    u = torch.stack([components[:, 2 * k - 1] * scale[2 * k - 1] for k in keys])
    zero = torch.zeros_like(u[0])
    v = torch.stack([zero if 2 * k == p else components[:, 2 * k] * (2 / p) ** 0.5 for k in keys])
    of_key = torch.isin(fourier.component_frequencies(p), torch.tensor(keys)).to(W_L.device)
    residual = components[:, ~of_key].norm() / components.norm()
    return ReadOut(u, v, residual.item())


@at_least_float32
def single_cosine_shares(
    direction: Float[Tensor, "neuron"], activations: Float[Tensor, "p p neuron"], k: int
) -> tuple[float, float]:
    """Shares of the variance of `activations @ direction` over the grid that cos w_k(a + b) and sin
    w_k(a + b) alone explain.

    The paper's Table 1: the first for u_k, the second for v_k.
    """
    values = activations @ direction
    components = fourier.sum_components(values)[2 * k - 1 : 2 * k + 1].square()
    shares = (components / (values - values.mean()).square().sum()).tolist()
    cosine, sine = shares if len(shares) > 1 else [*shares, 0.0]  # p / 2 has no sine
    return cosine, sine


@at_least_float32
def off_directions(
    activations: Float[Tensor, "p p neuron"], directions: Float[Tensor, "k neuron"]
) -> Float[Tensor, "p p neuron"]:
    """Activations without their part in the span of the directions. Subtract the result from the
    activations for the part on the directions.

    Directions may be zero or depend on each other: only their span counts.
    """
    _, singular, rows = torch.linalg.svd(directions, full_matrices=False)
    axes = rows[
        singular > singular.max() * max(directions.shape) * torch.finfo(directions.dtype).eps
    ].T
    return activations - activations @ axes @ axes.T
