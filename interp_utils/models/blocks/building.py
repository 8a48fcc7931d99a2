"""Simplified blocks as a model with hooks by TransformerLens's names, computed as they are written
down.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.models.blocks.config import BlocksConfig
from interp_utils.models.blocks.weights import initial_weights, mixing_gains, weight_shapes
from interp_utils.models.family import Weights
from interp_utils.models.hooked import Hooked, HookPoint
from interp_utils.models.transformer.building import load_weights
from interp_utils.models.transformer.weights import act_fn

EPSILON = 1e-5  # TransformerLens's


@dataclass
class ModelSettings:
    """What measures ask of `model.cfg`, by TransformerLens's names, and `shaped_attention`: that
    the rows of a pattern do not sum to 1, and that nothing skips attention.
    """

    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_mlp: int
    n_ctx: int
    d_vocab: int
    d_vocab_out: int
    act_fn: str
    normalization_type: str | None
    attention_dir: str
    parallel_attn_mlp: bool
    dtype: torch.dtype
    attn_only: bool = False
    shaped_attention: bool = True


def build(
    config: BlocksConfig,
    weights: Weights | None = None,
    device: Device = None,
    dtype: torch.dtype = torch.float32,
) -> SimplifiedBlocks:
    """A model with these weights (default: the initial ones)."""
    if None in (config.n_ctx, config.d_vocab, config.d_vocab_out):
        raise ValueError(
            "n_ctx, d_vocab and d_vocab_out must be set to build a model; use config.for_task(task)"
        )
    model = SimplifiedBlocks(config, dtype).to(devices.resolve(device))
    if weights is None:
        weights = {name: weight.to(dtype) for name, weight in initial_weights(config).items()}
    load_weights(model, weights)
    return model


class _Part(nn.Module):
    """A module with the weights of this path, as parameters under their last names, and with these
    hook points.
    """

    def __init__(self, path: str, config: BlocksConfig, dtype: torch.dtype, *hooks: str) -> None:
        super().__init__()
        for name, shape in weight_shapes(config).items():
            if name.rpartition(".")[0] == path:
                last = name.rpartition(".")[2]
                self.register_parameter(last, nn.Parameter(torch.empty(shape, dtype=dtype)))
        for hook in hooks:
            self.add_module(f"hook_{hook}", HookPoint())


class Norm(_Part):
    """x / sqrt(mean of x^2), times a trained scale."""

    def forward(self, x: Tensor) -> Tensor:
        scale = self.hook_scale((x.square().mean(-1, keepdim=True) + EPSILON).sqrt())
        return self.hook_normalized(x / scale) * self.w


class Mixing(_Part):
    """Each head's alpha I + beta A - gamma C, by which it mixes its part of the stream. The hook
    "pattern" is this matrix, "softmax" is A.
    """

    def __init__(self, path: str, config: BlocksConfig, dtype: torch.dtype) -> None:
        hooks = ("q", "k", "v", "attn_scores", "softmax", "pattern", "z")
        super().__init__(path, config, dtype, *hooks)
        self.config = config

    def forward(self, x: Float[Tensor, "n pos d_model"]) -> Float[Tensor, "n pos d_model"]:
        heads, ctx = self.config.n_heads, x.shape[1]
        q = self.hook_q(einsum(x, self.W_Q, "n pos m, head m d -> n pos head d"))
        k = self.hook_k(einsum(x, self.W_K, "n pos m, head m d -> n pos head d"))
        value = x + x @ self.dW_V if hasattr(self, "dW_V") else x
        v = self.hook_v(rearrange(value, "n pos (head d) -> n pos head d", head=heads))
        scores = einsum(q, k, "n query head d, n key head d -> n head query key")
        seen = torch.ones(ctx, ctx, dtype=torch.bool, device=x.device)
        if self.config.attention == "causal":
            seen = seen.tril()
        scores = (scores / self.config.d_head**0.5).masked_fill(~seen, -torch.inf)
        softmax = self.hook_softmax(self.hook_attn_scores(scores).softmax(-1))
        pattern = self.hook_pattern(self._mixed(softmax, seen.to(x.dtype)))
        z = self.hook_z(einsum(pattern, v, "n head query key, n key head d -> n query head d"))
        return rearrange(z, "n pos head d -> n pos (head d)") * self.gain

    def _mixed(self, softmax: Tensor, seen: Float[Tensor, "query key"]) -> Tensor:
        alpha, beta = self.alpha[:, None, None], self.beta[:, None, None]
        mixed = alpha * torch.eye(len(seen), dtype=seen.dtype, device=seen.device) + beta * softmax
        if "gamma" not in mixing_gains(self.config):
            return mixed
        return mixed - self.gamma[:, None, None] * (seen / seen.sum(-1, keepdim=True))


class Neurons(_Part):
    """The MLP. Its gain is part of the hook "post", so that W_out W_U is how neurons are read."""

    def __init__(self, path: str, config: BlocksConfig, dtype: torch.dtype) -> None:
        super().__init__(path, config, dtype, "pre", "post")
        self.act = act_fn(config.act_fn)

    def forward(self, x: Tensor) -> Tensor:
        return self.hook_post(self.gain * self.act(self.hook_pre(x @ self.W_in))) @ self.W_out


class Block(nn.Module):
    def __init__(self, layer: int, config: BlocksConfig, dtype: torch.dtype) -> None:
        super().__init__()
        path, self.is_sequential = f"blocks.{layer}", config.form == "sequential"
        self.ln1 = _norm(f"{path}.ln1", config, dtype)
        self.attn = Mixing(f"{path}.attn", config, dtype)
        self.mlp = Neurons(f"{path}.mlp", config, dtype)
        for name in ("resid_pre", "attn_out", "mlp_out", "resid_post"):
            self.add_module(f"hook_{name}", HookPoint())
        if self.is_sequential:
            self.ln2 = _norm(f"{path}.ln2", config, dtype)
            self.hook_resid_mid = HookPoint()

    def forward(self, x: Float[Tensor, "n pos d_model"]) -> Float[Tensor, "n pos d_model"]:
        read = self.ln1(self.hook_resid_pre(x))
        mixed = self.hook_attn_out(self.attn(read))
        if self.is_sequential:
            mixed = self.hook_resid_mid(mixed)
            read = self.ln2(mixed)
        return self.hook_resid_post(mixed + self.hook_mlp_out(self.mlp(read)))


class SimplifiedBlocks(Hooked):
    """See `BlocksConfig`. Parameters have TransformerLens's names; of W_V there is at most the
    first layer's `dW_V`, and there is no W_O.
    """

    def __init__(self, config: BlocksConfig, dtype: torch.dtype) -> None:
        super().__init__()
        self.cfg = ModelSettings(
            **{name: getattr(config, name) for name in _SAME},
            normalization_type=config.normalization,
            attention_dir=config.attention,
            parallel_attn_mlp=config.form == "parallel",
            dtype=dtype,
        )
        self.embed, self.pos_embed, self.unembed = (
            _Part(path, config, dtype) for path in ("embed", "pos_embed", "unembed")
        )
        self.hook_embed, self.hook_pos_embed = HookPoint(), HookPoint()
        self.blocks = nn.ModuleList(Block(i, config, dtype) for i in range(config.n_layers))
        self.ln_final = _norm("ln_final", config, dtype)
        self.name_hooks()

    def forward(self, tokens: Int[Tensor, "n pos"]) -> Float[Tensor, "n pos d_vocab_out"]:
        positions = self.pos_embed.W_pos[: tokens.shape[1]].expand(len(tokens), -1, -1)
        x = self.hook_embed(self.embed.W_E[tokens]) + self.hook_pos_embed(positions)
        for block in self.blocks:
            x = block(x)
        return self.ln_final(x) @ self.unembed.W_U


_SAME = (
    *("n_layers", "d_model", "n_heads", "d_head", "d_mlp"),
    *("n_ctx", "d_vocab", "d_vocab_out", "act_fn"),
)


def _norm(path: str, config: BlocksConfig, dtype: torch.dtype) -> nn.Module:
    if config.normalization is None:
        return nn.Identity()
    return Norm(path, config, dtype, "scale", "normalized")
