"""Hooks of a TransformerBridge whose names mean something else than on a HookedTransformer.

On a bridge, edits of attention patterns and scores change nothing, scores read as patterns, and an
edit of resid_mid leaves the skip path as it was. So attention is computed again from q, k and v and
put back as z, and resid_mid is edited through attn_out. Values and edits are then those of a
HookedTransformer, up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from einops import einsum
from torch import Tensor, nn

Hook = tuple[str, Callable]

# Hooks whose values and edits are equal on both (or made equal here). No others are offered.
SAME = (
    r"hook_embed|hook_pos_embed|blocks\.\d+\."
    r"(hook_resid_(pre|mid|post)|hook_attn_out|hook_mlp_out|attn\.hook_[qkvz]|mlp\.hook_(pre|post))"
)
ATTENTION = r"blocks\.(\d+)\.attn\.hook_(attn_scores|pattern)"
RESID_MID = r"blocks\.(\d+)\.hook_resid_mid"


def is_bridge(model: nn.Module) -> bool:
    """Whether this is a TransformerBridge."""
    return hasattr(model, "boot_native")


def hook_names(model: nn.Module) -> list[str]:
    """The activations that may be read and edited by name, as on a HookedTransformer."""
    return [name for name in model.hook_dict if re.fullmatch(f"{SAME}|{ATTENTION}", name)]


def faithful_hooks(
    model: nn.Module, edits: Sequence[Hook], read: Iterable[str]
) -> tuple[list[Hook], dict[str, Tensor]]:
    """Hooks that make these edits, and a dict that a forward with these hooks fills with those
    activations to `read` that a cache would have wrong.
    """
    kept: dict[str, Tensor] = {}
    first: list[Hook] = []
    last: list[Hook] = []
    for layer in _layers(ATTENTION, edits, read):
        own = [
            (name, edit)
            for name, edit in edits
            if name.startswith(f"blocks.{layer}.attn.hook_") and re.fullmatch(ATTENTION, name)
        ]
        recompute, remember = _attention(model, layer, own, kept)
        first += recompute
        last += remember
    for layer in _layers(RESID_MID, edits, read):
        last += _resid_mid(
            layer, [edit for name, edit in edits if name == f"blocks.{layer}.hook_resid_mid"], kept
        )
    plain = [
        (name, edit) for name, edit in edits if not re.fullmatch(f"{ATTENTION}|{RESID_MID}", name)
    ]
    return [*first, *plain, *last], kept


def _layers(pattern: str, edits: Sequence[Hook], read: Iterable[str]) -> list[str]:
    return sorted(
        {
            match[1]
            for name in (*(name for name, _ in edits), *read)
            if (match := re.fullmatch(pattern, name))
        }
    )


def _attention(
    model: nn.Module, layer: str, edits: Sequence[Hook], kept: dict[str, Tensor]
) -> tuple[list[Hook], list[Hook]]:
    """z from q, k and v as they are after all edits, through edited scores and pattern."""
    path, cfg = f"blocks.{layer}.attn", model.cfg
    seen: dict[str, Tensor] = {}

    def remember(name: str) -> Hook:
        return f"{path}.hook_{name}", lambda value, hook: seen.__setitem__(name, value)

    def recompute(z: Tensor, hook: nn.Module) -> Tensor | None:
        q, k, v = seen["q"], seen["k"], seen["v"]
        scores = einsum(q, k, "n query head d, n key head d -> n head query key") / cfg.d_head**0.5
        if cfg.attention_dir == "causal":
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=z.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        own = einsum(scores.softmax(-1), v, "n head query key, n key head d -> n query head d")
        if not torch.allclose(own, z, rtol=1e-3, atol=1e-4 * float(z.abs().max())):
            raise ValueError(
                f"{path}: this model's z is not softmax(q k / sqrt(d_head)) v (rotary positions, "
                "a soft cap, another scale?), so its scores and patterns can be neither read nor "
                f"edited; read q, k, v or z"
            )
        kept[f"{path}.hook_attn_scores"] = scores = _edited(
            scores, f"{path}.hook_attn_scores", edits, hook
        )
        kept[f"{path}.hook_pattern"] = pattern = _edited(
            scores.softmax(-1), f"{path}.hook_pattern", edits, hook
        )
        return (
            einsum(pattern, v, "n head query key, n key head d -> n query head d")
            if edits
            else None
        )

    return [(f"{path}.hook_z", recompute)], [remember(name) for name in "qkv"]


def _edited(value: Tensor, name: str, edits: Sequence[Hook], hook: nn.Module) -> Tensor:
    for edited, edit in edits:
        if edited == name:
            changed = edit(value, hook=hook)
            value = value if changed is None else changed
    return value


def _resid_mid(layer: str, edits: Sequence[Callable], kept: dict[str, Tensor]) -> list[Hook]:
    """resid_mid is resid_pre + attn_out, so what an edit adds to resid_mid is added to attn_out."""
    path = f"blocks.{layer}"
    seen: dict[str, Tensor] = {}

    def at_attn_out(attn_out: Tensor, hook: nn.Module) -> Tensor | None:
        kept[f"{path}.hook_attn_out"] = attn_out
        middle = seen["resid_pre"] + attn_out
        for edit in edits:
            changed = edit(middle, hook=hook)
            middle = middle if changed is None else changed
        kept[f"{path}.hook_resid_mid"] = middle
        return middle - seen["resid_pre"] if edits else None

    return [
        (f"{path}.hook_resid_pre", lambda value, hook: seen.__setitem__("resid_pre", value)),
        (f"{path}.hook_attn_out", at_attn_out),
    ]
