"""The one module that knows transformer_lens. It builds a model, and reads and writes the weights
under HookedTransformer's names.

A model is a HookedTransformer (transformer_lens 3) or a TransformerBridge (3.9 and 4).
transformer_lens is imported when a model is built, not before.
"""

from __future__ import annotations

import gc
import operator
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils import devices
from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.bridge import is_bridge
from interp_utils.models.transformer.weights import (
    initial_weights,
    trainable,
    weight_shapes,
)
from interp_utils.models.weights import check_weights, say_cast

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.model_bridge import TransformerBridge

LINEAR = {"Q": "q", "K": "k", "V": "v", "O": "o", "in": "in", "out": "out"}  # a bridge's layers


@torch.inference_mode(False)
def build(
    config: ModelConfig,
    weights: Mapping[str, Tensor] | None = None,
    device: Device = None,
    bridge: bool | None = None,
    dtype: torch.dtype = torch.float32,
) -> HookedTransformer | TransformerBridge:
    """A model with these weights (default: `initial_weights(config)`). Weights that are not trained
    are frozen. No global random state is read or changed.

    bridge: True for a TransformerBridge; None for a HookedTransformer where transformer_lens has
        it. dtype: the precision of the model's weights and computations.
    """
    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError(
            "n_ctx, d_vocab and d_vocab_out must be set to build a model; use config.for_task(task)"
        )
    sizes = {
        "n_layers": config.n_layers,
        "d_model": config.d_model,
        "n_heads": config.n_heads,
        "d_head": config.d_head,
        "d_mlp": config.d_mlp,
        "attn_only": config.d_mlp is None,
        "attention_dir": config.attention,
        "n_ctx": config.n_ctx,
        "d_vocab": config.d_vocab,
        "d_vocab_out": config.d_vocab_out,
        "act_fn": config.act_fn,
        "normalization_type": config.normalization,
        "device": str(devices.resolve(device)),
        "dtype": dtype,
    }
    model = (
        _bridge(sizes)
        if bridge or (bridge is None and not has_hooked_transformer())
        else _hooked_transformer(sizes)
    )
    if weights is None:
        weights = {name: weight.to(dtype) for name, weight in initial_weights(config).items()}
    load_weights(model, weights)
    trained = set(trainable(config))
    for name, place, _ in _places(model, named_weights(model)):
        place.requires_grad_(name in trained)
    return model


def has_hooked_transformer() -> bool:
    """False from transformer_lens 4 on."""
    return int(version("transformer-lens").split(".")[0]) < 4


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Looking for garbage in transformer_lens's two thousand modules is a fifth of their import."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _hooked_transformer(sizes: dict[str, Any]) -> HookedTransformer:
    with _nothing_collected():
        from transformer_lens import HookedTransformer, HookedTransformerConfig

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="HookedTransformer is deprecated", category=DeprecationWarning
        )
        return HookedTransformer(HookedTransformerConfig(**sizes, init_weights=False))


def _bridge(sizes: dict[str, Any]) -> TransformerBridge:
    with _nothing_collected():
        from transformer_lens.config import TransformerBridgeConfig
        from transformer_lens.model_bridge import TransformerBridge

    # With a seed the bridge draws from a forked generator, without one from the global generator.
    bridge = TransformerBridge.boot_native(
        TransformerBridgeConfig(**sizes, seed=0, architecture="TransformerLensNative")
    )
    # Whatever its configuration says, it is in float32 and on the CPU; and its own `to` prints.
    return nn.Module.to(bridge, sizes["device"], sizes["dtype"])


