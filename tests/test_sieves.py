"""The ladder of sieves against counts, and the area under the curve against its definition."""

import math

import pytest
import torch

from interp_utils import tasks
from interp_utils.analysis import sieves

ROWS = tasks.prime_rows()
NUMBERS, PRIME = ROWS.numbers.flatten(), ROWS.labels.flatten() == 1


def literally(scores, positive):
    """The share of pairs in order, one by one."""
    above = [scores[positive], scores[~positive]]
    wins = [(x > y) + (x == y) / 2 for x in above[0].tolist() for y in above[1].tolist()]
    return sum(wins) / len(wins)


def test_the_area_is_the_share_of_pairs_in_order():
    generator = torch.Generator().manual_seed(0)
    for levels in (2, 5, 1000):
        scores = torch.randint(levels, (60,), generator=generator).float()
        positive = torch.rand(60, generator=generator) < 0.3
        assert sieves.auc(scores, positive) == pytest.approx(literally(scores, positive), rel=1e-12)
        assert sieves.auc(-scores, positive) == pytest.approx(1 - literally(scores, positive))
    assert sieves.auc(positive.float(), positive) == 1.0


def test_the_ladder_on_the_rows_of_four_is_as_counted():
    """Spec E1: mod 3 has a true positive rate of 1, a false one of 0.527, and an AUC of 0.736."""
    rungs = sieves.ladder(NUMBERS, PRIME)
    assert [rung.divisors for rung in rungs] == list(sieves.LADDER)
    by_three = sieves.survivors(NUMBERS, [3])
    assert int(PRIME.sum()) == 1061 and by_three[PRIME].all()
    assert by_three[~PRIME].double().mean().item() == pytest.approx(0.527, abs=5e-4)
    assert [round(rung.auc, 3) for rung in rungs] == LADDER
    for rung in rungs:  # of a rule that says yes or no both are one number
        assert rung.auc == pytest.approx(rung.balanced_accuracy, rel=1e-12)
        passed = sum(all(n % q for q in rung.divisors) for n in NUMBERS[~PRIME].tolist())
        assert rung.auc == pytest.approx(1 - passed / int((~PRIME).sum()) / 2, rel=1e-12)
    # None: the entropy of the share of primes, 0.2947.
    p = 1062 / 3602
    counted = -(1061 * math.log2(p) + 2539 * math.log2(1 - p)) / 3600
    assert rungs[0].auc == 0.5 and rungs[0].bits == pytest.approx(counted, rel=1e-12)
    bits = [rung.bits for rung in rungs]
    assert bits == sorted(bits, reverse=True)


LADDER = [0.5, 0.736, 0.804, 0.869]


def test_shares_are_counted_on_the_mask_and_measured_elsewhere():
    numbers, prime = torch.arange(2, 2000), tasks.sieve(2000)[2:]
    mask = numbers < 1000
    (rung,) = sieves.ladder(numbers, prime, [(2, 3)], fit=mask)
    left = [(n % 2 > 0 and n % 3 > 0) or n in (2, 3) for n in range(2, 2000)]
    cost = 0.0
    for n in range(1000, 2000):
        like = [m - 2 for m in range(2, 1000) if left[m - 2] == left[n - 2]]
        share = (sum(prime[like].tolist()) + 1) / (len(like) + 2)
        cost -= math.log2(share if prime[n - 2] else 1 - share)
    assert rung.bits == pytest.approx(cost / 1000, rel=1e-10)
    test = ~mask
    assert rung.auc == sieves.auc(torch.tensor(left).float()[test], prime[test])


def test_a_sieve_keeps_its_divisors():
    assert sieves.survivors(torch.arange(12), [2, 3]).nonzero().flatten().tolist() == [
        1,
        2,
        3,
        5,
        7,
        11,
    ]
    assert sieves.survivors(torch.arange(5), []).all()


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (2, [(), (2,), (2, 3)]),
        (6, [(), (2, 3), (2, 3, 5), (2, 3, 5, 7)]),
        (10, [(), (2, 5), (2, 3, 5), (2, 3, 5, 11)]),
        (30, [(), (2, 3, 5), (2, 3, 5, 29), (2, 3, 5, 29, 31)]),
    ],
)
def test_sieves_of_a_base(base, expected):
    assert sieves.sieves_of_base(base) == expected


def test_bits_beyond_the_best_sieve():
    """A model that knows a sieve's shares is at zero, one that knows more is above it, one that is
    surer than it may be is below.
    """
    left = sieves.survivors(NUMBERS, [3])
    shares = torch.zeros(len(NUMBERS), dtype=torch.float64)
    for fate in (left, ~left):
        shares[fate] = (int(PRIME[fate].sum()) + 1) / (int(fate.sum()) + 2)
    logits = torch.stack([(1 - shares).log(), shares.log()], 1)
    by_three = [(), (3,)]
    assert sieves.bits_beyond(logits, NUMBERS, PRIME, by_three) == pytest.approx(0, abs=1e-12)
    assert sieves.bits_beyond(logits, NUMBERS, PRIME) < -0.05
    right = 20.0 * torch.stack([~PRIME, PRIME], 1).double()
    best = min(rung.bits for rung in sieves.ladder(NUMBERS, PRIME))
    assert sieves.bits_beyond(right, NUMBERS, PRIME) == pytest.approx(best, abs=1e-6)
    assert sieves.bits_beyond(50 * logits, NUMBERS, PRIME) < -1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="all 3 inputs are of one class"):
        sieves.auc(torch.rand(3), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="a score is NaN"):
        sieves.auc(torch.tensor([1.0, math.nan]), torch.tensor([True, False]))
    with pytest.raises(ValueError, match="divisors must be at least 2, got"):
        sieves.survivors(NUMBERS, [3, 1])
    with pytest.raises(ValueError, match="`fit` must select numbers to count on"):
        sieves.ladder(NUMBERS, PRIME, fit=torch.ones_like(PRIME))
