"""Simplified blocks: what they are at first, against a literal reference, planted, and as runs."""

import dataclasses
import json
import math

import pytest
import torch

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    TrainConfig,
    models,
    report,
    tasks,
    train,
    train_many,
)
from interp_utils.configs import RunConfig
from interp_utils.experiments import base as experiments_base
from interp_utils.losses import cross_entropy
from interp_utils.measures import ablation, applies, trajectories
from interp_utils.measures.applies import DoesNotApply
from interp_utils.models.blocks import BlocksConfig
from interp_utils.training.trainer import Trainer
from tests.test_training import Killed, weights_equal

TASK = tasks.modular_addition(7, frac_train=0.6)
SMALL = BlocksConfig(d_model=12, n_heads=3, d_mlp=20)
TRAINING = TrainConfig(steps=40, log_every=10, snapshot_every=20, lr=1e-2)
VARIANTS = {
    "sequential": {},
    "parallel": {"form": "parallel"},
    "normalized": {"normalization": "RMS"},
    "parallel, normalized": {"form": "parallel", "normalization": "RMS"},
    "of the slides": {"mixing": "skip_init"},
    "no values": {"first_value": False},
    "bidirectional": {"attention": "bidirectional", "act_fn": "gelu"},
    "fewer outputs than dimensions": {"d_model": 4, "n_heads": 2},
}
DEEP = {"two layers": {"n_layers": 2}, "two parallel": {"n_layers": 2, "form": "parallel"}}


def config_of(variant, task=TASK):
    return dataclasses.replace(SMALL, **(VARIANTS | DEEP)[variant]).for_task(task)


def random_weights(config, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64) / math.sqrt(shape[0])
        for name, shape in models.weight_shapes(config).items()
    }


def literal(config, weights, tokens, answer_pos):
    """One input at a time, head by head and position by position, as the paper writes it."""

    def norm(x, path):
        if config.normalization is None:
            return x
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weights[f"{path}.w"]

    act = getattr(torch.nn.functional, config.act_fn)
    logits = []
    for sequence in tokens:
        ctx = len(sequence)
        x = weights["embed.W_E"][sequence] + weights["pos_embed.W_pos"][:ctx]
        for layer in range(config.n_layers):
            w = {
                name.removeprefix(f"blocks.{layer}."): weight
                for name, weight in weights.items()
                if name.startswith(f"blocks.{layer}.")
            }
            read = norm(x, f"blocks.{layer}.ln1")
            values = read @ (torch.eye(config.d_model).double() + w.get("attn.dW_V", 0))
            size, parts = config.d_model // config.n_heads, []
            for head in range(config.n_heads):
                rows = []
                for query in range(ctx):
                    last = query + 1 if config.attention == "causal" else ctx
                    q = read[query] @ w["attn.W_Q"][head]
                    keys = read[:last] @ w["attn.W_K"][head]
                    softmax = (keys @ q / math.sqrt(size)).softmax(0)
                    mixed = w["attn.beta"][head] * softmax
                    if config.mixing == "shaped":
                        mixed = mixed - w["attn.gamma"][head] / last
                    own = torch.nn.functional.one_hot(torch.tensor(query), last)
                    mixed = mixed + w["attn.alpha"][head] * own
                    rows.append(mixed @ values[:last, head * size : (head + 1) * size])
                parts.append(torch.stack(rows))
            mixed = w["attn.gain"] * torch.cat(parts, -1)
            if config.form == "sequential":
                read = norm(mixed, f"blocks.{layer}.ln2")
            x = mixed + w["mlp.gain"] * act(read @ w["mlp.W_in"]) @ w["mlp.W_out"]
        logits.append(norm(x[answer_pos], "ln_final") @ weights["unembed.W_U"])
    return torch.stack(logits)


def values_and_gradients(logits_of, weights, labels):
    weights = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    logits = logits_of(weights)
    cross_entropy(logits, labels).mean().backward()
    return logits.detach(), {name: weight.grad for name, weight in weights.items()}


@pytest.mark.parametrize("answer_pos", [-1, 1])
@pytest.mark.parametrize("variant", VARIANTS | DEEP)
def test_every_forward_is_literally_this(variant, answer_pos):
    config = config_of(variant)
    tokens, labels = TASK.tokens[::3], TASK.labels[::3]
    weights = random_weights(config)
    expected, expected_gradients = values_and_gradients(
        lambda w: literal(config, w, tokens, answer_pos), weights, labels
    )
    for kind in ("hooked", "auto"):
        logits_of = models.logits_fn(config, tokens, kind, answer_pos)
        logits, gradients = values_and_gradients(logits_of, weights, labels)
        assert torch.allclose(logits, expected, rtol=1e-10, atol=1e-12)
        for name, gradient in gradients.items():
            gradient = torch.zeros(()).double() if gradient is None else gradient
            own = expected_gradients[name]
            own = torch.zeros(()).double() if own is None else own
            assert torch.allclose(gradient, own, rtol=1e-8, atol=1e-10), name
        some = torch.tensor([3, 0, 5])
        assert torch.allclose(logits_of(weights, rows=some), expected[some], rtol=1e-10)


