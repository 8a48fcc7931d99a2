"""Optimisers, gradient filters and constraints against literal ones: in one step, in a training,
for many models at once, and resumed.
"""

import dataclasses
import math
from typing import get_args

import pytest
import torch

from interp_utils import TrainConfig, models, tasks, train, train_many
from interp_utils.configs import RunConfig
from interp_utils.configs.train import Optimiser
from interp_utils.training.filters import gradient_filter
from interp_utils.training.momentum import is_matrix
from interp_utils.training.optimisers import OPTIMISERS, optimiser
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.trainer import Trainer, shapes
from tests.planted import random
from tests.small import SMALL_MODEL, SMALL_TRAINING
from tests.test_training import Killed, weights_equal

SETTINGS = {
    "sgd": TrainConfig(steps=60, log_every=10, snapshot_every=20, optimiser="sgd", lr=0.3),
    "muon": dataclasses.replace(SMALL_TRAINING, optimiser="muon", lr=1e-2),
    "perp_grad": dataclasses.replace(SMALL_TRAINING, perp_grad=True, weight_decay=0.0),
    "perp_grad after grokfast": dataclasses.replace(
        SMALL_TRAINING, perp_grad=True, grokfast="ema", weight_decay=0.0
    ),
    "weight_norm": dataclasses.replace(SMALL_TRAINING, weight_norm=5.0, weight_decay=0.0),
    "stablemax": dataclasses.replace(SMALL_TRAINING, loss="stablemax", weight_decay=0.0),
    "bfloat16": dataclasses.replace(SMALL_TRAINING, products="bfloat16"),
    "init_scale": SMALL_TRAINING,
}
ALONE = "bfloat16", "init_scale"  # which `train_many` has not, or which no setting names


def literal(task, model_config, config, steps):
    """float64, with HookedTransformer's forward, torch's log-softmax and a loop over weights."""
    model = models.build(model_config.for_task(task)).double()
    parameters = [w for w in model.parameters() if w.requires_grad]
    velocities = [torch.zeros_like(w) for w in parameters]
    for step in range(steps):
        lr = config.lr * min(step / config.warmup_steps, 1)
        logits = model(task.tokens[task.train_mask])[:, -1]
        labels = task.labels[task.train_mask]
        loss = torch.nn.functional.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for w, v, g in zip(parameters, velocities, gradients, strict=True):
                if config.perp_grad:
                    across = g - (g * w).sum() / (w * w).sum() * w
                    g = across / across.norm() * g.norm()
                v *= config.momentum
                v += g + config.weight_decay * w
                w -= lr * v
            if config.weight_norm is not None:
                norm = math.sqrt(sum(w.square().sum().item() for w in parameters))
                for w in parameters:
                    w *= config.weight_norm / norm
    return models.named_weights(model)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": 1e-3, "momentum": 0.9},
        {"momentum": 0.0},
        {"perp_grad": True, "weight_decay": 0.0},
        {"weight_norm": 6.0, "weight_decay": 0.0},
    ],
    ids=str,
)
def test_a_training_is_literally_this(small_task, tmp_path, changes, together):
    config = TrainConfig(steps=25, optimiser="sgd", lr=0.05)
    config = dataclasses.replace(config, **{"weight_decay": 1e-3, **changes})
    smooth = dataclasses.replace(SMALL_MODEL, act_fn="gelu")
    trains = train_many if together else train
    run = trains(small_task, smooth, config, out=tmp_path, progress=False)
    run = run[0] if together else run
    initial = run.weights(0)
    for name, expected in literal(small_task, smooth, config, 25).items():
        assert torch.allclose(run.weights()[name].double(), expected, rtol=1e-4, atol=2e-5), name
    assert not torch.allclose(run.weights()["embed.W_E"], initial["embed.W_E"], atol=1e-3)


def test_gradient_descent_is_torchs():
    weights = {"w": random(3, 4).requires_grad_(), "b": random(4).requires_grad_()}
    config = TrainConfig(optimiser="sgd", lr=0.1, momentum=0.8, weight_decay=0.02)
    theirs = [w.detach().clone().requires_grad_() for w in weights.values()]
    torchs = torch.optim.SGD(theirs, lr=0.1, momentum=0.8, weight_decay=0.02)
    own = optimiser(config, weights)
    for step in range(5):
        gradients = {name: random(*w.shape, seed=step) for name, w in weights.items()}
        for parameter, gradient in zip(theirs, gradients.values(), strict=True):
            parameter.grad = gradient.clone()
        torchs.step()
        own.step(step, gradients, 0.1)
    assert all(
        torch.allclose(a, b, rtol=1e-6, atol=1e-6)
        for a, b in zip(weights.values(), theirs, strict=True)
    )


