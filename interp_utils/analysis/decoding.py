"""What a model answers when it reads its own answers, not the right ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def free_running(
    logits_at: Callable[[Int[Tensor, "n ctx"], Bool[Tensor, "n ctx"]], Float[Tensor, "n c"]],
    tokens: Int[Tensor, "n ctx"],
    asked: Bool[Tensor, "n ctx"],
) -> Int[Tensor, "n answer"]:
    """The likeliest token at the first position that is asked for, then the likeliest after that
    one, and so on to the end: as many as every input has room for.

    Teacher-forced accuracy (`answers.sequence_accuracy`) gives the model the right tokens before
    each; here they are taken away first. logits_at(tokens, places): a model's logits where
    `places`, on the CPU, is True, once for each input; lambda tokens, places: model(tokens)[places]
    does it. Raises ValueError for an input that is asked nothing.
    """
    asked = asked.cpu()
    silent = ~asked.any(1)
    if silent.any():
        raise ValueError(
            f"every input must be asked at least one token, got {int(silent.sum())} of "
            f"{len(silent)} inputs that are asked none: leave them out, or mark a position of each "
            "in `asked`"
        )
    rows, place = torch.arange(len(tokens)), torch.arange(tokens.shape[1])
    first = asked.long().argmax(1)
    after = (place > first[:, None]).to(tokens.device)
    rows_there, first_there = rows.to(tokens.device), first.to(tokens.device)
    read = torch.where(after, tokens[rows_there, first_there][:, None], tokens)
    answers = []
    for at in range(tokens.shape[1] - int(first.max())):
        if answers:
            read[rows_there, first_there + at] = answers[-1]
        logits = logits_at(read, place == (first + at)[:, None])
        answers.append(logits.argmax(-1).to(tokens.device))
    return torch.stack(answers, 1)
