import dataclasses
import os
import signal
import threading

import pytest
import torch

from interp_utils import (
    CachedModel,
    Run,
    TrainConfig,
    models,
    tasks,
    train,
    train_many,
    trajectories,
)
from interp_utils.runs import export, storage
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING, weights_equal


def literal(task, model_config, config, steps):
    """AdamW (decoupled weight decay) or Adam (an L2 penalty), bias-corrected moments, warm-up;
    float64, HookedTransformer's forward.
    """
    model = models.build(model_config.for_task(task)).double()
    parameters = [
        w for w in model.parameters() if w.requires_grad
    ]  # the model's own tensors, whatever it calls them
    m, v = [torch.zeros_like(w) for w in parameters], [torch.zeros_like(w) for w in parameters]
    (beta1, beta2), tokens, labels = (
        config.betas,
        task.tokens[task.train_mask],
        task.labels[task.train_mask],
    )
    for step in range(steps):
        lr = config.lr * (min(step / config.warmup_steps, 1) if config.warmup_steps else 1)
        loss = torch.nn.functional.cross_entropy(model(tokens)[:, -1], labels)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for i, (w, g) in enumerate(zip(parameters, gradients, strict=True)):
                if config.optimiser == "adamw":
                    w *= 1 - lr * config.weight_decay
                else:
                    g = g + config.weight_decay * w
                m[i] = beta1 * m[i] + (1 - beta1) * g
                v[i] = beta2 * v[i] + (1 - beta2) * g**2
                corrected = (v[i] / (1 - beta2 ** (step + 1))).sqrt() + config.eps
                w -= lr * m[i] / (1 - beta1 ** (step + 1)) / corrected
    return models.named_weights(model)


