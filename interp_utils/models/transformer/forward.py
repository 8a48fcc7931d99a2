"""Two ways from weights to the logits that are asked for: a fast exact forward, and
HookedTransformer's own.

Both are functions of a dict of weights under HookedTransformer's names, so a training loop need not
know which it has. The fast forward also takes many models at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.configs import ModelConfig
from interp_utils.devices import Device
from interp_utils.models.family import LogitsFn, MembersLogitsFn, SequenceLogitsFn, Weights
from interp_utils.models.transformer.building import build, call_with
from interp_utils.models.transformer.tables import (
    Plan,
    from_sequence_tables,
    from_tables,
    make_plan,
    places,
)


def logits_fn(
    config: ModelConfig, tokens: Int[Tensor, "n ctx"], kind: str = "auto", answer_pos: int = -1
) -> LogitsFn:
    """A function from weights to the logits of all `tokens` at one position, by default the last.

    kind: "table" (one layer only), "hooked", or "auto": "table" where it applies, else "hooked".
    The function takes `rows`, Int "k", the inputs to compute; default all. That of "table" also
    takes dropout `masks`, "site d_model" or "site n d_model", by which the residual stream is
    multiplied after attention (site 0) and after the MLP (site 1).
    """
    if not takes_tables(config, kind):
        model = build(config, device=tokens.device)

        def by_model(weights: Weights, rows: Tensor | None = None) -> Tensor:
            inputs = tokens if rows is None else tokens[rows]
            return call_with(model, weights, inputs)[:, answer_pos]

        return by_model

    plan, of_plan = make_plan(config, tokens, answer_pos), from_tables(config)

    def by_tables(
        weights: Weights, masks: Tensor | None = None, rows: Tensor | None = None
    ) -> Tensor:
        if rows is None:
            return of_plan(plan, weights, masks)
        asked = plan._replace(rows=plan.rows[rows], query=plan.query[rows])
        return of_plan(asked, weights, masks)

    return by_tables


def members_logits_fn(
    config: ModelConfig, tokens: Int[Tensor, "member n ctx"], answer_pos: int = -1
) -> MembersLogitsFn:
    """The table forward of many models of one configuration at once: from weights with a leading
    member axis, each on its own tokens, or on its `rows` of them, Int "member k".
    """
    plan = make_plan(config, tokens, answer_pos)
    of_members = torch.func.vmap(from_tables(config), in_dims=(Plan(None, None, None, 0, 0), 0))

    def by_tables(weights: Weights, rows: Tensor | None = None) -> Tensor:
        if rows is None:
            return of_members(plan, dict(weights))
        read = plan.rows.gather(1, rows[..., None].expand(-1, -1, plan.rows.shape[-1]))
        asked = plan._replace(rows=read, query=plan.query.gather(1, rows))
        return of_members(asked, dict(weights))

    return by_tables


def sequence_logits_fn(
    config: ModelConfig, kind: str = "auto", device: Device = None
) -> SequenceLogitsFn:
    """A function from weights, tokens and a mask of positions to the logits at those positions, in
    the mask's order. If the mask is on the CPU, the function reads nothing back from a GPU.

    kind: as for `logits_fn`.
    """
    if takes_tables(config, kind):
        return from_sequence_tables(config)
    model = build(config, device=device)
    return lambda weights, tokens, asked: call_with(model, weights, tokens)[
        places(asked, tokens.device)
    ]


def takes_tables(config: ModelConfig, kind: str) -> bool:
    """Whether the table forward is used. Raises ValueError where it is asked for and would compute
    another model.
    """
    if kind == "table" and config.n_layers > 1:
        raise ValueError(
            f"the table forward is for one-layer models, this one has {config.n_layers} layers; "
            'use "hooked"'
        )
    if kind == "table" and config.normalization is not None:
        raise ValueError(
            "the table forward is for models without normalization, and this one has "
            f'"{config.normalization}"; use "hooked"'
        )
    return kind != "hooked" and config.n_layers == 1 and config.normalization is None
