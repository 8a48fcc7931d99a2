"""The weights of simplified blocks: their shapes, which are gains, and their initial values."""

from __future__ import annotations

import torch
from torch import Tensor

from interp_utils.models.blocks.config import BlocksConfig
from interp_utils.models.transformer.weights import DRAWN, is_scale

GAINS = ("alpha", "beta", "gamma", "gain")


def weight_shapes(config: BlocksConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every weight, in the one order of the suite. All are trained."""
    heads, d_model, d_head, d_mlp = config.n_heads, config.d_model, config.d_head, config.d_mlp
    shapes = {"embed.W_E": (config.d_vocab, d_model), "pos_embed.W_pos": (config.n_ctx, d_model)}
    is_sequential, is_scaled = config.form == "sequential", config.normalization is not None
    for layer in range(config.n_layers):
        block: dict[str, tuple[int, ...]] = {
            **({"ln1.w": (d_model,)} if is_scaled else {}),
            **{f"attn.{name}": (heads, d_model, d_head) for name in ("W_Q", "W_K")},
            **({"attn.dW_V": (d_model, d_model)} if layer == 0 and config.first_value else {}),
            **{f"attn.{name}": (heads,) for name in mixing_gains(config)},
            "attn.gain": (1,),
            **({"ln2.w": (d_model,)} if is_scaled and is_sequential else {}),
            "mlp.W_in": (d_model, d_mlp),
            "mlp.W_out": (d_mlp, d_model),
            "mlp.gain": (1,),
        }
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    last = {"ln_final.w": (d_model,)} if is_scaled else {}
    return shapes | last | {"unembed.W_U": (d_model, config.d_vocab_out)}


def mixing_gains(config: BlocksConfig) -> tuple[str, ...]:
    return ("alpha", "beta", "gamma") if config.mixing == "shaped" else ("alpha", "beta")


def trainable(config: BlocksConfig) -> list[str]:
    return list(weight_shapes(config))


def is_gain(name: str) -> bool:
    """Whether a weight is a gain: one number for each head, or for a whole branch."""
    return name.rpartition(".")[2] in GAINS


def undecayed(config: BlocksConfig) -> list[str]:
    return [] if config.decay_gains else [name for name in weight_shapes(config) if is_gain(name)]


def initial_weights(config: BlocksConfig) -> dict[str, Tensor]:
    """Normal matrices with a standard deviation of 0.8 / sqrt(d_model), as the transformer's;
    gains, scales, dW_V and W_Q as `BlocksConfig` says. Drawn on the CPU from a generator of their
    own.
    """
    generator = torch.Generator().manual_seed(config.seed)

    def start(name: str, shape: tuple[int, ...]) -> Tensor:
        last = name.rpartition(".")[2]
        if name.endswith("mlp.gain"):
            return torch.full(shape, config.mlp_gain, dtype=DRAWN)
        if config.mixing == "skip_init" and last == "beta":
            return torch.zeros(shape, dtype=DRAWN)
        if is_gain(name) or is_scale(name):
            return torch.ones(shape, dtype=DRAWN)
        drawn = torch.randn(shape, generator=generator, dtype=DRAWN) * (0.8 / config.d_model**0.5)
        is_zero = last == "dW_V" or (last == "W_Q" and config.mixing == "shaped")
        return torch.zeros_like(drawn) if is_zero else drawn

    return {name: start(name, shape) for name, shape in weight_shapes(config).items()}
