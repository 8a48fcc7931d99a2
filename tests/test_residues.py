"""Against Python's % and its integers without end; facts about numbers below 113^2."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils.analysis import residues
from tests.planted import primes_below


def remainders(numbers, moduli):
    """Of Python integers of any size."""
    return torch.tensor([[n % q for q in moduli] for n in numbers])


@pytest.mark.parametrize(
    "moduli", [[2, 3, 5, 7], [7, 2, 5, 3], [4, 9, 25], primes_below(113), primes_below(300)]
)
def test_mixed_radix_digits_make_the_number(moduli):
    product = math.prod(moduli)
    numbers = [0, 1, product - 1, product // 2, product // 3 + 7]
    for n, digits in zip(
        numbers, residues.mixed_radix(remainders(numbers, moduli), moduli).tolist(), strict=True
    ):
        assert sum(digit * math.prod(moduli[:i]) for i, digit in enumerate(digits)) == n
        assert all(0 <= digit < q for digit, q in zip(digits, moduli, strict=True))


@pytest.mark.parametrize("p", [11, 12, 23, 53, 113])
def test_remainders_by_all_primes_below_p_give_every_number_below_p_squared(p):
    moduli, n = primes_below(p), torch.arange(p * p)
    assert residues.number(remainders(range(p * p), moduli), moduli, p * p).equal(n)


def test_one_wrong_remainder_leaves_no_number_and_none_is_made_up():
    p, moduli = 53, primes_below(53)
    right = remainders(range(p * p), moduli)
    for head, q in enumerate(moduli):
        wrong = right.clone()
        wrong[:, head] = (wrong[:, head] + 1) % q
        assert residues.number(wrong, moduli, p * p).eq(-1).all()
    # With few moduli another number below the limit may have the changed remainders.
    few = [2, 3, 5, 7]
    changed = remainders([10], few)
    changed[0, 0] = 1
    assert residues.number(changed, few, 150).tolist() == [115] and residues.number(
        changed, few, 100
    ).tolist() == [-1]


@given(
    st.integers(2, 400),
    st.lists(st.sampled_from(primes_below(60)), min_size=1, max_size=6, unique=True),
    st.data(),
)
def test_number_is_found_by_search(limit, moduli, data):
    given_remainders = [data.draw(st.integers(0, q - 1)) for q in moduli]
    if math.prod(moduli) < limit:
        with pytest.raises(ValueError, match="numbers apart"):
            residues.number(torch.tensor(given_remainders), moduli, limit)
        return
    fitting = [
        n
        for n in range(limit)
        if all(n % q == r for q, r in zip(moduli, given_remainders, strict=True))
    ]
    assert (
        residues.number(torch.tensor(given_remainders), moduli, limit).item()
        == (fitting or [-1])[0]
    )


def test_no_zero_means_prime_but_for_the_small_primes_and_one():
    p = 113
    moduli, prime = primes_below(p), torch.zeros(p * p, dtype=torch.bool)
    prime[primes_below(p * p)] = True
    found = residues.detect_primes(remainders(range(p * p), moduli), prime)
    assert found == (1494, 1, 29, p * p - 1494 - 1 - 29)
    assert found.true_primes + found.missed_primes == 1523, "primes below 113^2"
    everything_prime = residues.detect_primes(
        torch.ones(p * p, len(moduli), dtype=torch.long), prime
    )
    assert everything_prime == (1523, p * p - 1523, 0, 0)


@pytest.mark.parametrize(
    ("values", "moduli", "message"),
    [
        ([[1, 1]], [2, 4], "share no factor"),
        ([[0, 0]], [1, 3], "at least 2"),
        ([[0, 0]], [2, 3, 5], "one remainder for each of 3"),
        ([[0, 3]], [2, 3], "from 0 to below their modulus; 1 are not"),
        ([[-1, 0]], [2, 3], "from 0 to below"),
    ],
)
def test_what_are_no_remainders_is_refused(values, moduli, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        residues.mixed_radix(torch.tensor(values), moduli)