def initial(small_task):
    config = SMALL_MODEL.for_task(small_task)
    weights = models.initial_weights(config)
    return {name: weights[name].requires_grad_() for name in models.trainable(config)}


def test_muon_is_torchs_head_by_head_and_adamw_for_the_rest(small_task):
    config = TrainConfig(optimiser="muon", lr=1e-2, weight_decay=0.3)
    weights = initial(small_task)
    alone, others = {}, {}
    for name, weight in weights.items():
        if not is_matrix(name):
            others[name] = weight.detach().clone().requires_grad_()
            continue
        heads = weight.detach().unbind(0) if weight.ndim == 3 else [weight.detach()]
        alone[name] = [head.clone().requires_grad_() for head in heads]
    matrices = [head for heads in alone.values() for head in heads]
    torchs = (
        torch.optim.Muon(
            matrices, lr=1e-2, weight_decay=0.3, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others.values(), lr=1e-2, betas=(0.9, 0.98), weight_decay=0.3),
    )
    own = optimiser(config, weights)
    for step in range(4):
        gradients = {name: torch.randn_like(w) for name, w in weights.items()}
        for name, gradient in gradients.items():
            if name in others:
                others[name].grad = gradient.clone()
                continue
            parts = gradient.unbind(0) if gradient.ndim == 3 else [gradient]
            for head, part in zip(alone[name], parts, strict=True):
                head.grad = part.clone()
        for each in torchs:
            each.step()
        own.step(step, gradients, 1e-2)
    assert sorted(alone) == [
        *(f"blocks.0.attn.W_{what}" for what in "KOQV"),
        "blocks.0.mlp.W_in",
        "blocks.0.mlp.W_out",
    ]
    for name, heads in alone.items():
        assert weights[name].flatten().equal(torch.cat([head.flatten() for head in heads])), name
    for name, weight in others.items():
        assert torch.allclose(weights[name], weight, rtol=1e-5, atol=1e-7), name


def test_muons_step_turns_all_directions_alike(small_task):
    """Of a gradient whose singular values are far apart."""
    weights = initial(small_task)
    name, lr = "blocks.0.mlp.W_in", 0.1
    rows, columns = weights[name].shape
    left, right = torch.linalg.qr(torch.randn(rows, rows)).Q, torch.randn(columns, columns)
    spread = torch.logspace(0, -1, rows)[:, None]
    gradient = left @ (spread * torch.linalg.qr(right).Q[:rows])
    gradients = {other: torch.zeros_like(w) for other, w in weights.items()} | {name: gradient}
    before = weights[name].detach().clone()
    optimiser(TrainConfig(optimiser="muon", weight_decay=0.0), weights).step(0, gradients, lr)
    step = torch.linalg.svdvals(before - weights[name].detach()) / (0.2 * columns**0.5 * lr)
    assert step.min() > 0.6 and step.max() < 1.3


def test_many_muons_are_each_alone(small_task):
    """On the same gradients, each with its own learning rate and weight decay. Products of many
    matrices may round otherwise than those of one: to the 8 bits of bfloat16.
    """
    rates, decays = (1e-2, 3e-2, 1e-3), (0.3, 0.0, 1.0)
    base = TrainConfig(optimiser="muon", steps=1)
    configs = [
        RunConfig(
            dataclasses.replace(SMALL_MODEL, seed=seed).for_task(small_task),
            dataclasses.replace(base, lr=lr, weight_decay=decay),
        )
        for seed, (lr, decay) in enumerate(zip(rates, decays, strict=True))
    ]
    together = StackedTrainer([small_task] * 3, configs, torch.device("cpu"))
    alone = [Trainer(small_task, config, torch.device("cpu")) for config in configs]
    for step in range(4):
        drawn = random(*together.weights.shape, seed=step).float()
        gradient = drawn * torch.logspace(0, -3, 3)[:, None]
        together.optimiser.step(step, gradient.clone(), together.lr)
        for member, (trainer, lr) in enumerate(zip(alone, rates, strict=True)):
            own = {name: g[member].clone() for name, g in together._named(gradient).items()}
            trainer.optimiser.step(step, own, lr)
    for state, trainer, lr in zip(together.states(), alone, rates, strict=True):
        (expected,) = trainer.states()
        assert shapes(state) == shapes(expected)
        for group, tensors in expected.items():
            for name, value in tensors.items():
                is_turned = group == "weights" and is_matrix(name)
                rounding = 1e-2 * lr if is_turned else 1e-7
                assert torch.allclose(state[group][name], value, rtol=1e-5, atol=rounding), name


