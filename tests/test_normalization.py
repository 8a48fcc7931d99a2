"""LayerNorm and its kin, GELU, biases and several layers: values and gradients against a forward
written out in float64, and trainings that resume bit for bit.
"""

import dataclasses
import math
from functools import partial

import pytest
import torch
from torch.nn.functional import gelu

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    TrainConfig,
    models,
    tasks,
    train,
    train_many,
)
from interp_utils.losses import cross_entropy
from tests import test_forward
from tests.test_bridge import BACKENDS

TASK = tasks.modular_addition(7, frac_train=0.8)
KINDS = ["LN", "LNPre", "RMS", "RMSPre", None]


def config(kind, n_layers=1, **changes):
    sizes = {"d_model": 16, "n_heads": 2, "d_head": 8, "d_mlp": 32, "act_fn": "gelu"}
    made = ModelConfig(**sizes, n_layers=n_layers, normalization=kind, biases="all", **changes)
    return made.for_task(TASK)


random_weights = partial(test_forward.random_weights, scale=0.5, dtype=torch.float64)


def normalised(x, kind, W, name):
    if kind is None:
        return x
    if kind.startswith("LN"):
        x = x - x.mean(-1, keepdim=True)
    x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    if kind in ("LN", "RMS"):
        x = x * W[f"{name}.w"]
    return x + W[f"{name}.b"] if kind == "LN" else x


def literal_forward(config, W, tokens):
    kind, resid = config.normalization, W["embed.W_E"][tokens] + W["pos_embed.W_pos"]
    later = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1)
    for layer in range(config.n_layers):
        block = {
            name.removeprefix(f"blocks.{layer}."): w
            for name, w in W.items()
            if name.startswith(f"blocks.{layer}.")
        }
        x = normalised(resid, kind, block, "ln1")
        q, k, v = (
            torch.einsum("npm,hmd->nphd", x, block[f"attn.W_{n}"]) + block[f"attn.b_{n}"]
            for n in "QKV"
        )
        scores = torch.einsum("nqhd,nkhd->nhqk", q, k) / math.sqrt(config.d_head)
        z = torch.einsum("nhqk,nkhd->nqhd", scores.masked_fill(later, -torch.inf).softmax(-1), v)
        resid = resid + torch.einsum("nqhd,hdm->nqm", z, block["attn.W_O"]) + block["attn.b_O"]
        x = normalised(resid, kind, block, "ln2")
        post = gelu(x @ block["mlp.W_in"] + block["mlp.b_in"])
        resid = resid + post @ block["mlp.W_out"] + block["mlp.b_out"]
    return normalised(resid, kind, W, "ln_final") @ W["unembed.W_U"] + W["unembed.b_U"]


def values_and_gradients(logits_of, weights, labels):
    weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
    logits = logits_of(weights)
    cross_entropy(logits, labels).sum().backward()
    return logits.detach(), {name: w.grad for name, w in weights.items()}


@pytest.mark.parametrize("bridge", BACKENDS)
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_of_a_model(kind, n_layers, bridge):
    cfg = config(kind, n_layers)
    weights, tokens = random_weights(cfg), TASK.tokens
    model = models.build(cfg, device="cpu", bridge=bridge)
    expected, expected_gradients = values_and_gradients(
        lambda W: literal_forward(cfg, W, tokens)[:, -1], weights, TASK.labels
    )
    logits, gradients = values_and_gradients(
        lambda W: models.call_with(model, W, tokens)[:, -1], weights, TASK.labels
    )
    # A bridge's RMSNorm computes in float32, whatever its weights are in.
    digits = 1e-4 if bridge and kind in ("RMS", "RMSPre") else 1e-9
    assert torch.allclose(logits, expected, rtol=digits, atol=digits)
    for name, gradient in expected_gradients.items():
        assert torch.allclose(gradients[name], gradient, rtol=10 * digits, atol=10 * digits), name
    model = models.build(cfg, weights, "cpu", bridge=bridge, dtype=torch.float64)
    assert torch.allclose(model(tokens)[:, -1].detach(), logits, rtol=1e-10)
    named = models.named_weights(model)
    assert named.keys() == weights.keys()
    assert all(named[name].equal(weight) for name, weight in weights.items())


