"""Ablations against the same edit made on the weights, on a model whose every weight is random."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from interp_utils import CachedModel, ModelConfig, ablation, models, neurons, progress, tasks
from interp_utils.measures.applies import DoesNotApply
from tests.test_forward import random_weights

TASK = tasks.modular_addition(7)
CONFIG = ModelConfig(d_model=12, n_heads=2, d_head=6, d_mlp=20).for_task(TASK)


def model_with(**edits) -> CachedModel:
    """The random model, with functions applied to some weights, by their names' last part."""
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
    assert close(ablation.with_polynomial_neurons(model, nobody), model.logits)
    everybody = clusters._replace(clustered=torch.ones(20, dtype=torch.bool))
    fitted = neurons.polynomial(post, clusters.frequency)
    assert close(
        ablation.with_polynomial_neurons(model, everybody), ablation.with_neurons(model, fitted)
    )


def test_sum_neurons_are_projected_on_all_keys():
    """Neurons cos 2(a + b), cos 3(a + b) and cos 2(a - b), with means: of the keys 2 and 3 the
    first two are left as they are, of the third its mean.
    """
    model, n = model_with(), torch.arange(7.0)
    angle = 2 * torch.pi / 7
    post = torch.zeros(7, 7, 20)
    post[..., 0] = 2 + torch.cos(2 * angle * (n[:, None] + n))
    post[..., 1] = 1 + torch.sin(3 * angle * (n[:, None] + n))
    post[..., 2] = 5 + torch.cos(2 * angle * (n[:, None] - n))
    kept = post.clone()
    kept[..., 2] = 5
    edited = model.with_values({"post": post})
    assert close(ablation.with_sum_neurons(edited, [2, 3]), ablation.with_neurons(model, kept))
    kept[..., 1] = 1
    assert close(ablation.with_sum_neurons(edited, [2]), ablation.with_neurons(model, kept))


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


def test_linear_attention_is_the_best_line_in_the_scores(model):
    """numpy's line through (s_a - s_b, attention to a) of all pairs, head by head."""
    scores, pattern = model.activation("attn_scores"), model.activation("pattern")
    fitted = ablation.linear_attention(model)
    for head in range(2):
        difference = (scores[..., head, 0] - scores[..., head, 1]).double().numpy()
        slope, offset = np.polyfit(difference.ravel(), pattern[..., head, 0].numpy().ravel(), 1)
        assert np.allclose(fitted[..., head], offset + slope * difference, atol=1e-5)
    assert not close(fitted, pattern[..., 0])


def test_heads_attention_has_the_frequency_that_was_planted(model):
    n, angle = torch.arange(7.0), 2 * torch.pi / 7
    pattern = model.activation("pattern").clone()
    for head, k in enumerate((3, 1)):
        row = 0.2 * torch.cos(k * angle * n + 0.3)
        pattern[..., head, 0] = 0.5 + row[:, None] - row
        pattern[..., head, 1] = 1 - pattern[..., head, 0]
    planted = model.with_values({"pattern": pattern})
    assert ablation.head_frequencies(planted) == [3, 1]
    assert close(ablation.sine_attention(planted, [3, 1]), pattern[..., 0])
    wrong = ablation.sine_attention(planted, [1, 3])
    assert torch.allclose(wrong, wrong.mean((0, 1)).expand_as(wrong), atol=1e-5)


def test_on_directions_keeps_them_and_off_removes_them(model):
    """The directions of three neurons: on them is without all others, off them without these."""
    these, others = torch.tensor([0, 5, 6]), [i for i in range(20) if i not in (0, 5, 6)]
    directions = torch.eye(20)[these] * 3
    on = ablation.on_directions(model, directions)
    off = ablation.on_directions(model, directions, off=True)
    assert close(on, ablation.without_neurons(model, others)) and not close(on, off)
    assert close(off, ablation.without_neurons(model, these))
    with_mean = ablation.on_directions(model, directions, keep_mean=True)
    assert close(with_mean, ablation.without_neurons(model, others, "mean"))
    off_with_mean = ablation.on_directions(model, directions, off=True, keep_mean=True)
    assert close(off_with_mean, ablation.without_neurons(model, these, "mean"))


