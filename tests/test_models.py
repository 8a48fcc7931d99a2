import gc
import random
import sys

import numpy as np
import pytest
import torch

from interp_utils import ModelConfig, models, tasks
from tests.small import of_hooked_transformer

TASK = tasks.modular_addition(11)
CONFIG = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24).for_task(TASK)


def test_default_is_the_grokking_demos_model():
    config = ModelConfig().for_task(tasks.modular_addition(113))
    shapes = models.weight_shapes(config)
    assert sum(int(np.prod(shapes[name])) for name in models.trainable(config)) == 226_048
    model = models.build(config)
    assert {name: tuple(w.shape) for name, w in models.named_weights(model).items()} == shapes
    assert (model.cfg.act_fn, model.cfg.normalization_type, model.cfg.n_ctx) == ("relu", None, 3)
    assert {name for name, w in models.named_weights(model).items() if w.requires_grad} == set(
        models.trainable(config)
    )
    assert not any(
        w.any() for name, w in models.named_weights(model).items() if models.is_bias(name)
    )


@pytest.mark.parametrize(
    ("init", "std", "std_W_U"),
    [("transformer_lens", 0.8 / 128**0.5, 0.8 / 128**0.5), ("paper", 128**-0.5, 113**-0.5)],
)
def test_initial_scale(init, std, std_W_U):
    weights = models.initial_weights(ModelConfig(init=init).for_task(tasks.modular_addition(113)))
    for name, weight in weights.items():
        if not models.is_bias(name) and weight.numel() > 1000:
            expected = std_W_U if name == "unembed.W_U" else std
            assert weight.std().item() == pytest.approx(expected, rel=0.05), name


@pytest.mark.parametrize(
    ("biases", "trained"),
    [
        ("none", set()),
        ("mlp", {"b_in", "b_out"}),
        ("all", {"b_in", "b_out", "b_Q", "b_K", "b_V", "b_O", "b_U"}),
    ],
)
def test_trained_biases(biases, trained):
    names = models.trainable(ModelConfig(biases=biases).for_task(TASK))
    assert {name.rpartition(".")[2] for name in names if models.is_bias(name)} == trained


@pytest.mark.usefixtures("as_a_user")  # beartype draws from `random`
def test_nobodys_random_state_is_touched():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    models.build(CONFIG)
    assert states[0].equal(torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_same_seed_same_weights_and_another_seed_others():
    again, other = (
        models.initial_weights(CONFIG),
        models.initial_weights(
            ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24, seed=1).for_task(TASK)
        ),
    )
    for name, weight in models.initial_weights(CONFIG).items():
        assert weight.equal(again[name])
        assert models.is_bias(name) or not weight.equal(other[name])


def test_load_weights_copies_or_changes_nothing():
    model, weights = models.build(CONFIG), models.initial_weights(CONFIG)
    doubled = {name: 2 * weight for name, weight in weights.items()}
    models.load_weights(model, doubled)
    assert model.W_E.equal(doubled["embed.W_E"]) and model.embed.W_E is not doubled["embed.W_E"]
    broken = {**weights, "unembed.W_U": weights["unembed.W_U"] * torch.nan}
    with pytest.raises(ValueError, match="unembed.W_U has values that are not finite"):
        models.load_weights(model, broken)
    assert model.W_E.equal(doubled["embed.W_E"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("embed.W_E"), r"missing \['embed.W_E'\], unknown none"),
        (lambda w: w.update(W_E=torch.zeros(2)), r"missing none, unknown \['W_E'\]"),
        (
            lambda w: w.update({"embed.W_E": w["embed.W_E"][1:]}),
            r"embed.W_E must have shape \(12, 16\), got \(11, 16\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(change, message):
    weights = models.initial_weights(CONFIG)
    change(weights)
    with pytest.raises(ValueError, match=message):
        models.build(CONFIG, weights)


def test_a_model_without_sizes_cannot_be_built():
    with pytest.raises(ValueError, match=r"use config.for_task\(task\)"):
        models.build(ModelConfig())


def test_building_one_says_nothing(recwarn):
    models.build(CONFIG)
    assert not recwarn.list


@of_hooked_transformer
@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_again_once_transformer_lens_is_there(enabled, monkeypatch):
    """As before, even if it cannot be imported."""
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    monkeypatch.setitem(sys.modules, "transformer_lens", None)
    try:
        with pytest.raises(ImportError):
            models.build(CONFIG)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()
