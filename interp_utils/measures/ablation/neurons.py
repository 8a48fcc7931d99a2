"""Edits of neurons at the answer's position: they are removed, or replaced by a fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis import neurons, progress, sinusoids
from interp_utils.measures.ablation.logits import on_sums
from interp_utils.measures.ablation.parts import (
    How,
    Logits,
    check_how,
    chosen,
    hook,
    mean_of_inputs,
)
from interp_utils.measures.applies import require_mlp

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


def with_neurons(
    model: CachedModel, activations: Float[Tensor, "*grid neuron"], *, layer: int | None = None
) -> Logits:
    """Logits with the post-activations replaced, by polynomials (`neurons.polynomial`), say."""
    return model.with_values({_post(model, layer): activations}).logits


def without_neurons(
    model: CachedModel,
    which: int | Iterable[int] | Int[Tensor, "k"],
    how: How = "zero",
    *,
    layer: int | None = None,
) -> Logits:
    """Logits with some neurons (a frequency's cluster, say) set to zero, or to their means over all
    inputs.
    """
    check_how(how)
    post = model.activation(_post(model, layer)).clone()
    indices = chosen(which, post.shape[-1], "neurons")
    post[..., indices] = mean_of_inputs(post, axes=1)[indices] if how == "mean" else 0
    return with_neurons(model, post, layer=layer)


def with_polynomial_neurons(
    model: CachedModel, clusters: neurons.Clusters, *, layer: int | None = None
) -> Logits:
    """Clustered neurons become degree-2 polynomials of their frequency; the others stay (Nanda et
    al. 2023, section 4.4).
    """
    post = on_sums(model).activation(_post(model, layer))
    fitted, clustered = neurons.polynomial(post, clusters.frequency), clusters.clustered
    return with_neurons(model, torch.where(clustered.to(post.device), fitted, post), layer=layer)


def with_sum_neurons(
    model: CachedModel, keys: Sequence[int], *, layer: int | None = None
) -> Logits:
    """Every neuron becomes its mean plus its projection on cos, sin w_k(a + b) of all key
    frequencies (Nanda et al. 2023, section 4.4).
    """
    post = on_sums(model).activation(_post(model, layer))
    return with_neurons(model, progress.restrict(post, keys), layer=layer)


def with_additive_neurons(model: CachedModel, *, layer: int | None = None) -> Logits:
    """Each neuron becomes the best-fitting sum of a function of a and a function of b, so that no
    product of the two is left.
    """
    model.require_operands("a sum of a function of a and one of b")
    post = model.activation(_post(model, layer))
    of_a, of_b = post.mean(1, keepdim=True), post.mean(0, keepdim=True)
    return with_neurons(model, of_a + of_b - post.mean((0, 1)), layer=layer)


def on_directions(
    model: CachedModel,
    directions: Float[Tensor, "k neuron"],
    *,
    off: bool = False,
    keep_mean: bool = False,
    layer: int | None = None,
) -> Logits:
    """Post-activations are projected on the span of directions (`sinusoids.read_out_directions`);
    off: on its orthogonal complement (Nanda et al. 2023, section 4.4).

    keep_mean: only what varies between inputs is projected; the means stay as they are.
    """
    post = model.activation(_post(model, layer))
    kept = mean_of_inputs(post, axes=1) if keep_mean else post.new_zeros(post.shape[-1])
    outside = sinusoids.off_directions(post - kept, directions)
    projected = outside if off else post - kept - outside
    return with_neurons(model, kept + projected, layer=layer)


def _post(model: CachedModel, layer: int | None) -> str:
    require_mlp(model)
    return hook(model, "post", layer)
