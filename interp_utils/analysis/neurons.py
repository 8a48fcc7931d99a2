"""Which neurons compute which frequency, and what is left of neurons that compute only their
frequency.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis import fourier, progress
from interp_utils.precision import at_least_float32

THRESHOLD = 0.85  # of the variance: Nanda et al. 2023, section 4.3


class Clusters(NamedTuple):
    """Per neuron: its best frequency (0 for a dead neuron), the share of its variance in that
    frequency's eight terms, and whether it belongs to the frequency's cluster.
    """

    frequency: Int[Tensor, "neuron"]
    variance_explained: Float[Tensor, "neuron"]
    clustered: Bool[Tensor, "neuron"]


@at_least_float32
def frequency_clusters(
    activations: Float[Tensor, "p p neuron"], *, threshold: float = THRESHOLD
) -> Clusters:
    """Neurons by the frequency that explains most of their variance. A neuron belongs to a cluster
    where that share is at least `threshold`.

    Nanda et al. 2023, section 4.3 and released code. Dead (constant) neurons belong to no cluster.
    """
    best = fourier.neuron_variance_by_frequency(activations).nan_to_num(0).max(0)
    return Clusters(best.indices, best.values, best.values >= threshold)


@at_least_float32
def polynomial(
    activations: Float[Tensor, "p p neuron"], frequency: Int[Tensor, "neuron"]
) -> Float[Tensor, "p p neuron"]:
    """Each neuron as the degree-2 polynomial in cos, sin of its frequency that fits it best, by
    least squares: mean and eight terms.

    For frequency 0 only the mean is kept.
    """
    fitted = activations.mean((0, 1)).expand_as(activations).clone()
    for k in frequency.unique().tolist():
        if k == 0:
            continue
        own = (frequency == k).to(activations.device)
        fitted[..., own] += progress.project(activations[..., own], [k], variant="block3x3")
    return fitted


class Terms(NamedTuple):
    """Per neuron, two shares of its variance over the grid: in the four terms of a or of b alone,
    and in the four products of a term of a and a term of b.
    """

    alone: Float[Tensor, "neuron"]
    products: Float[Tensor, "neuron"]


@at_least_float32
def terms(activations: Float[Tensor, "p p neuron"], frequency: Int[Tensor, "neuron"]) -> Terms:
    """The eight terms of each neuron's frequency in two parts: cos, sin w_k a and cos, sin w_k b
    alone, and their products, which an addition of angles needs. The sum of a function of a and a
    function of b has no products. Dead neurons have 0 of both.
    """
    centred = activations - activations.mean((0, 1))
    total = centred.square().sum((0, 1)).clamp(min=torch.finfo(activations.dtype).tiny)
    energy = {}
    for variant in ("block2x2", "block3x3"):
        energy[variant] = torch.zeros_like(total)
        for k in frequency.unique().tolist():
            if k == 0:
                continue
            own = (frequency == k).to(activations.device)
            part = progress.project(centred[..., own], [k], variant=variant)
            energy[variant][own] = part.square().sum((0, 1))
    alone = energy["block3x3"] - energy["block2x2"]
    return Terms(alone / total, energy["block2x2"] / total)


@at_least_float32
def harmonics(
    activations: Float[Tensor, "p p neuron"], k: int, count: int = 4
) -> Float[Tensor, "over_a over_b"]:
    """Share of the neurons' variance, all together, at frequencies (i k, j k) over a and b, with i
    and j from 0 to count - 1; entry (0, 0), the mean, is 0.

    Frequencies are taken mod p: i k and p - i k are the same.
    """
    p = fourier.check_grid(activations)
    fourier.check_frequency(p, k)
    squares = fourier.transform_2d(activations).square().sum(-1)
    energy = fourier.by_frequency(fourier.by_frequency(squares, 0), 1)
    energy[0, 0] = 0
    multiples = torch.arange(count, device=energy.device) * k % p
    at = torch.minimum(multiples, p - multiples)
    return energy[at][:, at] / energy.sum()