def test_each_gain_takes_part():
    """A planted error in any weight moves the logits: no weight is left out of both forwards."""
    config = config_of("sequential")
    weights = random_weights(config)
    logits = models.logits_fn(config, TASK.tokens)(weights)
    for name in weights:
        moved = weights | {name: weights[name] + 0.5 * torch.randn_like(weights[name])}
        assert not torch.allclose(models.logits_fn(config, TASK.tokens)(moved), logits), name


@pytest.mark.parametrize("variant", VARIANTS | DEEP)
def test_at_first_attention_is_the_identity_on_what_it_reads(variant):
    model = CachedModel(models.build(config_of(variant), device="cpu"), TASK)
    reads, before = "ln1.hook_normalized", model.activation("resid_pre", 0, pos=None)
    if "normalized" in variant:
        before = model.activation(f"blocks.0.{reads}", pos=None)
        assert before.square().mean(-1).allclose(torch.ones(()), atol=1e-3)
    assert model.activation("attn_out", 0, pos=None).equal(before)
    pattern = model.activation("pattern", 0, pos=None)
    assert pattern.allclose(torch.eye(3).expand_as(pattern), atol=1e-7)
    if config_of(variant).mixing == "shaped":  # "=" sees no operand
        assert model.logits.flatten(0, 1).std(0).max() < 1e-6
        uniform = model.activation("softmax", 0)
        assert uniform.allclose(torch.full_like(uniform, 1 / 3))


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_of_the_mixing_sum_to_alpha_plus_beta_minus_gamma(variant):
    config = config_of(variant)
    weights = {name: weight.float() for name, weight in random_weights(config).items()}
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    alpha, beta, gamma = (weights.get(f"blocks.0.attn.{name}") for name in GAINS)
    expected = alpha + beta - (0 if gamma is None else gamma)
    rows = model.activation("pattern", 0, pos=None).sum(-1)  # "a b head query"
    assert rows.allclose(expected[:, None].expand_as(rows), atol=1e-5)
    assert model.activation("softmax", 0, pos=None).sum(-1).allclose(torch.ones(()), atol=1e-6)


GAINS = ("alpha", "beta", "gamma")


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_there_are_two_squares_fewer_parameters_in_each_layer_and_one_in_the_first(layers):
    def matrices(config):
        shapes = models.weight_shapes(config.for_task(TASK))
        trained = models.trainable(config.for_task(TASK))
        return sum(math.prod(shapes[n]) for n in trained if n not in gains)

    config = dataclasses.replace(SMALL, n_layers=layers)
    gains = models.undecayed(config.for_task(TASK))
    sizes = {name: getattr(config, name) for name in ("d_model", "n_heads", "d_head", "d_mlp")}
    plain = ModelConfig(**sizes, n_layers=layers)
    fewer = matrices(plain) - matrices(config)
    assert fewer == (2 * layers - 1) * config.d_model**2
    none = dataclasses.replace(config, first_value=False)
    assert matrices(config) - matrices(none) == config.d_model**2
    assert len(gains) == 5 * layers


def planted_sum(p=5):
    """A task a + b mod p, and a block that solves it: the mixing gives "=" two thirds of each
    number, neurons are relu(a + b - n), and their second differences say which sum it is.
    """
    task, bounds = tasks.modular_addition(p), torch.arange(-1, 2 * p)
    config = BlocksConfig(d_model=p + 2, n_heads=1, d_mlp=len(bounds)).for_task(task)
    weights = {name: torch.zeros(shape) for name, shape in models.weight_shapes(config).items()}
    weights["embed.W_E"][:p, 0] = torch.arange(p).float()
    weights["embed.W_E"][p, 1] = 1  # "="
    weights |= {name: torch.ones(1) for name in models.undecayed(config)}
    weights["blocks.0.attn.gamma"] = -torch.ones(1)  # I + 2 C: "=" has 5/3 of itself
    weights["blocks.0.mlp.W_in"][0], weights["blocks.0.mlp.W_in"][1] = 1.5, -0.6 * bounds
    for n in range(2 * p - 1):
        weights["blocks.0.mlp.W_out"][n : n + 3, 2 + n % p] += torch.tensor([1.0, -2.0, 1.0])
    weights["unembed.W_U"][2:] = torch.eye(p)
    return task, config, weights


