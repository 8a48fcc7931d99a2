"""A model and its task, re-laid together by everything that must change nothing, have the same
numbers by every public measure: token numbers, positions, row order, padding, other coordinates.
"""

import dataclasses
import inspect
import math
import re
import warnings

import pytest
import torch
from torch import Tensor

from interp_utils import CachedModel, TrainConfig, fourier, models, tasks, train
from interp_utils.analysis import neurons, progress, sinusoids
from interp_utils.measures import ablation, listed, trajectories
from interp_utils.tasks import Layout
from tests import arguments
from tests.small import SMALL_MODEL, of_hooked_transformer
from tests.test_precision import cast

P = arguments.P
CONFIG = dataclasses.replace(SMALL_MODEL, n_ctx=3)
CPU = torch.device("cpu")
# These give or take weights as they are: of all rows of W_E, or with what positions take back.
OF_WEIGHTS = (
    *("listed.sum_squared_weights", "trajectories.measure_model", "group_readings.parts"),
    "stream.with_digits",
)
# Public functions of a model: one that is added is here by being there.
OF_A_MODEL = [
    name
    for name, function in arguments.FUNCTIONS.items()
    if re.search(r"\b(CachedModel|Subject)\b", str(inspect.signature(function)))
    and not name.endswith(OF_WEIGHTS)
]
# What a re-laid model has other weights for: sums over all rows of W_E, padding and all.
OF_ALL_WEIGHTS = "sum_squared_weights"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Of a model that has learned its training pairs, in float64."""
    task = tasks.modular_addition(P, frac_train=0.6)
    config = TrainConfig(steps=150, lr=1e-2, snapshot_every=None)
    run = train(task, CONFIG, config, out=tmp_path_factory.mktemp("relaid") / "run", progress=False)
    return {name: weight.double() for name, weight in run.weights().items()}


def exactly(weights, attention="causal"):
    """A model of these weights in float64."""
    W_E, W_U = weights["embed.W_E"], weights["unembed.W_U"]
    config = dataclasses.replace(
        CONFIG,
        d_vocab=len(W_E),
        d_vocab_out=W_U.shape[1],
        n_ctx=len(weights["pos_embed.W_pos"]),
        attention=attention,
    )
    return models.build(config, weights, device="cpu", dtype=torch.float64)


def numbers_of(model: CachedModel) -> dict[str, float]:
    """Every number of every public measure of a model, by name."""
    sums = model.as_sums()
    keys = fourier.key_frequencies(sums.logits)
    found = {f"key {k}": 1.0 for k in keys} | in_tables(model, keys)
    clusters = neurons.frequency_clusters(sums.activation("post", 0))
    read_out = sinusoids.read_out_directions(sums.W_L, keys)
    found["clustered"] = clusters.clustered.double().mean().item()
    found["residual of W_L"] = read_out.residual
    assert found.keys() >= {f"loss, {name}" for name in ("nothing", *ablation.ABLATIONS)}
    edits = {
        "mean heads": ablation.without_heads(sums, [1], "mean"),
        "attention skip mean": ablation.without_attention_skip(sums, "mean"),
        "additive": ablation.with_additive_neurons(sums),
        "without a key": ablation.without_frequency(sums, keys[0]),
        "without digits": ablation.with_digits(sums, sums.W_E[0].flip(0)),
    }
    for name, logits in edits.items():
        found[f"loss, {name}"] = progress.mean_loss(logits, sums.task.labels)
    found["attention to a"] = sums.attention_to(0, 0).std().item()
    return found


def in_tables(model: CachedModel, keys: list[int]) -> dict[str, float]:
    """Every measure and every ablation that means something for a model."""
    rows = trajectories.measure_model(model, keys)
    names = [" ".join(str(row[part]) for part in row if part != "value") for row in rows]
    found = dict(zip(names, [row["value"] for row in rows], strict=True))
    losses = ablation.table(model, keys)["loss"]
    found |= {f"loss, {name}": loss for name, loss in losses.items()}
    return {name: value for name, value in found.items() if OF_ALL_WEIGHTS not in name}


@pytest.fixture(scope="module")
def plain(weights):
    return numbers_of(CachedModel(exactly(weights), tasks.modular_addition(P, frac_train=0.6)))


def generator():
    return torch.Generator().manual_seed(1)


def random(*shape):
    return torch.randn(*shape, generator=generator(), dtype=torch.float64)


def token_ids_permuted(W):
    order = torch.randperm(P + 1, generator=generator())  # token t of before is token order[t]
    W_E = torch.empty_like(W["embed.W_E"])
    W_E[order] = W["embed.W_E"]
    layout = Layout(["a", "b", int(order[P])], tokens=order[:P].tolist())
    return {**W, "embed.W_E": W_E}, layout, {}


def operands_swapped(W):
    W_pos = W["pos_embed.W_pos"][[1, 0, 2]]
    return {**W, "pos_embed.W_pos": W_pos}, Layout(["b", "a", P]), {}


def a_constant_token_put_in(W):
    """[a, op, b, =]: the operator's embedding is such that no head attends to it."""
    start = W["embed.W_E"][P] + W["pos_embed.W_pos"][2]
    towards = torch.stack(
        [
            W["blocks.0.attn.W_K"][h] @ (start @ W["blocks.0.attn.W_Q"][h])
            for h in range(CONFIG.n_heads)
        ]
    )  # "head d_model": a key's score is its inner product with this, over sqrt(d_head)
    ignored = torch.linalg.pinv(towards) @ torch.full((CONFIG.n_heads,), -1e3).double()
    W_E = torch.cat([W["embed.W_E"], ignored[None]])
    a, b, equals = W["pos_embed.W_pos"]
    W_pos = torch.stack([a, torch.zeros_like(a), b, equals])
    layout = Layout(["a", P + 1, "b", P])
    return {**W, "embed.W_E": W_E, "pos_embed.W_pos": W_pos}, layout, {}


