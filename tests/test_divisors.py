"""The three rules on planted answers: an oracle, one with noise, one that memorises."""

import math

import pytest
import torch

from interp_utils.analysis import divisors

BASES = {  # of each base: products up to 100, and 100 times their bound
    2: (7, 81.05),
    3: (5, 68.39),
    5: (3, 63.32),
    6: (20, 91.17),
    7: (3, 62.06),
    10: (15, 84.42),
    12: (20, 91.17),
    15: (10, 71.23),
    30: (34, 94.94),
    60: (34, 94.94),
    210: (46, 96.87),
    420: (46, 96.87),
}
PUBLISHED = {2: (7, 81.6), 10: (13, 84.7), 30: (27, 94.7), 210: (32, 95.5), 420: (38, 96.8)}
STRATA = torch.arange(1, 101).repeat_interleave(50)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def oracle(learned, gcds):
    """The largest of D that divides the gcd."""
    return torch.tensor([max(d for d in learned if k % d == 0) for k in gcds.tolist()])


@pytest.mark.parametrize("base", BASES)
def test_products_of_a_base_and_their_bound(base):
    found = divisors.products(divisors.prime_factors(base))
    count, percent = BASES[base]
    assert len(found) == count and 100 * divisors.bound(found) == pytest.approx(percent, abs=0.005)
    # k divides a power of the base, and nothing else does.
    assert found == [k for k in range(1, 101) if base**7 % k == 0]


@pytest.mark.parametrize("base", PUBLISHED)
def test_published_accuracies_are_near_the_bound_of_as_many_gcds(base):
    count, percent = PUBLISHED[base]
    smallest = divisors.products(divisors.prime_factors(base))[:count]
    assert -0.6 < 100 * divisors.bound(smallest) - percent < 1.3


def test_the_bound_is_the_accuracy_of_the_oracle_on_uniform_pairs():
    learned = divisors.products([2, 5])
    a, b = torch.randint(1, 10**6, (2, 20_000), generator=generator())
    gcds = torch.gcd(a, b)
    accuracy = (oracle(learned, gcds) == gcds).double().mean().item()
    assert accuracy == pytest.approx(divisors.bound(learned), abs=4 * math.sqrt(0.13 / 20_000))
    everything = divisors.bound(range(1, 100_000))
    assert everything == pytest.approx(1, abs=1e-5) and divisors.bound([]) == 0


@pytest.mark.parametrize(
    ("learned", "base"), [([1, 2, 4], 2), ([1, 2, 4, 5, 10, 20], 10), ([1, 3, 9, 27, 81], 3)]
)
def test_the_oracle_follows_all_rules(learned, base):
    found = divisors.check(oracle(learned, STRATA), STRATA, base)
    assert found == divisors.Rules(learned, 1.0, [], [], [], 1.0)


def test_an_oracle_with_a_prime_of_its_own_is_outside_the_base():
    learned = [1, 2, 3, 4, 6, 12]
    found = divisors.check(oracle(learned, STRATA), STRATA, 10)
    assert found.learned == learned and found.outside == [3, 6, 12]
    assert (found.missing, found.unexpected, found.largest) == ([], [], 1.0)


def test_answers_that_break_the_second_rule():
    """D has 4 and 5 without 20, and 36 without 9 or 3."""
    found = divisors.check(oracle([1, 2, 4, 5, 10, 36], STRATA), STRATA, 10)
    assert found.missing == [20] and found.unexpected == [36] and found.largest == 1.0
    assert divisors.closure([1, 2, 4, 5]) == [1, 2, 4, 5, 10, 20]
    assert divisors.closure([]) == [1] and divisors.closure([1, 8]) == [1]


def test_noise_lowers_the_share_of_one_answer_and_nothing_else():
    learned = [1, 2, 4, 5, 10, 20]
    exact, chance = oracle(learned, STRATA), torch.rand(len(STRATA), generator=generator(1))
    noise = torch.randint(1, 101, (len(STRATA),), generator=generator(2))
    found = divisors.check(exact.where(chance > 0.02, noise), STRATA, 10)
    expected = exact.where(chance > 0.02, noise).eq(exact).double().mean().item()
    assert found.one_answer == pytest.approx(expected) and 0.97 < expected < 0.99
    assert found.largest == 1.0 and set(found.learned) <= set(learned)
    louder = divisors.check(exact.where(chance > 0.5, noise), STRATA, 10)
    assert louder.learned == [] and louder.one_answer < 0.6 and louder.largest == 0.0


def test_a_memoriser_breaks_the_rules():
    """Answers that are right for a random half, whatever the gcd, and scattered for the others."""
    scattered = torch.randint(1, 101, (len(STRATA),), generator=generator(3))
    memorised = torch.rand(len(STRATA), generator=generator(4)) < 0.5
    found = divisors.check(STRATA.where(memorised, scattered), STRATA, 10)
    assert found.learned == [] and found.one_answer < 0.6 and found.largest < 0.05
    # One that is right nearly always has learned all, of which most is outside the base.
    nearly = divisors.check(STRATA, STRATA, 10)
    assert len(nearly.learned) == 100 and len(nearly.outside) == 85


def test_one_answer_for_each_gcd():
    gcds = torch.tensor([1, 1, 1, 2, 2, 3, 7])
    answers = torch.tensor([1, 1, -1, 4, 2, 3, 9])
    modal = divisors.modal_answers(answers, gcds, 3)
    assert modal.answer.tolist() == [1, 2, 3] and modal.count.tolist() == [3, 2, 1]
    assert modal.share.tolist() == pytest.approx([2 / 3, 1 / 2, 1])
    shares = divisors.confusion(answers, gcds, 3)
    expected = [[2 / 3, 0, 0, 1 / 3], [0, 1 / 2, 0, 1 / 2], [0, 0, 1, 0]]
    torch.testing.assert_close(shares, torch.tensor(expected).double(), rtol=0, atol=1e-7)
    assert divisors.learned_gcds(answers, gcds, 3) == [3]
    assert divisors.largest_divisors([2, 3], 6).tolist() == [0, 2, 3, 2, 0, 3]


def test_exactly_95_percent_is_not_learned():
    gcds = torch.ones(20, dtype=torch.int64)
    assert divisors.learned_gcds(gcds.clone().index_fill_(0, torch.tensor([3]), 2), gcds, 1) == []
    assert divisors.learned_gcds(gcds, gcds, 1) == [1]


def test_bad_input_is_named():
    gcds = torch.tensor([1, 2, 4])
    with pytest.raises(ValueError, match="no pair has gcd 3, 5: take a stratified set, or a small"):
        divisors.check(gcds, gcds, 10, up_to=5)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        divisors.prime_factors(0)
