"""Many remainders at once: the task, its packed answers, dropout and gradient filters."""

import dataclasses
import json
import math

import pytest
import torch
from torch.nn.functional import cross_entropy as torch_cross_entropy

from interp_utils import ModelConfig, RunConfig, TrainConfig, models, tasks, train
from interp_utils.analysis import answers
from interp_utils.experiments.remainders import recipes
from interp_utils.losses import LOSSES, cross_entropy
from interp_utils.models import logits_fn
from interp_utils.runs.storage import compact
from interp_utils.training.filters import gradient_filter
from interp_utils.training.objectives import dropout_masks, objective
from interp_utils.training.trainer import Trainer
from tests.small import of_hooked_transformer

SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)


@pytest.mark.parametrize("p", [3, 5, 11, 12, 50, 200])
@pytest.mark.parametrize("order", ["low_first", "high_first"])
def test_labels_are_pythons_remainders(p, order):
    """p = 200: neither a digit fits int8 nor n int16."""
    task = tasks.remainders(p, digit_order=order)
    primes = [q for q in range(2, p) if all(q % d for d in range(2, q))]
    assert task.params["primes"] == primes and task.n_classes == tuple(primes)
    for row in (0, 1, p, p * p // 2, p * p - 1):
        first, second, equals = task.tokens[row].tolist()
        n = first + p * second if order == "low_first" else p * first + second
        assert (first, second, equals) == (row // p, row % p, p)
        assert task.labels[row].tolist() == [n % q for q in primes]
    assert sorted(tasks.numbers(task).tolist()) == list(range(p * p))


def test_29_primes_and_1480_classes_at_113():
    task = tasks.remainders(113)
    assert (len(task.n_classes), sum(task.n_classes), int(task.train_mask.sum())) == (
        29,
        1480,
        3830,
    )


def test_labels_of_large_numbers_survive_the_run_folder():
    task = tasks.remainders(200, 0.01, primes=[2, 39_989])
    assert task.labels.max() > 2**15
    stored = tasks.restore(json.loads(json.dumps(task.about())), compact(task.tensors()))
    assert stored.labels.equal(task.labels) and stored.weights == task.weights


def test_weights_are_one_over_ln_q_and_masked_ones_zero():
    task = tasks.remainders(11, masked=[2, 5])
    assert task.weights == (0.0, 1 / (4 * math.log(3)), 0.0, 1 / (4 * math.log(7)))


def test_permuted_labels_stay_one_numbers_labels():
    true, permuted = tasks.remainders(11), tasks.remainders(11, labels="permuted")
    assert not permuted.labels.equal(true.labels)
    assert sorted(map(tuple, permuted.labels.tolist())) == sorted(map(tuple, true.labels.tolist()))
    assert permuted.train_mask.equal(true.train_mask) and permuted.weights == true.weights


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"p": 2}, "no prime below p = 2"),
        ({"p": 1}, "p must be"),
        ({"p": 11, "primes": [2, 2]}, "distinct"),
        ({"p": 11, "primes": [1]}, "from 2"),
        ({"p": 11, "primes": []}, "distinct integers"),
        ({"p": 11, "masked": [11]}, r"masked names \[11\]"),
        ({"p": 5, "masked": [2, 3]}, "leaves no loss"),
        ({"p": 11, "labels": "false"}, "labels must be one of"),
        ({"p": 11, "digit_order": "big"}, "digit_order must be one of"),
    ],
)
def test_what_is_no_task_says_why(arguments, expected, as_a_user):
    with pytest.raises(ValueError, match=expected):
        tasks.remainders(**arguments)


