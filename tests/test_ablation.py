"""Ablations against the same edit made on the weights, on a model whose every weight is random."""

import dataclasses

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, ablation, models, neurons, tasks
from interp_utils.analysis import sinusoids
from tests.test_forward import random_weights

TASK = tasks.modular_addition(7)
CONFIG = ModelConfig(d_model=12, n_heads=2, d_head=6, d_mlp=20).for_task(TASK)


def model_with(**edits) -> CachedModel:
    """The random model, with functions applied to some weights (by the last part of their "
    "names)."""
    weights = random_weights(CONFIG)
    for name in weights:
        short = name.rpartition(".")[2]
        if models.is_bias(name):
            weights[name] = torch.zeros_like(weights[name])
        if short in edits:
            weights[name] = edits[short](weights[name].clone())
    return CachedModel(models.build(CONFIG, weights), TASK)


@pytest.fixture
def model():
    return model_with()


def zero_head(head):
    def edit(W_O):
        W_O[head] = 0
        return W_O

    return edit


def close(a, b):
    return torch.allclose(a, b, atol=1e-4)


def test_heads(model):
    assert close(ablation.without_heads(model), model_with(W_O=torch.zeros_like).logits)
    assert close(ablation.without_heads(model, [1]), model_with(W_O=zero_head(1)).logits)
    assert close(ablation.without_heads(model, []), model.logits)
    assert not close(ablation.without_heads(model, [1], "mean"), ablation.without_heads(model, [1]))


def test_neurons(model):
    every = torch.arange(20)
    assert close(ablation.without_neurons(model, every), model_with(W_out=torch.zeros_like).logits)
    assert close(ablation.without_neurons(model, every[:0]), model.logits)
    assert close(ablation.with_neurons(model, model.activation("post")), model.logits)
    mean = ablation.without_neurons(model, every, "mean")
    assert close(
        mean, ablation.with_neurons(model, model.activation("post").mean((0, 1)).expand(7, 7, 20))
    )


def test_neurons_of_a_sample_of_the_inputs(model):
    """Without a grid the means are over the inputs there are."""
    chosen, which = torch.tensor([3, 11, 40]), torch.tensor([0, 5, 6])
    sample = dataclasses.replace(
        TASK,
        tokens=TASK.tokens[chosen],
        labels=TASK.labels[chosen],
        train_mask=chosen > 0,
        operands=(),
        operation=None,
    )
    post = model.activation("post").flatten(0, 1)[chosen]
    expected = post.clone()
    expected[:, which] = post[:, which].mean(0)
    difference = (expected - post) @ model.model.W_out[0] @ model.model.W_U
    found = ablation.without_neurons(CachedModel(model.model, sample), which, "mean")
    assert (
        close(found, model.logits.flatten(0, 1)[chosen] + difference)
        and difference.abs().max() > 1e-2
    )
    with pytest.raises(ValueError, match="does not say where its operands stand, which replacing"):
        ablation.with_digits(CachedModel(model.model, sample), model.model.W_E[:7])


def test_additive_neurons(model):
    """Of neurons that are sums already, the same; of a product, what is left is its two means."""
    x = torch.randn(7, 20, generator=torch.Generator().manual_seed(0))
    sums, products = x[:, None] + x.flip(0), x[:, None] * x.flip(0)
    for post, additive in (
        (sums, sums),
        (products, x[:, None] * x.mean(0) + x.mean(0) * x.flip(0) - x.mean(0) ** 2),
    ):
        edited = model.with_values({"post": post})
        assert close(ablation.with_additive_neurons(edited), ablation.with_neurons(model, additive))
    assert not close(
        ablation.with_additive_neurons(model.with_values({"post": products})),
        ablation.with_neurons(model, products),
    )


def test_clustered_neurons_only_are_replaced(model):
    post = model.activation("post")
    clusters = neurons.frequency_clusters(post, threshold=0.0)
    nobody = clusters._replace(clustered=torch.zeros(20, dtype=torch.bool))
    for ablate, replacement in (
        (ablation.with_polynomial_neurons, neurons.polynomial),
        (ablation.with_sum_neurons, neurons.sums_only),
    ):
        assert close(ablate(model, nobody), model.logits)
        everybody = clusters._replace(clustered=torch.ones(20, dtype=torch.bool))
        assert close(
            ablate(model, everybody),
            ablation.with_neurons(model, replacement(post, clusters.frequency)),
        )