def equals_first(W):
    """["=", a, b] is read where "=" stands, by a model that looks both ways."""
    W_pos = W["pos_embed.W_pos"][[2, 0, 1]]
    layout = Layout([P, "a", "b"], answer_pos=0)
    return {**W, "pos_embed.W_pos": W_pos}, layout, {"attention": "bidirectional"}


def padded_and_permuted_outputs(W):
    outputs = torch.randperm(P + 4, generator=generator())[:P]
    W_U, b_U = random(CONFIG.d_model, P + 4), random(P + 4)
    W_U[:, outputs], b_U[outputs] = W["unembed.W_U"], W["unembed.b_U"]
    W_E = torch.cat([W["embed.W_E"], random(3, CONFIG.d_model)])
    layout = Layout(outputs=outputs.tolist(), d_vocab=P + 4, d_vocab_out=P + 4)
    return {**W, "embed.W_E": W_E, "unembed.W_U": W_U, "unembed.b_U": b_U}, layout, {}


def two_tables(W):
    W_E = torch.cat([W["embed.W_E"], W["embed.W_E"][:P]])
    layout = Layout(["a", "b", P], tokens=(list(range(P)), list(range(P + 1, 2 * P + 1))))
    return {**W, "embed.W_E": W_E}, layout, {}


def biases_that_cancel(W):
    """A shift of all embeddings that positions take back, and keys' bias, which softmax ignores."""
    shift = random(CONFIG.d_model)
    return (
        {
            **W,
            "embed.W_E": W["embed.W_E"] + shift,
            "pos_embed.W_pos": W["pos_embed.W_pos"] - shift,
            "blocks.0.attn.b_K": random(CONFIG.n_heads, CONFIG.d_head),
        },
        Layout(),
        {},
    )


RELAID = [
    token_ids_permuted,
    operands_swapped,
    a_constant_token_put_in,
    equals_first,
    padded_and_permuted_outputs,
    two_tables,
    biases_that_cancel,
]