def test_planted_weights_add():
    task, config, weights = planted_sum()
    model = CachedModel(models.build(config, weights, device="cpu"), task)
    a, b = torch.meshgrid(torch.arange(5), torch.arange(5), indexing="ij")
    neurons = (a + b)[..., None] - torch.arange(-1, 10)
    assert model.activation("post", 0).allclose(neurons.clamp(min=0).float(), atol=1e-5)
    assert model.logits.allclose(torch.nn.functional.one_hot((a + b) % 5).float(), atol=1e-5)
    assert model.W_L.equal(weights["blocks.0.mlp.W_out"][:, 2:])
    fast = models.logits_fn(config, task.tokens)(weights)
    assert fast.allclose(model.logits.flatten(0, 1), atol=1e-5)


def test_it_trains_saves_loads_and_resumes_bit_for_bit(tmp_path):
    whole = train(TASK, SMALL, TRAINING, out=tmp_path / "whole", progress=False)
    assert json.loads((tmp_path / "whole/run.json").read_text())["model"]["family"] == "blocks"
    assert whole.metrics.train_loss.iloc[-1] < 0.7 * whole.metrics.train_loss.iloc[0]
    again = Run.load(tmp_path / "whole")
    assert again.config.model == SMALL.for_task(TASK)
    logits = again.model(device="cpu")(TASK.tokens)[:, -1]
    found = torch.nn.functional.cross_entropy(logits[TASK.test_mask], TASK.labels[TASK.test_mask])
    assert again.metrics.test_loss.iloc[-1] == pytest.approx(found.item(), rel=1e-4)

    def dies(row):
        if row["step"] == 20:
            raise Killed

    with pytest.raises(Killed):
        train(TASK, SMALL, TRAINING, out=tmp_path / "cut", callback=dies, progress=False)
    resumed = train(TASK, SMALL, TRAINING, out=tmp_path / "cut", progress=False)
    assert weights_equal(whole, resumed)


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd", "muon"])
def test_gains_are_trained_without_weight_decay(optimiser):
    config = SMALL.for_task(TASK)
    for_all = TrainConfig(optimiser=optimiser, lr=1e-3, weight_decay=50.0, warmup_steps=0)

    def moved(training):
        trainer = Trainer(TASK, RunConfig(config, training), torch.device("cpu"))
        before = {name: weight.detach().clone() for name, weight in trainer.weights.items()}
        trainer.update()
        return {n: (w - before[n]).detach() for n, w in trainer.weights.items()}

    with_decay, without = moved(for_all), moved(dataclasses.replace(for_all, weight_decay=0.0))
    gains = set(models.undecayed(config))
    assert len(gains) == 5
    assert not models.undecayed(dataclasses.replace(config, decay_gains=True))
    for name in with_decay:
        same = torch.allclose(with_decay[name], without[name], atol=1e-7)
        zero = name.endswith(("W_Q", "dW_V"))  # at first, so that there is nothing to decay
        assert same == (name in gains or zero), name


def test_mini_batches_and_the_model_s_own_forward_train(tmp_path):
    for number, changes in enumerate([{"batch_size": 8}, {"forward": "hooked"}]):
        training = dataclasses.replace(TRAINING, **changes)
        run = train(TASK, SMALL, training, out=tmp_path / str(number), progress=False)
        assert run.metrics.train_loss.iloc[-1] < run.metrics.train_loss.iloc[0]


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 10}, "d_model must be a multiple of n_heads = 3, since each head mixes"),
        ({"form": "pre-ln"}, r"form must be one of \('sequential', 'parallel'\), got 'pre-ln'"),
        ({"mixing": "plain"}, "mixing must be one of"),
        ({"normalization": "LN"}, r"normalization must be one of \('RMS',\), got 'LN'"),
        ({"mlp_gain": math.nan}, "mlp_gain must be a finite number"),
        ({"first_value": 1}, "first_value must be True or False"),
        ({"d_mlp": None}, "d_mlp must be an integer of at least 1"),
        ({"n_layers": 0}, "n_layers must be an integer of at least 1"),
    ],
)
def test_bad_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"BlocksConfig.{message}"):
        dataclasses.replace(SMALL, **changes)


