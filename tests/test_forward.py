"""The table forward against HookedTransformer's own: values, gradients, and 200 steps of "
"training."""

import dataclasses

import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, models, tasks, train
from interp_utils.losses import cross_entropy
from interp_utils.models import logits_fn
from interp_utils.tasks import Task

SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)


def random_weights(config, seed=0):
    """Every weight random, biases too, so that a forgotten one shows."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: 0.3 * torch.randn(shape, generator=generator)
        for name, shape in models.weight_shapes(config).items()
    }


def without_equals(p) -> Task:
    """[a, b]: no "=" token, so that every input has its own query."""
    task = tasks.modular_addition(p)
    return dataclasses.replace(task, tokens=task.tokens[:, :2].contiguous(), d_vocab=p)


def shuffled_sequences() -> Task:
    tokens = torch.randint(9, (50, 6), generator=torch.Generator().manual_seed(1))
    return Task("sequences", tokens, tokens.sum(1) % 9, torch.arange(50) < 30, (9,), 9)


CASES = {
    "default shape": (tasks.modular_addition(11), ModelConfig()),
    "small": (tasks.modular_addition(13), SMALL),
    "even p": (tasks.modular_addition(10), SMALL),
    "p = 2": (tasks.modular_addition(2, 0.5), SMALL),
    "one head": (tasks.modular_addition(7), ModelConfig(d_model=12, n_heads=1, d_head=5, d_mlp=9)),
    "wide heads, so that W_O W_in is not folded": (
        tasks.modular_addition(7),
        ModelConfig(d_model=8, n_heads=4, d_head=16, d_mlp=64),
    ),
    "many classes, so that W_out W_U is not folded": (
        tasks.modular_addition(53),
        ModelConfig(d_model=4, n_heads=2, d_head=8, d_mlp=64),
    ),
    "gelu": (
        tasks.modular_addition(7),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, act_fn="gelu"),
    ),
    "silu": (
        tasks.modular_addition(7),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, act_fn="silu"),
    ),
    "all biases": (
        tasks.modular_addition(7),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, biases="all"),
    ),
    'no "=" token': (without_equals(7), SMALL),
    "long sequences": (shuffled_sequences(), SMALL),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_and_gradients_equal_hooked_transformers(case):
    task, config = CASES[case]
    config = config.for_task(task)
    results = {}
    for kind in ("table", "hooked"):
        weights = {name: w.requires_grad_() for name, w in random_weights(config).items()}
        logits = logits_fn(config, task.tokens, kind)(weights)
        cross_entropy(logits, task.labels).mean().backward()
        results[kind] = logits.detach(), {name: w.grad for name, w in weights.items()}
    (logits, gradients), (expected, expected_gradients) = results["table"], results["hooked"]
    assert (logits - expected).abs().max() < 1e-5 * expected.abs().max()
    # b_K moves every score of a query alike, which softmax does not see: its gradient is rounding
    # in both.
    for name in expected_gradients.keys() - {"blocks.0.attn.b_K"}:
        error = (gradients[name] - expected_gradients[name]).norm() / expected_gradients[
            name
        ].norm()
        assert error < 1e-4, f"{name}: {error}"
    scale = expected_gradients["blocks.0.attn.b_V"].norm()
    assert gradients["blocks.0.attn.b_K"].norm() < 1e-4 * scale


def test_200_steps_of_training_give_the_same_losses():
    """In float64, where what differs is the algorithm. In float32 they part as one forward does
    from itself after a change of one bit.
    """
    task = tasks.modular_addition(13, frac_train=0.6)
    config = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=64).for_task(task)
    losses = {}
    for kind in ("table", "hooked"):
        weights = {
            name: w.double().requires_grad_() for name, w in models.initial_weights(config).items()
        }
        optimizer = torch.optim.AdamW(
            [weights[name] for name in models.trainable(config)],
            lr=1e-3,
            weight_decay=1.0,
            betas=(0.9, 0.98),
        )
        logits = logits_fn(config, task.tokens[task.train_mask], kind)
        losses[kind] = []
        for _ in range(200):
            loss = cross_entropy(logits(weights), task.labels[task.train_mask]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[kind].append(loss.item())
    table, hooked = torch.tensor(losses["table"]), torch.tensor(losses["hooked"])
    assert hooked[-1] < 0.5 * hooked[0], "200 steps must be enough to learn something"
    assert ((table - hooked) / hooked).abs().max() < 1e-8


def test_200_float32_steps_through_train_give_the_same_losses(tmp_path):
    """With a smooth activation: at ReLU's corner a last bit decides whether a neuron of an input
    learns, and losses part by 1e-3.
    """
    task = tasks.modular_addition(13, frac_train=0.6)
    config = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=64, act_fn="gelu")
    table, hooked = (
        train(
            task,
            config,
            TrainConfig(steps=200, log_every=10, forward=kind),
            out=tmp_path / kind,
            progress=False,
        ).metrics
        for kind in ("table", "hooked")
    )
    assert hooked["train_loss"].iloc[-1] < 0.5 * hooked["train_loss"].iloc[0]
    for column in ("train_loss", "test_loss"):
        assert ((table[column] - hooked[column]).abs() / hooked[column]).max() < 1e-4


def test_auto_takes_the_table_where_it_can(tmp_path):
    task = tasks.modular_addition(5, 0.6)
    deep = dataclasses.replace(SMALL, n_layers=2)
    run = train(task, deep, TrainConfig(steps=2), out=tmp_path, progress=False)
    assert run.model().cfg.n_layers == 2
    with pytest.raises(ValueError, match='one-layer models, this one has 2; use "hooked"'):
        logits_fn(deep.for_task(task), task.tokens, "table")
