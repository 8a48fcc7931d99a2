"""Two ways from weights to the logits that are asked for: a fast exact one, and HookedTransformer's
own.

Both are functions of a dict of weights under HookedTransformer's names, so that a training loop
need not know which. The fast one also takes many models at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.family import LogitsFn, MembersLogitsFn, SequenceLogitsFn, Weights
from interp_utils.models.transformer.building import build, call_with
from interp_utils.models.transformer.weights import act_fn


def logits_fn(
    config: ModelConfig, tokens: Int[Tensor, "n ctx"], kind: str = "auto", answer_pos: int = -1
) -> LogitsFn:
    """A function from weights to the logits of all `tokens` at one position, by default the last.

    kind: "table" (one layer only), "hooked", or "auto": the first where it applies.
    The function takes `rows`, Int "k", the inputs to compute; default all. The table's also takes
    dropout `masks`, "site d_model" or "site n d_model", that the residual stream is multiplied with
    after attention (site 0) and after the MLP.
    """
    if not takes_tables(config, kind):
        model = build(config, device=tokens.device)

        def by_model(weights: Weights, rows: Tensor | None = None) -> Tensor:
            inputs = tokens if rows is None else tokens[rows]
            return call_with(model, weights, inputs)[:, answer_pos]

        return by_model

    plan, of_plan = _plan(config, tokens, answer_pos), _from_tables(config)

    def by_tables(
        weights: Weights, masks: Tensor | None = None, rows: Tensor | None = None
    ) -> Tensor:
        asked = (
            plan if rows is None else plan._replace(rows=plan.rows[rows], query=plan.query[rows])
        )
        return of_plan(asked, weights, masks)

    return by_tables


def members_logits_fn(
    config: ModelConfig, tokens: Int[Tensor, "member n ctx"], answer_pos: int = -1
) -> MembersLogitsFn:
    """The table forward of many models of one configuration at once: from weights with a leading
    member axis, each on its own tokens.
    """
    plan = _plan(config, tokens, answer_pos)
    of_members = torch.func.vmap(_from_tables(config), in_dims=(_Plan(None, None, None, 0, 0), 0))
    return lambda weights: of_members(plan, dict(weights))


def sequence_logits_fn(
    config: ModelConfig, kind: str = "auto", device: Device = None
) -> SequenceLogitsFn:
    """A function from weights, tokens and a mask of positions to the logits at those positions, in
    the mask's order. With the mask on the CPU it reads nothing back from a GPU.

    kind: as for `logits_fn`.
    """
    if takes_tables(config, kind):
        return _sequence_table(config)
    model = build(config, device=device)
    return lambda weights, tokens, asked: call_with(model, weights, tokens)[
        _places(asked, tokens.device)
    ]


def takes_tables(config: ModelConfig, kind: str) -> bool:
    """Whether the table forward is taken. Raises ValueError where it is asked for and would not be
    this model's.
    """
    if kind == "table" and config.n_layers > 1:
        raise ValueError(
            f"the table forward is for one-layer models, this one has {config.n_layers}; use "
            '"hooked"'
        )
    if kind == "table" and config.normalization is not None:
        raise ValueError(
            "the table forward is for models without normalization, this one has "
            f'"{config.normalization}"; use "hooked"'
        )
    return kind != "hooked" and config.n_layers == 1 and config.normalization is None


class _Plan(NamedTuple):
    """Which rows the tables have, and which of them each input reads. Tokens with a member axis
    share their rows.
    """

    row_token: Int[Tensor, "row"]
    row_position: Int[Tensor, "row"]
    query_rows: Int[Tensor, "query"]
    rows: Int[Tensor, "*member n ctx"]
    query: Int[Tensor, "*member n"]


def _plan(config: ModelConfig, tokens: Int[Tensor, "*member n ctx"], answer_pos: int) -> _Plan:
    """A causal query reads no position after its own."""
    answer_pos = range(tokens.shape[-1])[answer_pos]
    if config.attention == "causal":
        tokens = tokens[..., : answer_pos + 1]
    token_and_position = tokens + config.d_vocab * torch.arange(
        tokens.shape[-1], device=tokens.device
    )
    present, rows = token_and_position.unique(return_inverse=True)
    query_rows, query = rows[..., answer_pos].unique(return_inverse=True)
    return _Plan(present % config.d_vocab, present // config.d_vocab, query_rows, rows, query)


def _from_tables(config: ModelConfig) -> Callable[..., Tensor]:
    """Computes only what one position's logits depend on, and nothing twice.

    Before attention mixes them, keys and values depend on (token, position) alone: there are few of
    those, so they are tables with a row for each that occurs. Only that position's query is needed.
    """
    after_attention = _after_attention(config)

    def forward(plan: _Plan, weights: Weights, masks: Tensor | None = None) -> Tensor:
        attn = _attention_weights(weights)
        x = (
            weights["embed.W_E"][plan.row_token] + weights["pos_embed.W_pos"][plan.row_position]
        )  # "row d_model"
        k = einsum(x, attn["W_K"], "row m, head m d -> row head d") + attn["b_K"]
        v = einsum(x, attn["W_V"], "row m, head m d -> row head d") + attn["b_V"]
        q = (
            einsum(x[plan.query_rows], attn["W_Q"], "query m, head m d -> query head d")
            + attn["b_Q"]
        )
        scores = einsum(q, k, "query head d, row head d -> query row head") / config.d_head**0.5
        pattern = scores[plan.query[:, None], plan.rows].softmax(1)  # "n ctx head"
        # As a product and a sum: a batched matrix product with ctx columns is twice as slow.
        z = (pattern[..., None] * v[plan.rows]).sum(1).flatten(1)  # "n (head d)"
        start = x[plan.query_rows]  # "query d_model"
        return after_attention(
            weights, z, start[plan.query] if len(plan.query_rows) > 1 else start, masks
        )

    return forward


def _sequence_table(config: ModelConfig) -> SequenceLogitsFn:
    """The same for many answers per input. Keys, values and queries are sums of a row for the token
    and one for the position.
    """
    after_attention = _after_attention(config)

    def forward(weights: Weights, tokens: Tensor, asked: Tensor) -> Tensor:
        attn = _attention_weights(weights)
        counts = asked.sum(1, keepdim=True)
        # "n r": lists with fewer answers are filled up
        filled = torch.arange(int(counts.max()), device=asked.device) < counts
        read = torch.zeros_like(filled, dtype=torch.long)
        read[filled] = asked.nonzero()[:, 1]  # "n r": the positions that are asked
        read, real = read.to(tokens.device), _places(filled, tokens.device)
        read_tokens = tokens.gather(1, read)

        def project(name: str, tokens: Tensor, positions: Tensor) -> Tensor:
            W, b = attn[f"W_{name}"], attn[f"b_{name}"]
            of_token = einsum(weights["embed.W_E"], W, "vocab m, head m d -> vocab head d").flatten(
                1
            )
            x = embedding(tokens, of_token) + b.flatten()
            if config.positions:
                of_position = einsum(
                    weights["pos_embed.W_pos"], W, "pos m, head m d -> pos head d"
                ).flatten(1)
                x = x + embedding(positions, of_position)
            return x.unflatten(-1, (config.n_heads, config.d_head)).transpose(
                1, 2
            )  # "n head pos d"

        everywhere = torch.arange(tokens.shape[1], device=tokens.device)
        k, v, q = (
            project("K", tokens, everywhere),
            project("V", tokens, everywhere),
            project("Q", read_tokens, read),
        )
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


def _places(mask: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """The rows and columns that a mask selects, which index as it does. A mask on a GPU would have
    its number of True read at every use.
    """
    return tuple(place.to(device) for place in mask.nonzero(as_tuple=True))


def _attention_weights(weights: Weights) -> dict[str, Tensor]:
    return {
        name: weights[f"blocks.0.attn.{name}"]
        for name in ("W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O")
    }


def _after_attention(config: ModelConfig) -> Callable[..., Tensor]:
    """From z, "n (head d)", and the residual stream before attention, "n d_model" or one row for
    all, to logits.

    Products of weights are folded into one matrix where that is fewer operations. A dropout mask
    that all inputs share is folded into the weights beside it, too.
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
        resid = start + weights["blocks.0.attn.b_O"]  # but for z W_O
        own = (
            0 if len(start) == 1 else d_model
        )  # what the residual stream adds to a folded product's inputs, per row of z
        mlp = (
            None
            if d_mlp is None
            else tuple(
                weights[f"blocks.0.mlp.{name}"] for name in ("W_in", "b_in", "W_out", "b_out")
            )
        )
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
