"""Rows of runs on primes and on greatest common divisors, and that a study takes them."""

from dataclasses import replace

import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, tasks, train
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.gcd import recipes as of_gcd
from interp_utils.experiments.gcd.row import measured
from interp_utils.experiments.primes import recipes as of_primes
from interp_utils.experiments.primes import row as primes_row
from interp_utils.experiments.studies import Study

MODEL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
SHORT = TrainConfig(steps=6, log_every=3, snapshot_every=None, lr=1e-2)
FRESH = replace(SHORT, batch_size=16)
GCD = tasks.gcd(6, 900, n_validation=20, n_test=60, n_gcds=9, per_gcd=20)


@pytest.mark.parametrize(
    ("task", "training"),
    [
        (tasks.primality(200, split="in_order"), SHORT),
        (tasks.primality(200, 6), SHORT),
        (tasks.prime_rows(10, 3), SHORT),
        (tasks.fresh_primality(2000, 10, n_validation=50, n_test=200), FRESH),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_row_of_primes(task, training, tmp_path):
    run = train(task, MODEL, training, out=tmp_path, device="cpu", progress=False)
    found = primes_row.row(run, "cpu")
    numbers, prime, logits, mask = primes_row.scored(run, device="cpu")
    assert prime.equal(tasks.sieve(int(numbers.max()) + 1)[numbers])
    test = torch.ones_like(prime) if mask is None else ~mask
    said = logits.argmax(1) == 1
    fit = test if mask is None else mask
    called = logits.double().softmax(1)[:, 1] > prime[fit].double().mean()
    rates = [(called == prime)[test & of_class].double().mean() for of_class in (prime, ~prime)]
    assert found["balanced test accuracy"] == pytest.approx(float(sum(rates)) / 2)
    held_out = "validation" if mask is None else "test"
    assert 0 <= found["test AUC"] <= 1 and f"{held_out}_accuracy" in run.metrics
    if mask is not None:
        accuracy = (said == prime)[test].double().mean().item()
        assert accuracy == pytest.approx(run.metrics["test_accuracy"].iloc[-1])
    assert found["AUC of none"] == 0.5 < found["AUC of 3"] <= found["AUC of the best sieve"]


def test_a_study_of_a_task_that_draws_has_rows(tmp_path):
    """Its held-out set is the validation set."""
    study = Study(
        name="gcd",
        trainings={"a": {"lr": 1e-2}},
        recipe=lambda lr: Recipe(lambda: GCD, MODEL, replace(FRESH, lr=lr)),
        look=lambda run: measured(run, device="cpu"),
        settle=1000,
    )
    study.work(tmp_path / "docs", tmp_path / "runs", progress=False)
    (row,) = study.rows(tmp_path / "docs").values()
    assert row["state"] == "not yet" and row["last step"] == 6 and row["generalised"] is None
    assert row["validation loss"] > 0 and "test loss" not in row and "learned" in row


def test_recipes_are_of_the_published_sizes():
    for base in of_gcd.STEPS:
        recipe = of_gcd.of_base(base, seed=1, steps=10)
        assert recipe.model.seed == 1 and recipe.make.keywords["seed"] == 1
    task = of_primes.atomic().task
    assert int(task.train_mask.sum()) == 700 and task.params["split"] == "in_order"
    assert of_primes.rows(seed=2).task.params["seed"] == 2
    assert of_primes.digits(6).task.base == 6
    assert of_primes.fresh(2).make.keywords["base"] == 2
