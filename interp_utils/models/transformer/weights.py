"""The transformer's weights under HookedTransformer's names: their shapes, which of them are
trained, and their initial values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from interp_utils.configs import ModelConfig

DRAWN = torch.float32  # whatever torch's default is: another precision draws other numbers


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every weight under HookedTransformer's name, in the one order of the suite."""
    heads, d_model, d_head, d_mlp = config.n_heads, config.d_model, config.d_head, config.d_mlp
    shapes = {"embed.W_E": (config.d_vocab, d_model), "pos_embed.W_pos": (config.n_ctx, d_model)}
    block = {
        **_normalization(config, "ln1"),
        **{f"attn.W_{name}": (heads, d_model, d_head) for name in "QKV"},
        "attn.W_O": (heads, d_head, d_model),
        **{f"attn.b_{name}": (heads, d_head) for name in "QKV"},
        "attn.b_O": (d_model,),
    }
    if d_mlp is not None:
        block |= {
            **_normalization(config, "ln2"),
            "mlp.W_in": (d_model, d_mlp),
            "mlp.b_in": (d_mlp,),
            "mlp.W_out": (d_mlp, d_model),
            "mlp.b_out": (d_model,),
        }
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return shapes | {
        **_normalization(config, "ln_final"),
        "unembed.W_U": (d_model, config.d_vocab_out),
        "unembed.b_U": (config.d_vocab_out,),
    }


def _normalization(config: ModelConfig, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the scale and the shift of one normalization, where it has them."""
    trained = {"LN": ("w", "b"), "RMS": ("w",)}.get(config.normalization, ())
    return {f"{name}.{which}": (config.d_model,) for which in trained}


def is_scale(name: str) -> bool:
    """Whether this is the scale of a LayerNorm or of an RMSNorm, which is 1 at first."""
    return name.endswith(("ln1.w", "ln2.w", "ln_final.w"))


def is_shift(name: str) -> bool:
    """Whether this is the shift of a LayerNorm, which is 0 at first."""
    return name.endswith(("ln1.b", "ln2.b", "ln_final.b"))


def is_bias(name: str) -> bool:
    return name.rpartition(".")[2].startswith("b_")


def trainable(config: ModelConfig) -> list[str]:
    """Names of the weights that are trained; the others (biases, positions) stay zero."""
    return [name for name in weight_shapes(config) if _is_trained(name, config)]


def _is_trained(name: str, config: ModelConfig) -> bool:
    if is_bias(name):
        trained = {"none": (), "mlp": ("b_in", "b_out"), "all": ("b_",)}[config.biases]
        return name.rpartition(".")[2].startswith(trained)
    return config.positions or name != "pos_embed.W_pos"


def initial_weights(config: ModelConfig) -> dict[str, Tensor]:
    """Normal weights with the scale that `config.init` names, times `config.init_scale`; biases are
    zero, normalization's scales one. They are drawn on the CPU from a generator of their own.

    For one seed, the other weights are the same with and without positions.
    """
    generator = torch.Generator().manual_seed(config.seed)
    trained = set(trainable(config))

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        if is_scale(name):
            return torch.ones(shape, dtype=DRAWN)
        if is_bias(name) or is_shift(name):
            return torch.zeros(shape, dtype=DRAWN)
        if config.init == "transformer_lens":
            std = 0.8 / config.d_model**0.5
        else:
            std = (config.d_vocab_out if name == "unembed.W_U" else config.d_model) ** -0.5
        drawn = config.init_scale * std * torch.randn(shape, generator=generator, dtype=DRAWN)
        return drawn if name in trained else torch.zeros_like(drawn)

    return {name: draw(name, shape) for name, shape in weight_shapes(config).items()}


def act_fn(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function that HookedTransformer uses under this name."""
    return getattr(torch.nn.functional, name)
