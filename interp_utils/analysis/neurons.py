"""Which neurons compute which frequency, and what is left of them when that is all they may
compute.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis import fourier, progress
from interp_utils.precision import at_least_float32


class Clusters(NamedTuple):
    """Per neuron: its best frequency (0 for a dead one), the share of its variance in that
    frequency's eight terms, membership.
    """

    frequency: Int[Tensor, "neuron"]
    variance_explained: Float[Tensor, "neuron"]
    clustered: Bool[Tensor, "neuron"]


@at_least_float32
def frequency_clusters(
    activations: Float[Tensor, "p p neuron"], *, threshold: float = 0.85
) -> Clusters:
    """Neurons by the frequency that explains most of their variance; clustered where it is at least
    `threshold`.

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

    Frequency 0 leaves the mean alone.
    """
    fitted = activations.mean((0, 1)).expand_as(activations).clone()
    for k in frequency.unique().tolist():
        if k == 0:
            continue
        own = (frequency == k).to(activations.device)
        fitted[..., own] += progress.project(activations[..., own], [k], variant="block3x3")
    return fitted
