"""The table forward against HookedTransformer's: values, gradients, and 200 training steps."""

import dataclasses
import itertools

import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, models, tasks, train, train_many
from interp_utils.losses import cross_entropy
from interp_utils.models import logits_fn, members_logits_fn
from interp_utils.tasks import Task

SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)


def random_weights(config, seed=0, scale=0.3, dtype=torch.float32):
    """Every weight random, biases and scales too, so that a forgotten one shows."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: scale * torch.randn(shape, generator=generator, dtype=dtype)
        for name, shape in models.weight_shapes(config).items()
    }


def without_equals(p) -> Task:
    """[a, b]: no "=" token, so that every input has its own query."""
    task = tasks.modular_addition(p)
    return dataclasses.replace(task, tokens=task.tokens[:, :2].contiguous(), d_vocab=p)


def shuffled_sequences() -> Task:
    tokens = torch.randint(9, (50, 6), generator=torch.Generator().manual_seed(1))
    return Task("sequences", tokens, tokens.sum(1) % 9, torch.arange(50) < 30, (9,), 9)


def few_of_many_pairs() -> Task:
    tokens = torch.randint(40, (30, 2), generator=torch.Generator().manual_seed(2))
    return Task("pairs", tokens, tokens.sum(1) % 5, torch.arange(30) < 20, (5,), 40)


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
    "nearly as many queries as inputs": (few_of_many_pairs(), SMALL),
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
    with pytest.raises(ValueError, match='one-layer models, this one has 2 layers; use "hooked"'):
        logits_fn(deep.for_task(task), task.tokens, "table")


def values_and_gradients(logits_of, weights, labels):
    weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
    logits = logits_of(weights)
    cross_entropy(logits.flatten(0, -2), labels.flatten()).sum().backward()
    return logits.detach(), {name: w.grad for name, w in weights.items()}


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
@pytest.mark.parametrize("position", [-6, 0, 1, 3, 5, -1, -2])
def test_every_position_is_read_as_hooked_transformer_reads_it(attention, position):
    """In float64, alone and as two members with other weights and tokens."""
    config = dataclasses.replace(SMALL, attention=attention, act_fn="gelu", biases="all")
    task = shuffled_sequences()
    config = config.for_task(task)
    tokens = torch.stack([task.tokens[:40], task.tokens[10:]])
    labels = torch.stack([task.labels[:40], task.labels[10:]])
    members = [random_weights(config, seed) for seed in range(2)]
    members = [{name: w.double() for name, w in weights.items()} for weights in members]
    stacked = {name: torch.stack([weights[name] for weights in members]) for name in members[0]}
    together, of_members = values_and_gradients(
        members_logits_fn(config, tokens, position), stacked, labels
    )
    for i, weights in enumerate(members):
        model = models.build(config, device="cpu").double()
        (expected, expected_gradients), (table, gradients), (hooked, _) = (
            values_and_gradients(logits_of, weights, labels[i])
            for logits_of in (
                lambda w, i=i, model=model: models.call_with(model, w, tokens[i])[:, position],
                logits_fn(config, tokens[i], "table", position),
                logits_fn(config, tokens[i], "hooked", position),
            )
        )
        assert hooked.equal(expected)
        assert torch.allclose(table, expected, rtol=1e-10)
        assert torch.allclose(together[i], expected, rtol=1e-10)
        for name, gradient in expected_gradients.items():
            assert torch.allclose(gradients[name], gradient, rtol=1e-8, atol=1e-10), name
            assert torch.allclose(of_members[name][i], gradient, rtol=1e-8, atol=1e-10), name


def test_positions_give_different_logits():
    config, task = SMALL.for_task(shuffled_sequences()), shuffled_sequences()
    weights = random_weights(config)
    read = [logits_fn(config, task.tokens, "table", position)(weights) for position in range(6)]
    assert min((a - b).abs().max() for a, b in itertools.pairwise(read)) > 1e-2
    with pytest.raises(IndexError):
        logits_fn(config, task.tokens, "table", 6)


LAYOUT = tasks.Layout(inputs=["a", 8, "b", 7], answer_pos=2, outputs=range(1, 8), d_vocab_out=9)


@pytest.mark.parametrize("kind", ["table", "hooked", "together"])
def test_training_reads_and_answers_where_the_task_says(tmp_path, kind):
    """[a, op, b, =], read at b; class c is output c + 1, and two outputs are no class."""
    task = tasks.modular_addition(7, 0.6, layout=LAYOUT)
    if kind == "together":
        config = TrainConfig(steps=30, log_every=10)
        (run,) = train_many(task, SMALL, config, out=tmp_path, progress=False)
    else:
        config = TrainConfig(steps=30, log_every=10, forward=kind)
        run = train(task, SMALL, config, out=tmp_path, progress=False)
    model = run.model(device="cpu")
    assert model.W_U.shape[1] == 9 and run.task.answer_pos == 2
    logits = model(task.tokens)[:, 2, 1:8].double()
    losses = torch.nn.functional.cross_entropy(logits, task.labels, reduction="none")
    last = run.metrics.iloc[-1]
    assert last.train_loss == pytest.approx(losses[task.train_mask].mean().item(), rel=1e-5)
    assert last.test_loss == pytest.approx(losses[task.test_mask].mean().item(), rel=1e-5)
    assert last.train_loss < 0.95 * run.metrics.train_loss.iloc[0]
    start = run.model(0, device="cpu").W_U
    assert not model.W_U[:, 4].equal(start[:, 4])
    shrunk = model.W_U[:, 0] / start[:, 0]  # no gradient, but weight decay
    assert torch.allclose(shrunk, shrunk[0], rtol=1e-4)


def test_a_task_whose_training_inputs_nobody_knows_is_not_trained(tmp_path):
    task = tasks.modular_addition(7, train="unknown")
    for trainer in (train, train_many):
        with pytest.raises(ValueError, match="are for training is unknown; give the task its"):
            trainer(task, SMALL, TrainConfig(steps=2), out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
