"""Weights as people have them: nested, prefixed, turned, padded, in other precisions, tied."""

import dataclasses
import warnings

import pytest
import torch
from torch import nn

from interp_utils import ModelConfig, models, tasks
from tests.small import of_hooked_transformer
from tests.test_forward import random_weights

TASK = tasks.modular_addition(7)
CONFIG = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
FULL = CONFIG.for_task(TASK)


def drawn(config=FULL, biases=False):
    weights = random_weights(config, scale=0.5)
    return {name: w for name, w in weights.items() if biases or not models.is_bias(name)}


WEIGHTS = drawn()
EXPECTED = models.from_weights(FULL, WEIGHTS, device="cpu")(TASK.tokens)[:, -1].detach()


def logits(saved, config=CONFIG, **options):
    return models.from_weights(config, saved, device="cpu", **options)(TASK.tokens)[:, -1].detach()


OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(2)}, "1": {"step": torch.zeros(())}}}
SAVED = {
    "as it is": WEIGHTS,
    "model": {"model": WEIGHTS, "optimizer": OPTIMISER, "epoch": 3, "losses": torch.zeros(4)},
    "state_dict": {"state_dict": WEIGHTS, "train_indices": torch.arange(3)},
    "nested twice": {"checkpoint": {"model": WEIGHTS, "config": {"lr": 1e-3}}},
    "torch.compile": {f"_orig_mod.{name}": weight for name, weight in WEIGHTS.items()},
    "DataParallel, compiled": {
        "model": {f"module._orig_mod.{name}": weight for name, weight in WEIGHTS.items()}
    },
    "with buffers": {**WEIGHTS, "blocks.0.attn.mask": torch.ones(3, 3).tril()},
    "of NumPy": {name: weight.numpy() for name, weight in WEIGHTS.items()},
    "a demo's file": {
        "model": WEIGHTS,
        "checkpoints": [WEIGHTS, WEIGHTS],
        "checkpoint_epochs": [99, 199],
        "test_losses": [1.0, 2.0],
    },
}