def measured(name, model, values):
    """What a public function says of a model: numbers and tensors, in order."""
    given = cast(arguments.arguments(name, values), torch.float64)
    own = {"model": model, "sums": model.as_sums(), "subject": listed.Subject(model, [1, 2])}
    given |= {key: value for key, value in own.items() if key in given}
    return list(arguments.leaves(arguments.FUNCTIONS[name](**given)))


@pytest.mark.parametrize("name", OF_A_MODEL)
def test_every_public_function_of_a_model_says_the_same(weights, small_run, name):
    values = arguments.table(small_run, arguments.Place(CPU, CPU))
    task = tasks.modular_addition(P, frac_train=0.6)
    expected = measured(name, CachedModel(exactly(weights), task), values)
    for change in RELAID:
        changed, layout, build = change(weights)
        task = tasks.modular_addition(P, frac_train=0.6, layout=layout)
        found = measured(name, CachedModel(exactly(changed, **build), task), values)
        for own, other in zip(found, expected, strict=True):
            if isinstance(own, Tensor):
                torch.testing.assert_close(own, other, rtol=1e-6, atol=1e-8, equal_nan=True)
            elif isinstance(own, float):
                assert own == pytest.approx(other, rel=1e-6, abs=1e-8, nan_ok=True), change
            else:
                assert own == other, change


def require_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-6, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("change", RELAID, ids=lambda change: change.__name__)
def test_weights_and_task_relaid_together_give_the_same_numbers(weights, plain, change):
    changed, layout, build = change(weights)
    task = tasks.modular_addition(P, frac_train=0.6, layout=layout)
    require_equal(numbers_of(CachedModel(exactly(changed, **build), task)), plain)


def test_another_row_order_gives_the_same_numbers(weights, plain):
    task = tasks.modular_addition(P, frac_train=0.6)
    order = torch.randperm(P * P, generator=generator())
    fields = {name: getattr(task, name)[order] for name in ("tokens", "labels", "train_mask")}
    shuffled = dataclasses.replace(task, **fields)
    require_equal(numbers_of(CachedModel(exactly(weights), shuffled)), plain)


def hook_of_transformer_lens(model):
    model.add_hook("blocks.0.hook_mlp_out", lambda mlp_out, hook: 2 * mlp_out)


def hook_of_torch(model):
    model.blocks[0].mlp.register_forward_hook(lambda module, inputs, output: 2 * output)


@of_hooked_transformer
@pytest.mark.parametrize("leave", [hook_of_transformer_lens, hook_of_torch])
def test_what_a_hook_left_on_the_model_does_is_measured(weights, leave):
    """The MLP's output is doubled by a hook, or by its weights: the same numbers, but for those of
    W_L, which a model with such a hook does not read its neurons by.
    """
    task = tasks.modular_addition(P, frac_train=0.6)
    hooked = exactly(weights)
    leave(hooked)
    doubled = exactly({**weights, "blocks.0.mlp.W_out": 2 * weights["blocks.0.mlp.W_out"]})
    found, expected = (in_tables(CachedModel(m, task), [1, 2]) for m in (hooked, doubled))
    require_equal(found, {name: expected[name] for name in found})
    refused = expected.keys() - found.keys()
    assert len(found) > 80 and "excluded_loss all neurons sum" in found
    assert all(re.search("W_L|restricted.*neurons|directions", name) for name in refused)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_a_model_in_half_precision_gives_nearly_the_same_numbers(weights, half):
    rounded = {name: weight.to(half).double() for name, weight in weights.items()}
    config = dataclasses.replace(CONFIG, d_vocab=P + 1, d_vocab_out=P)
    in_half = models.build(config, rounded, device="cpu", dtype=torch.float64).to(half)
    in_half.cfg.dtype = half
    task = tasks.modular_addition(P, frac_train=0.6)
    found, expected = (in_tables(CachedModel(m, task), [1, 2]) for m in (in_half, exactly(rounded)))
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=0.1, abs=0.1, nan_ok=True), name


