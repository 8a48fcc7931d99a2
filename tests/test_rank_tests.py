"""Rank tests against definitions written out, every relabelling of small samples, planted
differences and none.
"""

import itertools

import pytest
import torch

from interp_utils.analysis import rank_tests
from tests.planted import random


def literal_ranks(values):
    ordered = sorted(values)
    return [
        sum(place for place, other in enumerate(ordered, 1) if other == value)
        / ordered.count(value)
        for value in values
    ]


def literal_h(values, groups):
    own = literal_ranks(values)
    mean = sum(own) / len(own)
    between = sum(
        groups.count(g)
        * (sum(r for r, h in zip(own, groups, strict=True) if h == g) / groups.count(g) - mean) ** 2
        for g in set(groups)
    )
    return (len(own) - 1) * between / sum((r - mean) ** 2 for r in own)


def literal_rho(x, y):
    one, other = literal_ranks(x), literal_ranks(y)
    mean = (len(x) + 1) / 2
    products = sum((a - mean) * (b - mean) for a, b in zip(one, other, strict=True))
    return (
        products / (sum((a - mean) ** 2 for a in one) * sum((b - mean) ** 2 for b in other)) ** 0.5
    )


INF = float("inf")
SAMPLES = [
    [3.0, 1.0, 2.0, 5.0, 4.0, 6.0],
    [1.0, 1.0, 2.0, INF, INF, 0.0],
    [7.0, 7.0, 7.0, 7.0, 7.0, 1.0],
]


@pytest.mark.parametrize("values", SAMPLES)
def test_statistics_are_those_written_out(values):
    groups, other = [0, 0, 4, 4, 9, 9], [1.0, 4.0, 4.0, 3.0, 0.0, INF]
    assert rank_tests.mean_ranks(torch.tensor(values)).tolist() == pytest.approx(
        literal_ranks(values)
    )
    assert rank_tests.kruskal_wallis(
        torch.tensor(values), torch.tensor(groups), 9
    ).statistic == pytest.approx(literal_h(values, groups))
    assert rank_tests.spearman(
        torch.tensor(values), torch.tensor(other), 9
    ).statistic == pytest.approx(literal_rho(values, other))


def test_p_values_are_those_of_all_relabellings():
    values, groups = SAMPLES[1], [0, 0, 0, 1, 1, 1]
    orders = list(itertools.permutations(values))
    own = literal_h(values, groups)
    exact = sum(literal_h(list(order), groups) >= own - 1e-9 for order in orders) / len(orders)
    sampled = rank_tests.kruskal_wallis(torch.tensor(values), torch.tensor(groups)).p_value
    assert sampled == pytest.approx(exact, abs=0.015)  # three standard errors of 9,999 relabellings
    places = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    size = abs(literal_rho(values, places))
    exact = sum(abs(literal_rho(list(order), places)) >= size - 1e-9 for order in orders) / len(
        orders
    )
    assert rank_tests.spearman(torch.tensor(values), torch.tensor(places)).p_value == pytest.approx(
        exact, abs=0.015
    )


def test_a_planted_difference_is_found_and_none_is_not():
    """Where there is none, p-values are even: about one in twenty is below 0.05."""
    groups = torch.arange(18) % 3
    noise = random(200, 18)
    planted = noise[0] + 3 * groups
    assert (
        rank_tests.kruskal_wallis(planted, groups).p_value < 0.001
        and rank_tests.spearman(planted, groups.double()).p_value < 0.001
    )
    for n in (198, 199):  # none of the relabellings is as extreme
        assert rank_tests.kruskal_wallis(planted, groups, n).p_value == pytest.approx(1 / (n + 1))
    usual = rank_tests.kruskal_wallis(noise[0], groups)
    assert usual == rank_tests.kruskal_wallis(noise[0], groups, 9999, 0)
    assert rank_tests.spearman(planted, groups.double()).p_value == pytest.approx(1e-4)
    assert rank_tests.spearman(-planted, groups.double()).statistic == pytest.approx(
        -rank_tests.spearman(planted, groups.double()).statistic
    )
    p_values = torch.tensor(
        [rank_tests.kruskal_wallis(values, groups, 199).p_value for values in noise]
    )
    assert 0.01 <= (p_values <= 0.05).double().mean() <= 0.1 and abs(p_values.mean() - 0.5) < 0.08


def test_what_cannot_be_ranked_is_refused():
    values, groups = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 1, 1])
    with pytest.raises(ValueError, match="NaN has no rank"):
        rank_tests.mean_ranks(torch.tensor([1.0, float("nan")]))
    with pytest.raises(ValueError, match="at least two"):
        rank_tests.kruskal_wallis(values, torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="all equal"):
        rank_tests.kruskal_wallis(torch.ones(3), groups)
    with pytest.raises(ValueError, match="all equal"):
        rank_tests.spearman(values, torch.full((3,), INF))
