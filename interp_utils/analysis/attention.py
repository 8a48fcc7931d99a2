"""What attention patterns look at: tokens, and elements of a list by their rank."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


@at_least_float32
def by_token(
    pattern: Float[Tensor, "n head query key"],
    tokens: Int[Tensor, "n key"],
    asked: Bool[Tensor, "n query"],
    d_vocab: int,
) -> Float[Tensor, "asked head vocab"]:
    """Attention that each token of the vocabulary receives, over all its places, from each of the
    positions that are asked.

    Raises ValueError if no position is asked.
    """
    if not asked.any():
        raise ValueError("no position is asked: there is no attention to look at")
    which, query = asked.to(pattern.device).nonzero(as_tuple=True)
    rows = pattern[which, :, query]
    places = tokens.to(pattern.device)[which][:, None].expand_as(rows)
    return rows.new_zeros(*rows.shape[:2], d_vocab).scatter_add_(2, places, rows)


@at_least_float32
def attends_to_answer(
    pattern: Float[Tensor, "n head query key"],
    tokens: Int[Tensor, "n key"],
    labels: Int[Tensor, "n query"],
    d_vocab: int,
) -> Float[Tensor, "head"]:
    """Share of the answers at which a head attends to the answer's token more than to any other.

    labels: the answer at each position, negative where nothing is asked.
    """
    labels = labels.to(pattern.device)
    asked = labels >= 0
    received = by_token(pattern, tokens, asked, d_vocab)
    answer = labels[asked][:, None, None].expand(-1, received.shape[1], 1)
    others = received.scatter(2, answer, -torch.inf).amax(-1)
    return devices.double(received.gather(2, answer).squeeze(2) > others).mean(0)


@at_least_float32
def by_rank(
    pattern: Float[Tensor, "n head query key"],
    tokens: Int[Tensor, "n key"],
    labels: Int[Tensor, "n query"],
    d_vocab: int,
) -> tuple[Int[Tensor, "offset"], Float[Tensor, "offset head"]]:
    """Mean attention to the number `offset` places after the answer in sorted order (0: the answer
    itself), over all answers.

    The attention is summed over all places of a number: numbers before the answer stand in the list
    and, again, in the sorted part.

    labels: the sorted list, element by element, where it is asked; negative elsewhere. Equal
    elements share their attention.
    """
    labels = labels.to(pattern.device)
    asked = labels >= 0
    which, _ = asked.nonzero(as_tuple=True)
    attention = by_token(pattern, tokens, asked, d_vocab)
    counts = asked.sum(1)
    longest = int(counts.max())
    element = torch.arange(longest, device=labels.device)
    real = element < counts[:, None]
    ordered = torch.zeros(
        len(labels), longest, dtype=torch.long, device=labels.device
    ).masked_scatter_(real, labels[asked])
    same = (ordered[:, :, None] == ordered[:, None]) & real[:, None] & real[:, :, None]
    copies = same.sum(-1)[which]  # "asked longest"
    received = attention.gather(
        2, ordered[which][:, None].expand(-1, attention.shape[1], -1)
    ) / copies[:, None].clamp(min=1)
    own = element.expand(len(labels), -1)[real]  # the answer's place in the list
    offset = (element - own[:, None])[real[which]] + longest - 1
    received = received.transpose(1, 2)[real[which]]  # "pairs head"
    sums = received.new_zeros(2 * longest - 1, received.shape[1]).index_add_(0, offset, received)
    return torch.arange(1 - longest, longest, device=labels.device), sums / offset.bincount(
        minlength=2 * longest - 1
    )[:, None]
