"""Ablations: the logits of a model with a part of it removed or replaced. One function per kind;
none leaves a hook behind.

Each takes a `CachedModel` of a one-layer model and returns its logits, "a b c" on the grid, to be
given to `progress.mean_loss` (Nanda et al. 2023, sections 4.4 and appendix C).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis import fourier, neurons, progress, sinusoids

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel

Logits = Float[Tensor, "*grid c"]
How = Literal["zero", "mean"]


def without_attention_to(model: CachedModel, position: int | None = None) -> Logits:
    """No attention from the position of the answer to one position (default itself, "="); the rest
    is scaled to sum to 1.

    Raises ValueError for a task that is answered at several positions.
    """
    answer = model.task.answer_pos
    if answer is None:
        raise ValueError(
            f"{model.task.name} is answered at several positions, not at one; edit its "
            "pattern with model.with_hooks"
        )
    position = answer if position is None else position

    def edit(pattern: Tensor, hook: object) -> Tensor:
        edited = pattern.clone()
        edited[..., answer, position] = 0
        return edited / edited.sum(-1, keepdim=True).clamp(min=torch.finfo(edited.dtype).tiny)

    return model.with_hooks(("pattern", edit)).logits


def with_attention_to_a(model: CachedModel, attention: Float[Tensor, "p p head"]) -> Logits:
    """Each head's attention to a replaced by a given grid, to b by one minus it, and none to any
    other position (`linear_attention`, say).
    """
    model.require_operands("attention to a and b")
    a, b = (operand.position for operand in model.task.operands)
    pattern = torch.zeros_like(model.activation("pattern", 0))
    pattern[..., a], pattern[..., b] = attention, 1 - attention
    return model.with_values({"pattern": pattern}).logits


def linear_attention(model: CachedModel, frequencies: Sequence[int]) -> Float[Tensor, "p p head"]:
    """Each head's attention to a as its least-squares fit linear in cosines and sines of the head's
    frequency.
    """
    attention = in_sums(model).attention_to(0, 0)
    return torch.stack(
        [
            sinusoids.fit_attention(attention[..., head], k).fitted
            for head, k in enumerate(frequencies)
        ],
        -1,
    )


def without_heads(
    model: CachedModel, heads: Iterable[int] | None = None, how: How = "zero"
) -> Logits:
    """The output of some heads (default all) set to zero or to its mean over all pairs."""
    z = model.activation("z", 0).clone()
    for head in range(z.shape[2]) if heads is None else heads:
        z[:, :, head] = z[:, :, head].mean((0, 1)) if how == "mean" else 0
    return model.with_values({"z": z}).logits


def without_attention_skip(model: CachedModel, how: How = "zero") -> Logits:
    """The residual stream after attention is attention's output alone (plus the mean of what it
    skipped).
    """
    skipped, attention = model.activation("resid_pre", 0), model.activation("attn_out", 0)
    return model.with_values({"resid_mid": attention + _replacement(skipped, how)}).logits


def without_mlp_skip(model: CachedModel, how: How = "zero") -> Logits:
    """The logits read the MLP's output alone (plus the mean of what skips it)."""
    skipped, mlp = model.activation("resid_mid", 0), model.activation("mlp_out", 0)
    return model.with_values({"resid_post": mlp + _replacement(skipped, how)}).logits


def with_digits(model: CachedModel, embeddings: Float[Tensor, "digit d_model"]) -> Logits:
    """The embeddings of both operands' values replaced: by those of digits without a period
    (`periods.without_classes`), say. Row n is of value n of either operand.
    """
    model.require_operands("replacing their embeddings")
    embedded = model.activation("embed", pos=None).clone()
    for axis, operand in enumerate(model.task.operands):
        size = len(operand.tokens)
        if len(embeddings) != size:
            raise ValueError(f"operand {axis} has {size} values, got {len(embeddings)} embeddings")
        along = (*[None] * axis, slice(None), *[None] * (len(model.task.grid) - 1 - axis))
        embedded[..., operand.position, :] = embeddings[along]
    return model.with_values({"embed": embedded}, pos=None).logits


def with_neurons(model: CachedModel, activations: Float[Tensor, "*grid neuron"]) -> Logits:
    """Post-activations replaced, by their polynomials (`neurons.polynomial`) say."""
    return model.with_values({"post": activations}).logits


def with_polynomial_neurons(model: CachedModel, clusters: neurons.Clusters) -> Logits:
    """Clustered neurons as degree-2 polynomials of their frequency; the others as they are."""
    post = in_sums(model).activation("post", 0)
    fitted, clustered = neurons.polynomial(post, clusters.frequency), clusters.clustered
    return with_neurons(model, torch.where(clustered.to(post.device), fitted, post))


def with_sum_neurons(model: CachedModel, clusters: neurons.Clusters) -> Logits:
    """Clustered neurons as their mean and cos, sin w_k(a + b) alone; the others as they are."""
    post = in_sums(model).activation("post", 0)
    fitted, clustered = neurons.sums_only(post, clusters.frequency), clusters.clustered
    return with_neurons(model, torch.where(clustered.to(post.device), fitted, post))


def with_additive_neurons(model: CachedModel) -> Logits:
    """Each neuron as the sum of a function of a and one of b that fits it best: what no product of
    the two can come from.
    """
    post = model.activation("post", 0)
    return with_neurons(
        model, post.mean(1, keepdim=True) + post.mean(0, keepdim=True) - post.mean((0, 1))
    )


def without_neurons(model: CachedModel, which: Int[Tensor, "k"], how: How = "zero") -> Logits:
    """Some neurons (a frequency's cluster, say) set to zero or to their means."""
    post = model.activation("post", 0).clone()
    post[..., which] = post[..., which].flatten(0, -2).mean(0) if how == "mean" else 0
    return with_neurons(model, post)


def on_directions(
    model: CachedModel, directions: Float[Tensor, "k neuron"], off: bool = False
) -> Logits:
    """Post-activations projected on the span of directions (`sinusoids.read_out_directions`), or
    off it.
    """
    post = model.activation("post", 0)
    outside = sinusoids.off_directions(post, directions)
    return with_neurons(model, outside if off else post - outside)


def head_frequencies(model: CachedModel) -> list[int]:
    """The frequency that most of each head's attention to a varies with, over the grid."""
    attention = in_sums(model).attention_to(0, 0)
    return fourier.neuron_variance_by_frequency(attention).nan_to_num(0).argmax(0).tolist()


def with_logits_on(model: CachedModel, keys: Sequence[int], variant: progress.Variant) -> Logits:
    """The logits' mean and their projection on the keys: "sum_3d" for fitted cosines, "block3x3"
    for the paper's 40 components.
    """
    return progress.restrict(in_sums(model).logits, keys, variant=variant)


def without_frequency(model: CachedModel, k: int, variant: progress.Variant = "block3x3") -> Logits:
    """The logits without all terms of one frequency."""
    return progress.remove(in_sums(model).logits, [k], variant=variant)


def in_sums(model: CachedModel) -> CachedModel:
    """The model itself. Raises ValueError unless its grid is that of the coordinates of which the
    label is the sum.

    What speaks of cos w(a + b) returns logits on the model's own grid, for the labels of its own
    task: so it does not change the coordinates by itself.
    """
    if model.as_sums() is not model:
        raise ValueError(
            f"this speaks of cos w(u + v), and the grid of {model.task.name} is not that of u and "
            f"v: give it model.as_sums(), and compare its logits with model.as_sums().task.labels"
        )
    return model


def _replacement(value: Tensor, how: How) -> Tensor | float:
    return value.mean((0, 1)) if how == "mean" else 0.0
