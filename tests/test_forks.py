"""Recipes that start from another training's weights."""

import dataclasses
import math
from functools import partial

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, experiments, fork, tasks, train
from interp_utils.experiments import shipping
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.forks import Fork, Rescaled
from interp_utils.experiments.studies import GENERALISED, Study

SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
SOURCE = Recipe(
    partial(tasks.modular_addition, 7, 0.9),
    SMALL,
    TrainConfig(steps=200, lr=2e-2, log_every=10, snapshot_every=None),
)
GROKKED = dataclasses.replace(SOURCE.seeded(1), train=dataclasses.replace(SOURCE.train, steps=400))
LESS = partial(tasks.modular_addition, 7, 0.5)


def on(**changes) -> Fork:
    given = {"source": SOURCE, "step": 200} | changes
    return Fork(LESS, SMALL, dataclasses.replace(SOURCE.train, steps=260), **given)


def test_a_fork_goes_on_where_its_source_ended(tmp_path):
    run = on().trained(tmp_path / "forked", progress=False)
    source = train(*SOURCE, out=tmp_path / "source", progress=False)
    literal = fork(source, 200, out=tmp_path / "literal", task=LESS(), steps=260, progress=False)
    assert all(w.equal(literal.weights()[name]) for name, w in run.weights().items())
    assert (run.step, run.origin.step, run.origin.moments) == (260, 200, True)
    assert run.task.train_mask.equal(LESS().train_mask) and run.metrics["step"].iloc[0] == 200
    again = on().trained(tmp_path / "forked", progress=False)
    assert again.metrics.equals(run.metrics)


def test_a_fork_of_a_run_that_ships_trains_no_source(tmp_path, monkeypatch):
    source = SOURCE.trained(tmp_path / "shipped", progress=False)
    monkeypatch.setattr(Recipe, "trained", lambda *_, **__: pytest.fail("the source is trained"))
    run = on(run=source.path).trained(tmp_path / "forked", progress=False)
    assert run.origin.run == "shipped"


def test_a_fork_ships_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "recipes", lambda: {"forked": on()})
    run = shipping.ship("forked", tmp_path / "runs", tmp_path / "checkpoints", progress=False)
    assert (run.step, run.origin.step) == (260, 200)
    assert Run.load(tmp_path / "checkpoints" / "forked").origin == run.origin


def test_a_seed_is_the_sources_too(tmp_path):
    seeded = on().seeded(3)
    assert (seeded.model.seed, seeded.source.model.seed) == (3, 3)
    assert seeded.source.task.train_mask.equal(SOURCE.seeded(3).task.train_mask)
    with pytest.raises(ValueError, match="starts from the run .*shipped, which has one seed"):
        on(run=tmp_path / "shipped").seeded(3)


@pytest.mark.parametrize("keep_logits", [False, True])
def test_rescaled_weights(keep_logits, tmp_path):
    source = SOURCE.trained(tmp_path / "source", progress=False)
    scaled = Rescaled(0.5, keep_logits)(source, 200)
    for name, weight in source.weights(200).items():
        if name != "unembed.W_U" or not keep_logits:
            assert scaled[name].equal(weight / 2), name
    start = on(run=source.path, start=Rescaled(0.5, keep_logits))
    run = start.trained(tmp_path / "forked", progress=False)
    assert run.origin.step == 0 and not run.origin.moments
    assert all(w.equal(scaled[name]) for name, w in run.weights(0).items())
    std = [
        CachedModel(each.model(step), SOURCE.task).logits.std()
        for each, step in ((source, 200), (run, 0))
    ]
    kept = math.isclose(std[0], std[1], rel_tol=1e-5)
    assert kept == keep_logits and (keep_logits or std[1] < std[0] / 4)
    same = Rescaled(1.0, keep_logits)(source, 200)
    for name, weight in source.weights(200).items():
        assert torch.allclose(same[name], weight, rtol=1e-6)


def test_a_digest_is_of_everything_that_a_fork_starts_from():
    other = dataclasses.replace(SOURCE, model=dataclasses.replace(SMALL, seed=1))
    same_training = Recipe(LESS, SMALL, on().train)
    every = [
        same_training,
        on(),
        on(source=other),
        on(step=100),
        on(start=Rescaled(0.5)),
        on(start=Rescaled(0.5, keep_logits=True)),
    ]
    assert len({recipe.digest for recipe in every}) == len(every)
    assert on().digest == on().digest


def test_a_study_of_forks_trains_to_the_last_step(tmp_path):
    """Though test accuracy is high from the first on."""
    again = dataclasses.replace(GROKKED.train, steps=550)
    recipe = Fork(GROKKED.make, GROKKED.model, again, source=GROKKED, step=400)
    study = Study("forks", {"one": {}}, lambda: recipe, lambda run: {}, settle=math.inf)
    study.work(tmp_path / "docs", tmp_path / "runs", progress=False)
    row = study.rows(tmp_path / "docs")["one"]
    assert (row["state"], row["generalised"], row["last step"]) == (GENERALISED, 400, 550)