def test_perp_grad_leaves_nothing_along_the_weights_and_keeps_the_length():
    torch.manual_seed(0)
    weights = {name: torch.randn(4, 5, dtype=torch.float64) for name in ("w", "zero", "along")}
    weights["zero"].zero_()
    gradients = {name: torch.randn(4, 5, dtype=torch.float64) for name in weights}
    gradients["along"] = -3 * weights["along"]
    before = {name: gradient.clone() for name, gradient in gradients.items()}
    gradient_filter(TrainConfig(perp_grad=True), weights).apply(0, gradients)
    assert abs((gradients["w"] * weights["w"]).sum()) < 1e-12
    assert abs((before["w"] * weights["w"]).sum()) > 0.1, "or there is nothing to take away"
    assert gradients["w"].norm() == pytest.approx(before["w"].norm().item())
    plane = torch.stack([t.flatten() for t in (before["w"], weights["w"], gradients["w"])])
    assert torch.linalg.matrix_rank(plane) == 2  # it stays in the plane of both
    assert torch.allclose(gradients["zero"], before["zero"])
    assert gradients["along"].norm() == 0  # not its rounding, as long as it was


def test_weights_keep_their_norm(small_task, tmp_path):
    config = SETTINGS["weight_norm"]
    run = train(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    assert run.metrics["sum_squared_weights"].iloc[1:].sub(25).abs().max() < 1e-4
    assert abs(run.metrics["sum_squared_weights"][0] - 25) > 1


def test_initial_weights_have_their_scale(small_task, as_a_user):
    config = SMALL_MODEL.for_task(small_task)
    half = models.initial_weights(dataclasses.replace(config, init_scale=0.5))
    for name, weight in models.initial_weights(config).items():
        assert half[name].equal(0.5 * weight)
    with pytest.raises(ValueError, match="init_scale must be a finite number above 0"):
        dataclasses.replace(config, init_scale=0.0)


@pytest.mark.parametrize("loss", ["relative", "stablemax"])
@pytest.mark.parametrize("forward", ["table", "hooked"])
def test_products_in_half_precision_and_nothing_else(loss, forward, small_task):
    """Gradients are those of float32 to a few times the 8 bits that bfloat16 keeps, and float32;
    the loss and rows of metrics have digits that it has not.
    """
    found = {}
    for products in ("float32", "bfloat16"):
        config = dataclasses.replace(
            SMALL_TRAINING, products=products, loss=loss, forward=forward, warmup_steps=0
        )
        trainer = Trainer(
            small_task, RunConfig(SMALL_MODEL.for_task(small_task), config), torch.device("cpu")
        )
        row = trainer.measure()[0]
        trainer.update()
        gradients = torch.cat([w.grad.flatten() for w in trainer.trained.values()])
        assert gradients.dtype == torch.float32
        assert {w.dtype for own in trainer.states()[0].values() for w in own.values()} == {
            torch.float32
        }
        found[products] = gradients, trainer.take_losses().item(), row
    (exact, loss32, row32), (half, loss16, row16) = found.values()
    off = (half - exact).norm() / exact.norm()
    assert 1e-4 < off < 0.05, "products in half precision, and right"
    assert loss16 == pytest.approx(loss32, rel=1e-2) and loss16 != loss32
    assert torch.tensor(loss16).bfloat16().item() != loss16, "the loss is no half"
    assert row16 == row32


def test_streams_have_no_products_in_half_precision(tmp_path):
    config = TrainConfig(steps=2, batch_size=4, products="bfloat16")
    with pytest.raises(ValueError, match="sorting draws fresh ones: leave TrainConfig.products"):
        train(tasks.sorting(16, 5), SMALL_MODEL, config, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_it_is_resumed_bit_for_bit(name, small_task, small_run, tmp_path, monkeypatch):
    config = SETTINGS[name]
    model = dataclasses.replace(SMALL_MODEL, init_scale=0.5 if name == "init_scale" else 1.0)
    whole = train(small_task, model, config, out=tmp_path / "whole", progress=False)
    update = Trainer.update

    def killing(trainer):
        if trainer.step == 33:
            raise Killed
        update(trainer)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "update", killing)
        train(small_task, model, config, out=tmp_path / "killed", progress=False)
    resumed = train(small_task, model, config, out=tmp_path / "killed", progress=False)
    assert weights_equal(resumed, whole) and not weights_equal(whole, small_run)
    assert resumed.manifest == whole.manifest


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in ALONE])
def test_many_at_once_are_each_alone(name, small_task, tmp_path):
    config = dataclasses.replace(SETTINGS[name], eps=1e-4)
    # Muon's products are in bfloat16: by HookedTransformer's forward it ends as far away.
    rounding = 0.05 if name == "muon" else 1e-4
    smooth = dataclasses.replace(SMALL_MODEL, act_fn="gelu")
    together = train_many(
        small_task, smooth, config, seeds=range(2), out=tmp_path / "many", progress=False
    )
    for seed, run in enumerate(together):
        own = dataclasses.replace(smooth, seed=seed)
        alone = train(small_task, own, config, out=tmp_path / str(seed), progress=False)
        for weight, value in alone.weights().items():
            assert torch.allclose(run.weights()[weight], value, rtol=1e-3, atol=rounding), weight
        losses = (each.metrics["train_loss"].to_numpy() for each in (run, alone))
        assert next(losses) == pytest.approx(next(losses), rel=1e-3)