def test_a_bridge_gives_the_same_numbers(weights, plain):
    config = dataclasses.replace(CONFIG, d_vocab=P + 1, d_vocab_out=P)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bridge = models.build(config, weights, bridge=True, device="cpu", dtype=torch.float64)
    task = tasks.modular_addition(P, frac_train=0.6)
    found = numbers_of(CachedModel(bridge, task))
    for name, value in found.items():
        assert value == pytest.approx(plain[name], rel=1e-3, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize(("alpha", "beta"), [(1, P - 1), (3, 5)], ids=["a - b", "3a + 5b"])
def test_other_operations_give_the_numbers_of_their_sums(weights, plain, alpha, beta):
    """The model of a + b computes alpha a' + beta b' where the token of a' is that of alpha a'."""
    n = torch.arange(P)
    layout = Layout(["a", "b", P], tokens=((alpha * n % P).tolist(), (beta * n % P).tolist()))
    task = tasks.linear_combination(P, alpha, beta, layout=layout)
    mask = tasks.modular_addition(P, frac_train=0.6).train_mask.view(P, P)
    task = dataclasses.replace(
        task, train_mask=mask[alpha * n % P][:, beta * n % P].flatten(), params={}
    )
    cached = CachedModel(exactly(weights), task)
    require_equal(numbers_of(cached), plain)
    assert progress.mean_loss(cached.logits, cached.task.labels) == pytest.approx(
        plain["loss all"], rel=1e-9
    )
    # What a measure on the grid of (a, b) cannot mean is refused by name.
    with pytest.raises(ValueError, match=r"labels must be \(a \+ b\) mod p"):
        progress.restricted_loss(cached.logits, cached.task.labels, [1])
    with pytest.raises(ValueError, match=r"pass model.as_sums\(\)"):
        ablation.without_frequency(cached, 1)


def test_a_task_without_an_operation_is_refused_by_what_needs_one(weights):
    task = dataclasses.replace(tasks.modular_addition(P), operation=None)
    cached = CachedModel(exactly(weights), task)
    for refused in (
        lambda: trajectories.measure_model(cached, [1], ["progress on logits"]),
        lambda: trajectories.gradient_symmetricity(cached),
        lambda: ablation.without_frequency(cached, 1),
        lambda: ablation.head_frequencies(cached),
    ):
        with pytest.raises(ValueError, match="states no operation, and measures of u"):
            refused()
    without = dataclasses.replace(task, operands=())
    with pytest.raises(ValueError, match="does not say where its operands stand, which attention"):
        CachedModel(exactly(weights), without).attention_to(0)


def test_a_stated_layout_that_is_not_the_models_gives_no_number(weights):
    with pytest.raises(ValueError, match="needs a model with d_vocab = 9, and this one has 8"):
        CachedModel(exactly(weights), tasks.modular_addition(P, layout=Layout(["a", "b", 8])))
    with pytest.raises(ValueError, match="needs a model with d_vocab_out = 20, and this one has 7"):
        CachedModel(exactly(weights), tasks.modular_addition(P, layout=Layout(d_vocab_out=20)))
    four = tasks.modular_addition(P, layout=Layout(["a", "b", 7, 7]))
    with pytest.raises(ValueError, match=r"inputs of 4 tokens, and this model takes 3 \(n_ctx\)"):
        CachedModel(exactly(weights), four)


def test_where_training_pairs_are_unknown_only_the_whole_is_measured(weights, plain):
    cached = CachedModel(exactly(weights), tasks.modular_addition(P, train="unknown"))
    rows = trajectories.measure_model(cached, [1, 2])
    assert {row["split"] for row in rows if "split" in row} == {"all"}
    assert math.isclose(rows[0]["value"], plain["loss all"], rel_tol=1e-9)
    with pytest.raises(ValueError, match="mask selects no input"):
        progress.mean_loss(cached.logits, cached.task.labels, mask=cached.task.train_mask)
