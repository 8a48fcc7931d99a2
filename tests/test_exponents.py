"""Exponents: a renamed model and a renamed training against modular addition's own, and facts of
the task counted one by one.
"""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    RunConfig,
    TrainConfig,
    exponents,
    models,
    tasks,
    train,
)
from interp_utils.training.trainer import Trainer
from tests.planted import random
from tests.small import SMALL_MODEL
from tests.test_forward import random_weights

P = 11  # 3 and 7 have no factor of 10: x^3 and x^7 are bijections; x^5 has the classes 0, 1, 10


def renamed(p: int, a: int) -> tuple[tasks.Task, tasks.Task, torch.Tensor]:
    """Modular addition, x^a + y^a with the same pairs for training under their other names, and
    those names.
    """
    plain, u = tasks.modular_addition(p, 0.6), tasks.powers(p, a)
    mask = plain.train_mask.view(p, p)[u][:, u].flatten()
    return plain, replace(tasks.exponentiated_addition(p, a, a), train_mask=mask), u


@pytest.mark.parametrize(("p", "a", "b"), [(11, 1, 3), (11, 5, 2), (13, 4, 6), (12, 2, 3)])
def test_describe_counts(p, a, b):
    task = tasks.exponentiated_addition(p, a, b, seed=3)
    x_classes, y_classes = ({n**exponent % p for n in range(p)} for exponent in (a, b))
    labels = Counter((x**a + y**b) % p for x in range(p) for y in range(p))
    shares = [count / p**2 for count in labels.values()]
    names = [(x**a % p, y**b % p) for x in range(p) for y in range(p)]
    seen = {name for name, train in zip(names, task.train_mask, strict=True) if train}
    test = [
        name not in seen for name, train in zip(names, task.train_mask, strict=True) if not train
    ]
    expected = {
        "classes of x": len(x_classes),
        "classes of y": len(y_classes),
        "labels that occur": len(labels),
        "pairs of label 0": labels[0] / p**2,
        "entropy of labels": -sum(share * math.log(share) for share in shares) / math.log(p),
        "unseen": sum(test) / len(test),
    }
    assert exponents.describe(task) == pytest.approx(expected)


def test_a_renamed_model_is_modular_addition_in_its_new_names():
    """W_E'[x] = W_E[u[x]]: in (u, v) every number is that of the original in (a, b), in (x, y) none
    is.
    """
    plain, cubes, u = renamed(P, 3)
    config = SMALL_MODEL.for_task(plain)
    weights = random_weights(config)
    moved = {**weights, "embed.W_E": weights["embed.W_E"][[*u.tolist(), P]]}
    original, model = (
        CachedModel(models.build(config, weights), plain),
        CachedModel(models.build(config, moved), cubes),
    )
    logits, labels, mask = exponents.in_sums(model.logits, cubes)
    assert (
        torch.allclose(logits, original.logits, atol=1e-5)
        and labels.equal(plain.labels)
        and mask.equal(plain.train_mask)
    )
    assert not torch.allclose(model.logits, original.logits, atol=1e-2)
    for own, moved_part in zip(exponents.written(original), exponents.written(model), strict=True):
        assert torch.allclose(own[u], moved_part, atol=1e-5)
    own, other = exponents.neuron_shares(original), exponents.neuron_shares(model)
    assert torch.allclose(own["(x, y)"], other["(u, v)"], atol=1e-4) and torch.allclose(
        own["(u, v) shuffled"], other["(u, v) shuffled"], atol=1e-4
    )
    assert not torch.allclose(own["(x, y)"], other["(x, y)"], atol=1e-2)


def test_planted_waves_of_classes_are_found_in_u_and_v_alone():
    p = 29
    task = tasks.exponentiated_addition(p, 2, 4)
    u, v = exponents.new_names(task)
    angles = 2 * math.pi * 3 / p * (u[:, None] + v)
    config = ModelConfig(d_model=8, n_heads=1, d_head=4, d_mlp=2).for_task(task)
    model = CachedModel(models.build(config, random_weights(config)), task)
    planted = model.with_values({"post": torch.stack([angles.cos(), angles.sin()], -1)})
    shares = exponents.neuron_shares(planted)
    assert shares["(u, v)"].min() > 0.999
    assert shares["(x, y)"].max() < 0.5 and shares["(u, v) shuffled"].max() < 0.7


def test_a_renamed_training_is_modular_additions():
    """x -> x^3 is a bijection: from embeddings renamed alike, on the same pairs renamed alike,
    losses agree to rounding.
    """
    (plain, cubes, u), n_steps = renamed(P, 3), 200
    losses = {}
    for name, task, rows in (
        ("plain", plain, torch.arange(P)),
        ("renamed", cubes, u),
        ("not renamed", cubes, torch.arange(P)),
    ):
        config = RunConfig(
            replace(SMALL_MODEL, seed=1).for_task(task), TrainConfig(steps=n_steps, lr=1e-2)
        )
        weights = models.initial_weights(config.model)
        weights["embed.W_E"][:P] = weights["embed.W_E"][rows]
        trainer = Trainer(task, config, torch.device("cpu"), weights)
        for _ in range(n_steps):
            trainer.update()
        losses[name] = torch.stack(trainer.losses)
    assert torch.allclose(losses["renamed"], losses["plain"], rtol=1e-3)
    assert losses["plain"][-1] < 0.5 * losses["plain"][0]
    assert not torch.allclose(losses["not renamed"], losses["plain"], rtol=1e-2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[tuple[int, int], Run]:
    """Short trainings, for their columns."""
    path = tmp_path_factory.mktemp("exponents")
    pairs = [(3, 7), (2, 2), (1, 5)]
    config = TrainConfig(steps=40, log_every=5)
    return {
        (a, b): train(
            tasks.exponentiated_addition(P, a, b, 0.6),
            SMALL_MODEL,
            config,
            out=path / f"{a}_{b}",
            progress=False,
        )
        for a, b in pairs
    }


def test_headline(runs):
    rows = {pair: exponents.headline(run) for pair, run in runs.items()}
    assert {pair for pair, row in rows.items() if "restricted loss" in row} == {(3, 7)}
    for (a, b), row in rows.items():
        run = runs[a, b]
        assert (row["p"], row["a"], row["b"], row["steps"]) == (P, a, b, 40)
        assert exponents.describe(run.task).items() <= row.items()
        right = CachedModel(run.model(), run.task).logits.flatten(0, 1).argmax(1) == run.task.labels
        wrong = run.task.tokens[run.task.test_mask & ~right]
        assert row["test errors"] == len(wrong) and row["test errors with a 0"] == sum(
            0 in pair[:2] for pair in wrong.tolist()
        )
        assert row["test accuracy"] == pytest.approx(
            1 - len(wrong) / run.task.test_mask.sum().item()
        )
        W_E = run.weights()["embed.W_E"][:P].double()
        odd = W_E - W_E[[0, *range(P - 1, 0, -1)]]
        total = (W_E - W_E.mean(0)).square().sum()
        assert row["W_E in x, share of sines"] == pytest.approx(
            (odd.square().sum() / 4 / total).item(), rel=1e-3
        )
        assert row["W_E in x, share of the five largest"] == pytest.approx(1)  # there are five


def test_only_bijections_have_a_grid_of_sums():
    with pytest.raises(ValueError, match="bijections"):
        exponents.in_sums(random(P, P, P), tasks.exponentiated_addition(P, 3, 2))