def packed(margin=0.0, n=40, n_classes=(2, 7, 1, 13), seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, sum(n_classes), generator=generator)
    labels = torch.stack([torch.randint(c, (n,), generator=generator) for c in n_classes], 1)
    for answer, (own, label) in enumerate(
        zip(logits.split(list(n_classes), 1), labels.unbind(1), strict=True)
    ):
        own[torch.arange(n), label] = own.amax(1) + margin * (answer % 2)
    return logits, labels, n_classes


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("margin", [-50.0, 0.0, 50.0])
def test_packed_answers_equal_separate_ones(loss, margin):
    """Value and gradient of each answer, whatever the others' margins; predictions, too."""
    logits, labels, n_classes = packed(margin)
    logits = logits.double().requires_grad_()
    losses = LOSSES[loss](logits, labels, n_classes)
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((losses.mean(0) * weights).sum(), logits)
    apart = [own.detach().requires_grad_() for own in logits.split(list(n_classes), 1)]
    separate = [
        LOSSES[loss](own, label) for own, label in zip(apart, labels.unbind(1), strict=True)
    ]
    sum(w * own.mean() for w, own in zip(weights, separate, strict=True)).backward()
    assert torch.allclose(losses, torch.stack(separate, 1), rtol=1e-12, atol=0)
    assert torch.allclose(gradient, torch.cat([own.grad for own in apart], 1), rtol=1e-12, atol=0)
    assert answers.predictions(logits, n_classes).equal(
        torch.stack([own.argmax(1) for own in apart], 1)
    )


def test_small_losses_of_packed_answers_keep_their_digits_in_float32():
    logits, labels, n_classes = packed(50.0)
    exact = cross_entropy(logits.double(), labels, n_classes)
    assert exact[:, 1].max() < 1e-15
    assert torch.allclose(
        cross_entropy(logits, labels, n_classes).double(), exact, rtol=2e-5, atol=0
    )


def test_gradcheck_of_packed_answers():
    logits, labels, n_classes = packed(n=3)
    assert torch.autograd.gradcheck(
        lambda x: cross_entropy(x, labels, n_classes), logits.double().requires_grad_()
    )


def test_a_row_of_metrics_is_what_torchs_own_losses_give():
    task = tasks.remainders(7, 0.5, masked=[2])
    config = RunConfig(SMALL.for_task(task), TrainConfig())
    weights = models.initial_weights(config.model)
    row = objective(task, config, torch.device("cpu")).measure(weights, 0)
    logits = models.build(config.model, weights)(task.tokens)[:, -1].double()
    train_loss, accuracies = 0.0, []
    for answer, (q, own) in enumerate(zip((2, 3, 5), logits.split([2, 3, 5], 1), strict=True)):
        label, test = task.labels[:, answer], task.test_mask
        own_loss = torch_cross_entropy(own[task.train_mask], label[task.train_mask])
        train_loss += 0 if q == 2 else own_loss / math.log(q) / 3
        accuracies.append((own.argmax(1) == label)[test].double().mean())
        assert torch.isclose(row[f"train_loss/{q}"], own_loss.double(), rtol=1e-5)
        assert torch.isclose(row[f"test_accuracy/{q}"], accuracies[-1])
    assert torch.isclose(row["train_loss"], train_loss, rtol=1e-5)
    assert torch.isclose(row["test_accuracy"], sum(accuracies) / 3)


def test_a_masked_answers_unembedding_is_not_trained():
    task = tasks.remainders(7, 0.5, masked=[3])
    trainer = Trainer(
        task,
        RunConfig(SMALL.for_task(task), TrainConfig(warmup_steps=0, weight_decay=0.0)),
        torch.device("cpu"),
    )
    before = trainer.weights["unembed.W_U"].detach().clone()
    trainer.update()
    changed = (trainer.weights["unembed.W_U"] != before).any(0)
    assert changed.split([2, 3, 5])[1].sum() == 0 and changed.split([2, 3, 5])[2].all()


@of_hooked_transformer
@pytest.mark.parametrize("own_mask", [False, True])
@pytest.mark.parametrize("d_mlp", [32, None])
def test_dropout_is_hooks_on_the_residual_stream(own_mask, d_mlp):
    """Logits and gradients, every bias random, against HookedTransformer with the same masks at
    resid_mid and resid_post.
    """
    task = tasks.remainders(7)
    config = dataclasses.replace(SMALL, biases="all", d_mlp=d_mlp).for_task(task)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: (0.3 * torch.randn(shape, generator=generator)).requires_grad_()
        for name, shape in models.weight_shapes(config).items()
    }
    kind = "sample" if own_mask else "step"
    masks = dropout_masks(
        RunConfig(config, TrainConfig(dropout=0.25, dropout_mask=kind)),
        3,
        len(task),
        torch.device("cpu"),
    )
    assert masks.shape == ((2, len(task), 16) if own_mask else (2, 16))
    logits = logits_fn(config, task.tokens)(weights, masks)
    logits.square().mean().backward()
    model = models.build(config, {name: weight.detach() for name, weight in weights.items()})
    model.requires_grad_(True)

    def multiply(mask):
        return lambda activation, hook: activation * (mask[:, None] if own_mask else mask)

    hooks = [
        ("blocks.0.hook_resid_mid", multiply(masks[0])),
        ("blocks.0.hook_resid_post", multiply(masks[1])),
    ]
    if d_mlp is None:  # there is no resid_mid: both masks after attention
        hooks = [("blocks.0.hook_resid_post", multiply(masks[0] * masks[1]))]
    expected = model.run_with_hooks(task.tokens, fwd_hooks=hooks)[:, -1]
    expected.square().mean().backward()
    assert torch.allclose(logits, expected, rtol=1e-4, atol=1e-5)
    for name, own in models.named_weights(model).items():
        assert (own.grad - weights[name].grad).norm() <= 1e-4 * own.grad.norm() + 1e-6, name


