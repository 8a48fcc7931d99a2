"""Mini-batches of a finite task's training inputs: literal, resumed bit for bit, or refused."""

import dataclasses
import json
import os
import signal

import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, fork, models, tasks, train, train_many
from interp_utils.configs import RunConfig
from interp_utils.training.objectives import epoch_order, objective
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING, of_hooked_transformer

TASK = tasks.modular_addition(7, 0.6)  # 29 training pairs: three batches of 8, and one of 5
BATCHES = dataclasses.replace(SMALL_TRAINING, batch_size=8)
MODELS = {
    "table": SMALL_MODEL,
    "hooked": SMALL_MODEL,
    "LayerNorm": dataclasses.replace(SMALL_MODEL, normalization="LN", biases="all"),
    "two layers": dataclasses.replace(SMALL_MODEL, n_layers=2, act_fn="gelu", biases="all"),
}


def settings(case: str, **changes) -> TrainConfig:
    forward = case if case in ("table", "hooked") else "auto"
    return dataclasses.replace(BATCHES, forward=forward, **changes)


def literal(model_config: ModelConfig, config: TrainConfig, steps: int):
    """AdamW on batches, in float64 with HookedTransformer's forward."""
    model = models.build(model_config.for_task(TASK), device="cpu").double()
    parameters = [w for w in model.parameters() if w.requires_grad]
    m, v = [torch.zeros_like(w) for w in parameters], [torch.zeros_like(w) for w in parameters]
    beta1, beta2 = config.betas
    pairs = TASK.train_mask.nonzero()[:, 0]
    for step in range(steps):
        batch = pairs[epoch_order(model_config.seed, step // 4, 29)][8 * (step % 4) :][:8]
        loss = torch.nn.functional.cross_entropy(
            model(TASK.tokens[batch])[:, -1], TASK.labels[batch]
        )
        lr = config.lr * min(step / config.warmup_steps, 1)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for i, (w, g) in enumerate(zip(parameters, gradients, strict=True)):
                w *= 1 - lr * config.weight_decay
                m[i] = beta1 * m[i] + (1 - beta1) * g
                v[i] = beta2 * v[i] + (1 - beta2) * g**2
                corrected = (v[i] / (1 - beta2 ** (step + 1))).sqrt() + config.eps
                w -= lr * m[i] / (1 - beta1 ** (step + 1)) / corrected
    return models.named_weights(model)


@of_hooked_transformer
@pytest.mark.parametrize("case", MODELS)
def test_training_is_literally_on_batches(case, tmp_path):
    # a large eps, so that rounding is not amplified
    config = settings(case, steps=22, eps=1e-4)
    run = train(TASK, MODELS[case], config, out=tmp_path, progress=False)
    expected = literal(MODELS[case], config, 22)
    for name, weight in run.weights().items():
        assert torch.allclose(weight.double(), expected[name], rtol=1e-4, atol=1e-5), name
    for step in run.steps:
        row = run.metrics.set_index("step").loc[step]
        logits = run.model(step, device="cpu")(TASK.tokens)[:, -1].detach().double()
        losses = torch.nn.functional.cross_entropy(logits, TASK.labels, reduction="none")
        assert row.train_loss == pytest.approx(losses[TASK.train_mask].mean().item(), rel=1e-5)
        assert row.test_loss == pytest.approx(losses[TASK.test_mask].mean().item(), rel=1e-5)


def test_an_epoch_takes_every_input_once():
    orders = [epoch_order(0, epoch, 29) for epoch in range(20)]
    assert all(order.sort().values.equal(torch.arange(29)) for order in orders)
    firsts = {tuple(order.tolist()) for order in (*orders, epoch_order(1, 0, 29))}
    assert len(firsts) == 21, "each epoch and each seed has an order of its own"


def test_a_batch_of_all_inputs_is_the_full_batch():
    losses = []
    weights = models.initial_weights(SMALL_MODEL.for_task(TASK))
    for size in (29, None):
        config = RunConfig(
            SMALL_MODEL.for_task(TASK), dataclasses.replace(BATCHES, batch_size=size)
        )
        losses.append(objective(TASK, config, torch.device("cpu")).loss(weights, 3))
    assert torch.allclose(*losses, rtol=1e-6)


@pytest.mark.parametrize("case", MODELS)
def test_a_stopped_training_goes_on_bit_for_bit(case, tmp_path, monkeypatch):
    """In the middle of an epoch; and for more steps, and as a fork."""
    config = settings(case, snapshot_every=30, steps=42)
    longer = dataclasses.replace(config, steps=60)
    whole = train(TASK, MODELS[case], longer, out=tmp_path / "whole", progress=False)
    update = Trainer.update

    def dies(trainer):
        if trainer.step == 35:
            raise InterruptedError("as if killed")
        update(trainer)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Trainer, "update", dies)
        train(TASK, MODELS[case], config, out=tmp_path / "stopped", progress=False)
    source = train(TASK, MODELS[case], config, out=tmp_path / "stopped", progress=False)
    forked = fork(source, 42, out=tmp_path / "fork", steps=60, progress=False)
    again = train(TASK, MODELS[case], longer, out=tmp_path / "stopped", progress=False)
    for run in (forked, again):
        for name, weight in whole.weights().items():
            assert run.weights()[name].equal(weight), name


def test_with_dropout_each_input_of_a_batch_has_its_own_mask(tmp_path):
    config = dataclasses.replace(BATCHES, dropout=0.2, dropout_mask="sample", steps=10)
    dropped = train(TASK, SMALL_MODEL, config, out=tmp_path / "a", progress=False)
    plain = dataclasses.replace(config, dropout=0.0)
    kept = train(TASK, SMALL_MODEL, plain, out=tmp_path / "b", progress=False)
    assert not dropped.weights()["embed.W_E"].equal(kept.weights()["embed.W_E"])


def test_batches_are_part_of_what_a_run_is(tmp_path):
    train(TASK, SMALL_MODEL, dataclasses.replace(BATCHES, steps=2), out=tmp_path, progress=False)
    assert json.loads((tmp_path / "run.json").read_text())["train"]["batch_size"] == 8
    other = dataclasses.replace(BATCHES, steps=2, batch_size=9)
    with pytest.raises(ValueError, match="batch_size = 8 there, 9 here"):
        train(TASK, SMALL_MODEL, other, out=tmp_path, progress=False)


@pytest.mark.parametrize("size", [30, 10**6])
def test_larger_batches_than_there_are_inputs_are_refused(tmp_path, size):
    config = dataclasses.replace(BATCHES, batch_size=size)
    with pytest.raises(
        ValueError,
        match=f"has 29 training inputs: leave TrainConfig.batch_size None, or at .*, got {size}",
    ):
        train(TASK, SMALL_MODEL, config, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("grokfast", ["none", "ema"])
def test_many_at_once_have_batches_of_their_own(grokfast, tmp_path, monkeypatch):
    """Each in its own order, literally; stopped in the middle of an epoch, they go on bit for bit,
    together, and to rounding, alone.
    """
    config = settings("auto", steps=22, eps=1e-4, snapshot_every=None, grokfast=grokfast)
    given = {"seeds": range(3), "progress": False}
    whole = train_many(TASK, SMALL_MODEL, config, out=tmp_path / "whole", **given)
    update = StackedTrainer.update

    def dies(trainer):
        if trainer.step == 15:
            os.kill(os.getpid(), signal.SIGINT)
        update(trainer)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="at step 16"):
        patch.setattr(StackedTrainer, "update", dies)
        train_many(TASK, SMALL_MODEL, config, out=tmp_path / "stopped", **given)
    other = dataclasses.replace(SMALL_MODEL, seed=2)
    alone = train(TASK, other, config, out=tmp_path / "stopped" / "seed_2", progress=False)
    runs = train_many(TASK, SMALL_MODEL, config, out=tmp_path / "stopped", **given)
    for seed, (run, own) in enumerate(zip(runs, whole, strict=True)):
        for name, weight in run.weights().items():
            assert weight.equal(own.weights()[name]) or seed == 2, name
    for name, weight in alone.weights().items():
        assert torch.allclose(weight, whole[2].weights()[name], rtol=1e-4, atol=1e-5), name
    if grokfast == "none":
        expected = [literal(dataclasses.replace(SMALL_MODEL, seed=s), config, 22) for s in range(3)]
        for run, own in zip(whole, expected, strict=True):
            for name, weight in run.weights().items():
                assert torch.allclose(weight.double(), own[name], rtol=1e-4, atol=1e-5), name


def test_an_update_reads_no_value(monkeypatch):
    """On a GPU each would wait for the device."""
    trainer = Trainer(TASK, RunConfig(SMALL_MODEL.for_task(TASK), BATCHES), torch.device("cpu"))

    def read(*_):
        raise AssertionError("an update read a value")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, read)
    for _ in range(6):
        trainer.update()
    assert len(trainer.losses) == 6