@pytest.mark.parametrize("warmup_steps", [0, 10])
@pytest.mark.parametrize(("optimiser", "weight_decay"), [("adamw", 1.0), ("adam", 0.1)])
@pytest.mark.parametrize("together", [False, True])
def test_training_is_literally_its_optimiser(
    small_task, tmp_path, warmup_steps, optimiser, weight_decay, together
):
    config = TrainConfig(
        steps=25,
        warmup_steps=warmup_steps,
        optimiser=optimiser,
        weight_decay=weight_decay,
        betas=(0.3, 0.4),  # far from 1, where more than one formula is nearly right
        eps=1e-4,  # large, so that rounding is not amplified
    )
    if together:
        (run,) = train_many(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    else:
        run = train(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    for name, expected in literal(small_task, SMALL_MODEL, config, 25).items():
        assert torch.allclose(run.weights()[name].double(), expected, rtol=1e-4, atol=1e-5), name
    assert not torch.allclose(run.weights()["embed.W_E"], run.weights(0)["embed.W_E"], atol=1e-3)


def test_adam_and_adamw_differ(small_task, tmp_path, small_run):
    config = dataclasses.replace(SMALL_TRAINING, optimiser="adam")
    adam = train(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    difference = adam.weights()["embed.W_E"] - small_run.weights()["embed.W_E"]
    assert difference.norm() > 0.01 * small_run.weights()["embed.W_E"].norm()


def test_first_warmup_step_changes_nothing(small_run):
    metrics = small_run.metrics.set_index("step")
    assert metrics["train_loss"][0] == metrics["train_loss"][1] != metrics["train_loss"][2]


def test_metrics_are_those_of_the_weights_of_that_step(small_run, small_task):
    assert small_run.metrics["step"].tolist() == SMALL_TRAINING.log_steps()
    for step in small_run.steps:
        row = small_run.metrics.set_index("step").loc[step]
        model = small_run.model(step).double()
        logits = model(small_task.tokens)[:, -1].detach()
        losses = torch.nn.functional.cross_entropy(logits, small_task.labels, reduction="none")
        right = logits.argmax(-1) == small_task.labels
        for name, mask in (("train", small_task.train_mask), ("test", ~small_task.train_mask)):
            assert row[f"{name}_loss"] == pytest.approx(losses[mask].mean().item(), rel=1e-5)
            assert row[f"{name}_accuracy"] == pytest.approx(right[mask].double().mean().item())
        assert row["sum_squared_weights"] == pytest.approx(
            sum(w.square().sum().item() for w in model.parameters()), rel=1e-5
        )


def test_snapshots_on_schedule(small_run):
    assert small_run.steps == SMALL_TRAINING.snapshot_steps() == [0, 1, 2, 4, 8, 16, 20, 40, 60]
    assert small_run.finished


def test_a_finished_run_is_returned_as_it_is(small_run, small_task):
    before = (small_run.path / "run.json").read_bytes()
    again = train(small_task, SMALL_MODEL, SMALL_TRAINING, out=small_run.path, progress=False)
    assert weights_equal(again, small_run) and (small_run.path / "run.json").read_bytes() == before


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("last_update", "optimiser"),
    [(0, "adamw"), (1, "adamw"), (17, "adamw"), (39, "adamw"), (59, "adamw"), (39, "adam")],
)
def test_resumed_is_bit_for_bit_uninterrupted(
    small_run, small_task, tmp_path, monkeypatch, last_update, optimiser
):
    update, out = Trainer.update, tmp_path / "stopped"
    config = dataclasses.replace(SMALL_TRAINING, optimiser=optimiser)
    whole = small_run
    if config != SMALL_TRAINING:
        whole = train(small_task, SMALL_MODEL, config, out=tmp_path / "whole", progress=False)

    def dies(trainer):
        if trainer.step == last_update:
            raise Killed
        update(trainer)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "update", dies)
        train(small_task, SMALL_MODEL, config, out=out, progress=False)
    assert Run.load(out).step <= last_update
    resumed = train(small_task, SMALL_MODEL, config, out=out, progress=False)
    assert weights_equal(resumed, whole)
    assert resumed.metrics.equals(whole.metrics)
    assert resumed.steps == whole.steps


def test_a_run_whose_task_was_stored_in_wider_integers_goes_on(
    small_run, small_task, tmp_path, monkeypatch
):
    """Earlier versions stored 16 bits where 8 do. The file that is there stays: its digest is in
    the manifest.
    """

    def dies(trainer):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(
            storage,
            "compact",
            lambda tensors: {name: tensor.to(torch.int16) for name, tensor in tensors.items()},
        )
        patch.setattr(Trainer, "update", dies)
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    before = (tmp_path / "task.safetensors").read_bytes()
    resumed = train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    assert weights_equal(resumed, small_run) and resumed.metrics.equals(small_run.metrics)
    assert (tmp_path / "task.safetensors").read_bytes() == before
    exported = export(resumed, tmp_path / "exported").path / "task.safetensors"
    assert exported.stat().st_size < len(before) - small_task.tokens.numel(), (
        "which is stored again, in 8"
    )


def test_ctrl_c_leaves_a_valid_run_that_goes_on(small_run, small_task, tmp_path, monkeypatch):
    update = Trainer.update

    def interrupted(trainer):
        if trainer.step == 33:
            os.kill(os.getpid(), signal.SIGINT)  # in the middle of a step
        update(trainer)

    handler = signal.getsignal(signal.SIGINT)
    with (
        monkeypatch.context() as patch,
        pytest.raises(KeyboardInterrupt, match="stopped at step 34, which is saved"),
    ):
        patch.setattr(Trainer, "update", interrupted)
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    assert signal.getsignal(signal.SIGINT) is handler
    stopped = Run.load(tmp_path)
    assert stopped.step == 34 and not stopped.finished and stopped.model() is not None
    stopped.verify()
    assert weights_equal(
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False), small_run
    )


def test_training_works_in_another_thread(small_run, small_task, tmp_path):
    thread = threading.Thread(
        target=train,
        args=(small_task, SMALL_MODEL, SMALL_TRAINING),
        kwargs={"out": tmp_path, "progress": False},
    )
    thread.start()
    thread.join()
    assert weights_equal(Run.load(tmp_path), small_run)


