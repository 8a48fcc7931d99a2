"""A transformer from weights that were trained elsewhere, in any form in which people keep them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.transformer.building import build
from interp_utils.models.transformer.orientation import ORIENTATIONS, turned
from interp_utils.models.transformer.weights import is_bias, weight_shapes
from interp_utils.models.weights import state_dict_in, without_prefix

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.model_bridge import TransformerBridge

ANCHOR = "embed.W_E"
BUFFERS = ("attn.mask", "attn.IGNORE")  # entries of a state_dict that are not weights
# For each weight with a size that a task determines: its axis, what lies along the axis, the size,
# and the argument that picks from the axis.
PICKED = {
    "embed.W_E": (0, "rows", "d_vocab", "token_order"),
    "unembed.W_U": (1, "columns", "d_vocab_out", "class_order"),
    "unembed.b_U": (0, "entries", "d_vocab_out", "class_order"),
}


def from_weights(
    config: ModelConfig,
    weights: Mapping[str, Any],
    *,
    token_order: Iterable | None = None,
    class_order: Iterable | None = None,
    orientation: str | None = None,
    device: Device = None,
    bridge: bool | None = None,
    dtype: torch.dtype = torch.float32,
) -> HookedTransformer | TransformerBridge:
    """A model from weights that were trained elsewhere.

    weights: a state dict, or a dict that holds one, e.g. {"model": ..., "optimizer": ...}; all
        names may begin with the same prefix ("_orig_mod.", "module.").
    token_order: the row of W_E for each token of the task. class_order: the column of W_U for each
        class. Default: the same order. Rows and columns that are not named, e.g. those of a padded
        vocabulary, are left out.
    orientation: one of ORIENTATIONS, e.g. "progress_measures", the authors' files of 2022; None is
        the first that the shapes fit.
    dtype: the precision of the model's weights and computations; a warning says what is cast.
    bridge: True for a TransformerBridge, None for a HookedTransformer if transformer_lens has it.

    Sizes that the configuration leaves None (n_ctx, d_vocab, d_vocab_out) are those of the weights:
    one more output, for "=", is fine. Of more positions than n_ctx the first ones are taken. Biases
    that are missing are zero, and so are positions where config.positions is False.
    Raises ValueError where there are no weights or those of several models, a name is missing or
    unknown, a shape is wrong, or a value is not finite.
    """
    config, weights = canonical_weights(
        config,
        weights,
        token_order=token_order,
        class_order=class_order,
        orientation=orientation,
    )
    return build(config, weights, device, bridge, dtype)


def canonical_weights(
    config: ModelConfig,
    weights: Mapping[str, Any],
    *,
    token_order: Iterable | None = None,
    class_order: Iterable | None = None,
    orientation: str | None = None,
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """The configuration with its sizes, and copies of the weights by HookedTransformer's names and
    in its orientation. Arguments are those of `from_weights`.
    """
    weights = _named(weights)
    weights = _turned(config, weights, orientation)
    given = {"token_order": token_order, "class_order": class_order}
    if "pos_embed.W_pos" in weights and config.n_ctx is not None:
        weights["pos_embed.W_pos"] = weights["pos_embed.W_pos"][: config.n_ctx]
    for name in PICKED:
        if name in weights:
            weights[name] = _picked(name, weights[name], given, config)
    config = _with_sizes(config, weights)
    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError(
            "n_ctx, d_vocab and d_vocab_out are in neither the configuration nor the weights "
            f"(W_pos, W_E, W_U); the weights have {sorted(weights)[:5]}"
        )
    for name, shape in weight_shapes(config).items():
        if is_bias(name) or (name == "pos_embed.W_pos" and not config.positions):
            weights.setdefault(name, torch.zeros(shape).to(weights[ANCHOR]))
    return config, {name: weight.detach().clone() for name, weight in weights.items()}


def config_of(weights: Mapping[str, Any], **settings: Any) -> ModelConfig:
    """A configuration with the sizes that these weights have, and these settings.

    Weights do not show an activation function (`act_fn`, default "relu"), the direction of
    attention, or a normalization without weights: pass those that are not the default.
    weights: as for `from_weights`. Raises ValueError where they are not those of a transformer.
    """
    weights = _named(weights)
    for orientation in ORIENTATIONS:
        config = _config_of(turned(weights, orientation), settings)
        if config is not None:
            return config
    raise ValueError(
        "the shapes of these weights are not those of a transformer in any known orientation "
        f"({', '.join(ORIENTATIONS)}): {_shapes(weights)}"
    )


def _config_of(
    weights: Mapping[str, Tensor] | None, settings: dict[str, Any]
) -> ModelConfig | None:
    """The configuration in one orientation; None where the weights do not agree on their sizes."""
    W_Q = None if weights is None else weights.get("blocks.0.attn.W_Q")
    if W_Q is None or W_Q.ndim != 3:
        return None
    layers = {int(found[1]) for name in weights if (found := re.match(r"blocks\.(\d+)\.", name))}
    W_in = weights.get("blocks.0.mlp.W_in")
    n_heads, d_model, d_head = W_Q.shape
    read = {
        "d_model": d_model,
        "n_heads": n_heads,
        "d_head": d_head,
        "d_mlp": None if W_in is None else W_in.shape[-1],
        "n_layers": len(layers),
        "biases": _biases(weights),
        "positions": "pos_embed.W_pos" in weights,
    }
    if "ln_final.w" in weights:
        read["normalization"] = "LN" if "ln_final.b" in weights else "RMS"
    config = _with_sizes(ModelConfig(**{**read, **settings}), weights)
    return config if _fits(config, weights) else None


def _biases(weights: Mapping[str, Tensor]) -> str:
    """Which biases are not zero, as ModelConfig.biases names them."""
    own = [name for name, weight in weights.items() if is_bias(name) and weight.any()]
    if not own:
        return "none"
    return "mlp" if all(".mlp." in name for name in own) else "all"


def _named(saved: Any) -> dict[str, Tensor]:
    """The state dict in what was saved, without prefix and buffers."""
    weights = state_dict_in(saved, ANCHOR)
    if any(name.endswith("embed.weight") for name in weights):
        raise ValueError(
            "these weights have the names of a TransformerBridge or of torch's layers "
            "(embed.weight): for a bridge, pass models.named_weights(model)"
        )
    weights = without_prefix(weights, ANCHOR)
    return {name: weight for name, weight in weights.items() if not name.endswith(BUFFERS)}


def _turned(
    config: ModelConfig, weights: dict[str, Tensor], orientation: str | None
) -> dict[str, Tensor]:
    """The weights in HookedTransformer's orientation. Where no orientation fits they stay as they
    are, and the check of shapes names the wrong one.
    """
    if orientation is not None and orientation not in ORIENTATIONS:
        raise ValueError(f"orientation must be one of {list(ORIENTATIONS)}, got {orientation!r}")
    for name in ORIENTATIONS if orientation is None else (orientation,):
        candidate = turned(weights, name)
        if candidate is not None and _fits(_with_sizes(config, candidate, replace=True), candidate):
            return candidate
    return weights


def _fits(config: ModelConfig, weights: Mapping[str, Tensor]) -> bool:
    """Whether all weights that are present have the shapes of the configuration."""
    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        return False
    shapes = weight_shapes(config)
    return all(
        tuple(weight.shape) == shapes[name] for name, weight in weights.items() if name in shapes
    )


def _with_sizes(
    config: ModelConfig, weights: Mapping[str, Tensor], replace: bool = False
) -> ModelConfig:
    """The configuration with the sizes of the weights: those that it leaves None, or all."""
    for name, axis, size in (
        ("pos_embed.W_pos", 0, "n_ctx"),
        ("embed.W_E", 0, "d_vocab"),
        ("unembed.W_U", 1, "d_vocab_out"),
    ):
        wanted = replace or getattr(config, size) is None
        if wanted and name in weights and weights[name].ndim == 2:
            config = dataclasses.replace(config, **{size: weights[name].shape[axis]})
    return config


def _picked(
    name: str,
    weight: Tensor,
    given: Mapping[str, Iterable | None],
    config: ModelConfig,
) -> Tensor:
    """The rows, columns or entries that were asked for, in the order of the request."""
    axis, parts, field, argument = PICKED[name]
    size, wanted = weight.shape[axis], getattr(config, field)
    if given[argument] is not None:
        order = [int(index) for index in given[argument]]
        if len(set(order)) < len(order) or not set(order) <= set(range(size)):
            raise ValueError(
                f"{name} has {size} {parts}: {argument} must be some of 0 .. {size - 1}, each at "
                f"most once, got {order[:8]}"
            )
        return weight.index_select(axis, torch.tensor(order, device=weight.device))
    if wanted is not None and size > wanted:
        raise ValueError(
            f"{name} has {size} {parts}, ModelConfig.{field} is {wanted}: choose {parts}, e.g. "
            f"{argument}=range({wanted}), or leave ModelConfig.{field} None"
        )
    return weight


def _shapes(weights: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(weight.shape)}" for name, weight in weights.items())
