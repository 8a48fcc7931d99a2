"""The number that remainders determine (the Chinese remainder theorem), and primality read off the
remainders. All arithmetic is on integers, and exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def mixed_radix(
    remainders: Int[Tensor, "*batch answer"], moduli: Sequence[int]
) -> Int[Tensor, "*batch answer"]:
    """Digits d with n = d_0 + d_1 q_0 + d_2 q_0 q_1 + ..., 0 <= d_i < q_i, of the one n in 0 ..
    product - 1 with these remainders.

    By Garner's algorithm no number above the square of the largest modulus occurs, however large
    the product is. Raises ValueError for moduli that share a factor, or remainders out of range.
    """
    _check(remainders, moduli)
    digits = []
    for i, q in enumerate(moduli):
        rest, weight = remainders[..., i], 1
        for digit, other in zip(digits, moduli, strict=False):
            rest = (rest - digit * weight) % q
            weight = weight * other % q
        digits.append(rest * pow(weight, -1, q) % q)
    return torch.stack(digits, -1)


def number(
    remainders: Int[Tensor, "*batch answer"], moduli: Sequence[int], limit: int
) -> Int[Tensor, "*batch"]:
    """The n in 0 .. limit - 1 with all these remainders; -1 where there is none, which is mostly so
    with a single wrong remainder.

    Raises ValueError as `mixed_radix` does, and if the moduli cannot tell limit numbers apart.
    """
    if math.prod(moduli) < limit:
        raise ValueError(
            f"remainders by {list(moduli)} tell {math.prod(moduli)} numbers apart, not {limit}"
        )
    total, possible, weight = (
        torch.zeros_like(remainders[..., 0]),
        torch.ones_like(remainders[..., 0], dtype=torch.bool),
        1,
    )
    for digit, q in zip(mixed_radix(remainders, moduli).unbind(-1), moduli, strict=True):
        if weight < limit:
            total = total + digit * weight
        else:
            possible &= digit == 0
        weight *= q  # a Python integer, which cannot overflow
    return torch.where(possible & (total < limit), total, -1)


class Detection(NamedTuple):
    """How many inputs were called prime or not prime, rightly or wrongly."""

    true_primes: int
    false_primes: int
    missed_primes: int
    true_others: int


def detect_primes(remainders: Int[Tensor, "n answer"], prime: Bool[Tensor, "n"]) -> Detection:
    """n is called prime where none of its remainders is zero (Syrkis and Søgaard 2024,
    introduction).

    For all n below p^2 and remainders by all primes below p, the call is wrong exactly for these
    primes, each of which has remainder zero by itself, and for 1, which has no zero.
    """
    said = (remainders != 0).all(1)
    counts = [(said & prime), (said & ~prime), (~said & prime), (~said & ~prime)]
    return Detection(*(int(which.sum()) for which in counts))


def _check(remainders: Tensor, moduli: Sequence[int]) -> None:
    if remainders.shape[-1] != len(moduli):
        raise ValueError(
            f"expected one remainder for each of {len(moduli)} moduli, got {remainders.shape[-1]}"
        )
    if min(moduli) < 2 or math.lcm(*moduli) != math.prod(moduli):
        raise ValueError(f"moduli must be at least 2 and share no factor, got {list(moduli)}")
    wrong = (remainders < 0) | (remainders >= torch.tensor(moduli, device=remainders.device))
    if wrong.any():
        raise ValueError(
            f"remainders must be from 0 to below their modulus; {int(wrong.sum())} are not"
        )
