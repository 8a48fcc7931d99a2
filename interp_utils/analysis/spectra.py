"""How many frequencies, or singular values, are large: published counts, and counts that do not
change with scale.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


@at_least_float32
def amplitudes(activations: Float[Tensor, "a b neuron"]) -> Float[Tensor, "freq neuron"]:
    """Size of each neuron's two-dimensional DFT at each frequency 0 .. b // 2 of the second digit,
    averaged over all frequencies of the first.

    Syrkis and Søgaard 2024 follow this spectrum over training; their code leaves out digit 0 on
    both axes, activations[1:, 1:]. For frequencies of the first digit, exchange the digits:
    activations.transpose(0, 1).
    """
    return torch.fft.rfft2(activations, dim=(0, 1)).abs().mean(0)


@at_least_float32
def active(
    spectrum: Float[Tensor, "*step freq"], sigmas: float = 2.0
) -> Bool[Tensor, "*step freq"]:
    """Frequencies above the mean of their step's spectrum by `sigmas` standard deviations.

    This is the definition in the text of Syrkis and Søgaard 2024, for a spectrum that is the mean
    over neurons. At most 1 / (1 + sigmas^2) of the frequencies can be active (Cantelli's
    inequality): 11 of 57.
    """
    spread = spectrum.std(-1, correction=0, keepdim=True)
    return spectrum > spectrum.mean(-1, keepdim=True) + sigmas * spread


@at_least_float32
def active_over_time(history: Float[Tensor, "step freq"]) -> Bool[Tensor, "step freq"]:
    """The frequencies that the paper's code draws: each is divided by its sum over the steps, and
    then is active above the mean plus one standard deviation of the table.

    This asks whether a frequency is above its own time average. A passing growth of all activations
    therefore looks like new frequencies. The code uses the first neuron alone, on 168 log-spaced
    steps, each a mean of three.
    """
    shares = history / history.sum(0)
    return shares > shares.mean() + shares.std(correction=0)


def printed_count(count: Int[Tensor, "step"]) -> Int[Tensor, "step"]:
    """The number that the paper's figure prints for a count of active frequencies: the whole part
    of count^0.75.
    """
    return devices.double(count).pow(0.75).long().to(count.device)


@at_least_float32
def participation_ratio(power: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """(sum p)^2 / sum p^2: how many equal parts would be spread like these n parts; 1 for a single
    part, n for n equal parts.
    """
    return power.sum(-1).square() / power.square().sum(-1)


@at_least_float32
def count_for(parts: Float[Tensor, "*batch n"], share: float = 0.9) -> Int[Tensor, "*batch"]:
    """How many of the largest parts have at least this share of the sum of all parts (a count: 1 is
    the largest alone).

    Raises ValueError for a share that is not in (0, 1], or negative parts.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share must be in (0, 1], got {share}")
    if parts.min() < 0:
        raise ValueError("parts of a sum must not be negative")
    cumulative = devices.double(parts).sort(-1, descending=True).values.cumsum(-1)
    fewer = cumulative < share * cumulative[..., -1:] * (1 - 1e-12)
    return fewer.sum(-1).to(parts.device) + 1


class SingularValues(NamedTuple):
    """Singular values, largest first, and the share of the first 1, 2, ... in the sum of all and in
    the sum of squares (the variance, if centred).
    """

    values: Float[Tensor, "k"]
    share_of_sum: Float[Tensor, "k"]
    share_of_squares: Float[Tensor, "k"]


@at_least_float32
def singular_values(matrix: Float[Tensor, "row column"], centre: bool = False) -> SingularValues:
    """Singular values of a matrix as it is, or, with centre, of its rows less their mean.

    Syrkis and Søgaard 2024 call shares of the sum "variance", do not centre, and mark the last
    0-based index below a share, which is `count_for(values, share) - 2`.
    """
    values = torch.linalg.svdvals(matrix - matrix.mean(0) if centre else matrix)
    return SingularValues(
        values, *((powers.cumsum(0) / powers.sum()) for powers in (values, values.square()))
    )


class Pair(NamedTuple):
    """Two vectors: their Pearson correlation, and the norms of half their sum and half their
    difference.
    """

    pearson: float
    half_sum: float
    half_difference: float


@at_least_float32
def compare(x: Float[Tensor, "d"], y: Float[Tensor, "d"]) -> Pair:
    """How much two positional embeddings share, and how much they differ; the squared norms add up
    to (|x|^2 + |y|^2) / 2.

    Raises ValueError for vectors of less than two entries.
    """
    if len(x) < 2:
        raise ValueError("a correlation needs vectors of at least two entries")
    return Pair(
        torch.corrcoef(torch.stack([x, y]))[0, 1].item(),
        ((x + y) / 2).norm().item(),
        ((x - y) / 2).norm().item(),
    )
