"""Two ways from weights to logits at the last position: a fast exact one, and HookedTransformer's own.

Both are functions of a dict of weights under HookedTransformer's names, so that a training loop need not know which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.configs import ModelConfig
from interp_utils.models import act_fn, build

LogitsFn = Callable[[Mapping[str, Tensor]], Float[Tensor, "n d_vocab_out"]]


def logits_fn(config: ModelConfig, tokens: Int[Tensor, "n ctx"], kind: str = "auto") -> LogitsFn:
    """A function from weights to the logits of all `tokens` at the last position.

    kind: "table" (one layer only), "hooked", or "auto": the first where it applies.
    """
    if kind == "hooked" or (kind == "auto" and config.n_layers > 1):
        return _hooked(config, tokens)
    if config.n_layers > 1:
        raise ValueError(f'the table forward is for one-layer models, this one has {config.n_layers}; use "hooked"')
    return _table(config, tokens)


def _hooked(config: ModelConfig, tokens: Tensor) -> LogitsFn:
    model = build(config, device=tokens.device)

    def forward(weights: Mapping[str, Tensor]) -> Tensor:
        return torch.func.functional_call(model, dict(weights), (tokens,))[:, -1]

    return forward


def _table(config: ModelConfig, tokens: Tensor) -> LogitsFn:
    """Computes only what the last position's logits depend on, and nothing twice.

    Before attention mixes them, keys and values depend on (token, position) alone: there are few of those, so they are
    tables with a row for each that occurs. Only the last query is needed. W_O W_in and W_out W_U are folded into
    one matrix each where that is fewer operations.
    """
    ctx = tokens.shape[1]
    token_and_position = tokens + config.d_vocab * torch.arange(ctx, device=tokens.device)
    present, rows = token_and_position.unique(return_inverse=True)  # "row", "n ctx"
    row_token, row_position = present % config.d_vocab, present // config.d_vocab
    query_rows, query = rows[:, -1].unique(return_inverse=True)  # "query", "n"
    d_z = config.n_heads * config.d_head
    fold_in = d_z * config.d_mlp < (d_z + config.d_mlp) * config.d_model
    fold_out = (d_z + config.d_mlp) * config.d_vocab_out < (d_z + config.d_mlp + config.d_vocab_out) * config.d_model
    act = act_fn(config.act_fn)

    def forward(weights: Mapping[str, Tensor]) -> Tensor:
        attn = {name: weights[f"blocks.0.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O")}
        W_in, b_in, W_out, b_out = (weights[f"blocks.0.mlp.{name}"] for name in ("W_in", "b_in", "W_out", "b_out"))
        W_U, b_U = weights["unembed.W_U"], weights["unembed.b_U"]
        W_O = attn["W_O"].flatten(0, 1)  # "(head d_head) d_model"

        x = weights["embed.W_E"][row_token] + weights["pos_embed.W_pos"][row_position]  # "row d_model"
        k = einsum(x, attn["W_K"], "row m, head m d -> row head d") + attn["b_K"]
        v = einsum(x, attn["W_V"], "row m, head m d -> row head d") + attn["b_V"]
        q = einsum(x[query_rows], attn["W_Q"], "query m, head m d -> query head d") + attn["b_Q"]
        scores = einsum(q, k, "query head d, row head d -> query row head") / config.d_head**0.5
        pattern = scores[query[:, None], rows].softmax(1)  # "n ctx head"
        # As a product and a sum: a batched matrix product with ctx columns is twice as slow.
        z = (pattern[..., None] * v[rows]).sum(1).flatten(1)  # "n (head d)"

        start = x[query_rows] + attn["b_O"]  # "query d_model"; the last residual stream but for z W_O
        if len(query_rows) > 1:
            start = start[query]  # "n d_model"
        pre = torch.addmm(start @ W_in + b_in, z, W_O @ W_in) if fold_in else torch.addmm(b_in, torch.addmm(start, z, W_O), W_in)
        post = act(pre)
        if fold_out:
            skip = torch.addmm((start + b_out) @ W_U + b_U, z, W_O @ W_U)
            return torch.addmm(skip, post, W_out @ W_U)
        return torch.addmm(b_U, torch.addmm(torch.addmm(start + b_out, z, W_O), post, W_out), W_U)

    return forward
