"""What a model answers for greatest common divisors: Charton's three rules, as functions of its
answers.

Charton 2023, sections 3 and 4: (1) all pairs with one gcd get one answer; (2) it is right for the
products of primes that divide the base, as far as their powers have been learned; (3) it is the
largest of the gcds learned, D, that divides the true one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices

LEARNED = 0.95  # the share of its pairs that a learned gcd is right for


class Modal(NamedTuple):
    """The most frequent answer to pairs with gcd 1, 2, ..., the smallest of several; its share of
    the answers; the number of pairs.
    """

    answer: Int[Tensor, "gcd"]
    share: Float[Tensor, "gcd"]
    count: Int[Tensor, "gcd"]


def modal_answers(predictions: Int[Tensor, "n"], gcds: Int[Tensor, "n"], up_to: int = 100) -> Modal:
    """Rule 1: one answer for each gcd 1 .. up_to. float64 shares. Pairs with larger gcds are left
    out. Raises ValueError for a gcd that no pair has.
    """
    found = []
    for answers in _by_gcd(predictions, gcds, up_to):
        values, counts = answers.unique(return_counts=True)
        top = int(counts.argmax())
        found.append((int(values[top]), int(counts[top]), len(answers)))
    columns = zip(*found, strict=True)
    answer, top, count = (torch.tensor(x, device=predictions.device) for x in columns)
    return Modal(answer, devices.double(top) / devices.double(count), count)


def confusion(
    predictions: Int[Tensor, "n"], gcds: Int[Tensor, "n"], up_to: int = 100
) -> Float[Tensor, "gcd answer"]:
    """Row k - 1: the shares of the answers 1, ..., up_to, and of all others (last column), to pairs
    with gcd k. float64. Raises ValueError for a gcd that no pair has.
    """
    rows = []
    for answers in _by_gcd(predictions, gcds, up_to):
        named = torch.where((answers >= 1) & (answers <= up_to), answers - 1, up_to)
        rows.append(devices.double(named.bincount(minlength=up_to + 1)) / len(named))
    return torch.stack(rows)


def learned_gcds(
    predictions: Int[Tensor, "n"], gcds: Int[Tensor, "n"], up_to: int = 100
) -> list[int]:
    """D: the gcds 1 .. up_to that more than 95 % of their pairs are answered with (Charton 2023).
    Raises ValueError for a gcd that no pair has.
    """
    strata = _by_gcd(predictions, gcds, up_to)
    shares = [int((answers == k).sum()) / len(answers) for k, answers in enumerate(strata, 1)]
    return [k for k, share in enumerate(shares, 1) if share > LEARNED]


def products(primes: Sequence[int], up_to: int = 100) -> list[int]:
    """All products 1 .. up_to of powers of some primes, ascending; of a base, as its divisors."""
    found = []
    for k in range(1, up_to + 1):
        rest = k
        for q in primes:
            while rest % q == 0:
                rest //= q
        if rest == 1:
            found.append(k)
    return found


def prime_factors(n: int) -> list[int]:
    """The primes that divide n, ascending. Raises ValueError for n below 1."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return [
        q for q in range(2, n + 1) if n % q == 0 and all(q % d for d in range(2, math.isqrt(q) + 1))
    ]


def closure(learned: Sequence[int], up_to: int = 100) -> list[int]:
    """All k in 1 .. up_to whose every prime power is at most one that has been learned, as rule 2
    says of D: {1, 2, 4, 5} gives 1, 2, 4, 5, 10, 20. It has 1.
    """
    powers = {q: 1 for k in learned for q in prime_factors(k)}
    for q in powers:
        while q * powers[q] in learned:
            powers[q] *= q
    return [k for k in range(1, up_to + 1) if math.prod(powers.values()) % k == 0]


def largest_divisors(learned: Sequence[int], up_to: int = 100) -> Int[Tensor, "gcd"]:
    """Rule 3: for each gcd 1 .. up_to, the largest of those learned that divides it; 0 for none."""
    return torch.tensor(
        [max((d for d in learned if k % d == 0), default=0) for k in range(1, up_to + 1)]
    )


def bound(learned: Sequence[int]) -> float:
    """The accuracy on uniform pairs of a model that is right exactly for these gcds: the sum of 6 /
    (pi^2 k^2), the limit for large operands.
    """
    return math.fsum(6 / (math.pi * k) ** 2 for k in set(learned))


class Rules(NamedTuple):
    """How far answers follow the three rules.

    learned:      D.
    one_answer:   rule 1, the mean over gcds of the share of the most frequent answer (published:
                  99.9 % in well-trained models).
    missing, unexpected: rule 2, what `closure` says that D should have besides, and what D has
                  besides. Empty where the rule holds.
    outside:      of D, what has a prime that does not divide the base.
    largest:      rule 3, the share of the gcds whose most frequent answer is the largest of D that
                  divides them.
    """

    learned: list[int]
    one_answer: float
    missing: list[int]
    unexpected: list[int]
    outside: list[int]
    largest: float


def check(
    predictions: Int[Tensor, "n"], gcds: Int[Tensor, "n"], base: int, up_to: int = 100
) -> Rules:
    """Answers to pairs with gcds 1 .. up_to, for instance a stratified test set, against the rules.

    Raises ValueError for a gcd that no pair has.
    """
    learned = learned_gcds(predictions, gcds, up_to)
    modal = modal_answers(predictions, gcds, up_to)
    by_powers, of_base = closure(learned, up_to), products(prime_factors(base), up_to)
    return Rules(
        learned,
        modal.share.mean().item(),
        sorted(set(by_powers) - set(learned)),
        sorted(set(learned) - set(by_powers)),
        sorted(set(learned) - set(of_base)),
        int((modal.answer.cpu() == largest_divisors(learned, up_to)).sum()) / up_to,
    )


def _by_gcd(predictions: Tensor, gcds: Tensor, up_to: int) -> list[Tensor]:
    """The answers to pairs with gcd 1, 2, ..., up_to."""
    gcds = gcds.to(predictions.device)
    strata = [predictions[gcds == k] for k in range(1, up_to + 1)]
    empty = [k for k, stratum in enumerate(strata, 1) if not len(stratum)]
    if empty:
        raise ValueError(
            f"no pair has gcd {', '.join(map(str, empty[:8]))}{' ...' if empty[8:] else ''}: take "
            f"a stratified set, or a smaller up_to than {up_to}"
        )
    return strata