def test_on_and_off_directions_add_up(model):
    directions = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    on = ablation.on_directions(model, directions)
    off = ablation.on_directions(model, directions, off=True)
    nothing = ablation.without_neurons(model, torch.arange(20))
    assert close(on + off - nothing, model.logits)


def test_the_mean_of_a_head_is_its_own():
    """Head 1 replaced by its mean over the inputs, position by position; head 0 as it is."""
    model = model_with()
    z = model.activation("z", pos=None).clone()  # "a b pos head d_head"
    of_all_heads = z.mean((0, 1, 3))
    z[:, :, :, 1] = z[:, :, :, 1].mean((0, 1))
    expected = model.with_values({"z": z}, pos=None).logits
    assert close(ablation.without_heads(model, 1, "mean"), expected)
    z[:, :, :, 1] = of_all_heads
    assert not close(expected, model.with_values({"z": z}, pos=None).logits)


def test_logits(model):
    for variant in ("sum", "block3x3", "sum_3d"):
        kept = ablation.with_logits_on(model, [2], variant=variant)
        removed = ablation.without_frequency(model, 2, variant=variant)
        assert close(kept + removed, model.logits + model.logits.mean((0, 1)))


def test_no_hook_is_left_behind(model):
    before = model.logits.clone()
    ablation.table(model, [1, 3])
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


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("how", ["resample", "Mean", "average", None, 0])
@pytest.mark.parametrize(
    "ablate",
    [
        lambda model, how: ablation.without_heads(model, [1], how),
        lambda model, how: ablation.without_neurons(model, [1], how),
        lambda model, how: ablation.without_attention_skip(model, how),
        lambda model, how: ablation.without_mlp_skip(model, how),
    ],
)
def test_another_how_is_refused(model, ablate, how):
    with pytest.raises(ValueError, match=r"how must be one of \('zero', 'mean'\), got "):
        ablate(model, how)


def test_one_head_or_neuron_may_be_a_number(model):
    assert close(ablation.without_heads(model, 0), ablation.without_heads(model, [0]))
    assert close(ablation.without_neurons(model, 3), ablation.without_neurons(model, [3]))
    for wrong in (2, -1, [0, 2]):
        with pytest.raises(ValueError, match=r"heads are 0 .. 1, got \["):
            ablation.without_heads(model, wrong)
    with pytest.raises(ValueError, match=r"neurons are 0 .. 19, got \[20\]"):
        ablation.without_neurons(model, [20])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("which", [True, "0", 0.0, [True, False], torch.tensor([True, False])])
def test_what_is_no_number_of_a_head_is_refused(model, which):
    with pytest.raises(TypeError, match="heads are integers in 0 .. 1, got"):
        ablation.without_heads(model, which)


def test_the_table_has_every_published_ablation(model):
    table = ablation.table(model, [1, 3])
    assert list(table.index) == ["nothing", *ablation.ABLATIONS]
    before = progress.mean_loss(model.logits, TASK.labels)
    assert table["loss"]["nothing"] == before and table["ratio"]["nothing"] == 1
    zero = ablation.without_heads(model)
    assert table["loss"]["heads zero"] == pytest.approx(progress.mean_loss(zero, TASK.labels))
    assert table["accuracy"]["heads zero"] == progress.accuracy(zero, TASK.labels)
    assert list(ablation.table(model, [1], ["heads zero"]).index) == ["nothing", "heads zero"]
    with pytest.raises(ValueError, match=r"ablations are no attention to =, .*got \['heads'\]"):
        ablation.table(model, [1], ["heads"])


def deeper(n_layers=1, **changes):
    config = dataclasses.replace(CONFIG, n_layers=n_layers, **changes)
    return CachedModel(models.build(config, random_weights(config)), TASK)