def test_many_muons_are_resumed_bit_for_bit(small_task, tmp_path, monkeypatch):
    config, given = SETTINGS["muon"], {"seeds": range(2), "progress": False}
    whole = train_many(small_task, SMALL_MODEL, config, out=tmp_path / "whole", **given)
    update = StackedTrainer.update

    def killing(trainer):
        if trainer.step == 33:
            raise Killed
        update(trainer)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(StackedTrainer, "update", killing)
        train_many(small_task, SMALL_MODEL, config, out=tmp_path / "killed", **given)
    resumed = train_many(small_task, SMALL_MODEL, config, out=tmp_path / "killed", **given)
    assert [run.manifest for run in resumed] == [run.manifest for run in whole]


def test_norms_and_initial_scales_are_each_members_own(small_task, tmp_path, monkeypatch):
    """Computed together, they are those of each alone."""
    smooth = dataclasses.replace(SMALL_MODEL, act_fn="gelu")
    of_models = [dataclasses.replace(smooth, init_scale=scale) for scale in (0.5, 1.0, 1.5)]
    base = dataclasses.replace(SETTINGS["weight_norm"], eps=1e-4)
    of_trainings = [dataclasses.replace(base, weight_norm=norm) for norm in (4.0, 5.0, 6.0)]
    sizes, update = [], StackedTrainer.update

    def counted(trainer):
        sizes.append(len(trainer.weights))
        update(trainer)

    monkeypatch.setattr(StackedTrainer, "update", counted)
    names = ["a", "b", "c"]
    together = train_many(
        small_task, of_models, of_trainings, names=names, out=tmp_path / "many", progress=False
    )
    assert sizes == [3] * base.steps
    for name, run, model, config in zip(names, together, of_models, of_trainings, strict=True):
        squares = run.metrics["sum_squared_weights"]
        assert squares.iloc[1:].sub(config.weight_norm**2).abs().max() < 1e-3
        alone = train(small_task, model, config, out=tmp_path / name, progress=False)
        for weight, value in alone.weights().items():
            assert torch.allclose(run.weights()[weight], value, rtol=1e-3, atol=1e-4), weight


def test_what_cannot_be_batched_is_refused(small_task, tmp_path):
    for config, message in (
        (TrainConfig(products="bfloat16"), "has products in float32 alone, got .*'bfloat16'"),
        (TrainConfig(grokfast="ma"), "does not have a window of gradients, got .*; use train"),
    ):
        with pytest.raises(ValueError, match=message):
            train_many(small_task, SMALL_MODEL, config, out=tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "lion"}, "optimiser must be one of .'adamw', 'adam', 'sgd', 'muon'"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"momentum": True}, "momentum must be a finite number"),
        ({"weight_norm": 0.0}, "weight_norm must be a finite number above 0"),
        ({"perp_grad": 1}, "perp_grad must be True or False"),
        ({"loss": "softmax"}, "loss must be one of"),
        ({"products": "float16"}, "products must be one of .'float32', 'bfloat16'"),
    ],
    ids=str,
)
def test_a_setting_that_is_none_is_named(as_a_user, changes, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**changes)


def test_a_configuration_names_the_optimisers_that_there_are():
    assert set(OPTIMISERS) == set(get_args(Optimiser))