def test_global_settings_are_left_alone(small_task, tmp_path):
    state = torch.get_rng_state()
    train(small_task, SMALL_MODEL, TrainConfig(steps=1), out=tmp_path, progress=False)
    assert state.equal(torch.get_rng_state()) and not torch.are_deterministic_algorithms_enabled()


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(small_task, tmp_path):
    config = dataclasses.replace(SMALL_TRAINING, lr=1e30, warmup_steps=0, weight_decay=0.0)
    with pytest.raises(
        FloatingPointError,
        match=r"not finite at step \d+; the run in .* is kept as of step \d+.*lower learning rate",
    ):
        train(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    run = Run.load(tmp_path)
    run.verify()
    assert run.metrics["train_loss"].notna().all()


def test_a_broken_state_never_replaces_a_good_one(small_task, tmp_path, monkeypatch):
    """Saves between log steps look at the weights: here Ctrl-C comes when they have just broken."""
    update = Trainer.update

    def breaks(trainer):
        update(trainer)
        if trainer.step == 33:
            trainer.weights["embed.W_E"].data[0, 0] = float("nan")
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "update", breaks)
    with pytest.raises(
        FloatingPointError,
        match=r"state of the weights is not finite at step 33; .* kept as of step 20",
    ):
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    assert Run.load(tmp_path).step == 20


def test_all_pairs_for_training_has_no_test_loss(tmp_path):
    run = train(
        tasks.modular_addition(3, 1.0),
        SMALL_MODEL,
        TrainConfig(steps=2),
        out=tmp_path,
        progress=False,
    )
    assert run.metrics["test_loss"].isna().all() and run.metrics["train_loss"].notna().all()


def test_published_loss_by_name(small_task, small_run, tmp_path):
    config = dataclasses.replace(SMALL_TRAINING, loss="float64_log_softmax")
    run = train(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    assert run.metrics["train_loss"].iloc[-1] == pytest.approx(
        small_run.metrics["train_loss"].iloc[-1], rel=1e-3
    )


def test_progress_bar_shows_both_losses(small_task, tmp_path, capsys):
    train(small_task, SMALL_MODEL, TrainConfig(steps=3), out=tmp_path)
    shown = capsys.readouterr().err
    assert "modular_addition: 100%" in shown and "train_loss=" in shown and "test_loss=" in shown


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_trains_the_same_model(small_task, small_run, tmp_path):
    torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")  # cuBLAS is configured by now
    run = train(
        small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, device="cuda", progress=False
    )
    assert run.metrics["train_loss"].iloc[-1] == pytest.approx(
        small_run.metrics["train_loss"].iloc[-1], rel=1e-2
    )


GRADIENTS_OFF = {"grad": torch.no_grad, "inference": torch.inference_mode}


@pytest.mark.parametrize("mode", GRADIENTS_OFF)
@pytest.mark.parametrize("forward", ["table", "hooked"])
def test_gradients_that_the_user_has_off_do_not_stop_a_training(
    small_task, small_run, tmp_path, mode, forward
):
    """Many notebooks begin with torch.set_grad_enabled(False)."""
    config = dataclasses.replace(SMALL_TRAINING, forward=forward)
    with GRADIENTS_OFF[mode]():
        task = tasks.modular_addition(7, frac_train=0.6)  # its tensors are made in that mode, too
        run = train(task, SMALL_MODEL, config, out=tmp_path / "off", progress=False)
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled() == (mode == "inference")
        weights = run.weights()
    on = train(small_task, SMALL_MODEL, config, out=tmp_path / "on", progress=False)
    assert all(weights[name].equal(weight) for name, weight in on.weights().items())
    assert forward == "hooked" or weights_equal(on, small_run)


@pytest.mark.parametrize("mode", GRADIENTS_OFF)
def test_gradients_by_embeddings_with_gradients_off(small_run, mode):
    with GRADIENTS_OFF[mode]():
        model = CachedModel(small_run.model(), small_run.task)
        off = trajectories.gradient_symmetricity(model)
    model = CachedModel(small_run.model(), small_run.task)
    assert off == trajectories.gradient_symmetricity(model)


@pytest.mark.parametrize("forward", ["table", "hooked"])
def test_torchs_default_precision_changes_nothing(forward, tmp_path):
    task, config = tasks.modular_addition(7, 0.6), TrainConfig(steps=3, dropout=0.1)
    config = dataclasses.replace(config, forward=forward, dropout=0.1 * (forward == "table"))
    runs = []
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            out = tmp_path / str(default)
            runs.append(train(task, SMALL_MODEL, config, out=out, progress=False))
        finally:
            torch.set_default_dtype(torch.float32)
    single, double = runs
    for name, weight in single.weights().items():
        assert weight.equal(double.weights()[name]), name
    assert single.metrics.equals(double.metrics)
