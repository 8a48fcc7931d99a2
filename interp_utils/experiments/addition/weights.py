"""What the weights of a model that adds show: heads, read-out and embedding, by frequency."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import circuits, fourier, neurons, sinusoids
from interp_utils.experiments.rules import Row
from interp_utils.measures import ablation, applies
from interp_utils.models import named_weights
from interp_utils.models.cached import CachedModel


def row(model: CachedModel, keys: list[int]) -> Row:
    """Numbers of the weights. Shares are of variance or of power, from 0 to 1; lists have an entry
    for each head, or for each cluster of neurons.
    """
    return {
        "W_E, number of frequencies": len(fourier.key_frequencies(model.W_E[0], "W_E")),
        **blocks(model.logits, keys),
        **_attention(model),
        **_heads(model, keys),
        **_read_out(model, keys),
    }


def blocks(logits: Float[Tensor, "p p c"], keys: list[int]) -> Row:
    """The logits' components over (a, b), in which key frequencies make blocks of 2 x 2."""
    power = fourier.transform_2d(logits).square().sum(-1)
    power[0, 0] = 0  # the mean
    frequency = fourier.component_frequencies(len(power)).to(power.device)
    of_key = torch.isin(frequency, torch.tensor(keys, device=power.device))
    block = of_key[:, None] & (frequency[:, None] == frequency)
    large = power.sqrt() > power.sqrt().max() / 4
    return {
        "logits, share in the blocks": (power[block].sum() / power.sum()).item(),
        "logits, large components": int(large.sum()),
        "logits, large components outside the blocks": int((large & ~block).sum()),
    }


def attention_fits(model: CachedModel) -> list[float]:
    """The share of each head's attention that one wave of the head's own frequency explains."""
    attention, frequencies = model.attention_to(0, 0), ablation.head_frequencies(model)
    return [
        sinusoids.fit_attention(attention[..., head], k).variance_explained
        for head, k in enumerate(frequencies)
    ]


def line_fits(model: CachedModel) -> list[float]:
    """The share of each head's attention that a line in the difference of its scores explains."""
    a, b = (operand.position for operand in model.task.operands)
    scores, attention = model.activation("attn_scores", 0), model.attention_to(0, 0)
    difference = scores[..., a] - scores[..., b]
    return [
        sinusoids.fit_line(difference[..., head], attention[..., head]).variance_explained
        for head in range(attention.shape[-1])
    ]


def _attention(model: CachedModel) -> Row:
    to_itself = model.activation("pattern", 0)[..., model.task.answer_pos]
    return {
        "attention fit": attention_fits(model),
        "attention, share of its line": line_fits(model),
        "attention to =, at most": to_itself.mean((0, 1)).max().item(),
    }


def _heads(model: CachedModel, keys: list[int]) -> Row:
    """The share of what each head sends to the neurons that has the frequency of its attention."""
    W_V, W_O = applies.value_weights(model)
    W_in = named_weights(model.model)["blocks.0.mlp.W_in"].detach()
    ov = circuits.ov_to_neurons(model.W_E[0], W_V, W_O, W_in)
    frequencies = ablation.head_frequencies(model)
    shares = [fourier.frequency_shares(of_head) for of_head in ov]
    own = [share[k].item() for share, k in zip(shares, frequencies, strict=True)]
    return {
        "OV, share at the head's frequency": own,
        "OV at the head's frequency, most": max(own),
        "OV at the head's frequency, least": min(own),
        "OV at key frequencies, least": min(share[keys].sum().item() for share in shares),
    }


def _read_out(model: CachedModel, keys: list[int]) -> Row:
    post, W_L, p = model.activation("post", 0), model.W_L, model.task.p
    read_out = sinusoids.read_out_directions(W_L, keys)
    waves = [
        share
        for i, k in enumerate(keys)
        for share in (
            sinusoids.single_cosine_shares(read_out.u[i], post, k)[0],
            sinusoids.single_cosine_shares(read_out.v[i], post, k)[1],
        )
        if 2 * k != p
    ]
    clusters = neurons.frequency_clusters(post)
    own: dict[bool, list[float]] = {True: [], False: []}
    doubles = []
    for k in clusters.frequency[clusters.clustered].unique().tolist():
        members = clusters.clustered & (clusters.frequency == k)
        own[k in keys].append(fourier.frequency_shares(W_L[members], -1)[k].item())
        if k not in keys:
            doubles.append(min(2 * k, abs(p - 2 * k)) in keys)
    return {
        "u and v, share of one wave, at least": min(waves),
        "residual of W_L": read_out.residual,
        "residual of W_L, squared": read_out.residual**2,
        "W_L of a key cluster, share at its frequency": own[True],
        "W_L of a leftover cluster, share at its frequency": own[False],
        "a leftover cluster's double is a key": doubles,
    }
