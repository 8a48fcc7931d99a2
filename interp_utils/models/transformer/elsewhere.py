"""A transformer from weights that were trained elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.transformer.building import build
from interp_utils.models.transformer.weights import is_bias, weight_shapes
from interp_utils.models.weights import check_weights

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.model_bridge import TransformerBridge


def from_weights(
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    *,
    token_order: Sequence[int] | None = None,
    class_order: Sequence[int] | None = None,
    device: Device = None,
    bridge: bool | None = None,
) -> HookedTransformer | TransformerBridge:
    """A model from weights that come from elsewhere, under HookedTransformer's names.

    Sizes that the configuration leaves None (n_ctx, d_vocab, d_vocab_out) are those of the weights:
    one more output, for "=", is fine. Biases that are missing are zero, and so are positions where
    config.positions is False.
    token_order: for each token of the task, its row of W_E; class_order: for each class, its column
    of W_U; default: the same.
    Raises ValueError where a weight is missing or unknown, has another shape, or is not finite, or
    an order is no permutation.
    """
    buffers = ("attn.mask", "attn.IGNORE")  # which a state_dict of HookedTransformer has too
    weights = {
        name: weight.detach().clone()
        for name, weight in weights.items()
        if not name.endswith(buffers)
    }
    for name, axis, field, order in (
        ("embed.W_E", 0, "d_vocab", token_order),
        ("pos_embed.W_pos", 0, "n_ctx", None),
        ("unembed.W_U", 1, "d_vocab_out", class_order),
    ):
        if name in weights:
            size = weights[name].shape[axis]
            if getattr(config, field) is None:
                config = dataclasses.replace(config, **{field: size})
            if order is not None:
                if sorted(order) != list(range(size)):
                    raise ValueError(
                        f"{name} has {size} tokens: its order must be a permutation of 0 .. "
                        f"{size - 1}, got {list(order)[:8]}"
                    )
                weights[name] = weights[name].index_select(
                    axis, torch.tensor(list(order), device=weights[name].device)
                )
    if class_order is not None and "unembed.b_U" in weights:
        check_weights({"unembed.b_U": weights["unembed.b_U"]}, {"unembed.b_U": (len(class_order),)})
        weights["unembed.b_U"] = weights["unembed.b_U"][list(class_order)]
    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError(
            "n_ctx, d_vocab and d_vocab_out are in neither the configuration nor the weights "
            "(W_pos, W_E, W_U); set them"
        )
    for name, shape in weight_shapes(config).items():
        if is_bias(name) or (name == "pos_embed.W_pos" and not config.positions):
            weights.setdefault(name, torch.zeros(shape))
    return build(config, weights, device, bridge)
