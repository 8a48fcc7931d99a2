"""The numbers of the phase diagrams, on planted trainings whose answers are known."""

import math

import numpy as np
import pytest
import torch

from interp_utils import tasks
from interp_utils.experiments.phase_diagrams import (
    architectures,
    branches,
    cells,
    grids,
    operations,
    plateau,
    scaling,
    studies,
)

P = 11


def row(memorised, generalised, **settings):
    last = settings.pop("last", 1000)
    steps = {"memorised first": memorised, "generalised": generalised, "last step": last}
    return steps | settings


def test_an_exponent_that_was_planted_is_found():
    lr, decay = np.meshgrid([1e-3, 2e-3, 8e-3], [0.5, 1.0, 4.0])
    x = {"lr": lr.ravel().tolist(), "weight_decay": decay.ravel().tolist()}
    y = [3 * r**-1.5 * d**0.5 for r, d in zip(*x.values(), strict=True)]
    law = scaling.power_law(x, y)
    for name, exponent in (("lr", -1.5), ("weight_decay", 0.5)):
        assert law.exponents[name] == pytest.approx((exponent,) * 3)
    assert law.misses == pytest.approx(1)
    assert law.shuffled["lr"][0] < 0 < law.shuffled["lr"][1], "and none of what is shuffled"


def test_the_spread_of_an_exponent_is_that_of_its_noise():
    """Wider with more noise, with the planted one inside; a random y has none."""
    draw = np.random.RandomState(0)
    log_x, widths = draw.uniform(-2, 2, 60), []
    x = {"x": np.exp(log_x).tolist()}
    for noise in (0.05, 0.5):
        y = np.exp(noise * draw.randn(60) - log_x)
        found, low, high = scaling.power_law(x, y.tolist()).exponents["x"]
        assert low < -1 < high and low < found < high
        widths.append(high - low)
    assert widths[1] > 5 * widths[0]
    _, low, high = scaling.power_law(x, np.exp(draw.randn(60)).tolist()).exponents["x"]
    assert low < 0 < high


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ({"x": [1.0, 2.0]}, [0.0, 1.0], "of numbers above zero"),
        ({"x": [1.0, 2.0], "z": [2.0, 4.0]}, [1.0, 1.0], "cannot be told apart"),
        ({"x": [2.0, 2.0]}, [1.0, 3.0], "cannot be told apart"),
    ],
)
def test_what_no_law_can_be_fitted_to_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        scaling.power_law(x, y)


def test_a_censored_training_is_later_than_all_and_not_dropped():
    rows = [row(10, 100), row(10, None), row(10, None)]
    assert cells.median_step(rows) == math.inf == cells.median_delay(rows)
    assert cells.median_step(rows[:1] * 2 + rows[1:2]) == 100
    assert cells.median_delay(rows[:1]) == 90 and cells.delay(row(None, 50)) == 0
    assert cells.spelt(rows) == "1 grokking, 2 memorisation"
    assert cells.usual_phase(rows) == "memorisation" and cells.spelt(rows[1:]) == "memorisation"


def test_the_fit_is_of_cells_where_a_law_can_hold():
    """A censored training would bend it, were the slower half of its cell left out; and so would
    cells in which weight decay has acted before there was anything to forget.
    """

    def delay(lr, decay):
        return round(10 / (lr * decay))

    rows = [
        row(10, 10 + delay(lr, decay), lr=lr, weight_decay=decay)
        for lr in (0.001, 0.002, 0.004)
        for decay in (1.0, 2.0)
    ]
    law = grids.fit(rows)
    assert [found[0] for found in law.exponents.values()] == pytest.approx([-1, -1])
    half = [row(10, 60, lr=0.001, weight_decay=0.5), row(10, None, lr=0.001, weight_decay=0.5)]
    at_once = [row(10, 12, lr=0.1, weight_decay=4.0)]
    assert grids.fit([*rows, *half, *at_once]) == law
    late = [row(10, 9000, lr=0.001, weight_decay=0.5)]
    assert grids.fit([*rows, *late]) != law, "late or early, what is left out is not by its delay"


def test_phases_in_order():
    memorised, grokked, at_once, confused = (
        row(10, None),
        row(10, 100),
        row(10, 12),
        row(None, None),
    )

    def of(*phases):
        by_cell = {(decay, 0.5): [each] for decay, each in enumerate(phases)}
        return grids.in_order(by_cell, [0.5])

    assert of(memorised, grokked, at_once, confused) == [True]
    assert of(memorised, at_once) == [True] and of(grokked, memorised, at_once) == [False]
    assert of(memorised, memorised) == [], "one phase is no order"


