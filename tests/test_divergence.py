"""Training that goes wrong says so: spikes and losses that are not finite, planted between two
logged steps.
"""

import dataclasses
import math
import os
import signal

import pytest
import torch

from interp_utils import ModelConfig, Run, TrainConfig, tasks, train
from interp_utils.configs import RunConfig
from interp_utils.runs.writer import RunWriter
from interp_utils.training import objectives
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING

CASES = {
    "grid": (tasks.modular_addition(7, frac_train=0.6), SMALL_MODEL, SMALL_TRAINING),
    "sequence": (
        tasks.sorting(16, 5),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None),
        dataclasses.replace(SMALL_TRAINING, batch_size=16),
    ),
}
OBJECTIVES = {"grid": objectives._Finite, "sequence": objectives._Fresh}


@pytest.fixture(params=CASES)
def case(request) -> str:
    return request.param


def run(case: str, out) -> Run:
    return train(*CASES[case], out=out, progress=False)


@pytest.fixture
def plant(case, monkeypatch):
    """Adds to the loss of single steps, by step, and returns the losses seen. Added, so that no
    gradient changes.
    """
    seen, loss = {}, OBJECTIVES[case].loss

    def plant(added: dict[int, float]) -> dict[int, float]:
        def planted(objective, weights, step):
            planted = loss(objective, weights, step) + added.get(step, 0.0)
            seen[step] = planted.item()
            return planted

        monkeypatch.setattr(OBJECTIVES[case], "loss", planted)
        return seen

    return plant


def interrupt_at(step: int, monkeypatch) -> None:
    """Ctrl-C in the update before this step: it is saved and the training stops."""
    update = Trainer.update

    def interrupted(trainer):
        update(trainer)
        if trainer.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "update", interrupted)


def test_every_loss_is_in_one_row(case, plant, tmp_path):
    """The highest loss of a row is over its own step and those since the row before, whose own is
    in that row.
    """
    plain = run(case, tmp_path / "plain")
    seen = plant({33: 100.0, 40: 50.0})
    metrics = run(case, tmp_path / "planted").metrics
    logged = [-1, *metrics["step"]]
    for last, (_, row) in zip(logged, metrics.iterrows(), strict=False):
        between = [seen[step] for step in range(last + 1, int(row.step))]
        assert row.highest_train_loss == max([*between, row.train_loss])
    assert metrics["highest_train_loss"][0] == metrics["train_loss"][0]
    highest, before = (
        table.set_index("step")["highest_train_loss"] for table in (metrics, plain.metrics)
    )
    assert highest[40] > 100 > 10 > before.max()
    assert highest.drop(40).equals(before.drop(40)), (
        "step 40 is logged: its spike would be in train_loss, which was measured without"
    )
    assert all(
        weight.equal(plain.weights()[name])
        for name, weight in Run.load(tmp_path / "planted").weights().items()
    )


def test_with_every_step_logged_it_is_the_loss(tmp_path, small_task):
    run = train(
        small_task, SMALL_MODEL, TrainConfig(steps=20, log_every=1), out=tmp_path, progress=False
    )
    assert run.metrics["highest_train_loss"].equals(run.metrics["train_loss"])


@pytest.mark.parametrize(
    ("case", "stop"), [("grid", 34), ("grid", 35), ("grid", 40), ("sequence", 35)]
)
def test_a_spike_survives_a_restart(case, plant, tmp_path, monkeypatch, stop):
    plant({33: 100.0})
    whole = run(case, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        run(case, tmp_path / "stopped")
    resumed = run(case, tmp_path / "stopped")
    assert resumed.manifest == whole.manifest, "every file, byte for byte"
    assert resumed.metrics["highest_train_loss"].max() > 100


@pytest.mark.parametrize(("case", "stop"), [("grid", 34), ("grid", 40), ("sequence", 34)])
def test_a_run_from_before_it_was_recorded_resumes(case, tmp_path, monkeypatch, stop):
    whole = run(case, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(stop, patch)
        run(case, tmp_path / "old")
    task, model, training = CASES[case]
    with RunWriter(tmp_path / "old", task, RunConfig(model.for_task(task), training)) as writer:
        state, metrics = writer.state()
        del state["highest"], state["seconds"]
        del metrics["highest_train_loss"], metrics["seconds"]
        writer.save(stop, state, metrics, snapshot=stop == 40)
    assert list(Run.load(tmp_path / "old").metrics) == [
        name for name in whole.metrics if name not in ("highest_train_loss", "seconds")
    ]
    resumed = run(case, tmp_path / "old")
    assert all(weight.equal(whole.weights()[name]) for name, weight in resumed.weights().items())
    columns = ["step", "train_loss"]
    assert resumed.metrics[columns].equals(whole.metrics[columns])
    highest, expected = (
        table.metrics.set_index("step")["highest_train_loss"] for table in (resumed, whole)
    )
    assert highest.loc[:40].isna().all() and highest.loc[50:].equals(expected.loc[50:]), (
        "unknown up to the first row after it"
    )
    assert resumed.metrics["seconds"].isna().all(), "of all updates: unknown for ever"


@pytest.mark.parametrize(
    ("case", "broken"), [("grid", math.nan), ("grid", math.inf), ("sequence", math.nan)]
)
def test_the_first_step_that_is_not_finite_is_named_later(case, plant, tmp_path, broken):
    plant({33: broken, 36: math.nan})
    with pytest.raises(FloatingPointError) as error:
        run(case, tmp_path)
    assert str(error.value) == (
        f"the training loss is not finite at step 33; the run in {tmp_path} is kept as of step "
        "20. Try a lower learning rate than 0.001"
    )
    kept = Run.load(tmp_path)
    kept.verify()
    assert kept.step == 20 and 40 not in kept.metrics["step"].to_list()


@pytest.mark.parametrize("case", ["grid"])
def test_a_save_between_looks_too(case, plant, tmp_path, monkeypatch):
    plant({33: math.nan})
    interrupt_at(36, monkeypatch)
    with pytest.raises(
        FloatingPointError, match=r"training loss is not finite at step 33; .* kept as of step 20"
    ):
        run(case, tmp_path)
    assert Run.load(tmp_path).step == 20


@pytest.mark.parametrize("case", ["grid"])
def test_a_state_of_another_model_is_refused(case, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(34, patch)
        run(case, tmp_path)
    task, model, training = CASES[case]
    with RunWriter(tmp_path, task, RunConfig(model.for_task(task), training)) as writer:
        state, metrics = writer.state()
        state["exp_avg"]["embed.W_E"] = torch.zeros(1)  # would be broadcast
        writer.save(34, state, metrics, snapshot=False)
    with pytest.raises(
        ValueError,
        match=r"state-00000034.safetensors: this state belongs to another model; train the run "
        r"again in a new",
    ):
        run(case, tmp_path)


def test_an_update_reads_no_value(monkeypatch):
    """On a GPU each would wait for the device."""
    task, model, training = CASES["grid"]
    trainer = Trainer(task, RunConfig(model.for_task(task), training), torch.device("cpu"))

    def read(*_):
        raise AssertionError("an update read a value")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, read)
    trainer.update()
    trainer.update()
    assert len(trainer.losses) == 2
