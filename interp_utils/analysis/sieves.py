"""How far a few small divisors tell primes from other numbers: the ladder that a model has to climb
beyond, if it knows more of primes than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis.answers import check_mask, selected
from interp_utils.losses import cross_entropy
from interp_utils.precision import at_least_float32

LADDER: tuple[tuple[int, ...], ...] = ((), (3,), (3, 7), (3, 7, 11, 13))  # of odd n, 5 left out


def survivors(numbers: Int[Tensor, "*n"], divisors: Sequence[int]) -> Bool[Tensor, "*n"]:
    """Which numbers none of the divisors divides, but for a divisor itself: what a sieve leaves.

    Raises ValueError for a divisor below 2.
    """
    if any(q < 2 for q in divisors):
        raise ValueError(f"divisors must be at least 2, got {list(divisors)}")
    left = torch.ones_like(numbers, dtype=torch.bool)
    for q in divisors:
        left &= (numbers % q != 0) | (numbers == q)
    return left


def sieves_of_base(base: int) -> list[tuple[int, ...]]:
    """Sieves whose divisors show in digits: none; the primes that divide the base (the last digit);
    then also those of base - 1 (the sum of digits); then those of base + 1 (the alternating sum).
    """
    sieves, found = [()], set()
    for n in (base, base - 1, base + 1):
        found |= {q for q in range(2, n + 1) if n % q == 0 and all(q % d for d in range(2, q))}
        if tuple(sorted(found)) not in sieves:
            sieves.append(tuple(sorted(found)))
    return sieves


@at_least_float32
def auc(scores: Float[Tensor, "n"], positive: Bool[Tensor, "n"]) -> float:
    """Area under the ROC curve: the probability that a positive has a higher score than a negative,
    ties counted half. Raises ValueError where there are no two classes, or a score is NaN.
    """
    positive = _two_classes(positive).to(scores.device)
    if scores.isnan().any():
        raise ValueError("a score is NaN, which is neither above nor below another")
    levels, level = scores.unique(return_inverse=True)
    above, below = (level[which].bincount(minlength=len(levels)) for which in (positive, ~positive))
    wins = above * (2 * below.cumsum(0) - below)  # twice those of each level: integers, exact
    return int(wins.sum()) / (2 * int(above.sum()) * int(below.sum()))


def balanced_accuracy(said: Bool[Tensor, "n"], positive: Bool[Tensor, "n"]) -> float:
    """Mean of the shares of positives and of negatives that are called so: of a rule, its AUC.
    Raises ValueError where there are no two classes.
    """
    positive = _two_classes(positive).to(said.device)
    shares = [devices.double(said[positive]).mean(), devices.double(~said[~positive]).mean()]
    return (shares[0] + shares[1]).item() / 2


class Rung(NamedTuple):
    """bits: what a number costs whose class is guessed by the share of primes among numbers with
    its fate in the sieve.
    """

    divisors: tuple[int, ...]
    auc: float
    balanced_accuracy: float
    bits: float


def ladder(
    numbers: Int[Tensor, "n"],
    prime: Bool[Tensor, "n"],
    sieves: Sequence[Sequence[int]] = LADDER,
    *,
    fit: Bool[Tensor, "n"] | None = None,
) -> list[Rung]:
    """What each sieve is worth on the numbers that are not in `fit`, with shares of primes that are
    counted on those that are; without `fit`, both on all numbers.

    Shares are (primes + 1) / (numbers + 2): a class that was never seen costs a finite number of
    bits. Raises ValueError where the numbers do not have two classes.
    """
    fit, test = _parts(prime, fit)
    rungs = []
    for divisors in sieves:
        left = survivors(numbers, divisors).to(prime.device)
        chance = torch.zeros_like(devices.double(prime))
        for fate in (left, ~left):
            counted = prime[fate & fit]
            chance[fate.to(chance.device)] = (int(counted.sum()) + 1) / (len(counted) + 2)
        of_class = torch.where(prime.to(chance.device), chance, 1 - chance)
        bits = -of_class[test.to(chance.device)].log2().mean().item()
        by_rule = left[test], prime[test]
        rungs.append(
            Rung(
                tuple(divisors),
                auc(by_rule[0].float(), by_rule[1]),
                balanced_accuracy(*by_rule),
                bits,
            )
        )
    return rungs


@at_least_float32
def bits_beyond(
    logits: Float[Tensor, "n 2"],
    numbers: Int[Tensor, "n"],
    prime: Bool[Tensor, "n"],
    sieves: Sequence[Sequence[int]] = LADDER,
    *,
    fit: Bool[Tensor, "n"] | None = None,
) -> float:
    """How many bits a number the model's probabilities save, beyond the best of the sieves' on the
    same numbers (see `ladder`); negative where a sieve is better.
    """
    _, test = _parts(prime, fit)
    rows, labels = selected(logits, prime.long(), mask=test)
    cost = devices.double(cross_entropy(rows, labels)).mean().item() / math.log(2)
    return min(rung.bits for rung in ladder(numbers, prime, sieves, fit=fit)) - cost


def _parts(prime: Tensor, fit: Tensor | None) -> tuple[Tensor, Tensor]:
    """What shares are counted on, and what is measured."""
    check_mask(fit)
    everything = torch.ones_like(prime)
    fit, test = (everything, everything) if fit is None else (fit, ~fit)
    if not fit.any() or not test.any():
        raise ValueError(
            f"`fit` must select numbers to count on and leave some to measure, it selects "
            f"{int(fit.sum())} of {len(fit)}"
        )
    return fit.to(prime.device), test.to(prime.device)


def _two_classes(positive: Tensor) -> Tensor:
    if positive.dtype != torch.bool:
        raise TypeError(f"what is positive must be booleans, got {positive.dtype}")
    if not positive.any() or positive.all():
        raise ValueError(f"all {len(positive)} inputs are of one class: nothing to tell apart")
    return positive
