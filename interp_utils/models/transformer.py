"""The one module that knows transformer_lens: build a model, read and write its weights by
HookedTransformer's names.

A model is a HookedTransformer (transformer_lens 3) or a TransformerBridge (3.9 and 4).
transformer_lens is imported when a model is built, not before.
"""

from __future__ import annotations

import dataclasses
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils import devices
from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.bridge import is_bridge

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer
    from transformer_lens.model_bridge import TransformerBridge


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every weight under HookedTransformer's name, in the one order this suite uses."""
    heads, d_model, d_head, d_mlp = config.n_heads, config.d_model, config.d_head, config.d_mlp
    shapes = {"embed.W_E": (config.d_vocab, d_model), "pos_embed.W_pos": (config.n_ctx, d_model)}
    block = {
        **{f"attn.W_{name}": (heads, d_model, d_head) for name in "QKV"},
        "attn.W_O": (heads, d_head, d_model),
        **{f"attn.b_{name}": (heads, d_head) for name in "QKV"},
        "attn.b_O": (d_model,),
    }
    if d_mlp is not None:
        block |= {
            "mlp.W_in": (d_model, d_mlp),
            "mlp.b_in": (d_mlp,),
            "mlp.W_out": (d_mlp, d_model),
            "mlp.b_out": (d_model,),
        }
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return shapes | {
        "unembed.W_U": (d_model, config.d_vocab_out),
        "unembed.b_U": (config.d_vocab_out,),
    }


def is_bias(name: str) -> bool:
    return name.rpartition(".")[2].startswith("b_")


def trainable(config: ModelConfig) -> list[str]:
    """Names of the weights that are trained; the others (biases, positions) stay zero."""
    trained_biases = {"none": (), "mlp": ("b_in", "b_out"), "all": ("b_",)}[config.biases]

    def is_trained(name: str) -> bool:
        if is_bias(name):
            return bool(trained_biases) and name.rpartition(".")[2].startswith(trained_biases)
        return config.positions or name != "pos_embed.W_pos"

    return [name for name in weight_shapes(config) if is_trained(name)]


def initial_weights(config: ModelConfig) -> dict[str, Tensor]:
    """Normal weights of the scale `config.init` names, biases zero; drawn on the CPU from a
    generator of their own.

    With and without positions the other weights of a seed are the same.
    """
    generator = torch.Generator().manual_seed(config.seed)
    trained = set(trainable(config))

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        if is_bias(name):
            return torch.zeros(shape)
        if config.init == "transformer_lens":
            std = 0.8 / config.d_model**0.5
        else:
            std = (config.d_vocab_out if name == "unembed.W_U" else config.d_model) ** -0.5
        drawn = std * torch.randn(shape, generator=generator)
        return drawn if name in trained else torch.zeros(shape)

    return {name: draw(name, shape) for name, shape in weight_shapes(config).items()}


