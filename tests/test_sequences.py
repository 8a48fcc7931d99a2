"""Sorting tasks: what is drawn, what is asked, and that nothing held out is ever trained on."""

import dataclasses
import re

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, ablation, models, tasks, train
from interp_utils.losses import cross_entropy
from interp_utils.models import sequence_logits_fn
from interp_utils.tasks import Sequences

TASKS = {
    "fixed length": tasks.sorting(16, 5),
    "all numbers but one": tasks.sorting(12, 10, n_validation=2, n_test=3),
    "variable length": tasks.sorting(20, (1, 8)),
    "repeats": tasks.sorting(12, 6, repeats=True),
    "variable length with repeats": tasks.sorting(12, (2, 6), repeats=True),
}
ATTENTION_ONLY = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None, positions=False)


@pytest.mark.parametrize("name", TASKS)
def test_every_list_is_followed_by_itself_sorted(name):
    task = TASKS[name]
    n, (low, high) = (
        task.params["n_values"],
        (lambda x: x if isinstance(x, tuple) else (x, x))(task.params["length"]),
    )
    start, mid, pad = n, n + 1, n + 2
    seen = set()
    for sequences in (task.batch(0, 200), task.validation, task.test):
        for tokens, labels in zip(
            sequences.tokens.tolist(), sequences.labels.tolist(), strict=True
        ):
            length = tokens.index(mid) - 1
            numbers = tokens[1 : length + 1]
            assert tokens == [start, *numbers, mid, *sorted(numbers)] + [pad] * (
                2 * (high - length)
            )
            assert low <= length <= high and all(0 <= number < n for number in numbers)
            assert task.params["repeats"] or len(set(numbers)) == length
            # The label of a position is the next token, from MID to the last but one.
            asked = range(length + 1, 2 * length + 1)
            assert labels == [tokens[i + 1] if i in asked else -1 for i in range(len(tokens))]
            seen.add(length)
    assert seen == set(range(low, high + 1))
    assert task.d_vocab == n + (2 if low == high else 3)


def test_the_same_seed_draws_the_same_and_another_another():
    one, same, other = (
        tasks.sorting(16, 5, seed=3),
        tasks.sorting(16, 5, seed=3),
        tasks.sorting(16, 5, seed=4),
    )
    assert one.batch(7, 50).tokens.equal(same.batch(7, 50).tokens) and one.test.tokens.equal(
        same.test.tokens
    )
    assert not one.batch(7, 50).tokens.equal(one.batch(8, 50).tokens)
    assert not one.batch(7, 50).tokens.equal(
        other.batch(7, 50).tokens
    ) and not one.test.tokens.equal(other.test.tokens)
    # The stream is frozen: a stored run must mean the same lists in every version.
    assert one.batch(7, 2).tokens[:, 1:6].tolist() == FROZEN


FROZEN = [[6, 1, 11, 2, 14], [3, 13, 12, 4, 8]]


def test_no_held_out_list_is_trained_on_in_any_order():
    """Small enough that half of all lists are held out: without the rejection every batch would
    leak.
    """
    task = tasks.sorting(8, 4, n_validation=15, n_test=20)

    def answers(sequences: Sequences) -> list[tuple[int, ...]]:
        return [tuple(row) for row in sequences.tokens[:, -4:].tolist()]

    validation, test = answers(task.validation), answers(task.test)
    held_out = {*validation, *test}
    assert len(held_out) == 35  # distinct, too
    trained = {answer for step in range(20) for answer in answers(task.batch(step, 100))}
    assert not trained & held_out
    assert len(trained) == 70 - 35  # and all the others are


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"n_values": 5, "length": 6},
            "a list of 6 different numbers needs n_values of at least 6, got 5; or set "
            "repeats=True",
        ),
        (
            {"n_values": 5, "length": (3, 2)},
            "length must be an integer of at least 1, or two of them",
        ),
        ({"n_values": 5, "length": 0}, "length must be"),
        (
            {"n_values": 6, "length": 3},
            "there are 20 such lists up to order; n_validation + n_test = 1500 must leave half "
            "(of each length) for training",
        ),
        (
            {"n_values": 2, "length": 100, "repeats": True, "n_validation": 20, "n_test": 30},
            "nearly every input that is drawn is held out",
        ),
        (
            {"n_values": 50, "length": 5, "n_test": 0},
            "n_validation and n_test must be at least 1, got 500 and 0",
        ),
        ({"n_values": 50, "length": 5, "seed": -1}, "seed must be an integer in 0"),
    ],
)
def test_impossible_tasks_say_why(arguments, message, as_a_user):
    with pytest.raises(ValueError, match=re.escape(message)):
        tasks.sorting(**arguments)


def test_a_list_longer_than_the_context_is_refused():
    with pytest.raises(ValueError, match="sorting needs ModelConfig.n_ctx = 12, got 10"):
        ModelConfig(n_ctx=10).for_task(tasks.sorting(16, 5))


