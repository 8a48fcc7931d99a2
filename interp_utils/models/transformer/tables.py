"""The exact fast forward of one-layer models, as tables and folded products.

Functions of a dict of weights under HookedTransformer's names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from interp_utils.configs import FamilyConfig, ModelConfig
from interp_utils.models.family import SequenceLogitsFn, Weights
from interp_utils.models.transformer.weights import act_fn


class Plan(NamedTuple):
    """Which rows the tables have, and which rows each input reads. All members have the same
    rows.
    """

    row_token: Int[Tensor, "row"]
    row_position: Int[Tensor, "row"]
    query_rows: Int[Tensor, "query"]
    rows: Int[Tensor, "*member n ctx"]
    query: Int[Tensor, "*member n"]


def make_plan(config: FamilyConfig, tokens: Int[Tensor, "*member n ctx"], answer_pos: int) -> Plan:
    """The plan for these tokens. A causal query reads no position after its own.

    config: of any family with `attention` and `d_vocab`.
    """
    answer_pos = range(tokens.shape[-1])[answer_pos]
    if config.attention == "causal":
        tokens = tokens[..., : answer_pos + 1]
    token_and_position = tokens + config.d_vocab * torch.arange(
        tokens.shape[-1], device=tokens.device
    )
    present, rows = token_and_position.unique(return_inverse=True)
    query_rows, query = rows[..., answer_pos].unique(return_inverse=True)
    return Plan(present % config.d_vocab, present // config.d_vocab, query_rows, rows, query)


def from_tables(config: ModelConfig) -> Callable[..., Tensor]:
    """A forward that computes only what one position's logits depend on, and nothing twice.

    Keys and values depend on (token, position) alone. Few such pairs occur, so keys and values are
    tables with a row for each pair. Only the query of the one position is needed.
    """
    after_attention = _after_attention(config)

    def forward(plan: Plan, weights: Weights, masks: Tensor | None = None) -> Tensor:
        attn = _attention_weights(weights)
        # "row d_model"
        x = weights["embed.W_E"][plan.row_token] + weights["pos_embed.W_pos"][plan.row_position]
        k = einsum(x, attn["W_K"], "row m, head m d -> row head d") + attn["b_K"]
        v = einsum(x, attn["W_V"], "row m, head m d -> row head d") + attn["b_V"]
        q = (
            einsum(x[plan.query_rows], attn["W_Q"], "query m, head m d -> query head d")
            + attn["b_Q"]
        )
        root = config.d_head**0.5
        if len(q) * len(k) > plan.rows.numel():  # a table of scores would have more of them
            scores = einsum(q[plan.query], k[plan.rows], "n head d, n ctx head d -> n ctx head")
            scores = scores / root
        else:
            scores = einsum(q, k, "query head d, row head d -> query row head") / root
            scores = scores[plan.query[:, None], plan.rows]
        pattern = scores.softmax(1)  # "n ctx head"
        # As a product and a sum: a batched matrix product with ctx columns is twice as slow.
        z = (pattern[..., None] * v[plan.rows]).sum(1).flatten(1)  # "n (head d)"
        start = x[plan.query_rows]  # "query d_model"
        return after_attention(
            weights, z, start[plan.query] if len(plan.query_rows) > 1 else start, masks
        )

    return forward


def from_sequence_tables(config: ModelConfig) -> SequenceLogitsFn:
    """The table forward for many answers per input. Keys, values and queries are sums of a row for
    the token and a row for the position.
    """
    after_attention = _after_attention(config)

    def forward(weights: Weights, tokens: Tensor, asked: Tensor) -> Tensor:
        counts = asked.sum(1, keepdim=True)
        # "n r": lists with fewer answers are filled up
        filled = torch.arange(int(counts.max()), device=asked.device) < counts
        read = torch.zeros_like(filled, dtype=torch.long)
        read[filled] = asked.nonzero()[:, 1]  # "n r": the positions that are asked
        read, real = read.to(tokens.device), places(filled, tokens.device)
        read_tokens = tokens.gather(1, read)

        everywhere = torch.arange(tokens.shape[1], device=tokens.device)
        k, v = (_project(config, weights, name, tokens, everywhere) for name in "KV")
        q = _project(config, weights, "Q", read_tokens, read)
        causal = (everywhere <= read[..., None])[:, None]  # "n 1 r ctx"
        z = scaled_dot_product_attention(
            q, k, v, attn_mask=causal if config.attention == "causal" else None
        )
        z = z.transpose(1, 2)[real].flatten(1)  # "asked (head d)"
        start = embedding(read_tokens[real], weights["embed.W_E"])
        if config.positions:
            start = start + embedding(read[real], weights["pos_embed.W_pos"])
        return after_attention(weights, z, start)

    return forward


def _project(
    config: ModelConfig, weights: Weights, name: str, tokens: Tensor, positions: Tensor
) -> Tensor:
    """Queries, keys or values of tokens at positions: "n head pos d"."""
    W, b = weights[f"blocks.0.attn.W_{name}"], weights[f"blocks.0.attn.b_{name}"]
    of_token = einsum(weights["embed.W_E"], W, "vocab m, head m d -> vocab head d")
    x = embedding(tokens, of_token.flatten(1)) + b.flatten()
    if config.positions:
        of_position = einsum(weights["pos_embed.W_pos"], W, "pos m, head m d -> pos head d")
        x = x + embedding(positions, of_position.flatten(1))
    return x.unflatten(-1, (config.n_heads, config.d_head)).transpose(1, 2)


def places(mask: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """The rows and columns that a mask selects. They index like the mask; but a mask on a GPU would
    have its number of True read back at every use.
    """
    return tuple(place.to(device) for place in mask.nonzero(as_tuple=True))


def _attention_weights(weights: Weights) -> dict[str, Tensor]:
    return {
        name: weights[f"blocks.0.attn.{name}"]
        for name in ("W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O")
    }


def _after_attention(config: ModelConfig) -> Callable[..., Tensor]:
    """A function from z, "n (head d)", and the residual stream before attention, "n d_model" or one
    row for all, to logits.

    Products of weights are folded into one matrix where this takes fewer operations. A dropout mask
    that all inputs share is folded into the neighbouring weights, too.
    """
    d_z, d_model, d_mlp, d_out = (
        config.n_heads * config.d_head,
        config.d_model,
        config.d_mlp,
        config.d_vocab_out,
    )
    act = act_fn(config.act_fn)

    def logits(weights: Weights, z: Tensor, start: Tensor, masks: Tensor | None = None) -> Tensor:
        W_O, W_U, b_U = (
            weights["blocks.0.attn.W_O"].flatten(0, 1),
            weights["unembed.W_U"],
            weights["unembed.b_U"],
        )
        resid = start + weights["blocks.0.attn.b_O"]  # without z W_O
        # what the residual stream adds to a folded product's inputs, per row of z
        own = 0 if len(start) == 1 else d_model
        mlp = None
        if d_mlp is not None:
            names = ("W_in", "b_in", "W_out", "b_out")
            mlp = tuple(weights[f"blocks.0.mlp.{name}"] for name in names)
        if masks is not None:
            if masks.ndim == 3:  # one for each input
                resid = torch.addmm(resid, z, W_O) * masks[0]
                return torch.addmm(
                    b_U, (resid if mlp is None else resid + _mlp(act, resid, *mlp)) * masks[1], W_U
                )
            resid, W_O, W_U = resid * masks[0], W_O * masks[0], masks[1][:, None] * W_U
        if mlp is None:
            return torch.addmm(b_U, torch.addmm(resid, z, W_O), W_U)

        W_in, b_in, W_out, b_out = mlp
        if (d_z + own) * d_mlp < (d_z + d_mlp) * d_model:
            post = act(torch.addmm(resid @ W_in + b_in, z, W_O @ W_in))
        else:
            post = act(torch.addmm(b_in, torch.addmm(resid, z, W_O), W_in))
        if (d_z + d_mlp + own) * d_out < (d_z + d_mlp + d_out) * d_model:
            skip = torch.addmm((resid + b_out) @ W_U + b_U, z, W_O @ W_U)
            return torch.addmm(skip, post, W_out @ W_U)
        return torch.addmm(b_U, torch.addmm(torch.addmm(resid + b_out, z, W_O), post, W_out), W_U)

    return logits


def _mlp(
    act: Callable[[Tensor], Tensor],
    resid: Tensor,
    W_in: Tensor,
    b_in: Tensor,
    W_out: Tensor,
    b_out: Tensor,
) -> Tensor:
    return torch.addmm(b_out, act(torch.addmm(b_in, resid, W_in)), W_out)
