"""What a digit's embedding tells of n mod a prime power, on planted embeddings."""

import itertools

import pytest
import torch

from interp_utils.analysis.place_values import (
    divisibility_share,
    power_part,
    residue_part,
    without_zero,
)
from tests import planted

POWERS = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (5, 1), (7, 1)]


def literal(embeddings, place, prime, exponent):
    """By loops over digits, in float64."""
    base = len(embeddings)
    moduli = prime**exponent, prime ** (exponent - 1)
    part = torch.zeros_like(embeddings)
    for digit, (modulus, sign) in itertools.product(range(base), zip(moduli, (1, -1), strict=True)):
        value = digit * base**place % modulus
        alike = [d for d in range(base) if d * base**place % modulus == value]
        part[digit] += sign * sum(embeddings[d] for d in alike) / len(alike)
    return part


@pytest.mark.parametrize("base", [2, 3, 6, 10, 30])
@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_part_is_that_of_the_literal_means(base, power, place):
    embeddings = planted.random(base, 4)
    found = power_part(embeddings, place, *power)
    torch.testing.assert_close(found, literal(embeddings, place, *power), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.sum(0), torch.zeros(4).double(), atol=1e-12, rtol=0)


def test_only_the_last_digits_count_for_the_bases_primes():
    embeddings = planted.random(30, 4)
    for place, power in itertools.product(range(4), POWERS):
        counts = 30**place % power[0] ** power[1] != 0
        assert bool(power_part(embeddings, place, *power).abs().max() > 1e-6) == counts
    assert power_part(embeddings, 3, 7).abs().max() > 1e-3, "every digit counts for another prime"


def test_parts_of_a_prime_add_up():
    """What a digit of base 8 tells of n mod 2, of 4 beyond 2, and of 8 beyond 4, is everything."""
    embeddings = planted.random(8, 3)
    parts = [power_part(embeddings, 0, 2, e) for e in (1, 2, 3)]
    whole = embeddings.mean(0) + torch.stack(parts).sum(0)
    torch.testing.assert_close(whole, embeddings)
    for one, other in itertools.combinations(parts, 2):
        assert (one * other).sum(0).abs().max() < 1e-12, "they are orthogonal"


def test_divisibility_is_told_from_residues():
    digits = torch.arange(30)
    knows = torch.stack([(digits % q == 0).double() for q in (2, 3, 5)], 1)
    for q in (2, 3, 5):
        assert divisibility_share(knows, q) == pytest.approx(1)
        assert residue_part(knows, q).abs().max() < 1e-12
    residues = torch.nn.functional.one_hot(digits % 5).double()
    assert divisibility_share(residues, 5) == pytest.approx(1 / 4), "all alike: 1 / (q - 1)"
    wave = torch.cos(2 * torch.pi * digits[:, None] / 5)
    # cos of 0, 72, 144, ... degrees: 1 of the sum of squares 5 / 2 is at 0, and -1/4 at the others
    assert divisibility_share(wave, 5) == pytest.approx((1 + 4 / 16) / 2.5)
    without = residues - residue_part(residues, 5)
    assert divisibility_share(without, 5) == pytest.approx(1)


def test_zero_is_a_multiple_of_each_prime_and_itself():
    digits = torch.arange(6)
    multiples = torch.stack([(digits % q == 0).double() for q in (2, 3)], 1)
    torch.testing.assert_close(without_zero(multiples, [2, 3]), multiples)
    own = torch.cat([multiples, (digits == 0).double()[:, None]], 1)
    changed = without_zero(own, [2, 3])
    torch.testing.assert_close(changed[1:], own[1:])
    # The last column's means: 1/6 of all, 1/3 of even digits, 1/2 of multiples of 3.
    expected = torch.tensor([1, 1, 1 / 6 + (1 / 3 - 1 / 6) + (1 / 2 - 1 / 6)]).double()
    torch.testing.assert_close(changed[0], expected)
