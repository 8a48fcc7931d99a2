"""Shares by period: literal variances, planted periods, and what noise has."""

import pytest
import torch

from interp_utils.analysis import periods, relabelling
from tests.planted import angle, numbers, primes_below, random, remainder_task


def literal_share(column, classes):
    """Variance of the class means over the variance, class by class."""
    between = sum(
        (classes == c).sum() * (column[classes == c].mean() - column.mean()) ** 2
        for c in set(classes.tolist())
    )
    return (between / ((column - column.mean()) ** 2).sum()).item()


@pytest.mark.parametrize("p", [11, 12])
def test_class_shares_are_variances_of_class_means(p):
    task, values = remainder_task(p), random(p * p, 3) + 5
    shares = periods.class_shares(values, task.labels)
    expected = [[literal_share(column, answer) for column in values.T] for answer in task.labels.T]
    assert torch.allclose(shares, torch.tensor(expected, dtype=torch.float64))


def test_classes_find_planted_heads_and_digits_and_dead_neurons_have_none():
    p, task = 23, remainder_task(23)
    n = torch.arange(p * p)
    function_of_7, function_of_low = random(7)[n % 7], random(p, seed=1)[n % p]
    values = torch.stack([function_of_7, function_of_low, torch.full_like(function_of_7, 3.3)], 1)
    of_answers = periods.class_shares(values, task.labels)
    assert of_answers[primes_below(23).index(7), 0].item() == pytest.approx(1)
    assert of_answers[:, 2].isnan().all() and not of_answers[:, :2].isnan().any()
    others = [i for i, q in enumerate(task.n_classes) if q != 7]
    assert of_answers[others, 0].max() < 0.05
    of_digits = periods.class_shares(values, task.tokens[:, :2])
    assert of_digits[:, 1].tolist() == pytest.approx([0, 1], abs=1e-9)


def test_noise_has_an_adjusted_share_of_zero():
    p, q = 23, primes_below(23)
    values = random(p * p, 400)
    task = remainder_task(p)
    shares = periods.class_shares(values, task.labels)
    expected = (torch.tensor(q).double() - 1) / (p * p - 1)
    assert torch.allclose(shares.mean(1), expected, rtol=0.15)
    assert periods.adjusted(shares, q, p * p).mean(1).abs().max() < 1e-3
    assert periods.adjusted(torch.ones(2), [2, 3], 9).tolist() == [1, 1]
    assert periods.adjusted(torch.ones(2), [9, 3], 9)[0].isnan()
    assert periods.adjusted(torch.tensor([0.25]).double(), [3], 9).item() == pytest.approx(
        1 - 0.75 * 8 / 6
    )


@pytest.mark.parametrize("p", [23, 24, 53])
def test_an_embedding_of_one_period(p):
    moduli, x = primes_below(p), torch.arange(p)
    embedding = random(7, 16)[x % 7]
    shares = periods.period_shares(embedding, moduli)
    assert shares[moduli.index(7)].item() == pytest.approx(1) and shares.sort().values[-2] < 0.75
    noise = torch.stack(
        [periods.period_shares(random(p, 64, seed=seed), moduli) for seed in range(20)]
    )
    assert noise.mean(0).abs().max() < 0.05, "nothing, whatever q"
    raw = torch.tensor([1 - relabelling.within_share(random(p, 500), x % q) for q in moduli])
    assert torch.allclose(raw, (torch.tensor(moduli) - 1) / (p - 1), atol=0.02), (
        "though unadjusted much of it"
    )


def test_the_high_digit_has_the_same_functions():
    """Functions of p x mod q are functions of x mod q, with other frequencies: p k mod q for k."""
    p, q, k = 53, 7, 2
    x = torch.arange(p)
    high = torch.cos(angle(q, k) * ((p * x) % q).double())[:, None]
    assert periods.period_shares(high, [q]).item() == pytest.approx(1)
    folded = min(p * k % q, -p * k % q)
    assert relabelling.frequency_shares(high, x, q)[folded].item() == pytest.approx(1)
    assert folded != k


def test_digit_classes_hold_whatever_the_digits_mod_q_determine():
    p = 11
    task = remainder_task(p)
    classes = periods.digit_classes(task.tokens, [2, 5])
    for q, column in zip([2, 5], classes.T, strict=True):
        pairs = {}
        for (high, low, _), name in zip(task.tokens.tolist(), column.tolist(), strict=True):
            pairs.setdefault((high % q, low % q), set()).add(name)
        assert len(pairs) == q * q and sorted(
            name for names in pairs.values() for name in names
        ) == list(range(q * q))
    product = ((task.tokens[:, 0] % 5) * (task.tokens[:, 1] % 5)).double()[:, None]
    by_5 = periods.class_shares(
        product, torch.stack([classes[:, 1], task.labels[:, task.n_classes.index(5)]], 1)
    )
    assert by_5[0].item() == pytest.approx(1) and by_5[1] < 0.9
    assert (
        periods.digit_classes(task.tokens, [5], digits=[1]).flatten().equal(task.tokens[:, 1] % 5)
    )


@pytest.mark.parametrize("low_first", [False, True])
@pytest.mark.parametrize("p", [23, 24])
def test_best_waves_of_neurons_that_add_two_waves_and_take_relu(p, low_first):
    moduli, x = primes_below(p), numbers(p)
    planted = [(q, k) for q in (2, 3, 5, 7, 11) if p % q for k in (1, q // 2)]
    places = (1, p) if low_first else (p, 1)
    activations = torch.zeros(p, p, len(planted) + 1, dtype=torch.float64)
    for neuron, (q, k) in enumerate(planted):
        a, b = (torch.cos(angle(q, k) * (place * x % q) + 0.4) for place in places)
        activations[..., neuron] = (a[:, None] + b).relu()
    waves = periods.best_waves(activations, places, moduli)
    assert list(zip(waves.period.tolist(), waves.frequency.tolist(), strict=True)) == [
        *planted,
        (0, 0),
    ]
    assert waves.share[:-1].min() > 0.7 and waves.share[-1] == 0
    if p % 2:  # the digits the other way round: the wave of the high digit is taken for another one
        swapped = periods.best_waves(activations, places[::-1], moduli)
        assert (swapped.share[:-1] < 0.7).any()


def test_noise_has_no_best_wave():
    assert periods.best_waves(random(23, 23, 50), (23, 1), primes_below(23)).share.max() < 0.15


def test_without_classes():
    p, q = 23, 5
    x = torch.arange(p)
    values = random(p, 6)
    rest = periods.without_classes(values, x % q)
    means = torch.stack([values[x % q == c].mean(0) for c in range(q)])
    assert torch.allclose(rest, values - means[x % q] + values.mean(0))
    assert torch.allclose(
        periods.without_classes(means[x % q], x % q), means[x % q].mean(0).expand(p, -1)
    )
    assert torch.allclose(rest.mean(0), values.mean(0))
    assert torch.allclose(periods.without_classes(rest, x % q), rest), "a projection"
