"""A run's history: the phases of grokking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Phases = dict[str, tuple[int, int]]


def phases(metrics: pd.DataFrame, grokked: float = 1e-3) -> Phases:
    """The phases of grokking (Nanda et al. 2023, section 5), read off the losses alone: name -> (first step, last step).

    memorisation:      until the test loss peaks.
    circuit formation: until the test loss stays below half its peak.
    cleanup:           until the test loss stays below `grokked` nats.
    A phase that the run did not complete is left out, and so are those after it.
    """
    steps, test_loss = metrics["step"].tolist(), metrics["test_loss"]
    ends = {
        "memorisation": steps[int(test_loss.argmax())],
        "circuit formation": first_sustained(steps, (test_loss < test_loss.max() / 2).tolist()),
        "cleanup": first_sustained(steps, (test_loss < grokked).tolist()),
    }
    found: Phases = {}
    start = 0
    for name, end in ends.items():
        if end is None:
            break
        found[name] = (start, end)
        start = end
    return found


def first_sustained(steps: Sequence[int], holds: Sequence[bool]) -> int | None:
    """The first step from which the condition holds to the end; None if it does not hold at the end."""
    first = None
    for step, holds_here in zip(steps, holds, strict=True):
        first = (step if first is None else first) if holds_here else None
    return first
