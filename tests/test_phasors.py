"""Phasor networks: their forward against complex numbers one by one, and the network that adds."""

import cmath
import dataclasses
import json
import math

import pytest
import torch

from interp_utils import CachedModel, Run, TrainConfig, experiments, fourier, models, tasks, train
from interp_utils.losses import cosine_loss
from interp_utils.models.phasor import PhasorConfig, exact, forward
from tests.small import SMALL_MODEL

TASK = tasks.modular_addition(7, frac_train=0.8)
CONFIGS = {
    "paper": PhasorConfig(hidden=(5,), inputs=(1, 2, 3)),
    "no hidden layer": PhasorConfig(hidden=(), inputs=(2,), outputs=(2, 4), harmonic=2),
    "two hidden layers": PhasorConfig(hidden=(5, 4), inputs=3, outputs=(1,), bias=True, scale=7.0),
    "axial": PhasorConfig(hidden=(5,), inputs=(3,), bias=True, harmonic=2, trained_inputs=True),
}


def weights_of(config):
    """Initial weights, with constant phasors of different weights."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(weight.shape, generator=generator) * config.bias
        if name.endswith(".b")
        else weight
        for name, weight in models.initial_weights(config).items()
    }


def literal(config, weights, tokens):
    """Logits of one input, by complex numbers."""
    weights = {name: weight.double().tolist() for name, weight in weights.items()}
    phases = [x for position in config.positions for x in weights["embed.phase"][tokens[position]]]
    for layer in range(len(config.hidden) + 1):
        W, b = weights[f"blocks.{layer}.W"], weights[f"blocks.{layer}.b"]
        sums = [
            b[h] + sum(W[j][h] * cmath.exp(1j * math.pi * x) for j, x in enumerate(phases))
            for h in range(len(b))
        ]
        phases = [cmath.phase(z) / math.pi for z in sums]
    logits = []
    for c in range(config.d_vocab_out):
        if config.outputs is None:
            code = [config.harmonic / 2 if j == c else 0 for j in range(len(phases))]
        else:
            code = [2 * k * c / config.d_vocab_out for k in config.outputs]
        terms = [
            math.cos(math.pi * (config.harmonic * x - y)) for x, y in zip(phases, code, strict=True)
        ]
        logits.append(config.scale * sum(terms) / len(terms))
    return logits


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_complex_numbers(name):
    config = CONFIGS[name].for_task(TASK)
    weights = weights_of(config)
    expected = torch.tensor([literal(config, weights, row) for row in TASK.tokens.tolist()])
    logits = models.logits_fn(config, TASK.tokens)
    assert torch.allclose(logits(weights), expected, rtol=0, atol=1e-5)
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    assert torch.allclose(model.logits.flatten(0, 1), expected, rtol=0, atol=1e-5)


def test_activations_are_read_and_edited():
    config = CONFIGS["two hidden layers"].for_task(TASK)
    weights = weights_of(config)
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    z, phases = model.activation("sum", 1), model.activation("phase", 1)
    assert z.shape == (7, 7, 2, 4) and phases.shape == (7, 7, 4)
    assert torch.allclose(torch.complex(*z.unbind(-2)).angle() / math.pi, phases, atol=1e-6)
    assert phases.abs().max() <= 1 and phases.abs().max() > 0.5
    turned = model.with_hooks(("blocks.1.hook_phase", lambda x, hook: x + 1))
    u = forward.summed(weights, 2, -forward.phasors(phases))
    again = forward.similarities(config, forward.normalised(u), forward.class_phases(config))
    assert torch.allclose(turned.logits, 7 * again, atol=1e-5)
    assert not torch.allclose(turned.logits, model.logits, atol=1e-2)


@pytest.mark.parametrize("p", [3, 5, 9, 31, 59, 113, 127])
def test_one_phasor_adds(p):
    task = tasks.modular_addition(p)
    for k in (1, p // 2):
        config, weights = exact(task, (k,))
        logits = models.logits_fn(config, task.tokens)(weights)
        assert (logits.argmax(1) == task.labels).all()
        s = torch.arange(p)
        expected = torch.cos(2 * math.pi * k * (s[:, None] - s) / p)
        assert torch.allclose(logits, expected[task.labels], atol=2e-5 * p)
    assert sum(weight.count_nonzero() for name, weight in weights.items() if "blocks" in name) == 2


def test_its_logits_are_of_one_frequency_and_untrained_ones_are_not():
    task = tasks.modular_addition(31)
    config, weights = exact(task, (5,))
    shown = CachedModel(models.build(config, weights, device="cpu"), task)
    assert fourier.key_frequencies(shown.logits) == [5]
    untrained = models.initial_weights(config)
    assert len(untrained) == len(weights)
    right = models.logits_fn(config, task.tokens)(untrained).argmax(1) == task.labels
    assert right.float().mean() < 0.5  # unequal weights lean to one operand
    wrong = models.logits_fn(config, task.tokens)(
        weights | {"embed.phase": 2 * weights["embed.phase"]}
    )
    assert (wrong.argmax(1) == task.labels).float().mean() < 0.1


def test_more_frequencies_are_exact_too():
    task = tasks.modular_addition(31)
    config, weights = exact(task, (1, 4, 7))
    logits = models.logits_fn(config, task.tokens)(weights)
    assert (logits.argmax(1) == task.labels).all()


@pytest.mark.parametrize("p", [5, 31, 59, 113])
def test_without_doubling_half_of_the_pairs_are_right(p):
    """Read at half the frequency, a phasor is right up to a turn by pi: it averages."""
    task = tasks.modular_addition(p)
    config, weights = exact(task, (1,))
    half = (p + 1) // 2
    config = dataclasses.replace(config, outputs=(half,), harmonic=1)
    right = models.logits_fn(config, task.tokens)(weights).argmax(1) == task.labels
    expected = (p + 1) / (2 * p) if p % 4 == 1 else (p - 1) / (2 * p)
    assert right.double().mean().item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("bias", [False, True])
def test_rotating_the_inputs_rotates_every_phase_unless_there_is_a_constant_phasor(bias):
    config = PhasorConfig(hidden=(6, 5), inputs=4, bias=bias).for_task(TASK)
    weights = weights_of(config)
    turned = weights | {"embed.phase": weights["embed.phase"] + 0.3}
    phases = [
        CachedModel(models.build(config, each, device="cpu"), TASK).activation("phase", 2)
        for each in (weights, turned)
    ]
    moved = (forward.phasors(phases[1]) - forward.phasors(phases[0] + 0.3)).norm(dim=-2)
    assert moved.max() > 0.5 if bias else moved.max() < 1e-4


def test_a_sum_that_cancels_has_a_finite_gradient():
    z = torch.tensor([[0.0, 3e-9, 3.0], [0.0, 4e-9, 4.0]], requires_grad=True)
    u = forward.normalised(z)
    assert torch.allclose(u[:, 2], torch.tensor([0.6, 0.8]))
    assert torch.allclose(u[:, 1], torch.tensor([3e-3, 4e-3])) and (u[:, 0] == 0).all()
    u.sum().backward()
    assert z.grad.isfinite().all() and z.grad[:, 0].abs().max() <= 1 / forward.SHORTEST


def test_gradients_in_float64():
    config = PhasorConfig(hidden=(3,), inputs=2, trained_inputs=True, bias=True).for_task(TASK)
    weights = {name: weight.double() for name, weight in weights_of(config).items()}
    logits = models.logits_fn(config, TASK.tokens[::5])
    names = models.trainable(config)
    assert set(names) == set(weights)
    assert torch.autograd.gradcheck(
        lambda *given: logits(dict(zip(names, given, strict=True))),
        [weights[name].requires_grad_() for name in names],
    )


def test_the_cosine_loss_is_one_minus_the_mean_over_outputs():
    """As the paper writes it: phases against the code of the label, output by output."""
    config = CONFIGS["paper"].for_task(TASK)
    weights = weights_of(config)
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    phases = model.activation("phase", 1).flatten(0, 1).tolist()
    expected = []
    for own, label in zip(phases, TASK.labels.tolist(), strict=True):
        code = [0.5 if c == label else 0.0 for c in range(7)]
        expected.append(
            1 - sum(math.cos(math.pi * (x - y)) for x, y in zip(own, code, strict=True)) / 7
        )
    losses = cosine_loss(model.logits.flatten(0, 1), TASK.labels)
    assert losses.tolist() == pytest.approx(expected, abs=1e-5)
    assert min(expected) > 0.1
    code = forward.phasors(forward.class_phases(config))
    own = forward.similarities(config, code, forward.class_phases(config))
    assert cosine_loss(own, torch.arange(7)).abs().max() < 1e-6


TRAINING = TrainConfig(
    steps=60, log_every=20, snapshot_every=30, lr=3e-2, weight_decay=0.0, loss="cosine"
)
LEARNS = PhasorConfig(hidden=(16,), inputs=(1,), outputs=(1,), harmonic=2)


def test_it_trains_saves_and_loads(tmp_path):
    run = train(TASK, LEARNS, TRAINING, out=tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run/run.json").read_text())["model"]["family"] == "phasor"
    assert run.metrics.test_accuracy.iloc[-1] == 1
    assert run.metrics.test_accuracy.iloc[0] < 0.7
    again = Run.load(tmp_path / "run")
    assert again.config.model == LEARNS.for_task(TASK)
    model = CachedModel(again.model(device="cpu"), TASK)
    expected = cosine_loss(model.logits.flatten(0, 1), TASK.labels)[TASK.test_mask].mean()
    assert again.metrics.test_loss.iloc[-1] == pytest.approx(expected.item(), abs=1e-6)
    assert again.weights(0)["embed.phase"].equal(again.weights()["embed.phase"])
    assert experiments.every()["addition"].is_about(again) is False


def test_it_resumes_bit_for_bit(tmp_path):
    config = dataclasses.replace(LEARNS, bias=True, trained_inputs=True)
    whole = train(TASK, config, TRAINING, out=tmp_path / "whole", progress=False)
    options = {"out": tmp_path / "cut", "progress": False}
    cut = train(TASK, config, TRAINING, callback=lambda row: row["step"] < 20, **options)
    assert cut.step == 20
    resumed = train(TASK, config, TRAINING, **options)
    for name, weight in whole.weights().items():
        assert resumed.weights()[name].equal(weight)
        assert not weight.equal(whole.weights(0)[name])


def test_what_a_phasor_network_lacks_is_refused_by_name():
    config = LEARNS.for_task(TASK)
    model = CachedModel(models.build(config, device="cpu"), TASK)
    for asked, message in {
        "W_E": r"no embed\.W_E; its weights are embed\.phase, blocks\.0\.W",
        "W_U": r"no unembed\.W_U",
        "W_L": "it has no MLP|it has 2 layers",
    }.items():
        with pytest.raises(ValueError, match=message):
            getattr(model, asked)
    with pytest.raises(ValueError, match="no activation 'pattern'; near names: "):
        model.attention_to(0)
    with pytest.raises(ValueError, match='a phasor network has one forward: kind must be "auto"'):
        models.logits_fn(config, TASK.tokens, "table")
    with pytest.raises(ValueError, match="no forward for sequences"):
        models.sequence_logits_fn(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": (0,)}, r"hidden must be numbers of neurons, \(\) for none, got \(0,\)"),
        ({"inputs": 0}, r"inputs must be frequencies of at least 1, or how many"),
        ({"inputs": ()}, r"inputs must be frequencies of at least 1"),
        ({"outputs": (1.5,)}, r"outputs must be frequencies of at least 1, or None"),
        ({"harmonic": 3}, r"harmonic must be one of \(1, 2\), got 3"),
        ({"scale": 0.0}, "scale must be a finite number above 0"),
        ({"bias": 1}, "bias must be True or False"),
        ({"n_values": 8}, r"needs PhasorConfig\.n_values = 7, got 8"),
    ],
)
def test_configurations_that_mean_nothing(changes, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(LEARNS, **changes).for_task(TASK)


def test_tasks_that_it_cannot_read():
    layout = tasks.Layout(tokens=[3, 1, 2, 0, 4, 5, 6])
    renamed = tasks.modular_addition(7, layout=layout)
    with pytest.raises(ValueError, match="input frequencies are for operands whose value n is tok"):
        LEARNS.for_task(renamed)
    assert dataclasses.replace(LEARNS, inputs=4).for_task(renamed).positions == (0, 1)
    earlier = tasks.modular_addition(7, layout=tasks.Layout(["a", "b", 7, 8], answer_pos=2))
    with pytest.raises(ValueError, match="answers at position 2: leave answer_pos -1"):
        LEARNS.for_task(earlier)
    sorting = tasks.sorting(8, length=3, n_validation=5, n_test=5)
    with pytest.raises(ValueError, match="reads the operands of a task with one answer"):
        LEARNS.for_task(sorting)
    more = tasks.modular_addition(7, layout=tasks.Layout(d_vocab_out=9))
    with pytest.raises(ValueError, match="the outputs of a phasor network are the classes"):
        LEARNS.for_task(more)


def test_what_has_no_exact_phasor_is_refused():
    with pytest.raises(ValueError, match="p must be odd, got 8"):
        exact(tasks.modular_addition(8))
    with pytest.raises(ValueError, match="no factor in common with 9, got 3"):
        exact(tasks.modular_addition(9), (1, 3))
    with pytest.raises(ValueError, match="has other labels"):
        exact(tasks.modular_subtraction(7))


@pytest.mark.parametrize("model", [SMALL_MODEL, dataclasses.replace(LEARNS, scale=2.0)])
def test_the_cosine_loss_is_for_similarities(model, tmp_path):
    with pytest.raises(ValueError, match='the loss "cosine" is for models whose logits are simil'):
        train(TASK, model, TRAINING, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