def test_least_shares():
    rows = [
        row(10, None, weight_decay=1.0, share=0.2),
        row(10, 20, weight_decay=1.0, share=0.4),
        row(10, 20, weight_decay=1.0, share=0.3),
        row(10, None, weight_decay=2.0, share=0.4),
    ]
    assert grids.least_share(rows, 1.0) == 0.3 and grids.least_share(rows, 2.0) == math.inf
    assert grids.not_growing([0.5, 0.5, 0.3, 0.4]) == [True, True, False]


def test_where_a_branch_crosses():
    branch = {0.1: 0.0, 0.2: 0.5, 0.3: 0.9, 0.4: 1.0}
    assert branches.crossing(branch, 0.7) == pytest.approx(0.25)
    assert branches.crossing({0.1: 0.8, 0.2: 0.2, 0.3: 1.0}, 0.7) == pytest.approx(0.2625)
    assert branches.crossing({0.1: 0.1, 0.2: 0.6}, 0.7) is None, "never above"
    assert branches.crossing({0.1: 0.8, 0.2: 0.9}, 0.7) is None, "always above"


def test_no_sum_is_what_no_renaming_makes_one():
    """Against every u, v and h there are, for p = 3; and never of a sum, however it is named.
    Answers can be renamed, so that the first pair's may be 0.
    """
    import itertools

    p = 3
    every = list(itertools.product(range(p), repeat=p))
    sums = {
        tuple(h[(u[a] + v[b]) % p] for a in range(p) for b in range(p))
        for u in every
        for v in every
        for h in every
    }
    task = tasks.modular_addition(p)
    said = 0
    for others in itertools.product(range(p), repeat=p * p - 1):
        labels = (0, *others)
        table = dict(task.__dict__, labels=torch.tensor(labels), operation=None)
        made = tasks.Task(**{k: v for k, v in table.items() if k in task.__dataclass_fields__})
        if operations.is_no_sum(made):
            said += 1
            assert labels not in sums
    assert said > 300


def test_which_operations_are_sums():
    (study,) = [each for each in studies.STUDIES if each.name == "operations"]
    names = ["a + b", *(of["operation"] for of in study.trainings.values())]
    sums = {name for name in names if operations.task_of(name).operation is not None}
    no_sums = {name for name in names if operations.is_no_sum(operations.task_of(name))}
    assert sums == {"a + b", "a - b", "a^2 + b^2", "a^2 - b^2", "a b"}
    assert no_sums == {"a^2 + a b + b^2", "a^3 + a b^2 + b"}
    assert set(names) - sums - no_sums == {"a / b"}


def test_test_accuracy_after_a_fork():
    forked = {"steps": [400, 420, 440], "test accuracies": [1.0, 0.8, 0.5]}
    assert [branches.after(forked, n) for n in (0, 19, 20, 39, 40, 99)] == [
        1,
        1,
        0.8,
        0.8,
        0.5,
        0.5,
    ]
    rows = [forked | {"weight_decay": 1.0, "share": share} for share in (0.1, 0.1, 0.2)]
    rows[0] = rows[0] | {"test accuracies": [1.0, 0.6, 0.5]}
    assert branches.medians_after(rows, 1.0, 20) == {0.1: pytest.approx(0.7), 0.2: 0.8}
    assert branches.largest_difference({0.1: 0.5, 0.2: 1.0}, {0.1: 0.4, 0.2: 0.7}) == pytest.approx(
        0.3
    )


def test_waits_are_compared_with_going_on_alike():
    """Steps of a fork count from it; with other weights they count from zero anyway."""
    steps = dict.fromkeys(plateau.WAYS_ON, 700) | {"twice the weight decay": 450}
    steps |= {"the same weights, new moments": 400, "weights x 0.6": 100}
    rows = [row(50, step, way=way) for way, step in steps.items()]
    found = plateau.of_plateau(rows)
    assert found["wait, twice the weight decay"] == 0.5, "250 steps over 500"
    assert found["wait, weights x 0.6"] == 0.25 and found["wait, weights x 0.8"] == 1.75
    assert found["censored"] == []
    late = [each | {"generalised": None} if each["way"] == "as it was" else each for each in rows]
    assert plateau.of_plateau(late)["censored"] == ["as it was"]


def test_other_models_are_compared_with_the_usual_one():
    keys = {"key frequencies": 3}
    rows = [row(50, 100, varied="p", value=97, **keys), row(50, 400, varied="p", value=23, **keys)]
    rows += [row(50, None, varied="MLP", value=False, **keys)]
    found = architectures.of_architectures(rows, [row(50, 200)])
    assert found["steps, p 97 over the usual"] == 0.5 and found["steps, p 23 over the usual"] == 2
    assert found["generalises, MLP False"] == [False]
    assert "steps, MLP False over the usual" not in found, "a censored median is no number"
    assert found["steps by p"] == [[23, 400], [53, 200], [97, 100]]