def test_of_several_layers_one_is_said():
    """Each is the same edit by hand, and only of the layer that was said."""
    two = deeper(2)
    for layer in (0, 1):
        z = two.activation("z", layer, pos=None).clone()
        z[..., 1, :] = 0
        expected = two.with_values({f"blocks.{layer}.attn.hook_z": z}, pos=None).logits
        assert close(ablation.without_heads(two, [1], layer=layer), expected)
        post = two.activation("post", layer).clone()
        post[..., 4] = post[..., 4].mean()
        expected = two.with_values({f"blocks.{layer}.mlp.hook_post": post}).logits
        assert close(ablation.without_neurons(two, 4, "mean", layer=layer), expected)
        added = two.activation("attn_out", layer, pos=None)
        expected = two.with_values({f"blocks.{layer}.hook_resid_mid": added}, pos=None).logits
        assert close(ablation.without_attention_skip(two, layer=layer), expected)
        attention = ablation.linear_attention(two, layer=layer)
        pattern = torch.zeros(7, 7, 2, 3)
        pattern[..., 0], pattern[..., 1] = attention, 1 - attention
        expected = two.with_values({f"blocks.{layer}.attn.hook_pattern": pattern}).logits
        assert close(ablation.with_attention_to_a(two, attention, layer=layer), expected)
        assert len(ablation.head_frequencies(two, layer=layer)) == 2
    with pytest.raises(ValueError, match="this model has 2 layers: say which one, layer=0 .. 1"):
        ablation.without_heads(two, [1])
    with pytest.raises(ValueError, match="layer must be in 0 .. 1, got 2"):
        ablation.without_mlp_skip(two, layer=2)
    assert list(ablation.table(two, [1]).index) == [
        "nothing",
        "logits as cosines",
        "logits on key components",
    ]


def test_of_attention_alone_what_is_of_neurons_is_refused_by_name():
    alone = deeper(d_mlp=None)
    added = alone.activation("attn_out", pos=None)
    expected = alone.with_values({"resid_post": added}, pos=None).logits
    assert close(ablation.without_attention_skip(alone), expected)
    found = set(ablation.table(alone, [1]).index)
    assert found == {
        *("nothing", "no attention to =", "heads zero", "attention linear", "attention sine"),
        *("attention skip zero", "logits as cosines", "logits on key components"),
    }
    for name in set(ablation.ABLATIONS) - found:
        with pytest.raises(DoesNotApply, match=f"^{name} means nothing here: .* no MLP"):
            ablation.table(alone, [1], [name])


def test_there_is_no_equals_where_an_operand_is_read():
    task = tasks.modular_addition(7, equals=False)
    config = ModelConfig(d_model=12, n_heads=2, d_head=6, d_mlp=20).for_task(task)
    model = CachedModel(models.build(config), task)
    assert "no attention to =" not in ablation.table(model, [1]).index
    with pytest.raises(DoesNotApply, match='where an operand stands: there is no "="'):
        ablation.table(model, [1], ["no attention to ="])


@pytest.mark.skipif(not models.has_hooked_transformer(), reason="no HookedTransformer here")
@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        (
            {"parallel_attn_mlp": True},
            {"MLP skip zero", "MLP skip mean", "attention skip zero"},
        ),
        (
            {"use_local_attn": True, "window_size": 1, "attn_types": ["local"]},
            {"attention sine"},
        ),
    ],
    ids=["parallel", "attention to itself alone"],
)
def test_the_table_leaves_out_what_means_nothing_for_a_model(settings, left_out):
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=1,
        d_model=16,
        n_heads=2,
        d_head=8,
        d_mlp=32,
        n_ctx=3,
        d_vocab=8,
        d_vocab_out=7,
        act_fn="relu",
        normalization_type=None,
        device="cpu",
        seed=0,
        **settings,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = CachedModel(HookedTransformer(config), tasks.modular_addition(7))
    names = set(ablation.table(model, [1, 2]).index)
    assert set(ablation.ABLATIONS) - names == left_out
    for name in left_out:
        with pytest.raises(DoesNotApply, match=f"{name} means nothing here: "):
            ablation.table(model, [1, 2], [name])