def named_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's own weights (not copies) under HookedTransformer's names."""
    if not is_bridge(model):
        return _ByName(model.named_parameters(remove_duplicate=False))
    cfg = model.cfg
    sizes = {
        name: getattr(cfg, name)
        for name in ("n_layers", "d_model", "n_heads", "d_head", "n_ctx", "d_vocab", "d_vocab_out")
    }
    d_mlp = None if cfg.attn_only else cfg.d_mlp
    own = ModelConfig(**sizes, d_mlp=d_mlp, normalization=cfg.normalization_type)
    names = weight_shapes(own)
    found = {name: _of_bridge(model, name) for name in names}
    held = {id(place) for _, place, _ in _places(model, found)}
    others = [name for name, parameter in model.named_parameters() if id(parameter) not in held]
    if others:
        raise ValueError(
            f"every weight of a bridge must have a name in HookedTransformer, got "
            f"{len(others)} without one: {', '.join(others[:3])}; pass a bridge of a plain "
            "transformer, or a HookedTransformer"
        )
    return found


class _ByName(dict):
    """Weights by name, which say what a model of another family lacks."""

    def __missing__(self, name: str) -> Tensor:
        raise ValueError(f"this model has no {name}; its weights are {', '.join(self)}")


def call_with(
    model: nn.Module, weights: Mapping[str, Tensor], tokens: Int[Tensor, "n ctx"]
) -> Float[Tensor, "n ctx d_vocab_out"]:
    """The model's logits with other weights, under HookedTransformer's names, in the precision of
    these weights. Gradients flow to them.
    """
    given = dict(weights)
    if is_bridge(model):
        tensors = (*model.named_parameters(), *model.named_buffers())
        own = {id(tensor): name for name, tensor in tensors}
        given = {own[id(place)]: weight for _, place, weight in _places(model, weights)}
    holders = [(module._parameters, dict(module._parameters)) for module in model.modules()]
    dtype = model.cfg.dtype
    try:
        # LayerNorm rounds to the configuration's precision.
        model.cfg.dtype = next(iter(weights.values())).dtype
        return torch.func.functional_call(model, given, (tokens,))
    # a bridge has modules under several names, and functional_call does not put all of them back
    finally:
        model.cfg.dtype = dtype
        for parameters, before in holders:
            parameters.update(before)


def _of_bridge(model: nn.Module, name: str) -> Tensor:
    """A bridge has the MLP's biases twice; those of its linear layers are what it computes with,
    also where moving the model to a device made new ones.
    """
    path, _, last = name.rpartition(".")
    held_by = operator.attrgetter(path)(model)
    if last in ("b_in", "b_out"):
        return getattr(held_by, LINEAR[last.removeprefix("b_")]).bias
    return getattr(held_by, last)


def _places(
    model: nn.Module, weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each weight's name, the tensor of the model that holds it, and its value in that tensor's
    orientation. A bridge has torch's linear layers: outputs first and heads flattened.
    """
    for name, weight in weights.items():
        path, _, last = name.rpartition(".")
        if not is_bridge(model) or last in ("W_E", "W_pos"):
            yield name, operator.attrgetter(name)(model), weight
            continue
        if last in ("w", "b"):
            norm = operator.attrgetter(path)(model)
            yield name, norm.weight if last == "w" else norm.bias, weight
            continue
        kind, _, which = last.partition("_")
        module = (
            model.unembed
            if which == "U"
            else getattr(operator.attrgetter(path)(model), LINEAR[which])
        )
        if kind == "b":
            yield name, module.bias, weight.flatten()
        elif weight.ndim == 2:
            yield name, module.weight, weight.T
        elif which == "O":
            yield name, module.weight, weight.flatten(0, 1).T
        else:
            yield name, module.weight, weight.transpose(1, 2).flatten(0, 1)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copies weights into the model, all of them or none. A warning says what is cast to the
    model's precision.

    Raises ValueError where names are missing or unknown, a shape is wrong, a value is not finite,
    or two weights of the model share memory (W_U tied to W_E) and are given different values.
    """
    own = named_weights(model)
    check_weights(weights, {name: tuple(weight.shape) for name, weight in own.items()})
    with torch.no_grad():
        _copy_shared(own, weights)
        for name, weight in own.items():
            weight.copy_(weights[name])
    say_cast(weights, own, "the model's precision; build it with dtype=... for another one")


def _copy_shared(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Copies weights that may share memory with another weight of the model. Raises ValueError,
    with everything as it was, where one weight would overwrite another.
    """
    buffers = [weight.untyped_storage()._cdata for weight in own.values()]
    shared = [name for name, buffer in zip(own, buffers, strict=True) if buffers.count(buffer) > 1]
    before = {name: own[name].detach().clone() for name in shared}
    for name in shared:
        own[name].copy_(weights[name])
    if all(own[name].equal(weights[name].to(own[name])) for name in shared):
        return
    for name, weight in before.items():
        own[name].copy_(weight)
    raise ValueError(
        f"{' and '.join(shared)} of this model share memory, and these weights have different "
        f"values there; separate them first, e.g. model.unembed.W_U = "
        f"torch.nn.Parameter(model.unembed.W_U.detach().clone())"
    )