@torch.inference_mode(False)
def build(
    config: ModelConfig,
    weights: Mapping[str, Tensor] | None = None,
    device: Device = None,
    bridge: bool | None = None,
) -> HookedTransformer | TransformerBridge:
    """A model with these weights (default: `initial_weights(config)`), whatever is not trained
    frozen.

    bridge: a TransformerBridge; None is a HookedTransformer where transformer_lens has it. No
    global random state is read or changed.
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
        "normalization_type": None,
        "device": str(devices.resolve(device)),
    }
    model = (
        _bridge(sizes)
        if bridge or (bridge is None and not has_hooked_transformer())
        else _hooked_transformer(sizes)
    )
    load_weights(model, initial_weights(config) if weights is None else weights)
    trained = set(trainable(config))
    for name, place, _ in _places(model, named_weights(model)):
        place.requires_grad_(name in trained)
    return model


def has_hooked_transformer() -> bool:
    """False from transformer_lens 4 on."""
    return int(version("transformer-lens").split(".")[0]) < 4


def _hooked_transformer(sizes: dict[str, Any]) -> HookedTransformer:
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="HookedTransformer is deprecated", category=DeprecationWarning
        )
        return HookedTransformer(HookedTransformerConfig(**sizes, init_weights=False))


def _bridge(sizes: dict[str, Any]) -> TransformerBridge:
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge

    # With a seed it draws from a forked generator, without one from the global.
    return TransformerBridge.boot_native(
        TransformerBridgeConfig(**sizes, seed=0, architecture="TransformerLensNative")
    )


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


def named_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's own weights (not copies) under HookedTransformer's names."""
    if not is_bridge(model):
        return dict(model.named_parameters())
    cfg = model.cfg
    sizes = {
        name: getattr(cfg, name)
        for name in ("n_layers", "d_model", "n_heads", "d_head", "n_ctx", "d_vocab", "d_vocab_out")
    }
    names = weight_shapes(ModelConfig(**sizes, d_mlp=None if cfg.attn_only else cfg.d_mlp))
    found = {name: operator.attrgetter(name)(model) for name in names}
    held = {id(place) for _, place, _ in _places(model, found)}
    others = [name for name, parameter in model.named_parameters() if id(parameter) not in held]
    if others:
        raise ValueError(
            f"this bridge has weights that have no name here ({', '.join(others[:3])}): fold its "
            "LayerNorm into the others first"
        )
    return found


def call_with(
    model: nn.Module, weights: Mapping[str, Tensor], tokens: Int[Tensor, "n ctx"]
) -> Float[Tensor, "n ctx d_vocab_out"]:
    """The model's logits with other weights, under HookedTransformer's names, that gradients flow
    to.
    """
    own = {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    holders = [(module._parameters, dict(module._parameters)) for module in model.modules()]
    try:
        return torch.func.functional_call(
            model,
            {own[id(place)]: weight for _, place, weight in _places(model, weights)},
            (tokens,),
        )
    # a bridge has modules under several names, and functional_call does not put all of them back
    finally:
        for parameters, before in holders:
            parameters.update(before)


def _places(
    model: nn.Module, weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each weight's name, the model's tensor that holds it, and its value in that tensor's
    orientation.

    A bridge has torch's linear layers, outputs first and heads flattened.
    """
    linear = {"Q": "q", "K": "k", "V": "v", "O": "o", "in": "in", "out": "out"}
    for name, weight in weights.items():
        path, _, last = name.rpartition(".")
        if not is_bridge(model) or last in ("W_E", "W_pos"):
            yield name, operator.attrgetter(name)(model), weight
            continue
        kind, _, which = last.partition("_")
        module = (
            model.unembed
            if which == "U"
            else getattr(operator.attrgetter(path)(model), linear[which])
        )
        if kind == "b":
            yield name, module.bias, weight.flatten()
        elif weight.ndim == 2:
            yield name, module.weight, weight.T
        else:
            yield (
                name,
                module.weight,
                weight.flatten(0, 1).T if which == "O" else weight.transpose(1, 2).flatten(0, 1),
            )


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copies weights into the model, all of them or none.

    Raises ValueError where names are missing or unknown, a shape is another, or a value is not
    finite.
    """
    own = named_weights(model)
    check_weights(weights, {name: tuple(weight.shape) for name, weight in own.items()})
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(weights[name])


def check_weights(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError unless `weights` has exactly these names and shapes, and finite values."""
    if weights.keys() != shapes.keys():
        missing, unknown = (
            sorted(shapes.keys() - weights.keys()),
            sorted(weights.keys() - shapes.keys()),
        )
        raise ValueError(
            f"weights do not fit the model: missing {missing or 'none'}, unknown "
            f"{unknown or 'none'}"
        )
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(weights[name].shape)}")
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} has values that are not finite (NaN or infinity)")


def act_fn(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function that HookedTransformer uses under this name."""
    return getattr(torch.nn.functional, name)
