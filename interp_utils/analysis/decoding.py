"""What a model answers when it reads its own answers, not the right ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def free_running(
    logits_of: Callable[[Int[Tensor, "n ctx"]], Float[Tensor, "n ctx c"]],
    tokens: Int[Tensor, "n ctx"],
    asked: Bool[Tensor, "n ctx"],
) -> Int[Tensor, "n answer"]:
    """The likeliest token at the first position that is asked for, then the likeliest after that
    one, and so on to the end: as many as every input has room for.

    Teacher-forced accuracy (`answers.sequence_accuracy`) gives the model the right tokens before
    each; here they are taken away first. logits_of: a model's logits of some tokens at every
    position. Raises ValueError for an input that is asked nothing.
    """
    asked = asked.to(tokens.device)
    if not asked.any(1).all():
        raise ValueError(f"{int((~asked.any(1)).sum())} inputs are asked nothing")
    rows, ctx = torch.arange(len(tokens), device=tokens.device), tokens.shape[1]
    first = asked.long().argmax(1)
    start = tokens[rows, first]
    after = torch.arange(ctx, device=tokens.device) > first[:, None]
    read = torch.where(after, start[:, None], tokens)
    answers = []
    for at in range(ctx - int(first.max())):
        if answers:
            read[rows, first + at] = answers[-1]
        logits = logits_of(read)[rows, first + at]
        answers.append(logits.argmax(-1).to(tokens.device))
    return torch.stack(answers, 1)
