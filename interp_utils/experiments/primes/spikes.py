"""Where a loss spikes, and what an update was like there."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

ABOVE, BEFORE, APART = 10, 50, 50


def spikes(losses: Float[Tensor, "step"]) -> list[int]:
    """The steps at which the loss begins to be above `ABOVE` times the median of the `BEFORE` steps
    before them. One spike lasts until the loss has not been for `APART` steps.

    The first `BEFORE` steps have none. A median of zero, in float32 all there is below 6e-8, counts
    as the smallest loss above zero that there was before.
    """
    if len(losses) <= BEFORE:
        return []
    usual = losses[:-1].unfold(0, BEFORE, 1).median(1).values
    least = torch.where(losses > 0, losses, torch.inf).cummin(0).values[BEFORE - 1 : -1]
    usual = torch.where(usual > 0, usual, least)
    high = (losses[BEFORE:] > ABOVE * usual).nonzero().flatten() + BEFORE
    gaps = high.diff(prepend=torch.tensor([-APART - 1]))
    return high[gaps > APART].tolist()


def over_usual(values: Float[Tensor, "step"], step: int) -> float:
    """The largest of the `APART` values from a step on, over the median of the `BEFORE` before."""
    return (values[step : step + APART].max() / values[step - BEFORE : step].median()).item()