def test_dropout_masks_keep_their_share_and_their_scale():
    config = RunConfig(
        ModelConfig(d_model=1000, seed=5), TrainConfig(dropout=0.1, dropout_mask="sample")
    )
    masks = dropout_masks(config, 0, 50, torch.device("cpu"))
    assert masks.unique().tolist() == pytest.approx([0.0, 1 / 0.9])
    assert masks.mean().item() == pytest.approx(1.0, abs=0.01)
    assert masks.equal(dropout_masks(config, 0, 50, torch.device("cpu")))
    assert not masks.equal(dropout_masks(config, 1, 50, torch.device("cpu")))
    other = dataclasses.replace(config, model=dataclasses.replace(config.model, seed=6))
    assert not masks.equal(dropout_masks(other, 0, 50, torch.device("cpu")))


def test_dropout_where_there_is_none_is_refused(tmp_path):
    deep = dataclasses.replace(SMALL, n_layers=2)
    with pytest.raises(ValueError, match="only the table forward, for one-layer models without"):
        train(tasks.remainders(5), deep, TrainConfig(dropout=0.1), out=tmp_path / "a")
    with pytest.raises(ValueError, match="leave TrainConfig.dropout 0"):
        train(
            tasks.sorting(16, 5), SMALL, TrainConfig(dropout=0.1, batch_size=4), out=tmp_path / "b"
        )


def filtered(gradients, **options):
    """What the filter makes of a sequence of scalar gradients."""
    weight = torch.zeros(1, dtype=torch.float64)
    filter_ = gradient_filter(TrainConfig(**options), {"w": weight})
    out = []
    for step, value in enumerate(gradients):
        gradient = torch.full_like(weight, value)
        filter_.apply(step, {"w": gradient})
        out.append(gradient.item())
    return torch.tensor(out, dtype=torch.float64)


def test_ema_amplifies_a_constant_gradient_by_one_plus_lambda():
    lee = filtered([1.0] * 300, grokfast="ema", grokfast_lambda=2.0)
    assert torch.allclose(lee, torch.full_like(lee, 3.0))
    syrkis = filtered([1.0] * 300, grokfast="ema", grokfast_lambda=0.5, grokfast_start="zero")
    steps = torch.arange(1, 301, dtype=torch.float64)
    assert torch.allclose(syrkis, 1 + 0.5 * (1 - 0.98**steps))


@pytest.mark.parametrize("start", ["first", "zero"])
def test_ema_hardly_changes_an_alternating_gradient(start):
    out = filtered(
        [(-1.0) ** t for t in range(2000)],
        grokfast="ema",
        grokfast_lambda=2.0,
        grokfast_start=start,
    )
    assert out[-1].abs().item() == pytest.approx(1 + 2.0 * 0.02 / 1.98, rel=1e-6)


@pytest.mark.parametrize("w", [0.003, 0.05, 0.4, 2.0])
def test_ema_has_the_published_frequency_response(w):
    time = torch.arange(6000, dtype=torch.float64)
    out = filtered((w * time).cos().tolist(), grokfast="ema", grokfast_lambda=2.0)[1000:]
    gain = 1 + 2.0 * 0.02 / (1 - 0.98 * torch.exp(torch.tensor(-1j * w, dtype=torch.complex128)))
    expected = (gain * torch.exp(1j * w * time[1000:])).real
    assert torch.allclose(out, expected, atol=1e-7)