CASES = {
    "attention only": ATTENTION_ONLY,
    "positions": ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None),
    "MLP": ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, biases="mlp"),
    "biases": ModelConfig(d_model=12, n_heads=3, d_head=5, d_mlp=None, biases="all"),
    "one head": ModelConfig(d_model=64, n_heads=1, d_head=4, d_mlp=None, positions=False),
}


@pytest.mark.parametrize("task", ["fixed length", "variable length"])
@pytest.mark.parametrize("name", CASES)
def test_fast_forward_equals_hooked_transformers(name, task):
    task, config = TASKS[task], CASES[name].for_task(TASKS[task])
    generator = torch.Generator().manual_seed(0)
    batch = task.batch(0, 30)
    results = {}
    weights = {
        n: 0.3 * torch.randn(shape, generator=generator, dtype=torch.float64)
        * (n in models.trainable(config) or (n == "pos_embed.W_pos" and config.positions))
        for n, shape in models.weight_shapes(config).items()
    }  # fmt: skip
    for kind in ("table", "hooked"):
        own = {
            n: w.clone().requires_grad_(n in models.trainable(config)) for n, w in weights.items()
        }
        logits = sequence_logits_fn(config, kind)(own, batch.tokens, batch.asked)
        loss = cross_entropy(logits, batch.labels[batch.asked]).mean()
        trained = [own[n] for n in models.trainable(config)]
        results[kind] = logits.detach(), torch.autograd.grad(loss, trained)
    (logits, gradients), (expected, expected_gradients) = results["table"], results["hooked"]
    assert logits.shape == (batch.asked.sum(), task.d_vocab)
    assert torch.allclose(logits, expected, atol=1e-10)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        assert torch.allclose(gradient, expected_gradient, atol=1e-10)


SHORT = TrainConfig(steps=40, batch_size=16, log_every=10, snapshot_every=20)


def test_a_run_restores_its_task_and_logs_what_the_model_does(tmp_path):
    task = TASKS["variable length"]
    whole = train(task, ATTENTION_ONLY, SHORT, out=tmp_path / "whole", progress=False)
    assert {
        "validation_loss",
        "validation_accuracy",
        "validation_token_accuracy",
        "train_loss",
    } <= set(whole.metrics)
    restored = Run.load(tmp_path / "whole").task
    assert restored.test.tokens.equal(task.test.tokens) and restored.batch(3, 9).tokens.equal(
        task.batch(3, 9).tokens
    )
    assert whole.model().cfg.attn_only and not whole.weights()["pos_embed.W_pos"].any()
    # Metrics against the model itself
    logits = whole.model()(task.validation.tokens)
    asked, labels = task.validation.asked, task.validation.labels
    right = logits.argmax(-1) == labels
    last = whole.metrics.iloc[-1]
    assert last.validation_token_accuracy == pytest.approx(right[asked].double().mean().item())
    assert last.validation_accuracy == pytest.approx((right | ~asked).all(1).double().mean().item())
    assert last.validation_loss == pytest.approx(
        torch.nn.functional.cross_entropy(logits[asked], labels[asked]).item(), rel=1e-4
    )


def test_batch_size_fits_the_kind_of_task(tmp_path):
    with pytest.raises(
        ValueError,
        match="sorting draws fresh inputs at every step: set TrainConfig.batch_size, e.g. to 128",
    ):
        train(
            TASKS["repeats"],
            ATTENTION_ONLY,
            TrainConfig(steps=1),
            out=tmp_path / "a",
            progress=False,
        )
    with pytest.raises(
        ValueError,
        match="leave TrainConfig.batch_size None, or at most as many, got 16",
    ):
        train(
            tasks.modular_addition(5),
            ModelConfig(),
            TrainConfig(steps=1, batch_size=16),
            out=tmp_path / "b",
            progress=False,
        )
    assert not list(tmp_path.iterdir()), "and nothing was written"


def test_half_of_each_length_stays_for_training():
    """Few lists are short: without a limit all of length 1 would be held out."""
    task = tasks.sorting(12, (1, 8))
    held_out = torch.cat([task.validation.asked, task.test.asked]).sum(1)
    assert (held_out == 1).sum() <= 6 and (held_out == 2).sum() <= 66 // 2
    trained = {
        row[1] for step in range(30) for row in task.batch(step, 64).tokens.tolist() if row[2] == 13
    }
    assert len(trained) >= 6


def test_answers_that_could_be_read_are_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match=(
            "bidirectional attention reads sorting's answers in its inputs: leave "
            "ModelConfig.attention causal"
        ),
    ):
        train(
            TASKS["fixed length"],
            dataclasses.replace(ATTENTION_ONLY, attention="bidirectional"),
            SHORT,
            out=tmp_path,
            progress=False,
        )


def test_a_task_that_draws_its_inputs_is_no_set_of_them(as_a_user):
    task = TASKS["fixed length"]
    with pytest.raises(
        TypeError,
        match="sorting draws its inputs: pass a set of them, task.test or task.validation",
    ):
        CachedModel(models.build(ATTENTION_ONLY.for_task(task)), task)
    model = CachedModel(models.build(ATTENTION_ONLY.for_task(task)), task.test)
    with pytest.raises(ValueError, match="answered at several positions, not at one"):
        ablation.without_attention_to(model)
