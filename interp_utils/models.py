"""The one module that knows transformer_lens: build a HookedTransformer, read and write its weights by name.

transformer_lens is imported when a model is built, not before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from interp_utils.configs import ModelConfig

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


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
        block |= {"mlp.W_in": (d_model, d_mlp), "mlp.b_in": (d_mlp,), "mlp.W_out": (d_mlp, d_model), "mlp.b_out": (d_model,)}
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return shapes | {"unembed.W_U": (d_model, config.d_vocab_out), "unembed.b_U": (config.d_vocab_out,)}


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
    """Normal weights of the scale `config.init` names, biases zero; drawn on the CPU from a generator of their own.

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


def build(config: ModelConfig, weights: Mapping[str, Tensor] | None = None, device: torch.device | str = "cpu") -> HookedTransformer:
    """A HookedTransformer with these weights (default: `initial_weights(config)`), biases that are not trained frozen.

    No global random state is read or changed.
    """
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError("n_ctx, d_vocab and d_vocab_out must be set to build a model; use config.for_task(task)")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="HookedTransformer is deprecated", category=DeprecationWarning)
        model = HookedTransformer(
            HookedTransformerConfig(
                n_layers=config.n_layers,
                d_model=config.d_model,
                n_heads=config.n_heads,
                d_head=config.d_head,
                d_mlp=config.d_mlp,
                attn_only=config.d_mlp is None,
                n_ctx=config.n_ctx,
                d_vocab=config.d_vocab,
                d_vocab_out=config.d_vocab_out,
                act_fn=config.act_fn,
                normalization_type=None,
                init_weights=False,
                device=str(device),
            )
        )
    load_weights(model, initial_weights(config) if weights is None else weights)
    trained = set(trainable(config))
    for name, parameter in named_weights(model).items():
        parameter.requires_grad_(name in trained)
    return model


def named_weights(model: HookedTransformer) -> dict[str, Tensor]:
    """The model's own parameters (not copies) under HookedTransformer's names."""
    return dict(model.named_parameters())


def load_weights(model: HookedTransformer, weights: Mapping[str, Tensor]) -> None:
    """Copies weights into the model, all of them or none.

    Raises ValueError where names are missing or unknown, a shape is another, or a value is not finite.
    """
    own = named_weights(model)
    check_weights(weights, {name: tuple(parameter.shape) for name, parameter in own.items()})
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


def check_weights(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError unless `weights` has exactly these names and shapes, and finite values."""
    if weights.keys() != shapes.keys():
        missing, unknown = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
        raise ValueError(f"weights do not fit the model: missing {missing or 'none'}, unknown {unknown or 'none'}")
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(weights[name].shape)}")
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} has values that are not finite (NaN or infinity)")


def act_fn(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function that HookedTransformer uses under this name."""
    return getattr(torch.nn.functional, name)