@pytest.mark.parametrize("saved", SAVED.values(), ids=SAVED)
def test_what_people_save_is_taken(saved):
    assert logits(saved).equal(EXPECTED)
    assert models.config_of(saved) == dataclasses.replace(FULL, biases="none")


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("saved", "error", "message"),
    [
        (
            [WEIGHTS] * 3,
            ValueError,
            r"weights is a list of 3 checkpoints: pass one of them",
        ),
        (
            {"state_dicts": [WEIGHTS] * 2, "epochs": [0, 1]},
            ValueError,
            r"weights\['state_dicts'\] is a list of 2 checkpoints: .*Run.from_checkpoints\(",
        ),
        (
            {"model": WEIGHTS, "ema": WEIGHTS},
            ValueError,
            r"several state dicts in these weights: pass one of weights\['model'\], weights\['ema'",
        ),
        (nn.Linear(2, 2), TypeError, r"got a Linear: pass its state_dict\(\)"),
        ("model.pth", TypeError, "expected a dict of tensors by name, got a str"),
        ({**WEIGHTS, "epoch": 3}, ValueError, r"these entries are not tensors: \['epoch'\]"),
        (
            {**{f"module.{name}": w for name, w in WEIGHTS.items()}, "scale": torch.ones(1)},
            ValueError,
            "begin with 'module.', except scale: leave these out",
        ),
        (
            {f"{model}.{name}": w for name, w in WEIGHTS.items() for model in "ab"},
            ValueError,
            r"of several models \(a.embed.W_E, b.embed.W_E\): pass those of one",
        ),
        ({"embed.weight": torch.ones(8, 16)}, ValueError, "names of a TransformerBridge"),
        (
            {"embedding.W": torch.ones(8, 16)},
            ValueError,
            r"in neither .*have \['embedding.W'",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(saved, error, message):
    with pytest.raises(error, match=message):
        models.from_weights(CONFIG, saved)


# Orientations, written out


def progress_measures(weights):
    """The files of Nanda et al. 2023: W_K "head d_head d_model", W_O "d_model (head d_head)"."""
    turned = {**weights, "embed.W_E": weights["embed.W_E"].T}
    for layer in range(2):
        path = f"blocks.{layer}"
        if f"{path}.attn.W_O" not in weights:
            continue
        for name in ("W_Q", "W_K", "W_V"):
            turned[f"{path}.attn.{name}"] = weights[f"{path}.attn.{name}"].transpose(1, 2)
        turned[f"{path}.attn.W_O"] = torch.cat(list(weights[f"{path}.attn.W_O"])).T
        for name in ("W_in", "W_out"):
            turned[f"{path}.mlp.{name}"] = weights[f"{path}.mlp.{name}"].T
    return turned


def easy_transformer(weights):
    turned = progress_measures(weights)
    for name in [name for name in weights if name.endswith("W_O")]:
        turned[name] = weights[name].transpose(1, 2)
    return turned | {"unembed.W_U": weights["unembed.W_U"].T}


def forward_of_2022(weights, tokens, n_heads=2, d_head=8):
    """What the released code of Nanda et al. computes with such a file, an input at a time."""
    rows = []
    for input_ in tokens:
        x = torch.stack([weights["embed.W_E"][:, token] for token in input_])
        x = x + weights["pos_embed.W_pos"][: len(input_)]
        heads = []
        for head in range(n_heads):
            q, k, v = (x @ weights[f"blocks.0.attn.W_{n}"][head].T for n in "QKV")
            scores = (q @ k.T / d_head**0.5).masked_fill(~torch.ones(3, 3).tril().bool(), -1e10)
            heads.append(scores.softmax(-1) @ v)
        x = x + torch.cat(heads, 1) @ weights["blocks.0.attn.W_O"].T
        pre = x @ weights["blocks.0.mlp.W_in"].T + weights["blocks.0.mlp.b_in"]
        post = pre.relu() @ weights["blocks.0.mlp.W_out"].T + weights["blocks.0.mlp.b_out"]
        rows.append(((x + post) @ weights["unembed.W_U"])[-1])
    return torch.stack(rows)


def test_the_orientation_of_2022_against_its_own_forward():
    weights = drawn(biases=True)
    weights = {n: w for n, w in weights.items() if not models.is_bias(n) or ".mlp." in n}
    theirs = progress_measures(weights)
    assert torch.allclose(logits(theirs), forward_of_2022(theirs, TASK.tokens), atol=1e-5)
    assert models.config_of(theirs) == dataclasses.replace(FULL, biases="mlp")


@pytest.mark.parametrize("turn", [progress_measures, easy_transformer])
@pytest.mark.parametrize(
    "sizes", [{}, {"n_layers": 2}, {"d_head": 16}, {"d_mlp": 16}, {"d_model": 8, "d_mlp": 8}]
)
def test_orientations(turn, sizes):
    """Square matrices do not mislead: all of a model's are turned, or none."""
    config = dataclasses.replace(FULL, **sizes)
    weights = drawn(config)
    expected = models.from_weights(config, weights, device="cpu")(TASK.tokens)[:, -1]
    without_sizes = dataclasses.replace(CONFIG, **sizes)
    assert logits(turn(weights), without_sizes).equal(expected)
    assert logits(turn(weights), without_sizes, orientation=turn.__name__).equal(expected)
    assert models.config_of(turn(weights)) == config
    assert models.config_of(weights) == config


def test_where_several_orientations_fit_it_can_be_said():
    config = ModelConfig(d_model=8, n_heads=1, d_head=8, d_mlp=8, d_vocab=8, d_vocab_out=8, n_ctx=3)
    weights = drawn(config)
    plain, turned = (
        models.from_weights(config, saved, orientation=orientation, device="cpu")(TASK.tokens)
        for saved, orientation in (
            (weights, None),
            (easy_transformer(weights), "easy_transformer"),
        )
    )
    assert plain.equal(turned)
    with pytest.raises(ValueError, match="orientation must be one of .*, got 'mine'"):
        models.from_weights(config, weights, orientation="mine")


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_what_are_no_real_numbers_is_refused(dtype):
    theirs = {**WEIGHTS, "embed.W_E": WEIGHTS["embed.W_E"].to(dtype)}
    with pytest.raises(ValueError, match=f"embed.W_E must have real numbers, got {dtype}"):
        models.from_weights(CONFIG, theirs)


def test_a_shape_that_fits_no_orientation_is_named():
    broken = {**WEIGHTS, "blocks.0.attn.W_K": torch.ones(2, 16, 9)}
    with pytest.raises(ValueError, match=r"attn.W_K must have shape \(2, 16, 8\), got \(2, 16, 9"):
        models.from_weights(CONFIG, broken)
    with pytest.raises(ValueError, match=r"not those of a transformer .* \(2, 16, 9\)"):
        models.config_of(broken)


# Sizes, rows and columns


def padded():
    """Two more tokens and three more outputs, among the others, and a longer context."""
    W_E, W_U = torch.full((10, 16), 9.0), torch.full((16, 10), 9.0)
    tokens, classes = [1, 2, 3, 5, 6, 7, 8, 9], [0, 2, 3, 4, 5, 6, 9]
    W_E[tokens], W_U[:, classes] = WEIGHTS["embed.W_E"], WEIGHTS["unembed.W_U"]
    W_pos = torch.cat([WEIGHTS["pos_embed.W_pos"], torch.ones(5, 16)])
    b_U = torch.full((10,), 9.0)
    b_U[classes] = 0.0
    weights = {**WEIGHTS, "embed.W_E": W_E, "unembed.W_U": W_U, "unembed.b_U": b_U}
    return weights | {"pos_embed.W_pos": W_pos}, tokens, classes


def test_rows_that_no_token_has_are_left_out():
    weights, tokens, classes = padded()
    for turn in (dict, progress_measures):
        for config in (CONFIG, FULL):
            orders = {"token_order": tokens, "class_order": torch.tensor(classes)}
            assert logits(turn(weights), config, **orders).equal(EXPECTED)


def test_a_size_that_differs_says_what_to_do():
    weights, tokens, classes = padded()
    with pytest.raises(ValueError, match="has 10 rows, ModelConfig.d_vocab is 8: choose rows"):
        models.from_weights(FULL, weights, class_order=classes)
    with pytest.raises(ValueError, match=r"10 columns, .*, e.g. class_order=range\(7\), or leave"):
        models.from_weights(FULL, {**WEIGHTS, "unembed.W_U": weights["unembed.W_U"]})
    for order in ([0, 0, 1], [0, 10], [-1, 0]):
        with pytest.raises(ValueError, match=r"10 rows: token_order must be some of 0 .. 9, each"):
            models.from_weights(CONFIG, weights, token_order=order, class_order=classes)
    with pytest.raises(ValueError, match=r"embed.W_E must have shape \(8, 16\), got \(5, 16\)"):
        models.from_weights(FULL, weights, token_order=tokens[:5], class_order=classes)


def test_sizes_and_settings_that_weights_show():
    deep = dataclasses.replace(FULL, n_layers=2, normalization="LN", biases="all")
    weights = drawn(deep, biases=True)
    assert models.config_of(weights) == deep
    assert models.config_of(weights, act_fn="gelu").act_fn == "gelu"
    attention_only = dataclasses.replace(FULL, d_mlp=None)
    assert models.config_of(drawn(attention_only)) == attention_only


# Precision


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_cast_is_said(dtype):
    theirs = {name: weight.to(dtype) for name, weight in WEIGHTS.items()}
    with pytest.warns(UserWarning, match=f"weights of {dtype} become torch.float32, the model"):
        found = logits(theirs)
    assert found.dtype == torch.float32
    model = models.build(FULL, device="cpu")
    full = {**{n: torch.zeros(s) for n, s in models.weight_shapes(FULL).items()}, **theirs}
    with pytest.warns(UserWarning, match=f"{dtype} become torch.float32"):
        models.load_weights(model, full)


@pytest.mark.parametrize("normalization", [None, "LN"])
@pytest.mark.parametrize("bridge", [False, True] if models.has_hooked_transformer() else [True])
def test_the_precision_is_kept_where_that_is_asked_for(bridge, normalization):
    config = dataclasses.replace(FULL, normalization=normalization)
    theirs = {name: weight.double() / 3 for name, weight in drawn(config).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = models.from_weights(
            config, theirs, dtype=torch.float64, device="cpu", bridge=bridge
        )
        models.from_weights(config, drawn(config), device="cpu", bridge=bridge)
    found = model(TASK.tokens)[:, -1]
    zeros = {n: torch.zeros(s).double() for n, s in models.weight_shapes(config).items()}
    exact = models.build(config, device="cpu", dtype=torch.float64)
    expected = models.call_with(exact, {**zeros, **theirs}, TASK.tokens)[:, -1]
    assert found.dtype == torch.float64
    assert torch.allclose(found, expected, rtol=1e-10)
    assert models.named_weights(model)["embed.W_E"].equal(theirs["embed.W_E"])


# Memory that is shared


def tied():
    model = models.build(dataclasses.replace(FULL, d_vocab_out=8), device="cpu")
    with torch.no_grad():
        model.unembed.W_U = nn.Parameter(model.embed.W_E.T)
    assert model.unembed.W_U.data_ptr() == model.embed.W_E.data_ptr()
    return model


@of_hooked_transformer
def test_weights_that_are_tied_are_not_overwritten():
    model = tied()
    before = {name: w.detach().clone() for name, w in models.named_weights(model).items()}
    other = {name: weight + 1 for name, weight in before.items()}
    other["unembed.W_U"] = 2 * other["unembed.W_U"]
    with pytest.raises(ValueError, match="embed.W_E and unembed.W_U of this model share memory"):
        models.load_weights(model, other)
    assert all(models.named_weights(model)[name].equal(w) for name, w in before.items())


@of_hooked_transformer
def test_weights_that_are_tied_alike_are_loaded_and_can_be_untied():
    model = tied()
    weights = {name: weight + 1 for name, weight in models.named_weights(model).items()}
    models.load_weights(model, weights)
    assert all(models.named_weights(model)[name].equal(w) for name, w in weights.items())
    model.unembed.W_U = nn.Parameter(model.unembed.W_U.detach().clone())
    weights["unembed.W_U"] = 2 * weights["unembed.W_U"].detach()
    models.load_weights(model, weights)
    assert all(models.named_weights(model)[name].equal(w) for name, w in weights.items())


@of_hooked_transformer
def test_a_model_from_tied_weights_has_its_own():
    model = tied()
    again = models.from_weights(CONFIG, model.state_dict(), device="cpu")
    assert again(TASK.tokens).equal(model(TASK.tokens))
    assert again.unembed.W_U.untyped_storage().data_ptr() != (
        again.embed.W_E.untyped_storage().data_ptr()
    )
    with torch.no_grad():
        again.unembed.W_U.zero_()
    assert again.embed.W_E.any()


def test_one_buffer_for_all_weights_is_no_tie():
    model = models.build(FULL, device="cpu")
    buffer = torch.cat([p.detach().flatten() for p in model.parameters()])
    nn.utils.vector_to_parameters(buffer, model.parameters())
    models.load_weights(model, models.initial_weights(dataclasses.replace(FULL, seed=5)))
    assert model.W_E.equal(models.initial_weights(dataclasses.replace(FULL, seed=5))["embed.W_E"])
