"""Edits of attention: to a position, of heads, or as a line or a sine of what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import fourier, sinusoids
from interp_utils.measures.ablation.logits import on_sums
from interp_utils.measures.ablation.parts import (
    How,
    Logits,
    check_how,
    chosen,
    hook,
    mean_of_inputs,
)
from interp_utils.measures.applies import require_softmax

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


def without_attention_to(
    model: CachedModel, position: int | None = None, *, layer: int | None = None
) -> Logits:
    """Attention from the answer's position to one position (default itself, "=") is removed, and
    the rest is scaled to sum to 1.

    Raises ValueError for a task that is answered at several positions.
    """
    require_softmax(model, "removing the attention to a position")
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

    return model.with_hooks((hook(model, "pattern", layer), edit)).logits


def without_heads(
    model: CachedModel,
    heads: int | Iterable[int] | None = None,
    how: How = "zero",
    *,
    layer: int | None = None,
) -> Logits:
    """The output of some heads (default all) is set to zero, or to its mean over all inputs, at
    every position.
    """
    check_how(how)
    name = hook(model, "z", layer)
    z = model.activation(name, pos=None).clone()  # "*grid pos head d_head"
    indices = chosen(heads, z.shape[-2], "heads")
    means = mean_of_inputs(z, axes=3)
    for head in indices:
        z[..., head, :] = means[:, head] if how == "mean" else 0
    return model.with_values({name: z}, pos=None).logits


def with_attention_to_a(
    model: CachedModel, attention: Float[Tensor, "p p head"], *, layer: int | None = None
) -> Logits:
    """Each head's attention to a is replaced by a given grid (`linear_attention`, say), to b by one
    minus the grid, and to any other position by 0.
    """
    require_softmax(model, "attention to a, with one minus it to b,")
    model.require_operands("attention to a and b")
    name = hook(model, "pattern", layer)
    a, b = (operand.position for operand in model.task.operands)
    pattern = torch.zeros_like(model.activation(name))
    pattern[..., a], pattern[..., b] = attention, 1 - attention
    return model.with_values({name: pattern}).logits


def linear_attention(model: CachedModel, *, layer: int | None = None) -> Float[Tensor, "p p head"]:
    """Each head's attention to a as the best line in the difference of scores, c + m (s_a - s_b),
    in place of the difference's sigmoid (Nanda et al. 2023, appendix A.1).
    """
    require_softmax(model, "attention as a line in the difference of scores")
    model.require_operands("attention to a and b")
    name = hook(model, "attn_scores", layer)
    a, b = (operand.position for operand in model.task.operands)
    scores = model.activation(name)  # "a b head key"
    difference = scores[..., a] - scores[..., b]
    attention = model.activation(hook(model, "pattern", layer))[..., a]
    fits = [
        sinusoids.fit_line(difference[..., head], attention[..., head]).fitted
        for head in range(attention.shape[-1])
    ]
    return torch.stack(fits, -1)


def sine_attention(
    model: CachedModel, frequencies: Sequence[int], *, layer: int | None = None
) -> Float[Tensor, "p p head"]:
    """The least-squares fit of each head's attention to a by the cosine and sine of one frequency
    at a, less those at b (`sinusoids.fit_attention`).
    """
    attention = _attention_to_a(model, layer)
    fits = [
        sinusoids.fit_attention(attention[..., head], k).fitted
        for head, k in enumerate(frequencies)
    ]
    return torch.stack(fits, -1)


def head_frequencies(model: CachedModel, *, layer: int | None = None) -> list[int]:
    """The frequency at which each head's attention to a varies most over the grid; 0 for a head
    whose attention does not vary.
    """
    shares = fourier.neuron_variance_by_frequency(_attention_to_a(model, layer))
    return shares.nan_to_num(0).argmax(0).tolist()


def _attention_to_a(model: CachedModel, layer: int | None) -> Float[Tensor, "p p head"]:
    pattern = on_sums(model).activation(hook(model, "pattern", layer))
    return pattern[..., model.task.operands[0].position]