@pytest.mark.parametrize("kind", KINDS)
def test_what_training_computes(kind):
    """In float32, at the task's position, by the forward that "auto" takes."""
    cfg = config(kind)
    weights = {name: w.float() for name, w in random_weights(cfg).items()}
    expected = literal_forward(cfg, weights, TASK.tokens)
    for position in (0, 2):
        logits = models.logits_fn(cfg, TASK.tokens, "auto", position)(weights)
        assert torch.allclose(logits, expected[:, position], rtol=1e-4, atol=1e-4)


def test_initial_values_and_what_is_trained():
    cfg = dataclasses.replace(config("LN", 2), biases="none")
    weights, trained = models.initial_weights(cfg), models.trainable(cfg)
    scales = [name for name in weights if name.endswith(".w")]
    shifts = [name for name in weights if name.endswith(".b")]
    assert len(scales) == len(shifts) == 5 and {*scales, *shifts} <= set(trained)
    assert all((weights[name] == 1).all() for name in scales)
    assert not any(weights[name].any() for name in shifts)
    plain = models.initial_weights(dataclasses.replace(cfg, normalization=None))
    assert all(weights[name].equal(weight) for name, weight in plain.items())
    assert models.weight_shapes(config("LNPre")) == models.weight_shapes(config(None))
    without_mlp = dataclasses.replace(cfg, d_mlp=None)
    assert not [name for name in models.weight_shapes(without_mlp) if "ln2" in name]


@pytest.mark.parametrize(("kind", "n_layers"), [("LN", 2), ("LNPre", 1)])
def test_a_training_resumes_bit_for_bit(tmp_path, monkeypatch, kind, n_layers):
    training = TrainConfig(steps=12, log_every=4, snapshot_every=4)
    cfg = config(kind, n_layers)
    whole = train(TASK, cfg, training, out=tmp_path / "whole", progress=False, device="cpu")
    assert Run.load(tmp_path / "whole").config.model.normalization == kind
    logits = literal_forward(cfg, whole.weights(), TASK.tokens)[:, -1]
    loss = cross_entropy(logits, TASK.labels)[TASK.test_mask].mean().item()
    assert whole.metrics.test_loss.iloc[-1] == pytest.approx(loss, rel=1e-4)
    assert whole.metrics.train_loss.iloc[-1] < whole.metrics.train_loss.iloc[0]
    for name, initial in whole.weights(0).items():
        # The gradient of b_K is rounding, which AdamW scales up: it may move or not.
        if "b_K" not in name:
            assert not whole.weights()[name].equal(initial), name

    from interp_utils.training.trainer import Trainer

    own = Trainer.update

    def stopping(self):
        if self.step == 7:
            raise RuntimeError("the power is cut")
        own(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stopping)
        with pytest.raises(RuntimeError, match="the power is cut"):
            train(TASK, cfg, training, out=tmp_path / "cut", progress=False, device="cpu")
    assert Run.load(tmp_path / "cut").step == 4
    resumed = train(TASK, cfg, training, out=tmp_path / "cut", progress=False, device="cpu")
    for name, weight in whole.weights().items():
        assert resumed.weights()[name].equal(weight), name


def test_the_table_is_refused_by_name(tmp_path):
    cfg, training = config("LN"), TrainConfig(steps=2)
    with pytest.raises(ValueError, match='and this one has "LN"; use "hooked"'):
        models.logits_fn(cfg, TASK.tokens, "table")
    table = dataclasses.replace(training, forward="table")
    dropout = dataclasses.replace(training, dropout=0.1)
    for wrong, message in ((table, 'and this one has "LN"'), (dropout, "without normalization")):
        with pytest.raises(ValueError, match=message):
            train(TASK, cfg, wrong, out=tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match=r"ModelConfig.normalization = None and .*, got 1, 'LN'"):
        train_many(TASK, cfg, training, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("as_a_user")
def test_other_kinds_are_refused():
    with pytest.raises(
        ValueError, match="ModelConfig.normalization must be one of .*'LN'.*'batch'"
    ):
        ModelConfig(normalization="batch")


def test_a_cached_model_reads_it():
    cfg = config("LN")
    weights = {name: w.float() for name, w in random_weights(cfg).items()}
    model = CachedModel(models.build(cfg, weights, device="cpu"), TASK)
    expected = literal_forward(cfg, weights, TASK.tokens)[:, -1].unflatten(0, (7, 7))
    assert torch.allclose(model.logits, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="its logits are read through LN"):
        _ = model.W_L