def test_other_sizes_than_the_task_s_are_refused():
    with pytest.raises(ValueError, match=r"needs BlocksConfig.d_vocab = 8, got 9; leave it None"):
        dataclasses.replace(SMALL, d_vocab=9).for_task(TASK)
    with pytest.raises(ValueError, match=r"use config.for_task\(task\)"):
        models.build(SMALL)


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        ({}, {"dropout": 0.1}, "'blocks' has no dropout"),
        ({}, {"weight_norm": 5.0}, "weight_norm would scale the gains"),
        ({"n_layers": 2}, {"forward": "table"}, "for one block, this model has 2 layers"),
    ],
)
def test_trainings_that_it_has_not_are_refused_before_there_is_a_folder(
    tmp_path, model, training, message
):
    config, training = (
        dataclasses.replace(SMALL, **model),
        dataclasses.replace(TRAINING, **training),
    )
    with pytest.raises(ValueError, match=message):
        train(TASK, config, training, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_many_at_once_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no forward of many models for the family 'blocks'"):
        train_many(TASK, SMALL, TRAINING, out=tmp_path / "out", progress=False)


@pytest.fixture(scope="module", params=["sequential", "parallel", "normalized"])
def run(request, tmp_path_factory):
    config = dataclasses.replace(SMALL, **VARIANTS[request.param])
    return train(TASK, config, TRAINING, out=tmp_path_factory.mktemp("run"), progress=False)


def test_measures_and_ablations_go_over_it(run):
    table = trajectories.measure(run, progress=False)
    assert {"test", "train"} <= set(table.split.dropna())
    assert table[table.measure == "loss"].value.notna().all()
    model = CachedModel(run.model(device="cpu"), run.task)
    names = set(ablation.table(model, [1, 2]).index)
    assert {"nothing", "heads zero", "neurons sums"} <= names
    is_parallel = run.config.model.form == "parallel"
    assert ("MLP skip zero" in names) != is_parallel
    refused = {"no attention to =", "attention linear", "attention sine", "attention skip zero"}
    assert not refused & names
    for name in refused:
        with pytest.raises(DoesNotApply, match=f"{name} means nothing here"):
            ablation.table(model, [1, 2], [name])
    notes = report(run).table
    assert len(notes) > 5


def test_editing_pattern_and_values_does_what_it_says(run):
    model = CachedModel(run.model(device="cpu"), run.task)
    zeroed = ablation.without_heads(model)
    by_hand = model.with_hooks(("blocks.0.attn.hook_pattern", lambda x, hook: 0 * x)).logits
    assert zeroed.allclose(by_hand, atol=1e-6) and not zeroed.allclose(model.logits, atol=1e-3)
    v = model.activation("v", 0, pos=None)
    z = torch.einsum("abhqk,abkhd->abqhd", model.activation("pattern", 0, pos=None), v)
    assert z.allclose(model.activation("z", 0, pos=None), atol=1e-6)
    gain = run.weights()["blocks.0.attn.gain"]
    assert (z.flatten(-2) * gain).allclose(model.activation("attn_out", 0, pos=None), atol=1e-6)


def test_what_needs_values_is_refused_by_name(run):
    model = CachedModel(run.model(device="cpu"), run.task)
    with pytest.raises(DoesNotApply, match=r"no blocks.0.attn.W_V and no blocks.0.attn.W_O"):
        applies.value_weights(model)
    assert not experiments_base.one_layer(run)


def test_gradients_of_embeddings_are_autograd_s(run):
    model = CachedModel(run.model(device="cpu"), run.task)
    inputs, classes = torch.tensor([4, 9]), torch.tensor([1, 2])
    found = model.embedding_gradients(inputs, classes)
    step = 3e-4 * torch.randn(2, 3, SMALL.d_model)
    moved = model.with_hooks(("hook_embed", lambda x, hook: x + step)).logits_of(inputs)
    change = (moved - model.logits_of(inputs)).gather(1, classes[:, None]).flatten()
    assert change.allclose((found * step).sum((1, 2)), rtol=0.05, atol=1e-5)


def test_hooks_leave_nothing_behind_and_a_cache_is_a_dict(run):
    model = run.model(device="cpu")
    before = model(run.task.tokens)
    with pytest.raises(ZeroDivisionError), model.hooks([("hook_embed", lambda x, hook: 1 / 0)]):
        model(run.task.tokens)
    assert model(run.task.tokens).equal(before)
    with pytest.raises(ValueError, match="this model's cache is a dict"):
        model.run_with_cache(run.task.tokens, return_cache_object=True)
    logits, cache = model.run_with_cache(run.task.tokens)
    assert logits.equal(before) and cache.keys() == model.hook_dict.keys()
