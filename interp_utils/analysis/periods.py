"""The periods q of a model's values, where inputs are numbers in base p: shares of variance by the
remainders of n or of its digits.

A discrete Fourier transform over p digits has no frequency for period q: cos 2 pi k x / q leaks
into many frequencies. Classes and least squares do not leak. k classes of n inputs explain
(k - 1) / (n - 1) of noise on average: show this share beside, or use `adjusted`.
`relabelling.frequency_shares(values, torch.arange(p), q)` has the waves of period q one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis import relabelling
from interp_utils.precision import at_least_float32


@at_least_float32
def class_shares(
    values: Float[Tensor, "n m"], labels: Int[Tensor, "n answer"]
) -> Float[Tensor, "answer m"]:
    """Share of each column's variance that lies between the classes of each answer (the correlation
    ratio); NaN for a constant column.

    With neurons by input and a task's labels, it is the share that is a function of n mod q; with
    tokens as labels, a function of one digit.
    """
    labels = labels.to(values.device)
    centred = values - values.mean(0)
    total = centred.square().sum(0)
    alive = total > 1e-9 * values.square().sum(0)
    shares = []
    for answer in labels.T:
        _, which, counts = answer.unique(return_inverse=True, return_counts=True)
        means = relabelling.class_means(centred, which)
        shares.append((counts.to(values.dtype)[:, None] * means.square()).sum(0) / total)
    return torch.where(alive, torch.stack(shares), torch.nan)


@at_least_float32
def adjusted(
    shares: Float[Tensor, "answer *m"], classes: Sequence[int], n: int
) -> Float[Tensor, "answer *m"]:
    """Shares that the classes of n inputs explain, corrected for the share of noise that they would
    explain: 1 - (1 - share) (n - 1) / (n - classes).

    0 on average for noise (single values can be negative), 1 where all is explained; NaN where each
    input is a class of its own.
    """
    k = torch.tensor(classes, dtype=shares.dtype, device=shares.device).view(
        -1, *[1] * (shares.ndim - 1)
    )
    return torch.where(k < n, 1 - (1 - shares) * (n - 1) / (n - k).clamp(min=1), torch.nan)


@at_least_float32
def period_shares(values: Float[Tensor, "p m"], periods: Sequence[int]) -> Float[Tensor, "period"]:
    """Share of the variance over the digits x = 0 .. p - 1, all columns together, that is a
    function of x mod q, for each q; `adjusted`.

    Where p and q share no factor, functions of x mod q are also functions of p x mod q, which the
    high digit needs: one embedding serves both digits.
    """
    p, x = len(values), torch.arange(len(values), device=values.device)
    between = torch.tensor(
        [1 - relabelling.within_share(values, x % q) for q in periods],
        dtype=values.dtype,
        device=values.device,
    )
    return adjusted(between, [min(p, q) for q in periods], p)


def digit_classes(
    tokens: Int[Tensor, "n ctx"], periods: Sequence[int], digits: Sequence[int] = (0, 1)
) -> Int[Tensor, "n period"]:
    """For each q, the class of each input by some of its digits mod q; two digits have q^2 classes.

    `class_shares` by these classes is the share that any function of these digits mod q explains;
    n mod q is such a function.
    """
    columns = []
    for q in periods:
        column = torch.zeros_like(tokens[:, 0])
        for digit in digits:
            column = column * q + tokens[:, digit] % q
        columns.append(column)
    return torch.stack(columns, 1)


class Waves(NamedTuple):
    """Per neuron: the q and the k of its best wave k n / q (0 for a dead neuron), and the share of
    its variance in that wave's eight terms.
    """

    period: Int[Tensor, "neuron"]
    frequency: Int[Tensor, "neuron"]
    share: Float[Tensor, "neuron"]


@at_least_float32
def best_waves(
    activations: Float[Tensor, "a b neuron"], places: tuple[int, int], periods: Sequence[int]
) -> Waves:
    """The wave cos 2 pi k n / q, of all k <= q / 2 and all q, whose products explain most of each
    neuron.

    places: the place values of the two digits, (p, 1) or (1, p): n = places[0] a + places[1] b. The
    products are those of {1, cos, sin} of a's part and of b's, without the constant, as in
    `neurons.frequency_clusters`; a neuron that applies ReLU to a sum of two waves has all of them.
    """
    a, b = (torch.arange(size, device=activations.device) for size in activations.shape[:2])
    best = Waves(
        *(
            activations.new_zeros(activations.shape[2], dtype=dtype)
            for dtype in (torch.long, torch.long, activations.dtype)
        )
    )
    for q in periods:
        shares = (
            relabelling.grid_frequency_shares(activations, places[0] * a % q, places[1] * b % q, q)
            .nan_to_num(0)
            .max(0)
        )
        better = shares.values > best.share
        found = (torch.full_like(best.period, q), shares.indices, shares.values)
        best = Waves(*(torch.where(better, new, old) for new, old in zip(found, best, strict=True)))
    return best


@at_least_float32
def without_classes(
    values: Float[Tensor, "p m"], classes: Int[Tensor, "p"]
) -> Float[Tensor, "p m"]:
    """Values by digit without the part that is a function of the digit's class, x mod q, say; the
    mean stays. As a control, pass the classes in random order.
    """
    which = classes.to(values.device).unique(return_inverse=True)[1]
    return values - relabelling.class_means(values, which)[which] + values.mean(0)
