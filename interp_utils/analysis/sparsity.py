"""How few entries or frequencies hold most of a vector."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import fourier
from interp_utils.precision import at_least_float32


@at_least_float32
def gini(values: Float[Tensor, "n"]) -> float:
    """Gini coefficient: 0 for equal values, near 1 for a single large one. G = sum (2i - n - 1) x_i
    / (n sum x), x ascending.

    Raises ValueError for negative values or a sum of zero.
    """
    if values.min() < 0 or not values.sum() > 0:
        raise ValueError("a Gini coefficient needs values of at least 0, not all of them 0")
    n = len(values)
    rank = torch.arange(1, n + 1, device=values.device, dtype=values.dtype)
    return ((2 * rank - n - 1) * values.sort().values).sum().div(n * values.sum()).item()


@at_least_float32
def inverse_participation_ratio(
    x: Float[Tensor, "neuron p"], r: int = 2
) -> Float[Tensor, "neuron"]:
    """Sum of (|x_k| / |x|)^(2r) over the frequencies of each row: 1 for a single frequency (Gromov
    2023).
    """
    spectrum = torch.fft.rfft(x, dim=-1).abs()
    return (spectrum / spectrum.norm(dim=-1, keepdim=True)).pow(2 * r).sum(-1)


class FourierDensity(NamedTuple):
    """ffd: share of cosine and sine norms above half the largest; fcr: mean ratio of the smaller to
    the larger norm of a frequency.
    """

    ffd: float
    fcr: float


@at_least_float32
def fourier_density(weights: Float[Tensor, "p d"], eta: float = 0.5) -> FourierDensity:
    """Fourier frequency density and Fourier coefficient ratio along the tokens (Furuta et al. 2024,
    section 4). For odd p.
    """
    p = weights.shape[0]
    if p % 2 == 0:
        raise ValueError(
            f"Fourier density pairs each cosine with a sine, which needs an odd p, got {p}"
        )
    norms = fourier.transform(weights)[1:].norm(dim=-1).view(-1, 2)  # "freq (cos, sin)"
    dense = norms / norms.max(0).values > eta
    ratio = norms.min(1).values / norms.max(1).values
    return FourierDensity(devices.double(dense).mean().item(), ratio.mean().item())
