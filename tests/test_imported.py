"""A list of other people's state dicts becomes a run that everything else takes."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    TrainConfig,
    fork,
    milestones,
    tasks,
    train,
    trajectories,
)
from interp_utils.losses import cross_entropy
from tests.small import SMALL_MODEL
from tests.test_elsewhere import progress_measures

TASK = tasks.modular_addition(7, frac_train=0.6)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """What somebody trained: 200 steps, with biases in the MLP."""
    config = dataclasses.replace(SMALL_MODEL, biases="mlp")
    training = TrainConfig(steps=200, log_every=50, snapshot_every=50, lr=3e-3)
    return train(TASK, config, training, out=tmp_path_factory.mktemp("own"), progress=False)


@pytest.fixture(scope="module")
def checkpoints(own):
    return {step: own.weights(step) for step in own.steps}


def imported(checkpoints, tmp_path, task=TASK, **options):
    return Run.from_checkpoints(checkpoints, task, out=tmp_path / "run", progress=False, **options)


def require_same(run, own):
    assert run.steps == own.steps and run.finished
    for step in own.steps:
        for name, weight in own.weights(step).items():
            assert run.weights(step)[name].equal(weight)
    columns = ["step", "train_loss", "test_loss", "train_accuracy", "test_accuracy"]
    logged = own.metrics[own.metrics.step.isin(own.steps)].reset_index()
    for column in [*columns, "sum_squared_weights"]:
        assert run.metrics[column].to_numpy() == pytest.approx(logged[column].to_numpy(), rel=1e-4)


def test_it_is_the_run_that_was_trained(own, checkpoints, tmp_path):
    config = dataclasses.replace(SMALL_MODEL, biases="mlp")
    run = imported(checkpoints, tmp_path, config=config)
    require_same(run, own)
    require_same(Run.load(tmp_path / "run"), own)
    assert run.config.model == own.config.model
    assert run.task.labels.equal(TASK.labels)
    run.verify()


def test_sizes_and_biases_are_read_off_the_last_checkpoint(own, checkpoints, tmp_path):
    run = imported(checkpoints, tmp_path)
    require_same(run, own)
    assert run.config.model == own.config.model


def test_lists_as_they_were_saved(own, checkpoints, tmp_path):
    """Out of order, wrapped, prefixed, in the orientation of 2022."""
    wrapped = [
        {"model": {f"_orig_mod.{n}": w for n, w in progress_measures(weights).items()}, "epoch": 1}
        for weights in reversed(checkpoints.values())
    ]
    run = imported(wrapped, tmp_path, steps=np.array(own.steps[::-1]))
    require_same(run, own)


def test_it_says_that_it_was_imported(checkpoints, tmp_path):
    run = imported(checkpoints, tmp_path)
    manifest = json.loads((tmp_path / "run/run.json").read_text())
    assert manifest["origin"]["imported"] is True
    assert run.origin.imported and run.origin.step == 0
    table = run._repr_html_()
    assert "elsewhere (step 0 has weights with sha256" in table
    assert "weight_decay" not in table
    assert "highest_train_loss" not in run.metrics


def test_trajectories_and_milestones(own, checkpoints, tmp_path):
    run = imported(checkpoints, tmp_path)
    steps = [0, 32, 200]
    table, expected = (
        trajectories.measure(each, [1, 2], steps, progress=False) for each in (run, own)
    )
    assert table["value"].to_numpy() == pytest.approx(
        expected["value"].to_numpy(), rel=1e-5, nan_ok=True
    )
    assert milestones.phases(run.metrics).keys() <= {"memorisation", "circuit formation", "cleanup"}
    assert milestones.generalisation(run.metrics, level=0.5) is not None
    with pytest.raises(ValueError, match="logged without highest_train_loss"):
        milestones.spikes(run.metrics)


def test_it_can_be_forked_and_not_gone_on_with(checkpoints, tmp_path):
    run = imported(checkpoints, tmp_path, config=dataclasses.replace(SMALL_MODEL, biases="mlp"))
    branch = fork(run, 100, out=tmp_path / "branch", steps=110, weight_decay=0.0, progress=False)
    assert branch.origin.run == "run" and not branch.origin.imported
    assert branch.weights(100)["embed.W_E"].equal(checkpoints[100]["embed.W_E"])
    with pytest.raises(ValueError, match=r"holds a run that starts from elsewhere \(step 0"):
        train(TASK, run.config.model, run.config.train, out=tmp_path / "run", progress=False)


def test_steps_that_do_not_begin_at_zero(checkpoints, tmp_path):
    run = imported({400: checkpoints[200], 300: checkpoints[100]}, tmp_path)
    assert run.steps == [300, 400] and run.step == 400 and run.origin.step == 300
    one = Run.from_checkpoints(
        [checkpoints[200]], TASK, steps=[0], out=tmp_path / "one", progress=False
    )
    assert one.steps == [0] and one.cached().logits.shape == (7, 7, 7)


def test_a_padded_vocabulary(own, checkpoints, tmp_path):
    padded, tokens = {}, [3, 1, 2, 0, 5, 4, 9, 7]
    for step, weights in checkpoints.items():
        W_E = torch.full((10, 16), 5.0)
        W_E[tokens] = weights["embed.W_E"]
        W_pos = torch.cat([weights["pos_embed.W_pos"], torch.ones(2, 16)])
        padded[step] = {**weights, "embed.W_E": W_E, "pos_embed.W_pos": W_pos}
    require_same(imported(padded, tmp_path, token_order=tokens), own)


def test_an_unknown_split(checkpoints, tmp_path):
    unknown = tasks.modular_addition(7, train="unknown")
    run = imported(checkpoints, tmp_path, task=unknown)
    assert list(run.metrics) == ["step", "all_loss", "all_accuracy", "sum_squared_weights"]
    logits = CachedModel(run.model(device="cpu"), unknown).logits.flatten(0, 1)
    expected = cross_entropy(logits, unknown.labels).double().mean().item()
    assert run.metrics.all_loss.iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_sequences(tmp_path):
    task = tasks.sorting(8, length=3, n_validation=5, n_test=5)
    config = ModelConfig(d_model=8, n_heads=1, d_head=8, d_mlp=None)
    training = TrainConfig(steps=20, batch_size=8, snapshot_every=10)
    own = train(task, config, training, out=tmp_path / "own", progress=False)
    checkpoints = {step: own.weights(step) for step in own.steps}
    run = imported(checkpoints, tmp_path, task=task, config=config)
    logged = own.metrics[own.metrics.step.isin(own.steps)]
    for column in ("validation_loss", "validation_accuracy", "validation_token_accuracy"):
        assert run.metrics[column].to_numpy() == pytest.approx(logged[column].to_numpy(), rel=1e-4)


def test_casts_are_said(checkpoints, tmp_path):
    double = {step: {n: w.double() for n, w in ws.items()} for step, ws in checkpoints.items()}
    with pytest.warns(UserWarning, match="float64 become torch.float32, the precision in which"):
        run = imported(double, tmp_path)
    assert run.weights()["embed.W_E"].equal(checkpoints[200]["embed.W_E"])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (list, {}, r"at which steps these 11 checkpoints were saved: steps=\[...\]"),
        (dict, {"steps": [1, 2]}, "name their steps: leave steps= out"),
        (list, {"steps": [1, 2]}, "got 11 checkpoints and 2 steps"),
        (list, {"steps": [5] * 11}, r"different whole numbers of at least 0, got \[5, 5"),
        (list, {"steps": [0.5, *range(10)]}, r"whole numbers of at least 0, got \[0.5\]"),
        (lambda c: {f"epoch {s}": w for s, w in c.items()}, {}, r"got \['epoch 0', 'epoch 1'"),
        (lambda c: {}, {}, "got 0 checkpoints and 0 steps"),
        (lambda c: {**c, 32: {}}, {}, "checkpoint of step 32: "),
        (
            lambda c: {**c, 32: {**c[32], "embed.W_E": torch.full((8, 16), torch.nan)}},
            {},
            "checkpoint of step 32: embed.W_E has values that are not finite",
        ),
        (
            lambda c: {**c, 8: {**c[8], "embed.W_E": torch.ones(9, 16)}},
            {},
            "checkpoint of step 8: embed.W_E has 9 rows, ModelConfig.d_vocab is 8: choose rows",
        ),
        (
            dict,
            {"config": SMALL_MODEL},
            r"checkpoint of step 2: blocks.0.mlp.b_in, .*: these weights were trained, but",
        ),
        (dict, {"config": dataclasses.replace(SMALL_MODEL, d_model=8)}, "must have shape"),
        (dict, {"rows": [1]}, "unexpected keyword argument 'rows'"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(
    checkpoints, tmp_path, change, options, message
):
    with pytest.raises((ValueError, TypeError), match=message):
        imported(change(checkpoints), tmp_path, **options)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_left_alone(own, checkpoints, tmp_path):
    with warnings.catch_warnings():
        run = imported(checkpoints, tmp_path)
        before = (tmp_path / "run/run.json").read_bytes()
        with pytest.raises(ValueError, match="already holds a run; choose a new folder"):
            imported(checkpoints, tmp_path)
        with pytest.raises(ValueError, match="holds "):
            Run.from_checkpoints(checkpoints, TASK, out=own.path, progress=False)
    assert (tmp_path / "run/run.json").read_bytes() == before
    assert run.finished
