"""Anybody's model: a HookedTransformer and a TransformerBridge, every activation read and edited,
against a forward written out.
"""

import math
from functools import partial

import pandas as pd
import pytest
import torch
from torch.nn.functional import relu

from interp_utils import CachedModel, ModelConfig, ablation, models, neurons, tasks, trajectories
from tests import test_forward

TASK = tasks.modular_addition(11)
BACKENDS = [False, True] if models.has_hooked_transformer() else [True]
NAMES = [
    "embed",
    "pos_embed",
    "resid_pre",
    "q",
    "k",
    "v",
    "attn_scores",
    "pattern",
    "z",
    "attn_out",
    "resid_mid",
]
NAMES += ["pre", "post", "mlp_out", "resid_post"]


def config(**changes):
    return ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, biases="all", **changes).for_task(
        TASK
    )


random_weights = partial(test_forward.random_weights, scale=0.5)


def literal_forward(W, tokens, causal=True, edits=None):
    """A one-layer transformer, line by line; edits: name -> function. Returns every activation."""
    seen = {}

    def at(name, value):
        seen[name] = (edits or {}).get(name, lambda x: x)(value)
        return seen[name]

    attn, mlp = (
        {n.rpartition(".")[2]: w for n, w in W.items() if ".attn." in n},
        {n[13:]: w for n, w in W.items() if ".mlp." in n},
    )
    resid = at(
        "resid_pre",
        at("embed", W["embed.W_E"][tokens])
        + at("pos_embed", W["pos_embed.W_pos"].expand(len(tokens), -1, -1)),
    )
    q, k, v = (
        at(n, torch.einsum("npm,hmd->nphd", resid, attn[f"W_{n.upper()}"]) + attn[f"b_{n.upper()}"])
        for n in "qkv"
    )
    scores = torch.einsum("nqhd,nkhd->nhqk", q, k) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(
            torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf
        )
    pattern = at("pattern", at("attn_scores", scores).softmax(-1))
    z = at("z", torch.einsum("nhqk,nkhd->nqhd", pattern, v))
    mid = at(
        "resid_mid",
        resid + at("attn_out", torch.einsum("nqhd,hdm->nqm", z, attn["W_O"]) + attn["b_O"]),
    )
    post = at("post", relu(at("pre", mid @ mlp["W_in"] + mlp["b_in"])))
    end = at("resid_post", mid + at("mlp_out", post @ mlp["W_out"] + mlp["b_out"]))
    return {**seen, "logits": end @ W["unembed.W_U"] + W["unembed.b_U"]}


def last(name, value):
    """At the last position, on the grid."""
    value = value[:, :, -1] if name in ("attn_scores", "pattern") else value[:, -1]
    return value.unflatten(0, TASK.grid)


def same(found, expected):
    finite = expected.isfinite()
    return finite.equal(found.isfinite()) and torch.allclose(
        found[finite], expected[finite], rtol=1e-4, atol=1e-4 * expected[finite].abs().max()
    )


