"""Rank tests whose null distribution is that of relabelled observations. They need no table and no
large sample, and allow ties.

A right-censored observation, cut off before it came, is infinite: later than all others, and tied
with the other censored ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


class RankTest(NamedTuple):
    """p_value: share of random relabellings, the observed one included, whose statistic is at least
    as extreme.
    """

    statistic: float
    p_value: float


@at_least_float32
def mean_ranks(values: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Ranks 1 .. n, ascending; equal values share the mean of their ranks. Raises ValueError for
    NaN, which has no rank.
    """
    if values.isnan().any():
        raise ValueError("NaN has no rank; an observation that was cut off is infinite")
    below, equal = (values < values[:, None]).sum(1), (values == values[:, None]).sum(1)
    return devices.double(below) + devices.double(equal + 1) / 2


@at_least_float32
def kruskal_wallis(
    values: Float[Tensor, "n"], groups: Int[Tensor, "n"], n_permutations: int = 9999, seed: int = 0
) -> RankTest:
    """Whether groups have one distribution: H = (n - 1) sum_g n_g (mean rank of g - mean rank)^2 /
    sum (rank - mean rank)^2.

    Kruskal and Wallis 1952, corrected for ties. Raises ValueError for fewer than two groups, values
    that are all equal, or NaN.
    """
    _, which, sizes = groups.to(values.device).unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError("a comparison of groups needs at least two groups")
    members = devices.double(torch.nn.functional.one_hot(which)) / devices.double(sizes).sqrt()
    return _test(
        _standardised(values),
        lambda ranks: (len(values) - 1) * (ranks @ members).square().sum(-1),
        n_permutations,
        seed,
    )


@at_least_float32
def spearman(
    x: Float[Tensor, "n"], y: Float[Tensor, "n"], n_permutations: int = 9999, seed: int = 0
) -> RankTest:
    """Spearman's rank correlation, with ties at their mean ranks; the test is two-sided. Raises
    ValueError for values that are all equal, or NaN.
    """
    ranks, other = _standardised(x), _standardised(y)
    p_value = _test(
        ranks, lambda relabelled: (relabelled @ other).abs(), n_permutations, seed
    ).p_value
    return RankTest((ranks @ other).item(), p_value)


def _standardised(values: Tensor) -> Tensor:
    """Ranks with mean 0 and sum of squares 1."""
    ranks = mean_ranks(values)
    ranks = ranks - ranks.mean()
    if not ranks.any():
        raise ValueError("the values are all equal: there is no order to test")
    return ranks / ranks.norm()


def _test(
    ranks: Tensor, statistic: Callable[[Tensor], Tensor], n_permutations: int, seed: int
) -> RankTest:
    generator = torch.Generator().manual_seed(seed)
    orders = torch.rand(n_permutations, len(ranks), generator=generator).argsort(1)
    own = statistic(ranks)
    extreme = (statistic(ranks[orders]) >= own - 1e-9).sum().item()
    return RankTest(own.item(), (1 + extreme) / (1 + n_permutations))
