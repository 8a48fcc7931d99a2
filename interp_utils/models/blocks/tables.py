"""The exact fast forward of one simplified block: only what one position's logits depend on, and
nothing twice. Literally, `building` computes the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import einsum
from torch import Tensor

from interp_utils.models.blocks.building import EPSILON
from interp_utils.models.blocks.config import BlocksConfig
from interp_utils.models.family import Weights
from interp_utils.models.transformer.tables import Plan
from interp_utils.models.transformer.weights import act_fn


def from_tables(config: BlocksConfig, answer_pos: int) -> Callable[[Plan, Weights], Tensor]:
    """A forward for one layer, at the position from 0 that the plan was made for.

    Before the mixing, everything is a function of (token, position), of which few pairs occur: keys
    and values, normalized or not, are tables with a row for each pair. A parallel block's MLP reads
    the rows of the queries alone, and "=" is one row.
    """
    after = _after_sequential(config) if config.form == "sequential" else _after_parallel(config)

    def forward(plan: Plan, weights: Weights) -> Tensor:
        attn = {name: weights.get(f"blocks.0.attn.{name}") for name in _OF_ATTENTION}
        # "row d_model"
        x = weights["embed.W_E"][plan.row_token] + weights["pos_embed.W_pos"][plan.row_position]
        x = normalized(x, weights.get("blocks.0.ln1.w"))
        at_queries = x[plan.query_rows]
        k = einsum(x, attn["W_K"], "row m, head m d -> row head d")
        q = einsum(at_queries, attn["W_Q"], "query m, head m d -> query head d")
        v = x if attn["dW_V"] is None else torch.addmm(x, x, attn["dW_V"])
        v = (v * attn["gain"]).unflatten(1, (config.n_heads, config.d_head))
        scores = einsum(q, k, "query head d, row head d -> query row head") / config.d_head**0.5
        softmax = scores[plan.query[:, None], plan.rows].softmax(1)  # "n ctx head"
        mixed = attn["beta"] * softmax + _constant(attn, plan.rows.shape[1], answer_pos)
        # As a product and a sum: a batched matrix product with ctx columns is twice as slow.
        z = (mixed[..., None] * v[plan.rows]).sum(1).flatten(1)  # "n d_model"
        return after(weights, z, at_queries, plan.query)

    return forward


_OF_ATTENTION = ("W_Q", "W_K", "dW_V", "alpha", "beta", "gamma", "gain")


def _constant(attn: dict[str, Tensor | None], ctx: int, answer_pos: int) -> Tensor:
    """The row of alpha I - gamma C at the answer, which no input changes; Float "ctx head"."""
    alpha, gamma = attn["alpha"], attn["gamma"]
    own = torch.zeros(ctx, 1, dtype=alpha.dtype, device=alpha.device)
    own[answer_pos] = 1
    return own * alpha if gamma is None else own * alpha - gamma / ctx


def normalized(x: Tensor, scale: Tensor | None) -> Tensor:
    """x itself where there is no scale, since there is no normalization then."""
    if scale is None:
        return x
    return x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt() * scale


def _after_sequential(config: BlocksConfig) -> Callable[..., Tensor]:
    act = act_fn(config.act_fn)
    # W_out W_U in one product where that takes fewer operations per input.
    folds = config.normalization is None and config.d_vocab_out < config.d_model

    def logits(weights: Weights, z: Tensor, at_queries: Tensor, query: Tensor) -> Tensor:
        W_out, W_U = weights["blocks.0.mlp.W_out"] * weights["blocks.0.mlp.gain"], _W_U(weights)
        read = normalized(z, weights.get("blocks.0.ln2.w"))
        post = act(read @ weights["blocks.0.mlp.W_in"])
        if folds:
            return torch.addmm(z @ W_U, post, W_out @ W_U)
        return normalized(torch.addmm(z, post, W_out), weights.get("ln_final.w")) @ W_U

    return logits


def _after_parallel(config: BlocksConfig) -> Callable[..., Tensor]:
    act = act_fn(config.act_fn)

    def logits(weights: Weights, z: Tensor, at_queries: Tensor, query: Tensor) -> Tensor:
        W_out = weights["blocks.0.mlp.W_out"] * weights["blocks.0.mlp.gain"]
        of_mlp = act(at_queries @ weights["blocks.0.mlp.W_in"]) @ W_out  # "query d_model"
        return normalized(z + of_mlp[query], weights.get("ln_final.w")) @ _W_U(weights)

    return logits


def _W_U(weights: Weights) -> Tensor:
    return weights["unembed.W_U"]