@pytest.fixture(
    scope="module",
    params=BACKENDS,
    ids=lambda bridge: "TransformerBridge" if bridge else "HookedTransformer",
)
def bridge(request):
    return request.param


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_every_activation_reads_as_in_a_literal_forward(bridge, attention):
    cfg = config(attention=attention)
    weights = random_weights(cfg)
    model = CachedModel(models.build(cfg, weights, bridge=bridge), TASK)
    expected = literal_forward(weights, TASK.tokens, attention == "causal")
    assert same(model.logits, last("logits", expected["logits"]))
    for name in NAMES:
        assert same(
            model.activation(name, None if "embed" in name else 0), last(name, expected[name])
        ), name
    assert same(
        model.activation("pattern", 0, pos=None), expected["pattern"].unflatten(0, TASK.grid)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_edit_acts_as_in_a_literal_forward(bridge, name):
    """TransformerBridge's own hooks ignore edits of scores and pattern, and let the skip path past
    an edit of resid_mid.
    """
    weights = random_weights(config())
    model = CachedModel(models.build(config(), weights, bridge=bridge), TASK)
    expected = literal_forward(weights, TASK.tokens, edits={name: lambda x: x.flip(0) * 1.5})
    edited = model.with_hooks((name, lambda x, hook: x.flip(0) * 1.5))
    edited = CachedModel(
        edited.model, TASK, memory=2**40, edits=edited.edits
    )  # one batch, since the edit mixes inputs
    assert same(edited.logits, last("logits", expected["logits"]))
    assert not same(edited.logits, model.logits)
    for later in NAMES[NAMES.index(name) :]:
        assert same(
            edited.activation(later, None if "embed" in later else 0), last(later, expected[later])
        ), f"{later} after an edit of {name}"


def test_edits_of_one_model_apply_together(bridge):
    weights = random_weights(config())
    functions = {
        "q": lambda x: 2 * x,
        "pattern": lambda x: x**2,
        "z": lambda x: x + 1,
        "attn_out": lambda x: -x,
        "resid_mid": lambda x: x - 1,
    }
    expected = literal_forward(weights, TASK.tokens, edits=functions)
    hooks = [(name, lambda x, hook, f=function: f(x)) for name, function in functions.items()]
    for order in (hooks, hooks[::-1]):
        model = CachedModel(models.build(config(), weights, bridge=bridge), TASK).with_hooks(*order)
        assert same(model.logits, last("logits", expected["logits"]))


@pytest.mark.skipif(
    len(BACKENDS) < 2, reason="this transformer_lens has no HookedTransformer to compare with"
)
def test_every_measure_and_ablation_is_the_same_on_both():
    weights = random_weights(config())
    hooked, bridged = (
        CachedModel(models.build(config(), weights, bridge=backend), TASK)
        for backend in (False, True)
    )
    tables = [
        pd.DataFrame(trajectories.measure_model(model, [1, 3])) for model in (hooked, bridged)
    ]
    keys = [column for column in tables[0] if column != "value"]
    one, other = (
        table.astype(dict.fromkeys(keys, str)).set_index(keys)["value"].sort_index()
        for table in tables
    )
    assert one.index.equals(other.index) and one.to_numpy() == pytest.approx(
        other.to_numpy(), rel=1e-3, abs=1e-5
    )
    clusters = neurons.frequency_clusters(hooked.activation("post", 0))
    clusters = clusters._replace(clustered=torch.ones_like(clusters.clustered))
    for edit in (
        ablation.without_attention_to,
        ablation.without_heads,
        ablation.without_attention_skip,
        ablation.without_mlp_skip,
        lambda model: ablation.with_attention_to_a(model, ablation.linear_attention(model)),
        lambda model: ablation.with_attention_to_a(model, ablation.sine_attention(model, [1, 2])),
        lambda model: ablation.with_polynomial_neurons(model, clusters),
        lambda model: ablation.with_sum_neurons(model, [1, 3]),
    ):
        assert same(edit(bridged), edit(hooked)) and not same(edit(hooked), hooked.logits)


def test_hooks_that_would_mean_something_else_are_not_offered():
    model = CachedModel(models.build(config(), bridge=True), TASK)
    for name in ("result", "blocks.0.ln2.hook_in", "blocks.0.mlp.out.hook_in"):
        with pytest.raises(ValueError, match="this model has no activation"):
            model.activation(name)


def test_a_bridge_is_left_as_it_was_by_a_call_with_other_weights():
    model = models.build(config(), bridge=True)
    before, logits = (
        {n: w.clone() for n, w in models.named_weights(model).items()},
        model(TASK.tokens),
    )
    other = {n: w.detach() + 0.1 for n, w in before.items()}
    assert not models.call_with(model, other, TASK.tokens).equal(logits)
    assert all(weight.equal(before[name]) for name, weight in models.named_weights(model).items())
    assert model(TASK.tokens).equal(logits)


def test_new_weights_empty_the_cache(bridge):
    weights = random_weights(config())
    model = CachedModel(models.build(config(), weights, bridge=bridge), TASK)
    before = model.logits
    assert model.logits is before
    models.load_weights(model.model, {name: 0.9 * weight for name, weight in weights.items()})
    assert not model.logits.equal(before)


# Weights from elsewhere


def addition(p=7, **changes):
    """Weights of a small model, and its logits on all pairs."""
    task = tasks.modular_addition(p)
    cfg = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, **changes).for_task(task)
    weights = {name: 0.5 * w for name, w in random_weights(cfg).items() if not models.is_bias(name)}
    return (
        task,
        weights,
        literal_forward(
            {**{n: torch.zeros(s) for n, s in models.weight_shapes(cfg).items()}, **weights},
            task.tokens,
        ),
    )


ELSEWHERE = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)


def test_weights_without_biases(bridge):
    task, weights, expected = addition()
    model = models.from_weights(ELSEWHERE, weights, bridge=bridge)
    assert same(CachedModel(model, task).logits.flatten(0, 1), expected["logits"][:, -1])
    assert (model.cfg.n_ctx, model.cfg.d_vocab, model.cfg.d_vocab_out) == (3, 8, 7)


