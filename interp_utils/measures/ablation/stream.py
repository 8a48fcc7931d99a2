"""Edits of the residual stream: what skips attention or the MLP, and the embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from interp_utils.measures.ablation.parts import How, Logits, check_how, hook, mean_of_inputs
from interp_utils.measures.applies import (
    has_mlp,
    require_attention_skip,
    require_mlp,
    require_one_after_the_other,
)

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


def without_attention_skip(
    model: CachedModel, how: How = "zero", *, layer: int | None = None
) -> Logits:
    """The residual stream after attention becomes attention's output alone (with how="mean", plus
    the mean of what skips attention), at every position.
    """
    require_one_after_the_other(model)
    require_attention_skip(model)
    before, added = hook(model, "resid_pre", layer), hook(model, "attn_out", layer)
    after = hook(model, "resid_mid" if has_mlp(model) else "resid_post", layer)
    return _without_skip(model, before, added, after, how)


def without_mlp_skip(model: CachedModel, how: How = "zero", *, layer: int | None = None) -> Logits:
    """The residual stream after the MLP becomes the MLP's output alone (with how="mean", plus the
    mean of what skips the MLP), at every position.
    """
    require_mlp(model)
    require_one_after_the_other(model)
    before, added = hook(model, "resid_mid", layer), hook(model, "mlp_out", layer)
    return _without_skip(model, before, added, hook(model, "resid_post", layer), how)


def with_digits(model: CachedModel, embeddings: Float[Tensor, "digit d_model"]) -> Logits:
    """The embeddings of both operands' values are replaced, by embeddings of digits without a
    period (`periods.without_classes`), say. Row n belongs to value n of either operand.
    """
    model.require_operands("replacing their embeddings")
    embedded = model.activation("embed", pos=None).clone()
    for axis, operand in enumerate(model.task.operands):
        size = len(operand.tokens)
        if len(embeddings) != size:
            raise ValueError(f"operand {axis} has {size} values, got {len(embeddings)} embeddings")
        shape = [1] * len(model.task.grid)
        shape[axis] = size
        embedded[..., operand.position, :] = embeddings.view(*shape, -1)
    return model.with_values({"embed": embedded}, pos=None).logits


def _without_skip(model: CachedModel, before: str, added: str, after: str, how: How) -> Logits:
    check_how(how)
    left = model.activation(added, pos=None)
    if how == "mean":
        left = left + mean_of_inputs(model.activation(before, pos=None), axes=2)
    return model.with_values({after: left}, pos=None).logits