def test_moving_average_is_lees():
    values = torch.randn(57, generator=torch.Generator().manual_seed(0)).double()
    out = filtered(values.tolist(), grokfast="ma", grokfast_lambda=5.0, grokfast_window=10)
    for t in range(57):
        expected = values[t] + 5.0 * values[t - 9 : t + 1].mean() if t >= 9 else values[t]
        assert out[t].item() == pytest.approx(expected.item(), rel=1e-12)


def test_moving_average_forgets_large_gradients():
    """They fall by many orders of magnitude in a training; their sum must not keep the first ones'
    rounding.
    """
    weight = torch.zeros(1)
    filter_ = gradient_filter(
        TrainConfig(grokfast="ma", grokfast_lambda=1.0, grokfast_window=8), {"w": weight}
    )
    for step, value in enumerate([0.1 * math.pi] * 1000 + [1e-9] * 20):
        gradient = torch.full_like(weight, value)
        filter_.apply(step, {"w": gradient})
    assert gradient.item() == pytest.approx(2e-9, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"grokfast": "ema", "dropout": 0.1},
        {"grokfast": "ma", "grokfast_window": 7},
        {"grokfast": "ema", "grokfast_start": "zero", "dropout": 0.2, "dropout_mask": "sample"},
    ],
)
def test_a_resumed_training_is_the_uninterrupted_one(options, tmp_path, monkeypatch):
    task, config = (
        tasks.remainders(5, 0.6),
        TrainConfig(steps=40, log_every=10, snapshot_every=None, **options),
    )
    whole = train(task, SMALL, config, out=tmp_path / "whole", progress=False)

    update = Trainer.update

    def interrupted(trainer):
        if trainer.step == 23:
            raise RuntimeError("as if killed")
        update(trainer)

    monkeypatch.setattr("interp_utils.training.loop.SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(Trainer, "update", interrupted)
    with pytest.raises(RuntimeError):
        train(task, SMALL, config, out=tmp_path / "resumed", progress=False)
    monkeypatch.setattr(Trainer, "update", update)
    resumed = train(task, SMALL, config, out=tmp_path / "resumed", progress=False)
    for name, weight in whole.weights().items():
        assert weight.equal(resumed.weights()[name]), name
    plain = train(
        task,
        SMALL,
        dataclasses.replace(config, grokfast="none", dropout=0.0),
        out=tmp_path / "plain",
        progress=False,
    )
    assert not plain.weights()["embed.W_E"].equal(whole.weights()["embed.W_E"]), (
        "the options must change something"
    )


def test_several_remainders_are_learned(tmp_path):
    """The real thing in small: p = 12, remainders mod 2, 3, 5, 7 and 11 of most numbers; what is
    held out of them is learned for some.
    """
    config = TrainConfig(steps=400, lr=4e-3, snapshot_every=None, grokfast="ema", dropout=0.05)
    run = train(
        tasks.remainders(12, 0.8),
        ModelConfig(d_model=64, n_heads=2, d_head=32, d_mlp=256),
        config,
        out=tmp_path / "run",
        progress=False,
    )
    last = run.metrics.iloc[-1]
    assert last["train_accuracy"] > 0.95
    assert last["test_accuracy/2"] == 1.0 and last["test_accuracy/3"] == 1.0


@pytest.mark.parametrize("variant", recipes.variants(37))
def test_every_recipe_is_a_training_that_fits_its_task(variant):
    for p in recipes.SIZES:
        task, model, training = recipes.variant(p, variant, seed=1)
        assert task.n_classes == tuple(tasks.primes_below(p)) and task.params["seed"] == 1
        assert model.for_task(task).d_vocab_out == sum(task.n_classes) and training.steps >= 2000
    published = recipes.variant(113, "as published")
    assert (published.model.d_model, published.train.lr, published.task.params["frac_train"]) == (
        256,
        3e-4,
        0.3,
    )


def test_recipes_that_are_not_there():
    with pytest.raises(ValueError, match="variant must be one of .*'masked'.*, got 'mask'"):
        recipes.variant(name="mask")
    with pytest.raises(ValueError, match=r"p must be one of \[37, 53, 113\], got 59"):
        recipes.variant(59)