def test_one_more_output_column(bridge):
    task, weights, expected = addition()
    wider = {**weights, "unembed.W_U": torch.cat([weights["unembed.W_U"], torch.ones(16, 1)], 1)}
    model = CachedModel(models.from_weights(ELSEWHERE, wider, bridge=bridge), task)
    assert model.logits.shape == (7, 7, 7) and same(
        model.logits.flatten(0, 1), expected["logits"][:, -1]
    )


def test_other_token_orders(bridge):
    """Elsewhere "=" is token 0, the numbers follow in reverse, and classes are reversed too."""
    task, weights, expected = addition()
    token_order, class_order = [*range(7, 0, -1), 0], list(range(6, -1, -1))
    theirs = dict(weights)
    theirs["embed.W_E"] = torch.empty_like(weights["embed.W_E"])
    theirs["embed.W_E"][token_order] = weights["embed.W_E"]
    theirs["unembed.W_U"] = weights["unembed.W_U"].flip(1)
    theirs["unembed.b_U"] = torch.zeros(7)
    model = models.from_weights(
        ELSEWHERE, theirs, token_order=token_order, class_order=class_order, bridge=bridge
    )
    assert same(CachedModel(model, task).logits.flatten(0, 1), expected["logits"][:, -1])
    with pytest.raises(
        ValueError,
        match=r"embed.W_E has 8 rows: token_order must be some of 0 .. 7, .* once, got \[0, 0",
    ):
        models.from_weights(ELSEWHERE, theirs, token_order=[0] * 8)


def test_no_equals_token(bridge):
    task = tasks.modular_addition(7, equals=False)
    assert task.tokens.shape == (49, 2) and task.d_vocab == 7 and task.params["equals"] is False
    cfg = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, biases="all").for_task(task)
    weights = random_weights(cfg)
    model = CachedModel(models.from_weights(cfg, weights, bridge=bridge), task)
    assert same(model.logits.flatten(0, 1), literal_forward(weights, task.tokens)["logits"][:, -1])
    measured = {
        (row["measure"], row.get("split"), row.get("level"))
        for row in trajectories.measure_model(model, [1])
    }
    assert ("restricted_loss", "all", "logits") in measured
    assert ablation.without_attention_to(model, 0).shape == (7, 7, 7)


def test_what_does_not_fit_is_named():
    _, weights, _ = addition()
    del weights["blocks.0.mlp.W_in"]
    with pytest.raises(
        ValueError,
        match=r"weights do not fit the model: missing \['blocks.0.mlp.W_in'\], unknown none",
    ):
        models.from_weights(ELSEWHERE, weights)
    _, weights, _ = addition()
    with pytest.raises(
        ValueError, match=r"attn.W_Q must have shape \(4, 16, 8\), got \(2, 16, 8\)"
    ):
        models.from_weights(ModelConfig(d_model=16, n_heads=4, d_head=8, d_mlp=32), weights)
    del weights["pos_embed.W_pos"]
    with pytest.raises(
        ValueError,
        match="n_ctx, d_vocab and d_vocab_out are in neither the configuration nor the weights",
    ):
        models.from_weights(ELSEWHERE, weights)


def test_another_kind_of_attention_is_refused_not_replaced():
    """Where attention is not softmax(q k / sqrt(d_head)) v, reading a pattern must not put that in
    its place.
    """
    model = CachedModel(models.build(config(), random_weights(config()), bridge=True), TASK)
    softer = model.with_hooks(
        ("z", lambda z, hook: z * 0.5)
    )  # stands for a model whose z is something else
    assert softer.activation("pattern", 0).shape == (11, 11, 2, 3), (
        "an edit of z is no other attention"
    )
    model.model.cfg.d_head = 2 * model.model.cfg.d_head  # another scale
    with pytest.raises(ValueError, match="this model's z is not softmax"):
        CachedModel(model.model, TASK).activation("pattern", 0)


def test_a_state_dict_with_its_buffers_is_taken():
    task, weights, expected = addition()
    buffers = {
        "blocks.0.attn.mask": torch.zeros(0, 0),
        "blocks.0.attn.IGNORE": torch.tensor(-torch.inf),
    }
    model = models.from_weights(ELSEWHERE, {**weights, **buffers})
    assert same(CachedModel(model, task).logits.flatten(0, 1), expected["logits"][:, -1])