def test_digits(model):
    W_E = model.model.W_E
    assert close(ablation.with_digits(model, W_E[:7]), model.logits)

    def changed(weight):
        weight[:7] = weight[:7].roll(2, 0)
        return weight

    rolled = model_with(W_E=changed)
    assert close(ablation.with_digits(model, W_E[:7].roll(2, 0)), rolled.logits) and not close(
        rolled.logits, model.logits
    )
    tight = CachedModel(model.model, TASK, memory=60_000)
    assert close(ablation.with_digits(tight, W_E[:7].roll(2, 0)), rolled.logits)


def test_skips(model):
    W_U = model.model.W_U
    assert close(ablation.without_mlp_skip(model), model.activation("mlp_out") @ W_U)
    skipped = model.activation("resid_mid").mean((0, 1))
    assert close(
        ablation.without_mlp_skip(model, "mean"), (model.activation("mlp_out") + skipped) @ W_U
    )
    resid = model.activation("attn_out")
    by_hand = resid @ W_U + (resid @ model.model.W_in[0]).relu() @ model.model.W_out[0] @ W_U
    assert close(ablation.without_attention_skip(model), by_hand)
    # "=" skips attention with the same vector for every pair, so that its mean is itself.
    assert close(ablation.without_attention_skip(model, "mean"), model.logits)


def test_attention(model):
    pattern = model.activation("pattern")
    kept = pattern[..., :2] / pattern[..., :2].sum(-1, keepdim=True)
    without = ablation.without_attention_to(model)
    assert close(without, ablation.with_attention_to_a(model, kept[..., 0]))
    assert not close(without, model.logits)
    half = torch.full((7, 7, 2), 0.5)
    v = model.activation("v", pos=None)  # "a b pos head d_head"
    z = (v[:, :, 0] + v[:, :, 1]) / 2
    assert close(ablation.with_attention_to_a(model, half), model.with_values({"z": z}).logits)


def test_linear_attention_is_the_fit(model):
    frequencies = ablation.head_frequencies(model)
    fitted = ablation.linear_attention(model, frequencies)
    for head, k in enumerate(frequencies):
        assert close(
            fitted[..., head],
            sinusoids.fit_attention(model.activation("pattern")[..., head, 0], k).fitted,
        )


def test_on_and_off_directions_add_up(model):
    directions = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    on, off = (
        ablation.on_directions(model, directions),
        ablation.on_directions(model, directions, off=True),
    )
    nothing = ablation.without_neurons(model, torch.arange(20))
    assert close(on + off - nothing, model.logits)


def test_logits(model):
    for variant in ("sum", "block3x3", "sum_3d"):
        kept = ablation.with_logits_on(model, [2], variant)
        removed = ablation.without_frequency(model, 2, variant)
        assert close(kept + removed, model.logits + model.logits.mean((0, 1)))


def test_no_hook_is_left_behind(model):
    before = model.logits.clone()
    for ablate in (
        ablation.without_heads,
        ablation.without_mlp_skip,
        ablation.without_attention_skip,
        ablation.without_attention_to,
    ):
        ablate(model)
    assert not any(point.fwd_hooks for point in model.model.hook_dict.values())
    assert model.logits.equal(before)


def test_values_of_another_shape_are_refused(model):
    with pytest.raises(
        ValueError,
        match=r"blocks.0.mlp.hook_post has shape \(7, 7, 20\) on the grid, got \(7, 7, 19\)",
    ):
        ablation.with_neurons(model, torch.zeros(7, 7, 19))


def test_values_come_in_batches_and_with_hooks():
    whole = model_with()
    tight = CachedModel(whole.model, TASK, memory=60_000)
    assert tight._batch_size() < 20
    post = torch.rand(7, 7, 20, generator=torch.Generator().manual_seed(0))
    assert close(tight.with_values({"post": post}).logits, whole.with_values({"post": post}).logits)
    both = whole.with_values({"post": post}).with_hooks(
        ("resid_mid", lambda resid, hook: 0 * resid)
    )
    assert close(both.activation("post"), post)
    assert close(both.logits, post @ whole.model.W_out[0] @ whole.model.W_U)


def test_embedding_gradients_are_finite_differences(model):
    inputs, classes = torch.tensor([3, 30]), torch.tensor([1, 5])
    gradients = model.embedding_gradients(inputs, classes)
    assert gradients.shape == (2, 3, 12)
    direction = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))

    def logit(scale):
        def shift(embedding, hook):
            return embedding + scale * direction

        with model.model.hooks(fwd_hooks=[("hook_embed", shift)]):
            logits = model.model(TASK.tokens[inputs])[:, -1]
        return logits.gather(1, classes[:, None]).sum().item()

    assert (gradients * direction).sum().item() == pytest.approx(
        (logit(1e-2) - logit(-1e-2)) / 2e-2, rel=1e-2
    )
